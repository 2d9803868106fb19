/** @file What each query strategy scores seeds by, against its formula worked out here from the student's own numbers. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { PoolItem } from "../../src/loop/records.ts";
import { createStrategy } from "../../src/selection/registry.ts";
import { STRATEGIES, strategyNames, type StrategyName } from "../../src/selection/strategies.ts";
import type { StrategyOptions } from "../../src/selection/types.ts";
import type { ScoreName, ScoreRow } from "../../src/student/types.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTask, termsOf } from "../support/sums.ts";

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

describe("the strategy registry", () => {
  it("makes every strategy, and lists the names in the error for an unknown one", () => {
    for (const name of strategyNames) {
      const strategy = createStrategy(name, ARGMAX);
      expect(strategy).toMatchObject({ name, description: STRATEGIES[name].description });
      const own = { random: "uniform", badge: "k-means++", "k-center": "k-center", hybrid: "k-means++" } as const;
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

describe("the README", () => {
  it("lists every strategy with its sentence", async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
    for (const name of strategyNames)
      expect(
        rows.some((row) => row.startsWith(`| \`${name}\` | ${STRATEGIES[name].description} |`)),
        name,
      ).toBe(true);
  });
});
