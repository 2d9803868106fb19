/** @file Inference of reductions, ArgMax/ArgMin, Softmax and LogSoftmax. */
import type { DataType, Dim } from "../types.ts";
import { type Call, FLOATS, NUMERIC, type OperatorRule, type OutputType, type RuleTable, WIDE } from "./call.ts";

/** A reduction whose axes are an input from operator set `inputFrom`. */
function reduction(types: readonly DataType[], inputFrom: number): OperatorRule {
  return { inputs: [1, 2], infer: (call) => inferReduction(call, types, inputFrom) };
}

function inferReduction(call: Call, types: readonly DataType[], inputFrom: number): OutputType[] {
  const x = call.input(0, types);
  const keep = call.int("keepdims", 1) !== 0;
  const rank = x.shape.length;
  const parameter = call.listParameter("axes", 1, inputFrom);
  const given = parameter.given ? parameter.values : [];
  if (given === undefined || given.some((axis) => typeof axis === "string")) {
    if (keep) return [{ type: x.type, shape: call.opaqueShape(rank) }];
    // An empty list of axes means all of them (or none): a count that is not positive tells nothing.
    const { count } = parameter;
    if (typeof count !== "number" || count === 0) return call.unknown("which axes are reduced");
    return [{ type: x.type, shape: call.opaqueShape(Math.max(0, rank - count)) }];
  }
  if (given.length === 0 && call.int("noop_with_empty_axes", 0) !== 0) return [{ type: x.type, shape: x.shape }];
  const axes = given.length === 0 ? x.shape.map((_, axis) => axis) : call.axes(given as readonly number[], rank);
  return [{ type: x.type, shape: dropAxes(x.shape, axes, keep) }];
}

function dropAxes(shape: readonly Dim[], axes: readonly number[], keep: boolean): Dim[] {
  return keep
    ? shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    : shape.filter((_, axis) => !axes.includes(axis));
}

function inferArg(call: Call): OutputType[] {
  const x = call.input(0, NUMERIC);
  const axis = call.axis(call.int("axis", 0), call.rank(x, 1));
  return [{ type: "int64", shape: dropAxes(x.shape, [axis], call.int("keepdims", 1) !== 0) }];
}

function inferSoftmax(call: Call): OutputType[] {
  const x = call.input(0, FLOATS);
  call.axis(call.int("axis", call.opset >= 13 ? -1 : 1), x.shape.length);
  return [{ type: x.type, shape: x.shape }];
}

export const REDUCE: RuleTable = {
  ReduceSum: reduction(WIDE, 13),
  ReduceMean: reduction(WIDE, 18),
  ReduceMax: reduction(NUMERIC, 18),
  ReduceMin: reduction(NUMERIC, 18),
  ReduceL1: reduction(WIDE, 18),
  ReduceL2: reduction(WIDE, 18),
  ReduceSumSquare: reduction(WIDE, 18),
  ReduceProd: reduction(WIDE, 18),
  ReduceLogSum: reduction(WIDE, 18),
  ReduceLogSumExp: reduction(WIDE, 18),
  ArgMax: { inputs: [1, 1], infer: inferArg },
  ArgMin: { inputs: [1, 1], infer: inferArg },
  Softmax: { inputs: [1, 1], infer: inferSoftmax },
  LogSoftmax: { inputs: [1, 1], infer: inferSoftmax },
};
