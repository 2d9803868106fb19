/** @file Laws of every closed loop, over random settings: budgets hold, held-out questions stay held out, watching changes nothing. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import { Rng } from "../../src/core/rng.ts";
import { strategyNames } from "../../src/selection/strategies.ts";
import { collect, comparable, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTask, sumsTeacher } from "../support/sums.ts";

/** Questions are few (10 × 10) on purpose: teachers then often hit taken ones. */
const SIZE = 10;

const settings = fc.record({
  seed: fc.nat(0x7fffffff),
  strategy: fc
    .record({
      name: fc.constantFrom(...strategyNames),
      picker: fc.oneof(
        fc.constant({ kind: "argmax" as const }),
        fc.constant({ kind: "uniform" as const }),
        fc.record({ kind: fc.constant("softmax" as const), temperature: fc.double({ min: 0, max: 5, noNaN: true }) }),
        fc.record({
          kind: fc.constantFrom("proportional" as const, "rank" as const),
          exponent: fc.double({ min: 0, max: 5, noNaN: true }),
        }),
      ),
    })
    // The scores here are never negative but for this one, which neither proportional draws nor hybrids take.
    .map(({ name, picker }) =>
      name !== "rho-loss"
        ? { name, picker }
        : { name, holdout: "linear", picker: picker.kind === "proportional" ? ({ kind: "argmax" } as const) : picker },
    ),
  teacher: fc.record({
    name: fc.constant("solver" as const),
    errorRate: fc.constant(0),
    operations: fc.shuffledSubarray(["simplify", "complicate", "vary"] as const, { minLength: 1 }),
  }),
  verification: fc.constantFrom("off" as const, "answer" as const),
  rounds: fc.integer({ min: 0, max: 3 }),
  querySize: fc.integer({ min: 1, max: 8 }),
  perSeed: fc.integer({ min: 1, max: 3 }),
  restart: fc.boolean(),
  accumulate: fc.boolean(),
  replay: fc.constantFrom(0, 0.5, 1),
});

const task = { pool: 20, validation: 10, test: 15 } as const;
const training = { epochs: 1, batchSize: 4, learningRate: 0.1 } as const;
const experiments: fc.Arbitrary<ExperimentConfig> = settings.map((chosen) => sumsConfig({ ...chosen, task, training }));

const run = async (
  config: ExperimentConfig,
  change: { showPool?: boolean; teacherConcurrency?: number } = {},
  errorRate = 0.3,
): Promise<LoopRecord[]> =>
  collect(config, await sumsDeps({ task: sumsTask(SIZE), teacher: sumsTeacher({ size: SIZE, errorRate }), ...change }));

describe("every closed loop", () => {
  it("keeps its budget, picks no seed twice in a round, and keeps held-out questions out", async () => {
    await fc.assert(
      fc.asyncProperty(experiments, async (config) => {
        const records = await run(config);
        const sums = sumsTask(SIZE);
        const splits = sums.splits(config.task, new Rng(config.seed).fork("splits"));
        const reserved = new Set(
          [...splits.pool, ...splits.validation, ...splits.test].map(({ question }) => sums.canonical(question)),
        );
        const accepted = ofType(records, "example")
          .map(({ example }) => example)
          .filter((example) => example.accepted);

        expect(accepted.length).toBeLessThanOrEqual(config.rounds * config.querySize * config.perSeed);
        for (const { question, answer } of accepted) {
          expect(reserved.has(sums.canonical(question))).toBe(false);
          expect(config.verification === "off" || sums.verify({ question, answer }).correct).toBe(true);
        }
        expect(new Set(accepted.map(({ question }) => sums.canonical(question))).size).toBe(accepted.length);

        const poolIds = new Set(splits.pool.map(({ id }) => id));
        const picks = ofType(records, "picks");
        expect(picks.map(({ round }) => round)).toEqual(Array.from({ length: config.rounds }, (_, i) => i + 1));
        for (const { picks: picked } of picks) {
          expect(picked).toHaveLength(config.querySize);
          expect(new Set(picked.map(({ seedId }) => seedId)).size).toBe(config.querySize);
          for (const { seedId } of picked) expect(poolIds.has(seedId)).toBe(true);
        }

        const summaries = ofType(records, "round").map(({ summary }) => summary);
        expect(summaries.map(({ round }) => round)).toEqual(Array.from({ length: config.rounds + 1 }, (_, i) => i));
        summaries.forEach((summary) => {
          expect(summary.examples).toBe(accepted.filter(({ round }) => round <= summary.round).length);
          expect(summary.evaluation.n).toBe(task.test);
          expect(Object.values(summary.evaluation.byLevel).reduce((sum, { correct }) => sum + correct, 0)).toBe(
            summary.evaluation.correct,
          );
          expect(summary.evaluation.low).toBeLessThanOrEqual(summary.evaluation.accuracy);
          expect(summary.evaluation.high).toBeGreaterThanOrEqual(summary.evaluation.accuracy);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("computes the same whether or not its pool is shown, however many teacher calls are in flight", async () => {
    const outcome = (records: readonly LoopRecord[]): unknown =>
      comparable(records)
        .filter((record) => !["pool", "phase"].includes((record as LoopRecord).type))
        // Display answers the pool's questions, so it knows how many were right.
        .map((record) =>
          (record as LoopRecord).type === "round"
            ? { ...(record as Extract<LoopRecord, { type: "round" }>).summary, poolAccuracy: null }
            : record,
        );
    await fc.assert(
      fc.asyncProperty(experiments, fc.integer({ min: 1, max: 9 }), async (config, teacherConcurrency) => {
        const plain = await run(config, { teacherConcurrency: 1 });
        const shown = await run(config, { showPool: true, teacherConcurrency });
        expect(outcome(shown)).toEqual(outcome(plain));
        expect(ofType(shown, "pool")).toHaveLength(config.rounds);
        for (const { items } of ofType(shown, "pool")) {
          for (const item of items)
            expect(item).toMatchObject({
              ownAnswer: expect.any(String),
              correct: expect.any(Boolean),
              ownLoss: expect.any(Number),
              trueLoss: expect.any(Number),
            });
        }
      }),
      { numRuns: 40 },
    );
  });

  it("depends on its seed", async () => {
    const [a, b] = await Promise.all([
      run(sumsConfig({ task, training, seed: 1 })),
      run(sumsConfig({ task, training, seed: 2 })),
    ]);
    expect(ofType(a, "picks")).not.toEqual(ofType(b, "picks"));
  });
});
