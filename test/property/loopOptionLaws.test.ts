/** @file Laws of every loop over its options and complete baselines: no budget exceeded, no test question let through, the same again from the same seed. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { baselineNames } from "../../src/loop/baselines.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import { parseBaseline } from "../../src/loop/parseConfig.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { StoredRun } from "../../src/loop/runStore.ts";
import { strategyNames } from "../../src/selection/strategies.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { createTask, taskNames } from "../../src/tasks/registry.ts";
import type { Task } from "../../src/tasks/types.ts";
import { createSolverTeacher } from "../../src/teacher/solverTeacher.ts";
import type { Teacher } from "../../src/teacher/types.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { NotingStudent } from "../support/notingStudent.ts";
import { sumsTask, sumsTeacher } from "../support/sums.ts";

/** Questions are few (10 × 10) on purpose: teachers then often hit taken ones. */
const SIZE = 10;
const TASK = { pool: 20, validation: 10, test: 15 } as const;

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
/** Without what is undefined. */
const given = (value: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));

const experiments: fc.Arbitrary<ExperimentConfig> = fc
  .record({
    baseline: maybe(fc.constantFrom(...baselineNames)),
    strategy: fc.constantFrom(...strategyNames),
    picker: fc.constantFrom({ kind: "argmax" }, { kind: "uniform" }, { kind: "above", threshold: 0.5 }),
    query: fc.record({
      scores: fc.constantFrom("fresh", "frozen"),
      candidates: fc.constantFrom("seeds", "all"),
      repeats: fc.constantFrom("allowed", "avoided"),
      temperature: fc.constantFrom(0, 0.7),
    }),
    budget: fc.record({
      examples: maybe(fc.integer({ min: 1, max: 20 })),
      // Room for the judgements of the pool and one pair; smaller ceilings are refused.
      teacherTokens: maybe(fc.integer({ min: TASK.pool * 13 + 20, max: 900 })),
      costUsd: maybe(fc.double({ min: TASK.pool * 18e-6 + 30e-6, max: 1.5e-3, noNaN: true })),
    }),
    stop: fc.record({ target: maybe(fc.constantFrom(0.1, 0.5)), plateau: maybe(fc.integer({ min: 1, max: 3 })) }),
    settings: fc.record({
      seed: fc.nat(0x7fffffff),
      pairs: fc.constantFrom("teacher", "teacher", "seeds"),
      verification: fc.constantFrom("off", "answer", "steps"),
      maxRougeL: fc.constantFrom(1, 0.74),
      rounds: fc.integer({ min: 0, max: 3 }),
      querySize: fc.integer({ min: 1, max: 8 }),
      perSeed: fc.integer({ min: 1, max: 3 }),
      warmUp: fc.constantFrom("none", "seeds"),
      restart: fc.boolean(),
      accumulate: fc.boolean(),
      replay: fc.constantFrom(0, 0.5, "all"),
      scoreSynthetic: fc.boolean(),
    }),
    calls: fc.constantFrom("one", "two"),
  })
  .map(({ baseline, strategy, picker, query, budget, stop, settings, calls }) => {
    const frozen = baseline === undefined && query.scores === "frozen";
    const value = {
      ...settings,
      strategy: { name: strategy, picker, ...(strategy === "rho-loss" ? { holdout: "linear" } : {}) },
      query: frozen || baseline !== undefined ? { ...query, candidates: "seeds" } : query,
      ...(frozen || baseline !== undefined ? { warmUp: "none" } : {}),
      balance: strategy === "lion" && baseline === undefined,
      budget: given(budget),
      stop: given(stop),
      teacher: { calls, price: { promptUsd: 1, completionUsd: 2 } },
      task: TASK,
      training: { epochs: 1, batchSize: 4, learningRate: 0.1 },
    };
    const beside = sumsConfig(value as Parameters<typeof sumsConfig>[0]);
    return baseline === undefined ? beside : parseBaseline(baseline, beside, {}, "experiment");
  });

/** What a loop did, and everything that its teacher was asked about. */
interface Did {
  readonly records: readonly LoopRecord[];
  readonly student: NotingStudent;
  readonly asked: readonly string[];
  readonly stored: StoredRun;
}

/** `teacher`, noting every question it is given. In one call it answers the question that it has just written itself. */
function listening(teacher: Teacher, asked: string[], calls: "one" | "two"): Teacher {
  const note = (question: string): string => {
    asked.push(question);
    return question;
  };
  return {
    name: teacher.name,
    propose: (seed, ...rest) => {
      note(seed.question);
      return teacher.propose(seed, ...rest);
    },
    answer: (question, ...rest) => teacher.answer(calls === "one" ? question : note(question), ...rest),
    judge: (question, ...rest) => teacher.judge(note(question), ...rest),
  };
}

async function run(config: ExperimentConfig, task: Task, teacher: Teacher, maxPositions = 256): Promise<Did> {
  const asked: string[] = [];
  const student = new NotingStudent({ maxPositions });
  const store = await new MemoryLibrary().open("run");
  const heard = listening(teacher, asked, config.teacher.calls ?? "two");
  const records = await collect(config, await sumsDeps({ task, student, store, teacher: heard }));
  const stored = await store.load();
  if (stored === undefined) throw new Error("nothing was stored");
  return { records, student, asked, stored };
}

const sums = sumsTask(SIZE);
const runSums = (config: ExperimentConfig): Promise<Did> =>
  run(config, sums, sumsTeacher({ size: SIZE, errorRate: 0.3 }));

const examplesOf = ({ records }: Did) => ofType(records, "example").map(({ example }) => example);

/** Held-out questions were neither shown to the teacher nor trained on. */
function expectHeldOut(config: ExperimentConfig, task: Task, { asked, student }: Did): void {
  const { validation, test } = task.splits(config.task, new Rng(config.seed).fork("splits"));
  const heldOut = new Set([...validation, ...test].map(({ question }) => task.canonical(question)));
  const prompts = new Set([...validation, ...test].map(({ question }) => task.prompt(question)));
  expect(asked.filter((question) => heldOut.has(task.canonical(question)))).toEqual([]);
  expect(student.trained.flat().filter(({ prompt }) => prompts.has(prompt))).toEqual([]);
}

describe("every loop, whatever its options and baseline", () => {
  it("exceeds no budget, in pairs, tokens or money", async () => {
    await fc.assert(
      fc.asyncProperty(experiments, async (config) => {
        const did = await runSums(config);
        const { examples = Infinity, teacherTokens = Infinity, costUsd = Infinity } = config.budget;
        expect(examplesOf(did).filter(({ accepted }) => accepted).length).toBeLessThanOrEqual(examples);
        const used = did.stored.replies.map(({ usage }) => usage);
        const tokens = used.reduce(
          (sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens,
          0,
        );
        expect(tokens).toBeLessThanOrEqual(teacherTokens);
        expect(used.reduce((sum, usage) => sum + usage.costUsd, 0)).toBeLessThanOrEqual(costUsd + 1e-12);
        // What the rounds say of it is what was used.
        const told = ofType(did.records, "round").map(({ summary }) => summary.teacher);
        expect(told.reduce((sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens, 0)).toBe(
          tokens,
        );
      }),
      { numRuns: 120 },
    );
  });

  it("picks nothing twice in a round, and only seeds or earlier accepted pairs", async () => {
    await fc.assert(
      fc.asyncProperty(experiments, async (config) => {
        const did = await runSums(config);
        const { pool } = sums.splits(config.task, new Rng(config.seed).fork("splits"));
        for (const { round, picks } of ofType(did.records, "picks")) {
          const ids = picks.map(({ seedId }) => seedId);
          expect(new Set(ids).size).toBe(ids.length);
          expect(ids.length).toBeLessThanOrEqual(config.querySize);
          const pairs = config.query.candidates === "all" ? examplesOf(did) : [];
          const candidates = new Set([
            ...pool.map(({ id }) => id),
            ...pairs.filter((example) => example.accepted && example.round < round).map(({ id }) => id),
          ]);
          for (const id of ids) expect(candidates.has(id)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("keeps held-out questions from the teacher and the training set, and trains on no question twice", async () => {
    await fc.assert(
      fc.asyncProperty(experiments, async (config) => {
        const did = await runSums(config);
        expectHeldOut(config, sums, did);
        const accepted = examplesOf(did).filter((example) => example.accepted);
        expect(new Set(accepted.map(({ question }) => sums.canonical(question))).size).toBe(accepted.length);
        for (const { question, answer, verification } of accepted)
          expect(verification === "off" || sums.verify({ question, answer }).correct).toBe(true);
        if (config.verification === "off") return;
        for (const { verification, operation } of accepted) expect(verification === "off").toBe(operation === "copy");
      }),
      { numRuns: 60 },
    );
  });

  it("says once why it ended, and gives the same rounds again from the same seed", async () => {
    await fc.assert(
      fc.asyncProperty(experiments, async (config) => {
        const [a, b] = [await runSums(config), await runSums(config)];
        expect(JSON.stringify(a.stored.rounds)).toBe(JSON.stringify(b.stored.rounds));
        expect(JSON.stringify(a.stored.examples)).toBe(JSON.stringify(b.stored.examples));
        const stops = a.stored.rounds.map(({ stop }) => stop);
        expect(stops.slice(0, -1).every((stop) => stop === null)).toBe(true);
        expect(a.records.at(-1)).toEqual({ type: "done", rounds: stops.length - 1, reason: stops.at(-1) });
        expect(stops.length).toBeLessThanOrEqual(config.rounds + 1);
        if (stops.length <= config.rounds) expect(stops.at(-1)).not.toBe("rounds");
      }),
      { numRuns: 40 },
    );
  });
});

describe("scores", () => {
  it("permute with the pool, by every strategy that has them", async () => {
    const task = { pool: 20, validation: 5, test: 10 };
    for (const name of strategyNames) {
      const strategy = { name, picker: { kind: "argmax" }, ...(name === "rho-loss" ? { holdout: "linear" } : {}) };
      const config = sumsConfig({ task, rounds: 1, strategy } as Parameters<typeof sumsConfig>[0]);
      const shuffled: Task = {
        ...sums,
        splits: (sizes, rng) => {
          const splits = sums.splits(sizes, rng);
          return { ...splits, pool: new Rng(7).shuffle(splits.pool) };
        },
      };
      const scoresBy = async (used: Task): Promise<Map<string, number | undefined>> => {
        const { records } = await run(config, used, sumsTeacher({ size: SIZE }));
        return new Map(ofType(records, "pool").flatMap(({ items }) => items.map(({ id, score }) => [id, score])));
      };
      const [plain, moved] = [await scoresBy(sums), await scoresBy(shuffled)];
      expect([...moved.keys()].join()).not.toBe([...plain.keys()].join() || "-");
      expect(moved).toEqual(plain);
    }
  });
});

describe.each(taskNames.filter((name) => name !== "custom"))("over hundreds of pairs of %s", (name) => {
  const task = createTask(name);
  const config = (errorRate: number): ExperimentConfig =>
    sumsConfig({
      task: { pool: 60, validation: 60, test: 60 },
      rounds: 2,
      querySize: 40,
      perSeed: 4,
      strategy: { name: "random" },
      query: { candidates: "all" },
      teacher: { errorRate },
      training: { epochs: 1, batchSize: 512, learningRate: 1e-9 },
    });

  it("are none of the held-out questions, and right where the teacher never errs", async () => {
    const did = await run(config(0), task, createSolverTeacher(task), 4000);
    const pairs = examplesOf(did);
    expect(pairs).toHaveLength(320);
    expectHeldOut(config(0), task, did);
    const accepted = pairs.filter((example) => example.accepted);
    expect(accepted.length).toBeGreaterThan(60);
    expect(pairs.filter(({ sound }) => sound === false)).toEqual([]);
    expect(pairs.filter(({ verification }) => verification === "failed")).toEqual([]);
  });

  it("are caught where the teacher errs", async () => {
    const did = await run(config(0.4), task, createSolverTeacher(task, { errorRate: 0.4 }), 4000);
    const pairs = examplesOf(did);
    expectHeldOut(config(0.4), task, did);
    const wrong = pairs.filter(({ sound }) => sound === false);
    expect(wrong.length).toBeGreaterThan(60);
    for (const example of wrong) expect(example.accepted).toBe(false);
    for (const { accepted, sound } of pairs) if (accepted) expect(sound).toBe(true);
  });
});
