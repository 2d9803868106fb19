/**
 * @file Shape algebra on plain shapes: element counts, broadcasting, axes.
 * Pure functions; operator-by-operator inference is in `infer.ts`.
 */
import { badInput, invariant } from "../core/errors.ts";
import type { Dim, Shape } from "./types.ts";

/** `[2,3]` as text. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** Product of the dimensions of a static shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** The same shape, with the promise that every dimension is a number. @throws BadInputError naming `where`. */
export function staticShape(shape: Shape, where: string): readonly number[] {
  for (const dim of shape) {
    if (typeof dim !== "number") {
      badInput(where, "a static shape", formatShape(shape), "Bind every symbolic dimension to a number first");
    }
  }
  return shape as readonly number[];
}

/** Axis in [0, rank). @throws BadInputError when outside [−rank, rank). */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    badInput(where, `an axis in [${-rank}, ${rank})`, String(axis));
  }
  return axis < 0 ? axis + rank : axis;
}

/** Several axes, normalised and ascending. */
export function normalizeAxes(axes: readonly number[], rank: number, where: string): number[] {
  return axes.map((axis) => normalizeAxis(axis, rank, where)).sort((a, b) => a - b);
}

function broadcastDim(a: Dim, b: Dim, where: string, shapes: readonly Shape[]): Dim {
  if (a === b) return a;
  if (a === 1) return b;
  if (b === 1) return a;
  return badInput(where, "shapes that broadcast together", shapes.map(formatShape).join(" and "));
}

/** NumPy-style broadcast of any number of shapes. */
export function broadcastShapes(shapes: readonly Shape[], where: string): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    let dim: Dim = 1;
    for (const shape of shapes) {
      const own = shape[i - (rank - shape.length)];
      if (own !== undefined) dim = broadcastDim(dim, own, where, shapes);
    }
    out.push(dim);
  }
  return out;
}

/** Equal rank and equal dimensions (symbols by name). */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Row-major strides of a static shape, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    const dim = shape[i];
    invariant(dim !== undefined, "stridesOf: hole in shape");
    stride *= dim;
  }
  return strides;
}
