/**
 * @file Random applications of every operator that shape inference knows: operand
 * shapes, types, values and attributes that are valid for the operator. Used to compare
 * inference with what ONNX Runtime really returns. Not here: gradients, numbers.
 */
import fc from "fast-check";
import { attr } from "../../src/onnx/attributes.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import type { Attributes, DataType, Graph, Tensor, Value } from "../../src/onnx/types.ts";

/** One input: a value fed at run time, or a constant of the graph. */
export interface Operand {
  readonly tensor: Tensor;
  readonly constant: boolean;
}

export interface OnnxCase {
  readonly opType: string;
  readonly inputs: readonly (Operand | undefined)[];
  readonly attributes: Attributes;
  readonly domain: string;
  readonly opset: number;
  readonly outputCount: number;
}

type CaseParts = Partial<Omit<OnnxCase, "opType">> & Pick<OnnxCase, "inputs">;

/** Draws of one random case; small sizes so that equal and broadcast ones are common. */
export class Draw {
  readonly #gen: fc.GeneratorValue;

  constructor(gen: fc.GeneratorValue) {
    this.#gen = gen;
  }

  int(min: number, max: number): number {
    return this.#gen(fc.integer, { min, max });
  }

  bool(): boolean {
    return this.#gen(fc.boolean);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!;
  }

  dims(rank: number, max = 4): number[] {
    return Array.from({ length: rank }, () => this.int(1, max));
  }

  shape(minRank = 0, maxRank = 4): number[] {
    return this.dims(this.int(minRank, maxRank));
  }

  /** An axis in [−rank, rank). */
  axis(rank: number): number {
    return this.int(-rank, rank - 1);
  }

  /** A random subset of the axes, some written negative. */
  axes(rank: number, least = 0): number[] {
    const all = this.#gen(fc.shuffledSubarray, Array.from({ length: rank }, (_, i) => i), { minLength: Math.min(least, rank) });
    return all.map((axis) => (this.bool() ? axis : axis - rank));
  }

  permutation(rank: number): number[] {
    return this.#gen(fc.shuffledSubarray, Array.from({ length: rank }, (_, i) => i), { minLength: rank });
  }

  /** Shapes that broadcast together, and the result. */
  broadcastable(count: number): { readonly shapes: number[][]; readonly result: number[] } {
    const result = this.shape();
    const shapes = Array.from({ length: count }, () => {
      const rank = this.int(0, result.length);
      return result.slice(result.length - rank).map((dim) => (this.int(0, 3) === 0 ? 1 : dim));
    });
    return { shapes, result };
  }

  /** A tensor of small values fed at run time. */
  fed(shape: readonly number[], type: DataType = "float32", min = 1, max = 3): Operand {
    return { tensor: tensorOf(type, shape, Array.from({ length: elementCount(shape) }, () => this.int(min, max))), constant: false };
  }
}

/** A tensor with the given numbers. */
export function tensorOf(type: DataType, shape: readonly number[], values: readonly number[]): Tensor {
  switch (type) {
    case "float32": return { type, shape, data: Float32Array.from(values) };
    case "float64": return { type, shape, data: Float64Array.from(values) };
    case "float16": return { type, shape, data: Uint16Array.from(values, (x) => [0, 0x3c00, 0x4000, 0x4200][x] ?? 0x4400) };
    case "int32": return { type, shape, data: Int32Array.from(values) };
    case "int64": return { type, shape, data: BigInt64Array.from(values, BigInt) };
    case "int8": return { type, shape, data: Int8Array.from(values) };
    case "uint8": return { type, shape, data: Uint8Array.from(values) };
    case "bool": return { type, shape, data: Uint8Array.from(values, (x) => x & 1) };
  }
}

/** An int64 vector (or scalar) that is a constant of the graph. */
function constant(values: readonly number[], scalar = false, type: DataType = "int64"): Operand {
  return { tensor: tensorOf(type, scalar ? [] : [values.length], values), constant: true };
}

const unary = (types: readonly DataType[] = ["float32"], domain = "", opset = 17) => (d: Draw): CaseParts => ({ inputs: [d.fed(d.shape(), d.pick(types))], domain, opset });

const binary = (types: readonly DataType[]) => (d: Draw): CaseParts => {
  const type = d.pick(types);
  return { inputs: d.broadcastable(2).shapes.map((shape) => d.fed(shape, type)) };
};

const variadic = (d: Draw): CaseParts => ({ inputs: d.broadcastable(d.int(1, 3)).shapes.map((shape) => d.fed(shape)) });

/** A reduction in its attribute or its input form, by operator set. */
const reduction = (inputFrom: number) => (d: Draw): CaseParts => {
  const shape = d.shape(1);
  const opset = d.pick([12, 13, 17, 18, 20]);
  const axes = d.bool() ? d.axes(shape.length, 1) : undefined;
  const byInput = opset >= inputFrom;
  return {
    opset,
    inputs: [d.fed(shape), ...(axes !== undefined && byInput ? [constant(axes)] : [])],
    attributes: { keepdims: attr.int(d.int(0, 1)), ...(axes !== undefined && !byInput ? { axes: attr.ints(axes) } : {}) },
  };
};

const arg = (d: Draw): CaseParts => {
  const shape = d.shape(1);
  return { inputs: [d.fed(shape)], attributes: { axis: attr.int(d.axis(shape.length)), keepdims: attr.int(d.int(0, 1)) } };
};

const softmax = (d: Draw): CaseParts => {
  const shape = d.shape(1);
  return { inputs: [d.fed(shape)], opset: d.pick([11, 13, 17]), attributes: { axis: attr.int(d.axis(shape.length)) } };
};

/** Shapes of a product, 1-dimensional operands and broadcast batches included. */
function productShapes(d: Draw): { readonly a: number[]; readonly b: number[] } {
  const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
  const form = d.int(0, 3);
  const { shapes: [left = [], right = []] } = d.broadcastable(2);
  return { a: form === 1 ? [k] : [...left.slice(-2), m, k], b: form === 2 ? [k] : [...right.slice(-2), k, n] };
}

function gemm(d: Draw): CaseParts {
  const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
  const [transA, transB] = [d.bool(), d.bool()];
  const c = d.pick([undefined, [m, n], [n], [1, n], [m, 1], []]);
  return {
    inputs: [d.fed(transA ? [k, m] : [m, k]), d.fed(transB ? [n, k] : [k, n]), ...(c === undefined ? [] : [d.fed(c)])],
    attributes: { transA: attr.int(Number(transA)), transB: attr.int(Number(transB)), alpha: attr.float(0.5), beta: attr.float(2) },
  };
}

function fusedMatMul(d: Draw): CaseParts {
  const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
  const batch = d.dims(d.int(1, 2));
  const [transA, transB, batchA, batchB] = [d.bool(), d.bool(), d.bool(), d.bool()];
  const arrange = (matrix: number[], swap: boolean, moved: boolean): number[] => {
    const [rows = 1, columns = 1] = swap ? [...matrix].reverse() : matrix;
    // transBatch: the first of the batch axes lies just before the last axis in memory.
    return moved ? [rows, ...batch, columns] : [...batch, rows, columns];
  };
  return {
    domain: "com.microsoft",
    inputs: [d.fed(arrange([m, k], transA, batchA)), d.fed(arrange([k, n], transB, batchB))],
    attributes: {
      transA: attr.int(Number(transA)), transB: attr.int(Number(transB)),
      transBatchA: attr.int(Number(batchA)), transBatchB: attr.int(Number(batchB)), alpha: attr.float(1),
    },
  };
}

function reshape(d: Draw): CaseParts {
  const shape = d.shape(1);
  const regrouped = d.pick([[elementCount(shape)], [...shape].reverse(), [1, ...shape], [shape[0]!, elementCount(shape.slice(1))]]);
  const target = [...regrouped];
  if (d.bool()) target[d.int(0, target.length - 1)] = -1;
  for (let i = 0; i < target.length; i++) if (target[i] === shape[i] && d.int(0, 2) === 0) target[i] = 0;
  return { opset: d.pick([13, 14, 17]), inputs: [d.fed(shape), constant(target)] };
}

/** Squeeze and Unsqueeze in both forms. */
function squeeze(d: Draw): CaseParts {
  const shape = d.shape(1).map((dim) => (d.bool() ? 1 : dim));
  const ones = shape.flatMap((dim, i) => (dim === 1 && d.bool() ? [d.bool() ? i : i - shape.length] : []));
  const opset = d.pick([12, 13, 17]);
  if (d.int(0, 3) === 0) return { opset, inputs: [d.fed(shape)] };
  return opset < 13 ? { opset, inputs: [d.fed(shape)], attributes: { axes: attr.ints(ones) } } : { opset, inputs: [d.fed(shape), constant(ones)] };
}

function unsqueeze(d: Draw): CaseParts {
  const shape = d.shape(0, 3);
  const added = d.int(1, 3);
  const axes = d.axes(shape.length + added, added).slice(0, added);
  const opset = d.pick([12, 13, 17]);
  return opset < 13 ? { opset, inputs: [d.fed(shape)], attributes: { axes: attr.ints(axes) } } : { opset, inputs: [d.fed(shape), constant(axes)] };
}

function expand(d: Draw): CaseParts {
  const { shapes: [from = [], to = []] } = d.broadcastable(2);
  return { inputs: [d.fed(from, d.pick(["float32", "int64", "bool"])), constant(to)] };
}

function concat(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.int(0, shape.length - 1);
  const parts = Array.from({ length: d.int(1, 3) }, () => d.fed(shape.map((dim, i) => (i === axis ? d.int(1, 4) : dim))));
  return { inputs: parts, attributes: { axis: attr.int(d.bool() ? axis : axis - shape.length) } };
}

function split(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.int(0, shape.length - 1);
  const opset = d.pick([12, 13, 17, 18]);
  const attributes: Record<string, ReturnType<typeof attr.int>> = { axis: attr.int(d.bool() ? axis : axis - shape.length) };
  const sizes = d.dims(d.int(1, 3));
  if (d.bool()) {
    shape[axis] = sizes.reduce((sum, size) => sum + size, 0);
    if (opset < 13) return { opset, inputs: [d.fed(shape)], attributes: { ...attributes, split: attr.ints(sizes) }, outputCount: sizes.length };
    return { opset, inputs: [d.fed(shape), constant(sizes)], attributes, outputCount: sizes.length };
  }
  const count = sizes.length;
  // From operator set 18 on the last part may be smaller.
  const size = d.int(1, 3);
  shape[axis] = opset >= 18 ? size * (count - 1) + d.int(1, size) : size * count;
  return { opset, inputs: [d.fed(shape)], attributes: opset >= 18 ? { ...attributes, num_outputs: attr.int(count) } : attributes, outputCount: count };
}

function slice(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axes = d.axes(shape.length, 1);
  const steps = axes.map(() => d.pick([1, 1, 2, -1, -2]));
  const inside = (axis: number): number => d.int(-shape.at(axis)!, shape.at(axis)!);
  const starts = axes.map(inside);
  const ends = axes.map((axis, i) => d.pick([inside(axis), steps[i]! > 0 ? 2 ** 31 - 1 : -(2 ** 31) + 1]));
  const form = d.int(0, 3);
  if (form === 0) return { opset: 9, inputs: [d.fed(shape)], attributes: { starts: attr.ints(starts), ends: attr.ints(ends), axes: attr.ints(axes) } };
  if (form === 1) return { inputs: [d.fed(shape), constant(starts), constant(ends), constant(axes)] };
  return { opset: d.pick([10, 13, 17]), inputs: [d.fed(shape), constant(starts), constant(ends), constant(axes), constant(steps)] };
}

function gather(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  const size = shape.at(axis)!;
  return { inputs: [d.fed(shape), d.fed(d.shape(0, 2), d.pick(["int32", "int64"]), -size, size - 1)], attributes: { axis: attr.int(axis) } };
}

function elementIndices(d: Draw, shape: readonly number[], axis: number, type: DataType): Operand {
  const size = shape.at(axis)!;
  const at = axis < 0 ? axis + shape.length : axis;
  return d.fed(shape.map((dim, i) => (i === at ? d.int(1, 5) : d.int(1, dim))), type, -size, size - 1);
}

function gatherElements(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  return { inputs: [d.fed(shape), elementIndices(d, shape, axis, d.pick(["int32", "int64"]))], attributes: { axis: attr.int(axis) } };
}

function scatterElements(d: Draw): CaseParts {
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

function gatherND(d: Draw): CaseParts {
  const batch = d.dims(d.int(0, 1));
  const shape = [...batch, ...d.dims(d.int(1, 3))];
  const width = d.int(1, shape.length - batch.length);
  const indices = d.fed([...batch, ...d.dims(d.int(0, 2)), width], "int64", 0, 0);
  return { inputs: [d.fed(shape), indices], attributes: { batch_dims: attr.int(batch.length) } };
}

function scatterND(d: Draw): CaseParts {
  const shape = d.shape(1);
  const width = d.int(1, shape.length);
  const head = d.dims(d.int(0, 2));
  return { inputs: [d.fed(shape), d.fed([...head, width], "int64", 0, 0), d.fed([...head, ...shape.slice(width)])] };
}

function pad(d: Draw): CaseParts {
  const shape = d.shape(1);
  const opset = d.pick([10, 13, 17, 18]);
  const axes = opset >= 18 && d.bool() ? d.axes(shape.length, 1) : undefined;
  const pads = Array.from({ length: 2 * (axes?.length ?? shape.length) }, () => d.int(0, 3));
  if (opset < 11) return { opset, inputs: [d.fed(shape)], attributes: { pads: attr.ints(pads) } };
  const value = axes !== undefined || d.bool() ? [d.fed([])] : [];
  return { opset, inputs: [d.fed(shape), constant(pads), ...value, ...(axes === undefined ? [] : [constant(axes)])] };
}

function range(d: Draw): CaseParts {
  const type = d.pick<DataType>(["int64", "int32", "float32"]);
  const [start, limit, delta] = [d.int(-4, 4), d.int(-4, 9), d.pick([1, 2, 3, -1, -2])];
  return { inputs: [start, limit, delta].map((value) => constant([value], true, type)) };
}

function oneHot(d: Draw): CaseParts {
  const shape = d.shape(1, 3);
  return {
    inputs: [d.fed(shape, "int64"), constant([d.int(1, 5)], d.bool()), d.fed([2])],
    attributes: { axis: attr.int(d.axis(shape.length + 1)) },
  };
}

function topK(d: Draw): CaseParts {
  const shape = d.shape(1);
  const axis = d.axis(shape.length);
  return { inputs: [d.fed(shape), constant([d.int(1, shape.at(axis)!)])], attributes: { axis: attr.int(axis), largest: attr.int(d.int(0, 1)) }, outputCount: 2 };
}

function layerNorm(d: Draw): CaseParts {
  const shape = d.shape(2, 3);
  const axis = d.axis(shape.length);
  const tail = shape.slice(axis);
  return { inputs: [d.fed(shape), d.fed(tail), ...(d.bool() ? [d.fed(tail)] : [])], attributes: { axis: attr.int(axis) }, outputCount: d.pick([1, 3]) };
}

const rmsNorm = (opset: number, outputs: readonly number[]) => (d: Draw): CaseParts => {
  const shape = d.shape(2, 3);
  return { opset, inputs: [d.fed(shape), d.fed(shape.slice(-1))], attributes: { axis: attr.int(-1), epsilon: attr.float(2 ** -16) }, outputCount: d.pick(outputs) };
};

const skipNorm = (withBeta: boolean) => (d: Draw): CaseParts => {
  const shape = d.dims(3);
  const vector = (): Operand => d.fed(shape.slice(-1));
  return {
    domain: "com.microsoft",
    inputs: [d.fed(shape), d.fed(shape), vector(), ...(withBeta ? [vector()] : []), ...(d.bool() ? [vector()] : [])],
    attributes: { epsilon: attr.float(2 ** -16) },
  };
};

function rotaryContrib(d: Draw): CaseParts {
  const [batch, tokens, heads, half] = [d.int(1, 3), d.int(1, 4), d.int(1, 3), d.int(1, 3) * 4];
  const flat = d.bool();
  const cache = (): Operand => d.fed([8, half]);
  return {
    domain: "com.microsoft",
    inputs: [
      d.fed(flat ? [batch, tokens, heads * half * 2] : [batch, heads, tokens, half * 2]),
      d.bool() ? d.fed([batch, tokens], "int64", 0, 7) : d.fed([1], "int64", 0, 3),
      cache(), cache(),
    ],
    attributes: flat ? { num_heads: attr.int(heads) } : {},
  };
}

function rotary(d: Draw): CaseParts {
  const [batch, tokens, heads, half] = [d.int(1, 3), d.int(1, 4), d.int(1, 3), d.int(1, 3) * 4];
  const flat = d.bool();
  const indexed = d.bool();
  const cache = (): Operand => d.fed(indexed ? [8, half] : [batch, tokens, half]);
  return {
    opset: 23,
    inputs: [d.fed(flat ? [batch, tokens, heads * half * 2] : [batch, heads, tokens, half * 2]), cache(), cache(), ...(indexed ? [d.fed([batch, tokens], "int64", 0, 7)] : [])],
    attributes: flat ? { num_heads: attr.int(heads) } : {},
  };
}

/** `sum += x` for some steps; scans the running sum. */
function loop(d: Draw): CaseParts {
  const shape = d.shape(0, 2);
  const outer = new GraphBuilder("main");
  const body = new GraphBuilder("body", { outer });
  body.input("step", "int64", []);
  const condition = body.input("go_on", "bool", []);
  const sum = body.input("sum", "float32", shape);
  body.output(condition, "go_on_out");
  const next = body.output(body.add(sum, sum), "sum_out");
  body.output(next, "scanned");
  const withCondition = d.bool();
  return {
    inputs: [constant([d.int(0, 4)], true), withCondition ? constant([1], true, "bool") : undefined, d.fed(shape)],
    attributes: { body: attr.graph(body.build()) },
    outputCount: 2,
  };
}

function conditional(d: Draw): CaseParts {
  const shape = d.shape();
  const branch = (name: string): ReturnType<typeof attr.graph> => {
    const builder = new GraphBuilder(name, { outer: new GraphBuilder("main") });
    const value = builder.initializer(tensorOf("float32", shape, Array.from({ length: elementCount(shape) }, () => 1)), `${name}_value`);
    builder.output(builder.neg(value), `${name}_out`);
    return attr.graph(builder.build());
  };
  return { inputs: [d.fed([], "bool", 0, 1)], attributes: { then_branch: branch("yes"), else_branch: branch("no") } };
}

const MS = "com.microsoft";
const ARITHMETIC: readonly DataType[] = ["float32", "float64", "int32", "int64"];
const FLOAT: readonly DataType[] = ["float32", "float64"];

/** Makers of random cases by name; the operator is the name up to the first dot. */
export const ONNX_CASES: Readonly<Record<string, (d: Draw) => CaseParts>> = {
  Add: binary(ARITHMETIC), Sub: binary(ARITHMETIC), Mul: binary(ARITHMETIC), Div: binary(ARITHMETIC),
  Pow: (d) => {
    const { shapes: [a = [], b = []] } = d.broadcastable(2);
    return { inputs: [d.fed(a, d.pick(["float32", "int32"])), d.fed(b, d.pick(["float32", "int64"]))] };
  },
  Mod: binary(["int32", "int64"]),
  "Mod.float": (d) => ({ inputs: d.broadcastable(2).shapes.map((shape) => d.fed(shape)), attributes: { fmod: attr.int(1) } }),
  Min: variadic, Max: variadic, Sum: variadic, Mean: variadic,
  And: binary(["bool"]), Or: binary(["bool"]), Xor: binary(["bool"]), Not: unary(["bool"]),
  Equal: binary(["float32", "int32", "int64", "bool"]), Less: binary(ARITHMETIC), LessOrEqual: binary(ARITHMETIC),
  Greater: binary(ARITHMETIC), GreaterOrEqual: binary(ARITHMETIC),
  Where: (d) => {
    const { shapes: [c = [], a = [], b = []] } = d.broadcastable(3);
    const type = d.pick<DataType>(["float32", "int64"]);
    return { inputs: [d.fed(c, "bool", 0, 1), d.fed(a, type), d.fed(b, type)] };
  },
  Neg: unary(ARITHMETIC), Abs: unary(ARITHMETIC), Sign: unary(ARITHMETIC), Sqrt: unary(FLOAT), Exp: unary(FLOAT), Log: unary(FLOAT),
  Erf: unary(), Tanh: unary(FLOAT), Sigmoid: unary(FLOAT), Relu: unary(FLOAT), LeakyRelu: unary(), Elu: unary(), Selu: unary(),
  HardSigmoid: unary(), HardSwish: unary(), Softplus: unary(), Softsign: unary(), Reciprocal: unary(FLOAT), Sin: unary(), Cos: unary(),
  Tan: unary(), Floor: unary(), Ceil: unary(), Round: unary(FLOAT), IsNaN: unary(FLOAT), IsInf: unary(FLOAT),
  Clip: (d) => {
    const type = d.pick<DataType>(["float32", "int64"]);
    return { inputs: [d.fed(d.shape(), type), d.bool() ? d.fed([], type, 0, 1) : undefined, d.fed([], type, 2, 3)] };
  },
  Gelu: unary(["float32"], "", 20),
  "Gelu.tanh": (d) => ({ ...unary(["float32"], "", 20)(d), attributes: { approximate: attr.string("tanh") } }),
  "Gelu.contrib": unary(["float32"], MS), QuickGelu: unary(["float32"], MS),
  FastGelu: (d) => {
    const shape = d.shape(1);
    return { domain: MS, inputs: [d.fed(shape), ...(d.bool() ? [d.fed(shape.slice(-1))] : [])] };
  },
  BiasGelu: (d) => {
    const shape = d.shape(1);
    return { domain: MS, inputs: [d.fed(shape), d.fed(shape.slice(-1))] };
  },
  Cast: (d) => ({
    inputs: [d.fed(d.shape(), d.pick(["float32", "float64", "int32", "int64", "bool", "uint8", "int8", "float16"]))],
    attributes: { to: attr.dataType(d.pick(["float32", "float64", "int32", "int64", "bool", "uint8", "int8", "float16"])) },
  }),
  Identity: unary(["float32", "float16", "int64", "bool", "uint8"]),
  Dropout: (d) => ({ inputs: [d.fed(d.shape(1))], outputCount: d.int(1, 2) }),
  Softmax: softmax, LogSoftmax: softmax,
  MatMul: (d) => {
    const { a, b } = productShapes(d);
    const type = d.pick(ARITHMETIC);
    return { inputs: [d.fed(a, type), d.fed(b, type)] };
  },
  Gemm: gemm, FusedMatMul: fusedMatMul,
  Transpose: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape)], attributes: d.bool() ? { perm: attr.ints(d.permutation(shape.length)) } : {} };
  },
  Reshape: reshape,
  "Reshape.allowzero": (d) => ({ inputs: [d.fed([0, ...d.shape(0, 2)]), constant([d.int(1, 3), 0])], attributes: { allowzero: attr.int(1) } }),
  Squeeze: squeeze, Unsqueeze: unsqueeze,
  Flatten: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape)], attributes: { axis: attr.int(d.int(-shape.length, shape.length)) } };
  },
  Expand: expand, Concat: concat, Split: split, Slice: slice, Gather: gather, GatherElements: gatherElements, GatherND: gatherND,
  ScatterElements: scatterElements, ScatterND: scatterND,
  Tile: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape), constant(shape.map(() => d.int(0, 3)))] };
  },
  Shape: (d) => ({
    opset: d.pick([13, 15, 17]),
    inputs: [d.fed(d.shape(0, 4), d.pick(["float32", "int64"]))],
  }),
  "Shape.range": (d) => ({ inputs: [d.fed(d.shape(0, 4))], attributes: { start: attr.int(d.int(-5, 5)), end: attr.int(d.int(-5, 5)) } }),
  Size: unary(["float32", "int64"]),
  Range: range,
  ConstantOfShape: (d) => ({
    inputs: [constant(d.shape(1, 3))],
    attributes: d.bool() ? { value: attr.tensor(tensorOf(d.pick(["int64", "float32", "bool"]), [1], [1])) } : {},
  }),
  Constant: (d) => ({ inputs: [], attributes: d.pick<Attributes>([
    { value: attr.tensor(tensorOf("float64", [2, 1], [1, 2])) }, { value_int: attr.int(3) }, { value_ints: attr.ints([1, 2]) },
    { value_float: attr.float(0.5) }, { value_floats: { kind: "floats", value: [1, 2, 3] } },
  ]) }),
  OneHot: oneHot,
  Trilu: (d) => ({ inputs: [d.fed(d.shape(2)), ...(d.bool() ? [constant([d.int(-2, 2)], true)] : [])], attributes: { upper: attr.int(d.int(0, 1)) } }),
  CumSum: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape, d.pick(ARITHMETIC)), constant([d.axis(shape.length)], true, d.pick(["int32", "int64"]))] };
  },
  TopK: topK, Pad: pad,
  ReduceSum: reduction(13), ReduceMean: reduction(18), ReduceMax: reduction(18), ReduceMin: reduction(18), ReduceL1: reduction(18),
  ReduceL2: reduction(18), ReduceSumSquare: reduction(18), ReduceProd: reduction(18), ReduceLogSum: reduction(18), ReduceLogSumExp: reduction(18),
  "ReduceSum.noop": (d) => ({ inputs: [d.fed(d.shape()), ...(d.bool() ? [constant([])] : [])], attributes: { noop_with_empty_axes: attr.int(d.int(0, 1)) } }),
  ArgMax: arg, ArgMin: arg,
  LayerNormalization: layerNorm,
  SimplifiedLayerNormalization: rmsNorm(17, [1, 2]), RMSNormalization: rmsNorm(23, [1]),
  SkipLayerNormalization: skipNorm(true),
  SkipSimplifiedLayerNormalization: skipNorm(false),
  "RotaryEmbedding.contrib": rotaryContrib, RotaryEmbedding: rotary,
  Loop: loop, If: conditional,
};

/** A random valid application of the operator that `name` makes. */
export function drawCase(name: string, gen: fc.GeneratorValue): OnnxCase {
  const make = ONNX_CASES[name]!;
  const parts = make(new Draw(gen));
  return { opType: name.split(".")[0]!, attributes: {}, domain: "", opset: 17, outputCount: 1, ...parts };
}

/** Adds a case to a graph; names start with `prefix`. `symbolic` renames sizes above 1 of the fed inputs to `d<size>`. */
export function addCase(builder: GraphBuilder, item: OnnxCase, prefix: string, symbolic: boolean): { readonly outputs: Value[]; readonly feeds: Readonly<Record<string, Tensor>> } {
  const feeds: Record<string, Tensor> = {};
  const inputs = item.inputs.map((operand, i) => {
    if (operand === undefined) return undefined;
    const { tensor } = operand;
    if (operand.constant) return builder.initializer(tensor, `${prefix}c${i}`);
    const name = `${prefix}x${i}`;
    feeds[name] = tensor;
    return builder.input(name, tensor.type, symbolic ? tensor.shape.map((dim) => (dim > 1 ? `d${dim}` : dim)) : tensor.shape);
  });
  const { opType, attributes, domain, outputCount } = item;
  const outputs = builder.node(opType, inputs, { attributes, domain, outputCount, name: `${prefix}${opType}` });
  for (const value of outputs) builder.output(value);
  return { outputs, feeds };
}

/** The graph of one case. */
export function buildCase(item: OnnxCase, options: { readonly symbolic?: boolean } = {}): { readonly builder: GraphBuilder; readonly outputs: Value[]; readonly feeds: Readonly<Record<string, Tensor>> } {
  const symbolic = options.symbolic === true;
  const builder = new GraphBuilder("main", { opset: item.opset, loose: symbolic });
  return { builder, ...addCase(builder, item, "", symbolic) };
}

/** A graph of several random cases of one operator set; every other one symbolic. */
export function drawGraph(gen: fc.GeneratorValue): Graph {
  const draw = new Draw(gen);
  const names = Object.keys(ONNX_CASES);
  const cases = Array.from({ length: draw.int(1, 5) }, () => drawCase(draw.pick(names), gen));
  const opset = cases[0]!.opset;
  const builder = new GraphBuilder("main", { opset, loose: true });
  cases.filter((item) => item.opset === opset).forEach((item, i) => {
    // Some ranks cannot be known without sizes; those stay numbers.
    const symbolic = draw.bool() && item.opType !== "Squeeze" && item.opType !== "GatherND";
    addCase(builder, item, `n${i}.`, symbolic);
  });
  return builder.build();
}
