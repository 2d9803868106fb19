/**
 * @file The nodes of a model file emitted once more into a graph under construction:
 * its inputs bound, its weights those of the student, fused attention written out, sizes
 * that follow from the batch's made constants. Not here: which constants are weights
 * (`weightRoles.ts`).
 */
import { badInput, invariant, TutelageError } from "../../core/errors.ts";
import { attr, intAttribute } from "../../onnx/attributes.ts";
import type { Graph, Node, Tensor, Value } from "../../onnx/types.ts";
import type { ModelContext } from "../context.ts";
import type { Sequence } from "../modules.ts";
import { DECOMPOSITIONS } from "./fusedOperators.ts";
import type { WeightRoles } from "./weightRoles.ts";

export interface ReplayOptions {
  readonly context: ModelContext;
  readonly graph: Graph;
  readonly roles: WeightRoles;
  readonly sequence?: Sequence | undefined;
  /** Name of the token id input, and its int32 value here. */
  readonly ids?: { readonly name: string; readonly value: Value };
  /** Values of inputs, or of inner values that are given. */
  readonly given: ReadonlyMap<string, Value>;
  /** Decoder layer of a node with a cache. */
  readonly layerOf?: (node: Node) => number;
  /** Scope that a node is emitted in, if any. */
  readonly scopeOf?: (node: Node) => string | undefined;
}

function isEmpty(value: Value): boolean {
  return value.shape.includes(0);
}

/** Emits nodes in order; values of the model by their names there. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #values: Map<string, Value>;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#values = new Map(options.given);
  }

  /** The value here of a value there: computed, a weight, or a constant. */
  find(name: string): Value | undefined {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const { context, graph, roles, ids } = this.#options;
    if (name === ids?.name) return this.#remember(name, context.builder.cast(ids.value, "int64"));
    const spec = roles.parameters.get(name);
    if (spec !== undefined) return this.#remember(name, context.parameter(spec.name));
    const tensor = graph.initializers.get(name);
    return tensor === undefined ? undefined : this.#remember(name, this.#constant(tensor, name));
  }

  value(name: string): Value {
    const value = this.find(name);
    return (
      value ?? badInput(`ONNX model '${this.#options.graph.name}'`, "values computed before they are read", `'${name}'`)
    );
  }

  emit(nodes: readonly Node[]): void {
    const { context, scopeOf } = this.#options;
    for (const node of nodes) {
      const scope = scopeOf?.(node);
      if (scope === undefined) this.#emit(node);
      else context.builder.scope(scope, () => this.#emit(node));
    }
  }

  #remember(name: string, value: Value): Value {
    this.#values.set(name, value);
    return value;
  }

  #constant(tensor: Tensor, hint: string): Value {
    const g = this.#options.context.builder;
    return tensor.data.length <= 64 ? g.initializer(tensor) : g.constant(tensor.type, tensor.shape, tensor.data, hint);
  }

  #emit(node: Node): void {
    const { context, roles } = this.#options;
    if (roles.linears.has(node)) return this.#linear(node);
    const alias = this.#alias(node);
    if (alias !== undefined) return void this.#remember(node.outputs[0] ?? "", alias);
    const decomposition = DECOMPOSITIONS.get(`${node.domain}:${node.opType}`);
    const g = context.builder;
    if (decomposition !== undefined) {
      const { sequence, layerOf } = this.#options;
      invariant(sequence !== undefined, "attention stands before the output head");
      const input = (i: number): Value | undefined => {
        const name = node.inputs[i] ?? "";
        return name === "" ? undefined : this.value(name);
      };
      const layer = layerOf?.(node) ?? 0;
      const outputs = g.scope(node.name || node.opType, () => decomposition({ context, sequence, node, input, layer }));
      outputs.forEach((output, i) => this.#bind(node, i, output));
      return;
    }
    if (node.opType === "If") return this.#branch(node);
    if (Object.values(node.attributes).some(({ kind }) => kind === "graph"))
      throw new TutelageError(
        "unsupported",
        `${node.opType} '${node.name}': control flow in a student is not handled`,
        {
          details: { node: node.name, opType: node.opType },
        },
      );
    const all = node.inputs.map((input, i) => (input === "" ? "" : this.#operand(node, i).name));
    const inputs = node.opType === "Concat" ? this.#joined(all) : all;
    const [only] = inputs;
    if (node.opType === "Concat" && inputs.length === 1 && only !== undefined)
      return void this.#remember(node.outputs[0] ?? "", g.value(only));
    const outputs = node.outputs.map((output) => (output === "" ? "" : g.freshName(node.name || node.opType)));
    const results = g.addNode({ ...node, name: g.freshName(node.name || node.opType), inputs, outputs });
    results.forEach((result, i) => {
      if (outputs[i] === "") return;
      // Sizes and axes become constants, so that no provider has to compute them.
      const folded = result.type.startsWith("int") || result.type === "bool" ? g.constantOf(result.name) : undefined;
      this.#bind(node, i, folded === undefined ? result : g.initializer(folded));
    });
  }

  /** The inputs of a Concat that add something: an empty cache adds nothing, and no provider likes empty tensors. */
  #joined(names: readonly string[]): readonly string[] {
    const g = this.#options.context.builder;
    const filled = names.filter((name) => !isEmpty(g.value(name)));
    return filled.length > 0 ? filled : names.slice(-1);
  }

  #bind(node: Node, i: number, value: Value): void {
    const name = node.outputs[i];
    if (name !== undefined && name !== "") this.#values.set(name, value);
  }

  /** Lookups take int32 ids as they are: int64 falls back to the CPU on WebGPU. */
  #operand(node: Node, i: number): Value {
    const { ids } = this.#options;
    const name = node.inputs[i] ?? "";
    if (ids !== undefined && name === ids.name && node.opType === "Gather" && i === 1) return ids.value;
    return this.value(name);
  }

  /** The input of a node that passes it on unchanged. */
  #alias(node: Node): Value | undefined {
    if (node.domain !== "" || node.outputs.length !== 1) return undefined;
    if (node.opType === "Identity") return this.value(node.inputs[0] ?? "");
    if (node.opType !== "Cast") return undefined;
    const x = this.value(node.inputs[0] ?? "");
    const to = attr.dataType(x.type);
    return to.kind === "int" && intAttribute(node, "to") === to.value ? x : undefined;
  }

  /** A linear layer by the context, which knows of adapters: rows flattened, and back. */
  #linear(node: Node): void {
    const { context, roles } = this.#options;
    const linear = roles.linears.get(node);
    const x = this.value(node.inputs[0] ?? "");
    invariant(linear !== undefined, "a node with a weight matrix");
    const width = x.shape.at(-1) ?? 1;
    const g = context.builder;
    const flat = x.shape.length === 2 ? x : g.reshape(x, [-1, width]);
    const y = this.linear(node, flat);
    const out = x.shape.length === 2 ? y : g.reshape(y, [...x.shape.slice(0, -1), y.shape[1] ?? 1]);
    this.#remember(node.outputs[0] ?? "", out);
  }

  /** The linear layer of `node` on rows x [M, in]. */
  linear(node: Node, x: Value): Value {
    const { context, roles } = this.#options;
    const linear = roles.linears.get(node);
    const spec = linear && roles.parameters.get(linear.initializer);
    invariant(linear !== undefined && spec !== undefined, "a node with a weight matrix");
    const c = node.opType === "Gemm" && (node.inputs[2] ?? "") !== "" ? this.value(node.inputs[2] ?? "") : undefined;
    if (spec.linear !== undefined) return context.linear(x, spec.linear.module, c === undefined ? {} : { bias: c });
    return context.builder.gemm(x, context.parameter(spec.name), {
      transB: linear.layout === "out-in",
      ...(c === undefined ? {} : { c }),
    });
  }

  /** The branch that a known condition takes. */
  #branch(node: Node): void {
    const g = this.#options.context.builder;
    const condition = g.constantOf(this.value(node.inputs[0] ?? "").name)?.data[0];
    if (condition === undefined)
      throw new TutelageError("unsupported", `If '${node.name}': its condition is not known before the graph runs`, {
        details: { node: node.name, opType: "If" },
      });
    const taken = node.attributes[Number(condition) === 0 ? "else_branch" : "then_branch"];
    if (taken?.kind !== "graph") return badInput(`If '${node.name}'`, "two branches", "fewer");
    const body = taken.value;
    for (const [name, tensor] of body.initializers) this.#remember(name, this.#constant(tensor, name));
    this.emit(body.nodes);
    body.outputs.forEach((output, i) => this.#bind(node, i, this.value(output.name)));
  }
}
