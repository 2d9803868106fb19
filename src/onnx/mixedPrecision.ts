/**
 * @file A float32 graph whose matrix products, and what lies between them, compute in
 * float16: the policy of PyTorch's autocast as a graph rewrite, so that it knows neither
 * families nor the backward pass. Inputs, outputs and everything that sums or raises
 * (softmax, norms, losses, reductions, scattered gradients) stay float32. Not here: whole
 * graphs in float16 (`toFloat16.ts`), loss scaling (`student/`).
 * Source: the operator lists of torch.amp for CUDA; Micikevicius et al. 2018, "Mixed Precision Training".
 */
import { invariant, TutelageError } from "../core/errors.ts";
import { attr, DATA_TYPE_CODES } from "./attributes.ts";
import { GraphBuilder } from "./builder.ts";
import type { Graph, Node, Tensor, Value } from "./types.ts";

/** Bit patterns in binary16 of float32 values, a new array. */
export type Halve = (values: Float32Array) => Uint16Array;

/** Where float16 pays: the work grows faster than the values. */
const PRODUCTS: ReadonlySet<string> = new Set(["Gemm", "MatMul"]);

/** Computed in float16 when every tensor operand was: they read and write, and round no worse than the product before them. */
const FOLLOWING: ReadonlySet<string> = new Set(
  "Add Sub Mul Neg Sigmoid Tanh Relu Where Identity Reshape Transpose Squeeze Unsqueeze Expand Slice Split Concat".split(
    " ",
  ),
);

/** Binary16 of this and of larger magnitudes is infinite. */
const INFINITE = 65520;

/** How one float value of the original graph can be read in the new one. */
interface Forms {
  /** Name in float32, once something made it. */
  full?: string;
  /** Name in float16, once something made it. */
  half?: string;
  /** Computed in float16, not cast from float32. */
  native?: boolean;
}

class Rewriter {
  readonly #graph: Graph;
  readonly #halve: Halve;
  readonly #builder: GraphBuilder;
  readonly #forms = new Map<string, Forms>();

  constructor(graph: Graph, halve: Halve) {
    this.#graph = graph;
    this.#halve = halve;
    this.#builder = new GraphBuilder(graph.name, { opset: graph.opsets[""] ?? 17, loose: true });
  }

  run(): Graph {
    for (const { name, type, shape } of this.#graph.inputs) {
      this.#builder.input(name, type, shape);
      if (type === "float32") this.#forms.set(name, { full: name });
    }
    for (const [name, tensor] of this.#graph.initializers) {
      if (tensor.type === "float32") this.#forms.set(name, {});
      else this.#builder.initializer(tensor, name);
    }
    for (const node of this.#graph.nodes) this.#add(node);
    for (const { name } of this.#graph.outputs)
      this.#builder.output(this.#builder.value(this.#isFloat(name) ? this.#full(name) : name));
    return this.#builder.build();
  }

  #isFloat(name: string): boolean {
    return this.#graph.values.get(name)?.type === "float32";
  }

  #formsOf(name: string): Forms {
    const forms = this.#forms.get(name);
    invariant(forms !== undefined, `'${name}' is made before it is used`);
    return forms;
  }

  #cast(from: string, to: "float16" | "float32", name: string): string {
    this.#builder.addNode({
      name: this.#builder.freshName(`cast.${name}`),
      opType: "Cast",
      domain: "",
      inputs: [from],
      outputs: [name],
      attributes: { to: attr.dataType(to) },
    });
    return name;
  }

  /** The name to read the value by in float32: its own. */
  #full(name: string): string {
    const forms = this.#formsOf(name);
    if (forms.full !== undefined) return forms.full;
    const constant = this.#graph.initializers.get(name);
    if (constant !== undefined) this.#builder.initializer(constant, name);
    else {
      invariant(forms.half !== undefined, `'${name}' has a form`);
      this.#cast(forms.half, "float32", name);
    }
    return (forms.full = name);
  }

  #half(name: string): string {
    const forms = this.#formsOf(name);
    if (forms.half !== undefined) return forms.half;
    const half = `${name}.float16`;
    const constant = this.#graph.initializers.get(name);
    if (constant === undefined) this.#cast(this.#full(name), "float16", half);
    else {
      invariant(constant.data instanceof Float32Array, "float32 data");
      this.#builder.initializer({ type: "float16", shape: constant.shape, data: this.#halve(constant.data) }, half);
    }
    return (forms.half = half);
  }

  /** Whether the operand of a following operator asks for no more than float16: a value from a product, or a constant that float16 holds. */
  #fits(name: string): boolean {
    if (name === "" || !this.#isFloat(name)) return true;
    const constant = this.#graph.initializers.get(name);
    return constant === undefined ? this.#formsOf(name).native === true : inRange(constant);
  }

  #inHalf(node: Node): boolean {
    if (node.domain !== "") return false;
    if (PRODUCTS.has(node.opType)) return true;
    return (
      FOLLOWING.has(node.opType) &&
      node.outputs.some((name) => this.#isFloat(name)) &&
      node.inputs.every((name) => this.#fits(name)) &&
      node.inputs.some((name) => this.#isFloat(name) && !this.#graph.initializers.has(name))
    );
  }

  #add(node: Node): void {
    if (Object.values(node.attributes).some(({ kind }) => kind === "graph"))
      throw new TutelageError(
        "unsupported",
        `${node.opType} '${node.name}': graphs with control flow cannot compute in float16. Train in float32`,
      );
    const [source] = node.inputs;
    const [made] = node.outputs;
    invariant(made !== undefined, "a node has an output");
    if (isCast(node, "float32") && source !== undefined && this.#graph.values.get(source)?.type === "float16") {
      // A weight kept in float16: products read it as it is.
      this.#forms.set(made, { half: source, native: true });
      return;
    }
    if (node.domain === "" && node.opType === "Gather" && source !== undefined && this.#forms.get(source)?.native) {
      // Rows of a table in float16, widened: what is added to them must not round to its precision.
      const rows = `${made}.float16`;
      this.#builder.addNode({ ...node, inputs: [this.#half(source), ...node.inputs.slice(1)], outputs: [rows] });
      this.#forms.set(made, { half: rows });
      return;
    }
    const half = this.#inHalf(node);
    const read = (name: string): string =>
      name === "" || !this.#isFloat(name) ? name : half ? this.#half(name) : this.#full(name);
    const write = (name: string): string => (half && this.#isFloat(name) ? `${name}.float16` : name);
    const declared = half ? undefined : (name: string): Value | undefined => this.#graph.values.get(name);
    this.#builder.addNode({ ...node, inputs: node.inputs.map(read), outputs: node.outputs.map(write) }, declared);
    for (const name of node.outputs)
      if (this.#isFloat(name)) this.#forms.set(name, half ? { half: write(name), native: true } : { full: name });
  }
}

function isCast(node: Node, to: "float32"): boolean {
  const { to: target } = node.attributes;
  return node.domain === "" && node.opType === "Cast" && target?.kind === "int" && target.value === DATA_TYPE_CODES[to];
}

function inRange({ data }: Tensor): boolean {
  return data instanceof Float32Array && data.every((value) => Math.abs(value) < INFINITE);
}

/**
 * The same computation with its products in float16; names, types and shapes of inputs and
 * outputs stay. Values already stored in float16 (behind a Cast) are read as they are.
 * @throws TutelageError unsupported for control flow.
 */
export function toMixedPrecision(graph: Graph, halve: Halve): Graph {
  return new Rewriter(graph, halve).run();
}
