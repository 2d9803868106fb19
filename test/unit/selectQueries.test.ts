import { describe, expect, it } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { createStrategy } from "../../src/selection/registry.ts";
import { selectQueries } from "../../src/selection/selectQueries.ts";
import type { ScorePicker } from "../../src/selection/types.ts";

const ARGMAX: ScorePicker = { kind: "argmax" };
const UNIFORM: ScorePicker = { kind: "uniform" };
const softmax = (temperature: number): ScorePicker => ({ kind: "softmax", temperature });
const proportional = (exponent: number): ScorePicker => ({ kind: "proportional", exponent });
const rank = (exponent: number): ScorePicker => ({ kind: "rank", exponent });
const own = (picker: ScorePicker) => createStrategy("own-loss", picker);
const indices = (picks: readonly { readonly index: number }[]) => picks.map((p) => p.index);

function softmaxWeights(scores: readonly number[], temperature: number): number[] {
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  const sd = Math.sqrt(scores.reduce((a, b) => a + (b - mean) ** 2, 0) / scores.length);
  return scores.map((s) => Math.exp((s - mean) / sd / temperature));
}

/** How often each ordered pair is drawn, by the sequential definition: P(i, j) = w_i / W · w_j / (W − w_i). */
function sequentialPairs(weights: readonly number[]): Map<string, number> {
  const out = new Map<string, number>();
  const total = weights.reduce((a, b) => a + b, 0);
  weights.forEach((wi, i) =>
    weights.forEach((wj, j) => i !== j && out.set(`${i},${j}`, ((wi / total) * wj) / (total - wi))),
  );
  return out;
}

/** Pearson's χ² of counts of `draw()` against probabilities. */
function chiSquare(draws: number, expected: ReadonlyMap<string, number>, draw: () => string): number {
  const counts = new Map<string, number>();
  for (let i = 0; i < draws; i++) {
    const key = draw();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const key of counts.keys()) expect(expected.has(key), key).toBe(true);
  return [...expected].reduce((sum, [key, p]) => sum + ((counts.get(key) ?? 0) - draws * p) ** 2 / (draws * p), 0);
}

/** 99.99 % quantiles of χ² with 4, 11 and 19 degrees of freedom (R: qchisq(0.9999, k)). */
const CHI_SQUARE_9999: Readonly<Record<number, number>> = { 4: 23.51, 11: 37.37, 19: 50.8 };

describe("argmax", () => {
  it("picks the highest scores, highest first, with score and rank", () => {
    expect(selectQueries(own(ARGMAX), [0.5, 3, -1, 2], 4, 2, new Rng(1))).toEqual([
      { index: 1, score: 3, rank: 1 },
      { index: 3, score: 2, rank: 2 },
    ]);
  });

  it("picks equal scores uniformly, by the seed, never by the place in the pool", () => {
    const scores = [1, 1, 1, 1, 1];
    const expected = new Map([0, 1, 2, 3, 4].map((i) => [String(i), 0.2]));
    const rng = new Rng(2);
    expect(
      chiSquare(20_000, expected, () => String(selectQueries(own(ARGMAX), scores, 5, 1, rng)[0]?.index)),
    ).toBeLessThan(CHI_SQUARE_9999[4]!);
    expect(selectQueries(own(ARGMAX), scores, 5, 3, new Rng(7))).toEqual(
      selectQueries(own(ARGMAX), scores, 5, 3, new Rng(7)),
    );
  });
});

describe("softmax", () => {
  it.each([0.5, 1, 3])(
    "draws ordered pairs as sequential sampling without replacement does, at temperature %d",
    (temperature) => {
      const scores = [0.1, 0.9, 0.4, 1.5];
      const rng = new Rng(3);
      const chi = chiSquare(60_000, sequentialPairs(softmaxWeights(scores, temperature)), () =>
        indices(selectQueries(own(softmax(temperature)), scores, 4, 2, rng)).join(),
      );
      expect(chi).toBeLessThan(CHI_SQUARE_9999[11]!);
    },
  );

  it("is uniform when all scores are equal", () => {
    const pairs = [0, 1, 2, 3, 4].flatMap((i) => [0, 1, 2, 3, 4].filter((j) => j !== i).map((j) => `${i},${j}`));
    const rng = new Rng(4);
    const chi = chiSquare(40_000, new Map(pairs.map((pair) => [pair, 1 / pairs.length])), () =>
      indices(selectQueries(own(softmax(0.1)), [2, 2, 2, 2, 2], 5, 2, rng)).join(),
    );
    expect(chi).toBeLessThan(CHI_SQUARE_9999[19]!);
  });

  it("does not mind the scale or the offset of the scores", () => {
    const scores = [0.1, 0.9, 0.4, 1.5, 0.2, 7];
    for (const [factor, offset] of [
      [2 ** 100, 0],
      [2 ** -100, 0],
      [1, 64],
      [2 ** 1000, 0],
    ] as const) {
      const moved = scores.map((s) => s * factor + offset);
      expect(indices(selectQueries(own(softmax(1)), moved, 6, 4, new Rng(5)))).toEqual(
        indices(selectQueries(own(softmax(1)), scores, 6, 4, new Rng(5))),
      );
    }
  });
});

describe("proportional and rank", () => {
  const scores = [0.1, 0.9, 0.4, 1.5];
  const ranks = [4, 2, 3, 1];
  it.each([
    [proportional(1), scores],
    [proportional(0.6), scores.map((s) => s ** 0.6)],
    [proportional(2), scores.map((s) => s ** 2)],
    [proportional(0), [1, 1, 1, 1]],
    [rank(1), ranks.map((r) => 1 / r)],
    [rank(0.7), ranks.map((r) => r ** -0.7)],
  ] as const)("draws ordered pairs as sequential sampling without replacement does, with %j", (picker, weights) => {
    const rng = new Rng(8);
    const chi = chiSquare(40_000, sequentialPairs(weights), () =>
      indices(selectQueries(own(picker), scores, 4, 2, rng)).join(),
    );
    expect(chi).toBeLessThan(CHI_SQUARE_9999[11]!);
  });

  it("takes scores of 0 last, by chance among them", () => {
    const rng = new Rng(9);
    const chi = chiSquare(10_000, new Map([0, 2, 3, 4, 5].map((i) => [`1,${i}`, 0.2])), () =>
      indices(selectQueries(own(proportional(1)), [0, 3, 0, 0, 0, 0], 6, 2, rng)).join(),
    );
    expect(chi).toBeLessThan(CHI_SQUARE_9999[4]!);
  });
});

describe("balanced", () => {
  const lion = (share: number) => createStrategy("lion", ARGMAX, { share });
  const scores = [9, 0, 2, 0.5, -3, 1];

  it.each([
    [0.5, 4, 2],
    [0.5, 3, 2],
    [0.25, 4, 1],
    [1, 3, 3],
    [1, 4, 3],
    [0, 3, 0],
    [0, 5, 2],
  ])("with share %d takes %d, %d of them hard; one side fills up where the other runs out", (share, count, hard) => {
    const picks = selectQueries(lion(share), scores, 6, count, new Rng(1));
    expect(new Set(indices(picks)).size).toBe(count);
    expect(picks.filter((pick) => pick.score! >= 1)).toHaveLength(hard);
  });

  it("picks by chance within each half", () => {
    const rng = new Rng(10);
    const pairs = [0, 2, 5].flatMap((i) => [1, 3, 4].map((j): [string, number] => [`${i},${j}`, 1 / 9]));
    const chi = chiSquare(20_000, new Map(pairs), () => indices(selectQueries(lion(0.5), scores, 6, 2, rng)).join());
    expect(chi).toBeLessThan(CHI_SQUARE_9999[11]!);
  });
});

describe("uniform", () => {
  it("draws every subset equally often, with ranks where there are scores", () => {
    const pairs = [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3].filter((j) => j !== i).map((j) => `${i},${j}`));
    const rng = new Rng(6);
    const chi = chiSquare(40_000, new Map(pairs.map((pair) => [pair, 1 / 12])), () =>
      indices(selectQueries(own(UNIFORM), [9, 1, 5, 3], 4, 2, rng)).join(),
    );
    expect(chi).toBeLessThan(CHI_SQUARE_9999[11]!);
    for (const pick of selectQueries(own(UNIFORM), [9, 1, 5, 3], 4, 4, rng))
      expect(pick.rank).toBe([1, 4, 2, 3][pick.index]);
  });

  it("is what random does, without scores or ranks, whatever the picker and the scores", () => {
    const random = createStrategy("random", ARGMAX);
    expect(random.picker).toEqual(UNIFORM);
    const picks = selectQueries(random, undefined, 10, 4, new Rng(1));
    expect(picks.every((p) => p.score === undefined && p.rank === undefined)).toBe(true);
    expect(selectQueries(random, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 10, 4, new Rng(1))).toEqual(picks);
  });
});

describe("what cannot be selected from", () => {
  type Arguments = Parameters<typeof selectQueries>;
  const rng = new Rng(1);
  const random = createStrategy("random", UNIFORM);
  const cases: readonly (readonly [string, Arguments, RegExp])[] = [
    ["more picks than pool", [own(ARGMAX), [1, 2], 2, 3, rng], /pool of 2, got a query size of 3/],
    ["more random picks than pool", [random, undefined, 2, 3, rng], /pool of 2, got a query size of 3/],
    ["a score that is no number", [own(ARGMAX), [1, Number.NaN], 2, 1, rng], /NaN for member 1/],
    [
      "an infinite score, even unused",
      [own(UNIFORM), [Number.NEGATIVE_INFINITY, 1], 2, 1, rng],
      /-Infinity for member 0/,
    ],
    [
      "no scores",
      [own(ARGMAX), undefined, 2, 1, rng],
      /"own-loss": expected 2 scores, one for each pool member, got none/,
    ],
    ["too few scores", [own(ARGMAX), [1], 2, 1, rng], /expected 2 scores.*got 1/],
    ["an empty pool", [own(ARGMAX), [], 0, 1, rng], /pool of at least 1/],
    ["ranking without scores", [{ ...random, picker: ARGMAX }, undefined, 2, 1, rng], /computes no scores/],
    ...[0, -1, 1.5, Number.NaN].map((size): [string, Arguments, RegExp] => [
      `a query size of ${size}`,
      [own(ARGMAX), [1, 2], 2, size, rng],
      /query size of at least 1/,
    ]),
    [
      "a negative score to draw in proportion to",
      [own(proportional(1)), [1, -2], 2, 1, rng],
      /scores >= 0.*-2 for member 1/,
    ],
    ...[proportional(-1), rank(Number.NaN)].map((picker): [string, Arguments, RegExp] => [
      `the exponent of ${JSON.stringify(picker)}`,
      [own(picker), [1, 2], 2, 1, rng],
      /exponent >= 0/,
    ]),
    ...[-1, Number.NaN, Infinity].map((t): [string, Arguments, RegExp] => [
      `a temperature of ${t}`,
      [own(softmax(t)), [1, 2], 2, 1, rng],
      /temperature >= 0/,
    ]),
  ];
  it.each(cases)("is refused: %s", (_, args, message) => {
    expect(() => selectQueries(...args)).toThrow(BadInputError);
    expect(() => selectQueries(...args)).toThrow(message);
  });
});
