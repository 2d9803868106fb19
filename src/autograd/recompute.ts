/**
 * @file Appends backward nodes to a graph so that activations need not be kept: values of
 * chosen segments (layers, usually) are computed a second time where the backward pass
 * needs them, from what the segments exchange (Chen et al. 2016, arXiv 1604.06174). The
 * second computation is held back until the gradient of the segment's result exists:
 * ONNX Runtime chooses its own order among nodes that are ready, and would run it early.
 * Not here: which nodes the gradients are (`gradient.ts`).
 */
import type { GraphBuilder } from "../onnx/builder.ts";
import { isUnpacking } from "../onnx/hoist.ts";
import type { Node, Value } from "../onnx/types.ts";
import { isDifferentiable } from "./nodeEmitter.ts";

/** Below this, an unpacked parameter is kept from the forward to the backward pass. */
const SMALL_BYTES = 64 * 1024;

export interface Recompute {
  /** The segment whose result a forward node serves, or undefined: its values are kept. Segments follow one another. */
  readonly segmentOf: (node: Node) => string | undefined;
  /**
   * Another input that will be fed the same tensor as `input`: parameters that a graph unpacks (casts, slices) are
   * unpacked again from there, as ONNX Runtime would merge two equal nodes into one whose result stays. Undefined: kept.
   */
  readonly again?: (input: Value) => Value | undefined;
}

type Fate = "kept" | "again" | "unpackAgain";

/** Rewrites the inputs of backward nodes on their way into `builder`, which holds the forward pass. */
export class Recomputation {
  readonly #builder: GraphBuilder;
  readonly #options: Recompute;
  /** Name of the gradient of a forward value, and the position of the backward node that gives it. */
  readonly #gradientOf: (name: string) => string | undefined;
  readonly #producers = new Map<string, Node>();
  readonly #consumers = new Map<string, Node[]>();
  readonly #outputs: ReadonlySet<string>;
  readonly #fates = new Map<string, Fate>();
  readonly #static = new Map<string, boolean>();
  readonly #renamed = new Map<string, string>();
  readonly #holds = new Map<string, Value | undefined>();

  constructor(builder: GraphBuilder, options: Recompute, gradientOf: (name: string) => string | undefined) {
    this.#builder = builder;
    this.#options = options;
    this.#gradientOf = gradientOf;
    const graph = builder.build();
    this.#outputs = new Set(graph.outputs.map((value) => value.name));
    for (const node of graph.nodes) {
      for (const name of node.outputs) this.#producers.set(name, node);
      for (const name of node.inputs) {
        const known = this.#consumers.get(name);
        if (known === undefined) this.#consumers.set(name, [node]);
        else known.push(node);
      }
    }
  }

  /** The node with inputs that are there when it runs; what it needs is appended first. */
  rewrite(node: Node): Node {
    return { ...node, inputs: node.inputs.map((name) => this.#resolve(name)) };
  }

  #fateOf(name: string): Fate {
    const known = this.#fates.get(name);
    if (known !== undefined) return known;
    const fate = this.#decide(name);
    this.#fates.set(name, fate);
    return fate;
  }

  #decide(name: string): Fate {
    const node = this.#producers.get(name);
    if (node === undefined || this.#outputs.has(name) || this.#isStatic(name)) return "kept";
    const input = this.#unpackedFrom(name);
    if (input !== undefined) {
      const large = bytesOf(this.#builder.value(name)) >= SMALL_BYTES;
      return large && this.#options.again?.(input) !== undefined ? "unpackAgain" : "kept";
    }
    const segment = this.#options.segmentOf(node);
    if (segment === undefined || hasBody(node)) return "kept";
    const outside = this.#consumers.get(name)?.some((consumer) => this.#options.segmentOf(consumer) !== segment);
    return outside === true ? "kept" : "again";
  }

  /** Whether a value follows from constants alone. */
  #isStatic(name: string): boolean {
    const known = this.#static.get(name);
    if (known !== undefined) return known;
    const node = this.#producers.get(name);
    const found =
      node === undefined
        ? this.#builder.constantOf(name) !== undefined
        : !hasBody(node) && node.inputs.every((input) => input === "" || this.#isStatic(input));
    this.#static.set(name, found);
    return found;
  }

  /** The graph input that a value is cut, cast or reshaped from, if it is. */
  #unpackedFrom(name: string): Value | undefined {
    const node = this.#producers.get(name);
    if (node === undefined) return this.#builder.inputs.find((input) => input.name === name && isDifferentiable(input));
    const [source] = node.inputs;
    return isUnpacking(node) && source !== undefined ? this.#unpackedFrom(source) : undefined;
  }

  #resolve(name: string): string {
    const fate = name === "" ? "kept" : this.#fateOf(name);
    if (fate === "kept") return name;
    const known = this.#renamed.get(name);
    if (known !== undefined) return known;
    const node = this.#producers.get(name);
    if (node === undefined) return name;
    const inputs = node.inputs.map((input) =>
      fate === "unpackAgain" ? this.#sourceAgain(input) : this.#held(this.#options.segmentOf(node) ?? "", input),
    );
    const outputs = this.#builder.scope("again", () => {
      const fresh = node.outputs.map((output) => (output === "" ? "" : this.#builder.freshName(`${output}.again`)));
      this.#builder.addNode({ ...node, name: this.#builder.freshName(node.opType), inputs, outputs: fresh });
      return fresh;
    });
    // All outputs of a node at once: those that are kept are computed again unread.
    node.outputs.forEach((output, i) => {
      if (this.#fateOf(output) === fate) this.#renamed.set(output, outputs[i] ?? output);
    });
    return this.#renamed.get(name) ?? name;
  }

  #sourceAgain(name: string): string {
    if (this.#producers.has(name)) return this.#unpackedFrom(name) === undefined ? name : this.#forced(name);
    const input = this.#builder.inputs.find((value) => value.name === name);
    return (input && this.#options.again?.(input)?.name) ?? name;
  }

  /** An inner step of unpacking, however small its result. */
  #forced(name: string): string {
    this.#fates.set(name, "unpackAgain");
    return this.#resolve(name);
  }

  /** An input of a recomputed node: recomputed itself, or a kept value that is held back. */
  #held(segment: string, name: string): string {
    if (name === "" || this.#fateOf(name) !== "kept") return this.#resolve(name);
    const value = this.#builder.value(name);
    if (!this.#producers.has(name) || this.#isStatic(name) || !isDifferentiable(value)) return name;
    if (this.#unpackedFrom(name) !== undefined) return name;
    const key = `${segment} ${name}`;
    const known = this.#renamed.get(key);
    if (known !== undefined) return known;
    const nothing = this.#nothingAfter(segment, value);
    const held =
      nothing === undefined ? name : this.#builder.scope("again", () => this.#builder.add(value, nothing)).name;
    this.#renamed.set(key, held);
    return held;
  }

  /** A zero that is known only when the gradient of the segment's result is; not finite when that is not. */
  #nothingAfter(segment: string, like: Value): Value | undefined {
    const key = `${segment} ${like.shape.length}`;
    if (this.#holds.has(key)) return this.#holds.get(key);
    const gradients = [...this.#consumers].flatMap(([name, consumers]) => {
      const node = this.#producers.get(name);
      if (node === undefined || this.#options.segmentOf(node) !== segment) return [];
      if (!consumers.some((consumer) => this.#options.segmentOf(consumer) !== segment)) return [];
      const gradient = this.#gradientOf(name);
      const value = gradient === undefined ? undefined : this.#builder.find(gradient);
      return value === undefined || value.type !== like.type || value.shape.length > like.shape.length ? [] : [value];
    });
    const last = gradients.at(-1);
    const nothing =
      last === undefined
        ? undefined
        : this.#builder.scope("again", () => {
            const axes = last.shape.map((_, axis) => axis);
            const zeros = axes.map(() => 0);
            const one =
              axes.length === 0
                ? last
                : this.#builder.slice(
                    last,
                    zeros,
                    zeros.map(() => 1),
                    axes,
                  );
            return this.#builder.scale(one, 0);
          });
    this.#holds.set(key, nothing);
    return nothing;
  }
}

function hasBody(node: Node): boolean {
  return Object.values(node.attributes).some((attribute) => attribute.kind === "graph");
}

function bytesOf(value: Value): number {
  return value.shape.reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : Infinity), 4);
}
