/** @file Comparisons of a student on some engine with the float64 PyTorch reference; used on every provider. */
import { expect } from "vitest";
import type { FileSource } from "../../src/formats/fileSource.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent, type LanguageModel } from "../../src/student/student.ts";
import { SIMPLE_SCORES } from "../../src/student/types.ts";
import { hasOneBatch } from "./familyCases.ts";
import {
  adapterDirectory,
  goldenRows,
  loadGolden,
  studentDirectory,
  TOLERANCES,
  updateError,
  type Golden,
  type GoldenTrajectory,
} from "./goldens.ts";

export type Tolerances = { readonly [K in keyof (typeof TOLERANCES)["host"]]: number };

export function tolerancesOf(engine: Engine): Tolerances {
  return engine.ep === "webgpu" ? TOLERANCES.webgpu : TOLERANCES.host;
}

async function withGoldenStudent(
  engine: Engine,
  golden: Golden,
  source: FileSource | undefined,
  options: { readonly adapter?: string; readonly full?: boolean },
  body: (student: LanguageModel) => Promise<void>,
): Promise<void> {
  const student = await openStudent(engine, {
    source: source ?? directorySource(studentDirectory(golden.student)),
    ...(options.adapter === undefined ? {} : { adapter: directorySource(adapterDirectory(options.adapter)) }),
    ...(options.full ? { method: { method: "full" } as const } : {}),
  });
  try {
    await body(student);
  } finally {
    await student.dispose();
  }
}

/** Whether graphs are so slow to compile on this engine that one must do. */
function usesOneGraph(engine: Engine, name: string): boolean {
  return engine.ep === "webgpu" && hasOneBatch(name);
}

/** Rows of at most this many tokens fit one length bucket. */
const ONE_BUCKET_TOKENS = 33;

/**
 * Token counts exactly, every simple score of every row within the provider's tolerance,
 * with and without the adapter. Where one graph must do: rows of one bucket, no adapter.
 */
export async function checkScores(
  engine: Engine,
  name: string,
  source?: FileSource,
  { score } = tolerancesOf(engine),
): Promise<void> {
  const golden = loadGolden(name);
  const oneGraph = usesOneGraph(engine, name);
  const all = goldenRows(golden).map((row, i) => ({ row, expected: golden.scores[i] }));
  const chosen = all.filter(({ expected }) => !oneGraph || (expected?.ids.length ?? 0) <= ONE_BUCKET_TOKENS);
  const rows = chosen.map(({ row }) => row);
  await withGoldenStudent(engine, golden, source, {}, async (student) => {
    const results = await student.score(rows, SIMPLE_SCORES, { batchSize: oneGraph ? rows.length : 4 });
    expect(results.length).toBeGreaterThan(4);
    results.forEach((result, i) => {
      const expected = chosen[i]?.expected;
      expect(result.tokens, `${name} row ${result.id}: tokens`).toBe(expected?.completionTokens);
      for (const key of SIMPLE_SCORES) {
        const scale = key === "lossSum" ? result.tokens : 1;
        expect(
          Math.abs((result[key] ?? NaN) - (expected?.[key] ?? NaN)) / scale,
          `${name} row ${result.id}: ${key}`,
        ).toBeLessThan(score);
      }
    });
  });
  if (oneGraph) return;
  await withGoldenStudent(engine, golden, source, { adapter: golden.adapter }, async (student) => {
    const results = await student.score(rows, ["loss"]);
    results.forEach((result, i) => {
      expect(
        Math.abs((result.loss ?? NaN) - (golden.adapterScores[i]?.loss ?? NaN)),
        `${name} with adapter, row ${result.id}`,
      ).toBeLessThan(score);
    });
  });
}

/** Greedy tokens equal the reference's as far as it decides them. */
export async function checkGreedy(engine: Engine, name: string, source?: FileSource): Promise<void> {
  const golden = loadGolden(name);
  await withGoldenStudent(engine, golden, source, {}, async (student) => {
    const generations = await student.generate(
      golden.greedy.map((item) => item.prompt),
      {
        maxNewTokens: Math.max(...golden.greedy.map((item) => item.ids.length)),
        batchSize: usesOneGraph(engine, name) ? golden.greedy.length : 3,
      },
    );
    generations.forEach((generation, i) => {
      const expected = golden.greedy[i]?.ids ?? [];
      const stops = expected.at(-1) === golden.eosTokenId;
      const own = stops ? expected.slice(0, -1) : expected;
      expect([...generation.ids].slice(0, own.length), `${name} prompt ${golden.greedy[i]?.id}`).toEqual(own);
      if (stops) expect(generation.finishReason).toBe("stop");
    });
  });
}

/** Values with each matrix as its family stores it: models of files may hold the transpose. */
async function inGoldenLayout(
  student: LanguageModel,
  values: ReadonlyMap<string, Float32Array>,
): Promise<Map<string, Float32Array>> {
  const { decoder, configText } = student.model;
  const layouts = new Map(
    parseDecoder(JSON.parse(configText)).parameters.map((spec) => [spec.name, spec.linear?.layout]),
  );
  const out = new Map(values);
  for (const { name, shape, linear } of decoder.parameters) {
    const data = values.get(name);
    if (data === undefined || linear === undefined || linear.layout === layouts.get(name)) continue;
    const [rows = 0, columns = 0] = shape;
    out.set(
      name,
      Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? NaN),
    );
  }
  return out;
}

/** Loss, gradient norm, rate and token count of every step, and the total update of the trained parameters. */
export async function checkTrajectory(
  engine: Engine,
  name: string,
  trajectory: GoldenTrajectory,
  source?: FileSource,
  tolerance = tolerancesOf(engine),
): Promise<void> {
  const golden = loadGolden(name);
  const options = {
    full: trajectory.method === "full",
    ...(trajectory.adapter === undefined ? {} : { adapter: trajectory.adapter }),
  };
  await withGoldenStudent(engine, golden, source, options, async (student) => {
    const snapshot = async (): Promise<Map<string, Float32Array>> => inGoldenLayout(student, await student.snapshot());
    const before = await snapshot();
    let at = 0;
    for await (const record of student.train(goldenRows(golden), { ...trajectory.options, shuffle: false, seed: 0 })) {
      const expected = trajectory.steps[at++];
      const label = `${name} ${trajectory.name} step ${record.step}`;
      expect(record.step).toBe(expected?.step);
      expect(record.tokens, `${label}: tokens`).toBe(expected?.tokens);
      expect(record.lr, `${label}: lr`).toBeCloseTo(expected?.lr ?? NaN, 12);
      expect(Math.abs(record.loss / (expected?.loss ?? NaN) - 1), `${label}: loss`).toBeLessThan(tolerance.loss);
      expect(Math.abs(record.gradNorm / (expected?.gradNorm ?? NaN) - 1), `${label}: gradNorm`).toBeLessThan(
        tolerance.gradNorm,
      );
    }
    expect(at).toBe(trajectory.steps.length);
    expect(updateError(trajectory.update, before, await snapshot()), `${name} ${trajectory.name}: update`).toBeLessThan(
      tolerance.update,
    );
  });
}
