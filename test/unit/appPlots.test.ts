/** @file Geometry of the plots: ticks, domains, and where the seeds of a pool stand. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { layoutPool, maxLossOf } from "../../src/app/views/race/pool/poolLayout.ts";
import { linearScale, niceDomain, ticksBetween } from "../../src/charts/scale.ts";
import { accuracyDomain } from "../../src/app/plots/learningCurve.tsx";
import { labelStride, lossStretches } from "../../src/app/plots/lossSparkline.tsx";
import type { PoolItem, RoundSummary } from "../../src/loop/records.ts";

function item(id: string, level: string, ownLoss: number | undefined, correct?: boolean): PoolItem {
  return {
    id,
    question: "",
    answer: "",
    level,
    ...(ownLoss === undefined ? {} : { ownLoss }),
    ...(correct === undefined ? {} : { correct }),
  };
}

const OPTIONS = { width: 500, lossKind: "own", maxLoss: 1, markSize: 10 } as const;

test.each([
  [0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [0, 240, 8, [0, 50, 100, 150, 200]],
  [0.2, 0.7, 5, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]],
  [0, 0, 5, [0]],
])("ticks from %d to %d", (low, high, count, ticks) => {
  expect(ticksBetween(low, high, count)).toEqual(ticks);
});

test("ticks lie inside, are few, and a nice domain covers", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      fc.integer({ min: 1, max: 12 }),
      (low, span, count) => {
        const high = low + span;
        const dust = span * 1e-6 + 1e-9;
        const ticks = ticksBetween(low, high, count);
        expect(ticks.length).toBeLessThanOrEqual(count + 1);
        for (const tick of ticks) expect(tick >= low - dust && tick <= high + dust).toBe(true);
        const [from, to] = niceDomain(low, high, count);
        expect(from <= low + dust && to >= high - dust).toBe(true);
      },
    ),
  );
});

test("a scale maps its ends to its ends, and an empty domain to the middle", () => {
  const scale = linearScale([2, 4], [100, 0]);
  expect([scale(2), scale(3), scale(4)]).toEqual([100, 50, 0]);
  expect(linearScale([1, 1], [0, 10])(1)).toBe(5);
});

test("marks do not hide each other while a row has room", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 80 }), (losses) => {
      const layout = layoutPool(
        losses.map((loss, i) => item(`s${i}`, `${i % 3} steps`, loss)),
        OPTIONS,
      );
      expect(layout.marks).toHaveLength(losses.length);
      const columns = new Map<string, number>();
      for (const { x } of layout.marks) columns.set(x.toFixed(3), (columns.get(x.toFixed(3)) ?? 0) + 1);
      if (Math.max(0, ...columns.values()) > 9) return;
      for (const [i, a] of layout.marks.entries())
        for (const b of layout.marks.slice(i + 1)) expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(9.9);
    }),
    { numRuns: 50 },
  );
});

test("marks stand inside the plot, in their level's row, at their loss to half a mark", () => {
  const items = Array.from({ length: 300 }, (_, i) =>
    item(`s${i}`, i % 2 === 0 ? "10 steps" : "9 steps", ((i * 7919) % 997) / 997),
  );
  const { marks, rows, x, height } = layoutPool(items, OPTIONS);
  expect(rows.map(({ level }) => level)).toEqual(["9 steps", "10 steps"]);
  for (const mark of marks) {
    const row = rows.find(({ level }) => level === mark.item.level);
    expect(mark.y).toBeGreaterThanOrEqual((row?.top ?? Infinity) + 15);
    expect(mark.y).toBeLessThan(row?.bottom ?? 0);
    expect(Math.abs(mark.x - x(mark.loss))).toBeLessThanOrEqual(5.2);
    expect(mark.x >= 0 && mark.x <= OPTIONS.width && mark.y < height).toBe(true);
  }
});

test("seeds without a finite loss are counted, not placed; rows count right answers", () => {
  const layout = layoutPool(
    [
      item("a", "easy", 0.5, true),
      item("b", "easy", undefined, false),
      item("c", "easy", Number.NaN, true),
      item("d", "hard", 0.2),
    ],
    OPTIONS,
  );
  expect(layout.marks.map((mark) => mark.item.id)).toEqual(["d", "a"]);
  expect(layout.unplaced).toBe(2);
  expect(layout.rows.map(({ total, correct }) => [total, correct])).toEqual([
    [3, 2],
    [1, undefined],
  ]);
});

test("no pool, no width and no loss still lay out", () => {
  expect(layoutPool([], OPTIONS).marks).toEqual([]);
  expect(maxLossOf([[item("a", "l", undefined)]], "own")).toBe(1);
  for (const { x, y } of layoutPool([item("a", "l", 0)], { ...OPTIONS, width: 1 }).marks)
    expect(Number.isFinite(x) && Number.isFinite(y)).toBe(true);
});

test("the accuracy axis is never so narrow that noise looks like progress, nor outside 0 to 1", () => {
  const lane = (low: number, high: number): Parameters<typeof accuracyDomain>[0][number] => ({
    label: "",
    rounds: [{ evaluation: { low, high } } as RoundSummary],
  });
  for (const [low, high] of [
    [0.5, 0.52],
    [0, 0.05],
    [0.97, 1],
    [0.1, 0.9],
  ] as const) {
    const [from, to] = accuracyDomain([lane(low, high)]);
    expect(from).toBeGreaterThanOrEqual(0);
    expect(to).toBeLessThanOrEqual(1);
    expect(from <= low && to >= high).toBe(true);
    expect(to - from).toBeGreaterThanOrEqual(0.4 - 1e-9);
  }
  expect(accuracyDomain([])).toEqual([0, 1]);
});

test("a round known by its mean alone is drawn as its mean", () => {
  const stretches = lossStretches(
    [{ round: 2, totalSteps: 4, lastStep: 1, lastLoss: 3, stride: 1, points: [{ step: 1, loss: 3, count: 1 }] }],
    [
      { round: 0, meanLoss: null, steps: 0 },
      { round: 1, meanLoss: 0.5, steps: 10 },
      { round: 2, meanLoss: 0.4, steps: 4 },
    ] as RoundSummary[],
  );
  expect(stretches.map(({ round, steps, points }) => [round, steps, points.map(({ loss }) => loss)])).toEqual([
    [1, 10, [0.5, 0.5]],
    [2, 4, [3]],
  ]);
});

test("labels of many rounds keep apart, in round numbers", () => {
  expect(labelStride(8, 560)).toBe(1);
  expect(labelStride(24, 400)).toBe(5);
  expect(labelStride(1001, 560)).toBe(100);
  expect(1001 / labelStride(1001, 560)).toBeLessThan((560 - 44) / 34);
});
