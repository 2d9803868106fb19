/**
 * @file The step of `adamw.ts` in two small graphs over vectors of any length N, for providers
 * whose tensors can be given in pieces (`SessionOptions.pieceElements`). One graph over whole
 * groups streams millions of floats through memory once an operator; a piece stays in a core's
 * cache from the first to the last. Between the two graphs the norm is known, so what depends on
 * it is a few numbers here. Not for GPUs, where each run would be waited for.
 */
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, Value } from "../onnx/types.ts";
import { ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON, output, type AdamWOptions } from "./adamw.ts";

const SIZE = "N";

/** `sum` [1] = `Σ (grad · scale)²` of `grad` [N] and `scale` [1]: scaled first, so that a sum over many tokens cannot overflow. */
export function buildSquareSum(): Graph {
  const g = new GraphBuilder("squareSum");
  const scaled = g.mul(g.input("grad", "float32", [SIZE]), g.input("scale", "float32", [1]));
  output(g, "sum", "ReduceSumSquare", [scaled]);
  return g.build();
}

/**
 * New values of N parameters and their moments, `param.out`, `expAvg.out`, `expAvgSq.out` [N], from `param`, `grad`,
 * `expAvg`, `expAvgSq` [N] and the numbers of `updateScalars`, each [1].
 */
export function buildUpdate({
  beta1 = ADAM_BETA1,
  beta2 = ADAM_BETA2,
}: Pick<AdamWOptions, "beta1" | "beta2"> = {}): Graph {
  const g = new GraphBuilder("adamwUpdate");
  const vector = (name: string): Value => g.input(name, "float32", [SIZE]);
  const scalar = (name: keyof UpdateScalars): Value => g.input(name, "float32", [1]);
  const [param, grad, expAvg, expAvgSq] = [vector("param"), vector("grad"), vector("expAvg"), vector("expAvgSq")];
  const m = output(g, "expAvg.out", "Add", [g.mul(expAvg, g.float(beta1, [1])), g.mul(grad, scalar("firstFactor"))]);
  const root = g.mul(grad, scalar("secondFactorRoot"));
  const v = output(g, "expAvgSq.out", "Add", [g.mul(expAvgSq, g.float(beta2, [1])), g.mul(root, root)]);
  const update = g.mul(g.div(m, g.add(g.sqrt(v), scalar("epsilon"))), scalar("stepSize"));
  output(g, "param.out", "Sub", [g.mul(param, scalar("keep")), update]);
  return g.build();
}

/** The numbers of one step that `buildUpdate` takes as inputs. */
export interface UpdateScalars {
  /** `m ← β₁ m + firstFactor · grad` */
  readonly firstFactor: number;
  /** `v ← β₂ v + (secondFactorRoot · grad)²` */
  readonly secondFactorRoot: number;
  /** `p ← keep · p − stepSize · m / (√v + epsilon)` */
  readonly epsilon: number;
  readonly stepSize: number;
  readonly keep: number;
}

/**
 * Step `t` (1 is the first) with learning rate `lr`: gradients are `divisor` times those of the mean loss, whose norm over
 * all parameters is `gradNorm`. `decay` says whether the group is decayed.
 */
export function updateScalars(
  { beta1 = ADAM_BETA1, beta2 = ADAM_BETA2, epsilon = ADAM_EPSILON, weightDecay, maxGradNorm }: AdamWOptions,
  step: { readonly t: number; readonly lr: number; readonly divisor: number; readonly gradNorm: number },
  decay: boolean,
): UpdateScalars {
  const clip = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (step.gradNorm + 1e-6)) : 1;
  const factor = clip / step.divisor;
  const root = Math.sqrt(1 - beta2 ** step.t);
  return {
    firstFactor: (1 - beta1) * factor,
    secondFactorRoot: Math.sqrt(1 - beta2) * factor,
    // As in `buildAdamW`: lr/c₁ · m / (√v/r + ε) = (lr·r/c₁) · m / (√v + ε·r), r = √c₂.
    epsilon: epsilon * root,
    stepSize: (step.lr * root) / (1 - beta1 ** step.t),
    keep: decay ? 1 - step.lr * weightDecay : 1,
  };
}
