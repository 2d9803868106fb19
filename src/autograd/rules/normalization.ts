/**
 * @file Gradient rules of layer and RMS normalisation. Statistics are recomputed
 * from the input (ONNX Runtime 1.30 returns a wrong second output of
 * SimplifiedLayerNormalization on WebGPU).
 *
 * With `x̂ = (x − m)·r`, `r = 1/√(mean((x − m)²) + ε)`, `y = x̂·w + b` and `h = g·w`:
 * `dx = r·(h − mean(h) − x̂·mean(h·x̂))`; RMS normalisation has m = 0 and no `mean(h)`.
 */
import { normalizeAxis } from "../../onnx/shapes.ts";
import type { Value } from "../../onnx/types.ts";
import type { GradientRule, RuleContext } from "../rule.ts";
import { nth } from "../rule.ts";

interface Normalization {
  readonly x: Value;
  readonly weight: Value;
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly centre: boolean;
}

/** `x̂` and the divisor `1/r`. */
function standardized(op: RuleContext, norm: Normalization): { readonly hat: Value; readonly deviation: Value } {
  const { math } = op;
  const { x, axes, epsilon, centre } = norm;
  const centred = centre ? math.sub(x, math.reduce("ReduceMean", x, axes)) : x;
  const count = math.count(
    axes.map((axis) => nth(x.shape, axis)),
    op.where,
  );
  const variance = math.scale(math.reduce("ReduceSumSquare", centred, axes), 1 / count);
  const deviation = math.unary("Sqrt", math.shift(variance, epsilon));
  return { hat: math.div(centred, deviation), deviation };
}

/** Gradient of x from that of y; `weightWanted`: `g·x̂` is needed for the weight anyway. */
function inputGradient(op: RuleContext, norm: Normalization, weightWanted: boolean): Value {
  const { math } = op;
  const gradient = op.fullGradient();
  const { hat, deviation } = standardized(op, norm);
  const weighted = math.mul(gradient, norm.weight);
  const product = weightWanted ? math.mul(math.mul(gradient, hat), norm.weight) : math.mul(weighted, hat);
  const along = math.mul(hat, math.reduce("ReduceMean", product, norm.axes));
  const across = norm.centre ? math.sub(weighted, math.reduce("ReduceMean", weighted, norm.axes)) : weighted;
  return math.div(math.sub(across, along), deviation);
}

function describe(op: RuleContext, centre: boolean, fallbackEpsilon: number): Normalization {
  const x = op.input(0);
  const first = normalizeAxis(op.int("axis", -1), x.shape.length, op.where);
  const axes = Array.from({ length: x.shape.length - first }, (_, i) => first + i);
  return { x, weight: op.input(1), axes, epsilon: op.float("epsilon", fallbackEpsilon), centre };
}

/** Refuses a loss that depends on the statistics. */
function firstOutputOnly(op: RuleContext, statistics: readonly number[]): void {
  for (const i of statistics) {
    if (op.optionalGradient(i) !== undefined)
      op.unsupported(
        `the loss depends on output #${i} (statistics)`,
        "Compute the statistics with ReduceMean and Sqrt instead",
      );
  }
}

/** LayerNormalization (centred), SimplifiedLayerNormalization and RMSNormalization (not). */
const normalization =
  (centre: boolean): GradientRule =>
  (op) => {
    const { math } = op;
    firstOutputOnly(op, centre ? [1, 2] : [1]);
    const norm = describe(op, centre, 1e-5);
    return [
      () => inputGradient(op, norm, op.isWanted(1)),
      () => op.reduce(1, math.mul(op.fullGradient(), standardized(op, norm).hat)),
      () => op.reduce(2, op.gradient()),
    ];
  };

export const layerNormalization = normalization(true);
export const rmsNormalization = normalization(false);

/**
 * ONNX Runtime's normalisation of `input + skip (+ bias)`: inputs input, skip, weight,
 * (beta when centred), bias; the sum is output #3.
 */
const skipNormalization =
  (centre: boolean): GradientRule =>
  (op) => {
    const { math } = op;
    firstOutputOnly(op, [1, 2]);
    const [betaAt, biasAt] = centre ? [3, 4] : [-1, 3];
    const x = (): Value => {
      const given = op.optionalOutput(3);
      if (given !== undefined) return given;
      const sum = math.add(op.input(0), op.input(1));
      const bias = op.optionalInput(biasAt);
      return bias === undefined ? sum : math.add(sum, bias);
    };
    const norm = (): Normalization => ({
      x: x(),
      weight: op.input(2),
      axes: [op.input(0).shape.length - 1],
      epsilon: op.float("epsilon", 1e-12),
      centre,
    });
    const total = (): Value => {
      const direct = op.optionalGradient(3);
      if (op.optionalGradient(0) === undefined) return direct ?? op.unsupported("no output that the loss depends on");
      const through = inputGradient(op, norm(), op.isWanted(2));
      return direct === undefined ? through : math.add(through, direct);
    };
    const beta = (): Value => op.reduce(betaAt, op.gradient());
    const zero = (): Value => math.scalar(0, op.input(2).type);
    const reached = op.optionalGradient(0) !== undefined;
    return [
      () => op.reduce(0, total()),
      () => op.reduce(1, total()),
      () => (reached ? op.reduce(2, math.mul(op.fullGradient(), standardized(op, norm()).hat)) : zero()),
      centre ? () => (reached ? beta() : zero()) : () => op.reduce(biasAt, total()),
      centre ? () => op.reduce(biasAt, total()) : undefined,
    ];
  };

export const skipLayerNormalization = skipNormalization(true);
export const skipSimplifiedLayerNormalization = skipNormalization(false);
