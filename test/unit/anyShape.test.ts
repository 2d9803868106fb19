/**
 * @file One train graph that takes rows of any length gives the loss and gradients, and one score graph the scores, of the
 * graph made for the length at hand, for every family: with and without adapter, one row
 * and several, padded or not, activations kept or computed twice.
 */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { NO_LORA, resolveLora } from "../../src/nn/lora.ts";
import { TOKEN_SCORES } from "../../src/nn/losses.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import { anyShapeFeeds, makeMicroBatch, type MicroBatch } from "../../src/student/batches.ts";
import { AGAIN, buildScoreGraph, buildTrainGraph, type StudentBlueprint } from "../../src/student/graphs.ts";
import type { EncodedRow } from "../../src/student/types.ts";
import { runOnProvider } from "../support/ortProviders.ts";
import { parameterFeeds, TINY_CONFIGS, tinyBlueprint, tinyWeights, type TinyName } from "../support/tinyModels.ts";

const row = (ids: readonly number[], completionTokens: number): EncodedRow => ({
  id: ids.join(),
  ids: Int32Array.from(ids),
  completionTokens,
});

const LONG = row([1, 5, 2, 5, 3, 6], 3);
const SHORT = row([4, 0, 2], 1);

async function run(
  graph: Graph,
  blueprint: StudentBlueprint,
  row: Readonly<Record<string, Tensor>>,
): Promise<Map<string, number[]>> {
  const feeds: Record<string, Tensor> = { ...row };
  const parameters = parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(1)));
  for (const { name } of graph.inputs) {
    const given = parameters[name.endsWith(AGAIN) ? name.slice(0, -AGAIN.length) : name];
    if (given !== undefined) feeds[name] = { type: "float32", shape: given.shape, data: Float32Array.from(given.data) };
  }
  const outputs = await runOnProvider("cpu", graph, feeds);
  return new Map([...outputs].map(([name, { data }]) => [name, Array.from(data, Number)]));
}

describe.each(Object.keys(TINY_CONFIGS) as TinyName[])("%s", (name) => {
  // Two layers, so that one can be recomputed.
  const decoder = parseDecoder({ ...TINY_CONFIGS[name], num_hidden_layers: 2, n_layer: 2 });
  const adapter = resolveLora(decoder, (module) =>
    module === decoder.head.module ? undefined : { r: 2, scaling: 1.5 },
  );

  test.each([
    ["one row", [LONG], NO_LORA, false],
    ["rows of two lengths", [SHORT, LONG, LONG], NO_LORA, false],
    ["rows of two lengths, adapter, activations computed twice", [SHORT, LONG], adapter, true],
  ])("%s", async (_, rows, lora, recompute) => {
    const blueprint = tinyBlueprint(decoder, lora);
    const full = rows.length === 1 ? 1 : 4;
    const batches: MicroBatch[] = [makeMicroBatch(rows, full, 8, "exact")];
    if (rows.length === 1) batches.push(makeMicroBatch([SHORT], full, 8, "exact"));
    for (const batch of batches) {
      const any = buildTrainGraph(blueprint, "any", 8, { accumulate: false, recompute });
      const own = buildTrainGraph(blueprint, batch.batch, batch.length, { accumulate: false });
      const [got, expected] = [await run(any, blueprint, anyShapeFeeds(batch)), await run(own, blueprint, batch.feeds)];
      expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [output, values] of expected) {
        const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
        const error = Math.sqrt(values.reduce((sum, x, i) => sum + (x - got.get(output)![i]!) ** 2, 0));
        expect(size, output).toBeGreaterThan(0);
        expect(error / size, output).toBeLessThan(2e-6);
      }
    }
  });

  test("scores of rows of two lengths, position by position", async () => {
    const blueprint = tinyBlueprint(decoder, NO_LORA);
    const rows = [SHORT, LONG, LONG];
    const batch = makeMicroBatch(rows, 4, 8, "exact");
    const any = await run(buildScoreGraph(blueprint, "any", 8, TOKEN_SCORES), blueprint, anyShapeFeeds(batch));
    const sums = await run(buildScoreGraph(blueprint, 3, batch.length, TOKEN_SCORES), blueprint, batch.feeds);
    for (const score of TOKEN_SCORES) {
      const positions = any.get(score)!;
      expect(positions).toHaveLength(7);
      const [short, ...long] = [positions.slice(0, 1), positions.slice(1, 4), positions.slice(4)].map((own) =>
        own.reduce((a, b) => a + b),
      );
      expect(long[0], score).toBeCloseTo(long[1]!, 5);
      [short, ...long].forEach((sum, i) => expect(sum! / sums.get(score)![i]!, score).toBeCloseTo(1, 5));
    }
  });
});
