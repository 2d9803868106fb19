/** @file Inference of indexing operators: Slice, the Gather and Scatter families, TopK. */
import { addDims, isOpaque } from "../dims.ts";
import { formatShape } from "../shapes.ts";
import type { Dim, Shape } from "../types.ts";
import { type Call, INDICES, NUMERIC, type OutputType, type RuleTable } from "./call.ts";

/** Bounds from here on mean "to the end" (exporters write INT32_MAX or INT64_MAX). */
const TO_THE_END = 2 ** 31 - 1;

/** Concrete `[start, end)` and length of a slice over a static dimension, clamped as ONNX clamps. */
export function sliceRange(
  size: number,
  start: number,
  end: number,
  step: number,
): { readonly start: number; readonly length: number } {
  const clamp = (bound: number, low: number, high: number): number =>
    Math.min(Math.max(bound < 0 ? bound + size : bound, low), high);
  const from = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
  const to = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
  return { start: from, length: Math.max(0, Math.ceil((to - from) / step)) };
}

/**
 * Length of a slice where a symbol takes part. Its bounds are taken to lie inside the
 * dimension (Slice would clamp others): `[past, past+T)` of a mask is T long. Undefined
 * when even that does not tell.
 */
function symbolicLength(size: Dim, start: Dim, end: Dim, step: Dim): Dim | undefined {
  if (step !== 1 || isOpaque(start) || isOpaque(end)) return undefined;
  const from = typeof start === "number" && start < 0 ? addDims(size, start) : start;
  if (typeof end === "number") {
    if (end >= TO_THE_END) return addDims(size, from, -1);
    if (end < 0) return end < -TO_THE_END ? undefined : addDims(addDims(size, end), from, -1);
    return undefined;
  }
  return addDims(end, from, -1);
}

/** Parameters of a Slice, one entry an axis; undefined when not known. */
export interface SliceParameters {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
  readonly step: Dim;
}

/** Reads the parameters of a Slice node in either form; undefined where a value is not known. */
export function sliceParameters(call: Call, rank: number): SliceParameters[] | undefined {
  const starts = call.listParameter("starts", 1, 10, INDICES);
  const ends = call.listParameter("ends", 2, 10, INDICES);
  const axes = call.listParameter("axes", 3, 10, INDICES);
  const steps = call.opset >= 10 ? call.listParameter("steps", 4, 10, INDICES) : { given: false };
  if (!starts.given || !ends.given) call.fail("starts and ends", "none");
  if (starts.values === undefined || ends.values === undefined) return undefined;
  const from = starts.values;
  const to = ends.values;
  const axisList = axes.given ? axes.values : from.map((_, i) => i);
  const stepList = steps.given ? steps.values : from.map(() => 1);
  if (axisList === undefined || stepList === undefined || axisList.some((axis) => typeof axis === "string"))
    return undefined;
  if ([to, axisList, stepList].some((list) => list.length !== from.length)) {
    call.fail("starts, ends, axes and steps of one length", [from, to, axisList, stepList].map(formatShape).join(" "));
  }
  return call.axes(axisList as readonly number[], rank).map((axis, i) => {
    const step = stepList[i] ?? 1;
    if (step === 0) call.fail("steps other than 0", formatShape(stepList));
    return { axis, start: from[i] ?? 0, end: to[i] ?? 0, step };
  });
}

function inferSlice(call: Call): OutputType[] {
  const x = call.input(0);
  const parameters = sliceParameters(call, call.rank(x, 1));
  if (parameters === undefined) return [{ type: x.type, shape: call.opaqueShape(x.shape.length) }];
  const shape: Dim[] = [...x.shape];
  for (const { axis, start, end, step } of parameters) {
    const size = shape[axis] ?? 0;
    const known =
      typeof size === "number" && typeof start === "number" && typeof end === "number" && typeof step === "number";
    const length = known ? sliceRange(size, start, end, step).length : symbolicLength(size, start, end, step);
    shape[axis] = typeof length === "number" ? Math.max(0, length) : (length ?? call.opaque(axis));
  }
  return [{ type: x.type, shape }];
}

function inferGather(call: Call): OutputType[] {
  const data = call.input(0);
  const indices = call.input(1, INDICES);
  const axis = call.axis(call.int("axis", 0), call.rank(data, 1));
  return [{ type: data.type, shape: [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)] }];
}

/** `indices` may not be larger than `data` except along the axis. */
function checkWithin(call: Call, data: Shape, indices: Shape, axis: number): void {
  if (indices.length !== data.length) call.fail(`indices of rank ${data.length}`, formatShape(indices));
  indices.forEach((dim, i) => {
    const limit = data[i];
    if (i !== axis && typeof dim === "number" && typeof limit === "number" && dim > limit) {
      call.fail(`indices within ${formatShape(data)} except at axis ${axis}`, formatShape(indices));
    }
  });
}

function inferGatherElements(call: Call): OutputType[] {
  const data = call.input(0);
  const indices = call.input(1, INDICES);
  checkWithin(call, data.shape, indices.shape, call.axis(call.int("axis", 0), call.rank(data, 1)));
  return [{ type: data.type, shape: indices.shape }];
}

function inferGatherND(call: Call): OutputType[] {
  const data = call.input(0);
  const indices = call.input(1, ["int64"]);
  const batch = call.int("batch_dims", 0);
  call.rank(data, 1);
  call.rank(indices, 1);
  const width = indices.shape.at(-1);
  if (typeof width !== "number") return call.unknown("the last size of indices");
  if (batch < 0 || batch >= Math.min(data.shape.length, indices.shape.length) || batch + width > data.shape.length) {
    call.fail(`batch_dims + last size of indices of at most ${data.shape.length}`, `${batch} + ${width}`);
  }
  for (let i = 0; i < batch; i++) call.equalDims(data.shape[i] ?? 0, indices.shape[i] ?? 0, "equal batch sizes");
  return [{ type: data.type, shape: [...indices.shape.slice(0, -1), ...data.shape.slice(batch + width)] }];
}

function checkReduction(call: Call): void {
  const reduction = call.string("reduction", "none");
  const allowed = ["none", ...(call.opset >= 16 ? ["add", "mul"] : []), ...(call.opset >= 18 ? ["min", "max"] : [])];
  if (!allowed.includes(reduction))
    call.fail(`reduction ${allowed.join(", ")} (operator set ${call.opset})`, reduction);
}

function inferScatterElements(call: Call): OutputType[] {
  const data = call.input(0);
  const indices = call.input(1, INDICES);
  const updates = call.input(2, [data.type]);
  checkReduction(call);
  checkWithin(call, data.shape, indices.shape, call.axis(call.int("axis", 0), call.rank(data, 1)));
  checkUpdates(call, updates.shape, indices.shape);
  return [{ type: data.type, shape: data.shape }];
}

function checkUpdates(call: Call, updates: Shape, expected: Shape): void {
  if (updates.length !== expected.length) call.fail(`updates of shape ${formatShape(expected)}`, formatShape(updates));
  updates.forEach((dim, i) => call.equalDims(dim, expected[i] ?? 0, `updates of shape ${formatShape(expected)}`));
}

function inferScatterND(call: Call): OutputType[] {
  const data = call.input(0);
  const indices = call.input(1, ["int64"]);
  const updates = call.input(2, [data.type]);
  checkReduction(call);
  call.rank(data, 1);
  call.rank(indices, 1);
  const width = indices.shape.at(-1);
  if (typeof width === "number") {
    if (width > data.shape.length)
      call.fail(`a last size of indices of at most ${data.shape.length}`, formatShape(indices.shape));
    checkUpdates(call, updates.shape, [...indices.shape.slice(0, -1), ...data.shape.slice(width)]);
  }
  return [{ type: data.type, shape: data.shape }];
}

function inferTopK(call: Call): OutputType[] {
  const x = call.input(0, NUMERIC);
  const axis = call.axis(call.int("axis", -1), call.rank(x, 1));
  const counts = call.opset >= 10 ? (call.input(1, ["int64"]), call.content(1)?.elements) : [call.int("k")];
  const k = counts?.[0] ?? call.opaque(axis);
  const size = x.shape[axis];
  if (typeof k === "number" && (k < 0 || (typeof size === "number" && k > size)))
    call.fail(`k of at most ${size}`, String(k));
  const shape = x.shape.map((dim, i) => (i === axis ? k : dim));
  return [
    { type: x.type, shape },
    { type: "int64", shape },
  ];
}

export const INDEXING: RuleTable = {
  Slice: { inputs: [1, 5], infer: inferSlice },
  Gather: { inputs: [2, 2], infer: inferGather },
  GatherElements: { inputs: [2, 2], since: 11, infer: inferGatherElements },
  GatherND: { inputs: [2, 2], since: 11, infer: inferGatherND },
  ScatterElements: { inputs: [3, 3], since: 11, infer: inferScatterElements },
  ScatterND: { inputs: [3, 3], since: 11, infer: inferScatterND },
  TopK: { inputs: [1, 2], infer: inferTopK },
};
