/** @file Which nodes of a graph its results depend on. */
import type { Graph, Node } from "./types.ts";

/** Names that a node reads, those that its subgraphs (control flow) take from around them included. */
export function usedNames(node: Node): string[] {
  const used = [...node.inputs];
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind !== "graph") continue;
    const body = attribute.value;
    const own = new Set([
      ...body.inputs.map((value) => value.name),
      ...body.initializers.keys(),
      ...body.nodes.flatMap((inner) => inner.outputs),
    ]);
    const read = [...body.nodes.flatMap(usedNames), ...body.outputs.map((value) => value.name)];
    used.push(...read.filter((name) => !own.has(name)));
  }
  return used;
}

/** The nodes that the values of `names` depend on, in their order; those behind `given` values are not looked for. */
export function neededNodes(
  nodes: readonly Node[],
  names: Iterable<string>,
  given: ReadonlySet<string> = new Set(),
): Node[] {
  const needed = new Set(names);
  const kept: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => name !== "" && needed.has(name) && !given.has(name))) continue;
    for (const name of usedNames(node)) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

/** `graph` without nodes and constants that no output depends on. */
export function pruneGraph(graph: Graph): Graph {
  const outputs = graph.outputs.map((value) => value.name);
  const nodes = neededNodes(graph.nodes, outputs);
  if (nodes.length === graph.nodes.length) return graph;
  const used = new Set([...outputs, ...nodes.flatMap(usedNames)]);
  const named = new Set([
    ...graph.inputs.map((value) => value.name),
    ...used,
    ...nodes.flatMap((node) => node.outputs),
  ]);
  return {
    ...graph,
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => used.has(name))),
    values: new Map([...graph.values].filter(([name]) => named.has(name))),
  };
}
