/**
 * @file Puts the nodes that only unpack parameters (casts, slices and reshapes of graph
 * inputs) first. ONNX Runtime orders nodes by depth-first search from the outputs that
 * visits the inputs of a node from the last position in the file to the first; unpacking
 * that stands late would run before everything else, and all unpacked copies would live at
 * once. Source: `GraphViewer` in core/graph/graph_viewer.cc of ONNX Runtime 1.30.
 */
import type { Graph, Node } from "./types.ts";

const UNPACKING: ReadonlySet<string> = new Set(["Cast", "Slice", "Reshape", "Transpose", "Identity"]);

/** Whether a node only changes the form of its first input. */
export function isUnpacking(node: Node): boolean {
  return node.domain === "" && UNPACKING.has(node.opType);
}

/** The same graph with the nodes first that unpack floating-point inputs; their order among themselves is kept. */
export function hoistUnpacking(graph: Graph): Graph {
  const constants = new Set(graph.initializers.keys());
  const ready = new Set(graph.inputs.filter((input) => input.type.startsWith("float")).map((input) => input.name));
  const first: Node[] = [];
  const rest: Node[] = [];
  for (const node of graph.nodes) {
    const [source, ...others] = node.inputs;
    const hoisted =
      isUnpacking(node) && source !== undefined && ready.has(source) && others.every((name) => constants.has(name));
    if (hoisted) for (const name of node.outputs) ready.add(name);
    (hoisted ? first : rest).push(node);
  }
  return { ...graph, nodes: [...first, ...rest] };
}
