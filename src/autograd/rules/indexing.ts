/**
 * @file Gradient rules of gathers and scatters. Sums over repeated indices go
 * through ScatterElements with `add`, never ScatterND (see `GradientMath.scatterSum`).
 * With int32 indices everything stays on WebGPU; int64 indices stay int64.
 */
import { stringAttribute } from "../../onnx/attributes.ts";
import { productOfDims } from "../../onnx/dims.ts";
import { elementCount, normalizeAxis, staticShape, stridesOf } from "../../onnx/shapes.ts";
import type { Value } from "../../onnx/types.ts";
import { numbersOf } from "../nodeEmitter.ts";
import type { GradientRule, RuleContext } from "../rule.ts";
import { nth } from "../rule.ts";

/** Sums the slices of `gradient` that were gathered from each slice of a tensor of `shape` along `axis`. */
export function gatherGradient(
  op: RuleContext,
  shape: readonly number[],
  indices: Value,
  gradient: Value,
  axis: number,
): Value {
  const { math } = op;
  if (op.gatherGradient === "onehot") {
    const count = elementCount(op.staticShapeOf(indices));
    const [outer, inner] = [shape.slice(0, axis), shape.slice(axis + 1)];
    // [V, n] matrix of zeros and ones times the gathered slices: a fixed summation order.
    const size = nth(shape, axis);
    const row = math.reshape(math.wrapIndices(indices, size), [1, count]);
    const oneHot = math.cast(math.compare("Equal", math.range(size, 0, 2, indices.type), row), gradient.type);
    const [before, after] = [elementCount(outer), elementCount(inner)];
    const summed =
      before === 1
        ? math.gemm(oneHot, math.reshape(gradient, [count, after]), false, false)
        : math.matmul(oneHot, math.reshape(gradient, [before, count, after]));
    return math.reshape(summed, shape);
  }
  return scatterSlices(op, math.zeros(gradient.type, shape), indices, gradient, axis);
}

/** `zeros` with the slices of `gradient` added where `indices` took them from along `axis`. */
function scatterSlices(op: RuleContext, zeros: Value, indices: Value, gradient: Value, axis: number): Value {
  const { math } = op;
  const count = productOfDims(indices.shape) ?? elementCount(op.staticShapeOf(indices));
  const flat = zeros.shape.map((dim, i) => (i === axis ? count : dim));
  const column = math.reshape(
    indices,
    flat.map((_, i) => (i === axis ? count : 1)),
  );
  return math.scatterInto(zeros, math.full(column, flat), math.reshape(gradient, flat), axis);
}

/** Gather: the gathered slices' gradients summed where they came from. */
export const gather: GradientRule = (op) => [
  () => {
    const data = op.input();
    const axis = normalizeAxis(op.int("axis", 0), data.shape.length, op.where);
    // Rows picked from as many as a run has: the length of the axis is not needed to sum where they came from.
    if (typeof data.shape[axis] === "string" && op.gatherGradient === "scatter")
      return scatterSlices(op, op.math.zerosLike(data, data.type), op.input(1), op.fullGradient(), axis);
    return gatherGradient(op, op.staticShapeOf(data), op.input(1), op.fullGradient(), axis);
  },
];

/**
 * GatherElements. With one index per row (the usual pick of a target's logit) the
 * gradient is a comparison with the index range: no scatter, no repeated addition.
 */
export const gatherElements: GradientRule = (op) => [
  () => {
    const { math } = op;
    const [{ shape }, picked] = [op.input(), op.input(1).shape];
    const axis = normalizeAxis(op.int("axis", 0), shape.length, op.where);
    const onePerRow = picked.every((dim, i) => dim === (i === axis ? 1 : shape[i]));
    if (!onePerRow) return math.scatterSum(op.staticShapeOf(op.input()), op.input(1), op.fullGradient(), axis);
    const size = nth(staticShape([nth(shape, axis)], op.where), 0);
    const here = math.compare(
      "Equal",
      math.range(size, axis, shape.length, op.input(1).type),
      math.wrapIndices(op.input(1), size),
    );
    // Not Where: ONNX Runtime's CPU kernel takes two more tensors of the whole size for it.
    return math.mul(math.cast(here, op.gradient().type), op.gradient());
  },
];

/**
 * GatherND: the index tuples become positions in the data with all indexed (and
 * batch) axes flattened into one, and the slices are summed there.
 */
export const gatherND: GradientRule = (op) => [
  () => {
    const { math } = op;
    const [shape, tuples] = [op.staticShapeOf(op.input()), op.staticShapeOf(op.input(1))];
    const batchRank = op.int("batch_dims", 0);
    const depth = nth(tuples, tuples.length - 1);
    const [batch, indexed, inner] = [
      shape.slice(0, batchRank),
      shape.slice(batchRank, batchRank + depth),
      shape.slice(batchRank + depth),
    ];
    const [count, width] = [elementCount(tuples.slice(0, -1)), elementCount(inner)];
    const positions = flatPositions(op, tuples, batch, indexed);
    const updates = math.reshape(op.fullGradient(), [count, width]);
    const flat = [elementCount(batch) * elementCount(indexed), width];
    return math.reshape(math.scatterSum(flat, math.full(positions, [count, width]), updates, 0), shape);
  },
];

/** Column [n, 1] of positions `Σ indexₖ·strideₖ` over the flattened batch and indexed axes. */
function flatPositions(
  op: RuleContext,
  tuples: readonly number[],
  batch: readonly number[],
  indexed: readonly number[],
): Value {
  const { math } = op;
  const indices = op.input(1);
  const depth = indexed.length;
  const count = elementCount(tuples.slice(0, -1));
  const strides = stridesOf(indexed);
  const perBatch = count / elementCount(batch);
  const offsets = Array.from({ length: count }, (_, i) => Math.floor(i / perBatch) * elementCount(indexed));
  const constant = math.constantOf(indices);
  if (constant !== undefined) {
    const values = numbersOf(constant);
    const positions = offsets.map((offset, i) =>
      indexed.reduce((sum, dim, k) => {
        const index = nth(values, i * depth + k);
        return sum + (index < 0 ? index + dim : index) * nth(strides, k);
      }, offset),
    );
    return math.indices(positions, [count, 1]);
  }
  // 32-bit arithmetic: the operands of integer kernels on WebGPU.
  const pairs = math.cast(math.reshape(indices, [count, depth]), "int32");
  const sizes = math.indices(indexed, [depth]);
  const wrapped = math.where(math.compare("Less", pairs, math.indices([0], [])), math.add(pairs, sizes), pairs);
  const summed = depth === 1 ? wrapped : math.sum(math.emit("Mul", [wrapped, math.indices(strides, [depth])]), [1]);
  return batch.length === 0 ? summed : math.add(summed, math.indices(offsets, [count, 1]));
}

/** ScatterElements: data keeps its gradient where nothing was written over it; updates read theirs back. */
export const scatterElements: GradientRule = (op) => {
  const { math } = op;
  const reduction = stringAttribute(op.node, "reduction", "none");
  if (reduction !== "none" && reduction !== "add") op.unsupported(`reduction "${reduction}"`);
  const axis = normalizeAxis(op.int("axis", 0), op.input().shape.length, op.where);
  return [
    () => {
      if (reduction === "add") return op.gradient();
      const zeros = math.zeros(op.output().type, op.staticShapeOf(op.input(2)));
      return math.emit("ScatterElements", [op.fullGradient(), op.input(1), zeros], op.node.attributes);
    },
    undefined,
    () => math.asScalar(op.gradient()) ?? math.gatherElements(op.fullGradient(), op.input(1), axis),
  ];
};
