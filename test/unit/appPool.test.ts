/** @file The pool's numbers: where marks and new pairs stand, how they move, zoom, and why a seed was picked, in words. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { layoutPlane, layoutPool, planeDomain } from "../../src/app/views/race/pool/poolLayout.ts";
import { putStamp, rasterOf, stampOf } from "../../src/app/views/race/pool/poolRaster.ts";
import { makeScene, nearest, positionsAt, startsOf } from "../../src/app/views/race/pool/poolScene.ts";
import { panBy, WHOLE, zoomBy, zoomTo } from "../../src/app/views/race/pool/poolSlice.ts";
import type { Zoom } from "../../src/app/views/race/pool/poolSlice.ts";
import { rankOf, whyPicked } from "../../src/app/views/race/pool/whyPicked.ts";
import type { Child, PickInfo } from "../../src/app/laneState.ts";
import type { PoolItem } from "../../src/loop/records.ts";

const seed = (id: string, ownLoss: number, score?: number): PoolItem => ({
  id,
  question: `question ${id}`,
  answer: "",
  level: "one",
  ownLoss,
  ...(score === undefined ? {} : { score }),
});
const pick = (order: number): PickInfo => ({ order, score: null, rank: null });
const child = (id: string, seedId: string): Child => ({
  id,
  seedId,
  operation: "vary",
  accepted: true,
  question: "",
  reason: "",
});
const POOL = [seed("a", 0.1), seed("b", 0.4), seed("c", 0.9)];
const layout = layoutPool(POOL, { width: 400, lossKind: "own", maxLoss: 1, markSize: 10 });
const SCENE: Omit<Parameters<typeof makeScene>[0], "children"> = {
  pool: POOL,
  marks: layout.marks,
  picks: new Map([["b", pick(1)]]),
  shows: ({ id }) => id !== "c",
  markSize: 10,
  width: 400,
  shelfY: layout.height + 15,
};
const scene = (children: readonly Child[] = []) => makeScene({ ...SCENE, children });

test("what lies outside a zoomed axis is counted, what lies inside is placed", () => {
  const zoomed = layoutPool(POOL, { width: 400, lossKind: "own", minLoss: 0.3, maxLoss: 0.5, markSize: 10 });
  expect(zoomed.marks.map(({ item }) => item.id)).toEqual(["b"]);
  expect(zoomed.outside).toBe(2);
  expect(zoomed.x(0.3)).toBeLessThan(zoomed.marks[0]!.x);
});

test("picks are ringed, what the filter leaves out is faint, and a point finds its mark", () => {
  const { marks, picked, faint } = scene();
  expect(marks.map(({ item }, i) => [item.id, picked[i], faint[i]])).toEqual([
    ["a", 0, 0],
    ["b", 1, 0],
    ["c", 0, 1],
  ]);
  const positions = positionsAt(scene(), null, 1);
  const { x, y } = marks[1]!;
  expect(nearest(positions, x + 3, y - 3, 9)).toBe(1);
  expect(nearest(positions, x, y - 60, 9)).toBe(-1);
});

test("marks move from where they were to where they belong", () => {
  const old = makeScene({ ...SCENE, marks: layout.marks.slice(0, 1), children: [] });
  const starts = startsOf(scene(), old, Float32Array.of(200, 50));
  const first = positionsAt(scene(), starts, 0);
  expect(Array.from(first).slice(0, 2)).toEqual([200, 50]);
  // One that is new stands where it belongs.
  expect(first[2]).toBeCloseTo(layout.marks[1]!.x, 3);
  const { x, y } = layout.marks[0]!;
  const there = positionsAt(scene(), starts, 1);
  expect(there[0]).toBeCloseTo(x, 3);
  expect(there[1]).toBeCloseTo(y, 3);
  const between = positionsAt(scene(), starts, 0.5);
  expect(between[0]! < 200 && between[0]! > x).toBe(true);
});

test("marks of a pool that was scored anew start where the same seeds stood", () => {
  const anew = [seed("c", 0.2), seed("a", 0.3), seed("d", 0.7)];
  const { marks } = layoutPool(anew, { width: 400, lossKind: "own", maxLoss: 1, markSize: 10 });
  const starts = startsOf(
    makeScene({ ...SCENE, pool: anew, marks, children: [] }),
    scene(),
    Float32Array.of(1, 2, 3, 4, 5, 6),
  );
  // Before: a, b, c by loss; now: c, a, d.
  expect([...starts]).toEqual([5, 6, 1, 2, Number.NaN, Number.NaN]);
});

test("new pairs stand in the row, in the order of their seeds, none on another, whatever their number", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 300 }), (parents) => {
      const { children } = scene(parents.map((parent, i) => child(String(i), parent)));
      expect(children).toHaveLength(parents.length);
      children.forEach((one, i) => {
        expect(one.x).toBeGreaterThanOrEqual(0);
        expect(one.x).toBeLessThanOrEqual(400);
        const next = children[i + 1];
        if (next === undefined) return;
        expect(next.x - one.x).toBeGreaterThan(0.9);
        expect(next.parent).toBeGreaterThanOrEqual(one.parent);
      });
    }),
  );
});

test("a plane keeps shapes: one unit is as long across as up", () => {
  const places = new Map([
    ["a", { x: 0, y: 0 }],
    ["b", { x: 1, y: 0 }],
    ["c", { x: 0, y: 1 }],
  ]);
  const plane = layoutPlane(POOL, places, { width: 400, height: 300, domain: planeDomain([places]), lossKind: "own" });
  const at = new Map(plane.marks.map(({ item, x, y }) => [item.id, { x, y }]));
  expect(at.get("b")!.x - at.get("a")!.x).toBeCloseTo(at.get("a")!.y - at.get("c")!.y, 6);
  const few = layoutPlane(POOL, new Map([["a", { x: 0, y: 0 }]]), {
    width: 400,
    height: 300,
    domain: planeDomain([places]),
    lossKind: "own",
  });
  expect([few.marks.length, few.unplaced]).toEqual([1, 2]);
});

test("zooming and moving never leave the whole, and zooming out comes back to it", () => {
  const step = fc.oneof(
    fc.constant((zoom: Zoom) => zoomBy(zoom, 0.5)),
    fc.double({ min: -2, max: 2, noNaN: true }).map((share) => (zoom: Zoom) => panBy(zoom, share)),
    fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })).map(
      ([a, b]) =>
        (zoom: Zoom) =>
          zoomTo(zoom, a, b),
    ),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let zoom = WHOLE;
      for (const change of steps) {
        zoom = change(zoom);
        expect(zoom.from).toBeGreaterThanOrEqual(0);
        expect(zoom.to).toBeLessThanOrEqual(1 + 1e-9);
        expect(zoom.to - zoom.from).toBeGreaterThan(0.01);
      }
      for (let i = 0; i < 8; i++) zoom = zoomBy(zoom, 2);
      expect(zoom).toEqual(WHOLE);
    }),
  );
});

const plain = (text: string): string => text.replaceAll("\u00a0", " ");

test("why a seed was picked is said with this strategy's numbers", () => {
  const pool = [seed("a", 0.1, 0.1), seed("b", 0.4, 0.4), seed("c", 0.9, 0.9)];
  const picks = new Map([["c", { order: 1, score: 0.9, rank: 1 }]]);
  const config = { strategy: { name: "own-loss", picker: { kind: "argmax" } }, querySize: 1 } as const;
  expect(rankOf(pool[1]!, pool)).toBe(2);
  expect(plain(whyPicked(pool[2]!, pool, picks, config))).toMatch(
    /^Picked as number 1 of 1\. Score 0\.900 nats, rank 1 of 3 seeds \(median 0\.400 nats\)\. Loss of the student's own answer/,
  );
  expect(plain(whyPicked(pool[1]!, pool, picks, config))).toMatch(
    /^Not picked\. Score 0\.400 nats, rank 2 of 3 seeds .* The highest was picked\./,
  );
  expect(whyPicked(pool[0]!, pool, new Map(), config)).toBe("Nothing is picked yet in this round.");
  const random = { strategy: { name: "random", picker: { kind: "argmax" } }, querySize: 1 } as const;
  expect(plain(whyPicked(POOL[1]!, POOL, new Map([["b", pick(1)]]), random))).toBe(
    "Drawn by chance, as number 1. Every seed had the same chance: 1 of 3 seeds.",
  );
});

test("marks are put into pixels as source over: opaque ones cover, faint ones mix, what is outside is left out", () => {
  const red = stampOf(Uint8ClampedArray.of(200, 0, 0, 255), 1);
  const blue = stampOf(Uint8ClampedArray.of(0, 0, 100, 255), 1);
  const raster = rasterOf({ width: 3, height: 1, data: new Uint8ClampedArray(12) });
  putStamp(raster, red, 0.5, 0.5, 1);
  putStamp(raster, blue, 0.5, 0.5, 0.5);
  putStamp(raster, red, 1.5, 0.5, 0.25);
  putStamp(raster, blue, 1.5, 0.5, 0.25);
  putStamp(raster, red, 3.5, 0.5, 1);
  putStamp(raster, red, 0.5, -0.6, 1);
  // Over opaque red: half of each. Over a quarter of red: α = 1/4 + 3/4 · 1/4 = 7/16, of which blue has 4/7.
  expect([...raster.data.subarray(0, 4)]).toEqual([100, 0, 50, 255]);
  expect(raster.data[4]).toBeCloseTo((200 * 3) / 7, -1);
  expect(raster.data[6]).toBeCloseTo((100 * 4) / 7, -1);
  expect(raster.data[7]).toBeCloseTo((255 * 7) / 16, -1);
  expect([...raster.data.subarray(8)]).toEqual([0, 0, 0, 0]);
  expect(stampOf(new Uint8ClampedArray(16), 2).dx).toHaveLength(0);
});

test("a stamp is put as source over what is there, pixel by pixel, also across the edges", () => {
  const channel = fc.integer({ min: 0, max: 255 });
  const [side, width, height] = [5, 12, 10];
  const pixels = (count: number) => fc.array(channel, { minLength: 4 * count, maxLength: 4 * count });
  const at = fc.double({ min: -4, max: 16, noNaN: true });
  fc.assert(
    fc.property(
      pixels(side * side),
      pixels(width * height),
      at,
      at,
      fc.constantFrom(1, 0.12),
      (own, below, x, y, alpha) => {
        const raster = rasterOf({ width, height, data: Uint8ClampedArray.from(below) });
        putStamp(raster, stampOf(Uint8ClampedArray.from(own), side), x, y, alpha);
        const [left, top] = [Math.round(x - side / 2), Math.round(y - side / 2)];
        for (let py = 0; py < height; py++)
          for (let px = 0; px < width; px++) {
            const to = 4 * (py * width + px);
            const [dx, dy] = [px - left, py - top];
            const under = below.slice(to, to + 4);
            const hit = dx >= 0 && dy >= 0 && dx < side && dy < side;
            const over = hit ? own.slice(4 * (dy * side + dx), 4 * (dy * side + dx) + 4) : [0, 0, 0, 0];
            const above = (over[3]! / 255) * alpha;
            const sum = above + (under[3]! / 255) * (1 - above);
            expect(Math.abs(raster.data[to + 3]! - 255 * sum)).toBeLessThanOrEqual(0.501);
            if (sum === 0) continue;
            for (let c = 0; c < 3; c++) {
              const mixed = (over[c]! * above + under[c]! * (under[3]! / 255) * (1 - above)) / sum;
              expect(Math.abs(raster.data[to + c]! - mixed)).toBeLessThanOrEqual(0.501);
            }
          }
      },
    ),
  );
});
