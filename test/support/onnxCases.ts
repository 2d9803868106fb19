/**
 * @file Random applications of every operator that shape inference knows: operand
 * shapes, types, values and attributes that are valid for the operator. Used to compare
 * inference with what ONNX Runtime really returns. Not here: gradients, numbers.
 */
import { attr } from "../../src/onnx/attributes.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import type { Attributes, DataType, Graph, Tensor, Value } from "../../src/onnx/types.ts";
import { type CaseParts, constant, Draw, type DrawSource, type OnnxCase, type Operand, tensorOf } from "./onnxDraw.ts";
import {
  concat,
  expand,
  gather,
  gatherElements,
  gatherND,
  oneHot,
  pad,
  range,
  reshape,
  scatterElements,
  scatterND,
  slice,
  split,
  squeeze,
  topK,
  unsqueeze,
} from "./onnxShapeCases.ts";

const unary =
  (types: readonly DataType[] = ["float32"], domain = "", opset = 17) =>
  (d: Draw): CaseParts => ({ inputs: [d.fed(d.shape(), d.pick(types))], domain, opset });

const binary =
  (types: readonly DataType[]) =>
  (d: Draw): CaseParts => {
    const type = d.pick(types);
    return { inputs: d.broadcastable(2).shapes.map((shape) => d.fed(shape, type)) };
  };

const variadic = (d: Draw): CaseParts => ({ inputs: d.broadcastable(d.int(1, 3)).shapes.map((shape) => d.fed(shape)) });

/** A reduction in its attribute or its input form, by operator set. */
const reduction =
  (inputFrom: number) =>
  (d: Draw): CaseParts => {
    const shape = d.shape(1);
    const opset = d.pick([12, 13, 17, 18, 20]);
    const axes = d.bool() ? d.axes(shape.length, 1) : undefined;
    const byInput = opset >= inputFrom;
    return {
      opset,
      inputs: [d.fed(shape), ...(axes !== undefined && byInput ? [constant(axes)] : [])],
      attributes: {
        keepdims: attr.int(d.int(0, 1)),
        ...(axes !== undefined && !byInput ? { axes: attr.ints(axes) } : {}),
      },
    };
  };

const arg = (d: Draw): CaseParts => {
  const shape = d.shape(1);
  return {
    inputs: [d.fed(shape)],
    attributes: { axis: attr.int(d.axis(shape.length)), keepdims: attr.int(d.int(0, 1)) },
  };
};

const softmax = (d: Draw): CaseParts => {
  const shape = d.shape(1);
  return { inputs: [d.fed(shape)], opset: d.pick([11, 13, 17]), attributes: { axis: attr.int(d.axis(shape.length)) } };
};

/** Shapes of a product, 1-dimensional operands and broadcast batches included. */
function productShapes(d: Draw): { readonly a: number[]; readonly b: number[] } {
  const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
  const form = d.int(0, 3);
  const {
    shapes: [left = [], right = []],
  } = d.broadcastable(2);
  return { a: form === 1 ? [k] : [...left.slice(-2), m, k], b: form === 2 ? [k] : [...right.slice(-2), k, n] };
}

function gemm(d: Draw): CaseParts {
  const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
  const [transA, transB] = [d.bool(), d.bool()];
  const c = d.pick([undefined, [m, n], [n], [1, n], [m, 1], []]);
  return {
    inputs: [d.fed(transA ? [k, m] : [m, k]), d.fed(transB ? [n, k] : [k, n]), ...(c === undefined ? [] : [d.fed(c)])],
    attributes: {
      transA: attr.int(Number(transA)),
      transB: attr.int(Number(transB)),
      alpha: attr.float(0.5),
      beta: attr.float(2),
    },
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
      transA: attr.int(Number(transA)),
      transB: attr.int(Number(transB)),
      transBatchA: attr.int(Number(batchA)),
      transBatchB: attr.int(Number(batchB)),
      alpha: attr.float(1),
    },
  };
}

function layerNorm(d: Draw): CaseParts {
  const shape = d.shape(2, 3);
  const axis = d.axis(shape.length);
  const tail = shape.slice(axis);
  return {
    inputs: [d.fed(shape), d.fed(tail), ...(d.bool() ? [d.fed(tail)] : [])],
    attributes: { axis: attr.int(axis) },
    outputCount: d.pick([1, 3]),
  };
}

const rmsNorm =
  (opset: number, outputs: readonly number[]) =>
  (d: Draw): CaseParts => {
    const shape = d.shape(2, 3);
    return {
      opset,
      inputs: [d.fed(shape), d.fed(shape.slice(-1))],
      attributes: { axis: attr.int(-1), epsilon: attr.float(2 ** -16) },
      outputCount: d.pick(outputs),
    };
  };

const skipNorm =
  (withBeta: boolean) =>
  (d: Draw): CaseParts => {
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
      cache(),
      cache(),
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
    inputs: [
      d.fed(flat ? [batch, tokens, heads * half * 2] : [batch, heads, tokens, half * 2]),
      cache(),
      cache(),
      ...(indexed ? [d.fed([batch, tokens], "int64", 0, 7)] : []),
    ],
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
    const value = builder.initializer(
      tensorOf(
        "float32",
        shape,
        Array.from({ length: elementCount(shape) }, () => 1),
      ),
      `${name}_value`,
    );
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
  Add: binary(ARITHMETIC),
  Sub: binary(ARITHMETIC),
  Mul: binary(ARITHMETIC),
  Div: binary(ARITHMETIC),
  Pow: (d) => {
    const {
      shapes: [a = [], b = []],
    } = d.broadcastable(2);
    return { inputs: [d.fed(a, d.pick(["float32", "int32"])), d.fed(b, d.pick(["float32", "int64"]))] };
  },
  Mod: binary(["int32", "int64"]),
  "Mod.float": (d) => ({
    inputs: d.broadcastable(2).shapes.map((shape) => d.fed(shape)),
    attributes: { fmod: attr.int(1) },
  }),
  Min: variadic,
  Max: variadic,
  Sum: variadic,
  Mean: variadic,
  And: binary(["bool"]),
  Or: binary(["bool"]),
  Xor: binary(["bool"]),
  Not: unary(["bool"]),
  Equal: binary(["float32", "int32", "int64", "bool"]),
  Less: binary(ARITHMETIC),
  LessOrEqual: binary(ARITHMETIC),
  Greater: binary(ARITHMETIC),
  GreaterOrEqual: binary(ARITHMETIC),
  Where: (d) => {
    const {
      shapes: [c = [], a = [], b = []],
    } = d.broadcastable(3);
    const type = d.pick<DataType>(["float32", "int64"]);
    return { inputs: [d.fed(c, "bool", 0, 1), d.fed(a, type), d.fed(b, type)] };
  },
  Neg: unary(ARITHMETIC),
  Abs: unary(ARITHMETIC),
  Sign: unary(ARITHMETIC),
  Sqrt: unary(FLOAT),
  Exp: unary(FLOAT),
  Log: unary(FLOAT),
  Erf: unary(),
  Tanh: unary(FLOAT),
  Sigmoid: unary(FLOAT),
  Relu: unary(FLOAT),
  LeakyRelu: unary(),
  Elu: unary(),
  Selu: unary(),
  HardSigmoid: unary(),
  HardSwish: unary(),
  Softplus: unary(),
  Softsign: unary(),
  Reciprocal: unary(FLOAT),
  Sin: unary(),
  Cos: unary(),
  Tan: unary(),
  Floor: unary(),
  Ceil: unary(),
  Round: unary(FLOAT),
  IsNaN: unary(FLOAT),
  IsInf: unary(FLOAT),
  Clip: (d) => {
    const type = d.pick<DataType>(["float32", "int64"]);
    return { inputs: [d.fed(d.shape(), type), d.bool() ? d.fed([], type, 0, 1) : undefined, d.fed([], type, 2, 3)] };
  },
  Gelu: unary(["float32"], "", 20),
  "Gelu.tanh": (d) => ({ ...unary(["float32"], "", 20)(d), attributes: { approximate: attr.string("tanh") } }),
  "Gelu.contrib": unary(["float32"], MS),
  QuickGelu: unary(["float32"], MS),
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
    attributes: {
      to: attr.dataType(d.pick(["float32", "float64", "int32", "int64", "bool", "uint8", "int8", "float16"])),
    },
  }),
  Identity: unary(["float32", "float16", "int64", "bool", "uint8"]),
  Dropout: (d) => ({ inputs: [d.fed(d.shape(1))], outputCount: d.int(1, 2) }),
  Softmax: softmax,
  LogSoftmax: softmax,
  MatMul: (d) => {
    const { a, b } = productShapes(d);
    const type = d.pick(ARITHMETIC);
    return { inputs: [d.fed(a, type), d.fed(b, type)] };
  },
  Gemm: gemm,
  FusedMatMul: fusedMatMul,
  Transpose: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape)], attributes: d.bool() ? { perm: attr.ints(d.permutation(shape.length)) } : {} };
  },
  Reshape: reshape,
  "Reshape.allowzero": (d) => ({
    inputs: [d.fed([0, ...d.shape(0, 2)]), constant([d.int(1, 3), 0])],
    attributes: { allowzero: attr.int(1) },
  }),
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Flatten: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape)], attributes: { axis: attr.int(d.int(-shape.length, shape.length)) } };
  },
  Expand: expand,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  Tile: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.fed(shape), constant(shape.map(() => d.int(0, 3)))] };
  },
  Shape: (d) => ({
    opset: d.pick([13, 15, 17]),
    inputs: [d.fed(d.shape(0, 4), d.pick(["float32", "int64"]))],
  }),
  "Shape.range": (d) => ({
    inputs: [d.fed(d.shape(0, 4))],
    attributes: { start: attr.int(d.int(-5, 5)), end: attr.int(d.int(-5, 5)) },
  }),
  Size: unary(["float32", "int64"]),
  Range: range,
  ConstantOfShape: (d) => ({
    inputs: [constant(d.shape(1, 3))],
    attributes: d.bool() ? { value: attr.tensor(tensorOf(d.pick(["int64", "float32", "bool"]), [1], [1])) } : {},
  }),
  Constant: (d) => ({
    inputs: [],
    attributes: d.pick<Attributes>([
      { value: attr.tensor(tensorOf("float64", [2, 1], [1, 2])) },
      { value_int: attr.int(3) },
      { value_ints: attr.ints([1, 2]) },
      { value_float: attr.float(0.5) },
      { value_floats: { kind: "floats", value: [1, 2, 3] } },
    ]),
  }),
  OneHot: oneHot,
  Trilu: (d) => ({
    inputs: [d.fed(d.shape(2)), ...(d.bool() ? [constant([d.int(-2, 2)], true)] : [])],
    attributes: { upper: attr.int(d.int(0, 1)) },
  }),
  CumSum: (d) => {
    const shape = d.shape(1);
    return {
      inputs: [d.fed(shape, d.pick(ARITHMETIC)), constant([d.axis(shape.length)], true, d.pick(["int32", "int64"]))],
    };
  },
  TopK: topK,
  Pad: pad,
  ReduceSum: reduction(13),
  ReduceMean: reduction(18),
  ReduceMax: reduction(18),
  ReduceMin: reduction(18),
  ReduceL1: reduction(18),
  ReduceL2: reduction(18),
  ReduceSumSquare: reduction(18),
  ReduceProd: reduction(18),
  ReduceLogSum: reduction(18),
  ReduceLogSumExp: reduction(18),
  "ReduceSum.noop": (d) => ({
    inputs: [d.fed(d.shape()), ...(d.bool() ? [constant([])] : [])],
    attributes: { noop_with_empty_axes: attr.int(d.int(0, 1)) },
  }),
  ArgMax: arg,
  ArgMin: arg,
  LayerNormalization: layerNorm,
  SimplifiedLayerNormalization: rmsNorm(17, [1, 2]),
  RMSNormalization: rmsNorm(23, [1]),
  SkipLayerNormalization: skipNorm(true),
  SkipSimplifiedLayerNormalization: skipNorm(false),
  "RotaryEmbedding.contrib": rotaryContrib,
  RotaryEmbedding: rotary,
  Loop: loop,
  If: conditional,
};

/** A random valid application of the operator that `name` makes. */
export function drawCase(name: string, source: DrawSource): OnnxCase {
  const make = ONNX_CASES[name]!;
  const parts = make(new Draw(source));
  return { opType: name.split(".")[0]!, attributes: {}, domain: "", opset: 17, outputCount: 1, ...parts };
}

/** Adds a case to a graph; names start with `prefix`. `symbolic` renames sizes above 1 of the fed inputs to `d<size>`. */
export function addCase(
  builder: GraphBuilder,
  item: OnnxCase,
  prefix: string,
  symbolic: boolean,
): { readonly outputs: Value[]; readonly feeds: Readonly<Record<string, Tensor>> } {
  const feeds: Record<string, Tensor> = {};
  const inputs = item.inputs.map((operand, i) => {
    if (operand === undefined) return undefined;
    const { tensor } = operand;
    if (operand.constant) return builder.initializer(tensor, `${prefix}c${i}`);
    const name = `${prefix}x${i}`;
    feeds[name] = tensor;
    return builder.input(
      name,
      tensor.type,
      symbolic ? tensor.shape.map((dim) => (dim > 1 ? `d${dim}` : dim)) : tensor.shape,
    );
  });
  const { opType, attributes, domain, outputCount } = item;
  const outputs = builder.node(opType, inputs, { attributes, domain, outputCount, name: `${prefix}${opType}` });
  for (const value of outputs) builder.output(value);
  return { outputs, feeds };
}

/** The graph of one case. */
export function buildCase(
  item: OnnxCase,
  options: { readonly symbolic?: boolean } = {},
): { readonly builder: GraphBuilder; readonly outputs: Value[]; readonly feeds: Readonly<Record<string, Tensor>> } {
  const symbolic = options.symbolic === true;
  const builder = new GraphBuilder("main", { opset: item.opset, loose: symbolic });
  return { builder, ...addCase(builder, item, "", symbolic) };
}

/** A graph of several random cases of one operator set; every other one symbolic. */
export function drawGraph(source: DrawSource): Graph {
  const draw = new Draw(source);
  const names = Object.keys(ONNX_CASES);
  const cases = Array.from({ length: draw.int(1, 5) }, () => drawCase(draw.pick(names), source));
  const opset = cases[0]!.opset;
  const builder = new GraphBuilder("main", { opset, loose: true });
  cases
    .filter((item) => item.opset === opset)
    .forEach((item, i) => {
      // Some ranks cannot be known without sizes; those stay numbers.
      const symbolic = draw.bool() && item.opType !== "Squeeze" && item.opType !== "GatherND";
      addCase(builder, item, `n${i}.`, symbolic);
    });
  return builder.build();
}
