/** @file Budgets, stopping, checks and the other settings of a loop, one by one. Laws over all of them: property/loopOptionLaws. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { rougeL } from "../../src/core/rougeL.ts";
import type { LoopRecord, Outcome } from "../../src/loop/records.ts";
import { createStrategy } from "../../src/selection/registry.ts";
import { selectQueries } from "../../src/selection/selectQueries.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { createTask } from "../../src/tasks/registry.ts";
import { createSolverTeacher } from "../../src/teacher/solverTeacher.ts";
import type { Teacher } from "../../src/teacher/types.ts";
import { messageOf } from "../../src/core/errors.ts";
import { promptsFor } from "../../src/teacher/prompts/registry.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { NotingStudent } from "../support/notingStudent.ts";
import { sumsTask, sumsTeacher } from "../support/sums.ts";

const SMALL = { task: { pool: 20, validation: 8, test: 10 }, rounds: 4, querySize: 4, perSeed: 2 } as const;
const roundsOf = (records: readonly LoopRecord[]) => ofType(records, "round").map(({ summary }) => summary);
const examplesOf = (records: readonly LoopRecord[]) => ofType(records, "example").map(({ example }) => example);

describe("a budget", () => {
  it("of pairs ends the run at exactly so many, each pick getting its first question before any gets its second", async () => {
    const records = await collect(sumsConfig({ ...SMALL, budget: { examples: 14 } }), await sumsDeps());
    const rounds = roundsOf(records);
    expect(rounds.at(-1)).toMatchObject({ examples: 14, stop: "budget" });
    expect(records.at(-1)).toEqual({ type: "done", rounds: rounds.length - 1, reason: "budget" });
    const last = rounds.length - 1;
    const room = 14 - (rounds[last - 1]?.examples ?? 0);
    const asked = examplesOf(records).filter(({ round }) => round === last);
    expect(asked).toHaveLength(Math.min(room, 8));
    const perPick = ofType(records, "picks")
      .at(-1)
      ?.picks.map(({ seedId }) => asked.filter((example) => example.seedId === seedId).length);
    expect(perPick).toHaveLength(Math.min(4, room));
    expect(Math.max(...(perPick ?? [])) - Math.min(...(perPick ?? []))).toBeLessThanOrEqual(1);
  });

  it("of tokens is never exceeded, and ends the run after the round in which a call had no room", async () => {
    const records = await collect(sumsConfig({ ...SMALL, budget: { teacherTokens: 250 } }), await sumsDeps());
    const rounds = roundsOf(records);
    const tokens = rounds.reduce((sum, { teacher }) => sum + teacher.promptTokens + teacher.completionTokens, 0);
    // A pair takes 20 tokens.
    expect(tokens).toBeLessThanOrEqual(250);
    expect(tokens).toBeGreaterThan(230);
    expect(rounds.at(-1)?.stop).toBe("budget");
    expect(rounds.length).toBeLessThan(5);
    const refused = examplesOf(records).filter(({ reason }) => reason.includes("250 tokens"));
    expect(refused.length).toBeGreaterThan(0);
    expect(ofType(records, "warning").map(({ code }) => code)).toEqual(["teacher-failed", "budget-spent"]);
  });

  it("of money counts with the built-in teacher's price, judgements included", async () => {
    const config = sumsConfig({
      ...SMALL,
      strategy: { name: "judge", picker: { kind: "argmax" } },
      teacher: { price: { promptUsd: 500_000, completionUsd: 1_000_000 } },
      budget: { costUsd: 250 },
    });
    const rounds = roundsOf(await collect(config, await sumsDeps()));
    const cost = rounds.reduce((sum, { teacher }) => sum + teacher.costUsd, 0);
    expect(cost).toBeLessThanOrEqual(250);
    expect(cost).toBeGreaterThan(225);
    for (const { teacher } of rounds)
      expect(teacher.costUsd).toBeCloseTo(teacher.promptTokens / 2 + teacher.completionTokens, 9);
    expect(rounds.at(-1)?.stop).toBe("budget");
  });

  it.each([
    // A question of 4 + 5 tokens and an answer of 6 + 5.
    [{}, { teacherTokens: 19 }, { teacherTokens: 20 }, /^budget\.teacherTokens: expected at least 20, .*got 19/],
    // 8 + 5 tokens for each of 20 seeds before.
    [
      { strategy: { name: "judge", picker: { kind: "argmax" } } },
      { teacherTokens: 279 },
      { teacherTokens: 280 },
      /^budget\.teacherTokens: expected at least 280, what the first pair can take with the judgements of the pool before it, got 279/,
    ],
    [
      { teacher: { price: { promptUsd: 1, completionUsd: 2 } } },
      { costUsd: 29e-6 },
      { costUsd: 30e-6 },
      /^budget\.costUsd: expected at least 0\.00003, what the first pair can take, got 0\.000029/,
    ],
  ] as const)(
    "too small for a first pair is refused before anything runs: %j",
    async (change, budget, enough, message) => {
      const config = (ceiling: typeof budget | typeof enough) => sumsConfig({ ...SMALL, ...change, budget: ceiling });
      const store = await new MemoryLibrary().open("run");
      await expect(collect(config(budget), await sumsDeps({ store }))).rejects.toThrow(message);
      expect(await store.load()).toBeUndefined();
      const rounds = roundsOf(await collect(config(enough), await sumsDeps({ store })));
      expect(rounds.map(({ taught, stop }) => [taught, stop])).toEqual([
        [0, null],
        [1, "budget"],
      ]);
    },
  );

  it.each([
    [{ maxRequests: 1 }, /^teacher\.chat\.limits\.maxRequests: expected at least 2, .*got 1/],
    [{ maxTokens: 300 }, /^teacher\.chat\.limits\.maxTokens: expected at least \d{4}, .*got 300/],
    [{ maxCostUsd: 0 }, /^teacher\.chat\.limits\.maxCostUsd: expected at least 0\.0\d+, .*got 0/],
  ] as const)(
    "of a chat teacher too small for its first request is refused before it is sent: %j",
    async (limits, message) => {
      const config = (change: object, ceilings: object) =>
        sumsConfig({
          ...SMALL,
          ...change,
          teacher: {
            name: "openai",
            chat: { model: "m", price: { promptUsd: 1, completionUsd: 1 }, limits: ceilings },
          },
        } as Parameters<typeof sumsConfig>[0]);
      const teacher = sumsTeacher();
      await expect(collect(config({}, limits), await sumsDeps({ teacher }))).rejects.toThrow(message);
      const budget = { teacherTokens: 300 };
      await expect(collect(config({ budget }, {}), await sumsDeps({ teacher }))).rejects.toThrow(
        /^budget\.teacherTokens: expected at least \d{4}/,
      );
      expect(teacher.calls).toEqual([]);
    },
  );

  it("of a chat teacher is held against every kind of request of the first pair, and against no other kind", async () => {
    const needed = async (
      calls: "one" | "two",
      strategy: "random" | "judge",
      long?: "propose" | "answer" | "judge" | "pair",
    ) => {
      const { templates } = promptsFor("word-problems");
      const prompts = long === undefined ? {} : { prompts: { [long]: `${templates[long]}${" more".repeat(1000)}` } };
      const chat = { model: "m", calls, limits: { maxTokens: 1 }, ...prompts };
      const config = sumsConfig({
        ...SMALL,
        strategy: { name: strategy, picker: { kind: "argmax" } },
        teacher: { name: "openai", chat },
      } as Parameters<typeof sumsConfig>[0]);
      const refused: unknown = await collect(config, await sumsDeps({ teacher: sumsTeacher() })).catch(
        (e: unknown) => e,
      );
      return Number(/maxTokens: expected at least (\d+)/.exec(messageOf(refused))?.[1]);
    };
    for (const calls of ["one", "two"] as const)
      for (const strategy of ["random", "judge"] as const) {
        const plain = await needed(calls, strategy);
        const asked = new Set([
          ...(calls === "one" ? ["pair"] : ["propose", "answer"]),
          ...(strategy === "judge" ? ["judge"] : []),
        ]);
        for (const kind of ["propose", "answer", "pair", "judge"] as const)
          expect((await needed(calls, strategy, kind)) > plain + 3000, `${calls} ${strategy} ${kind}`).toBe(
            asked.has(kind),
          );
      }
  });
});

it("question and answer in one call are one request of a built-in teacher", async () => {
  const teacher = sumsTeacher();
  const config = sumsConfig({ ...SMALL, rounds: 1, teacher: { calls: "one" } });
  const store = await new MemoryLibrary().open("run");
  const records = await collect(config, await sumsDeps({ teacher, store }));
  expect(roundsOf(records)[1]?.teacher).toMatchObject({ requests: 8, promptTokens: 8 * 10, completionTokens: 8 * 10 });
  expect((await store.load())?.replies.map(({ call }) => call)).toEqual(new Array(8).fill("pair"));
});

describe("a run that stops early", () => {
  it("does so at the target, on the validation questions, whatever the curve shows", async () => {
    const config = sumsConfig({ ...SMALL, rounds: 20, querySize: 10, stop: { target: 0.5 } });
    const records = await collect(config, await sumsDeps());
    const rounds = roundsOf(records);
    expect(rounds.at(-1)?.stop).toBe("target");
    expect(records.at(-1)).toMatchObject({ type: "done", reason: "target", rounds: rounds.length - 1 });
    for (const { evaluation, validation } of rounds)
      expect([evaluation.split, evaluation.n, validation?.split, validation?.n]).toEqual(["test", 10, "validation", 8]);
    rounds.forEach(({ validation, stop }) => expect((validation?.accuracy ?? 0) >= 0.5).toBe(stop === "target"));
  });

  it("does so on a plateau: so many rounds without a gain", async () => {
    const training = { epochs: 1, batchSize: 4, learningRate: 1e-9 };
    const config = sumsConfig({ ...SMALL, rounds: 20, training, stop: { plateau: 3 } });
    const rounds = roundsOf(await collect(config, await sumsDeps()));
    expect(rounds.map(({ stop }) => stop)).toEqual([null, null, null, "plateau"]);
  });

  it("evaluates once where the curve shows the validation questions", async () => {
    const task = { ...SMALL.task, evaluateOn: "validation" } as const;
    const rounds = roundsOf(await collect(sumsConfig({ ...SMALL, task, stop: { plateau: 9 } }), await sumsDeps()));
    for (const { evaluation, validation } of rounds)
      expect([evaluation.split, validation]).toEqual(["validation", undefined]);
    expect(rounds.at(-1)?.stop).toBe("rounds");
  });

  it("is finished for a list of runs, and has nothing left to do when it is resumed", async () => {
    const library = new MemoryLibrary();
    const config = sumsConfig({ ...SMALL, budget: { examples: 3 } });
    await collect(config, await sumsDeps({ store: await library.open("run") }));
    expect((await library.list())[0]).toMatchObject({ lastRound: 1, finished: true });
    const again = await collect(config, await sumsDeps({ store: await open(library), resume: true }));
    expect(again.map(({ type }) => type)).toEqual(["run", "done"]);
    expect(again.at(-1)).toMatchObject({ rounds: 1, reason: "budget" });
  });
});

/** The run of a library that another holds; this one only reads and appends. */
async function open(library: MemoryLibrary) {
  const stored = await library.read("run");
  const copy = await new MemoryLibrary().open("run");
  if (stored === undefined) throw new Error("no run");
  await copy.create(stored.manifest);
  for (const summary of stored.rounds) await copy.append({ type: "round", summary });
  for (const example of stored.examples) await copy.append({ type: "example", example });
  if (stored.checkpoint !== undefined) await copy.saveCheckpoint(stored.checkpoint);
  return copy;
}

describe("verification", () => {
  const task = createTask("word-problems");
  const solver = createSolverTeacher(task);
  /** Right final answers behind a wrong step: the first step's result is one too high, the last line is right. */
  const careless: Teacher = {
    ...solver,
    async answer(question, call) {
      const reply = await solver.answer(question, call);
      const [first = "", ...rest] = reply.value.answer.split("\n");
      const spoiled = first.replace(/(\d+)$/, (result) => String(Number(result) + 1));
      return { ...reply, value: { answer: [spoiled, ...rest].join("\n") } };
    },
  };
  const outcomes = async (verification: "off" | "answer" | "steps", teacher: Teacher) => {
    const config = sumsConfig({
      ...SMALL,
      rounds: 1,
      querySize: 10,
      verification,
      strategy: { name: "random" },
    });
    const student = new LinearStudent({ maxPositions: 2000 });
    const [, summary] = roundsOf(await collect(config, await sumsDeps({ task, student, teacher })));
    const { duplicate = 0, ...outcomes } = summary?.outcomes ?? {};
    // A question that comes twice is no matter of verification.
    expect(duplicate).toBeLessThan(3);
    return { ...outcomes, duplicate, unsound: summary?.unsound, taught: summary?.taught };
  };

  it("of steps rejects a pair for a wrong step, of answers only for its final answer", async () => {
    const { duplicate, ...off } = await outcomes("off", careless);
    expect(off).toEqual({ off: 20 - duplicate, unsound: 20, taught: 20 });
    expect(await outcomes("answer", careless)).toEqual({ passed: 20 - duplicate, duplicate, unsound: 20, taught: 20 });
    expect(await outcomes("steps", careless)).toEqual({ failed: 20, duplicate: 0, unsound: 20, taught: 20 });
    for (const verification of ["answer", "steps"] as const)
      expect(await outcomes(verification, solver)).toEqual({
        passed: 20 - duplicate,
        duplicate,
        unsound: 0,
        taught: 20,
      });
  });

  it("of answers rejects wrong final answers and questions that cannot be answered", async () => {
    const wrong = createSolverTeacher(task, { errorRate: 1 });
    const { failed = 0, passed = 0, unsound = 0 } = await outcomes("answer", wrong);
    expect(unsound).toBeGreaterThan(0);
    // What passes has a right final answer behind a wrong step.
    expect(failed).toBeGreaterThan(passed);
  });
});

it("near-duplicates of seeds and of accepted questions are rejected, and of nothing else", async () => {
  const records = await collect(sumsConfig({ ...SMALL, maxRougeL: 0.74 }), await sumsDeps());
  const pool = sumsTask().splits(SMALL.task, new Rng(1).fork("splits")).pool;
  const known = pool.map(({ question }) => question);
  let near = 0;
  for (const { question, verification, accepted } of examplesOf(records)) {
    const like = Math.max(...known.map((other) => rougeL(question, other)));
    if (verification === "near-duplicate") near++;
    if (verification !== "duplicate") expect(verification === "near-duplicate").toBe(like > 0.74);
    if (accepted) known.push(question);
  }
  expect(near).toBeGreaterThan(0);
});

it("rejected questions are asked for again about the same seeds until the round is full, so often at most, within the budget", async () => {
  const task = { ...SMALL.task, pool: 5 };
  const near = { ...SMALL, task, rounds: 2, verification: "steps", maxRougeL: 0.74 } as const;
  const run = async (change: Parameters<typeof sumsConfig>[0], errorRate = 0.3) =>
    collect(sumsConfig({ ...near, ...change }), await sumsDeps({ teacher: sumsTeacher({ errorRate }) }));
  const lost = await run({ refills: 0 });
  const refilled = await run({});
  expect(sumsConfig(near).refills).toBe(3);
  expect(sumsConfig(SMALL).refills).toBe(0);
  const [without, full] = [roundsOf(lost), roundsOf(refilled)];
  expect(without.slice(1).every(({ refills, rejected }) => refills === 0 && rejected > 0)).toBe(true);
  for (const { accepted, rejected, planned = 0, refills } of full.slice(1)) {
    expect(planned).toBe(without[1]?.planned);
    expect(refills).toBeGreaterThan(0);
    expect(refills).toBeLessThanOrEqual(3);
    expect(accepted).toBeLessThanOrEqual(planned);
    if (refills < 3) expect(accepted).toBe(planned);
    expect(accepted + rejected).toBeGreaterThan(planned);
  }
  expect(full.at(-1)?.examples).toBeGreaterThan(without.at(-1)?.examples ?? 0);
  // The first questions are those of a run without refills; each later one stands in the place of a rejected one.
  const first = examplesOf(refilled).filter(({ round }) => round === 1);
  expect(first.slice(0, without[1]?.planned)).toEqual(examplesOf(lost).filter(({ round }) => round === 1));
  const rejected = new Map(first.filter(({ accepted }) => !accepted).map(({ id, seedId }) => [id, seedId]));
  const again = first.filter(({ id }) => id.includes("-refill"));
  expect(again.length).toBeGreaterThan(0);
  for (const { id, seedId } of again) expect(rejected.get(id.replace(/-refill\d+$/, ""))).toBe(seedId);
  // A teacher that is always wrong is asked so often and no more.
  const hopeless = roundsOf(await run({ refills: 2, rounds: 1 }, 1))[1];
  expect(hopeless).toMatchObject({ accepted: 0, refills: 2, rejected: 3 * (hopeless?.planned ?? 0) });
  const spent = await run({ refills: 50, budget: { teacherTokens: 200 } }, 1);
  expect(
    roundsOf(spent).reduce((sum, { teacher }) => sum + teacher.promptTokens + teacher.completionTokens, 0),
  ).toBeLessThanOrEqual(200);
  expect(roundsOf(spent).at(-1)?.stop).toBe("budget");
});

it("synthetic questions are scored by the strategy's criterion, by the student that picked their seed", async () => {
  const strategies = ["true-loss", "entropy", "incorrect", "reward", "rho-loss"] as const;
  for (const name of strategies) {
    const picker = { kind: "argmax" } as const;
    const strategy = name === "rho-loss" ? { name, picker, holdout: "linear" } : { name, picker };
    const plain = { ...SMALL, rounds: 2, strategy };
    const scored = await collect(sumsConfig({ ...plain, scoreSynthetic: true }), await sumsDeps());
    const unscored = await collect(sumsConfig(plain), await sumsDeps());
    const without = examplesOf(scored).map(({ score: _, ...example }) => example);
    expect(without).toEqual(examplesOf(unscored));
    expect(roundsOf(scored)).toEqual(roundsOf(unscored));
    expect(examplesOf(unscored).every(({ score }) => score === undefined)).toBe(true);
    for (const { accepted, score } of examplesOf(scored)) expect(score !== undefined).toBe(accepted);
    if (name !== "true-loss") continue;
    // Round 1 is scored by the untouched student, whose prediction of every sum is 0: its loss is half the square.
    for (const { accepted, question, score, round } of examplesOf(scored)) {
      if (!accepted || round > 1) continue;
      const [a = 0, b = 0] = question.match(/\d+/g)?.map(Number) ?? [];
      expect(score).toBe((a + b) ** 2 / 2);
    }
  }
  const judged = sumsConfig({
    ...SMALL,
    strategy: { name: "judge", picker: { kind: "argmax" } },
    scoreSynthetic: true,
  });
  const calls = roundsOf(await collect(judged, await sumsDeps()));
  const same = roundsOf(await collect({ ...judged, scoreSynthetic: false }, await sumsDeps()));
  expect(calls).toEqual(same);
});

it("a warm-up round asks nothing and trains on the seeds; replay of all adds each seed once", async () => {
  const student = new NotingStudent();
  const config = sumsConfig({ ...SMALL, rounds: 2, warmUp: "seeds", replay: "all" });
  const records = await collect(config, await sumsDeps({ student }));
  expect(ofType(records, "picks").map(({ round }) => round)).toEqual([2]);
  const seeds = sumsTask()
    .splits(SMALL.task, new Rng(1).fork("splits"))
    .pool.map(({ id }) => id);
  expect(student.trained[0]?.map(({ id }) => id)).toEqual(seeds);
  const accepted = examplesOf(records).filter((example) => example.accepted);
  expect(student.trained[1]?.map(({ id }) => id)).toEqual([...accepted.map(({ id }) => id), ...seeds]);
  expect(roundsOf(records).map(({ rows }) => rows)).toEqual([0, 20, 20 + accepted.length]);
});

it("accuracy is told by each of a task's tags and by its levels", async () => {
  const task = createTask("word-problems");
  const config = sumsConfig({ ...SMALL, task: { pool: 4, validation: 4, test: 60 }, rounds: 0 });
  const student = new LinearStudent({ maxPositions: 2000 });
  const [{ evaluation } = { evaluation: undefined }] = roundsOf(
    await collect(config, await sumsDeps({ task, student })),
  );
  const questions = task.splits(config.task, new Rng(config.seed).fork("splits")).test;
  const clusters = new Set(questions.map(({ tags }) => tags?.["cluster"] ?? ""));
  expect(clusters.size).toBeGreaterThan(1);
  expect(Object.keys(evaluation?.byTag["cluster"] ?? {})).toEqual([...clusters].sort());
  for (const cluster of clusters)
    expect(evaluation?.byTag["cluster"]?.[cluster]?.n).toBe(
      questions.filter(({ tags }) => tags?.["cluster"] === cluster).length,
    );
});

it("a round's outcomes add up, and picks tell the level of their seed", async () => {
  const records = await collect(sumsConfig(SMALL), await sumsDeps({ teacher: sumsTeacher({ errorRate: 0.4 }) }));
  for (const { accepted, rejected, outcomes, taught, unsound } of roundsOf(records)) {
    const of = (names: readonly Outcome[]) => names.reduce((sum, name) => sum + (outcomes[name] ?? 0), 0);
    expect(of(["off", "passed"])).toBe(accepted);
    expect(of(["failed", "duplicate", "near-duplicate"])).toBe(rejected);
    expect(unsound).toBe(outcomes.failed ?? 0);
    expect(taught).toBeLessThanOrEqual(accepted + rejected);
  }
  const levels = new Map(
    sumsTask()
      .splits(SMALL.task, new Rng(1).fork("splits"))
      .pool.map(({ id, level }) => [id, level]),
  );
  for (const { picks } of ofType(records, "picks"))
    for (const { seedId, level } of picks) expect(level).toBe(levels.get(seedId));
});

describe("the picker above", () => {
  const strategy = createStrategy("incorrect", { kind: "above", threshold: 0 });
  it("picks every score over its threshold and no other, at most the query size, by chance among them", () => {
    const scores = [1, 0, 1, 0, 1, 1];
    const picked = selectQueries(strategy, scores, 6, 6, new Rng(1)).map(({ index }) => index);
    expect(new Set(picked)).toEqual(new Set([0, 2, 4, 5]));
    const firsts = new Set(
      Array.from({ length: 50 }, (_, seed) => selectQueries(strategy, scores, 6, 1, new Rng(seed))[0]?.index),
    );
    expect(firsts).toEqual(new Set([0, 2, 4, 5]));
    expect(selectQueries(strategy, [0, 0], 2, 2, new Rng(1))).toEqual([]);
  });
});

it("members that may not be picked are not, and ranks still count them", () => {
  const argmax = createStrategy("own-loss", { kind: "argmax" });
  const picks = selectQueries(argmax, [9, 8, 7, 6, 5], 5, 2, new Rng(1), { among: [1, 3, 4] });
  expect(picks).toEqual([
    { index: 1, score: 8, rank: 2 },
    { index: 3, score: 6, rank: 4 },
  ]);
  expect(() => selectQueries(argmax, [9, 8, 7], 3, 2, new Rng(1), { among: [1] })).toThrow(/at most the pool of 1/);
});
