/**
 * @file Where a decoder read from a file may be cut into segments, so that activations
 * inside of them can be computed twice instead of being kept: at nodes that everything
 * computed from the embeddings passes through (the residual stream between attention and
 * feed-forward parts, whatever the exporter named them). Not here: the second
 * computation (`autograd/recompute.ts`).
 */
import { usedNames } from "../../onnx/neededNodes.ts";
import type { Node } from "../../onnx/types.ts";

export interface Segments {
  readonly count: number;
  /** 0 … count − 1; undefined for what comes before the first cut: embeddings, masks, rotary tables. */
  readonly of: ReadonlyMap<Node, number>;
}

/** Operators that tell sizes, not values. */
const SHAPE_READERS: ReadonlySet<string> = new Set(["Shape", "Size"]);

/**
 * Segments of `nodes` (in an order in which they can run, all of them needed for the hidden states), each with a linear
 * layer. `embedding` is the table that the ids are looked up in.
 */
export function findSegments(nodes: readonly Node[], embedding: string, isLinear: (node: Node) => boolean): Segments {
  const boundaries = findBoundaries(nodes, embedding, isLinear);
  const of = new Map<Node, number>();
  const stageOf = new Map<string, number>();
  for (const node of nodes) {
    const stage = Math.max(0, ...usedNames(node).map((name) => stageOf.get(name) ?? 0));
    if (stage > 0) of.set(node, stage - 1);
    for (const name of node.outputs) stageOf.set(name, boundaries.get(node) ?? stage);
  }
  return { count: boundaries.size, of };
}

/** The nodes at which a segment ends and the next begins, with how many did so up to there. */
function findBoundaries(
  nodes: readonly Node[],
  embedding: string,
  isLinear: (node: Node) => boolean,
): ReadonlyMap<Node, number> {
  const onPath = new Set([embedding]);
  const path = nodes.filter((node) => {
    const reads = !SHAPE_READERS.has(node.opType) && usedNames(node).some((name) => onPath.has(name));
    if (reads) for (const name of node.outputs) onPath.add(name);
    return reads;
  });
  const lastReader = new Map<string, number>();
  path.forEach((node, i) => {
    for (const name of usedNames(node)) lastReader.set(name, i);
  });
  const boundaries: Node[] = [];
  // The first segment begins behind the embeddings; later ones where the one before has a linear layer.
  let worthwhile = true;
  let reach = 0;
  path.forEach((node, i) => {
    worthwhile ||= isLinear(node);
    // No value of an earlier node is read by a later one.
    if (reach <= i && worthwhile && i < path.length - 1) {
      boundaries.push(node);
      worthwhile = false;
    }
    for (const name of node.outputs) reach = Math.max(reach, lastReader.get(name) ?? 0);
  });
  // What is left over at the end belongs to the segment before.
  if (!worthwhile) boundaries.pop();
  return new Map(boundaries.map((node, i) => [node, i + 1]));
}
