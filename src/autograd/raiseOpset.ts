/**
 * @file Brings a graph of an older ONNX operator set (11 to 15) to a later one, for
 * the operators whose form changed in between: axes, sizes and bounds that were
 * attributes become inputs, and softmax over flattened trailing axes is written
 * out. Not a general converter: operators it does not list keep their form, which
 * is right for all operators that have a gradient rule.
 */
import { TutelageError } from "../core/errors.ts";
import { attr } from "../onnx/attributes.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Attributes, Graph, Node, Tensor, Value } from "../onnx/types.ts";
import { staticShape } from "../onnx/shapes.ts";

/** Oldest operator set that is understood. */
const OLDEST = 11;

/** Operators whose integer-list attribute became an input in operator set 13. */
const LIST_ATTRIBUTES: Readonly<Record<string, string>> = {
  Squeeze: "axes",
  Unsqueeze: "axes",
  ReduceSum: "axes",
  Split: "split",
};

/**
 * The same computation at operator set `opset`, or `graph` itself when it is that
 * new. Names of inputs, outputs and values stay.
 * @throws TutelageError `unsupported` for graphs older than operator set 11.
 */
export function raiseOpset(graph: Graph, opset: number): Graph {
  const own = graph.opsets[""] ?? opset;
  if (own >= opset) return graph;
  if (own < OLDEST) {
    throw new TutelageError(
      "unsupported",
      `graph '${graph.name}': expected operator set ${OLDEST} or later, got ${own}. Convert the model first (onnx.version_converter)`,
    );
  }
  const start = {
    ...graph,
    nodes: [],
    outputs: [],
    values: inputsAndInitializers(graph),
    opsets: { ...graph.opsets, "": opset },
  };
  // Its sizes may have been read from a file, which names one size in several ways.
  const builder = GraphBuilder.from(start, undefined, true);
  for (const node of graph.nodes) {
    if (own < 13 && node.domain === "" && raiseNode(builder, node)) continue;
    builder.addNode(node, (name) => graph.values.get(name));
  }
  for (const output of graph.outputs) builder.output(builder.value(output.name));
  return builder.build();
}

function inputsAndInitializers(graph: Graph): Map<string, Value> {
  const values = new Map(graph.inputs.map((value) => [value.name, value]));
  for (const [name, tensor] of graph.initializers) values.set(name, { name, type: tensor.type, shape: tensor.shape });
  return values;
}

/** Adds the later form of a node below operator set 13; false when it has not changed. */
function raiseNode(builder: GraphBuilder, node: Node): boolean {
  if (Object.values(node.attributes).some((attribute) => attribute.kind === "graph")) {
    throw new TutelageError(
      "unsupported",
      `${node.opType} '${node.name}': control flow below operator set 13 is not converted. Convert the model first (onnx.version_converter)`,
    );
  }
  if (node.opType === "Dropout") {
    // The ratio, an attribute before operator set 12, has no effect in inference.
    builder.addNode({ ...node, attributes: {} });
    return true;
  }
  const attribute = LIST_ATTRIBUTES[node.opType];
  if (attribute !== undefined) {
    const { [attribute]: list, ...rest } = node.attributes;
    if (list?.kind !== "ints") return false;
    const tensor: Tensor = { type: "int64", shape: [list.value.length], data: BigInt64Array.from(list.value, BigInt) };
    builder.addNode({ ...node, inputs: [node.inputs[0] ?? "", builder.initializer(tensor).name], attributes: rest });
    return true;
  }
  if (node.opType === "Softmax" || node.opType === "LogSoftmax") {
    raiseSoftmax(builder, node);
    return true;
  }
  return false;
}

/** Softmax over all axes from `axis` (default 1) on: flatten to a matrix, softmax over its rows, and back. */
function raiseSoftmax(builder: GraphBuilder, node: Node): void {
  const x = builder.value(node.inputs[0] ?? "");
  const given = node.attributes["axis"];
  const axis = given?.kind === "int" ? given.value : 1;
  const rank = x.shape.length;
  const last: Attributes = { axis: attr.int(-1) };
  if (axis === -1 || axis === rank - 1) {
    builder.addNode({ ...node, attributes: last });
    return;
  }
  const [flat] = builder.node("Flatten", [x], { attributes: { axis: attr.int(axis) } });
  const [rows] = builder.node(node.opType, [flat], { attributes: last, name: node.name });
  const shape = staticShape(x.shape, `${node.opType} '${node.name}' below operator set 13`);
  builder.node("Reshape", [rows, builder.ints(shape)], { outputs: node.outputs });
}
