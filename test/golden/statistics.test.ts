/** @file The study's statistics give SciPy's and NumPy's values (`scripts/golden/statistics.py`). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { bootstrapInterval, mean, quantile, resamples } from "../../src/study/sampling.ts";
import { holm, pairedPermutationTest, ranksOf, smallestP, spearman } from "../../src/study/significance.ts";

interface Golden {
  readonly paired: readonly { readonly differences: readonly number[]; readonly p: number }[];
  readonly sampled: { readonly differences: readonly number[]; readonly p: number };
  readonly spearman: readonly {
    readonly x: readonly number[];
    readonly y: readonly number[];
    readonly rho: number;
    readonly ranks: readonly number[];
  }[];
  readonly holm: { readonly p: readonly number[]; readonly adjusted: readonly number[] };
  readonly quantiles: {
    readonly values: readonly number[];
    readonly p: readonly number[];
    readonly q: readonly number[];
  };
  readonly bootstrap: { readonly values: readonly number[]; readonly low: number; readonly high: number };
}
const golden = JSON.parse(readFileSync(new URL("fixtures/statistics.json", import.meta.url), "utf8")) as Golden;

test("the paired permutation test is SciPy's exact one, with ties", () => {
  for (const { differences, p } of golden.paired)
    expect(pairedPermutationTest(differences, new Rng(1))).toBeCloseTo(p, 10);
});

test("over 14 pairs the drawn patterns come within five standard errors of the exact p-value", () => {
  const { differences, p } = golden.sampled;
  const drawn = pairedPermutationTest(differences, new Rng(1));
  expect(Math.abs(drawn - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / 20_000));
});

test("no difference at all is no evidence, and n pairs cannot say more than their number allows", () => {
  expect(pairedPermutationTest([0, 0, 0], new Rng(1))).toBe(1);
  expect(pairedPermutationTest([1, 2, 3, 4, 5], new Rng(1))).toBe(smallestP(5));
  expect(smallestP(5)).toBe(0.0625);
  expect(smallestP(0)).toBe(1);
});

test("Spearman's ρ and ranks are SciPy's, ties averaged", () => {
  for (const { x, y, rho, ranks } of golden.spearman) {
    expect(spearman(x, y)).toBeCloseTo(rho, 12);
    expect(ranksOf(x)).toEqual(ranks);
  }
  expect(spearman([1, 1, 1], [1, 2, 3])).toBeUndefined();
  expect(spearman([1, 2], [1, 2])).toBeUndefined();
  expect(() => spearman([1, 2, 3], [1, 2])).toThrow("expected 3 values on both sides, got 2");
});

test("Holm's correction, quantiles", () => {
  holm(golden.holm.p).forEach((p, i) => expect(p).toBeCloseTo(golden.holm.adjusted[i] ?? Number.NaN, 12));
  const { values, p, q } = golden.quantiles;
  p.forEach((share, i) => expect(quantile(values, share)).toBeCloseTo(q[i] ?? Number.NaN, 12));
  expect(quantile([1, Infinity, Infinity], 1)).toBe(Infinity);
  expect(() => mean([])).toThrow("mean: expected at least one value, got none");
});

test("the bootstrap interval of a mean comes near SciPy's percentile interval, and repeats for a seed", () => {
  const { values, low, high } = golden.bootstrap;
  const interval = bootstrapInterval(values, mean, resamples(values.length, 4000, new Rng(3)), 0.95);
  // Monte Carlo error of a 2.5 % quantile of 4,000 means: about 3 % of the width.
  const tolerance = 0.05 * (high - low);
  expect(Math.abs((interval?.low ?? Number.NaN) - low)).toBeLessThan(tolerance);
  expect(Math.abs((interval?.high ?? Number.NaN) - high)).toBeLessThan(tolerance);
  expect(bootstrapInterval(values, mean, resamples(values.length, 4000, new Rng(3)), 0.95)).toEqual(interval);
});

test("one unit, or a statistic that mostly does not exist, has no interval", () => {
  expect(bootstrapInterval([1], mean, resamples(1, 10, new Rng(1)), 0.95)).toBeUndefined();
  expect(bootstrapInterval([1, 2], () => undefined, resamples(2, 10, new Rng(1)), 0.95)).toBeUndefined();
});
