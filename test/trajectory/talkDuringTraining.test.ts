/** @file A student that is asked in the middle of its training, untouched weights and its own, trains on as if nobody had asked. */
import { expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import type { StepRecord, TrainMethod } from "../../src/student/types.ts";
import { withFixture } from "../support/studentFiles.ts";

const ROWS = Array.from({ length: 6 }, (_, i) => ({ id: String(i), prompt: `a${i} b`, completion: ` c${i} d` }));
const OPTIONS = {
  epochs: 2,
  batchSize: 2,
  gradAccum: 1,
  learningRate: 0.01,
  scheduler: "constant",
  warmupSteps: 0,
  weightDecay: 0.1,
  maxGradNorm: 1,
  shuffle: true,
  seed: 3,
} as const;
const LORA: TrainMethod = { method: "lora", r: 2, loraAlpha: 4, targetModules: "all-linear" };

/** Losses and norms of a training; between its steps `meanwhile`. */
async function train(
  student: LanguageModel,
  meanwhile: () => Promise<void>,
): Promise<Omit<StepRecord, "tokensPerSecond">[]> {
  await student.reset();
  const steps: Omit<StepRecord, "tokensPerSecond">[] = [];
  for await (const { tokensPerSecond: _, ...step } of student.train(ROWS, OPTIONS)) {
    steps.push(step);
    await meanwhile();
  }
  return steps;
}

test.each([
  ["all weights", { method: "full" }],
  ["an adapter", LORA],
] as const)("%s", async (_name, method) => {
  const engine = await createEngine("cpu", { threads: 1 });
  await withFixture(engine, "llama-untied", { method, seed: 1 }, async (student) => {
    const undisturbed = await train(student, async () => undefined);
    const after = await student.snapshot();
    const ask = async (): Promise<void> => {
      await student.generate(["a1 b"], { maxNewTokens: 4, onToken: () => undefined });
    };
    const disturbed = await train(student, async () => {
      await ask();
      const trained = await student.snapshot();
      await student.reset();
      await ask();
      await student.restore(trained);
    });
    expect(disturbed).toEqual(undisturbed);
    expect(undisturbed.length).toBe(6);
    expect(await student.snapshot()).toEqual(after);
  });
  await engine.dispose();
});
