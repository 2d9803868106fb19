/** @file Inference of elementwise operators: arithmetic, comparison, logic, activations, Cast, Where. */
import { TutelageError } from "../../core/errors.ts";
import { dataTypeOf } from "../attributes.ts";
import type { DataType, Value } from "../types.ts";
import { ALL, type Call, FLOATS, NUMERIC, type OperatorRule, type OutputType, type RuleTable, WIDE } from "./call.ts";

function unary(types: readonly DataType[], result?: DataType, since = 1): OperatorRule {
  return {
    inputs: [1, 1],
    since,
    infer: (call) => {
      const x = call.input(0, types);
      return [{ type: result ?? x.type, shape: x.shape }];
    },
  };
}

function binary(types: readonly DataType[], result?: DataType, since = 1): OperatorRule {
  return {
    inputs: [2, 2],
    since,
    infer: (call) => {
      const values = call.sameTyped(types);
      return [{ type: result ?? typeOf(values), shape: call.broadcast(values.map((value) => value.shape)) }];
    },
  };
}

function typeOf(values: readonly Value[]): DataType {
  return values[0]?.type ?? "float32";
}

function variadic(types: readonly DataType[]): OperatorRule {
  return {
    inputs: [1, Infinity],
    infer: (call) => {
      const values = call.sameTyped(types);
      return [{ type: typeOf(values), shape: call.broadcast(values.map((value) => value.shape)) }];
    },
  };
}

function inferPow(call: Call): OutputType[] {
  const base = call.input(0, WIDE);
  const exponent = call.input(1, call.opset >= 12 ? NUMERIC : [base.type]);
  return [{ type: base.type, shape: call.broadcast([base.shape, exponent.shape]) }];
}

function inferMod(call: Call): OutputType[] {
  const values = call.sameTyped(NUMERIC);
  if (FLOATS.includes(typeOf(values)) && call.int("fmod", 0) !== 1) call.fail("fmod = 1 for floats", "fmod = 0");
  return [{ type: typeOf(values), shape: call.broadcast(values.map((value) => value.shape)) }];
}

function inferWhere(call: Call): OutputType[] {
  const condition = call.input(0, ["bool"]);
  const values = call.sameTyped(ALL, 1, 3);
  return [{ type: typeOf(values), shape: call.broadcast([condition.shape, ...values.map((value) => value.shape)]) }];
}

function inferClip(call: Call): OutputType[] {
  const x = call.input(0, call.opset >= 12 ? NUMERIC : FLOATS);
  if (call.opset < 11 && call.inputs.length > 1)
    call.fail("min and max as attributes below operator set 11", `${call.inputs.length} inputs`);
  for (const index of [1, 2]) {
    const bound = call.optionalTyped(index, x.type);
    if (bound !== undefined) call.rank(bound, 0, 0);
  }
  return [{ type: x.type, shape: x.shape }];
}

function inferCast(call: Call): OutputType[] {
  const x = call.input(0);
  const code = call.int("to");
  const type = dataTypeOf(code);
  if (type === undefined)
    throw new TutelageError("unsupported", `${call.where}: TensorProto data type ${code} is not handled`);
  return [{ type, shape: x.shape }];
}

function inferDropout(call: Call): OutputType[] {
  const x = call.input(0, FLOATS);
  return [
    { type: x.type, shape: x.shape },
    { type: "bool", shape: x.shape },
  ];
}

function inferGelu(call: Call): OutputType[] {
  const x = call.input(0, FLOATS);
  const approximate = call.string("approximate", "none");
  if (approximate !== "none" && approximate !== "tanh") call.fail("approximate none or tanh", approximate);
  return [{ type: x.type, shape: x.shape }];
}

/** FastGelu and BiasGelu: an optional or required bias over the last axis. */
function inferBiasGelu(call: Call): OutputType[] {
  const x = call.input(0, FLOATS);
  const bias = call.optionalTyped(1, x.type);
  if (bias !== undefined) {
    call.rank(bias, 1, 1);
    call.broadcastsTo(bias.shape, x.shape.slice(-1), "a bias over the last axis");
  }
  return [{ type: x.type, shape: x.shape }];
}

const SIGNED: readonly DataType[] = [...WIDE, "int8"];
const BOOL: readonly DataType[] = ["bool"];
const float = unary(FLOATS);

export const ELEMENTWISE: RuleTable = {
  Add: binary(NUMERIC),
  Sub: binary(NUMERIC),
  Mul: binary(NUMERIC),
  Div: binary(NUMERIC),
  Pow: { inputs: [2, 2], infer: inferPow },
  Mod: { inputs: [2, 2], since: 10, infer: inferMod },
  Min: variadic(NUMERIC),
  Max: variadic(NUMERIC),
  Sum: variadic(FLOATS),
  Mean: variadic(FLOATS),
  And: binary(BOOL),
  Or: binary(BOOL),
  Xor: binary(BOOL),
  Not: unary(BOOL),
  Equal: binary(ALL, "bool"),
  Less: binary(NUMERIC, "bool"),
  Greater: binary(NUMERIC, "bool"),
  LessOrEqual: binary(NUMERIC, "bool", 12),
  GreaterOrEqual: binary(NUMERIC, "bool", 12),
  Where: { inputs: [3, 3], since: 9, infer: inferWhere },
  Neg: unary(SIGNED),
  Abs: unary(NUMERIC),
  Sign: unary(NUMERIC, undefined, 9),
  Sqrt: float,
  Exp: float,
  Log: float,
  Reciprocal: float,
  Floor: float,
  Ceil: float,
  Erf: unary(NUMERIC, undefined, 9),
  Round: unary(FLOATS, undefined, 11),
  Sin: unary(FLOATS, undefined, 7),
  Cos: unary(FLOATS, undefined, 7),
  Tan: unary(FLOATS, undefined, 7),
  Tanh: float,
  Sigmoid: float,
  Relu: unary(SIGNED),
  LeakyRelu: float,
  Elu: float,
  Selu: float,
  HardSigmoid: float,
  HardSwish: unary(FLOATS, undefined, 14),
  Softplus: float,
  Softsign: float,
  IsNaN: unary(FLOATS, "bool", 9),
  IsInf: unary(FLOATS, "bool", 10),
  Clip: { inputs: [1, 3], infer: inferClip },
  Gelu: { inputs: [1, 1], since: 20, infer: inferGelu },
  Cast: { inputs: [1, 1], infer: inferCast },
  Identity: unary(ALL),
  Dropout: { inputs: [1, 3], infer: inferDropout },
};

export const ELEMENTWISE_CONTRIB: RuleTable = {
  Gelu: unary(FLOATS),
  QuickGelu: unary(FLOATS),
  FastGelu: { inputs: [1, 2], infer: inferBiasGelu },
  BiasGelu: { inputs: [2, 2], infer: inferBiasGelu },
};
