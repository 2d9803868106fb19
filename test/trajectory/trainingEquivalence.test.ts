/**
 * @file Trainings that must take the same path: 1×8 and 8×1 accumulation, one run and a
 * resumed one, two runs of one seed, one provider and another. Tolerances are those of
 * float32 sums in another order; where nothing is summed in another order, none.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import type { LanguageModel, OpenStudentOptions } from "../../src/student/student.ts";
import type { TrainerState } from "../../src/student/trainer.ts";
import type { StepRecord, TrainOptions } from "../../src/student/types.ts";
import { largestDifference, LORA, ROWS, TRAIN_OPTIONS, withFixture } from "../support/studentFiles.ts";

type Open = Omit<OpenStudentOptions, "source">;
/** What does not depend on the clock. */
type Step = Omit<StepRecord, "tokensPerSecond">;

interface Run {
  readonly steps: readonly Step[];
  readonly state: TrainerState;
}

/** Steps `from` a state (or the start) up to step `until`. */
async function steps(student: LanguageModel, options: TrainOptions, until: number, from?: TrainerState): Promise<Run> {
  const trainer = student.trainer(student.encodeAll(ROWS), options, from);
  try {
    const records: Step[] = [];
    while (trainer.step < until) {
      const { tokensPerSecond, ...record } = await trainer.next();
      expect(tokensPerSecond).toBeGreaterThan(0);
      records.push(record);
    }
    return { steps: records, state: await trainer.state() };
  } finally {
    trainer.dispose();
  }
}

/** A whole training from the student's first weights. */
async function run(student: LanguageModel, options: TrainOptions): Promise<Run> {
  await student.reset();
  return steps(student, options, options.steps!);
}

/** Per-step loss and norm within `relative`, final parameters within `absolute`. */
function expectSamePath(actual: Run, expected: Run, relative: number, absolute: number): void {
  expect(actual.steps).toHaveLength(expected.steps.length);
  actual.steps.forEach((record, i) => {
    const other = expected.steps[i]!;
    expect([record.step, record.lr, record.tokens]).toEqual([other.step, other.lr, other.tokens]);
    expect(Math.abs(record.loss / other.loss - 1), `loss of step ${record.step}`).toBeLessThan(relative);
    expect(Math.abs(record.gradNorm / other.gradNorm - 1), `norm of step ${record.step}`).toBeLessThan(relative);
  });
  expect(largestDifference(actual.state.parameters, expected.state.parameters)).toBeLessThan(absolute);
}

const METHODS: readonly (readonly [string, Open])[] = [
  ["full", {}],
  ["lora", { method: LORA, seed: 2 }],
];

describe.each(["cpu", "wasm"] as const)("on %s", (ep) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(ep, { threads: 1 });
  });
  afterAll(async () => {
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
    await engine.dispose();
  });

  describe.each(METHODS)("%s", (_name, open) => {
    test.each(["llama-gqa-tied", "gpt2-prefixed"])(
      "%s: 1×8, 2×4, 4×2 and 8×1 rows a step are the same step",
      async (name) => {
        await withFixture(engine, name, open, async (student) => {
          // 10 rows: the second step of an epoch has 2 rows, in 1 or 2 micro-batches.
          const options = { ...TRAIN_OPTIONS, steps: 6, shuffle: true };
          const whole = await run(student, { ...options, batchSize: 8, gradAccum: 1 });
          for (const [batchSize, gradAccum] of [
            [4, 2],
            [2, 4],
            [1, 8],
          ] as const) {
            expectSamePath(await run(student, { ...options, batchSize, gradAccum }), whole, 1e-5, 1e-5);
          }
        });
      },
    );

    test("one seed twice is the same path bit for bit, another seed is another", async () => {
      const first = await withFixture(engine, "llama-gqa-tied", open, async (student) => {
        const fresh = await run(student, TRAIN_OPTIONS);
        expect(await run(student, TRAIN_OPTIONS)).toEqual(fresh);
        const other = await run(student, { ...TRAIN_OPTIONS, seed: 4 });
        expect(other.steps.map((record) => record.loss)).not.toEqual(fresh.steps.map((record) => record.loss));
        return fresh;
      });
      expect(await withFixture(engine, "llama-gqa-tied", open, (student) => run(student, TRAIN_OPTIONS))).toEqual(
        first,
      );
    });

    test.each(["llama-gqa-tied", "gpt2-hub-names"])(
      "%s: resumed after any step is uninterrupted, bit for bit",
      async (name) => {
        // 10 rows, 4 a step: epochs end after steps 3 and 6, each shuffled anew.
        const options = {
          ...TRAIN_OPTIONS,
          steps: 8,
          batchSize: 2,
          gradAccum: 2,
          scheduler: "cosine",
          warmupSteps: 2,
        } as const;
        await withFixture(engine, name, open, async (student) => {
          const whole = await run(student, options);
          // Another seed: a resumed adapter's start must come from the state, not from the seed.
          await withFixture(engine, name, { ...open, seed: 77 }, async (other) => {
            for (const stop of [0, 1, 3, 7]) {
              await student.reset();
              const before = await steps(student, options, stop);
              await other.reset();
              const after = await steps(other, options, 8, before.state);
              expect([...before.steps, ...after.steps]).toEqual(whole.steps);
              expect(after.state).toEqual(whole.state);
            }
          });
        });
      },
    );
  });

  test("the seed decides only the order: without shuffling it changes nothing", async () => {
    await withFixture(engine, "llama-untied", {}, async (student) => {
      const options = { ...TRAIN_OPTIONS, shuffle: false };
      expect(await run(student, { ...options, seed: 8 })).toEqual(await run(student, options));
    });
  });
});

test("cpu and wasm take the same path", async () => {
  const [cpu, wasm] = [await createEngine("cpu"), await createEngine("wasm")];
  try {
    for (const [, open] of METHODS) {
      const options = { ...TRAIN_OPTIONS, steps: 8, batchSize: 3, gradAccum: 2 };
      for (const name of ["llama-biases-bf16", "gpt2-prefixed", "qwen2-tied-f16"]) {
        const onCpu = await withFixture(cpu, name, open, (student) => run(student, options));
        expectSamePath(await withFixture(wasm, name, open, (student) => run(student, options)), onCpu, 5e-5, 5e-5);
      }
    }
  } finally {
    await cpu.dispose();
    await wasm.dispose();
  }
});
