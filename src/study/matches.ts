/** @file Every two strategies against each other: wins, ties, and a paired test with Holm's correction over the whole table. */
import type { Difference, PairResult } from "./reportSchema.ts";
import type { Resampling } from "./resampling.ts";
import { mean } from "./sampling.ts";
import { holm, pairedPermutationTest } from "./significance.ts";

/** One number of each run of a strategy, by task and seed. */
export type Scores = ReadonlyMap<string, number>;

/** Counts with rounding dust would never tie. */
const SAME = 1e-9;

/** Differences a − b over the keys that both have, in order of the keys. */
export function pairedDifferences(a: Scores, b: Scores): readonly number[] {
  return [...a.keys()].sort().flatMap((key) => {
    const other = b.get(key);
    return other === undefined ? [] : [(a.get(key) ?? 0) - other];
  });
}

/** Mean difference with its bootstrap interval and its p-value, not yet corrected. `differences` is not empty. */
export function differenceOf(differences: readonly number[], name: string, resampling: Resampling): Difference {
  const interval = resampling.interval(differences, mean);
  const p = pairedPermutationTest(differences, resampling.rng.fork(`signs of ${name}`));
  return {
    value: mean(differences),
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    n: differences.length,
    p,
    pHolm: p,
  };
}

/** The results of every unordered pair of strategies that have a key in common, in the order given. */
export function matchesOf(scores: ReadonlyMap<string, Scores>, resampling: Resampling): PairResult[] {
  const names = [...scores.keys()];
  const found = names.flatMap((a, i) =>
    names.slice(i + 1).flatMap((b) => {
      const differences = pairedDifferences(scores.get(a) ?? new Map(), scores.get(b) ?? new Map());
      if (differences.length === 0) return [];
      return {
        a,
        b,
        wins: differences.filter((d) => d > SAME).length,
        ties: differences.filter((d) => Math.abs(d) <= SAME).length,
        losses: differences.filter((d) => d < -SAME).length,
        difference: differenceOf(differences, `${a} against ${b}`, resampling),
      };
    }),
  );
  const corrected = holm(found.map(({ difference }) => difference.p));
  return found.map((pair, i) => ({ ...pair, difference: { ...pair.difference, pHolm: corrected[i] ?? 1 } }));
}
