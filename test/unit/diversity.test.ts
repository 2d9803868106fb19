/** @file Picks by distance against brute force over explicit points: the greedy rule, its guarantee, and the odds of each draw. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { distancesOf, pickKCenter, pickKMeansPlusPlus } from "../../src/selection/diversity.ts";
import { createStrategy } from "../../src/selection/registry.ts";
import { selectQueries } from "../../src/selection/selectQueries.ts";
import type { StrategyOptions } from "../../src/selection/types.ts";

type Point = readonly number[];
const ARGMAX = { kind: "argmax" } as const;
const squared = (a: Point, b: Point): number => a.reduce((sum, x, k) => sum + (x - b[k]!) ** 2, 0);
const productsOf = (points: readonly Point[]): number[] =>
  points.flatMap((a) => points.map((b) => a.reduce((sum, x, k) => sum + x * b[k]!, 0)));
const distances = (points: readonly Point[]) => distancesOf(productsOf(points), points.length);
const everyone = (points: readonly Point[]): number[] => points.map((_, i) => i);

/** Small whole coordinates: distances are exact, ties happen. */
const cloud = fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
  minLength: 1,
  maxLength: 9,
});

/** The largest distance of a point to the nearest of `centres`. */
const radius = (points: readonly Point[], centres: readonly number[]): number =>
  Math.sqrt(Math.max(...points.map((p) => Math.min(...centres.map((c) => squared(p, points[c]!))))));

function subsets(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]));
}

describe("distances", () => {
  it("are those of the points whose inner products are given", () => {
    fc.assert(
      fc.property(cloud, (points) => {
        const d = distances(points);
        points.forEach((a, i) => {
          expect(d.squaredNorm(i)).toBeCloseTo(squared(a, [0, 0]), 9);
          points.forEach((b, j) => expect(d.squared(i, j)).toBeCloseTo(squared(a, b), 9));
        });
      }),
    );
  });
});

describe("k-center greedy", () => {
  it("takes the point farthest from those taken, every time, and covers all within twice the best possible", () => {
    fc.assert(
      fc.property(cloud, fc.nat(), fc.nat(), (points, size, seed) => {
        const count = 1 + (size % points.length);
        const among = new Rng(seed).shuffle(everyone(points));
        const picks = pickKCenter(distances(points), undefined, among, count);
        expect(new Set(picks).size).toBe(count);
        expect(picks[0]).toBe(among[0]);
        picks.slice(1).forEach((pick, k) => {
          const taken = picks.slice(0, k + 1);
          const gap = (i: number) => Math.min(...taken.map((j) => squared(points[i]!, points[j]!)));
          expect(gap(pick)).toBe(Math.max(...among.filter((i) => !taken.includes(i)).map(gap)));
        });
        const best = Math.min(...subsets(everyone(points), count).map((centres) => radius(points, centres)));
        expect(radius(points, picks)).toBeLessThanOrEqual(2 * best + 1e-9);
      }),
      { numRuns: 60 },
    );
  });

  it("with weights takes the largest weight times distance", () => {
    const points = [[0], [1], [4], [6]];
    // First the largest weight; then w·d = 1·1, 0.5·4 and 0.2·6.
    expect(pickKCenter(distances(points), [3, 1, 0.5, 0.2], [3, 2, 1, 0], 3)).toEqual([0, 2, 1]);
  });
});

describe("k-means++ seeding", () => {
  const points: readonly Point[] = [
    [0, 1],
    [3, 0],
    [1, 1],
    [-2, 2],
  ];
  /** P(first i, then j) from its definition. */
  function pairOdds(weights: readonly number[], first: "draw" | "norm"): Map<string, number> {
    const out = new Map<string, number>();
    const total = weights.reduce((a, b) => a + b, 0);
    const heaviest = points.map((p, i) => weights[i]! * squared(p, [0, 0]));
    points.forEach((p, i) => {
      const start = first === "draw" ? weights[i]! / total : heaviest[i] === Math.max(...heaviest) ? 1 : 0;
      const pull = points.map((q, j) => (i === j ? 0 : weights[j]! * squared(p, q)));
      const sum = pull.reduce((a, b) => a + b, 0);
      pull.forEach((x, j) => start * x > 0 && out.set(`${i},${j}`, (start * x) / sum));
    });
    return out;
  }

  it.each([
    ["draw", undefined],
    ["norm", undefined],
    ["draw", [1, 0.5, 2, 0.1]],
    ["norm", [1, 0.5, 0, 0.1]],
  ] as const)("draws each next one in proportion to squared distance: first by %s, weights %j", (first, weights) => {
    const rng = new Rng(11);
    const draws = 30_000;
    const counts = new Map<string, number>();
    for (let n = 0; n < draws; n++) {
      const key = pickKMeansPlusPlus(distances(points), weights, [2, 0, 3, 1], 2, first, rng).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const expected = pairOdds(weights ?? [1, 1, 1, 1], first);
    for (const key of counts.keys()) expect(expected.has(key), key).toBe(true);
    const chi = [...expected].reduce(
      (sum, [key, p]) => sum + ((counts.get(key) ?? 0) - draws * p) ** 2 / (draws * p),
      0,
    );
    // 99.99 % quantile of χ² with at most 11 degrees of freedom.
    expect(chi).toBeLessThan(37.37);
  });

  it("goes on among copies, in the order given", () => {
    const copies = [[1], [1], [1]];
    expect(pickKMeansPlusPlus(distances(copies), undefined, [2, 0, 1], 3, "norm", new Rng(1))).toEqual([2, 0, 1]);
  });
});

describe("strategies that look at distances", () => {
  const strategies: readonly (readonly [string, StrategyOptions])[] = [
    ["badge", {}],
    ["k-center", {}],
    ["hybrid", {}],
    ["hybrid", { method: "k-center", exponent: 0.5 }],
    ["hybrid", { candidates: 1.5 }],
    ["hybrid", { exponent: 0 }],
  ];

  it("pick as many as asked, all different, with the score they were weighted by, the same for the same seed", () => {
    fc.assert(
      fc.property(cloud, fc.constantFrom(...strategies), fc.nat(), (points, [name, options], seed) => {
        const strategy = createStrategy(name, ARGMAX, options);
        const scores = strategy.measures.length === 0 ? undefined : points.map(([x]) => Math.abs(x));
        const count = 1 + (seed % points.length);
        const pick = () =>
          selectQueries(strategy, scores, points.length, count, new Rng(seed), { distances: distances(points) });
        const picks = pick();
        expect(new Set(picks.map(({ index }) => index)).size).toBe(count);
        for (const { index, score } of picks) expect(score).toBe(scores?.[index]);
        expect(pick()).toEqual(picks);
      }),
    );
  });

  it("keep to the candidates of the highest scores", () => {
    const points = [[0], [100], [1], [2], [50]];
    const strategy = createStrategy("hybrid", ARGMAX, { candidates: 1.5, method: "k-center" });
    const picks = selectQueries(strategy, [5, 1, 4, 3, 2], 5, 2, new Rng(1), { distances: distances(points) });
    // Of 3 candidates 0, 2 and 3: the highest score, then 4·1 against 3·2.
    expect(picks.map(({ index }) => index)).toEqual([0, 3]);
  });

  it("begin k-center with a random seed and BADGE with the largest gradient", () => {
    const points = [[1], [9], [2], [3]];
    const rng = new Rng(12);
    const firsts = (name: string) => {
      const strategy = createStrategy(name, ARGMAX);
      return new Set(
        Array.from(
          { length: 60 },
          () => selectQueries(strategy, undefined, 4, 1, rng, { distances: distances(points) })[0]?.index,
        ),
      );
    };
    expect(firsts("k-center").size).toBe(4);
    expect([...firsts("badge")]).toEqual([1]);
  });

  it("refuse to work without distances, or with negative weights", () => {
    expect(() => selectQueries(createStrategy("badge", ARGMAX), undefined, 3, 1, new Rng(1))).toThrow(
      /"badge": expected distances between the 3 pool members, got none/,
    );
    const d = distances([[0], [1]]);
    expect(() => selectQueries(createStrategy("hybrid", ARGMAX), [1, -1], 2, 1, new Rng(1), { distances: d })).toThrow(
      /scores >= 0 with the picker k-means\+\+, got -1/,
    );
  });
});
