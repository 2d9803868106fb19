/** @file The graphs behind acquisition functions on the WebGPU provider: every node there, none on the CPU, and the right numbers. */
import { afterAll, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import { buildGradNormGraph } from "../../src/student/gradNormGraph.ts";
import { buildFeatureGraph, buildGradientProductGraph } from "../../src/student/similarityGraphs.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import { array, type NdArray } from "../support/ndarray.ts";
import { closeProviders, runOnProvider } from "../support/ortProviders.ts";
import { parameterFeeds, tinyBlueprint, tinyDecoder, tinyWeights } from "../support/tinyModels.ts";

afterAll(closeProviders);

const blueprint = tinyBlueprint(tinyDecoder("llamaTied"));
const parameters = parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(6)));
const INTEGERS: ReadonlySet<string> = new Set(["ids", "targets", "rows"]);

/** Every output on WebGPU against the float64 evaluator, relative to the largest element. */
async function expectSame(graph: Graph, feeds: Readonly<Record<string, NdArray>>): Promise<void> {
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]): [string, Tensor] => [
      name,
      INTEGERS.has(name)
        ? { type: "int32", shape, data: Int32Array.from(data) }
        : { type: "float32", shape, data: Float32Array.from(data) },
    ]),
  );
  const expected = evaluate(graph, feeds);
  const got = await runOnProvider("webgpu", graph, tensors, { disableCpuFallback: true });
  for (const [name, { data }] of expected) {
    const largest = Math.max(...Array.from(data, Math.abs));
    expect(largest).toBeGreaterThan(1e-3);
    data.forEach((value, i) => expect(Math.abs(got.get(name)!.data[i]! - value), name).toBeLessThan(1e-4 * largest));
  }
}

test("norms of single rows' gradients", async () => {
  await expectSame(buildGradNormGraph(blueprint, 2, 3), {
    ...parameters,
    ids: array([2, 3], [1, 5, 5, 2, 3, 2]),
    targets: array([6, 1], [5, 5, 1, 3, 2, 6]),
    weights: array([2, 3], [0, 1, 1, 1, 1, 1]),
  });
});

test("hidden states and prediction errors", async () => {
  const rows = { ids: array([2, 3], [1, 5, 5, 2, 3, 2]), rows: array([4], [1, 2, 5, 0]) };
  const members = array([2, 4], [1, 1, 0, 0, 0, 0, 1, 0]);
  const shape = { batch: 2, length: 3, positions: 4 };
  await expectSame(buildFeatureGraph(blueprint, shape, "hidden"), { ...parameters, ...rows, members });
  const targets = array([4, 1], [5, 1, 6, 0]);
  await expectSame(buildFeatureGraph(blueprint, shape, "badge"), { ...parameters, ...rows, targets });
});

test("products of gradient embeddings", async () => {
  const rng = new Rng(7);
  const draw = (rows: number, width: number): NdArray =>
    array(
      [rows, width],
      Array.from({ length: rows * width }, () => Math.fround(rng.normal())),
    );
  const { vocabSize: V, hiddenSize: D } = blueprint.decoder;
  const [a, b] = [
    { batch: 2, length: 3, positions: 4 },
    { batch: 3, length: 3, positions: 3 },
  ];
  await expectSame(buildGradientProductGraph(blueprint, a, b), {
    "errors.a": draw(4, V),
    "states.a": draw(4, D),
    "members.a": array([2, 4], [1, 1, 1, 0, 0, 0, 0, 1]),
    "errors.b": draw(3, V),
    "states.b": draw(3, D),
    "members.b": array([3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]),
  });
});
