/** @file What each query strategy scores seeds by, against its formula worked out here from the student's own numbers. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { PoolItem } from "../../src/loop/records.ts";
import { createStrategy } from "../../src/selection/registry.ts";
import { STRATEGIES, strategyNames, type StrategyName } from "../../src/selection/strategies.ts";
import type { StrategyOptions } from "../../src/selection/types.ts";
import type { Teacher } from "../../src/teacher/types.ts";
import { rougeL } from "../../src/core/rougeL.ts";
import type { ScoreName, ScoreRow, TrainOptions } from "../../src/student/types.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTask, sumsTeacher, termsOf, workedSum } from "../support/sums.ts";

const TRAINING: TrainOptions = {
  epochs: 3,
  batchSize: 1,
  gradAccum: 1,
  learningRate: 0.1,
  scheduler: "constant",
  warmupSteps: 0,
  weightDecay: 0,
  maxGradNorm: 0,
  shuffle: false,
  seed: 1,
};
const ARGMAX = { kind: "argmax" } as const;
const EVERY_SCORE: readonly ScoreName[] = ["loss", "entropy", "margin", "leastConfidence", "el2n", "gradNorm", "ifd"];

type Formula = (own: ScoreRow, worked: ScoreRow) => number | undefined;

const FORMULAS: readonly (readonly [StrategyName, StrategyOptions, Formula])[] = [
  ["own-loss", {}, (own) => own.loss],
  ["own-loss", { reduction: "sum" }, (own) => own.loss! * own.tokens],
  ["true-loss", {}, (_, worked) => worked.loss],
  ["true-loss", { reduction: "sum" }, (_, worked) => worked.loss! * worked.tokens],
  ["entropy", {}, (own) => own.entropy],
  ["entropy", { answer: "true", reduction: "sum" }, (_, worked) => worked.entropy! * worked.tokens],
  ["margin", {}, (own) => 1 - own.margin!],
  ["margin", { reduction: "sum" }, (own) => own.tokens - own.margin! * own.tokens],
  ["least-confidence", {}, (own) => own.leastConfidence],
  ["el2n", {}, (_, worked) => worked.el2n],
  ["el2n", { answer: "own" }, (own) => own.el2n],
  ["grad-norm", {}, (_, worked) => worked.gradNorm],
  ["grad-norm", { answer: "own" }, (own) => own.gradNorm],
  ["ifd", {}, (_, worked) => (worked.ifd! > 1 ? 0 : worked.ifd)],
  ["ifd", { limit: 0.5 }, (_, worked) => (worked.ifd! > 0.5 ? 0 : worked.ifd)],
];

/** Pools and picks of a loop of two rounds with a strategy. */
async function poolsOf(name: StrategyName, options: StrategyOptions) {
  const strategy = { name, picker: ARGMAX, ...options };
  const records = await collect(
    sumsConfig({ strategy, rounds: 2, task: { pool: 25, validation: 5, test: 5 } }),
    await sumsDeps(),
  );
  return { pools: ofType(records, "pool"), picks: ofType(records, "picks") };
}

describe("acquisition", () => {
  it.each(FORMULAS)("of %s with %j is its formula, and the highest are picked", async (name, options, formula) => {
    const { pools, picks } = await poolsOf(name, options);
    const items: readonly PoolItem[] = pools[0]?.items ?? [];
    expect(items).toHaveLength(25);
    // In round 1 the student is still untouched, as this one is.
    const student = new LinearStudent();
    const task = sumsTask();
    const expected = await Promise.all(
      items.map(async ({ question, answer, ownAnswer }) => {
        const rows = [ownAnswer ?? "", answer].map((completion) => ({ prompt: task.prompt(question), completion }));
        const [own, worked] = await student.score(rows, EVERY_SCORE);
        return formula(own!, worked!);
      }),
    );
    expect(items.map((item) => item.score)).toEqual(expected.map((score) => expect.closeTo(score!, 12)));
    const lowestPicked = Math.min(...picks[0]!.picks.map((pick) => pick.score!));
    expect(expected.filter((score) => score! > lowestPicked + 1e-9).length).toBeLessThan(picks[0]!.picks.length);
  });

  it("of incorrect is 1 where the own answer is wrong, and only those are picked while there are enough", async () => {
    const { pools, picks } = await poolsOf("incorrect", {});
    for (const [round, { items }] of pools.entries()) {
      const wrong = items.filter(({ question, ownAnswer }) => {
        const [a, b] = termsOf(question)!;
        return !new RegExp(`#### ${a + b}$`).test(ownAnswer!);
      });
      expect(items.filter((item) => item.score === 1).map(({ id }) => id)).toEqual(wrong.map(({ id }) => id));
      expect(items.every((item) => item.score === 0 || item.score === 1)).toBe(true);
      const ids = new Set(wrong.map(({ id }) => id));
      expect(picks[round]!.picks.filter(({ seedId }) => ids.has(seedId))).toHaveLength(Math.min(6, wrong.length));
    }
    // Both kinds must have been there for this to mean anything.
    const last = pools.at(-1)!.items.map((item) => item.score);
    expect(new Set(last).size).toBe(2);
  });
});

describe("acquisition that asks others", () => {
  const small = { rounds: 2, task: { pool: 25, validation: 5, test: 5 } } as const;
  const rightSum = ({ question, ownAnswer }: PoolItem): boolean => {
    const [a, b] = termsOf(question)!;
    return new RegExp(`#### ${a + b}$`).test(ownAnswer!);
  };

  it("of rho-loss is the loss less that of the holdout student, which is opened once and released", async () => {
    const holdout = new LinearStudent();
    const task = sumsTask();
    const rows = [3, 5, 8].map((a) => ({ prompt: task.prompt(`What is ${a} + 1?`), completion: workedSum(a, 1) }));
    for await (const _ of holdout.train(rows, { ...TRAINING, learningRate: 0.3 })) void _;
    const known = await holdout.snapshot();
    let opened = 0;
    const openHoldout = async () => {
      opened++;
      return holdout;
    };
    const strategy = { name: "rho-loss", picker: ARGMAX, holdout: "held" } as const;
    const records = await collect(sumsConfig({ strategy, ...small }), await sumsDeps({ openHoldout }));
    expect(opened).toBe(1);
    expect(holdout.disposed).toBe(true);
    const reference = new LinearStudent();
    await reference.restore(known);
    const items = ofType(records, "pool")[0]!.items;
    const losses = async (student: LinearStudent) =>
      student.score(
        items.map(({ question, answer }) => ({ prompt: task.prompt(question), completion: answer })),
        ["loss"],
      );
    const [own, held] = await Promise.all([losses(new LinearStudent()), losses(reference)]);
    items.forEach(({ score }, i) => expect(score).toBeCloseTo(own[i]!.loss! - held[i]!.loss!, 9));
    expect(new Set(held.map(({ loss }) => loss)).size).toBeGreaterThan(2);
  });

  it("refuses a holdout student with another tokenizer, and rho-loss without one", async () => {
    class OtherTokens extends LinearStudent {
      override encode(row: Parameters<LinearStudent["encode"]>[0]) {
        return super.encode({ ...row, prompt: `${row.prompt} ` });
      }
    }
    const strategy = { name: "rho-loss", picker: ARGMAX, holdout: "held" } as const;
    const openHoldout = async () => new OtherTokens();
    await expect(collect(sumsConfig({ strategy, ...small }), await sumsDeps({ openHoldout }))).rejects.toThrow(
      /strategy\.holdout: expected a student with the same tokenizer/,
    );
    await expect(
      collect(sumsConfig({ strategy, ...small }), await sumsDeps({ openHoldout: undefined })),
    ).rejects.toThrow(/"rho-loss": expected a holdout student/);
    expect(() => createStrategy("rho-loss", ARGMAX)).toThrow(/strategy\.holdout: expected the directory/);
  });

  it.each(["checker", "overlap"] as const)("of reward is 1 less the %s's reward of the own answer", async (scorer) => {
    const { pools } = await poolsOf("reward", { scorer });
    const items = pools.at(-1)!.items;
    for (const item of items) {
      const expected = scorer === "checker" ? (rightSum(item) ? 0 : 1) : 1 - rougeL(item.ownAnswer!, item.answer);
      expect(item.score).toBeCloseTo(expected, 12);
    }
    expect(new Set(items.map(({ score }) => score)).size).toBeGreaterThan(1);
  });

  it("of judge is 10 less the teacher's score, asked once for each seed and counted", async () => {
    const asked: string[] = [];
    const teacher = sumsTeacher();
    const counting: Teacher = {
      ...teacher,
      judge: (question, answers, call) => {
        asked.push(question);
        return teacher.judge(question, answers, call);
      },
    };
    const strategy = { name: "judge", picker: ARGMAX } as const;
    const records = await collect(sumsConfig({ strategy, ...small }), await sumsDeps({ teacher: counting }));
    expect(asked).toHaveLength(50);
    for (const { items } of ofType(records, "pool"))
      expect(items.map(({ score }) => score)).toEqual(items.map((item) => (rightSum(item) ? 0 : 9)));
    // Two calls an item, but one where the proposed question was taken.
    const calls = (round: number): number =>
      ofType(records, "example")
        .filter(({ example }) => example.round === round)
        .reduce((sum, { example }) => sum + (example.reason.includes("one of the pool") ? 1 : 2), 0);
    expect(ofType(records, "round").map(({ summary }) => summary.teacher.requests)).toEqual([
      0,
      25 + calls(1),
      25 + calls(2),
    ]);
    expect(calls(1)).toBeGreaterThan(18);
  });

  it("of lion is the gap of two judgements; half the picks are hard ones and half easy ones while there are enough", async () => {
    const strategy = { name: "lion", picker: ARGMAX } as const;
    const records = await collect(sumsConfig({ strategy, ...small }), await sumsDeps());
    const { items } = ofType(records, "pool").at(-1)!;
    expect(items.map(({ score }) => score)).toEqual(items.map((item) => (rightSum(item) ? 0 : 9)));
    const hard = items.filter(({ score }) => score === 9).length;
    expect(Math.min(hard, 25 - hard)).toBeGreaterThan(0);
    const picked = ofType(records, "picks")
      .at(-1)!
      .picks.filter(({ score }) => score === 9).length;
    expect(picked).toBe(Math.min(hard, Math.max(3, 6 - (25 - hard))));
  });

  it("takes a seed that cannot be judged for an easy one, and says so", async () => {
    const teacher: Teacher = {
      ...sumsTeacher(),
      judge: () => Promise.reject(new Error("the line is busy")),
    };
    const strategy = { name: "judge", picker: ARGMAX } as const;
    const records = await collect(sumsConfig({ strategy, ...small, rounds: 1 }), await sumsDeps({ teacher }));
    expect(ofType(records, "warning")[0]?.message).toMatch(
      /25 of 25 own answers could not be judged.*the line is busy/,
    );
    expect(ofType(records, "pool")[0]!.items.every(({ score }) => score === 0)).toBe(true);
  });
});

describe("the strategy registry", () => {
  it("makes every strategy, and lists the names in the error for an unknown one", () => {
    for (const name of strategyNames) {
      const strategy = createStrategy(name, ARGMAX, name === "rho-loss" ? { holdout: "held" } : {});
      expect(strategy).toMatchObject({ name, description: STRATEGIES[name].description });
      const own = {
        random: "uniform",
        badge: "k-means++",
        "k-center": "k-center",
        hybrid: "k-means++",
        lion: "balanced",
      } as const;
      expect(strategy.picker.kind).toBe(name in own ? own[name as keyof typeof own] : "argmax");
    }
    for (const name of ["constructor", "", "loss"])
      expect(() => createStrategy(name, ARGMAX)).toThrow(/random, own-loss, true-loss/);
  });

  it("refuses settings that a strategy does not have", () => {
    expect(() => createStrategy("own-loss", ARGMAX, { answer: "true" })).toThrow(
      /strategy\.answer: expected one of the settings of own-loss: reduction, got "true"/,
    );
    expect(() => createStrategy("random", ARGMAX, { reduction: "sum" })).toThrow(/random has none/);
  });
});

describe("docs/strategies.md", () => {
  it("lists every strategy with its sentence", async () => {
    const page = await readFile(new URL("../../docs/strategies.md", import.meta.url), "utf8");
    const rows = page.split("\n").filter((line) => line.startsWith("| `"));
    for (const name of strategyNames)
      expect(
        rows.some((row) => row.startsWith(`| \`${name}\` | ${STRATEGIES[name].description} |`)),
        name,
      ).toBe(true);
  });
});
