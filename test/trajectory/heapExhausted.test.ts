/** @file A WebAssembly heap that is really full in the middle of a training: what is said, and that nothing of the training is lost. */
import { expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { DeviceTensor, Engine } from "../../src/runtime/types.ts";
import { ROWS, TRAIN_OPTIONS, withFixture } from "../support/studentFiles.ts";

/** A number no other test uses: engines of one number of threads share a heap, which never shrinks. */
const THREADS = 3;
const LARGEST_BYTES = 2 ** 28;
const SMALLEST_BYTES = 2 ** 12;

/** Takes the whole heap, in ever smaller tensors. */
function fill(engine: Engine): DeviceTensor[] {
  const taken: DeviceTensor[] = [];
  for (let bytes = LARGEST_BYTES; bytes >= SMALLEST_BYTES;) {
    try {
      taken.push(engine.zeros("float32", [bytes / 4]));
    } catch {
      bytes /= 2;
    }
  }
  return taken;
}

test("a step that finds the heap full says who holds it, leaves the last one, and goes on once there is room", async () => {
  await using engine = await createEngine("wasm", { threads: THREADS });
  await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
    const rows = student.encodeAll(ROWS);
    const options = { ...TRAIN_OPTIONS, steps: 3, batchSize: 2, gradAccum: 2 };
    const whole = student.trainer(rows, options);
    const expected = [await whole.next(), await whole.next(), await whole.next()];
    const end = await whole.state();
    whole.dispose();
    await student.reset();

    const trainer = student.trainer(rows, options);
    expect((await trainer.next()).loss).toBe(expected[0]?.loss);
    const before = await student.snapshot();
    const filler = fill(engine);
    expect(engine.live.bytes).toBeGreaterThan(3 * 2 ** 30);
    await expect(trainer.next()).rejects.toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(
        /^training on wasm, a need of about .*: not enough memory \(.*\)\. Other students and tensors hold 4\.\d+ GB on this engine: fewer lanes/,
      ) as string,
    });
    expect(await student.snapshot()).toEqual(before);
    for (const tensor of filler) tensor.dispose();
    for (const { step, loss, gradNorm } of expected.slice(1))
      expect(await trainer.next()).toMatchObject({ step, loss, gradNorm });
    expect(await trainer.state()).toEqual(end);
    trainer.dispose();
  });
});
