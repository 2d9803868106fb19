/**
 * @file Two hundred steps with parameters of megabytes that swap places with their successors:
 * JavaScript heap, ArrayBuffers, WebAssembly heaps (ONNX Runtime's WebGPU build included)
 * and GPU buffers are as large after as before, and sessions give back what they took.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine, ExecutionProvider } from "../../src/runtime/types.ts";
import { descentModel, float32 } from "../support/engineSuite.ts";

const MB = 2 ** 20;
/** Elements of a parameter; the software GPU is slow. */
const SIZES = { cpu: MB, wasm: MB, webgpu: MB / 8 } as const;
const STEPS = 200;
/** What a step leaves behind would add up to far more; compilation and caches of V8 may take this. */
const SLACK_BYTES = 3 * MB;

const memories: WebAssembly.Memory[] = [];
const OriginalMemory = WebAssembly.Memory;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes by kind, after garbage collection. */
async function measure(engine: Engine): Promise<Record<string, number>> {
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const wasm = memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  return { heapUsed, arrayBuffers, wasm, gpu: engine.memory.gpuBytes ?? 0 };
}

beforeAll(() => {
  // Every WebAssembly memory made from here on is watched.
  WebAssembly.Memory = new Proxy(OriginalMemory, {
    construct(target, parameters: ConstructorParameters<typeof OriginalMemory>) {
      const memory = new target(...parameters);
      memories.push(memory);
      return memory;
    },
  });
});
afterAll(() => {
  WebAssembly.Memory = OriginalMemory;
});

describe.each(["cpu", "wasm", "webgpu"] as const satisfies readonly ExecutionProvider[])("memory on %s", (ep) => {
  const SIZE = SIZES[ep];

  test(`does not grow over ${STEPS} steps`, async () => {
    const engine = await createEngine(ep);
    const session = await engine.createSession(descentModel(SIZE), { name: "descent" });
    let [p, spare] = [engine.upload(float32([SIZE], () => 1)), engine.zeros("float32", [SIZE])];
    const grad = engine.upload(float32([SIZE], () => 0.25));
    const step = async (index: number): Promise<void> => {
      const result = await session.run({ p, grad, rate: float32([], [0.125]) }, { next: spare, norm: "host" });
      expect(result.host("norm").data[0]).toBe(SIZE / 16);
      if (index % 10 === 0) {
        const made = await session.run({ p, grad, rate: float32([], [0.125]) }, { next: "device" });
        made.device("next").dispose();
      }
      if (index % 50 === 0) await engine.read(p);
      [p, spare] = [spare, p];
    };
    for (let index = 0; index < 20; index++) await step(index);
    const before = await measure(engine);
    const live = engine.live;
    for (let index = 0; index < STEPS; index++) await step(index);
    const after = await measure(engine);
    expect(engine.live).toEqual(live);
    expect(after["wasm"]).toBe(before["wasm"]);
    expect(after["gpu"]).toBe(before["gpu"]);
    expect((after["heapUsed"] ?? 0) - (before["heapUsed"] ?? 0)).toBeLessThan(SLACK_BYTES);
    expect((after["arrayBuffers"] ?? 0) - (before["arrayBuffers"] ?? 0)).toBeLessThan(SLACK_BYTES);
    if (ep !== "cpu") expect(memories.length).toBeGreaterThan(0);
    await engine.dispose();
    expect(engine.memory.gpuBytes ?? 0).toBe(0);
  });

  test("does not grow over 40 sessions that come and go", async () => {
    const engine = await createEngine(ep);
    const cycle = async (): Promise<void> => {
      const session = await engine.createSession(descentModel(SIZE / 4), { name: "descent" });
      const p = engine.zeros("float32", [SIZE / 4]);
      await session.run({ p, grad: p, rate: float32([], [1]) }, { norm: "host" });
      p.dispose();
      await session.dispose();
    };
    for (let index = 0; index < 10; index++) await cycle();
    const before = await measure(engine);
    for (let index = 0; index < 40; index++) await cycle();
    const after = await measure(engine);
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
    expect(after["wasm"]).toBe(before["wasm"]);
    expect((after["heapUsed"] ?? 0) - (before["heapUsed"] ?? 0)).toBeLessThan(SLACK_BYTES);
    await engine.dispose();
  });
});
