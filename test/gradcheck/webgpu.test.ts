/**
 * @file Every gradient rule executed by ONNX Runtime's WebGPU provider (through
 * Dawn in Node), against the float64 evaluator, with fallback to the CPU refused:
 * forward and backward of every operator that has a WebGPU kernel run on it. One
 * session for all of them: a software device compiles slowly.
 */
import { afterAll, describe, expect, test } from "vitest";
import { buildBatch, distance } from "../support/gradcheckCase.ts";
import { closeProviders, runOnProvider } from "../support/ortProviders.ts";
import { FAMILIES } from "./families.ts";

/** Shader arithmetic: sin and cos of a software device are good to ~2e-4. */
const TOLERANCE = 1e-3;
const SEEDS = [2];

/** Families whose forward operator ONNX Runtime 1.30 cannot place on WebGPU, and why. Their gradients still run. */
const NOT_PLACED: ReadonlyMap<string, string> = new Map([
  ["_Sum", "no kernel"],
  ["_Mean", "no kernel"],
  ["_LogSoftmax", "no kernel"],
  ["com.microsoft_FusedMatMul", "no kernel"],
  ["_GatherND_int64_input", "indices must be int64, and int64 arithmetic has no kernel"],
]);

/** Outputs that ONNX Runtime 1.30 computes wrongly on WebGPU: a Slice with a negative step starts at the wrong element. */
const WRONG_FORWARD = /^_Slice_reversed\.\d+\.out/;

async function disagreements(
  names: (name: string) => boolean,
  opset: number,
  disableCpuFallback: boolean,
): Promise<string[]> {
  const families = FAMILIES.filter((family) => (family.opset ?? 17) === opset && names(family.name));
  const { graph, feeds, expected } = buildBatch(families, SEEDS, opset);
  const got = await runOnProvider("webgpu", graph, feeds, { disableCpuFallback });
  return [...expected].flatMap(([name, reference]) => {
    const error = distance(got.get(name)!, reference);
    return error < TOLERANCE || WRONG_FORWARD.test(name) ? [] : [`${name}: ${error}`];
  });
}

afterAll(closeProviders);

describe("gradient rules on webgpu", () => {
  test.each([...new Set(FAMILIES.map((family) => family.opset ?? 17))])(
    "all nodes of operator set %i are placed and agree with float64",
    async (opset) => {
      expect(await disagreements((name) => !NOT_PLACED.has(name), opset, true)).toEqual([]);
    },
  );

  test("operators without a WebGPU kernel agree with float64 when the CPU may help", async () => {
    expect(await disagreements((name) => NOT_PLACED.has(name), 17, false)).toEqual([]);
  });

  test.each([...NOT_PLACED])("%s cannot be placed (%s)", async (name) => {
    await expect(disagreements((candidate) => candidate === name, 17, true)).rejects.toThrow("fallback to CPU EP");
  });
});
