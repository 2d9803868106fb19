/**
 * @file Shape and type inference against ONNX Runtime's CPU provider: what inference
 * says of an output is what running the node returns, for random applications of every
 * operator, with static shapes and with symbols in their place.
 */
import fc from "fast-check";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { bindDim, isOpaque } from "../../src/onnx/dims.ts";
import { canInfer } from "../../src/onnx/infer.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Value } from "../../src/onnx/types.ts";
import { toOrtNode } from "../../src/runtime/ortTensors.ts";
import { buildCase, drawCase, ONNX_CASES } from "../support/onnxCases.ts";
import { fromFastCheck, type OnnxCase } from "../support/onnxDraw.ts";

const RUNS = 12;
/** What the symbols of `buildCase` stand for. */
const SIZES = Object.fromEntries(Array.from({ length: 100 }, (_, size) => [`d${size}`, size]));

async function run(item: OnnxCase): Promise<{
  readonly inferred: Value[];
  readonly actual: { readonly type: string; readonly dims: readonly number[] }[];
}> {
  const { builder, outputs, feeds } = buildCase(item);
  const session = await ort.InferenceSession.create(encodeModel(builder.build()), {
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
  });
  try {
    const ortFeeds = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrtNode(ort, tensor)]));
    const results = await session.run(ortFeeds);
    return {
      inferred: outputs,
      actual: outputs.map(({ name }) => ({ type: results[name]!.type, dims: results[name]!.dims })),
    };
  } finally {
    await session.release();
  }
}

describe("inference agrees with ONNX Runtime", () => {
  test.each(Object.keys(ONNX_CASES))("%s", async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (gen) => {
        const item = drawCase(name, fromFastCheck(gen));
        const { inferred, actual } = await run(item);
        expect(inferred.map(({ type, shape }) => ({ type, dims: shape }))).toEqual(actual);
        // The same node over symbols: binding what was inferred gives the same sizes.
        inferSymbolically(item)?.forEach((value, i) => {
          const { type, dims } = actual[i]!;
          const bound = value.shape.map((dim, axis) => (isOpaque(dim) ? dims[axis] : bindDim(dim, SIZES)));
          // An empty slice comes out as a negative difference once its symbols are bound.
          expect({
            type: value.type,
            dims: bound.map((dim) => (typeof dim === "number" ? Math.max(0, dim) : dim)),
          }).toEqual({ type, dims });
        });
      }),
      { numRuns: RUNS },
    );
  });
});

/** Undefined when the rank cannot be known without sizes (Squeeze of everything that is 1). */
function inferSymbolically(item: OnnxCase): Value[] | undefined {
  try {
    return buildCase(item, { symbolic: true }).outputs;
  } catch (error) {
    if (error instanceof TutelageError && error.code === "unsupported") return undefined;
    throw error;
  }
}

test("every tested operator is one that inference knows", () => {
  for (const name of Object.keys(ONNX_CASES)) {
    const opType = name.split(".")[0]!;
    expect(canInfer(opType) || canInfer(opType, "com.microsoft"), opType).toBe(true);
  }
});
