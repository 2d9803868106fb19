/** @file Inference of graph sources (Constant, ConstantOfShape, Range) and of control flow (Loop, If). */
import { addDims } from "../dims.ts";
import { formatShape } from "../shapes.ts";
import type { Dim, Graph, Shape, Tensor, Value } from "../types.ts";
import { type Call, FLOATS, type OutputType, type RuleTable } from "./call.ts";

/** The tensor of a Constant node's attribute, in any of its numeric forms. */
export function constantTensor(call: Call): Tensor {
  const { attributes } = call.node;
  for (const name of ["value", "value_int", "value_ints", "value_float", "value_floats"]) {
    const found = attributes[name];
    if (found === undefined) continue;
    if (found.kind === "tensor") return found.value;
    if (found.kind === "int") return { type: "int64", shape: [], data: BigInt64Array.of(BigInt(found.value)) };
    if (found.kind === "ints")
      return { type: "int64", shape: [found.value.length], data: BigInt64Array.from(found.value, BigInt) };
    if (found.kind === "float") return { type: "float32", shape: [], data: Float32Array.of(found.value) };
    if (found.kind === "floats")
      return { type: "float32", shape: [found.value.length], data: Float32Array.from(found.value) };
  }
  return call.fail("a numeric value attribute", Object.keys(attributes).join(", ") || "none");
}

function inferConstantOfShape(call: Call): OutputType[] {
  const shape = call.input(0, ["int64"]);
  call.rank(shape, 1, 1);
  const fill = call.node.attributes["value"];
  if (fill !== undefined && (fill.kind !== "tensor" || fill.value.data.length !== 1))
    call.fail("a value tensor of one element", fill.kind);
  const type = fill?.kind === "tensor" ? fill.value.type : "float32";
  const content = call.content(0);
  if (content !== undefined) {
    if (content.elements.some((dim) => typeof dim === "number" && dim < 0))
      call.fail("sizes of at least 0", formatShape(content.elements));
    return [{ type, shape: content.elements }];
  }
  const rank = shape.shape[0];
  if (typeof rank !== "number") return call.unknown("the length of the shape");
  return [{ type, shape: call.opaqueShape(rank) }];
}

function inferRange(call: Call): OutputType[] {
  const values = call.sameTyped([...FLOATS, "int32", "int64"]);
  for (const value of values) call.rank(value, 0, 1);
  const type = values[0]?.type ?? "int64";
  const bounds = values.map((value, i): Dim | undefined => {
    const data = call.context.constantOf(value.name)?.data[0];
    return data === undefined ? call.content(i)?.elements[0] : Number(data);
  });
  const [start, limit, delta] = bounds;
  if (start === undefined || limit === undefined || delta === undefined) return [{ type, shape: [call.opaque(0)] }];
  if (delta === 0) call.fail("a delta other than 0", "0");
  const distance = addDims(limit, start, -1);
  if (typeof distance === "number" && typeof delta === "number")
    return [{ type, shape: [Math.max(0, Math.ceil(distance / delta))] }];
  return [{ type, shape: [delta === 1 ? distance : call.opaque(0)] }];
}

function subgraph(call: Call, name: string): Graph {
  const found = call.node.attributes[name];
  return found?.kind === "graph" ? found.value : call.fail(`attribute ${name} of kind graph`, found?.kind ?? "none");
}

/** Sizes that agree stay, others become opaque. @throws unsupported when the ranks differ. */
function commonShape(call: Call, a: Shape, b: Shape, output: number): Dim[] {
  if (a.length !== b.length)
    return call.unknown(`the rank of output ${output} (${formatShape(a)} or ${formatShape(b)})`);
  return a.map((dim, axis) => (dim === b[axis] ? dim : call.opaque(axis, output)));
}

function checkTypes(call: Call, what: string, a: Value, b: Value): void {
  if (a.type !== b.type) call.fail(`${what} of one type`, `${a.type} ('${a.name}') and ${b.type} ('${b.name}')`);
}

/** True when the body only ever passes on the condition it was given. */
function keepsCondition(body: Graph): boolean {
  const given = body.inputs[1]?.name;
  const result = body.outputs[0]?.name;
  const producer = body.nodes.find((node) => node.outputs.includes(result ?? ""));
  return given !== undefined && (result === given || (producer?.opType === "Identity" && producer.inputs[0] === given));
}

function tripCount(call: Call, body: Graph): Dim {
  const count = call.content(0)?.elements[0];
  // Without a condition input ONNX ignores the body's condition, so the count is exact.
  const runsAll = !call.has(1) || (call.numbers(1)?.[0] === 1 && keepsCondition(body));
  return count === undefined || !runsAll ? call.opaque(0) : typeof count === "number" ? Math.max(0, count) : count;
}

function inferLoop(call: Call): OutputType[] {
  const body = subgraph(call, "body");
  const carried = call.inputs.slice(2);
  call.optional(0, ["int64"]);
  call.optional(1, ["bool"]);
  if (body.inputs.length !== carried.length + 2)
    call.fail(`a body with ${carried.length + 2} inputs`, String(body.inputs.length));
  if (body.outputs.length < carried.length + 1)
    call.fail(`a body with at least ${carried.length + 1} outputs`, String(body.outputs.length));
  const results = body.outputs.slice(1);
  const trips = tripCount(call, body);
  return results.map((result, i) => {
    if (i >= carried.length) return { type: result.type, shape: [trips, ...result.shape] };
    const initial = call.input(i + 2);
    const inside = body.inputs[i + 2];
    checkTypes(call, "a loop-carried value", initial, result);
    if (inside !== undefined) checkTypes(call, "a loop-carried value", initial, inside);
    return { type: result.type, shape: commonShape(call, initial.shape, result.shape, i) };
  });
}

function inferIf(call: Call): OutputType[] {
  call.input(0, ["bool"]);
  const branches = [subgraph(call, "then_branch"), subgraph(call, "else_branch")] as const;
  const [yes, no] = branches;
  if (yes.outputs.length !== no.outputs.length)
    call.fail("branches with equally many outputs", `${yes.outputs.length} and ${no.outputs.length}`);
  const known = call.numbers(0)?.[0];
  return yes.outputs.map((value, i) => {
    const other = no.outputs[i] ?? value;
    checkTypes(call, `output ${i} of both branches`, value, other);
    const shape =
      known === undefined ? commonShape(call, value.shape, other.shape, i) : known === 1 ? value.shape : other.shape;
    return { type: value.type, shape };
  });
}

export const CONTROL: RuleTable = {
  Constant: {
    inputs: [0, 0],
    infer: (call) => {
      const { type, shape } = constantTensor(call);
      return [{ type, shape }];
    },
  },
  ConstantOfShape: { inputs: [1, 1], since: 9, infer: inferConstantOfShape },
  Range: { inputs: [3, 3], since: 11, infer: inferRange },
  Loop: { inputs: [2, Infinity], infer: inferLoop },
  If: { inputs: [1, 1], infer: inferIf },
};
