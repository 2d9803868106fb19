/**
 * @file A training on WebGPU (in Node over Dawn) takes the path of the same training on
 * WASM, and leaves GPU memory where it was. One graph shape: software WebGPU compiles
 * for half a minute a graph.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import type { StepRecord, TrainOptions } from "../../src/student/types.ts";
import { TOLERANCES } from "../support/goldens.ts";
import { largestDifference, ROWS, TRAIN_OPTIONS, withFixture } from "../support/studentFiles.ts";

const STEPS = 8;
const OPTIONS: TrainOptions = { ...TRAIN_OPTIONS, steps: STEPS, batchSize: 4, gradAccum: 1, shuffle: false };
/** Rows of one length bucket: every step runs the same graph. */
const SHORT_ROWS = ROWS.slice(0, 4);

let gpu: Engine;
let wasm: Engine;
beforeAll(async () => {
  gpu = await createEngine("webgpu");
  wasm = await createEngine("wasm");
});
afterAll(async () => {
  expect(gpu.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
  await gpu.dispose();
  await wasm.dispose();
});

async function train(engine: Engine) {
  return withFixture(engine, "llama-gqa-tied", {}, async (student) => {
    const records: StepRecord[] = [];
    const memory: unknown[] = [];
    for await (const record of student.train(SHORT_ROWS, OPTIONS)) {
      records.push(record);
      memory.push({ live: engine.live, gpuBytes: engine.memory.gpuBytes });
    }
    return { records, memory, parameters: await student.snapshot() };
  });
}

test("WASM = WebGPU, and every step leaves the GPU's memory as the first one", async () => {
  const onGpu = await train(gpu);
  const onWasm = await train(wasm);
  expect(onGpu.records).toHaveLength(STEPS);
  onGpu.records.forEach((record, i) => {
    const other = onWasm.records[i]!;
    expect([record.step, record.lr, record.tokens]).toEqual([other.step, other.lr, other.tokens]);
    expect(Math.abs(record.loss / other.loss - 1), `loss of step ${record.step}`).toBeLessThan(TOLERANCES.webgpu.loss);
    expect(Math.abs(record.gradNorm / other.gradNorm - 1), `norm of step ${record.step}`).toBeLessThan(
      TOLERANCES.webgpu.gradNorm,
    );
  });
  // Eight steps of at most 1e-3 each move a weight by 8e-3; a step too many or in another direction would show.
  expect(largestDifference(onGpu.parameters, onWasm.parameters)).toBeLessThan(2e-4);
  expect(onGpu.memory.slice(1)).toEqual(onGpu.memory.slice(1).map(() => onGpu.memory[0]));
  expect(onGpu.memory[0]).toMatchObject({ gpuBytes: expect.any(Number) as number });
});
