/** @file Tensors of float16 on every provider where JavaScript has Float16Array, as Node 24 and later do: ONNX Runtime's tensors then carry one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Tensor } from "../../src/onnx/types.ts";

// An older Node gets another array that ONNX Runtime's JavaScript takes and its native side does not. It looks once, before the first tensor.
const before = Object.getOwnPropertyDescriptor(globalThis, "Float16Array");
beforeAll(() => {
  if (before === undefined)
    Object.defineProperty(globalThis, "Float16Array", { value: class extends Int16Array {}, configurable: true });
});
afterAll(() => {
  if (before === undefined) Reflect.deleteProperty(globalThis, "Float16Array");
});

test.each(["cpu", "wasm"] as const)("%s reads and writes them", async (ep) => {
  const builder = new GraphBuilder("copy");
  const x = builder.input("x", "float16", [3]);
  builder.output(builder.identity(x), "y");
  builder.output(builder.cast(x, "float32"), "z");
  const engine = await createEngine(ep, { threads: 1 });
  try {
    const session = await engine.createSession(encodeModel(builder.build()), { name: "copy" });
    // 1, -2 and 0.5.
    const given: Tensor = { type: "float16", shape: [3], data: new Uint16Array([0x3c00, 0xc000, 0x3800]) };
    const read = await session.run({ x: given }, { y: "host", z: "host" });
    expect(read.host("y")).toEqual(given);
    expect(read.host("z").data).toEqual(new Float32Array([1, -2, 0.5]));
    const stored = engine.upload(given);
    const target = engine.zeros("float16", [3]);
    await session.run({ x: stored }, { y: target });
    expect(await engine.read(target)).toEqual(given);
    for (const tensor of [stored, target]) tensor.dispose();
  } finally {
    await engine.dispose();
  }
});
