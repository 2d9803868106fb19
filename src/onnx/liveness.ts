/**
 * @file How much memory the intermediate values of a graph take while it runs: the order in
 * which ONNX Runtime takes the nodes, and which values live at the same time in it.
 * Constants, inputs and outputs are not counted: their owners know them.
 * Source of the order: `GraphViewer` in core/graph/graph_viewer.cc, of the sharing of
 * buffers: `PlannerImpl` in core/framework/allocation_planner.cc of ONNX Runtime 1.30.
 */
import { invariant } from "../core/errors.ts";
import type { DataType, Graph, Node, Value } from "./types.ts";

const BYTES: Readonly<Record<DataType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  int8: 1,
  bool: 1,
};

/** Operators whose first output is their first input under another shape: never a copy. */
const VIEWS: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Elementwise operators: an output may take the place of an input of the same size that nothing reads any more. */
const IN_PLACE: ReadonlySet<string> = new Set(
  "Neg Sqrt Exp Log Reciprocal Tanh Sigmoid Softplus Erf Relu LeakyRelu Elu Abs Clip Not And Or Cast ScatterElements".split(
    " ",
  ),
);

/** Bytes of a value with static shape. */
export function bytesOfValue(value: Value): number {
  return value.shape.reduce<number>((product, dim) => {
    invariant(typeof dim === "number", `'${value.name}' has a static shape`);
    return product * dim;
  }, BYTES[value.type]);
}

/** The nodes in the order in which ONNX Runtime runs them one after another. */
export function executionOrder(graph: Graph): Node[] {
  const producer = new Map<string, number>();
  graph.nodes.forEach((node, i) => node.outputs.forEach((name) => producer.set(name, i)));
  const before = graph.nodes.map((node) => {
    const found = new Set(namesRead(node).flatMap((name) => producer.get(name) ?? []));
    return [...found].sort((a, b) => a - b);
  });
  const used = new Set(before.flat());
  const stack = graph.nodes.flatMap((_, index) => (used.has(index) ? [] : [{ index, done: false }]));
  const visited = new Set<number>();
  const order: Node[] = [];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { index, done } = entry;
    const node = graph.nodes[index];
    invariant(node !== undefined, "the stack holds nodes");
    if (done) {
      order.push(node);
    } else if (!visited.has(index)) {
      visited.add(index);
      stack.push({ index, done: true });
      for (const input of before[index] ?? []) if (!visited.has(input)) stack.push({ index: input, done: false });
    }
  }
  return order;
}

/** Names that a node and the bodies inside it read. */
function namesRead(node: Node): string[] {
  const bodies = Object.values(node.attributes).flatMap((attribute) =>
    attribute.kind === "graph" ? attribute.value.nodes.flatMap(namesRead) : [],
  );
  return [...node.inputs, ...bodies].filter((name) => name !== "");
}

/** A piece of memory that one or more values use one after another. */
export interface Buffer {
  readonly bytes: number;
  /** Steps of the execution order at which it is first written and last read. */
  readonly from: number;
  readonly to: number;
  /** The value that it was made for. */
  readonly name: string;
}

interface Block {
  readonly bytes: number;
  readonly from: number;
  readonly name: string;
  /** What may use it after it is free: values of the same type size and shape. */
  readonly kind: string;
  to: number;
  /** Reads to come of the values in it now. */
  readers: number;
}

/**
 * The buffers of a run, planned as ONNX Runtime plans them before the first one: views share a buffer, elementwise
 * results take over that of an operand that is not read again, and any result may take one of its own shape that is free.
 * A buffer that is used again later is not given back in between.
 */
export function planBuffers(graph: Graph, order: readonly Node[] = executionOrder(graph)): Buffer[] {
  const kept = new Set(graph.outputs.map((value) => value.name));
  const uses = new Map<string, number>();
  for (const node of order) for (const name of new Set(namesRead(node))) uses.set(name, (uses.get(name) ?? 0) + 1);
  const blocks: Block[] = [];
  /** The buffer of each value that has one of these. */
  const home = new Map<string, Block>();
  const free = new Map<string, Block[]>();
  const giveBack = (block: Block, step: number): void => {
    if (block.readers > 0) return;
    block.to = step;
    const others = free.get(block.kind);
    if (others === undefined) free.set(block.kind, [block]);
    else others.push(block);
  };

  order.forEach((node, step) => {
    const inputs = [...new Set(namesRead(node))];
    node.outputs.forEach((name, i) => {
      if (name === "") return;
      const readers = uses.get(name) ?? 0;
      const value = graph.values.get(name);
      invariant(value !== undefined, `graph ${graph.name} types '${name}'`);
      const bytes = bytesOfValue(value);
      const source = i === 0 ? sharedBlock(node, inputs, bytes, home) : undefined;
      if (source === "foreign" || (kept.has(name) && source === undefined)) return;
      const kind = `${BYTES[value.type]} ${value.shape.join()}`;
      const block = source ?? free.get(kind)?.pop() ?? newBlock(bytes, step, name, kind, blocks);
      home.set(name, block);
      block.readers += readers + (kept.has(name) ? Infinity : 0);
    });
    for (const name of inputs) {
      const block = home.get(name);
      if (block === undefined) continue;
      block.readers -= 1;
      giveBack(block, step);
    }
    // A result that nothing reads goes at once.
    for (const name of node.outputs) {
      const block = home.get(name);
      if (block !== undefined && uses.get(name) === undefined) giveBack(block, step);
    }
  });
  for (const block of blocks) if (block.readers > 0) block.to = order.length;
  return blocks;
}

function newBlock(bytes: number, step: number, name: string, kind: string, blocks: Block[]): Block {
  const block = { bytes, from: step, to: step, name, kind, readers: 0 };
  blocks.push(block);
  return block;
}

/** The buffer that the first result of `node` shares with an operand; "foreign": it is a view of an input or a constant. */
function sharedBlock(
  node: Node,
  inputs: readonly string[],
  bytes: number,
  home: ReadonlyMap<string, Block>,
): Block | "foreign" | undefined {
  const plain = node.domain === "";
  if (plain && VIEWS.has(node.opType)) return home.get(node.inputs[0] ?? "") ?? "foreign";
  if (!plain || !IN_PLACE.has(node.opType)) return undefined;
  return inputs.flatMap((name) => home.get(name) ?? []).find((block) => block.readers === 1 && block.bytes === bytes);
}

/** Most bytes of buffers at a time, those that live then, and the node that runs then. */
export function peakOf(buffers: readonly Buffer[]): { readonly bytes: number; readonly live: readonly Buffer[] } {
  const change = new Map<number, number>();
  for (const { bytes, from, to } of buffers) {
    change.set(from, (change.get(from) ?? 0) + bytes);
    change.set(to + 1, (change.get(to + 1) ?? 0) - bytes);
  }
  let [live, peak, at] = [0, 0, 0];
  for (const [step, bytes] of [...change].sort(([a], [b]) => a - b)) {
    live += bytes;
    if (live > peak) [peak, at] = [live, step];
  }
  return { bytes: peak, live: buffers.filter(({ from, to }) => from <= at && at <= to) };
}
