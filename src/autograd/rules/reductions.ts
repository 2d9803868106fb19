/** @file Gradient rules of reductions, of softmax and of running sums. */
import { normalizeAxes } from "../../onnx/shapes.ts";
import type { Shape, Value } from "../../onnx/types.ts";
import type { GradientRule, RuleContext } from "../rule.ts";
import { nth } from "../rule.ts";

/** Axes that a reduction folds: attribute or input; none means all, or nothing with `noop_with_empty_axes`. */
function reducedAxes(op: RuleContext): number[] {
  const rank = op.input().shape.length;
  const given = op.axes(1, rank);
  if (given !== undefined && given.length > 0) return given;
  return op.int("noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** An output-shaped value (maybe narrow) with the folded axes back as 1s, so that it broadcasts to the input. */
function kept(op: RuleContext, value: Value, axes: readonly number[]): Value {
  if (op.int("keepdims", 1) === 1 || axes.length === 0) return value;
  const scalar = op.math.asScalar(value);
  if (scalar !== undefined) return scalar;
  const rank = op.input().shape.length;
  const narrow = op.output().shape.length - value.shape.length;
  let next = 0;
  const shape: Shape = Array.from({ length: rank }, (_, axis) => {
    if (axes.includes(axis)) return 1;
    const dim = next < narrow ? 1 : nth(value.shape, next - narrow);
    next++;
    return dim;
  });
  return op.math.reshape(value, shape);
}

/** Number of elements folded into one. */
function foldedCount(op: RuleContext, axes: readonly number[]): number {
  return op.math.count(
    axes.map((axis) => nth(op.input().shape, axis)),
    op.where,
  );
}

/** A rule from the input's folded axes, the gradient and the output, both broadcastable to the input. */
const reduction =
  (rule: (op: RuleContext, axes: readonly number[], gradient: Value, y: () => Value) => Value): GradientRule =>
  (op) => [
    () => {
      const axes = reducedAxes(op);
      return rule(op, axes, kept(op, op.gradient(), axes), () => kept(op, op.output(), axes));
    },
  ];

export const reduceSum = reduction((_op, _axes, gradient) => gradient);
export const reduceMean = reduction((op, axes, gradient) => op.math.scale(gradient, 1 / foldedCount(op, axes)));
/** `Σ x²`: `2 g x`. */
export const reduceSumSquare = reduction((op, _axes, gradient) => op.math.mul(op.math.scale(gradient, 2), op.input()));
/** `ln Σ eˣ`: `g e^(x − y)`. */
export const reduceLogSumExp = reduction((op, _axes, gradient, y) =>
  op.math.mul(gradient, op.math.unary("Exp", op.math.sub(op.input(), y()))),
);
/** `ln Σ x`: `g / Σ x`, with `Σ x = e^y`. */
export const reduceLogSum = reduction((op, _axes, gradient, y) =>
  op.math.mul(gradient, op.math.unary("Exp", op.math.neg(y()))),
);
/** `√Σ x²`: `g x / y`, 0 where y is 0. */
export const reduceL2 = reduction((op, _axes, gradient, y) => {
  const { math } = op;
  const norm = y();
  const isZero = math.compare("Equal", norm, math.scalar(0, norm.type));
  return math.mul(op.input(), math.div(gradient, math.where(isZero, math.scalar(1, norm.type), norm)));
});
/** `Σ |x|`: `g sign(x)`. */
export const reduceL1 = reduction((op, _axes, gradient) => {
  const { math } = op;
  const x = op.input();
  const zero = math.scalar(0, x.type);
  return math.where(
    math.compare("Greater", x, zero),
    gradient,
    math.where(math.compare("Less", x, zero), math.neg(gradient), zero),
  );
});

/** Largest or smallest: the gradient goes to the winners, in equal parts where several tie. */
export const reduceExtremum = reduction((op, axes, gradient, y) => {
  const { math } = op;
  const wins = math.cast(math.compare("Equal", op.input(), y()), op.input().type);
  return math.mul(wins, math.div(gradient, math.sum(wins, axes)));
});

/** Axes that softmax normalises over: one; all from `axis` on before operator set 13. */
function softmaxAxes(op: RuleContext): number[] {
  const rank = op.input().shape.length;
  if (op.opset >= 13) return normalizeAxes([op.int("axis", -1)], rank, op.where);
  const first = nth(normalizeAxes([op.int("axis", 1)], rank, op.where), 0);
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

/** `y (g − Σ g y)`. */
export const softmax: GradientRule = (op) => [
  () => {
    const { math } = op;
    const y = op.output();
    const total = math.sum(math.mul(op.gradient(), y), softmaxAxes(op));
    return math.mul(y, math.sub(op.gradient(), total));
  },
];

/** `g − eʸ Σ g`. */
export const logSoftmax: GradientRule = (op) => [
  () => {
    const { math } = op;
    const g = op.fullGradient();
    return math.sub(g, math.mul(math.unary("Exp", op.output()), math.sum(g, softmaxAxes(op))));
  },
];
