/**
 * @file A decoder that PyTorch exported (`scripts/golden/exportTorchDecoder.py`): read,
 * sized, run and differentiated, against PyTorch's own float64 values and gradients.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { gradient } from "../../src/autograd/gradient.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { decodeModel, encodeModel } from "../../src/onnx/model.ts";
import type { Graph } from "../../src/onnx/types.ts";

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Expected {
  readonly ids: Numbers;
  readonly logits: Numbers;
  readonly score: Numbers;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Numbers>>;
}

const FOLDER = join(import.meta.dirname, "fixtures");
const bytes = new Uint8Array(readFileSync(join(FOLDER, "torchDecoder.onnx")));
const expected = JSON.parse(readFileSync(join(FOLDER, "torchDecoder.json"), "utf8")) as Expected;
const SIZES = { batch: 2, tokens: 5 };

async function run(graph: Graph): Promise<InferenceSession.OnnxValueMapType> {
  const session = await InferenceSession.create(encodeModel(graph), { logSeverityLevel: 4 });
  try {
    return await session.run({
      ids: new OrtTensor("int64", BigInt64Array.from(expected.ids.data, BigInt), expected.ids.shape),
    });
  } finally {
    await session.release();
  }
}

/** ‖got − wanted‖ / ‖wanted‖. */
function relativeError(got: OrtTensor, wanted: Numbers): number {
  expect(got.dims).toEqual(wanted.shape);
  const data = got.data as Float32Array;
  const norm = (values: readonly number[]): number => Math.hypot(...values);
  return norm(wanted.data.map((value, i) => value - data[i]!)) / norm(wanted.data);
}

describe("a decoder exported by PyTorch", () => {
  test("has only static shapes once its two sizes are bound", () => {
    const graph = decodeModel(bytes, { dims: SIZES });
    expect([...graph.values.values()].filter(({ shape }) => shape.some((dim) => typeof dim === "string"))).toEqual([]);
    expect(graph.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["logits", [2, 5, 11]],
      ["score", [2]],
    ]);
  });

  test("keeps its symbols, and knows every size in terms of them, when they are not bound", () => {
    const graph = decodeModel(bytes);
    expect([...graph.values.values()].filter(({ shape }) => shape.some((dim) => String(dim).includes("?")))).toEqual(
      [],
    );
    expect(graph.outputs.map(({ shape }) => shape)).toEqual([["batch", "tokens", 11], ["batch"]]);
  });

  test.each([
    ["bound", SIZES],
    ["free", {}],
  ])("computes what PyTorch computed (%s sizes)", async (_, dims) => {
    const results = await run(decodeModel(bytes, { dims }));
    expect(relativeError(results["logits"]!, expected.logits)).toBeLessThan(1e-6);
    expect(relativeError(results["score"]!, expected.score)).toBeLessThan(1e-6);
  });

  test("has PyTorch's gradients in every parameter", async () => {
    const read = decodeModel(bytes, { dims: SIZES });
    const builder = GraphBuilder.from(read);
    builder.clearOutputs();
    builder.output(builder.neg(builder.reduceSum(builder.value("score"), [0], false)), "loss");
    const names = Object.keys(expected.gradients);
    const results = await run(gradient(builder.build(), "loss", names));
    expect(relativeError(results["loss"]!, { shape: [], data: [expected.loss] })).toBeLessThan(1e-6);
    for (const name of names) {
      // float32 forward and backward: 3e-7 measured.
      expect([name, relativeError(results[`${name}_grad`]!, expected.gradients[name]!) < 2e-6]).toEqual([name, true]);
    }
  });
});
