/** @file Two hundred steps, with scoring and generation between them, leave memory where it was: JavaScript heap, WASM heap, device tensors. */
import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { SIMPLE_SCORES } from "../../src/student/types.ts";
import { heapAfterCollection } from "../support/memory.ts";
import { LORA, ROWS, TRAIN_OPTIONS, withFixture } from "../support/studentFiles.ts";

const STEPS = 200;
/** By then every graph shape has been seen. */
const WARM_UP_STEPS = 40;
/** The engine of JavaScript itself grows by some compiled code; a leak of one parameter group a step would be 7 MB. */
const ALLOWED_BYTES = 1_500_000;

describe.each(["cpu", "wasm"] as const)("on %s", (ep) => {
  test.each([
    ["full", {}, false],
    ["lora, with gradient checkpointing", { method: LORA }, true],
  ] as const)("%s", async (_name, open, gradientCheckpointing) => {
    const engine = await createEngine(ep, { threads: 1 });
    await withFixture(engine, "llama-gqa-tied", open, async (student) => {
      const measure = async () => ({
        live: engine.live,
        wasm: engine.memory.wasmHeapBytes,
        heap: await heapAfterCollection(),
      });
      let before: Awaited<ReturnType<typeof measure>> | undefined;
      for await (const { step } of student.train(ROWS, {
        ...TRAIN_OPTIONS,
        steps: STEPS,
        gradAccum: 2,
        scheduler: "constant",
        gradientCheckpointing,
      })) {
        if (step % 20 === 0) {
          await student.score(ROWS, SIMPLE_SCORES);
          await student.generate(["Tom has", "One"], { maxNewTokens: 8 });
        }
        if (step === WARM_UP_STEPS) before = await measure();
        if (step !== STEPS) continue;
        const after = await measure();
        expect(after.live).toEqual(before!.live);
        expect(after.wasm).toEqual(before!.wasm);
        if (ep === "wasm") expect(after.wasm).toBeGreaterThan(0);
        expect(after.heap.objects - before!.heap.objects, "JavaScript objects").toBeLessThan(ALLOWED_BYTES);
        expect(after.heap.buffers - before!.heap.buffers, "array buffers").toBeLessThan(ALLOWED_BYTES);
      }
      expect(before).toBeDefined();
      // What training needed beside the student is gone when it ends.
      expect(engine.live.tensors).toBeLessThan(before!.live.tensors);
    });
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
    await engine.dispose();
  });

  test("opening, training and closing students again and again leaves nothing", async () => {
    const engine = await createEngine(ep, { threads: 1 });
    const once = (): Promise<void> =>
      withFixture(engine, "gpt2-prefixed", {}, async (student) => {
        for await (const record of student.train(ROWS, { ...TRAIN_OPTIONS, steps: 1 })) expect(record.step).toBe(1);
      });
    for (let i = 0; i < 5; i++) await once();
    const before = { wasm: engine.memory.wasmHeapBytes, heap: await heapAfterCollection() };
    for (let i = 0; i < 15; i++) await once();
    const after = { wasm: engine.memory.wasmHeapBytes, heap: await heapAfterCollection() };
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
    expect(after.wasm).toEqual(before.wasm);
    expect(after.heap.objects - before.heap.objects).toBeLessThan(ALLOWED_BYTES);
    expect(after.heap.buffers - before.heap.buffers).toBeLessThan(ALLOWED_BYTES);
    await engine.dispose();
  });
});
