/**
 * @file What an inference rule sees of one operator application: typed access to
 * inputs, attributes and known values, with errors that name the node.
 */
import { badInput, TutelageError } from "../../core/errors.ts";
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from "../attributes.ts";
import { contentOfTensor, type IntegerContent } from "../content.ts";
import { isOpaque, opaqueDim } from "../dims.ts";
import { formatShape, normalizeAxis } from "../shapes.ts";
import type { DataType, Dim, Node, Shape, Tensor, Value } from "../types.ts";

/** Type and shape of one output. */
export interface OutputType {
  readonly type: DataType;
  readonly shape: Shape;
}

/** What inference may ask about the surrounding graph. */
export interface InferenceContext {
  readonly constantOf: (name: string) => Tensor | undefined;
  readonly opset: number;
  /** Values of small integer tensors, symbols included; `constantOf` alone is used when left out. */
  readonly contentOf?: (name: string) => IntegerContent | undefined;
  /** Take two different symbols for possibly equal (graphs read from a file name one size in several ways). */
  readonly loose?: boolean;
}

export interface OperatorRule {
  /** Least and greatest number of inputs. */
  readonly inputs: readonly [number, number];
  /** First operator set that has it (ONNX domain). */
  readonly since?: number;
  readonly infer: (call: Call) => readonly OutputType[];
}

export type RuleTable = Readonly<Record<string, OperatorRule>>;

export const FLOATS: readonly DataType[] = ["float32", "float64", "float16"];
/** Float types and the wide integers: what sums and products are defined for. */
export const WIDE: readonly DataType[] = [...FLOATS, "int32", "int64"];
export const NUMERIC: readonly DataType[] = [...WIDE, "uint8", "int8"];
export const ALL: readonly DataType[] = [...NUMERIC, "bool"];
export const INDICES: readonly DataType[] = ["int32", "int64"];

/** A rank that a file only claims may not make us allocate. */
const MAX_OPAQUE_RANK = 64;

/** One operator application under inference. */
export class Call {
  readonly node: Node;
  readonly context: InferenceContext;
  /** `Gemm 'layers.0.q'`: opens every message. */
  readonly where: string;
  readonly #inputs: readonly (Value | undefined)[];

  constructor(node: Node, inputs: readonly (Value | undefined)[], context: InferenceContext) {
    this.node = node;
    this.context = context;
    this.where = `${node.opType} '${node.name || (node.outputs[0] ?? "")}'`;
    this.#inputs = inputs;
  }

  get opset(): number {
    return this.context.opset;
  }

  get inputs(): readonly (Value | undefined)[] {
    return this.#inputs;
  }

  /** Number of outputs the node names. */
  get outputCount(): number {
    return this.node.outputs.length;
  }

  /** Throws `where: expected …, got …`. */
  fail(expected: string, got: string, hint = ""): never {
    return badInput(this.where, expected, got, hint);
  }

  /** Throws: the graph may be right, but its shapes cannot be known before it runs. */
  unknown(what: string): never {
    throw new TutelageError(
      "unsupported",
      `${this.where}: ${what} is not known before the graph runs, so its outputs have no static rank`,
    );
  }

  has(index: number): boolean {
    return this.#inputs[index] !== undefined;
  }

  /** Input `index`, of one of the types. */
  input(index: number, types: readonly DataType[] = ALL): Value {
    return this.optional(index, types) ?? this.fail(`input ${index}`, "none");
  }

  optional(index: number, types: readonly DataType[] = ALL): Value | undefined {
    const value = this.#inputs[index];
    if (value !== undefined && !types.includes(value.type))
      this.fail(`input ${index} ('${value.name}') of type ${types.join(" or ")}`, value.type);
    return value;
  }

  /** All inputs, of one common type among `types`. */
  sameTyped(types: readonly DataType[], from = 0, to = this.#inputs.length): Value[] {
    const values: Value[] = [];
    for (let i = from; i < to; i++) values.push(this.input(i, types));
    const first = values[0];
    for (const value of values) {
      if (first !== undefined && value.type !== first.type) {
        this.fail(
          "inputs of one type",
          `${first.type} ('${first.name}') and ${value.type} ('${value.name}')`,
          "Insert a Cast",
        );
      }
    }
    return values;
  }

  /** An optional input that must have the type of another. */
  optionalTyped(index: number, type: DataType): Value | undefined {
    return this.optional(index, [type]);
  }

  rank(value: Value, least: number, most = Infinity): number {
    const rank = value.shape.length;
    if (rank < least || rank > most) {
      this.fail(
        `'${value.name}' of rank ${least === most ? least : most === Infinity ? `${least} or more` : `${least} to ${most}`}`,
        formatShape(value.shape),
      );
    }
    return rank;
  }

  axis(axis: number, rank: number): number {
    return normalizeAxis(axis, rank, this.where);
  }

  /** Distinct axes in [0, rank), in the given order. */
  axes(axes: readonly number[], rank: number): number[] {
    const out = axes.map((axis) => this.axis(axis, rank));
    if (new Set(out).size !== out.length) this.fail("distinct axes", formatShape(axes));
    return out;
  }

  int(name: string, fallback?: number): number {
    return intAttribute(this.node, name, fallback);
  }

  float(name: string, fallback?: number): number {
    return floatAttribute(this.node, name, fallback);
  }

  string(name: string, fallback?: string): string {
    return stringAttribute(this.node, name, fallback);
  }

  ints(name: string): readonly number[] | undefined {
    return intsAttribute(this.node, name);
  }

  /** Known integer values of an input, symbols included. */
  content(index: number): IntegerContent | undefined {
    const value = this.#inputs[index];
    if (value === undefined) return undefined;
    const known = this.context.contentOf?.(value.name);
    if (known !== undefined) return known;
    const tensor = this.context.constantOf(value.name);
    return tensor === undefined ? undefined : contentOfTensor(tensor);
  }

  /** Known integer values of an input, all of them numbers. */
  numbers(index: number): readonly number[] | undefined {
    const elements = this.content(index)?.elements;
    return elements?.every((element) => typeof element === "number") ? elements : undefined;
  }

  /**
   * A list that is an attribute below operator set `inputFrom` and an input from there on.
   * `count` is the length when only that is known.
   */
  listParameter(
    name: string,
    index: number,
    inputFrom: number,
    types: readonly DataType[] = ["int64"],
  ): { readonly given: boolean; readonly values?: readonly Dim[]; readonly count?: Dim } {
    const attribute = this.ints(name);
    if (attribute !== undefined) {
      if (this.opset >= inputFrom)
        this.fail(
          `${name} as input ${index} (operator set ${this.opset})`,
          `attribute ${name}`,
          `The attribute form ends with operator set ${inputFrom - 1}`,
        );
      return { given: true, values: attribute };
    }
    const value = this.optional(index, types);
    if (value === undefined) return { given: false };
    if (this.opset < inputFrom)
      this.fail(
        `${name} as attribute (operator set ${this.opset})`,
        `input ${index}`,
        `The input form begins with operator set ${inputFrom}`,
      );
    this.rank(value, 0, 1);
    const values = this.content(index)?.elements;
    return values === undefined ? { given: true, count: value.shape[0] ?? 1 } : { given: true, values };
  }

  /** A symbol for the size of axis `axis` of output `output` that inference cannot know. */
  opaque(axis: number, output = 0): Dim {
    return opaqueDim(this.node.outputs[output] || `${this.node.name}:${output}`, axis);
  }

  opaqueShape(rank: number, output = 0): Dim[] {
    if (rank > MAX_OPAQUE_RANK) this.fail(`a rank of at most ${MAX_OPAQUE_RANK}`, String(rank));
    return Array.from({ length: Math.max(0, rank) }, (_, axis) => this.opaque(axis, output));
  }

  /** The common size of two dimensions that must be equal. */
  equalDims(a: Dim, b: Dim, what: string): Dim {
    if (a === b) return a;
    if (this.#mayDiffer(a, b)) return typeof a === "number" || (typeof b === "string" && isOpaque(b)) ? a : b;
    return this.fail(what, `${a} and ${b}`);
  }

  /** Broadcast as NumPy does; an opaque dimension is taken to fit. */
  broadcast(shapes: readonly Shape[], output = 0): Dim[] {
    const rank = Math.max(0, ...shapes.map((shape) => shape.length));
    return Array.from({ length: rank }, (_, axis) => {
      let dim: Dim = 1;
      for (const shape of shapes) {
        const own = shape[axis - (rank - shape.length)];
        if (own === undefined || own === dim || own === 1) continue;
        if (dim === 1) dim = own;
        else if (this.#mayDiffer(dim, own))
          dim = typeof dim === "number" ? dim : typeof own === "number" ? own : this.opaque(axis, output);
        else this.fail("shapes that broadcast together", shapes.map(formatShape).join(" and "));
      }
      return dim;
    });
  }

  /** Checks that `shape` broadcasts to `target` without growing it. */
  broadcastsTo(shape: Shape, target: Shape, what: string): void {
    const offset = target.length - shape.length;
    const fits =
      offset >= 0 &&
      shape.every((dim, i) => dim === 1 || dim === target[i + offset] || this.#mayDiffer(dim, target[i + offset] ?? 1));
    if (!fits) this.fail(`${what} that broadcasts to ${formatShape(target)}`, formatShape(shape));
  }

  /** Two unequal dimensions at least one of which is a symbol that may turn out equal to the other. */
  #mayDiffer(a: Dim, b: Dim): boolean {
    if (typeof a === "number" && typeof b === "number") return false;
    return this.context.loose === true || isOpaque(a) || isOpaque(b);
  }
}
