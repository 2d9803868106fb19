/** @file Random valid applications of the operators that reshape, slice, gather and scatter. */
import { attr } from "../../src/onnx/attributes.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import type { DataType } from "../../src/onnx/types.ts";
import { type CaseParts, constant, type Draw, type Operand } from "./onnxDraw.ts";

export function reshape(d: Draw): CaseParts {
  const shape = d.shape(1);
  const regrouped = d.pick([
    [elementCount(shape)],
    [...shape].reverse(),
    [1, ...shape],
    [shape[0]!, elementCount(shape.slice(1))],
  ]);
  const target = [...regrouped];
  if (d.bool()) target[d.int(0, target.length - 1)] = -1;
  for (let i = 0; i < target.length; i++) if (target[i] === shape[i] && d.int(0, 2) === 0) target[i] = 0;
  return { opset: d.pick([13, 14, 17]), inputs: [d.fed(shape), constant(target)] };
}

/** Squeeze and Unsqueeze in both forms. */
export function squeeze(d: Draw): CaseParts {
  const shape = d.shape(1).map((dim) => (d.bool() ? 1 : dim));
  const ones = shape.flatMap((dim, i) => (dim === 1 && d.bool() ? [d.bool() ? i : i - shape.length] : []));
  const opset = d.pick([12, 13, 17]);
  if (d.int(0, 3) === 0) return { opset, inputs: [d.fed(shape)] };
  return opset < 13
    ? { opset, inputs: [d.fed(shape)], attributes: { axes: attr.ints(ones) } }
    : { opset, inputs: [d.fed(shape), constant(ones)] };
}

export function unsqueeze(d: Draw): CaseParts {
  const shape = d.shape(0, 3);
  const added = d.int(1, 3);
  const axes = d.axes(shape.length + added, added).slice(0, added);
  const opset = d.pick([12, 13, 17]);
  return opset < 13
    ? { opset, inputs: [d.fed(shape)], attributes: { axes: attr.ints(axes) } }
    : { opset, inputs: [d.fed(shape), constant(axes)] };
}

export function expand(d: Draw): CaseParts {
  const {
    shapes: [from = [], to = []],
  } = d.broadcastable(2);
  return { inputs: [d.fed(from, d.pick(["float32", "int64", "bool"])), constant(to)] };
}

export function concat(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.int(0, shape.length - 1);
  const parts = Array.from({ length: d.int(1, 3) }, () =>
    d.fed(shape.map((dim, i) => (i === axis ? d.int(1, 4) : dim))),
  );
  return { inputs: parts, attributes: { axis: attr.int(d.bool() ? axis : axis - shape.length) } };
}

export function split(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.int(0, shape.length - 1);
  const opset = d.pick([12, 13, 17, 18]);
  const attributes: Record<string, ReturnType<typeof attr.int>> = {
    axis: attr.int(d.bool() ? axis : axis - shape.length),
  };
  const sizes = d.dims(d.int(1, 3));
  if (d.bool()) {
    shape[axis] = sizes.reduce((sum, size) => sum + size, 0);
    if (opset < 13)
      return {
        opset,
        inputs: [d.fed(shape)],
        attributes: { ...attributes, split: attr.ints(sizes) },
        outputCount: sizes.length,
      };
    return { opset, inputs: [d.fed(shape), constant(sizes)], attributes, outputCount: sizes.length };
  }
  const count = sizes.length;
  // From operator set 18 on the last part may be smaller.
  const size = d.int(1, 3);
  shape[axis] = opset >= 18 ? size * (count - 1) + d.int(1, size) : size * count;
  return {
    opset,
    inputs: [d.fed(shape)],
    attributes: opset >= 18 ? { ...attributes, num_outputs: attr.int(count) } : attributes,
    outputCount: count,
  };
}

export function slice(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axes = d.axes(shape.length, 1);
  const steps = axes.map(() => d.pick([1, 1, 2, -1, -2]));
  const inside = (axis: number): number => d.int(-shape.at(axis)!, shape.at(axis)!);
  const starts = axes.map(inside);
  const ends = axes.map((axis, i) => d.pick([inside(axis), steps[i]! > 0 ? 2 ** 31 - 1 : -(2 ** 31) + 1]));
  const form = d.int(0, 3);
  if (form === 0)
    return {
      opset: 9,
      inputs: [d.fed(shape)],
      attributes: { starts: attr.ints(starts), ends: attr.ints(ends), axes: attr.ints(axes) },
    };
  if (form === 1) return { inputs: [d.fed(shape), constant(starts), constant(ends), constant(axes)] };
  return {
    opset: d.pick([10, 13, 17]),
    inputs: [d.fed(shape), constant(starts), constant(ends), constant(axes), constant(steps)],
  };
}

export function gather(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  const size = shape.at(axis)!;
  return {
    inputs: [d.fed(shape), d.fed(d.shape(0, 2), d.pick(["int32", "int64"]), -size, size - 1)],
    attributes: { axis: attr.int(axis) },
  };
}

function elementIndices(d: Draw, shape: readonly number[], axis: number, type: DataType): Operand {
  const size = shape.at(axis)!;
  const at = axis < 0 ? axis + shape.length : axis;
  return d.fed(
    shape.map((dim, i) => (i === at ? d.int(1, 5) : d.int(1, dim))),
    type,
    -size,
    size - 1,
  );
}

export function gatherElements(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  return {
    inputs: [d.fed(shape), elementIndices(d, shape, axis, d.pick(["int32", "int64"]))],
    attributes: { axis: attr.int(axis) },
  };
}

export function scatterElements(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  const indices = elementIndices(d, shape, axis, d.pick(["int32", "int64"]));
  const opset = d.pick([13, 16, 18]);
  const reductions = ["none", ...(opset >= 16 ? ["add", "mul"] : []), ...(opset >= 18 ? ["min", "max"] : [])];
  return {
    opset,
    inputs: [d.fed(shape), indices, d.fed(indices.tensor.shape)],
    attributes: { axis: attr.int(axis), ...(opset >= 16 ? { reduction: attr.string(d.pick(reductions)) } : {}) },
  };
}

export function gatherND(d: Draw): CaseParts {
  const batch = d.dims(d.int(0, 1));
  const shape = [...batch, ...d.dims(d.int(1, 3))];
  const width = d.int(1, shape.length - batch.length);
  const indices = d.fed([...batch, ...d.dims(d.int(0, 2)), width], "int64", 0, 0);
  return { inputs: [d.fed(shape), indices], attributes: { batch_dims: attr.int(batch.length) } };
}

export function scatterND(d: Draw): CaseParts {
  const shape = d.shape(1);
  const width = d.int(1, shape.length);
  const head = d.dims(d.int(0, 2));
  return { inputs: [d.fed(shape), d.fed([...head, width], "int64", 0, 0), d.fed([...head, ...shape.slice(width)])] };
}

export function pad(d: Draw): CaseParts {
  const shape = d.shape(1);
  const opset = d.pick([10, 13, 17, 18]);
  const axes = opset >= 18 && d.bool() ? d.axes(shape.length, 1) : undefined;
  const pads = Array.from({ length: 2 * (axes?.length ?? shape.length) }, () => d.int(0, 3));
  if (opset < 11) return { opset, inputs: [d.fed(shape)], attributes: { pads: attr.ints(pads) } };
  const value = axes !== undefined || d.bool() ? [d.fed([])] : [];
  return { opset, inputs: [d.fed(shape), constant(pads), ...value, ...(axes === undefined ? [] : [constant(axes)])] };
}

export function range(d: Draw): CaseParts {
  const type = d.pick<DataType>(["int64", "int32", "float32"]);
  const [start, limit, delta] = [d.int(-4, 4), d.int(-4, 9), d.pick([1, 2, 3, -1, -2])];
  return { inputs: [start, limit, delta].map((value) => constant([value], true, type)) };
}

export function oneHot(d: Draw): CaseParts {
  const shape = d.shape(1, 3);
  return {
    inputs: [d.fed(shape, "int64"), constant([d.int(1, 5)], d.bool()), d.fed([2])],
    attributes: { axis: attr.int(d.axis(shape.length + 1)) },
  };
}

export function topK(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  return {
    inputs: [d.fed(shape), constant([d.int(1, shape.at(axis)!)])],
    attributes: { axis: attr.int(axis), largest: attr.int(d.int(0, 1)) },
    outputCount: 2,
  };
}
