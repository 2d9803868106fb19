/** @file Inference of operators that only rearrange: Transpose, Reshape, Squeeze, Expand, Concat, Split, Tile, Pad, Shape. */
import { addDims, divideDims, multiplyDims, productOfDims } from "../dims.ts";
import { formatShape } from "../shapes.ts";
import type { Dim, Shape } from "../types.ts";
import { ALL, type Call, INDICES, NUMERIC, type OutputType, type RuleTable, WIDE } from "./call.ts";

/** The numbers of a list, or undefined when one is a symbol. */
function numbersOf(values: readonly Dim[] | undefined): readonly number[] | undefined {
  return values?.every((value) => typeof value === "number") ? values : undefined;
}

function inferTranspose(call: Call): OutputType[] {
  const x = call.input(0);
  const rank = x.shape.length;
  const perm = call.ints("perm") ?? x.shape.map((_, i) => rank - 1 - i);
  if (perm.length !== rank || perm.some((axis) => axis < 0) || call.axes(perm, rank).length !== rank) {
    call.fail(`perm to be a permutation of ${rank} axes`, formatShape(perm));
  }
  return [{ type: x.type, shape: perm.map((axis) => x.shape[axis] ?? 1) }];
}

/** Target of a Reshape as ONNX reads it: 0 copies (unless allowed as a size), −1 takes what is left. */
function inferReshape(call: Call): OutputType[] {
  const x = call.input(0);
  const target = call.listParameter("shape", 1, 5);
  if (!target.given) call.fail("a target shape", "none");
  if (target.values === undefined) {
    if (typeof target.count !== "number") return call.unknown("the length of the target shape");
    return [{ type: x.type, shape: call.opaqueShape(target.count) }];
  }
  const allowZero = call.int("allowzero", 0) === 1;
  const dims = target.values.map((dim, i): Dim => {
    if (dim !== 0 || allowZero) return dim;
    return (
      x.shape[i] ??
      call.fail(`a target whose zeros copy axes of ${formatShape(x.shape)}`, formatShape(target.values ?? []))
    );
  });
  const described = (): string => `${formatShape(target.values ?? [])} for ${formatShape(x.shape)}`;
  const free = dims.indexOf(-1);
  if (dims.some((dim, i) => typeof dim === "number" && dim < 0 && i !== free))
    call.fail("sizes, or one −1, in the target shape", described());
  // Sizes on both sides cancel first: a product of many symbols then needs no spelling.
  const left = [...x.shape];
  const right: Dim[] = [];
  dims.forEach((dim, i) => {
    const at = i === free || dim === 0 ? -1 : left.indexOf(dim);
    if (at >= 0) left.splice(at, 1);
    else if (i !== free) right.push(dim);
  });
  const total = productOfDims(left);
  const named = productOfDims(right);
  if (free >= 0) {
    const size = total === undefined || named === undefined ? undefined : divideDims(total, named);
    if (size === undefined && typeof total === "number" && typeof named === "number")
      call.fail("a target shape with the same number of elements", described());
    dims[free] = size ?? call.opaque(free);
  } else if (total !== undefined && named !== undefined) {
    const difference = addDims(total, named, -1);
    if (typeof difference === "number" && difference !== 0)
      call.fail("a target shape with the same number of elements", described());
  }
  return [{ type: x.type, shape: dims }];
}

function inferSqueeze(call: Call): OutputType[] {
  const x = call.input(0);
  const parameter = call.listParameter("axes", 1, 13);
  // ONNX Runtime reads an empty list as no list: every axis of size 1 goes.
  if (!parameter.given || parameter.values?.length === 0) {
    if (x.shape.some((dim) => typeof dim === "string")) return call.unknown("which axes have size 1");
    return [{ type: x.type, shape: x.shape.filter((dim) => dim !== 1) }];
  }
  const given = numbersOf(parameter.values);
  if (given === undefined) {
    if (typeof parameter.count !== "number") return call.unknown("the number of axes");
    return [{ type: x.type, shape: call.opaqueShape(Math.max(0, x.shape.length - parameter.count)) }];
  }
  const axes = call.axes(given, x.shape.length);
  for (const axis of axes) {
    const dim = x.shape[axis];
    if (typeof dim === "number" && dim !== 1) call.fail(`size 1 at axis ${axis}`, formatShape(x.shape));
  }
  return [{ type: x.type, shape: x.shape.filter((_, axis) => !axes.includes(axis)) }];
}

function inferUnsqueeze(call: Call): OutputType[] {
  const x = call.input(0);
  const parameter = call.listParameter("axes", 1, 13);
  if (!parameter.given) call.fail("axes", "none");
  const given = numbersOf(parameter.values);
  if (given === undefined) {
    if (typeof parameter.count !== "number") return call.unknown("the number of axes");
    return [{ type: x.type, shape: call.opaqueShape(x.shape.length + parameter.count) }];
  }
  const rank = x.shape.length + given.length;
  const axes = call.axes(given, rank);
  const rest = [...x.shape];
  return [
    { type: x.type, shape: Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1))) },
  ];
}

function inferFlatten(call: Call): OutputType[] {
  const x = call.input(0);
  const rank = x.shape.length;
  const given = call.int("axis", 1);
  // Flatten alone allows the axis after the last.
  const axis = given === rank ? rank : call.axis(given, rank);
  const rows = productOfDims(x.shape.slice(0, axis)) ?? call.opaque(0);
  return [{ type: x.type, shape: [rows, productOfDims(x.shape.slice(axis)) ?? call.opaque(1)] }];
}

function inferExpand(call: Call): OutputType[] {
  const x = call.input(0);
  const shape = call.input(1, ["int64"]);
  call.rank(shape, 1, 1);
  const content = call.content(1);
  if (content !== undefined) {
    if (content.elements.some((dim) => typeof dim === "number" && dim < 0))
      call.fail("sizes of at least 0 in the target shape", formatShape(content.elements));
    return [{ type: x.type, shape: call.broadcast([x.shape, content.elements]) }];
  }
  const rank = shape.shape[0];
  if (typeof rank !== "number") return call.unknown("the length of the target shape");
  return [{ type: x.type, shape: call.broadcast([x.shape, call.opaqueShape(rank)]) }];
}

function inferConcat(call: Call): OutputType[] {
  const parts = call.sameTyped(ALL);
  const [first] = parts;
  if (first === undefined) return call.fail("an input", "none");
  const rank = call.rank(first, 1);
  const axis = call.axis(call.int("axis"), rank);
  const shape: Dim[] = [...first.shape];
  for (const part of parts.slice(1)) {
    if (part.shape.length !== rank)
      call.fail("inputs of one rank", `${formatShape(first.shape)} and ${formatShape(part.shape)}`);
    part.shape.forEach((dim, i) => {
      const own = shape[i] ?? 0;
      shape[i] = i === axis ? addDims(own, dim) : call.equalDims(own, dim, `equal sizes except at axis ${axis}`);
    });
  }
  return [{ type: first.type, shape }];
}

function inferSplit(call: Call): OutputType[] {
  const x = call.input(0);
  const axis = call.axis(call.int("axis", 0), call.rank(x, 1));
  const dim = x.shape[axis] ?? 0;
  const count = call.outputCount;
  const withSize = (size: Dim): OutputType => ({
    type: x.type,
    shape: x.shape.map((own, i) => (i === axis ? size : own)),
  });
  const sizes = call.listParameter("split", 1, 13);
  if (sizes.given) {
    const { values } = sizes;
    if (values === undefined) return Array.from({ length: count }, (_, i) => withSize(call.opaque(axis, i)));
    const sum = values.reduce((total, size) => addDims(total, size), 0);
    const difference = addDims(sum, dim, -1);
    if (
      values.some((size) => typeof size === "number" && size < 0) ||
      (typeof difference === "number" && difference !== 0)
    ) {
      call.fail(`split sizes that sum to ${dim}`, formatShape(values));
    }
    return values.map(withSize);
  }
  const parts = call.opset >= 18 ? call.int("num_outputs", count) : count;
  if (parts !== count) call.fail(`${parts} outputs (num_outputs)`, String(count));
  if (typeof dim === "string") {
    const size = divideDims(dim, count);
    return Array.from({ length: count }, (_, i) => withSize(size ?? call.opaque(axis, i)));
  }
  const size = Math.ceil(dim / count);
  if (dim % count !== 0 && (call.opset < 18 || dim - size * (count - 1) < 0))
    call.fail(`a size at axis ${axis} divisible by ${count}`, formatShape(x.shape));
  return Array.from({ length: count }, (_, i) => withSize(i < count - 1 ? size : dim - size * (count - 1)));
}

function inferTile(call: Call): OutputType[] {
  const x = call.input(0);
  const repeats = call.input(1, ["int64"]);
  call.rank(repeats, 1, 1);
  call.equalDims(repeats.shape[0] ?? 0, x.shape.length, `one repeat an axis of ${formatShape(x.shape)}`);
  const content = call.content(1)?.elements;
  if (content?.some((count) => typeof count === "number" && count < 0))
    call.fail("repeats of at least 0", formatShape(content));
  return [
    {
      type: x.type,
      shape: x.shape.map((dim, i) => {
        const count = content?.[i];
        return (count === undefined ? undefined : multiplyDims(dim, count)) ?? call.opaque(i);
      }),
    },
  ];
}

function inferPad(call: Call): OutputType[] {
  const x = call.input(0);
  const rank = x.shape.length;
  call.optionalTyped(2, x.type);
  const mode = call.string("mode", "constant");
  if (!["constant", "reflect", "edge", ...(call.opset >= 19 ? ["wrap"] : [])].includes(mode))
    call.fail("mode constant, reflect or edge", mode);
  const axesGiven = call.has(3)
    ? call.opset >= 18
      ? call.numbers(3)
      : call.fail("at most 3 inputs below operator set 18", "axes")
    : x.shape.map((_, i) => i);
  const pads = call.listParameter("pads", 1, 11);
  if (!pads.given) call.fail("pads", "none");
  if (axesGiven === undefined || pads.values === undefined) return [{ type: x.type, shape: call.opaqueShape(rank) }];
  const { values } = pads;
  const axes = call.axes(axesGiven, rank);
  if (values.length !== 2 * axes.length) call.fail(`${2 * axes.length} pads`, formatShape(values));
  const shape: Dim[] = [...x.shape];
  axes.forEach((axis, i) => {
    const size = addDims(addDims(shape[axis] ?? 0, values[i] ?? 0), values[i + axes.length] ?? 0);
    if (typeof size === "number" && size < 0) call.fail("pads that leave a size of at least 0", formatShape(values));
    shape[axis] = size;
  });
  return [{ type: x.type, shape }];
}

/** The axes that a Shape node reports, [start, end) clamped to the rank. */
export function shapeRange(call: Call, shape: Shape): Shape {
  const rank = shape.length;
  const clamp = (axis: number): number => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
  return shape.slice(clamp(call.int("start", 0)), Math.max(clamp(call.int("start", 0)), clamp(call.int("end", rank))));
}

function inferOneHot(call: Call): OutputType[] {
  const indices = call.input(0, NUMERIC);
  const depth = call.input(1, NUMERIC);
  call.rank(depth, 0, 1);
  const values = call.input(2);
  call.rank(values, 1, 1);
  call.equalDims(values.shape[0] ?? 0, 2, "two values (off, on)");
  const rank = indices.shape.length + 1;
  const axis = call.axis(call.int("axis", -1), rank);
  const shape: Dim[] = [...indices.shape];
  const known = call.content(1)?.elements[0] ?? Number(call.context.constantOf(depth.name)?.data[0] ?? NaN);
  shape.splice(axis, 0, typeof known === "number" && !Number.isFinite(known) ? call.opaque(axis) : known);
  return [{ type: values.type, shape }];
}

export const SHAPE: RuleTable = {
  Transpose: { inputs: [1, 1], infer: inferTranspose },
  Reshape: { inputs: [1, 2], infer: inferReshape },
  Squeeze: { inputs: [1, 2], infer: inferSqueeze },
  Unsqueeze: { inputs: [1, 2], infer: inferUnsqueeze },
  Flatten: { inputs: [1, 1], infer: inferFlatten },
  Expand: { inputs: [2, 2], since: 8, infer: inferExpand },
  Concat: { inputs: [1, Infinity], infer: inferConcat },
  Split: { inputs: [1, 2], infer: inferSplit },
  Tile: { inputs: [2, 2], since: 6, infer: inferTile },
  Pad: { inputs: [1, 4], infer: inferPad },
  Shape: {
    inputs: [1, 1],
    infer: (call) => [{ type: "int64", shape: [shapeRange(call, call.input(0).shape).length] }],
  },
  Size: { inputs: [1, 1], infer: (call) => (call.input(0), [{ type: "int64", shape: [] }]) },
  OneHot: { inputs: [3, 3], since: 9, infer: inferOneHot },
  Trilu: {
    inputs: [1, 2],
    since: 14,
    infer: (call) => {
      const x = call.input(0);
      call.rank(x, 2);
      const k = call.optional(1, ["int64"]);
      if (k !== undefined) call.rank(k, 0, 1);
      return [{ type: x.type, shape: x.shape }];
    },
  },
  CumSum: {
    inputs: [2, 2],
    since: 11,
    infer: (call) => {
      const x = call.input(0, WIDE);
      call.rank(call.input(1, INDICES), 0, 1);
      const axis = call.numbers(1)?.[0];
      if (axis !== undefined) call.axis(axis, x.shape.length);
      return [{ type: x.type, shape: x.shape }];
    },
  },
};
