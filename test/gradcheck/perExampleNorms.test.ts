/**
 * @file Gradient norms of single rows, worked out for a whole batch at once, against each
 * row alone: its full gradient by central differences of its float64 loss, and the gradient
 * that the training graph gives. Every family, full and with adapters.
 */
import { describe, expect, test } from "vitest";
import { addPerExampleSquaredNorms } from "../../src/autograd/perExampleNorms.ts";
import { Rng } from "../../src/core/rng.ts";
import { resolveLora } from "../../src/nn/lora.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { buildGradNormGraph } from "../../src/student/gradNormGraph.ts";
import { buildTrainGraph, type StudentBlueprint } from "../../src/student/graphs.ts";
import { evaluate, numericGradient } from "../support/float64Evaluator.ts";
import { array, type NdArray } from "../support/ndarray.ts";
import {
  TINY_CONFIGS,
  parameterFeeds,
  rowFeeds,
  tinyBlueprint,
  tinyDecoder,
  tinyWeights,
  type TinyName,
} from "../support/tinyModels.ts";

/** Rows of unlike lengths, padded to T = 5; repeated tokens, and targets that occur as inputs (a tied embedding's cross terms). */
const ROWS = [
  rowFeeds([1, 5, 2, 5, 3, 6], [0, 0, 1, 1, 1]),
  rowFeeds([4, 4, 4, 1, 0, 0], [1, 1, 1, 0, 0]),
  rowFeeds([2, 6, 0, 3, 1, 2], [0, 0, 0, 0, 1]),
];

/** The rows as one batch. */
function batchFeeds(): Record<string, NdArray> {
  const joined = (name: string, shape: readonly number[]): NdArray =>
    array(
      shape,
      ROWS.flatMap((row) => Array.from(row[name]!.data)),
    );
  return { ids: joined("ids", [3, 5]), targets: joined("targets", [15, 1]), weights: joined("weights", [3, 5]) };
}

function squaredNorms(blueprint: StudentBlueprint, parameters: Record<string, NdArray>): number[] {
  const graph = buildGradNormGraph(blueprint, 3, 5);
  return Array.from(evaluate(graph, { ...parameters, ...batchFeeds() }).get("gradNormSquared")!.data);
}

const sumOfSquares = (values: Iterable<number>): number => Array.from(values).reduce((sum, x) => sum + x * x, 0);

/** `‖gradient‖²` of row `i` alone, by central differences over every trainable element. */
function numericSquaredNorm(blueprint: StudentBlueprint, parameters: Record<string, NdArray>, i: number): number {
  const graph = buildTrainGraph(blueprint, 1, 5, { accumulate: false });
  const feeds = { ...parameters, ...ROWS[i]! };
  return blueprint.layout.groups.reduce(
    (sum, { name }) => sum + sumOfSquares(numericGradient(graph, feeds, "lossSum", `param.${name}`).data),
    0,
  );
}

/** The same from the training graph. */
function trainedSquaredNorm(blueprint: StudentBlueprint, parameters: Record<string, NdArray>, i: number): number {
  const outputs = evaluate(buildTrainGraph(blueprint, 1, 5, { accumulate: false }), { ...parameters, ...ROWS[i]! });
  return blueprint.layout.groups.reduce(
    (sum, { name }) => sum + sumOfSquares(outputs.get(`grad.${name}.out`)!.data),
    0,
  );
}

describe.each(Object.keys(TINY_CONFIGS) as TinyName[])("%s", (name) => {
  const decoder = tinyDecoder(name);
  const full = tinyBlueprint(decoder);
  const adapted = tinyBlueprint(
    decoder,
    resolveLora(decoder, () => ({ r: 2, scaling: 1.5 })),
  );
  test.each([
    ["all parameters", full],
    ["an adapter", adapted],
    ["all parameters, official operators only", { ...full, fusedNorm: false }],
  ] as const)("of %s are those of each row's own gradient", (_, blueprint) => {
    const parameters = parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(4)));
    const norms = squaredNorms(blueprint, parameters);
    norms.forEach((norm, i) => {
      const expected = trainedSquaredNorm(blueprint, parameters, i);
      expect(expected).toBeGreaterThan(1e-2);
      expect(Math.abs(norm - expected), `row ${i}: ${norm} beside ${expected}`).toBeLessThan(1e-9 * expected);
    });
    // The training graph's gradients are slopes for every family (nnGradients); here two families suffice.
    if (blueprint !== full || (name !== "llamaTied" && name !== "gpt2")) return;
    const numeric = numericSquaredNorm(blueprint, parameters, 0);
    expect(Math.abs(norms[0]! - numeric)).toBeLessThan(1e-6 * numeric);
  });
});

describe("norms over any graph", () => {
  const B = 2;
  /** A loss over rows of x [B·n, K], and its squared norms. */
  function normsOf(
    n: number,
    shape: readonly number[],
    build: (g: GraphBuilder, x: ReturnType<GraphBuilder["input"]>, w: ReturnType<GraphBuilder["input"]>) => unknown,
  ) {
    const g = new GraphBuilder("any");
    const x = g.input("x", "float32", [B * n, 3]);
    const w = g.input("w", "float32", shape);
    const y = build(g, x, w) as typeof x;
    const loss = g.reduceSum(g.tanh(y), [0, 1], false);
    g.output(addPerExampleSquaredNorms(g, loss, [w], B), "norms");
    g.output(loss, "loss");
    const rng = new Rng(5);
    const draw = (size: number): number[] => Array.from({ length: size }, () => rng.normal());
    const feeds = { x: array([B * n, 3], draw(3 * B * n)), w: array(shape, draw(shape.reduce((a, b) => a * b, 1))) };
    const graph = g.build();
    const norms = Array.from(evaluate(graph, feeds).get("norms")!.data);
    const expected = norms.map((_, b) => {
      // The other example's rows set to 0 contribute a gradient of 0 where the graph is y = f(x w) without bias.
      const alone = feeds.x.data.map((value, i) => (Math.floor(i / (3 * n)) === b ? value : 0));
      return sumOfSquares(numericGradient(graph, { ...feeds, x: array([B * n, 3], alone) }, "loss", "w").data);
    });
    return { norms, expected };
  }

  test.each([
    ["a short product, by n × n products", 1, [3, 40], (g, x, w) => g.matmul(x, w)],
    ["a long product, formed", 9, [3, 2], (g, x, w) => g.matmul(x, w)],
    ["a transposed weight", 2, [4, 3], (g, x, w) => g.matmul(x, g.transpose(w, [1, 0]))],
    ["a weight used twice", 2, [3, 3], (g, x, w) => g.matmul(g.tanh(g.gemm(x, w, { transB: true, alpha: 0.5 })), w)],
    ["a scale", 3, [3], (g, x, w) => g.mul(x, w)],
  ] as const satisfies readonly (readonly [string, number, readonly number[], Parameters<typeof normsOf>[2]])[])(
    "are right for %s",
    (_, n, shape, build) => {
      const { norms, expected } = normsOf(n, shape, build);
      norms.forEach((norm, i) => expect(norm).toBeCloseTo(expected[i]!, 7));
    },
  );

  test("refuse a use that is not covered, naming the node", () => {
    const g = new GraphBuilder("any");
    const x = g.input("x", "float32", [2, 3]);
    const w = g.input("w", "float32", [3]);
    const loss = g.reduceSum(g.div(x, w), [0, 1], false);
    expect(() => addPerExampleSquaredNorms(g, loss, [w], 2)).toThrow(/Div .*not covered/);
  });
});
