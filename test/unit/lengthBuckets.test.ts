/** @file Lengths chosen for graphs of one size each: enough for every batch, the fewest positions, few, kept from one training to the next. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketLength } from "../../src/student/batches.ts";
import { batchSizes, chooseLengths, LengthBuckets, type BatchSize } from "../../src/student/lengthBuckets.ts";
import { dataOrderOf } from "../../src/student/dataOrder.ts";
import type { EncodedRow } from "../../src/student/types.ts";

/** Positions of all batches, and the price of the lengths that are not known: what is to be least. */
function costOf(batches: readonly BatchSize[], lengths: readonly number[], known: readonly number[]): number {
  const at = (length: number): number => Math.ceil(length / 4) * 4;
  const least = batches.reduce((sum, { rows, longest }) => sum + rows * at(longest), 0);
  const positions = batches.reduce(
    (sum, { rows, longest }) => sum + rows * (lengths.find((length) => length >= longest) ?? Infinity),
    0,
  );
  return positions + lengths.filter((length) => !known.includes(length)).length * Math.max(0.01 * least, 128);
}

test("no other set of lengths costs less", () => {
  const batch = fc.record({ rows: fc.integer({ min: 1, max: 40 }), longest: fc.integer({ min: 1, max: 60 }) });
  const lengths = fc.uniqueArray(
    fc.integer({ min: 1, max: 16 }).map((n) => 4 * n),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(fc.array(batch, { minLength: 1, maxLength: 7 }), lengths, (batches, known) => {
      const chosen = chooseLengths(batches, 64, known);
      const candidates = [...new Set([...batches.map(({ longest }) => Math.ceil(longest / 4) * 4), ...known])].sort(
        (a, b) => a - b,
      );
      let least = Infinity;
      for (let set = 1; set < 2 ** candidates.length; set++) {
        const tried = candidates.filter((_, i) => (set >> i) % 2 === 1);
        least = Math.min(least, costOf(batches, tried, known));
      }
      expect(costOf(batches, chosen, known)).toBeCloseTo(least, 6);
      expect(chosen).toEqual([...chosen].sort((a, b) => a - b));
      expect(chosen.every((length) => candidates.includes(length))).toBe(true);
    }),
  );
});

test("a few short rows get one length, many rows the lengths that they have", () => {
  expect(
    chooseLengths(
      [5, 9, 14].map((longest) => ({ rows: 4, longest })),
      64,
    ),
  ).toEqual([16]);
  const many = [5, 9, 14].map((longest) => ({ rows: 4000, longest }));
  expect(chooseLengths(many, 64)).toEqual([8, 12, 16]);
  expect(chooseLengths(many, 14)).toEqual([8, 12, 14]);
  expect(chooseLengths([], 64)).toEqual([]);
});

test("what an earlier training has is used again, and what it lacks is added only where it is worth a graph", () => {
  const buckets = new LengthBuckets(128);
  buckets.prepare([40, 80].map((longest) => ({ rows: 1000, longest })));
  expect(buckets.lengths).toEqual([40, 80]);
  buckets.prepare([
    { rows: 1000, longest: 38 },
    { rows: 4, longest: 60 },
    { rows: 1000, longest: 100 },
  ]);
  expect(buckets.lengths).toEqual([40, 80, 100]);
  expect([1, 40, 41, 77, 81, 100].map((longest) => buckets.lengthFor(longest))).toEqual([40, 40, 80, 80, 100, 100]);
});

test("a batch longer than any that was prepared for gets a fixed bucket, once", () => {
  const buckets = new LengthBuckets(128);
  expect(buckets.lengthFor(17)).toBe(bucketLength(17, 128));
  expect(buckets.lengthFor(20)).toBe(32);
  expect(buckets.lengths).toEqual([32]);
});

test("sizes of a training are those of its micro-batches, padding rows included", () => {
  const rows = [4, 9, 6].map((length, i): EncodedRow => ({
    id: String(i),
    ids: new Int32Array(length + 1),
    completionTokens: 1,
  }));
  const order = dataOrderOf(rows, { batchSize: 4, gradAccum: 1, steps: 2, shuffle: false, seed: 1 });
  expect(batchSizes(rows, order, 4)).toEqual([
    { rows: 4, longest: 9 },
    { rows: 4, longest: 9 },
  ]);
});
