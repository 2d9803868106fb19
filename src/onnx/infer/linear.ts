/** @file Inference of matrix products: MatMul, FusedMatMul, Gemm. */
import { formatShape } from "../shapes.ts";
import type { Dim, Shape } from "../types.ts";
import { type Call, FLOATS, type OutputType, type RuleTable, WIDE } from "./call.ts";

/** Shape of `a · b` as NumPy's matmul defines it. */
function product(call: Call, a: Shape, b: Shape): Dim[] {
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const inner = left.at(-1) ?? 0;
  call.equalDims(inner, right.at(-2) ?? 0, `equal inner sizes in ${formatShape(a)} · ${formatShape(b)}`);
  const batch = call.broadcast([left.slice(0, -2), right.slice(0, -2)]);
  return [...batch, ...(a.length === 1 ? [] : [left.at(-2) ?? 0]), ...(b.length === 1 ? [] : [right.at(-1) ?? 0])];
}

function inferMatMul(call: Call): OutputType[] {
  const [a, b] = call.sameTyped(WIDE);
  if (a === undefined || b === undefined) return call.fail("two inputs", "fewer");
  call.rank(a, 1);
  call.rank(b, 1);
  return [{ type: a.type, shape: product(call, a.shape, b.shape) }];
}

function swapLast(shape: Shape): Shape {
  return [...shape.slice(0, -2), ...shape.slice(-1), ...shape.slice(-2, -1)];
}

/** `transBatch` moves the first axis to the place before the last: [B,…,M,K] from [M,B,…,K]. */
function unbatch(shape: Shape): Shape {
  return [...shape.slice(1, -1), ...shape.slice(0, 1), ...shape.slice(-1)];
}

function inferFusedMatMul(call: Call): OutputType[] {
  const [a, b] = call.sameTyped(FLOATS);
  if (a === undefined || b === undefined) return call.fail("two inputs", "fewer");
  call.rank(a, 1);
  call.rank(b, 1);
  const operand = (shape: Shape, side: "A" | "B"): Shape => {
    const batched = call.int(`transBatch${side}`, 0) !== 0 && shape.length > 2 ? unbatch(shape) : shape;
    return call.int(`trans${side}`, 0) !== 0 && shape.length > 1 ? swapLast(batched) : batched;
  };
  return [{ type: a.type, shape: product(call, operand(a.shape, "A"), operand(b.shape, "B")) }];
}

function inferGemm(call: Call): OutputType[] {
  const [a, b] = call.sameTyped(WIDE, 0, 2);
  if (a === undefined || b === undefined) return call.fail("two inputs", "fewer");
  call.rank(a, 2, 2);
  call.rank(b, 2, 2);
  const left = call.int("transA", 0) !== 0 ? swapLast(a.shape) : a.shape;
  const right = call.int("transB", 0) !== 0 ? swapLast(b.shape) : b.shape;
  const shape = product(call, left, right);
  const c = call.optionalTyped(2, a.type);
  if (c !== undefined) call.broadcastsTo(c.shape, shape, "an addend");
  return [{ type: a.type, shape }];
}

export const LINEAR: RuleTable = {
  MatMul: { inputs: [2, 2], infer: inferMatMul },
  Gemm: { inputs: [2, 3], infer: inferGemm },
};

export const LINEAR_CONTRIB: RuleTable = {
  FusedMatMul: { inputs: [2, 2], infer: inferFusedMatMul },
};
