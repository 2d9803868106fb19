/**
 * @file Learning-rate factors against numbers worked out by hand from the formulas of
 * transformers' `get_scheduler` (constant, constant_with_warmup, linear, cosine with
 * half a period), and against a second writing of those formulas over many settings.
 */
import { describe, expect, test } from "vitest";
import { learningRateFactor, SCHEDULERS, type Schedule } from "../../src/optim/schedule.ts";

const factors = (schedule: Schedule, totalSteps: number, warmupSteps: number): number[] =>
  Array.from({ length: totalSteps }, (_, step) => learningRateFactor(schedule, step, totalSteps, warmupSteps));

const HALF_ROOT = Math.SQRT1_2;

test.each([
  ["constant", 4, 0, [1, 1, 1, 1]],
  ["constant", 5, 2, [0, 0.5, 1, 1, 1]],
  ["constant_with_warmup", 5, 4, [0, 0.25, 0.5, 0.75, 1]],
  ["linear", 5, 0, [1, 0.8, 0.6, 0.4, 0.2]],
  ["linear", 10, 2, [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]],
  ["cosine", 4, 0, [1, (1 + HALF_ROOT) / 2, 0.5, (1 - HALF_ROOT) / 2]],
  // (1 + cos(k π / 8)) / 2 for k = 0 … 7
  [
    "cosine",
    10,
    2,
    [
      0, 0.5, 1, 0.9619397662556434, 0.8535533905932737, 0.6913417161825449, 0.5, 0.3086582838174551,
      0.1464466094067262, 0.0380602337443566,
    ],
  ],
] as const)("%s over %i steps with %i warm-up steps", (schedule, totalSteps, warmupSteps, expected) => {
  const actual = factors(schedule, totalSteps, warmupSteps);
  expected.forEach((value, step) => expect(actual[step], `step ${step}`).toBeCloseTo(value, 14));
});

describe("a warm-up that never ends", () => {
  test.each(SCHEDULERS)("%s rises linearly and stays below the full rate", (schedule) => {
    expect(factors(schedule, 3, 10)).toEqual([0, 0.1, 0.2]);
  });

  test.each(SCHEDULERS)("%s has its warm-up take all steps when they are as many", (schedule) => {
    expect(factors(schedule, 4, 4)).toEqual([0, 0.25, 0.5, 0.75]);
  });
});

test("one step without warm-up uses the full rate", () => {
  for (const schedule of SCHEDULERS) expect(factors(schedule, 1, 0)).toEqual([1]);
});

/** The lambda functions of transformers' optimization.py, written again. */
function reference(schedule: Schedule, currentStep: number, numTrainingSteps: number, numWarmupSteps: number): number {
  if (currentStep < numWarmupSteps) return currentStep / Math.max(1, numWarmupSteps);
  if (schedule === "linear")
    return Math.max(0, (numTrainingSteps - currentStep) / Math.max(1, numTrainingSteps - numWarmupSteps));
  if (schedule === "cosine") {
    const numCycles = 0.5;
    const progress = (currentStep - numWarmupSteps) / Math.max(1, numTrainingSteps - numWarmupSteps);
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress)));
  }
  return 1;
}

test("every schedule agrees with a second writing of its formula", () => {
  for (const schedule of SCHEDULERS) {
    for (const total of [1, 2, 7, 100]) {
      for (const warmup of [0, 1, 3, 7, 150]) {
        for (let step = 0; step < total; step++) {
          expect(
            learningRateFactor(schedule, step, total, warmup),
            `${schedule} ${step}/${total} warm-up ${warmup}`,
          ).toBeCloseTo(reference(schedule, step, total, warmup), 14);
        }
      }
    }
  }
});
