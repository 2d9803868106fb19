/**
 * @file Whether a device may train in float16: loss and gradients of the first micro-batch,
 * computed there in both precisions with the student's own weights, must agree.
 */
import { invariant } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import type { RunResult, Session } from "../runtime/types.ts";
import { INITIAL_SCALE } from "./lossScale.ts";

/** Relative error of the loss, and relative L2 error of a group's gradient; a tenth of it is usual, wrong kernels and overflow are far above. */
const LOSS_TOLERANCE = 1e-2;
const GRADIENT_TOLERANCE = 5e-2;

export interface PrecisionGate {
  readonly passed: boolean;
  /** What was measured, one sentence for people. */
  readonly report: string;
}

const floats = ({ data }: Tensor): Float32Array => {
  invariant(data instanceof Float32Array, "loss and gradients are float32");
  return data;
};

function relativeL2(measured: Float32Array, reference: Float32Array, scale: number): number {
  let [difference, norm] = [0, 0];
  reference.forEach((value, i) => {
    difference += ((measured[i] ?? NaN) / scale - value) ** 2;
    norm += value ** 2;
  });
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}

/**
 * Compares a batch's loss and gradients in float16 with those in float32. The scale is lowered while gradients overflow,
 * as a training would. `run` runs a session on the batch, with the given loss scale where it has one, and reads all outputs back.
 */
export async function comparePrecisions(
  sessions: { readonly float32: Session; readonly float16: Session },
  run: (session: Session, lossScale: number) => Promise<RunResult>,
): Promise<PrecisionGate> {
  const reference = await run(sessions.float32, 1);
  for (let scale = INITIAL_SCALE; ; scale /= 2) {
    const measured = await run(sessions.float16, scale);
    const [expected] = floats(reference.host("lossSum"));
    const [got] = floats(measured.host("lossSum"));
    invariant(expected !== undefined && got !== undefined, "a loss");
    const lossError = Math.abs(got - expected) / Math.max(Math.abs(expected), Number.MIN_VALUE);
    const gradientError = Math.max(
      ...sessions.float32.outputNames
        .filter((name) => name.startsWith("grad."))
        .map((name) => relativeL2(floats(measured.host(name)), floats(reference.host(name)), scale)),
    );
    if (Number.isFinite(lossError) && !Number.isFinite(gradientError) && scale > 1) continue;
    const figures = `loss to ${lossError.toExponential(1)} and gradients to ${gradientError.toExponential(1)} relative`;
    const passed = lossError <= LOSS_TOLERANCE && gradientError <= GRADIENT_TOLERANCE;
    return {
      passed,
      report: passed
        ? `float16 agrees with float32: ${figures}`
        : `float16 differs from float32: ${figures}, allowed are ${LOSS_TOLERANCE} and ${GRADIENT_TOLERANCE}`,
    };
  }
}
