import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { createStrategy } from "../../src/selection/registry.ts";
import { selectQueries, zScores } from "../../src/selection/selectQueries.ts";
import type { ScorePicker } from "../../src/selection/types.ts";

const scoreList = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 });
const picker: fc.Arbitrary<ScorePicker> = fc.oneof(
  fc.constant<ScorePicker>({ kind: "argmax" }),
  fc.constant<ScorePicker>({ kind: "uniform" }),
  fc.double({ min: 0, max: 1e308, noNaN: true }).map((temperature): ScorePicker => ({ kind: "softmax", temperature })),
  fc
    .tuple(fc.constantFrom("proportional" as const, "rank" as const), fc.double({ min: 0, max: 1e6, noNaN: true }))
    .map(([kind, exponent]): ScorePicker => ({ kind, exponent })),
);
const strategyName = fc.constantFrom("random", "own-loss", "true-loss");
/** A list of scores, how many to pick from it, and a seed. */
const fromScores = (scores: readonly number[]) =>
  fc.tuple(fc.constant(scores), fc.integer({ min: 1, max: scores.length }), fc.integer());
/** Scores that every picker takes. */
const nonNegative = fc
  .array(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 })
  .chain(fromScores);

describe("selecting queries", () => {
  it("picks as many as asked, all different, all from the pool, with their own scores", () => {
    fc.assert(
      fc.property(nonNegative, picker, strategyName, ([scores, querySize, seed], how, name) => {
        const picks = selectQueries(createStrategy(name, how), scores, scores.length, querySize, new Rng(seed));
        expect(picks).toHaveLength(querySize);
        expect(new Set(picks.map((p) => p.index)).size).toBe(querySize);
        for (const { index, score, rank } of picks) {
          expect(Number.isInteger(index) && index >= 0 && index < scores.length).toBe(true);
          expect(score).toBe(name === "random" ? undefined : scores[index]);
          if (rank !== undefined) {
            // Between the best and the worst place that ties allow.
            expect(rank).toBeGreaterThan(scores.filter((s) => s > scores[index]!).length);
            expect(rank).toBeLessThanOrEqual(scores.filter((s) => s >= scores[index]!).length);
          }
        }
      }),
    );
  });

  it("is a function of its arguments and the state of the generator", () => {
    fc.assert(
      fc.property(nonNegative, picker, strategyName, ([scores, querySize, seed], how, name) => {
        const draw = () => selectQueries(createStrategy(name, how), scores, scores.length, querySize, new Rng(seed));
        expect(draw()).toEqual(draw());
      }),
    );
  });

  it("by argmax leaves nobody with a higher score behind, and permutes with the pool", () => {
    const distinct = fc.uniqueArray(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 40 });
    const argmax = createStrategy("true-loss", { kind: "argmax" });
    fc.assert(
      fc.property(distinct, fc.integer(), fc.integer(), (scores, seed, order) => {
        const querySize = 1 + (Math.abs(seed) % scores.length);
        const picks = selectQueries(argmax, scores, scores.length, querySize, new Rng(seed));
        expect(picks.map((p) => p.score)).toEqual([...scores].sort((a, b) => b - a).slice(0, querySize));
        expect(picks.map((p) => p.rank)).toEqual(picks.map((_, i) => i + 1));
        // New place i holds what was at place permutation[i].
        const permutation = new Rng(order).shuffle(scores.map((_, i) => i));
        const moved = selectQueries(
          argmax,
          permutation.map((i) => scores[i]!),
          scores.length,
          querySize,
          new Rng(order),
        );
        expect(moved.map((p) => permutation[p.index])).toEqual(picks.map((p) => p.index));
      }),
    );
  });

  it("by softmax tends to argmax as the temperature goes to 0, and is argmax at 0", () => {
    const distinct = fc.uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(distinct, fc.integer(), fc.constantFrom(0, 1e-9, 1e-300), (scores, seed, temperature) => {
        const pick = (how: ScorePicker) =>
          selectQueries(createStrategy("own-loss", how), scores, scores.length, scores.length, new Rng(seed)).map(
            (p) => p.index,
          );
        expect(pick({ kind: "softmax", temperature })).toEqual(pick({ kind: "argmax" }));
      }),
    );
  });

  it("standardises scores of any size to mean 0 and deviation 1", () => {
    fc.assert(
      fc.property(scoreList, (scores) => {
        const z = zScores(scores);
        expect(z.every(Number.isFinite)).toBe(true);
        if (z.every((v) => v === 0)) return;
        const mean = z.reduce((a, b) => a + b, 0) / z.length;
        expect(mean).toBeCloseTo(0, 3);
        expect(Math.sqrt(z.reduce((a, b) => a + (b - mean) ** 2, 0) / z.length)).toBeCloseTo(1, 3);
      }),
      // Scores that differ in their last digit alone: the rounding of their mean is as large as their deviation.
      { examples: [[[0.1, 0.1, 0.1, 0.1 + 2 ** -56]], [[1, 1, 1 - 2 ** -53]], [[3, 3, 3 + 2 ** -51, 3, 3, 3, 3]]] },
    );
  });
});
