/**
 * @file Runs in pieces on the cpu provider: ONNX Runtime reads and writes views of our arrays where they are, the pieces
 * cover every element once, and what is read back has a row for each.
 */
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine, Session } from "../../src/runtime/types.ts";
import { float32 } from "../support/engineSuite.ts";

/** next = x + by, and count [1] = the number of elements it was given. */
function stepModel(): Uint8Array {
  const g = new GraphBuilder("step");
  const x = g.input("x", "float32", ["N"]);
  g.output(g.add(x, g.input("by", "float32", [1])), "next");
  g.output(g.reduceSum(g.add(g.mul(x, g.float(0, [1])), g.float(1, [1])), [0]), "count");
  return encodeModel(g.build());
}

test("onnxruntime-node takes a view where it lies and writes a result where it is given", async () => {
  const session = await ort.InferenceSession.create(stepModel());
  const x = Float32Array.from({ length: 12 }, (_, i) => i);
  const next = new Float32Array(12).fill(-1);
  const view = (data: Float32Array): ort.Tensor => new ort.Tensor("float32", data.subarray(5, 9), [4]);
  await session.run({ x: view(x), by: new ort.Tensor("float32", [100], [1]) }, { next: view(next) });
  expect([...next]).toEqual([-1, -1, -1, -1, -1, 105, 106, 107, 108, -1, -1, -1]);
  expect([...x]).toEqual(Array.from({ length: 12 }, (_, i) => i));
  await session.release();
});

describe("a session in pieces of 128", () => {
  let engine: Engine;
  let session: Session;
  beforeAll(async () => {
    engine = await createEngine("cpu");
    session = await engine.createSession(stepModel(), { name: "step", pieceElements: 128 });
  });
  afterAll(() => engine.dispose());

  test.each([
    [1, [1]],
    [128, [128]],
    [129, [128, 1]],
    [1000, [128, 128, 128, 128, 128, 128, 128, 104]],
    [200, [128, 72]],
    [390, [128, 128, 128, 6]],
  ])("%i elements are done in pieces of %j", async (size, pieces) => {
    const x = engine.upload(float32([size], (i) => i));
    const next = engine.zeros("float32", [size]);
    const result = await session.run({ x, by: float32([1], [0.5]) }, { next, count: "host" });
    expect(result.host("count")).toMatchObject({ shape: [pieces.length], data: Float32Array.from(pieces) });
    expect((await engine.read(next)).data).toEqual(Float32Array.from({ length: size }, (_, i) => i + 0.5));
    expect((await engine.read(x)).data).toEqual(Float32Array.from({ length: size }, (_, i) => i));
    for (const tensor of [x, next]) tensor.dispose();
  });

  test("a result of the whole size that is read back is joined", async () => {
    const x = float32([300], (i) => i);
    const result = await session.run({ x, by: float32([1], [1]) }, { next: "host" });
    expect(result.host("next")).toMatchObject({
      shape: [300],
      data: Float32Array.from({ length: 300 }, (_, i) => i + 1),
    });
  });

  test("inputs that differ in size are refused as without pieces", async () => {
    const x = engine.upload(float32([300], () => 0));
    const next = engine.zeros("float32", [299]);
    await expect(session.run({ x, by: float32([1], [1]) }, { next })).rejects.toMatchObject({ code: "bad-input" });
    for (const tensor of [x, next]) tensor.dispose();
  });
});
