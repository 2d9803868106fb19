/**
 * @file Operators of the float64 reference evaluator: elementwise functions,
 * linear algebra, reductions and normalisations, written from the ONNX operator
 * documents (and ONNX Runtime's contrib documents), not from `src`. The ones
 * that only move data are in `float64ShapeOperators.ts`.
 */
import type { NdArray } from "./ndarray.ts";
import { at, axisOf, generate, map, matmul, reduce, sizeOf, transpose } from "./ndarray.ts";
import type { Operator, OperatorCall } from "./float64OperatorCall.ts";
import { floatOf, input, intOf, intsOf, listOf, scalarOf, stringOf } from "./float64OperatorCall.ts";
import { SHAPE_OPERATORS } from "./float64ShapeOperators.ts";

/** Error function: Taylor series below 3, continued fraction of erfc above; ~1e-12 relative. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const geluExact = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const unary =
  (f: (x: number) => number): Operator =>
  (call) => [map(f, input(call, 0))];
const binary =
  (f: (a: number, b: number) => number): Operator =>
  (call) => [map(f, input(call, 0), input(call, 1))];
const variadic =
  (f: (values: number[]) => number): Operator =>
  (call) => [map((...v) => f(v), ...call.inputs.map((_, i) => input(call, i)))];

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const logSumExp = (values: readonly number[]): number => {
  const top = Math.max(...values);
  return top + Math.log(sum(values.map((v) => Math.exp(v - top))));
};

/** Axes of a reduction: attribute or second input; none means all, or no-op when so asked. */
function reduction(f: (values: number[]) => number): Operator {
  return (call) => {
    const x = input(call, 0);
    const given = intsOf(call, "axes") ?? (call.inputs[1] === undefined ? undefined : listOf(call, 1));
    if ((given === undefined || given.length === 0) && intOf(call, "noop_with_empty_axes", 0) === 1) return [x];
    const axes =
      given === undefined || given.length === 0
        ? x.shape.map((_, i) => i)
        : given.map((a) => axisOf(a, x.shape.length));
    return [reduce(x, axes, intOf(call, "keepdims", 1) === 1, f)];
  };
}

/** Applies `f` to the whole block of trailing axes from `axis` on, as vectors. */
function alongTrailing(x: NdArray, axis: number, f: (row: Float64Array) => ArrayLike<number>): NdArray {
  const width = sizeOf(x.shape.slice(axis));
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width) data.set(f(x.data.subarray(start, start + width)), start);
  return { shape: x.shape, data };
}

function softmaxLike(f: (row: Float64Array) => number[]): Operator {
  return (call) => {
    const x = input(call, 0);
    const rank = x.shape.length;
    if (call.opset < 13) return [alongTrailing(x, axisOf(intOf(call, "axis", 1), rank), f)];
    const axis = axisOf(intOf(call, "axis", -1), rank);
    const perm = [...x.shape.keys()].filter((i) => i !== axis).concat(axis);
    const back = perm.map((_, i) => perm.indexOf(i));
    return [transpose(alongTrailing(transpose(x, perm), rank - 1, f), back)];
  };
}

const swapLast = (a: NdArray): NdArray =>
  transpose(a, [...a.shape.keys()].slice(0, -2).concat(a.shape.length - 1, a.shape.length - 2));

const gemm: Operator = (call) => {
  const a = intOf(call, "transA", 0) ? swapLast(input(call, 0)) : input(call, 0);
  const b = intOf(call, "transB", 0) ? swapLast(input(call, 1)) : input(call, 1);
  const product = map((v) => v * floatOf(call, "alpha", 1), matmul(a, b));
  return [
    call.inputs[2] === undefined ? product : map((p, c) => p + c * floatOf(call, "beta", 1), product, input(call, 2)),
  ];
};

const fusedMatMul: Operator = (call) => {
  const a = intOf(call, "transA", 0) ? swapLast(input(call, 0)) : input(call, 0);
  const b = intOf(call, "transB", 0) ? swapLast(input(call, 1)) : input(call, 1);
  return [map((v) => v * floatOf(call, "alpha", 1), matmul(a, b))];
};

/** `(x − centre·mean) / sqrt(mean((x − centre·mean)²) + ε) · scale + bias`, with the statistics. */
function normalize(
  x: NdArray,
  scale: NdArray,
  bias: NdArray | undefined,
  axisAttribute: number,
  epsilon: number,
  centre: boolean,
): { y: NdArray; mean: NdArray; inverse: NdArray } {
  const axis = axisOf(axisAttribute, x.shape.length);
  const axes = x.shape.map((_, i) => i).filter((i) => i >= axis);
  const mean = reduce(x, axes, true, (v) => (centre ? sum(v) / v.length : 0));
  const centred = map((a, m) => a - m, x, mean);
  const inverse = reduce(centred, axes, true, (v) => 1 / Math.sqrt(sum(v.map((c) => c * c)) / v.length + epsilon));
  const scaled = map((c, i, s) => c * i * s, centred, inverse, scale);
  return { y: bias === undefined ? scaled : map((v, b) => v + b, scaled, bias), mean, inverse };
}

const layerNormalization: Operator = (call) => {
  const bias = call.inputs[2];
  const { y, mean, inverse } = normalize(
    input(call, 0),
    input(call, 1),
    bias,
    intOf(call, "axis", -1),
    floatOf(call, "epsilon", 1e-5),
    true,
  );
  return [y, mean, inverse];
};
const rmsNormalization: Operator = (call) => {
  const { y, inverse } = normalize(
    input(call, 0),
    input(call, 1),
    undefined,
    intOf(call, "axis", -1),
    floatOf(call, "epsilon", 1e-5),
    false,
  );
  return [y, inverse];
};
const skipNormalization =
  (centre: boolean): Operator =>
  (call) => {
    const [beta, bias] = centre ? [call.inputs[3], call.inputs[4]] : [undefined, call.inputs[3]];
    let total = map((a, b) => a + b, input(call, 0), input(call, 1));
    if (bias !== undefined) total = map((a, b) => a + b, total, bias);
    const { y, mean, inverse } = normalize(total, input(call, 2), beta, -1, floatOf(call, "epsilon", 1e-12), centre);
    return [y, mean, inverse, total];
  };

/** Rotary position embedding, [B, N, T, H] or [B, T, N·H]; the contrib and the ONNX form differ in input order. */
function rotary(
  call: OperatorCall,
  x: NdArray,
  angle: (batch: number, position: number, pair: number) => { cos: number; sin: number },
  headSize: number,
  rotated: number,
): NdArray {
  const interleaved = intOf(call, "interleaved", 0) === 1;
  const half = rotated / 2;
  return generate(x.shape, (index) => {
    const batch = index[0]!;
    const position = x.shape.length === 4 ? index[2]! : index[1]!;
    const last = index[index.length - 1]!;
    const lane = last % headSize;
    const value = (other: number): number => at(x, [...index.slice(0, -1), last - lane + other]);
    if (lane >= rotated) return value(lane);
    const pair = interleaved ? lane >> 1 : lane % half;
    const first = interleaved ? lane % 2 === 0 : lane < half;
    const partner = interleaved ? (first ? lane + 1 : lane - 1) : first ? lane + half : lane - half;
    const { cos, sin } = angle(batch, position, pair);
    return value(lane) * cos + (first ? -1 : 1) * value(partner) * sin;
  });
}

const contribRotary: Operator = (call) => {
  const [x, ids, cos, sin] = [input(call, 0), input(call, 1), input(call, 2), input(call, 3)];
  const heads = intOf(call, "num_heads", 0);
  const headSize = x.shape.length === 4 ? x.shape[3]! : heads > 0 ? x.shape[2]! / heads : cos.shape[1]! * 2;
  const rotated = intOf(call, "rotary_embedding_dim", 0) || headSize;
  const angle = (batch: number, position: number, pair: number): { cos: number; sin: number } => {
    const row = ids.data.length === 1 ? ids.data[0]! + position : at(ids, [batch, position]);
    return { cos: at(cos, [row, pair]), sin: at(sin, [row, pair]) };
  };
  return [rotary(call, x, angle, headSize, rotated)];
};

const onnxRotary: Operator = (call) => {
  const [x, cos, sin, ids] = [input(call, 0), input(call, 1), input(call, 2), call.inputs[3]];
  const heads = intOf(call, "num_heads", 0);
  const headSize = x.shape.length === 4 ? x.shape[3]! : x.shape[2]! / heads;
  const rotated = intOf(call, "rotary_embedding_dim", 0) || headSize;
  const angle = (batch: number, position: number, pair: number): { cos: number; sin: number } => {
    const index = ids === undefined ? [batch, position, pair] : [at(ids, [batch, position]), pair];
    return { cos: at(cos, index), sin: at(sin, index) };
  };
  return [rotary(call, x, angle, headSize, rotated)];
};

const clip: Operator = (call) => {
  const low = call.inputs[1] === undefined ? floatOf(call, "min", -Infinity) : scalarOf(call, 1);
  const high = call.inputs[2] === undefined ? floatOf(call, "max", Infinity) : scalarOf(call, 2);
  return [map((x) => Math.min(Math.max(x, low), high), input(call, 0))];
};

const cast: Operator = (call) => {
  const type = call.outputTypes[0];
  const convert =
    type === "bool" ? (x: number) => (x === 0 ? 0 : 1) : type?.startsWith("float") ? (x: number) => x : Math.trunc;
  return [map(convert, input(call, 0))];
};

const argMax: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(intOf(call, "axis", 0), x.shape.length);
  return [reduce(x, [axis], intOf(call, "keepdims", 1) === 1, (v) => v.indexOf(Math.max(...v)))];
};

/** By "domain:OpType". */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  ...SHAPE_OPERATORS,
  ":Add": binary((a, b) => a + b),
  ":Sub": binary((a, b) => a - b),
  ":Mul": binary((a, b) => a * b),
  ":Div": (call) => [
    map(
      call.outputTypes[0]?.startsWith("float") === false ? (a, b) => Math.trunc(a / b) : (a, b) => a / b,
      input(call, 0),
      input(call, 1),
    ),
  ],
  ":Pow": binary((a, b) => a ** b),
  ":Neg": unary((x) => -x),
  ":Abs": unary(Math.abs),
  ":Sign": unary(Math.sign),
  ":Floor": unary(Math.floor),
  ":Sqrt": unary(Math.sqrt),
  ":Exp": unary(Math.exp),
  ":Log": unary(Math.log),
  ":Erf": unary(erf),
  ":Tanh": unary(Math.tanh),
  ":Sigmoid": unary(sigmoid),
  ":Relu": unary((x) => Math.max(x, 0)),
  ":LeakyRelu": (call) => [map((x) => (x < 0 ? floatOf(call, "alpha", 0.01) * x : x), input(call, 0))],
  ":Elu": (call) => [map((x) => (x < 0 ? floatOf(call, "alpha", 1) * Math.expm1(x) : x), input(call, 0))],
  ":Reciprocal": unary((x) => 1 / x),
  ":Sin": unary(Math.sin),
  ":Cos": unary(Math.cos),
  ":Softplus": unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  ":Gelu": (call) => [map(stringOf(call, "approximate", "none") === "tanh" ? geluTanh : geluExact, input(call, 0))],
  "com.microsoft:Gelu": unary(geluExact),
  "com.microsoft:FastGelu": (call) => [
    map((x, b) => geluTanh(x + b), input(call, 0), call.inputs[1] ?? { shape: [], data: Float64Array.of(0) }),
  ],
  "com.microsoft:QuickGelu": (call) => [map((x) => x * sigmoid(floatOf(call, "alpha", 1.702) * x), input(call, 0))],
  ":Clip": clip,
  ":Dropout": (call) => [input(call, 0)],
  ":Min": variadic((v) => Math.min(...v)),
  ":Max": variadic((v) => Math.max(...v)),
  ":Sum": variadic(sum),
  ":Mean": variadic((v) => sum(v) / v.length),
  ":Equal": binary((a, b) => +(a === b)),
  ":Less": binary((a, b) => +(a < b)),
  ":LessOrEqual": binary((a, b) => +(a <= b)),
  ":Greater": binary((a, b) => +(a > b)),
  ":GreaterOrEqual": binary((a, b) => +(a >= b)),
  ":And": binary((a, b) => a & b),
  ":Or": binary((a, b) => a | b),
  ":Not": unary((x) => 1 - x),
  ":Where": (call) => [map((c, a, b) => (c ? a : b), input(call, 0), input(call, 1), input(call, 2))],
  ":Cast": cast,
  ":Softmax": softmaxLike((row) => Array.from(row, (v) => Math.exp(v - logSumExp([...row])))),
  ":LogSoftmax": softmaxLike((row) => Array.from(row, (v) => v - logSumExp([...row]))),
  ":MatMul": (call) => [matmul(input(call, 0), input(call, 1))],
  ":Gemm": gemm,
  "com.microsoft:FusedMatMul": fusedMatMul,
  ":ReduceSum": reduction(sum),
  ":ReduceMean": reduction((v) => sum(v) / v.length),
  ":ReduceMax": reduction((v) => Math.max(...v)),
  ":ReduceMin": reduction((v) => Math.min(...v)),
  ":ReduceL1": reduction((v) => sum(v.map(Math.abs))),
  ":ReduceL2": reduction((v) => Math.hypot(...v)),
  ":ReduceSumSquare": reduction((v) => sum(v.map((x) => x * x))),
  ":ReduceLogSum": reduction((v) => Math.log(sum(v))),
  ":ReduceLogSumExp": reduction(logSumExp),
  ":ArgMax": argMax,
  ":LayerNormalization": layerNormalization,
  ":SimplifiedLayerNormalization": rmsNormalization,
  ":RMSNormalization": rmsNormalization,
  "com.microsoft:SkipSimplifiedLayerNormalization": skipNormalization(false),
  "com.microsoft:SkipLayerNormalization": skipNormalization(true),
  "com.microsoft:RotaryEmbedding": contribRotary,
  ":RotaryEmbedding": onnxRotary,
};
