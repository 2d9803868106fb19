/**
 * @file Compares two engines on given graphs: the start-up test that a WebGPU device must
 * pass before its numbers are believed (wrong ones have shipped: onnxruntime #24070, #25029).
 * Generic: the graphs, a tiny train step for one, come from the caller.
 */
import { TutelageError, invariant } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import type { Engine } from "./types.ts";

/** One graph to run on both engines. */
export interface SelfTestCase {
  readonly name: string;
  /** ModelProto bytes. */
  readonly model: Uint8Array;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Outputs to compare. */
  readonly outputs: readonly string[];
  /** Largest allowed ‖candidate − reference‖₂ / ‖reference‖₂ of an output (default 1e-3). */
  readonly tolerance?: number;
}

/** How far apart one output was. */
export interface OutputDifference {
  readonly graph: string;
  readonly output: string;
  /** ‖candidate − reference‖₂ / ‖reference‖₂; `Infinity` where a value is not finite or shapes differ. */
  readonly relativeError: number;
  readonly tolerance: number;
}

export interface SelfTestReport {
  readonly differences: readonly OutputDifference[];
  /** The output nearest to, or furthest over, its tolerance. */
  readonly worst: OutputDifference;
  readonly durationMs: number;
}

const DEFAULT_TOLERANCE = 1e-3;

/**
 * Runs every case on both engines and compares. Borrows the engines; leaves nothing in them.
 * @throws TutelageError device-refused, with the figures in `details`, when an output differs
 * by more than its tolerance or the candidate fails to run.
 */
export async function selfTest(
  candidate: Engine,
  reference: Engine,
  cases: readonly SelfTestCase[],
): Promise<SelfTestReport> {
  const start = performance.now();
  const differences: OutputDifference[] = [];
  for (const test of cases) {
    const expected = await runCase(reference, test);
    let got: ReadonlyMap<string, Tensor>;
    try {
      got = await runCase(candidate, test);
    } catch (error) {
      throw refused(
        candidate,
        `graph '${test.name}' fails: ${error instanceof Error ? error.message : String(error)}`,
        {},
        error,
      );
    }
    const tolerance = test.tolerance ?? DEFAULT_TOLERANCE;
    for (const output of test.outputs) {
      differences.push({
        graph: test.name,
        output,
        relativeError: relativeError(got.get(output), expected.get(output)),
        tolerance,
      });
    }
  }
  const worst = differences.reduce<OutputDifference | undefined>(
    (a, b) => (a === undefined || b.relativeError / b.tolerance > a.relativeError / a.tolerance ? b : a),
    undefined,
  );
  invariant(worst !== undefined, "a self-test compares at least one output");
  const report: SelfTestReport = { differences, worst, durationMs: performance.now() - start };
  if (differences.some(({ relativeError, tolerance }) => !(relativeError <= tolerance))) {
    const { graph, output } = worst;
    const figures = `output '${output}' of graph '${graph}' differs from ${reference.ep} by ${worst.relativeError.toExponential(1)} (allowed ${worst.tolerance.toExponential(1)})`;
    throw refused(candidate, figures, { differences });
  }
  return report;
}

function refused(
  candidate: Engine,
  why: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): TutelageError {
  const { ep, adapter } = candidate.info;
  return new TutelageError(
    "device-refused",
    `self-test of ${ep}${adapter === undefined ? "" : ` (${adapter})`}: ${why}`,
    {
      details: { ep, ...(adapter === undefined ? {} : { adapter }), ...details },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

async function runCase(
  engine: Engine,
  { name, model, feeds, outputs }: SelfTestCase,
): Promise<ReadonlyMap<string, Tensor>> {
  const session = await engine.createSession(model, { name });
  try {
    const result = await session.run(feeds, Object.fromEntries(outputs.map((output) => [output, "host" as const])));
    return new Map(outputs.map((output) => [output, result.host(output)]));
  } finally {
    await session.dispose();
  }
}

/** ‖a − b‖₂ / ‖b‖₂, in float64; ‖a − b‖₂ where b is zero. */
function relativeError(a: Tensor | undefined, b: Tensor | undefined): number {
  if (a === undefined || b === undefined || a.type !== b.type || a.data.length !== b.data.length) return Infinity;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    if (!Number.isFinite(x) || !Number.isFinite(y)) return Infinity;
    difference += (x - y) ** 2;
    norm += y ** 2;
  }
  return Math.sqrt(norm === 0 ? difference : difference / norm);
}
