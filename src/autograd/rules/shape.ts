/** @file Gradient rules of operators that rearrange, repeat, join and cut tensors. */
import { intsAttribute, stringAttribute } from "../../onnx/attributes.ts";
import { normalizeAxis } from "../../onnx/shapes.ts";
import type { Value } from "../../onnx/types.ts";
import { numbersOf } from "../nodeEmitter.ts";
import type { GradientRule, RuleContext } from "../rule.ts";
import { nth } from "../rule.ts";
import { gatherGradient } from "./indexing.ts";

/** Reshape, Flatten, Squeeze, Unsqueeze: the gradient in the input's shape. */
export const reshape: GradientRule = (op) => [
  () => op.math.asScalar(op.gradient()) ?? op.math.reshape(op.fullGradient(), op.input().shape),
];

/** Transpose by the inverse permutation. */
export const transpose: GradientRule = (op) => {
  const rank = op.input().shape.length;
  const perm = intsAttribute(op.node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = perm.map((_, i) => perm.indexOf(i));
  return [() => op.math.asScalar(op.gradient()) ?? op.math.transpose(op.math.withRank(op.gradient(), rank), inverse)];
};

/** Expand is a broadcast. */
export const expand: GradientRule = (op) => [() => op.reduce(0, op.gradient())];

/** Tile: the sum over the copies, as an axis of its own in front of each repeated axis. */
export const tile: GradientRule = (op) => [
  () => {
    const [from, to] = [op.staticShapeOf(op.input()), op.staticShapeOf(op.output())];
    const blocks: number[] = [];
    const copies: number[] = [];
    from.forEach((dim, axis) => {
      const repeats = dim === 0 ? 1 : nth(to, axis) / dim;
      if (repeats !== 1) copies.push(blocks.push(repeats) - 1);
      blocks.push(dim);
    });
    if (copies.length === 0) return op.gradient();
    return op.math.sum(op.math.reshape(op.fullGradient(), blocks), copies, false);
  },
];

/** Concat: each input gets its part of the gradient; one Split serves them all. */
export const concat: GradientRule = (op) => {
  const axis = normalizeAxis(op.int("axis"), op.output().shape.length, op.where);
  const sizes = Array.from({ length: op.inputCount }, (_, i) => nth(op.staticShapeOf(op.input(i)), axis));
  return sizes.map(
    (_, i) => () => op.math.asScalar(op.gradient()) ?? nth(op.math.split(op.fullGradient(), sizes, axis), i),
  );
};

/** Split: the gradients of the parts, joined; zeros for parts that the loss does not depend on. */
export const split: GradientRule = (op) => [
  () => {
    const axis = normalizeAxis(op.int("axis", 0), op.input().shape.length, op.where);
    const parts = Array.from({ length: op.outputCount }, (_, i) => {
      const part = op.output(i);
      return op.optionalGradient(i) === undefined
        ? op.math.zeros(part.type, op.staticShapeOf(part))
        : op.fullGradient(i);
    });
    return op.math.concat(parts, axis);
  },
];

/** Where a slice along one axis starts, and how it goes on: input position of output position p is start + p·step. */
interface AxisSlice {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
}

function slicesOf(op: RuleContext, shape: readonly number[]): AxisSlice[] {
  const starts = intsAttribute(op.node, "starts") ?? numbersOf(op.constant(1, "starts"));
  const axes = intsAttribute(op.node, "axes") ?? op.constantInts(3, "axes") ?? starts.map((_, i) => i);
  const steps = op.constantInts(4, "steps") ?? starts.map(() => 1);
  return starts.map((given, i) => {
    const axis = normalizeAxis(nth(axes, i), shape.length, op.where);
    const [size, step] = [nth(shape, axis), nth(steps, i)];
    const fromFront = given < 0 ? given + size : given;
    return { axis, start: Math.min(Math.max(fromFront, 0), step > 0 ? size : size - 1), step };
  });
}

/**
 * Slice: zeros around the gradient. A strided or reversed axis gets one zero row
 * appended, from which a Gather with constant indices picks for positions left out.
 */
export const slice: GradientRule = (op) => [
  () => {
    const { math } = op;
    const [from, to] = [op.staticShapeOf(op.input()), op.staticShapeOf(op.output())];
    const slices = slicesOf(op, from);
    const pads = new Array<number>(2 * from.length).fill(0);
    for (const { axis, start, step } of slices) {
      if (step === 1) pads[axis] = start;
      pads[from.length + axis] = step === 1 ? nth(from, axis) - start - nth(to, axis) : 1;
    }
    let gradient = math.pad(op.fullGradient(), pads);
    for (const { axis, start, step } of slices) {
      if (step === 1) continue;
      const count = nth(to, axis);
      const source = Array.from({ length: nth(from, axis) }, (_, position) => {
        const p = (position - start) / step;
        return Number.isInteger(p) && p >= 0 && p < count ? p : count;
      });
      gradient = math.gather(gradient, math.indices(source, [source.length]), axis);
    }
    return gradient;
  },
];

/** Padding per axis, before and after. */
function padsOf(op: RuleContext, rank: number): { readonly before: number[]; readonly after: number[] } {
  const pads = intsAttribute(op.node, "pads") ?? numbersOf(op.constant(1, "pads"));
  const axes =
    op.constantInts(3, "axes")?.map((axis) => normalizeAxis(axis, rank, op.where)) ??
    Array.from({ length: rank }, (_, i) => i);
  const [before, after] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  axes.forEach((axis, i) => {
    before[axis] = nth(pads, i);
    after[axis] = nth(pads, i + axes.length);
  });
  return { before, after };
}

/** Input position that padded position `p` shows, in the modes that repeat the input. */
function paddedSource(mode: string, p: number, size: number): number {
  if (mode === "edge") return Math.min(Math.max(p, 0), size - 1);
  if (mode === "wrap") return ((p % size) + size) % size;
  const period = Math.max(2 * (size - 1), 1);
  const within = ((p % period) + period) % period;
  return Math.min(within, period - within);
}

/** Pad: the gradient without the margin (constant mode), or with the margin added to where it was copied from. */
export const pad: GradientRule = (op) => {
  const { math } = op;
  const from = op.staticShapeOf(op.input());
  const { before, after } = padsOf(op, from.length);
  const mode = stringAttribute(op.node, "mode", "constant");
  const inner = (): Value => cropped(op, before, after);
  if (mode === "constant") {
    const axes = from.map((_, i) => i);
    const crops = [...before, ...after].some((p) => p < 0);
    return [
      () => (crops ? undefined : math.asScalar(op.gradient())) ?? inner(),
      undefined,
      () =>
        math.reshape(
          math.sub(math.sum(op.fullGradient(), axes, false), math.sum(inner(), axes, false)),
          op.input(2).shape,
        ),
    ];
  }
  if (mode !== "edge" && mode !== "reflect" && mode !== "wrap") op.unsupported(`mode "${mode}"`);
  return [
    () => {
      let gradient = op.fullGradient();
      from.forEach((size, axis) => {
        const [first, last] = [nth(before, axis), nth(after, axis)];
        if (first === 0 && last === 0) return;
        const source = Array.from({ length: size + first + last }, (_, p) => paddedSource(mode, p - first, size));
        const shape = op.staticShapeOf(gradient).map((dim, i) => (i === axis ? size : dim));
        gradient = gatherGradient(op, shape, math.indices(source, [source.length]), gradient, axis);
      });
      return gradient;
    },
  ];
};

/** The gradient of a constant Pad with the margins cut off; cropped margins (negative pads) come back as zeros. */
function cropped(op: RuleContext, before: readonly number[], after: readonly number[]): Value {
  const { math } = op;
  const to = op.staticShapeOf(op.output());
  const axes = to.flatMap((_, i) => (nth(before, i) > 0 || nth(after, i) > 0 ? [i] : []));
  const starts = axes.map((axis) => Math.max(nth(before, axis), 0));
  const ends = axes.map((axis) => nth(to, axis) - Math.max(nth(after, axis), 0));
  const full = op.fullGradient();
  const sliced = axes.length === 0 ? full : math.slice(full, axes, starts, ends);
  return math.pad(
    sliced,
    [...before, ...after].map((p) => Math.max(-p, 0)),
  );
}
