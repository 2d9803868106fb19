/**
 * @file Every gradient rule executed by ONNX Runtime on its CPU and WASM providers,
 * against the float64 evaluator (whose gradients `analytic.test.ts` checks).
 */
import { describe, expect, test } from "vitest";
import { buildBatch, distance } from "../support/gradcheckCase.ts";
import { runOnProvider } from "../support/ortProviders.ts";
import { FAMILIES } from "./families.ts";

/** float32 arithmetic; a few hundred ulps where sums cancel. */
const TOLERANCE = 2e-4;
const SEEDS = [1, 2, 3, 4, 5];

const opsets = [...new Set(FAMILIES.map((family) => family.opset ?? 17))];

describe.each(["cpu", "wasm"] as const)("gradient rules on %s", (provider) => {
  test.each(opsets)("families of operator set %i agree with float64", async (opset) => {
    const families = FAMILIES.filter((family) => (family.opset ?? 17) === opset);
    const { graph, feeds, expected } = buildBatch(families, SEEDS, opset);
    const got = await runOnProvider(provider, graph, feeds, { threads: 2 });
    const wrong = [...expected].flatMap(([name, reference]) => {
      const error = distance(got.get(name)!, reference);
      return error < TOLERANCE ? [] : [`${name}: ${error}`];
    });
    expect(wrong).toEqual([]);
    expect(expected.size).toBeGreaterThanOrEqual(2 * families.length * SEEDS.length);
  });
});
