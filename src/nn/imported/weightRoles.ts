/**
 * @file Which constants of a decoder read from a file are its weights, and what they are
 * there for: a floating-point initializer that meets the data path (everything computed
 * from the embeddings of the input ids) as the right side of a product, a table of
 * embeddings, a scale or a bias. Everything else (rotary tables, masks, scalars) is a
 * constant. Names become transformers' where the file still tells them.
 */
import { neededNodes } from "../../onnx/neededNodes.ts";
import { elementCount } from "../../onnx/shapes.ts";
import type { Graph, Node, Tensor } from "../../onnx/types.ts";
import { intAttribute, intsAttribute } from "../../onnx/attributes.ts";
import type { ParameterSpec } from "../family.ts";

/** A product of the data path with a weight matrix: what LoRA adapts. */
export interface LinearNode {
  readonly node: Node;
  readonly initializer: string;
  readonly layout: "out-in" | "in-out";
  readonly module: string;
}

export interface WeightRoles {
  /** Parameters by the name of their initializer. */
  readonly parameters: ReadonlyMap<string, ParameterSpec>;
  /** Linear layers by node. */
  readonly linears: ReadonlyMap<Node, LinearNode>;
  /** Initializer of the table that the input ids are looked up in. */
  readonly embedding: string | undefined;
}

/** Operand positions of scales and biases, by operator. */
const VECTOR_OPERANDS: Readonly<Record<string, readonly number[]>> = {
  LayerNormalization: [1, 2],
  SimplifiedLayerNormalization: [1],
  RMSNormalization: [1],
  SkipLayerNormalization: [2, 3, 4],
  SkipSimplifiedLayerNormalization: [2, 3],
  BiasGelu: [1],
  FastGelu: [1],
  MultiHeadAttention: [3],
  Gemm: [2],
  Add: [0, 1],
  Sub: [0, 1],
  Mul: [0, 1],
  Div: [1],
};

/** Operators that pass a weight on, in another form. */
const WEIGHT_FORMS: ReadonlySet<string> = new Set(["Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Expand"]);
/** Operators that tell sizes, not values. */
const SHAPE_READERS: ReadonlySet<string> = new Set(["Shape", "Size"]);

const isFloat = (tensor: Tensor | undefined): boolean => tensor?.type === "float32";
const namedAsWeight = (name: string): boolean => /\.(weight|bias|gamma|beta)$/.test(name);

/** The module that a node stands in: `/model/layers.0/self_attn/q_proj/MatMul` is in `model.layers.0.self_attn.q_proj`. */
function moduleOfNode(node: Node): string | undefined {
  const parts = node.name.split("/").filter((part) => part !== "");
  return parts.length > 1 ? parts.slice(0, -1).join(".") : undefined;
}

/** Exporters' spellings of transformers' module names. */
function tidyModule(module: string): string {
  return module
    .replace(/\.(MatMul|Gemm|Add)$/, "")
    .replace(/^(model\.layers\.\d+)\.attn\./, "$1.self_attn.")
    .replace(/^model\.model\./, "model.");
}

class Analysis {
  readonly graph: Graph;
  readonly nodes: readonly Node[];
  readonly producer = new Map<string, Node>();
  readonly onPath = new Set<string>();
  readonly fromIds: Set<string>;
  readonly specs = new Map<string, ParameterSpec>();
  readonly linears = new Map<Node, LinearNode>();
  embedding: string | undefined;

  constructor(graph: Graph, logits: string, ids: string) {
    this.graph = graph;
    this.nodes = neededNodes(graph.nodes, [logits]);
    this.fromIds = new Set([ids]);
    for (const node of this.nodes) for (const output of node.outputs) this.producer.set(output, node);
  }

  initializer(name: string): Tensor | undefined {
    return this.graph.initializers.get(name);
  }

  /** The weight behind an operand: an initializer, or one brought into another form by nodes that take nothing else. */
  weightBehind(name: string, depth = 0): string | undefined {
    const tensor = this.initializer(name);
    if (tensor !== undefined) return isFloat(tensor) && elementCount(tensor.shape) > 1 ? name : undefined;
    const node = this.producer.get(name);
    if (node === undefined || depth > 4 || this.onPath.has(name)) return undefined;
    if (WEIGHT_FORMS.has(node.opType)) return this.weightBehind(node.inputs[0] ?? "", depth + 1);
    if (["Add", "Mul", "Sub"].includes(node.opType)) {
      const found = node.inputs.flatMap((input) => this.weightBehind(input, depth + 1) ?? []);
      const named = found.filter(namedAsWeight);
      return found.length === 1 ? found[0] : named.length === 1 ? named[0] : undefined;
    }
    return undefined;
  }

  /** The table that a value was looked up in. */
  tableBehind(name: string, depth = 0): string | undefined {
    const node = this.producer.get(name);
    if (node === undefined || depth > 4) return undefined;
    if (WEIGHT_FORMS.has(node.opType)) return this.tableBehind(node.inputs[0] ?? "", depth + 1);
    if (node.opType !== "Gather" || intAttribute(node, "axis", 0) !== 0) return undefined;
    const table = node.inputs[0] ?? "";
    const tensor = this.initializer(table);
    return isFloat(tensor) && tensor?.shape.length === 2 ? table : undefined;
  }

  /** A weight matrix behind the right operand, with the layout that makes `x · operand` right. */
  matrixBehind(name: string): { readonly initializer: string; readonly transposed: boolean } | undefined {
    const tensor = this.initializer(name);
    if (isFloat(tensor) && tensor?.shape.length === 2) return { initializer: name, transposed: false };
    const node = this.producer.get(name);
    if (node?.opType !== "Transpose") return undefined;
    const source = this.initializer(node.inputs[0] ?? "");
    const perm = intsAttribute(node, "perm") ?? [1, 0];
    return isFloat(source) && source?.shape.length === 2 && perm.join() === "1,0"
      ? { initializer: node.inputs[0] ?? "", transposed: true }
      : undefined;
  }

  add(initializer: string, module: string | undefined, kind: "weight" | "bias", decay: boolean): void {
    if (this.specs.has(initializer)) return;
    const tensor = this.initializer(initializer);
    if (tensor === undefined) return;
    const stored = namedAsWeight(initializer) ? initializer : undefined;
    const own =
      stored === undefined
        ? undefined
        : `${tidyModule(stored.replace(/\.[a-z]+$/, ""))}${/\.[a-z]+$/.exec(stored)?.[0] ?? ""}`;
    const wanted = own ?? (module === undefined ? initializer : `${tidyModule(module)}.${kind}`);
    const taken = new Set([...this.specs.values()].map((spec) => spec.name));
    const name = !taken.has(wanted) ? wanted : !taken.has(initializer) ? initializer : `${initializer}.${taken.size}`;
    this.specs.set(initializer, { name, shape: tensor.shape, decay });
  }

  run(): WeightRoles {
    for (const node of this.nodes) {
      const reads = (names: ReadonlySet<string>): boolean => node.inputs.some((input) => names.has(input));
      if (SHAPE_READERS.has(node.opType)) continue;
      const lookedUp = this.tableBehind(node.outputs[0] ?? "");
      if (node.opType === "Gather" && lookedUp !== undefined && this.fromIds.has(node.inputs[1] ?? "")) {
        this.embedding ??= lookedUp;
        this.add(lookedUp, moduleOfNode(node), "weight", true);
        this.onPath.add(node.outputs[0] ?? "");
        continue;
      }
      if (reads(this.fromIds) && !reads(this.onPath)) {
        for (const output of node.outputs) this.fromIds.add(output);
        continue;
      }
      if (!reads(this.onPath)) continue;
      this.#operands(node);
      for (const output of node.outputs) if (output !== "") this.onPath.add(output);
    }
    this.#nameLinears();
    return { parameters: this.specs, linears: this.linears, embedding: this.embedding };
  }

  #operands(node: Node): void {
    const x = node.inputs[0] ?? "";
    if (["MatMul", "Gemm", "FusedMatMul"].includes(node.opType) && this.onPath.has(x)) {
      const matrix = this.matrixBehind(node.inputs[1] ?? "");
      const plain =
        node.opType === "MatMul" ||
        (intAttribute(node, "transA", 0) === 0 &&
          ["alpha", "beta"].every((name) => {
            const factor = node.attributes[name];
            return factor === undefined || (factor.kind === "float" && factor.value === 1);
          }));
      if (matrix !== undefined) {
        const module = moduleOfNode(node);
        this.add(matrix.initializer, module, "weight", true);
        const swapped = node.opType !== "MatMul" && intAttribute(node, "transB", 0) !== 0;
        if (plain && !(node.opType === "FusedMatMul" && intAttribute(node, "transBatchA", 0) !== 0))
          this.linears.set(node, {
            node,
            initializer: matrix.initializer,
            layout: matrix.transposed === swapped ? "in-out" : "out-in",
            module: "",
          });
      }
    }
    for (const i of VECTOR_OPERANDS[node.opType] ?? []) {
      const operand = node.inputs[i] ?? "";
      if (operand === "" || this.onPath.has(operand)) continue;
      const table = node.opType === "Add" ? this.tableBehind(operand) : undefined;
      const found = table ?? this.weightBehind(operand);
      const tensor = found === undefined ? undefined : this.initializer(found);
      if (found === undefined || tensor === undefined) continue;
      if (table !== undefined) {
        const lookup = this.producer.get(operand);
        this.add(found, lookup && moduleOfNode(lookup), "weight", true);
      } else if (tensor.shape.slice(0, -1).every((dim) => dim === 1)) {
        const isBias = node.opType === "Add" || node.opType === "Sub" || node.opType === "Gemm" || i > 1;
        this.add(found, moduleOfNode(node), isBias ? "bias" : "weight", false);
      }
    }
  }

  /** LoRA adapts matrices that one node alone uses; a tied head is the embedding. */
  #nameLinears(): void {
    const uses = new Map<string, number>();
    for (const { initializer } of this.linears.values()) uses.set(initializer, (uses.get(initializer) ?? 0) + 1);
    for (const [node, linear] of this.linears) {
      const spec = this.specs.get(linear.initializer);
      if (spec === undefined) continue;
      const module = spec.name.replace(/\.weight$/, "");
      this.linears.set(node, { ...linear, module });
      if (uses.get(linear.initializer) === 1 && linear.initializer !== this.embedding)
        this.specs.set(linear.initializer, { ...spec, linear: { module, layout: linear.layout } });
    }
  }
}

/** Finds the weights of `graph` (float32) on the way from the token ids to the logits. */
export function findWeights(graph: Graph, logits: string, ids: string): WeightRoles {
  return new Analysis(graph, logits, ids).run();
}
