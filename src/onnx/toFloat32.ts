/**
 * @file A float16 graph as the same graph in float32: what was computed in 16 bits is
 * computed in 32. Names, nodes and shapes stay; only types change.
 */
import { invariant } from "../core/errors.ts";
import { attr, DATA_TYPE_CODES } from "./attributes.ts";
import type { Attribute, Graph, Tensor, Value } from "./types.ts";

type Convert = (bits: Uint16Array) => Float32Array;

const widenValue = (value: Value): Value => (value.type === "float16" ? { ...value, type: "float32" } : value);

function widenTensor(tensor: Tensor, convert: Convert): Tensor {
  if (tensor.type !== "float16") return tensor;
  invariant(tensor.data instanceof Uint16Array, "float16 data are bit patterns");
  return { type: "float32", shape: tensor.shape, data: convert(tensor.data) };
}

function widenAttribute(name: string, value: Attribute, convert: Convert): Attribute {
  if (value.kind === "tensor") return { kind: "tensor", value: widenTensor(value.value, convert) };
  if (value.kind === "graph") return { kind: "graph", value: toFloat32(value.value, convert) };
  return name === "to" && value.kind === "int" && value.value === DATA_TYPE_CODES.float16
    ? attr.dataType("float32")
    : value;
}

/** `graph` with every float16 value, constant and cast in float32; `convert` widens bit patterns exactly. */
export function toFloat32(graph: Graph, convert: Convert): Graph {
  return {
    ...graph,
    inputs: graph.inputs.map(widenValue),
    outputs: graph.outputs.map(widenValue),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, widenTensor(tensor, convert)])),
    values: new Map([...graph.values].map(([name, value]) => [name, widenValue(value)])),
    nodes: graph.nodes.map((node) => ({
      ...node,
      attributes: Object.fromEntries(
        Object.entries(node.attributes).map(([name, value]) => [name, widenAttribute(name, value, convert)]),
      ),
    })),
  };
}
