/**
 * @file One gradient check: a graph around one operator, its inputs, and a scalar
 * loss `Σ R·y` with random R over its outputs. Built into any builder, so that many
 * cases share one graph (and one session).
 */
import { Rng } from "../../src/core/rng.ts";
import type { GradientOptions } from "../../src/autograd/gradient.ts";
import { addGradients } from "../../src/autograd/gradient.ts";
import { isDifferentiable } from "../../src/autograd/nodeEmitter.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Attributes, DataType, Graph, Shape, Tensor, Value } from "../../src/onnx/types.ts";
import { evaluate, fromTensor, numericGradient } from "./float64Evaluator.ts";
import type { NdArray } from "./ndarray.ts";
import { sizeOf } from "./ndarray.ts";

/** What a case builds with: random shapes and inputs that are recorded as it goes. */
export class CaseBuilder {
  readonly graph: GraphBuilder;
  readonly rng: Rng;
  readonly feeds: Record<string, Tensor> = {};
  readonly wrt: Value[] = [];
  /** Element type of the float inputs: float64 where a reference computes, float32 for ONNX Runtime. */
  readonly type: "float32" | "float64";
  readonly #prefix: string;
  #draws = 0;

  constructor(graph: GraphBuilder, prefix: string, seed: number, type: "float32" | "float64") {
    this.graph = graph;
    this.type = type;
    this.rng = new Rng(seed).fork(prefix.replace(/[0-9]+$/, ""));
    this.#prefix = prefix;
  }

  /** A differentiated float input. Values are exact in float32. */
  x(shape: readonly number[], draw: () => number = () => this.rng.normal()): Value {
    const value = this.data(shape, draw);
    this.wrt.push(value);
    return value;
  }

  /** A float input that is not differentiated. */
  data(shape: readonly number[], draw: () => number = () => this.rng.normal()): Value {
    const data = Float32Array.from({ length: sizeOf(shape) }, draw);
    return this.#feed({ type: this.type, shape, data: this.type === "float32" ? data : Float64Array.from(data) });
  }

  /** A constant scalar. */
  float(value: number): Value {
    return this.graph.float(value, [], this.type);
  }

  /** Differentiated input whose elements differ from each other, and from those of other calls, by at least 0.03. */
  distinct(shape: readonly number[]): Value {
    const offset = 0.03 * this.#draws++;
    const grid = this.rng.shuffle(Array.from({ length: sizeOf(shape) }, (_, i) => i));
    let next = 0;
    return this.x(shape, () => ((grid[next++] ?? 0) - grid.length / 2) * 0.13 + offset + 0.011);
  }

  /** Values at least 0.02 away from each of `points`. */
  awayFrom(...points: readonly number[]): () => number {
    return () => {
      for (;;) {
        const value = this.rng.normal();
        if (points.every((point) => Math.abs(value - point) > 0.02)) return value;
      }
    };
  }

  uniform(low: number, high: number): () => number {
    return () => low + (high - low) * this.rng.uniform();
  }

  /** An index input in [0, limit), or counted from the end for about a third when `negative`. */
  ids(shape: readonly number[], limit: number, options: { type?: "int32" | "int64"; negative?: boolean } = {}): Value {
    const draw = (): number => {
      const id = this.rng.integer(0, limit - 1);
      return options.negative && this.rng.uniform() < 0.35 ? id - limit : id;
    };
    const values = Array.from({ length: sizeOf(shape) }, draw);
    return options.type === "int64"
      ? this.#feed({ type: "int64", shape, data: BigInt64Array.from(values, BigInt) })
      : this.#feed({ type: "int32", shape, data: Int32Array.from(values) });
  }

  /** int64 constants, which stay on the host on every provider. */
  constantIds(shape: readonly number[], values: readonly number[]): Value {
    return this.graph.initializer({ type: "int64", shape, data: BigInt64Array.from(values, BigInt) });
  }

  /** A bool input with both values. */
  mask(shape: readonly number[]): Value {
    const data = this.data(shape, this.awayFrom(0));
    return this.op("Greater", [data, this.float(0)]);
  }

  op(opType: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}, domain = ""): Value {
    return this.graph.node(opType, inputs, { attributes, domain })[0]!;
  }

  // ---- random shapes -----------------------------------------------------------

  /** `rank` dimensions of 1 to `most`. */
  shape(rank: number = this.rng.integer(1, 3), most = 4): number[] {
    return Array.from({ length: rank }, () => this.rng.integer(1, most));
  }

  /** Shapes that broadcast together: dimensions dropped in front or set to 1 at random. */
  broadcastable(count: number): number[][] {
    const full = this.shape(this.rng.integer(0, 4), 3);
    return Array.from({ length: count }, () => {
      const rank = this.rng.uniform() < 0.5 ? full.length : this.rng.integer(0, full.length);
      return full.slice(full.length - rank).map((dim) => (this.rng.uniform() < 0.25 ? 1 : dim));
    });
  }

  /** An axis of a tensor of this rank, negative half of the time. */
  axis(rank: number): number {
    const axis = this.rng.integer(0, rank - 1);
    return this.flip() ? axis - rank : axis;
  }

  /** Some different axes (at least one), of mixed sign, in any order. */
  axes(rank: number): number[] {
    const all = this.rng.shuffle(Array.from({ length: rank }, (_, i) => i));
    return all.slice(0, this.rng.integer(1, rank)).map((axis) => (this.flip() ? axis - rank : axis));
  }

  flip(): boolean {
    return this.rng.uniform() < 0.5;
  }

  #feed(tensor: Tensor): Value {
    const name = `${this.#prefix}.in${Object.keys(this.feeds).length}`;
    this.feeds[name] = tensor;
    return this.graph.input(name, tensor.type, tensor.shape);
  }
}

/** Emits the operator under test and gives the values that the loss depends on. */
export type CaseBody = (c: CaseBuilder) => Value | readonly Value[];

/** A random family of cases of one operator. */
export interface GradcheckFamily {
  /** Key in the rule registry. */
  readonly operator: string;
  readonly name: string;
  /** Operator set of the graph (default 17). */
  readonly opset?: number;
  readonly options?: GradientOptions;
  readonly body: CaseBody;
}

/** One case after it was built: where to find its values. */
export interface BuiltCase {
  readonly name: string;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly loss: string;
  readonly outputs: readonly string[];
  /** Differentiated inputs and the names of their gradients, in order. */
  readonly wrt: readonly string[];
  readonly gradients: readonly string[];
}

/** Builds the case drawn with `seed` into `graph`; gradients (and outputs) become graph outputs. */
export function buildCase(
  graph: GraphBuilder,
  family: GradcheckFamily,
  prefix: string,
  seed: number,
  options: GradientOptions = {},
  type: "float32" | "float64" = "float32",
): BuiltCase {
  const c = new CaseBuilder(graph, prefix, seed, type);
  const body = family.body(c);
  const outputs = (Array.isArray(body) ? body : [body]) as readonly Value[];
  let loss: Value | undefined;
  for (const y of outputs) {
    if (!isDifferentiable(y)) throw new Error(`${family.name}: output ${y.name} is ${y.type}`);
    const weights = c.data(y.shape as readonly number[]);
    const part = total(graph, graph.mul(y, weights), y.shape);
    loss = loss === undefined ? part : graph.add(loss, part);
  }
  // Every third draw freezes some inputs: rules may emit less then.
  const kept = seed % 3 === 0 ? c.wrt.filter(() => c.flip()) : c.wrt;
  const wrt = kept.length === 0 ? c.wrt : kept;
  const gradients = addGradients(graph, loss!, wrt, { ...family.options, ...options });
  const named = gradients.map((value, i) => graph.output(value, `${wrt[i]!.name}_grad`).name);
  const shown = outputs.map((y, i) => graph.output(y, `${prefix}.out${i}`).name);
  return {
    name: prefix,
    feeds: c.feeds,
    loss: loss!.name,
    outputs: shown,
    wrt: wrt.map((v) => v.name),
    gradients: named,
  };
}

function total(graph: GraphBuilder, value: Value, shape: Shape): Value {
  return shape.length === 0
    ? value
    : graph.reduceSum(
        value,
        shape.map((_, i) => i),
        false,
      );
}

export interface Comparison {
  readonly what: string;
  /** Largest difference, relative to the largest of the element, 1 % of the tensor's largest element, and 0.01. */
  readonly error: number;
}

/** How far `got` is from `expected`; a wrong shape or a value that is not finite is infinitely far. */
export function distance(got: NdArray, expected: NdArray): number {
  if (`${got.shape}` !== `${expected.shape}`) return Infinity;
  const top = expected.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  let worst = 0;
  expected.data.forEach((e, i) => {
    const g = got.data[i]!;
    if (!Number.isFinite(g) || !Number.isFinite(e)) worst = Infinity;
    worst = Math.max(worst, Math.abs(g - e) / Math.max(Math.abs(e), 0.01 * top, 1e-2));
  });
  return worst;
}

/** Analytic gradients on the float64 evaluator against central differences of the forward graph, for one draw. */
export function checkAnalytic(family: GradcheckFamily, seed: number, options: GradientOptions = {}): Comparison[] {
  const builder = new GraphBuilder("gradcheck", { opset: family.opset ?? 17 });
  const built = buildCase(builder, family, `${family.name}.0`, seed, options, "float64");
  const graph = builder.build();
  const feeds = float64Feeds(built.feeds);
  const analytic = evaluate(graph, feeds, built.gradients);
  return built.wrt.map((name, i) => ({
    what: `${family.name} seed ${seed}: gradient of ${name} ${JSON.stringify(built.feeds[name]!.shape)}`,
    error: distance(analytic.get(built.gradients[i]!)!, numericGradient(graph, feeds, built.loss, name)),
  }));
}

export function float64Feeds(feeds: Readonly<Record<string, Tensor>>): Record<string, NdArray> {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, fromTensor(tensor)]));
}

/** A graph with one drawn case per family and seed, and what to expect of each output, from the float64 evaluator. */
export function buildBatch(
  families: readonly GradcheckFamily[],
  seeds: readonly number[],
  opset: number,
  options: GradientOptions = {},
): { graph: Graph; feeds: Record<string, Tensor>; expected: Map<string, NdArray>; types: Map<string, DataType> } {
  const builder = new GraphBuilder("gradcheckBatch", { opset });
  const feeds: Record<string, Tensor> = {};
  const names: string[] = [];
  for (const family of families) {
    for (const seed of seeds) {
      const built = buildCase(builder, family, `${family.name}.${seed}`, seed, options);
      Object.assign(feeds, built.feeds);
      names.push(...built.outputs, ...built.gradients);
    }
  }
  const graph = builder.build();
  const expected = evaluate(graph, float64Feeds(feeds), names);
  return { graph, feeds, expected, types: new Map(graph.outputs.map((o) => [o.name, o.type])) };
}
