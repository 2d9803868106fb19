/**
 * @file Emits the nodes of gradients into a builder: each distinct expression once,
 * transposes of transposes and reshapes of reshapes as one or none, constants looked
 * up. Not here: what gradients are made of (`gradientMath.ts`).
 */
import { badInput, invariant } from "../core/errors.ts";
import { attr, intsAttribute } from "../onnx/attributes.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { formatShape, sameShape } from "../onnx/shapes.ts";
import type { Attributes, DataType, Node, Shape, Tensor, Value } from "../onnx/types.ts";

/** All elements as numbers; int64 beyond 2⁵³ rounds (only "to the end" sentinels are that large). */
export function numbersOf(tensor: Tensor): number[] {
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

const isFloatType = (type: DataType): boolean => type === "float32" || type === "float64" || type === "float16";

/** Operators whose output has the elements of their first input, in order. */
const RESHAPES: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

const isIdentity = (perm: readonly number[]): boolean => perm.every((axis, i) => axis === i);

const swapLast = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));

/** True when values of this type can carry a gradient. */
export function isDifferentiable(value: Value): boolean {
  return isFloatType(value.type);
}

/** Writes nodes into one builder. */
export class NodeEmitter {
  readonly builder: GraphBuilder;
  /** Outputs by expression. */
  readonly #emitted = new Map<string, readonly Value[]>();
  readonly #variables: ReadonlySet<string>;
  readonly #producers = new Map<string, Node>();
  readonly #emittedHere = new Set<string>();

  /** @param variables names that are not to be folded even where they are initializers: what is differentiated changes. */
  constructor(builder: GraphBuilder, variables: Iterable<string> = []) {
    this.builder = builder;
    this.#variables = new Set(variables);
    for (const node of builder.nodes) this.#remember(node);
  }

  #remember(node: Node): void {
    for (const name of node.outputs) this.#producers.set(name, node);
  }

  // ---- emission ------------------------------------------------------------------

  /** Outputs of an operator; the same operator on the same inputs is emitted once. */
  emitAll(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes = {},
    domain = "",
    outputCount = 1,
  ): readonly Value[] {
    const key = JSON.stringify([domain, opType, outputCount, inputs.map((input) => input?.name ?? ""), attributes]);
    const known = this.#emitted.get(key);
    if (known !== undefined) return known;
    const outputs = this.builder.node(opType, inputs, { attributes, domain, outputCount });
    const node = this.builder.nodes.at(-1);
    if (node !== undefined) this.#remember(node);
    for (const output of outputs) this.#emittedHere.add(output.name);
    this.#emitted.set(key, outputs);
    return outputs;
  }

  /** The one output of an operator. */
  emit(opType: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}, domain = ""): Value {
    const out = this.emitAll(opType, inputs, attributes, domain)[0];
    invariant(out !== undefined, `${opType} has an output`);
    return out;
  }

  // ---- constants -----------------------------------------------------------------

  /** The tensor behind a value that is known while the graph is built. */
  constantOf(value: Value): Tensor | undefined {
    return this.#variables.has(value.name) ? undefined : this.builder.constantOf(value.name);
  }

  /** The number that a one-element float constant holds. */
  scalarOf(value: Value): number | undefined {
    if (!isFloatType(value.type) || value.type === "float16" || value.shape.some((dim) => dim !== 1)) return undefined;
    const tensor = this.constantOf(value);
    return tensor === undefined ? undefined : Number(tensor.data[0]);
  }

  /** A float scalar of the given type. */
  scalar(number: number, type: DataType): Value {
    return this.builder.float(number, [], type);
  }

  ints(values: readonly number[]): Value {
    return this.builder.ints(values);
  }

  /** Integer constant of the index type of `like` (int32, or int64 when the graph uses it). */
  indices(values: readonly number[], shape: readonly number[], like: DataType = "int32"): Value {
    return like === "int64"
      ? this.builder.initializer({ type: "int64", shape, data: BigInt64Array.from(values, BigInt) })
      : this.builder.int32(values, shape);
  }

  // ---- shape ---------------------------------------------------------------------

  /** Same elements in another shape. Symbolic sizes as in `GraphBuilder.reshape`: copied, left over, or read off a graph input. */
  reshape(a: Value, shape: Shape): Value {
    const source = this.#beforeReshapes(a);
    if (sameShape(source.shape, shape)) return source;
    const target = shape.map((dim, i) => (typeof dim === "string" && dim === source.shape[i] ? 0 : dim));
    const left = target.findLastIndex((dim) => typeof dim === "string");
    return this.emit("Reshape", [source, this.#sizes(target.map((dim, i) => (i === left ? -1 : dim)))]);
  }

  /** int64 vector of sizes. @throws BadInputError for a symbol that no graph input has. */
  #sizes(dims: Shape): Value {
    const numbers = dims.filter((dim) => typeof dim === "number");
    if (numbers.length === dims.length) return this.ints(numbers);
    const parts = dims.map((dim) => {
      if (typeof dim === "number") return this.ints([dim]);
      if (!this.builder.inputs.some((input) => input.shape.includes(dim)))
        badInput(
          "gradient of a reshape",
          "sizes that inputs have",
          formatShape(dims),
          "Bind the symbols to numbers first",
        );
      return this.builder.sizeOf(dim);
    });
    return this.emit("Concat", parts, { axis: attr.int(0) });
  }

  /** The value that a chain of reshapes started from. */
  #beforeReshapes(a: Value): Value {
    const producer = this.#producers.get(a.name);
    const source = producer?.inputs[0];
    if (producer === undefined || source === undefined || producer.domain !== "" || !RESHAPES.has(producer.opType))
      return a;
    return this.#beforeReshapes(this.builder.value(source));
  }

  transpose(a: Value, perm: readonly number[]): Value {
    const inner = this.#transposed(a);
    if (inner !== undefined) {
      const whole = perm.map((axis) => inner.perm[axis] ?? axis);
      // A transpose of the forward graph is there anyway, and a swap of the last two axes
      // behind it is free where ONNX Runtime fuses it into a product: it is only undone.
      if (isIdentity(whole) || this.#emittedHere.has(a.name)) return this.transpose(inner.source, whole);
    }
    return isIdentity(perm) ? a : this.emit("Transpose", [a], { perm: attr.ints(perm) });
  }

  /** The value that `a` is a transpose of, and how. */
  #transposed(a: Value): { readonly source: Value; readonly perm: readonly number[] } | undefined {
    const producer = this.#producers.get(a.name);
    const source = producer?.inputs[0];
    if (producer === undefined || source === undefined || producer.domain !== "" || producer.opType !== "Transpose")
      return undefined;
    return {
      source: this.builder.value(source),
      perm: intsAttribute(producer, "perm") ?? a.shape.map((_, i) => a.shape.length - 1 - i),
    };
  }

  /** `a` with its last two axes swapped. */
  transposeLast(a: Value): Value {
    return this.transpose(a, swapLast(a.shape.length));
  }

  /** Elements that `transposeLast` moves: none where it undoes a transpose, or where the size is not known. */
  transposeCost(a: Value): number {
    const perm = this.#transposed(a)?.perm;
    if (perm !== undefined && perm.every((axis, i) => axis === swapLast(perm.length)[i])) return 0;
    return a.shape.reduce<number>((product, dim) => (typeof dim === "number" ? product * dim : 0), 1);
  }
}
