/** @file Gradient norms of single rows on the WebGPU provider: every node there, none on the CPU, and the right numbers. */
import { afterAll, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { buildGradNormGraph } from "../../src/student/gradNormGraph.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import { array } from "../support/ndarray.ts";
import { closeProviders, runOnProvider } from "../support/ortProviders.ts";
import { parameterFeeds, tinyBlueprint, tinyDecoder, tinyWeights } from "../support/tinyModels.ts";

afterAll(closeProviders);

test("a tied Llama's", async () => {
  const blueprint = tinyBlueprint(tinyDecoder("llamaTied"));
  const graph = buildGradNormGraph(blueprint, 2, 3);
  const feeds = {
    ...parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(6))),
    ids: array([2, 3], [1, 5, 5, 2, 3, 2]),
    targets: array([6, 1], [5, 5, 1, 3, 2, 6]),
    weights: array([2, 3], [0, 1, 1, 1, 1, 1]),
  };
  const expected = evaluate(graph, feeds).get("gradNormSquared")!.data;
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]): [string, Tensor] => [
      name,
      name === "ids" || name === "targets"
        ? { type: "int32", shape, data: Int32Array.from(data) }
        : { type: "float32", shape, data: Float32Array.from(data) },
    ]),
  );
  const got = (await runOnProvider("webgpu", graph, tensors, { disableCpuFallback: true })).get(
    "gradNormSquared",
  )!.data;
  expected.forEach((norm, i) => expect(Math.abs(got[i]! - norm)).toBeLessThan(1e-4 * norm));
});
