/**
 * @file AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with clipping by global
 * norm as one ONNX graph over flat parameter groups: a handful of nodes whatever
 * the number of parameters. Semantics of torch.optim.AdamW and
 * torch.nn.utils.clip_grad_norm_. Numbers that change every step are inputs.
 */
import { invariant } from "../core/errors.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, Value } from "../onnx/types.ts";

/** One flat buffer of parameters; weight decay applies to all of it or to none. */
export interface ParameterGroup {
  readonly name: string;
  readonly size: number;
  readonly decay: boolean;
}

export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Decoupled decay factor λ: `p ← p − lr λ p`. */
  readonly weightDecay: number;
  /** Clip to this global norm; 0 turns clipping off. */
  readonly maxGradNorm: number;
}

export const ADAM_BETA1 = 0.9;
export const ADAM_BETA2 = 0.999;
export const ADAM_EPSILON = 1e-8;

/**
 * Graph of one step. Inputs per group g: `param.g`, `grad.g` (sum over tokens),
 * `expAvg.g`, `expAvgSq.g`, each [size]; and scalars [1]: `inverseTokens` (the
 * gradient is `grad · inverseTokens`), `lr`, `biasCorrection1` = 1 − β₁ᵗ,
 * `biasCorrection2` = 1 − β₂ᵗ. Outputs per group `param.g.out`, `expAvg.g.out`,
 * `expAvgSq.g.out`, and `gradNorm` [1], the global norm before clipping.
 */
export function buildAdamW(groups: readonly ParameterGroup[], options: AdamWOptions): Graph {
  const { beta1 = ADAM_BETA1, beta2 = ADAM_BETA2, epsilon = ADAM_EPSILON, weightDecay, maxGradNorm } = options;
  const g = new GraphBuilder("adamw");
  const inverseTokens = g.input("inverseTokens", "float32", [1]);
  const lr = g.input("lr", "float32", [1]);
  const biasCorrection1 = g.input("biasCorrection1", "float32", [1]);
  const biasCorrection2 = g.input("biasCorrection2", "float32", [1]);
  const vectors = groups.map((group) => ({
    group,
    param: g.input(`param.${group.name}`, "float32", [group.size]),
    grad: g.input(`grad.${group.name}`, "float32", [group.size]),
    expAvg: g.input(`expAvg.${group.name}`, "float32", [group.size]),
    expAvgSq: g.input(`expAvgSq.${group.name}`, "float32", [group.size]),
  }));
  // Scaled before squaring, so that a sum over many tokens cannot overflow the norm.
  const scaled = vectors.map(({ grad }) => g.mul(grad, inverseTokens));
  const squares = scaled.map((grad) => g.mul(grad, grad));
  const norm = output(g, "gradNorm", "Sqrt", [squares.map((square) => sumOf(g, square)).reduce((a, b) => g.add(a, b))]);
  // torch: min(1, max / (norm + 1e-6)); a NaN norm stays NaN and shows in gradNorm.
  const clip = maxGradNorm > 0 ? clipCoefficient(g, norm, maxGradNorm) : undefined;
  const clipSquared = clip ? g.mul(clip, clip) : undefined;
  const firstFactor = clip ? g.mul(clip, g.float(1 - beta1, [1])) : g.float(1 - beta1, [1]);
  const secondFactor = clipSquared ? g.mul(clipSquared, g.float(1 - beta2, [1])) : g.float(1 - beta2, [1]);
  const root = g.sqrt(biasCorrection2);
  // lr/c₁ · m / (sqrt(v)/r + ε) = (lr·r/c₁) · m / (sqrt(v) + ε·r), r = sqrt(c₂): one pass fewer.
  const stepSize = g.div(g.mul(lr, root), biasCorrection1);
  const epsilonScaled = g.mul(g.float(epsilon, [1]), root);
  const keep = g.sub(g.float(1, [1]), g.mul(lr, g.float(weightDecay, [1])));
  vectors.forEach(({ group, param, expAvg, expAvgSq }, i) => {
    const grad = scaled[i];
    const square = squares[i];
    invariant(grad !== undefined && square !== undefined, "one gradient per group");
    const m = output(g, `expAvg.${group.name}.out`, "Add", [
      g.mul(expAvg, g.float(beta1, [1])),
      g.mul(grad, firstFactor),
    ]);
    const v = output(g, `expAvgSq.${group.name}.out`, "Add", [
      g.mul(expAvgSq, g.float(beta2, [1])),
      g.mul(square, secondFactor),
    ]);
    const update = g.mul(g.div(m, g.add(g.sqrt(v), epsilonScaled)), stepSize);
    const decayed = group.decay && weightDecay !== 0 ? g.mul(param, keep) : param;
    output(g, `param.${group.name}.out`, "Sub", [decayed, update]);
  });
  return g.build();
}

/** An output of the graph that is computed under its own name: an Identity that names it would copy it. */
export function output(g: GraphBuilder, name: string, opType: string, inputs: readonly Value[]): Value {
  const [value] = g.node(opType, inputs, { outputs: [name] });
  invariant(value !== undefined, `${opType} has an output`);
  return g.output(value);
}

/**
 * Sum [1] of a vector in two stages, each about √size long. ONNX Runtime adds floats
 * one after the other: in one stage, 3 million squares lost 1 % of their sum on WASM.
 */
function sumOf(g: GraphBuilder, vector: Value): Value {
  const size = vector.shape[0];
  invariant(typeof size === "number", "parameter groups have a static size");
  let columns = Math.floor(Math.sqrt(size));
  while (size % columns !== 0) columns--;
  return g.reduceSum(g.reduceSum(g.reshape(vector, [columns, size / columns]), [1], false), [0]);
}

function clipCoefficient(g: GraphBuilder, norm: Value, maxGradNorm: number): Value {
  const ratio = g.div(g.float(maxGradNorm, [1]), g.add(norm, g.float(1e-6, [1])));
  return g.where(g.less(ratio, g.float(1, [1])), ratio, g.float(1, [1]));
}
