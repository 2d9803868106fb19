/**
 * @file `GraphBuilder` grows a graph node by node with shapes known at every step.
 * Wrong operands fail at the line that builds them, not inside ONNX Runtime.
 * The typed operator methods cover what our modules, losses, optimizers and
 * gradient rules emit; `node()` takes any operator that `infer.ts` knows.
 */
import { badInput, invariant } from "../core/errors.ts";
import { attr } from "./attributes.ts";
import { contentOfTensor, type IntegerContent, tensorOfContent } from "./content.ts";
import { inferOutputs, inferWith, type InferenceContext, type OutputType } from "./infer.ts";
import { foldNode } from "./infer/fold.ts";
import { elementCount, formatShape } from "./shapes.ts";
import type { Attributes, DataType, Graph, Node, Shape, Tensor, TypedArray, Value } from "./types.ts";

/** Operator sets that the builder emits; the contrib domain is declared only when used. */
export const ONNX_OPSET = 17;
export const CONTRIB_DOMAIN = "com.microsoft";

export interface NodeOptions {
  readonly attributes?: Attributes;
  readonly domain?: string;
  /** Names of the outputs; generated when left out. `""` omits one. */
  readonly outputs?: readonly string[];
  /** Number of outputs when names are generated (default 1). */
  readonly outputCount?: number;
  readonly name?: string;
}

export interface BuilderOptions {
  /** The graph around this one, whose values may be captured (body of a control-flow operator). */
  readonly outer?: GraphBuilder;
  readonly opset?: number;
  /** Take differently named symbolic dimensions for possibly equal: graphs read from a file. */
  readonly loose?: boolean;
}

/** Grows a graph. Single use: `build()` may be called at any time and copies. */
export class GraphBuilder {
  readonly name: string;
  /** For the body of a control-flow operator: the graph whose values may be captured. */
  readonly outer: GraphBuilder | undefined;
  readonly #inputs: Value[] = [];
  readonly #outputs: Value[] = [];
  readonly #initializers = new Map<string, Tensor>();
  readonly #nodes: Node[] = [];
  readonly #nodeNames = new Set<string>();
  readonly #values = new Map<string, Value>();
  readonly #opsets: Record<string, number>;
  readonly #constantNames = new Map<string, string>();
  /** Integer values that nodes were seen to compute; see `constantOf`. */
  readonly #contents = new Map<string, IntegerContent>();
  readonly #constants = new Map<string, Tensor>();
  readonly #symbolSizes = new Map<string, Value>();
  readonly #context: InferenceContext;
  #scope: string[] = [];
  #counter = 0;

  constructor(name: string, options: BuilderOptions = {}) {
    this.name = name;
    this.outer = options.outer;
    this.#opsets = { "": options.opset ?? options.outer?.opset ?? ONNX_OPSET };
    this.#context = {
      constantOf: (value) => this.constantOf(value),
      contentOf: (value) => this.contentOf(value),
      opset: this.opset,
      loose: options.loose ?? false,
    };
  }

  /** A builder that starts as a copy of `graph` (its outputs included), to add nodes to it; `outer` when `graph` is a body, `loose` as in the options. */
  static from(graph: Graph, outer?: GraphBuilder, loose = false): GraphBuilder {
    const builder = new GraphBuilder(graph.name, {
      opset: graph.opsets[""] ?? ONNX_OPSET,
      loose,
      ...(outer === undefined ? {} : { outer }),
    });
    builder.#inputs.push(...graph.inputs);
    builder.#outputs.push(...graph.outputs);
    builder.#nodes.push(...graph.nodes);
    for (const { name } of graph.nodes) builder.#nodeNames.add(name);
    for (const [name, tensor] of graph.initializers) builder.#initializers.set(name, tensor);
    for (const [name, value] of graph.values) builder.#values.set(name, value);
    Object.assign(builder.#opsets, graph.opsets);
    for (const node of graph.nodes) builder.#fold(node);
    builder.#counter = graph.nodes.length;
    return builder;
  }

  /** Version of the ONNX operator set this graph declares. */
  get opset(): number {
    return this.#opsets[""] ?? ONNX_OPSET;
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  // ---- structure -------------------------------------------------------------

  /** Runs `body` with `name` prefixed (dot-separated) to every name it generates. */
  scope<T>(name: string, body: () => T): T {
    this.#scope.push(name);
    try {
      return body();
    } finally {
      this.#scope.pop();
    }
  }

  /** A name that no value and no node has yet, in this graph or around it. */
  freshName(hint: string): string {
    const prefix = this.#scope.length === 0 ? "" : `${this.#scope.join(".")}.`;
    const own = this.outer === undefined ? "" : `${this.name}/`;
    let name: string;
    do name = `${own}${prefix}${hint}_${this.#counter++}`;
    while (this.find(name) !== undefined || this.#hasNode(name));
    return name;
  }

  /** Whether a node here or around has that name: ORT refuses two of one name, whatever they compute. */
  #hasNode(name: string): boolean {
    return this.#nodeNames.has(name) || (this.outer !== undefined && this.outer.#hasNode(name));
  }

  /** Declares a graph input. */
  input(name: string, type: DataType, shape: Shape): Value {
    const value = this.#declare({ name, type, shape });
    this.#inputs.push(value);
    return value;
  }

  /** Marks a value as graph output; with `name`, an Identity gives it that name. */
  output(value: Value, name: string = value.name): Value {
    const named = name === value.name ? value : this.node("Identity", [value], { outputs: [name] })[0];
    invariant(named !== undefined, "Identity has one output");
    this.#outputs.push(named);
    return named;
  }

  /** Removes all output marks (the values stay). */
  clearOutputs(): void {
    this.#outputs.length = 0;
  }

  /** Adds an initializer. Equal small unnamed constants are shared. */
  initializer(tensor: Tensor, name?: string): Value {
    if (tensor.data.length !== elementCount(tensor.shape)) {
      badInput(
        `initializer ${name ?? ""}`,
        `${elementCount(tensor.shape)} elements for ${formatShape(tensor.shape)}`,
        String(tensor.data.length),
      );
    }
    const key =
      name === undefined && tensor.data.length <= 64
        ? `${tensor.type}${formatShape(tensor.shape)}:${Array.from(tensor.data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? "-0" : String(x))).join()}`
        : undefined;
    const known = key === undefined ? undefined : this.#constantNames.get(key);
    const existing = known === undefined ? undefined : this.#values.get(known);
    if (existing !== undefined) return existing;
    const value = this.#declare({ name: name ?? this.freshName("const"), type: tensor.type, shape: tensor.shape });
    this.#initializers.set(value.name, tensor);
    if (key !== undefined) this.#constantNames.set(key, value.name);
    return value;
  }

  /** The value of that name, here or in the outer graph. */
  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.outer?.find(name);
  }

  /** The value of that name. @throws internal error when there is none. */
  value(name: string): Value {
    const value = this.find(name);
    invariant(value !== undefined, `graph ${this.name} has no value '${name}'`);
    return value;
  }

  /**
   * The tensor behind `name` when it is known while building: an initializer, a Constant
   * node, or a small integer tensor that follows from shapes and constants.
   */
  constantOf(name: string): Tensor | undefined {
    const own = this.#initializers.get(name) ?? this.#constants.get(name);
    if (own !== undefined) return own;
    const content = this.#contents.get(name);
    return content === undefined ? this.outer?.constantOf(name) : tensorOfContent(content);
  }

  /** Like `constantOf` for small integer tensors whose elements may be symbolic dimensions. */
  contentOf(name: string): IntegerContent | undefined {
    const folded = this.#contents.get(name);
    if (folded !== undefined) return folded;
    const tensor = this.#initializers.get(name);
    return tensor === undefined ? this.outer?.contentOf(name) : contentOfTensor(tensor);
  }

  /** Applies an operator; outputs get their inferred type and shape. @throws BadInputError naming the node. */
  node(opType: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value[] {
    const name = options.name ?? this.freshName(opType);
    const count = options.outputs?.length ?? options.outputCount ?? 1;
    const outputs = options.outputs ?? Array.from({ length: count }, (_, i) => (count === 1 ? name : `${name}:${i}`));
    const node: Node = {
      name,
      opType,
      domain: options.domain ?? "",
      inputs: inputs.map((input) => input?.name ?? ""),
      outputs,
      attributes: options.attributes ?? {},
    };
    return this.addNode(node);
  }

  /**
   * Appends a ready node (from another graph, say). `declared` tells the type of an output
   * where inference cannot: of operators it does not know, and sizes that depend on data.
   */
  addNode(node: Node, declared?: (name: string) => OutputType | undefined): Value[] {
    const inputs = node.inputs.map((input) => {
      if (input === "") return undefined;
      return (
        this.find(input) ??
        badInput(`${node.opType} '${node.name}'`, "inputs that are defined before the node", `'${input}'`)
      );
    });
    const inferred =
      declared === undefined
        ? inferOutputs(node, inputs, this.#context)
        : inferWith(node, inputs, this.#context, declared);
    if (node.domain !== "") this.#opsets[node.domain] ??= 1;
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === "graph")
        for (const [domain, version] of Object.entries(attribute.value.opsets)) this.#opsets[domain] ??= version;
    }
    this.#nodes.push(node);
    this.#nodeNames.add(node.name);
    const outputs = node.outputs.map((output, i) => {
      const type = inferred[i];
      if (type === undefined)
        badInput(`${node.opType} '${node.name}'`, `at most ${inferred.length} outputs`, String(node.outputs.length));
      return output === "" ? { name: "", ...type } : this.#declare({ name: output, ...type });
    });
    this.#fold(node);
    return outputs;
  }

  /** Remembers what `node`, already declared, computes, if that is known. */
  #fold(node: Node): void {
    const output = this.#values.get(node.outputs[0] ?? "");
    if (output === undefined) return;
    const value = node.opType === "Constant" ? node.attributes["value"] : undefined;
    if (value?.kind === "tensor") this.#constants.set(output.name, value.value);
    const content = foldNode(
      node,
      node.inputs.map((input) => this.find(input)),
      this.#context,
      output,
    );
    if (content !== undefined) this.#contents.set(output.name, content);
  }

  /** The graph so far. */
  build(): Graph {
    return {
      name: this.name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      initializers: new Map(this.#initializers),
      nodes: [...this.#nodes],
      values: new Map(this.#values),
      opsets: { ...this.#opsets },
    };
  }

  #declare(value: Value): Value {
    if (this.#values.has(value.name)) badInput(`graph ${this.name}`, "a new value name", `'${value.name}' twice`);
    this.#values.set(value.name, value);
    return value;
  }

  #one(opType: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}, domain = ""): Value {
    const out = this.node(opType, inputs, { attributes, domain })[0];
    invariant(out !== undefined, `${opType} has an output`);
    return out;
  }

  // ---- constants -------------------------------------------------------------

  /** A float constant of the given type (float32 unless said), scalar or of `shape`. */
  float(
    value: number | readonly number[],
    shape: readonly number[] = Array.isArray(value) ? [value.length] : [],
    type: DataType = "float32",
  ): Value {
    const data = typeof value === "number" ? [value] : value;
    if (type === "float64") return this.initializer({ type, shape, data: Float64Array.from(data) });
    if (type !== "float32") return this.cast(this.float(value, shape), type);
    return this.initializer({ type, shape, data: Float32Array.from(data) });
  }

  /** An int64 vector: the shapes and axes that operators take as inputs. */
  ints(values: readonly number[]): Value {
    return this.initializer({ type: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  }

  /** An int32 constant. */
  int32(values: readonly number[] | Int32Array, shape: readonly number[] = [values.length]): Value {
    return this.initializer({ type: "int32", shape, data: Int32Array.from(values) });
  }

  /** A named large constant that is not deduplicated. */
  constant(type: DataType, shape: readonly number[], data: TypedArray, hint = "const"): Value {
    return this.initializer({ type, shape, data }, this.freshName(hint));
  }

  // ---- elementwise -------------------------------------------------------------

  add(a: Value, b: Value): Value {
    return this.#one("Add", [a, b]);
  }
  sub(a: Value, b: Value): Value {
    return this.#one("Sub", [a, b]);
  }
  mul(a: Value, b: Value): Value {
    return this.#one("Mul", [a, b]);
  }
  div(a: Value, b: Value): Value {
    return this.#one("Div", [a, b]);
  }
  pow(a: Value, b: Value): Value {
    return this.#one("Pow", [a, b]);
  }
  neg(a: Value): Value {
    return this.#one("Neg", [a]);
  }
  sqrt(a: Value): Value {
    return this.#one("Sqrt", [a]);
  }
  exp(a: Value): Value {
    return this.#one("Exp", [a]);
  }
  log(a: Value): Value {
    return this.#one("Log", [a]);
  }
  tanh(a: Value): Value {
    return this.#one("Tanh", [a]);
  }
  erf(a: Value): Value {
    return this.#one("Erf", [a]);
  }
  abs(a: Value): Value {
    return this.#one("Abs", [a]);
  }
  sigmoid(a: Value): Value {
    return this.#one("Sigmoid", [a]);
  }
  relu(a: Value): Value {
    return this.#one("Relu", [a]);
  }
  identity(a: Value): Value {
    return this.#one("Identity", [a]);
  }
  /** `a · s` with a float scalar. */
  scale(a: Value, s: number): Value {
    return this.mul(a, this.float(s, [], a.type));
  }
  equal(a: Value, b: Value): Value {
    return this.#one("Equal", [a, b]);
  }
  less(a: Value, b: Value): Value {
    return this.#one("Less", [a, b]);
  }
  greater(a: Value, b: Value): Value {
    return this.#one("Greater", [a, b]);
  }
  and(a: Value, b: Value): Value {
    return this.#one("And", [a, b]);
  }
  or(a: Value, b: Value): Value {
    return this.#one("Or", [a, b]);
  }
  not(a: Value): Value {
    return this.#one("Not", [a]);
  }
  where(condition: Value, a: Value, b: Value): Value {
    return this.#one("Where", [condition, a, b]);
  }
  cast(a: Value, to: DataType): Value {
    return a.type === to ? a : this.#one("Cast", [a], { to: attr.dataType(to) });
  }

  // ---- shape -------------------------------------------------------------------

  /**
   * Reshape; `-1` and `0` as in ONNX. Symbolic sizes are copied from the same axis of
   * `a`, read off a graph input, or, the last one of neither kind, left to what is left over.
   */
  reshape(a: Value, shape: Shape): Value {
    const target = shape.map((dim, i) => (typeof dim === "string" && dim === a.shape[i] ? 0 : dim));
    const left = target.includes(-1) ? -1 : target.findLastIndex((dim) => typeof dim === "string");
    const sizes = target.map((dim, i) => (i === left ? -1 : dim));
    return this.#one("Reshape", [a, this.#sizes(sizes)]);
  }

  /** int64 vector of sizes; a symbol's is read off an input that has it. */
  #sizes(dims: Shape): Value {
    if (dims.every((dim) => typeof dim === "number")) return this.ints(dims);
    return this.concat(
      dims.map((dim) => (typeof dim === "number" ? this.ints([dim]) : this.sizeOf(dim))),
      0,
    );
  }

  /** The size of a symbolic dimension, int64 [1], while the graph runs. @throws internal error when no graph input has it. */
  sizeOf(symbol: string): Value {
    const known = this.#symbolSizes.get(symbol);
    if (known !== undefined) return known;
    const input = this.#inputs.find((value) => value.shape.includes(symbol));
    invariant(input !== undefined, `graph ${this.name} has an input with the dimension '${symbol}'`);
    const start = input.shape.indexOf(symbol);
    const size = this.#one("Shape", [input], { start: attr.int(start), end: attr.int(start + 1) });
    this.#symbolSizes.set(symbol, size);
    return size;
  }
  transpose(a: Value, perm: readonly number[]): Value {
    return this.#one("Transpose", [a], { perm: attr.ints(perm) });
  }
  unsqueeze(a: Value, axes: readonly number[]): Value {
    return this.#one("Unsqueeze", [a, this.ints(axes)]);
  }
  squeeze(a: Value, axes: readonly number[]): Value {
    return this.#one("Squeeze", [a, this.ints(axes)]);
  }
  expand(a: Value, shape: readonly number[]): Value {
    return this.#one("Expand", [a, this.ints(shape)]);
  }
  /** `a` in the shape of `like`, whose sizes may be known only when the graph runs. */
  expandLike(a: Value, like: Value): Value {
    return this.#one("Expand", [a, this.#one("Shape", [like])]);
  }
  concat(parts: readonly Value[], axis: number): Value {
    return this.#one("Concat", parts, { axis: attr.int(axis) });
  }
  split(a: Value, sizes: readonly number[], axis: number): Value[] {
    return this.node("Split", [a, this.ints(sizes)], {
      attributes: { axis: attr.int(axis) },
      outputCount: sizes.length,
    });
  }
  slice(
    a: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): Value {
    return this.#one("Slice", [
      a,
      this.ints(starts),
      this.ints(ends),
      this.ints(axes),
      ...(steps ? [this.ints(steps)] : []),
    ]);
  }
  gather(data: Value, indices: Value, axis = 0): Value {
    return this.#one("Gather", [data, indices], { axis: attr.int(axis) });
  }
  gatherElements(data: Value, indices: Value, axis: number): Value {
    return this.#one("GatherElements", [data, indices], { axis: attr.int(axis) });
  }
  /** ScatterElements with `add`: right with repeated indices on every provider, unlike ScatterND (see docs). */
  scatterAdd(data: Value, indices: Value, updates: Value, axis: number): Value {
    return this.#one("ScatterElements", [data, indices, updates], {
      axis: attr.int(axis),
      reduction: attr.string("add"),
    });
  }

  // ---- linear algebra and reductions -----------------------------------------------

  matmul(a: Value, b: Value): Value {
    return this.#one("MatMul", [a, b]);
  }
  /** `op(a) · op(b) (+ c)` on matrices; `op` transposes where the flag is set. */
  gemm(
    a: Value,
    b: Value,
    options: { readonly transA?: boolean; readonly transB?: boolean; readonly alpha?: number; readonly c?: Value } = {},
  ): Value {
    const attributes: Record<string, ReturnType<typeof attr.int>> = {};
    if (options.transA) attributes["transA"] = attr.int(1);
    if (options.transB) attributes["transB"] = attr.int(1);
    return this.#one(
      "Gemm",
      options.c ? [a, b, options.c] : [a, b],
      options.alpha === undefined ? attributes : { ...attributes, alpha: attr.float(options.alpha) },
    );
  }
  reduceSum(a: Value, axes: readonly number[], keepDims = true): Value {
    return this.#one("ReduceSum", [a, this.ints(axes)], { keepdims: attr.int(keepDims ? 1 : 0) });
  }
  /** ReduceMean and ReduceMax take their axes as an attribute below operator set 18, as an input from there on. */
  reduceMean(a: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceMean", a, axes, keepDims);
  }
  reduceMax(a: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceMax", a, axes, keepDims);
  }
  #reduce(opType: string, a: Value, axes: readonly number[], keepDims: boolean): Value {
    const keepdims = attr.int(keepDims ? 1 : 0);
    return this.opset >= 18
      ? this.#one(opType, [a, this.ints(axes)], { keepdims })
      : this.#one(opType, [a], { axes: attr.ints(axes), keepdims });
  }
  argmax(a: Value, axis: number, keepDims = true): Value {
    return this.#one("ArgMax", [a], { axis: attr.int(axis), keepdims: attr.int(keepDims ? 1 : 0) });
  }
  softmax(a: Value, axis = -1): Value {
    return this.#one("Softmax", [a], { axis: attr.int(axis) });
  }
  layerNorm(x: Value, weight: Value, bias: Value | undefined, epsilon: number): Value {
    return this.#one("LayerNormalization", bias ? [x, weight, bias] : [x, weight], {
      axis: attr.int(-1),
      epsilon: attr.float(epsilon),
    });
  }
  /** RMS normalisation over the last axis: ONNX Runtime's SimplifiedLayerNormalization (ONNX domain, no official schema). */
  rmsNorm(x: Value, weight: Value, epsilon: number): Value {
    return this.#one("SimplifiedLayerNormalization", [x, weight], { axis: attr.int(-1), epsilon: attr.float(epsilon) });
  }
}
