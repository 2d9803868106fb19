/**
 * @file Gradient rules of matrix products. A product with a matrix (a linear layer)
 * becomes one Gemm with transposition flags for each gradient; batched products
 * stay MatMul, which ONNX Runtime fuses with the Transpose on its CPU providers.
 */
import { productOfDims } from "../../onnx/dims.ts";
import type { Shape, Value } from "../../onnx/types.ts";
import type { GradientRule, RuleContext } from "../rule.ts";
import { nth } from "../rule.ts";

/** The last two dimensions of `shape` alone, when all before them are 1. */
const isMatrix = (shape: Shape): boolean => shape.length >= 2 && shape.slice(0, -2).every((dim) => dim === 1);

/** `a` with all but its last axis flattened: [R, K]. */
function rows(op: RuleContext, a: Value): Value {
  if (a.shape.length === 2) return a;
  const width = nth(a.shape, a.shape.length - 1);
  const before = a.shape.slice(0, -1);
  return op.math.reshape(a, [productOfDims(before) ?? op.math.count(before, op.where), width]);
}

/** `a` as the matrix it is but for leading 1s. */
function matrix(op: RuleContext, a: Value): Value {
  return op.math.reshape(a, a.shape.slice(-2));
}

/** Products with a vector, [K]: outer products and weighted sums. */
function vectorGradients(op: RuleContext, a: Value, b: Value): GradientRuleResult {
  const { math } = op;
  const [aRank, bRank] = [a.shape.length, b.shape.length];
  if (aRank === 1 && bRank === 1) return [() => math.mul(op.gradient(), b), () => math.mul(op.gradient(), a)];
  const column = (v: Value): Value => math.reshape(v, [...v.shape, 1]);
  const row = (v: Value): Value => math.reshape(v, [...v.shape.slice(0, -1), 1, ...v.shape.slice(-1)]);
  if (bRank === 1) {
    // y [..., M] = a [..., M, K] · b [K]
    return [
      () => math.mul(column(op.fullGradient()), b),
      () =>
        math.reshape(
          math.gemm(
            rows(op, a),
            math.reshape(op.fullGradient(), [math.count(op.output().shape, op.where), 1]),
            true,
            false,
          ),
          b.shape,
        ),
    ];
  }
  // y [..., N] = a [K] · b [..., K, N]
  return [
    () => {
      const product = math.matmul(b, column(op.fullGradient()));
      const vectors = math.reshape(product, b.shape.slice(0, -1));
      return math.reduceTo(vectors, vectors.shape, a.shape);
    },
    () => math.mul(column(a), row(op.fullGradient())),
  ];
}

type GradientRuleResult = ReturnType<GradientRule>;

/** `y = alpha · op(a) · op(b)` with batch dimensions broadcast. */
function productGradients(op: RuleContext, transA: boolean, transB: boolean, alpha: number): GradientRuleResult {
  const { math } = op;
  const [a, b] = [op.input(0), op.input(1)];
  if (a.shape.length === 1 || b.shape.length === 1) {
    if (transA || transB || alpha !== 1)
      op.unsupported("a vector operand with transposition or alpha", "Unsqueeze it to a matrix first");
    return vectorGradients(op, a, b);
  }
  // Sizes known only when the graph runs stay where they are: several of them could not be put back by a reshape.
  const movable = b.shape.length === 2 || [...a.shape, ...b.shape].every((dim) => typeof dim === "number");
  if (movable && isMatrix(b.shape) && (!transA || isMatrix(a.shape))) {
    const g = (): Value => rows(op, op.fullGradient());
    const left = (): Value => (transA ? matrix(op, a) : rows(op, a));
    return [
      () =>
        math.reshape(
          transA
            ? math.gemm(matrix(op, b), g(), transB, true, alpha)
            : math.gemm(g(), matrix(op, b), false, !transB, alpha),
          a.shape,
        ),
      () =>
        math.reshape(
          transB ? math.gemm(g(), left(), true, transA, alpha) : math.gemm(left(), g(), !transA, false, alpha),
          b.shape,
        ),
    ];
  }
  const finish = (product: Value, to: Value): Value =>
    math.scale(math.reduceTo(product, product.shape, to.shape), alpha);
  const t = (value: Value): Value => math.transposeLast(value);
  const [left, right] = [(): Value => (transA ? t(a) : a), (): Value => (transB ? t(b) : b)];
  return [
    () =>
      finish(transA ? math.matmul(right(), t(op.fullGradient())) : timesTransposed(op, op.fullGradient(), right()), a),
    () =>
      finish(transB ? math.matmul(t(op.fullGradient()), left()) : transposedTimes(op, left(), op.fullGradient()), b),
  ];
}

/** `a · bᵀ`, transposing whichever moves fewer elements: b, or a and the product. */
function timesTransposed(op: RuleContext, a: Value, b: Value): Value {
  const { math } = op;
  const product = math.matmul(b, math.transposeLast(a));
  if (math.transposeCost(b) > math.transposeCost(a) + math.transposeCost(product)) return math.transposeLast(product);
  return math.matmul(a, math.transposeLast(b));
}

/** `aᵀ · b`, likewise. Attention's probabilities are larger than its values: they stay as they are. */
function transposedTimes(op: RuleContext, a: Value, b: Value): Value {
  const { math } = op;
  const product = math.matmul(math.transposeLast(b), a);
  if (math.transposeCost(a) > math.transposeCost(b) + math.transposeCost(product)) return math.transposeLast(product);
  return math.matmul(math.transposeLast(a), b);
}

/** NumPy matrix product: `da = g·bᵀ`, `db = aᵀ·g`. */
export const matMul: GradientRule = (op) => productGradients(op, false, false, 1);

/** ONNX Runtime's MatMul with transposition flags and a factor. */
export const fusedMatMul: GradientRule = (op) => {
  if (op.int("transBatchA", 0) !== 0 || op.int("transBatchB", 0) !== 0)
    op.unsupported("transBatchA or transBatchB", "Use an explicit Transpose");
  return productGradients(op, op.int("transA", 0) === 1, op.int("transB", 0) === 1, op.float("alpha", 1));
};

/** `y = alpha·op(a)·op(b) + beta·c`. */
export const gemm: GradientRule = (op) => {
  const [a, b] = productGradients(op, op.int("transA", 0) === 1, op.int("transB", 0) === 1, op.float("alpha", 1));
  return [a, b, () => op.math.scale(op.reduce(2, op.gradient()), op.float("beta", 1))];
};
