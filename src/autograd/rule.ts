/**
 * @file What a gradient rule is and what it sees. A rule gives, for each input of
 * one operator application, a function that emits that input's gradient; only the
 * wanted ones are called. Rules: `rules/`; registry: `rules.ts`.
 */
import { badInput, invariant, TutelageError } from "../core/errors.ts";
import { floatAttribute, intAttribute, intsAttribute } from "../onnx/attributes.ts";
import { normalizeAxes, staticShape } from "../onnx/shapes.ts";
import type { Node, Tensor, Value } from "../onnx/types.ts";
import type { GradientMath } from "./gradientMath.ts";
import { numbersOf } from "./nodeEmitter.ts";

/**
 * Emits the gradient of one input: any shape that broadcasts to the input's.
 * Undefined in a rule's list: that input has no gradient rule (an error when wanted).
 */
export type InputGradient = (() => Value) | undefined;

/** Gradients of the inputs of one node, by input position, from those of its outputs. */
export type GradientRule = (op: RuleContext) => readonly InputGradient[];

/** How the gradient of `Gather` is summed: `scatter` ScatterElements with add; `onehot` a matrix product, same sum in the same order on every run and provider. */
export type GatherGradient = "scatter" | "onehot";

/** Name of the operator with its domain, as in messages. */
export function operatorName(node: Node): string {
  return `${node.domain === "" ? "ai.onnx" : node.domain}:${node.opType}`;
}

/** One operator application, seen from its rule. */
export class RuleContext {
  readonly node: Node;
  readonly math: GradientMath;
  readonly gatherGradient: GatherGradient;
  readonly #inputs: readonly (Value | undefined)[];
  readonly #outputs: readonly (Value | undefined)[];
  readonly #gradients: readonly (Value | undefined)[];
  readonly #wanted: readonly boolean[];

  constructor(
    node: Node,
    math: GradientMath,
    parts: {
      readonly inputs: readonly (Value | undefined)[];
      readonly outputs: readonly (Value | undefined)[];
      /** Gradient of each output, undefined where the loss does not depend on it. */
      readonly gradients: readonly (Value | undefined)[];
      /** Which inputs' gradients will be asked for. */
      readonly wanted: readonly boolean[];
      readonly gatherGradient: GatherGradient;
    },
  ) {
    this.node = node;
    this.math = math;
    this.gatherGradient = parts.gatherGradient;
    this.#inputs = parts.inputs;
    this.#outputs = parts.outputs;
    this.#gradients = parts.gradients;
    this.#wanted = parts.wanted;
  }

  /** How messages name the node. */
  get where(): string {
    return `gradient of ${this.node.opType} '${this.node.name}'`;
  }

  get opset(): number {
    return this.math.builder.opset;
  }

  get inputCount(): number {
    return this.#inputs.length;
  }

  get outputCount(): number {
    return this.#outputs.length;
  }

  /** Whether the gradient of input `i` will be asked for. */
  isWanted(i: number): boolean {
    return this.#wanted[i] ?? false;
  }

  optionalInput(i: number): Value | undefined {
    return this.#inputs[i];
  }

  input(i = 0): Value {
    const value = this.#inputs[i];
    return value ?? badInput(this.where, `an input #${i}`, "none");
  }

  optionalOutput(i: number): Value | undefined {
    return this.#outputs[i];
  }

  output(i = 0): Value {
    const value = this.#outputs[i];
    return value ?? badInput(this.where, `an output #${i}`, "none");
  }

  /** Gradient of an output, undefined where the loss does not depend on it. */
  optionalGradient(i: number): Value | undefined {
    return this.#gradients[i];
  }

  /** Gradient of the first output (or of `i`), in any shape that broadcasts to the output's. */
  gradient(i = 0): Value {
    const value = this.#gradients[i];
    return value ?? this.unsupported(`the loss depends on other outputs than #${i}`);
  }

  /** The same with every element present. */
  fullGradient(i = 0): Value {
    return this.math.full(this.gradient(i), this.output(i).shape);
  }

  /** Gradient of input `i` from a gradient of the (broadcast) first output. */
  reduce(i: number, gradient: Value): Value {
    return this.math.reduceTo(gradient, this.output().shape, this.input(i).shape);
  }

  /** Shape of an input, all dimensions numbers. */
  staticShapeOf(value: Value): readonly number[] {
    return staticShape(value.shape, `${this.where}, value '${value.name}'`);
  }

  /** Tensor of an input that must be known while the graph is built. */
  constant(i: number, role: string): Tensor {
    const value = this.input(i);
    return (
      this.math.constantOf(value) ??
      badInput(
        this.where,
        `constant ${role}`,
        `'${value.name}', computed when the graph runs`,
        "Make it an initializer",
      )
    );
  }

  /** Integers of a constant input, or undefined when the input is omitted. */
  constantInts(i: number, role: string): number[] | undefined {
    return this.optionalInput(i) === undefined ? undefined : numbersOf(this.constant(i, role));
  }

  int(name: string, fallback?: number): number {
    return intAttribute(this.node, name, fallback);
  }

  /** A float attribute, as exact as the file format stores it (float32). */
  float(name: string, fallback?: number): number {
    return Math.fround(floatAttribute(this.node, name, fallback));
  }

  /** Normalised axes from the attribute, or from constant input `i`; undefined when neither is given. */
  axes(i: number, rank: number): number[] | undefined {
    const given = intsAttribute(this.node, "axes") ?? this.constantInts(i, "axes");
    return given === undefined ? undefined : normalizeAxes(given, rank, this.where);
  }

  /** Throws the error of something this rule does not cover. */
  unsupported(
    what: string,
    hint = "Rewrite that part of the graph with other operators, or leave it out of what is differentiated",
  ): never {
    throw new TutelageError("unsupported", `${this.where} (${operatorName(this.node)}): ${what}. ${hint}`, {
      details: { node: this.node.name, opType: this.node.opType, domain: this.node.domain },
    });
  }
}

/** `items[i]`, which must exist. */
export function nth<T>(items: readonly T[], i: number): T {
  const item = items[i];
  invariant(item !== undefined, `no item ${i} of ${items.length}`);
  return item;
}
