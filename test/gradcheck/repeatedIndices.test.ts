/**
 * @file The gradient of an embedding whose rows are looked up many times, on two
 * threads: equal to float64 and the same on every run. ONNX Runtime's ScatterND
 * with `add` loses additions here, now and then; the rule must not use it.
 */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { addGradients } from "../../src/autograd/gradient.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import type { NdArray } from "../support/ndarray.ts";
import { openOnProvider } from "../support/ortProviders.ts";

const [ROWS, WIDTH, TOKENS] = [64, 96, 4096];
const RUNS = 12;

const rng = new Rng(5);
/** A third of all tokens are the same one, as spaces are. */
const ids = Int32Array.from({ length: TOKENS }, () => (rng.uniform() < 0.33 ? 7 : rng.integer(0, ROWS - 1)));
const slopes = Float32Array.from({ length: TOKENS * WIDTH }, () => rng.normal());
const feeds: Record<string, Tensor> = {
  table: { type: "float32", shape: [ROWS, WIDTH], data: new Float32Array(ROWS * WIDTH) },
  ids: { type: "int32", shape: [TOKENS], data: ids },
  slopes: { type: "float32", shape: [TOKENS, WIDTH], data: slopes },
};

const expected = new Float64Array(ROWS * WIDTH);
ids.forEach((row, token) => {
  for (let lane = 0; lane < WIDTH; lane++) expected[row * WIDTH + lane]! += slopes[token * WIDTH + lane]!;
});

function embeddingGradient(gatherGradient: "scatter" | "onehot"): Graph {
  const g = new GraphBuilder("embedding");
  const table = g.input("table", "float32", [ROWS, WIDTH]);
  const seed = g.input("slopes", "float32", [TOKENS, WIDTH]);
  const [gradient] = addGradients(g, g.gather(table, g.input("ids", "int32", [TOKENS])), [table], {
    seed,
    gatherGradient,
  });
  g.output(gradient!, "gradient");
  return g.build();
}

/** Relative L2 distance to the float64 sums. */
function relativeError(got: NdArray): number {
  let [difference, norm] = [0, 0];
  expected.forEach((value, i) => {
    difference += (got.data[i]! - value) ** 2;
    norm += value * value;
  });
  return Math.sqrt(difference / norm);
}

async function runs(provider: "cpu" | "wasm", graph: Graph): Promise<NdArray[]> {
  const session = await openOnProvider(provider, graph, { threads: 2 });
  const results: NdArray[] = [];
  for (let run = 0; run < RUNS; run++) results.push((await session.run(feeds)).get("gradient")!);
  await session.release();
  return results;
}

describe.each(["cpu", "wasm"] as const)("repeated indices on %s with two threads", (provider) => {
  test.each(["scatter", "onehot"] as const)(
    "%s: equal to float64, bit-equal from run to run",
    async (gatherGradient) => {
      const results = await runs(provider, embeddingGradient(gatherGradient));
      for (const result of results) {
        expect(relativeError(result)).toBeLessThan(1e-6);
        expect(result.data).toEqual(results[0]!.data);
      }
    },
  );
});
