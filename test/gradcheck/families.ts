/**
 * @file Random cases for every gradient rule: shapes with broadcasting, scalars,
 * size-1 dimensions, negative axes, repeated and negative indices. The suite fails
 * when a registered rule has no family here.
 */
import { attr } from "../../src/onnx/attributes.ts";
import type { Attribute, Attributes, Value } from "../../src/onnx/types.ts";
import type { CaseBody, CaseBuilder, GradcheckFamily } from "../support/gradcheckCase.ts";
import { INDEX_FAMILIES } from "./indexFamilies.ts";
import { SHAPE_FAMILIES } from "./shapeFamilies.ts";

const MS = "com.microsoft";

const family = (operator: string, body: CaseBody, extra: Partial<GradcheckFamily> = {}): GradcheckFamily => ({
  operator,
  name: operator.replace(":", "_"),
  body,
  ...extra,
});

const unary = (
  opType: string,
  draw?: (c: CaseBuilder) => () => number,
  domain = "",
  attributes: (c: CaseBuilder) => Attributes = () => ({}),
  extra: Partial<GradcheckFamily> = {},
): GradcheckFamily =>
  family(
    `${domain}:${opType}`,
    (c) => c.op(opType, [c.x(c.shape(c.rng.integer(0, 3)), draw?.(c))], attributes(c), domain),
    extra,
  );

const binary = (
  opType: string,
  left?: (c: CaseBuilder) => () => number,
  right?: (c: CaseBuilder) => () => number,
): GradcheckFamily =>
  family(`:${opType}`, (c) => {
    const [a, b] = c.broadcastable(2);
    return c.op(opType, [c.x(a!, left?.(c)), c.x(b!, right?.(c))]);
  });

/** Two to four operands; now and then the same one twice. */
const variadic = (opType: string): GradcheckFamily =>
  family(`:${opType}`, (c) =>
    c.op(
      opType,
      c.broadcastable(c.rng.integer(1, 4)).map((shape) => c.distinct(shape)),
    ),
  );

const positive = (c: CaseBuilder): (() => number) => c.uniform(0.4, 2.5);
const nonZero =
  (c: CaseBuilder): (() => number) =>
  () =>
    (c.flip() ? 1 : -1) * (0.4 + 2 * c.rng.uniform());

/** Reductions; `axes` as attribute or input by operator set, all axes when left out. */
function reduction(
  opType: string,
  draw: "normal" | "positive" | "nonZero" | "distinct",
  axesInput: boolean,
): GradcheckFamily {
  return family(
    `:${opType}`,
    (c) => {
      const shape = c.shape(c.rng.integer(1, 4), 3);
      const x =
        draw === "distinct"
          ? c.distinct(shape)
          : c.x(shape, draw === "positive" ? positive(c) : draw === "nonZero" ? nonZero(c) : undefined);
      const attributes: Record<string, Attribute> = { keepdims: attr.int(c.flip() ? 1 : 0) };
      const axes = c.rng.uniform() < 0.2 ? undefined : c.axes(shape.length);
      if (axes !== undefined && !axesInput) attributes["axes"] = attr.ints(axes);
      return c.op(opType, axes !== undefined && axesInput ? [x, c.graph.ints(axes)] : [x], attributes);
    },
    axesInput && opType !== "ReduceSum" ? { opset: 18, name: `_${opType}_18` } : {},
  );
}

const softmaxLike = (opType: string): GradcheckFamily =>
  family(`:${opType}`, (c) => {
    const shape = c.shape(c.rng.integer(1, 4));
    return c.op(opType, [c.x(shape)], c.rng.uniform() < 0.3 ? {} : { axis: attr.int(c.axis(shape.length)) });
  });

/** Operand shapes of a matrix product: vectors, matrices, broadcast batches. */
function productShapes(c: CaseBuilder): [number[], number[]] {
  const [m, k, n] = c.shape(3) as [number, number, number];
  const [batchA, batchB] = c.broadcastable(2) as [number[], number[]];
  const style = c.rng.integer(0, 6);
  if (style === 0) return [[k], [k]];
  if (style === 1) return [[...batchA.slice(0, 2), m, k], [k]];
  if (style === 2) return [[k], [...batchB.slice(0, 2), k, n]];
  if (style === 3)
    return [
      [...batchA.slice(0, 2), m, k],
      [k, n],
    ];
  if (style === 4)
    return [
      [m, k],
      [...batchB.slice(0, 2), k, n],
    ];
  const [left, right] = [batchA.slice(-2), batchB.slice(-2)];
  return [
    [...left, m, k],
    [...right, k, n],
  ];
}

const swap = (shape: readonly number[]): number[] => [...shape.slice(0, -2), ...shape.slice(-2).reverse()];

const gemm: CaseBody = (c) => {
  const [m, k, n] = c.shape(3) as [number, number, number];
  const [transA, transB] = [c.flip(), c.flip()];
  const biasShape = c.rng.pick<number[] | undefined>([undefined, [], [1], [n], [1, n], [m, 1], [m, n]]);
  const inputs = [
    c.x(transA ? [k, m] : [m, k]),
    c.x(transB ? [n, k] : [k, n]),
    ...(biasShape === undefined ? [] : [c.x(biasShape)]),
  ];
  const attributes: Record<string, Attribute> = { transA: attr.int(+transA), transB: attr.int(+transB) };
  if (c.flip()) attributes["alpha"] = attr.float(0.5);
  if (c.flip()) attributes["beta"] = attr.float(-1.25);
  return c.op("Gemm", inputs, attributes);
};

const fusedMatMul: CaseBody = (c) => {
  const [m, k, n] = c.shape(3) as [number, number, number];
  const [left, right] = c.broadcastable(2).map((shape) => shape.slice(-2)) as [number[], number[]];
  const [transA, transB] = [c.flip(), c.flip()];
  const [a, b] = [
    [...left, m, k],
    [...(c.flip() ? [] : right), k, n],
  ];
  return c.op(
    "FusedMatMul",
    [c.x(transA ? swap(a) : a), c.x(transB ? swap(b) : b)],
    { transA: attr.int(+transA), transB: attr.int(+transB), alpha: attr.float(0.75) },
    MS,
  );
};

/** A normalisation over the axes from a random one on. */
const normalization =
  (opType: string, withBias: boolean, lastAxisOnly: boolean): CaseBody =>
  (c) => {
    const shape = [...c.shape(c.rng.integer(1, 3), 3), c.rng.integer(2, 5)];
    const first = lastAxisOnly || c.flip() ? shape.length - 1 : c.rng.integer(1, shape.length - 1);
    const axis = c.flip() ? first : first - shape.length;
    const inputs = [c.x(shape), c.x(shape.slice(first)), ...(withBias && c.flip() ? [c.x(shape.slice(first))] : [])];
    return c.op(opType, inputs, { axis: attr.int(axis), epsilon: attr.float(0.01) });
  };

const skipNormalization =
  (opType: string, centred: boolean): CaseBody =>
  (c) => {
    const shape = [...c.shape(2, 3), 4 * c.rng.integer(1, 2)];
    const width = shape.slice(-1);
    const inputs: (Value | undefined)[] = [c.x(shape), c.x(shape), c.x(width)];
    if (centred) inputs.push(c.x(width));
    if (c.flip()) inputs.push(c.x(width));
    const style = c.rng.integer(0, 2);
    const outputs = c.graph.node(opType, inputs, {
      domain: MS,
      attributes: { epsilon: attr.float(0.01) },
      ...(style === 0 ? {} : { outputs: [c.graph.freshName("y"), "", "", c.graph.freshName("sum")] }),
    });
    if (style === 0) return outputs[0]!;
    return style === 1 ? [outputs[0]!, outputs[3]!] : [outputs[0]!];
  };

const contribRotary: CaseBody = (c) => {
  const [batch, heads, length] = c.shape(3, 3) as [number, number, number];
  const size = 2 * c.rng.integer(1, 3);
  const flat = c.flip();
  const x = c.x(flat ? [batch, length, heads * size] : [batch, heads, length, size]);
  const positions = 5;
  const ids = c.constantIds(
    [batch, length],
    Array.from({ length: batch * length }, () => c.rng.integer(0, positions - 1)),
  );
  return c.op(
    "RotaryEmbedding",
    [x, ids, c.data([positions, size / 2]), c.data([positions, size / 2])],
    { interleaved: attr.int(+c.flip()), ...(flat ? { num_heads: attr.int(heads) } : {}) },
    MS,
  );
};

const onnxRotary: CaseBody = (c) => {
  const [batch, heads, length] = c.shape(3, 3) as [number, number, number];
  const size = 2 * c.rng.integer(1, 3);
  return c.op(
    "RotaryEmbedding",
    [c.x([batch, heads, length, size]), c.data([batch, length, size / 2]), c.data([batch, length, size / 2])],
    { interleaved: attr.int(+c.flip()) },
  );
};

/** Constant exponents that have their own form, and tensors of positive bases. */
const pow: CaseBody = (c) => {
  const [a, b] = c.broadcastable(2) as [number[], number[]];
  const style = c.rng.integer(0, 3);
  if (style === 0) return c.op("Pow", [c.x(a, positive(c)), c.x(b)]);
  if (style === 1) return c.op("Pow", [c.x(a, nonZero(c)), c.float(c.rng.pick([0, 1, 2, 3, 4, -1, -2]))]);
  if (style === 2) return c.op("Pow", [c.x(a, positive(c)), c.float(c.rng.pick([0.5, 1.5, -0.5]))]);
  return c.op("Pow", [c.x(a, positive(c)), c.data(b)]);
};

const clip: CaseBody = (c) => {
  const shape = c.shape();
  const x = c.x(shape, c.awayFrom(-0.7, 0.6, 0.9));
  const low = c.flip() ? c.x([], () => c.rng.pick([-0.7, 0.9])) : undefined;
  const high = c.flip() ? c.x([], () => 0.6) : undefined;
  return c.op("Clip", [x, low, high]);
};

const elementwise: readonly GradcheckFamily[] = [
  binary("Add"),
  binary("Sub"),
  binary("Mul"),
  binary("Div", undefined, nonZero),
  family(
    ":Mul",
    (c) => {
      const x = c.x(c.shape());
      return c.op("Mul", [x, x]);
    },
    { name: "_Mul_same" },
  ),
  family(":Pow", pow),
  unary("Neg"),
  unary("Identity"),
  unary("Dropout"),
  variadic("Sum"),
  variadic("Mean"),
  variadic("Min"),
  variadic("Max"),
  family(":Clip", clip),
  family(":Where", (c) => {
    const [condition, a, b] = c.broadcastable(3);
    return c.op("Where", [c.mask(condition!), c.x(a!), c.x(b!)]);
  }),
  family(":Cast", (c) =>
    c.op("Mul", [
      c.op("Cast", [c.x(c.shape())], { to: attr.dataType(c.type) }),
      c.op("Cast", [c.mask([1])], { to: attr.dataType(c.type) }),
    ]),
  ),
  unary("Sqrt", positive),
  unary("Exp"),
  unary("Log", positive),
  unary("Reciprocal", nonZero),
  unary("Sin"),
  unary("Cos"),
  unary("Tanh"),
  unary("Sigmoid"),
  unary("Softplus"),
  unary("Erf"),
  unary("Relu", (c) => c.awayFrom(0)),
  unary(
    "LeakyRelu",
    (c) => c.awayFrom(0),
    "",
    (c) => (c.flip() ? { alpha: attr.float(0.2) } : {}),
  ),
  unary(
    "Elu",
    (c) => c.awayFrom(0),
    "",
    (c) => (c.flip() ? { alpha: attr.float(0.7) } : {}),
  ),
  unary("Abs", (c) => c.awayFrom(0)),
  unary("Gelu", undefined, "", (c) => ({ approximate: attr.string(c.flip() ? "tanh" : "none") }), { opset: 20 }),
  unary("Gelu", undefined, MS),
  unary("QuickGelu", undefined, MS, (c) => (c.flip() ? { alpha: attr.float(1) } : {})),
  family(`${MS}:FastGelu`, (c) => {
    const shape = c.shape();
    return c.op("FastGelu", [c.x(shape), ...(c.flip() ? [c.x(shape.slice(-1))] : [])], {}, MS);
  }),
];

const matrices: readonly GradcheckFamily[] = [
  family(":MatMul", (c) => {
    const [a, b] = productShapes(c);
    return c.op("MatMul", [c.x(a), c.x(b)]);
  }),
  family(":Gemm", gemm),
  family(`${MS}:FusedMatMul`, fusedMatMul),
];

const reductions: readonly GradcheckFamily[] = [
  reduction("ReduceSum", "normal", true),
  reduction("ReduceMean", "normal", false),
  reduction("ReduceMean", "normal", true),
  reduction("ReduceMax", "distinct", false),
  reduction("ReduceMax", "distinct", true),
  reduction("ReduceMin", "distinct", false),
  reduction("ReduceL1", "nonZero", false),
  reduction("ReduceL2", "nonZero", false),
  reduction("ReduceSumSquare", "normal", false),
  reduction("ReduceLogSum", "positive", false),
  reduction("ReduceLogSumExp", "normal", false),
  reduction("ReduceLogSumExp", "normal", true),
  softmaxLike("Softmax"),
  softmaxLike("LogSoftmax"),
];

const normalizations: readonly GradcheckFamily[] = [
  family(":LayerNormalization", normalization("LayerNormalization", true, false)),
  family(":SimplifiedLayerNormalization", normalization("SimplifiedLayerNormalization", false, true)),
  family(":RMSNormalization", normalization("RMSNormalization", false, false), { opset: 23 }),
  family(`${MS}:SkipLayerNormalization`, skipNormalization("SkipLayerNormalization", true)),
  family(`${MS}:SkipSimplifiedLayerNormalization`, skipNormalization("SkipSimplifiedLayerNormalization", false)),
];

const sequences: readonly GradcheckFamily[] = [
  family(":Trilu", (c) => {
    const shape = [...c.shape(c.rng.integer(0, 2), 2), ...c.shape(2)];
    return c.op("Trilu", c.flip() ? [c.x(shape)] : [c.x(shape), c.constantIds([], [c.rng.integer(-2, 2)])], {
      upper: attr.int(+c.flip()),
    });
  }),
  family(":CumSum", (c) => {
    const shape = c.shape();
    return c.op("CumSum", [c.x(shape), c.constantIds([], [c.axis(shape.length)])], {
      exclusive: attr.int(+c.flip()),
      reverse: attr.int(+c.flip()),
    });
  }),
  family(`${MS}:RotaryEmbedding`, contribRotary),
  family(":RotaryEmbedding", onnxRotary, { opset: 23 }),
];

/** Every family; names are unique. */
export const FAMILIES: readonly GradcheckFamily[] = [
  ...elementwise,
  ...matrices,
  ...SHAPE_FAMILIES,
  ...INDEX_FAMILIES,
  ...reductions,
  ...normalizations,
  ...sequences,
];
