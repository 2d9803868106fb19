/**
 * @file One AdamW step over the flat groups of a student: as one graph, or on the cpu provider
 * in pieces that stay in a cache. New values go into spare buffers; whose they become is the
 * trainer's decision.
 */
import { invariant } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import { ADAM_BETA1, ADAM_BETA2, type AdamWOptions } from "../optim/adamw.ts";
import { updateScalars } from "../optim/adamwPieces.ts";
import type { DeviceTensor, ExecutionProvider } from "../runtime/types.ts";
import { PIECE_ELEMENTS, type SessionCache } from "./sessionCache.ts";

/** The tensors [size] of one group; all are borrowed. */
export interface OptimizerBuffers {
  readonly name: string;
  readonly size: number;
  /** Whether weight decay applies. */
  readonly decay: boolean;
  readonly param: DeviceTensor;
  readonly grad: DeviceTensor;
  readonly expAvg: DeviceTensor;
  readonly expAvgSq: DeviceTensor;
  readonly paramSpare: DeviceTensor;
  readonly expAvgSpare: DeviceTensor;
  readonly expAvgSqSpare: DeviceTensor;
}

interface Step {
  /** 1 is the first. */
  readonly t: number;
  readonly lr: number;
  /** Gradients are so many times those of the mean loss. */
  readonly divisor: number;
}

type Options = Pick<AdamWOptions, "weightDecay" | "maxGradNorm">;

/** A float32 [1] to feed. */
export const scalar = (value: number): Tensor => ({ type: "float32", shape: [1], data: Float32Array.of(value) });

/** The value of a tensor that holds one. */
export function only(tensor: Tensor): number {
  const value = tensor.data[0];
  invariant(typeof value === "number", "a scalar output");
  return value;
}

/** Whether the optimizer goes through groups of these sizes in pieces: on cpu, where one is more than a piece. */
export function inPieces(ep: ExecutionProvider, groups: readonly { readonly size: number }[]): boolean {
  return ep === "cpu" && groups.some(({ size }) => size > PIECE_ELEMENTS);
}

/** Writes parameters and moments after the step into the spare buffers; returns the gradient's norm. Where that is not finite, what is in the spare buffers means nothing. */
export function optimizerStep(
  ep: ExecutionProvider,
  sessions: SessionCache,
  groups: readonly OptimizerBuffers[],
  options: Options,
  step: Step,
): Promise<number> {
  return inPieces(ep, groups)
    ? stepInPieces(sessions, groups, options, step)
    : stepInOneGraph(sessions, groups, options, step);
}

async function stepInOneGraph(
  sessions: SessionCache,
  groups: readonly OptimizerBuffers[],
  options: Options,
  { t, lr, divisor }: Step,
): Promise<number> {
  const session = await sessions.adamw(options);
  const feeds: Record<string, Tensor | DeviceTensor> = {
    inverseTokens: scalar(1 / divisor),
    lr: scalar(lr),
    biasCorrection1: scalar(1 - ADAM_BETA1 ** t),
    biasCorrection2: scalar(1 - ADAM_BETA2 ** t),
  };
  const targets: Record<string, "host" | DeviceTensor> = { gradNorm: "host" };
  for (const group of groups) {
    feeds[`param.${group.name}`] = group.param;
    feeds[`grad.${group.name}`] = group.grad;
    feeds[`expAvg.${group.name}`] = group.expAvg;
    feeds[`expAvgSq.${group.name}`] = group.expAvgSq;
    targets[`param.${group.name}.out`] = group.paramSpare;
    targets[`expAvg.${group.name}.out`] = group.expAvgSpare;
    targets[`expAvgSq.${group.name}.out`] = group.expAvgSqSpare;
  }
  const result = await session.run(feeds, targets); // GPU→CPU sync: the norm
  return only(result.host("gradNorm"));
}

async function stepInPieces(
  sessions: SessionCache,
  groups: readonly OptimizerBuffers[],
  options: Options,
  { t, lr, divisor }: Step,
): Promise<number> {
  const { squareSum, update } = await sessions.adamwPieces();
  let squared = 0;
  for (const { grad } of groups) {
    const result = await squareSum.run({ grad, scale: scalar(1 / divisor) }, { sum: "host" });
    for (const sum of result.host("sum").data) squared += Number(sum);
  }
  const gradNorm = Math.sqrt(squared);
  if (!Number.isFinite(gradNorm)) return gradNorm;
  for (const { param, grad, expAvg, expAvgSq, decay, ...spare } of groups) {
    const numbers = Object.entries(updateScalars(options, { t, lr, divisor, gradNorm }, decay));
    await update.run(
      { param, grad, expAvg, expAvgSq, ...Object.fromEntries(numbers.map(([name, value]) => [name, scalar(value)])) },
      {
        "param.out": spare.paramSpare,
        "expAvg.out": spare.expAvgSpare,
        "expAvgSq.out": spare.expAvgSqSpare,
      },
    );
  }
  return gradNorm;
}
