/** @file Students made of ONNX models: our own exports come back the same, trained ones are written back, wrong files are refused. */
import { mkdirSync, writeFileSync } from "node:fs";
import { unzipSync } from "fflate";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { memorySink, memorySource, type FileSource } from "../../src/formats/fileSource.ts";
import { NO_LORA } from "../../src/nn/lora.ts";
import { ModelContext } from "../../src/nn/context.ts";
import { DECOMPOSITIONS } from "../../src/nn/imported/fusedOperators.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { CONTRIB_DOMAIN, GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Attributes, Graph, Value } from "../../src/onnx/types.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { exportOnnx } from "../../src/student/exportOnnx.ts";
import { causalMask } from "../../src/student/graphs.ts";
import { packStudent } from "../../src/student/packStudent.ts";
import { saveStudent } from "../../src/student/save.ts";
import { openStudent, type LanguageModel, type OpenStudentOptions } from "../../src/student/student.ts";
import type { TrainMethod } from "../../src/student/types.ts";
import { goldenRows, studentDirectory } from "../support/goldens.ts";
import { onnxStudentSource, pytorchExport } from "../support/onnxStudents.ts";
import { runCli, Workspace } from "../support/runCli.ts";

let engine: Engine;
const workspace = new Workspace();
beforeAll(async () => {
  engine = await createEngine("cpu");
});
afterAll(async () => {
  workspace.remove();
  await engine.dispose();
});

const ROWS = goldenRows({ rows: "fixtures.jsonl" });
const TRAINING = {
  steps: 4,
  batchSize: 4,
  gradAccum: 1,
  learningRate: 1e-3,
  scheduler: "constant",
  warmupSteps: 0,
  weightDecay: 0.1,
  maxGradNorm: 1,
  shuffle: false,
  seed: 0,
} as const;

async function withStudent<T>(options: OpenStudentOptions, body: (student: LanguageModel) => Promise<T>): Promise<T> {
  const student = await openStudent(engine, options);
  try {
    return await body(student);
  } finally {
    await student.dispose();
  }
}

/** What `write` puts into a sink, as a source. */
async function written(write: (sink: ReturnType<typeof memorySink>) => Promise<unknown>): Promise<FileSource> {
  let files: ReadonlyMap<string, Uint8Array> = new Map();
  const sink = memorySink((received) => (files = received));
  await write(sink);
  await sink.commit();
  return memorySource(files);
}

const losses = async (student: LanguageModel): Promise<number[]> =>
  (await student.score(ROWS, ["loss"])).map((row) => row.loss!);

/** Loss and norm of every step. */
async function train(student: LanguageModel): Promise<number[]> {
  const steps: number[] = [];
  for await (const { loss, gradNorm } of student.train(ROWS, TRAINING)) steps.push(loss, gradNorm);
  return steps;
}

function expectClose(got: readonly number[], wanted: readonly number[], tolerance: number): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(tolerance));
}

describe.each(["llama-untied", "gpt2-hub-names"])("%s, exported and read back", (name) => {
  const own = directorySource(studentDirectory(name));
  const methods: TrainMethod[] = [
    { method: "full" },
    { method: "lora", r: 4, loraAlpha: 8, targetModules: "all-linear" },
  ];

  test("scores, trains and generates as the student it was", async () => {
    const exported = await written((sink) => withStudent({ source: own }, (student) => exportOnnx(student, sink)));
    for (const method of methods) {
      await withStudent({ source: own, method }, async (safetensors) =>
        withStudent({ source: exported, method }, async (onnx) => {
          expectClose(await losses(onnx), await losses(safetensors), 1e-6);
          expectClose(await train(onnx), await train(safetensors), 2e-5);
          expectClose(await losses(onnx), await losses(safetensors), 2e-5);
          const texts = await Promise.all(
            [onnx, safetensors].map((student) => student.generate(["Tom has", "Q: 3 + 12 = ?"], { maxNewTokens: 8 })),
          );
          expect(texts[0]).toEqual(texts[1]);
        }),
      );
    }
  });
});

describe("a trained student", () => {
  test.each(["llama-gqa-tied", "qwen2-tied-f16"])("%s is written back into its model file", async (name) => {
    const source = onnxStudentSource(name, pytorchExport(name));
    await withStudent({ source }, async (student) => {
      await train(student);
      const saved = await written((sink) => saveStudent(student, sink));
      expect(await saved.list?.()).toEqual([
        "config.json",
        "onnx/model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
      ]);
      await withStudent({ source: saved }, async (again) => {
        expect(again.parameters).toEqual(student.parameters);
        // The float16 file keeps 11 bits of each weight.
        expectClose(await losses(again), await losses(student), name === "qwen2-tied-f16" ? 2e-2 : 1e-6);
      });
    });
  });
});

describe("a student in one file", () => {
  test.each(["safetensors", "onnx"] as const)(
    "%s: the archive holds a student that scores the same",
    async (format) => {
      const own = directorySource(studentDirectory("llama-untied"));
      await withStudent({ source: own }, async (student) => {
        const files = unzipSync(await packStudent(student, format));
        await withStudent({ source: memorySource(new Map(Object.entries(files))) }, async (again) => {
          expect(again.model.onnx?.path).toBe(format === "onnx" ? "onnx/model.onnx" : undefined);
          expectClose(await losses(again), await losses(student), 1e-6);
        });
      });
    },
  );
});

describe("which file", () => {
  test("safetensors come first, --onnx names the other; an adapter merges into either", async () => {
    const directory = workspace.in("both");
    const first = await runCli(["export", "--student", studentDirectory("llama-untied"), "--out", directory]);
    expect(first.status).toBe(0);
    mkdirSync(workspace.in("both", "onnx"));
    writeFileSync(workspace.in("both", "onnx", "other.onnx"), "not a model");
    const rows = workspace.rows("rows.jsonl", [{ text: "Tom has 3" }]);
    const score = ["score", "--student", directory, "--data", rows];
    expect((await runCli(score)).status).toBe(0);
    const wrong = await runCli([...score, "--onnx", "onnx/other.onnx"]);
    expect([wrong.status, wrong.err]).toEqual([2, expect.stringMatching(/ONNX model: expected/)]);
    const missing = await runCli([...score, "--onnx", "onnx/none.onnx"]);
    expect([missing.status, missing.err]).toEqual([2, expect.stringContaining("onnx/none.onnx")]);
    const outside = await runCli([...score, "--onnx", "../model.onnx"]);
    expect([outside.status, outside.err]).toEqual([2, expect.stringMatching(/relative path inside/)]);
  });
});

/** A decoder of one linear layer over embeddings, with `middle` between them. */
function tinyModel(middle: (g: GraphBuilder, x: Value) => Value, output = "logits"): Uint8Array {
  const g = new GraphBuilder("tiny", { loose: true });
  const ids = g.input("input_ids", "int64", ["batch", "tokens"]);
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i));
  const table = g.initializer({ type: "float32", shape: [85, 8], data: numbers(680) }, "embed.weight");
  const head = g.initializer({ type: "float32", shape: [8, 85], data: numbers(680) }, "head.weight");
  g.output(g.matmul(middle(g, g.gather(table, ids)), head), output);
  return encodeModel(g.build());
}

describe("what cannot be", () => {
  const open = (model: Uint8Array): Promise<LanguageModel> =>
    openStudent(engine, { source: onnxStudentSource("llama-gqa-tied", model) });
  const one = (g: GraphBuilder, opType: string, x: Value, domain = ""): Value =>
    g.node(opType, [x], { domain, name: `/middle/${opType}`, attributes: {} })[0]!;

  test("training names every operator without a gradient rule; scoring needs none", async () => {
    const student = await open(tinyModel((g, x) => one(g, "Selu", one(g, "HardSwish", one(g, "Softsign", x)))));
    expect((await losses(student)).every(Number.isFinite)).toBe(true);
    await expect(train(student)).rejects.toThrow(
      /3 operators have no gradient rule: ai.onnx:Softsign \('\/middle\/Softsign.*ai.onnx:HardSwish \(.*ai.onnx:Selu \(/,
    );
    await student.dispose();
  });

  test("reading names every operator of unknown type", async () => {
    const bytes = tinyModel((g, x) => g.tanh(g.sigmoid(x)));
    // NodeProto's field 4 is the operator.
    const text = Buffer.from(bytes).toString("latin1").replace("\x22\x07Sigmoid", "\x22\x07Strange");
    const renamed = new Uint8Array(Buffer.from(text.replace("\x22\x04Tanh", "\x22\x04Oddx"), "latin1"));
    await expect(open(renamed)).rejects.toThrow(/no shape inference for 2 operators: ai.onnx:Strange .*ai.onnx:Oddx/);
  });

  test.each([
    ["a file that breaks off", () => pytorchExport("llama-gqa-tied").subarray(0, 90_000), /ONNX model: expected/],
    ["no logits", () => tinyModel((_, x) => x, "hidden"), /expected an output logits, got hidden/],
    [
      "an input of another kind of model",
      () => tinyModel((g, x) => g.add(x, g.input("pixels", "float32", [1, 1, 8]))),
      /expected inputs of a decoder .* got pixels/,
    ],
  ])("%s", async (_, model, message) => {
    await expect(open(model())).rejects.toThrow(message);
  });
});

describe("GroupQueryAttention written out", () => {
  const [batch, length, heads, kvHeads, headDim] = [2, 7, 4, 2, 16];
  const rotary = { do_rotary: attr.int(1) };
  const tables = ["cos", "sin"] as const;

  /** The operator itself, or its writing-out, over inputs q, k, v (or one packed). */
  function graphOf(packed: boolean, attributes: Attributes, fused: boolean): Graph {
    const g = new GraphBuilder("attention");
    const widths = packed ? [(heads + 2 * kvHeads) * headDim] : [heads, kvHeads, kvHeads].map((n) => n * headDim);
    const inputs = widths.map((width, i) => g.input(`x${i}`, "float32", [batch, length, width]));
    const operands: (Value | undefined)[] = [
      ...inputs,
      ...(packed ? [undefined, undefined] : []),
      undefined,
      undefined,
    ];
    operands.push(g.int32(new Int32Array(batch).fill(length - 1), [batch]), g.int32([length], []));
    for (const table of tables) {
      const angle = (i: number): number => Math.floor(i / 8) * 10 ** -(i % 8);
      const data = Float32Array.from({ length: length * 8 }, (_, i) => Math[table](angle(i)));
      operands.push(g.constant("float32", [length, 8], data, table));
    }
    const all = { num_heads: attr.int(heads), kv_num_heads: attr.int(kvHeads), ...attributes };
    const node = {
      name: "gqa",
      opType: "GroupQueryAttention",
      domain: CONTRIB_DOMAIN,
      inputs: [],
      outputs: [],
      attributes: all,
    };
    const positions = g.constant(
      "int64",
      [batch, length],
      BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(i % length)),
    );
    const context = new ModelContext({
      builder: g,
      decoder: { parameters: [] } as never,
      parameter: () => positions,
      lora: NO_LORA.modules,
    });
    const sequence = {
      batch,
      length,
      positionLimit: length,
      positions: () => positions,
      attend: (_: number, k: Value, v: Value, window: number | undefined) => [
        { k, v, mask: causalMask(g, length, window) },
      ],
    };
    const out = fused
      ? g.node("GroupQueryAttention", operands, { domain: CONTRIB_DOMAIN, attributes: all, outputCount: 3 })
      : DECOMPOSITIONS.get("com.microsoft:GroupQueryAttention")!({
          context,
          sequence,
          node,
          input: (i) => operands[i],
          layer: 0,
        });
    g.output(out[0]!, "y");
    return g.build();
  }

  async function run(graph: Graph): Promise<Float32Array> {
    const session = await InferenceSession.create(encodeModel(graph), { logSeverityLevel: 3 });
    const feeds = graph.inputs.map(({ name, shape }, n) => {
      const size = shape.reduce<number>((product, dim) => product * Number(dim), 1);
      return [
        name,
        new OrtTensor(
          "float32",
          Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + n)),
          shape as number[],
        ),
      ] as const;
    });
    const { y } = await session.run(Object.fromEntries(feeds));
    await session.release();
    return y!.data as Float32Array;
  }

  test.each([
    ["as it is", false, {}],
    ["rotating", false, rotary],
    ["rotating neighbours", false, { ...rotary, rotary_interleaved: attr.int(1) }],
    ["packed", true, rotary],
    ["scaled and capped", false, { scale: attr.float(0.3), softcap: attr.float(2) }],
    ["within a window", false, { local_window_size: attr.int(3) }],
  ])("%s: what the fused kernel computes", async (_, packed, attributes) => {
    const [got, wanted] = [await run(graphOf(packed, attributes, false)), await run(graphOf(packed, attributes, true))];
    expectClose([...got], [...wanted], 1e-5);
  });
});
