/** @file Graph shapes and feeds: buckets, where targets and weights stand, batches by length. */
import { describe, expect, test } from "vitest";
import { batchesByLength, bucketLength, bucketRows, makeMicroBatch, powerOfTwo } from "../../src/student/batches.ts";
import type { EncodedRow } from "../../src/student/types.ts";

const row = (ids: readonly number[], completionTokens: number): EncodedRow => ({
  id: "r",
  ids: Int32Array.from(ids),
  completionTokens,
});

test.each([
  [0, 16],
  [1, 16],
  [16, 16],
  [17, 32],
  [128, 128],
  [129, 160],
  [256, 256],
  [257, 320],
  [512, 512],
  [513, 640],
  [1000, 1024],
])("a length of %i is given %i positions", (length, bucket) => {
  expect(bucketLength(length, 4096)).toBe(bucket);
});

test("no bucket is longer than the context, and every one holds its rows", () => {
  for (let length = 1; length <= 700; length++) {
    for (const context of [length, length + 1, 2 * length, 4096]) {
      const bucket = bucketLength(length, context);
      expect(bucket).toBeGreaterThanOrEqual(length);
      expect(bucket).toBeLessThanOrEqual(context);
      // Never more than 16 positions or a quarter of the length too many.
      expect(bucket - length).toBeLessThan(Math.max(16, length / 4 + 1));
    }
  }
});

test("rows go to the next power of two, or the full batch", () => {
  expect([1, 2, 3, 4, 5, 6].map((rows) => bucketRows(rows, 6))).toEqual([1, 2, 4, 4, 6, 6]);
  expect(bucketRows(1, 1)).toBe(1);
  expect([1, 2, 3, 5, 1000].map((count) => powerOfTwo(count, 512))).toEqual([1, 2, 4, 8, 512]);
});

describe("feeds", () => {
  const batch = makeMicroBatch([row([5, 6, 7, 8], 2), row([9, 10], 1), row([11, 12, 13, 14, 15, 16], 5)], 4, 64);

  test("inputs are rows without their last token, targets rows without their first, padding is zero", () => {
    expect([batch.batch, batch.length]).toEqual([4, 16]);
    const { ids, targets, weights } = batch.feeds;
    expect(ids.shape).toEqual([4, 16]);
    expect(targets.shape).toEqual([64, 1]);
    expect(weights.shape).toEqual([4, 16]);
    const line = (data: ArrayLike<number | bigint>, b: number): number[] =>
      Array.from(data, Number).slice(16 * b, 16 * b + 16);
    const padded = (values: readonly number[]): number[] => [
      ...values,
      ...new Array<number>(16 - values.length).fill(0),
    ];
    expect([0, 1, 2, 3].map((b) => line(ids.data, b))).toEqual([[5, 6, 7], [9], [11, 12, 13, 14, 15], []].map(padded));
    expect([0, 1, 2, 3].map((b) => line(targets.data, b))).toEqual(
      [[6, 7, 8], [10], [12, 13, 14, 15, 16], []].map(padded),
    );
    expect([0, 1, 2, 3].map((b) => line(weights.data, b))).toEqual([[0, 1, 1], [1], [1, 1, 1, 1, 1], []].map(padded));
  });

  test("tokens are counted without padding", () => {
    expect([batch.inputTokens, batch.lossTokens]).toEqual([9, 8]);
  });

  test("a row that fills the context fits", () => {
    const ids = Array.from({ length: 20 }, (_, i) => i);
    const full = makeMicroBatch([row(ids, 19)], 1, 20);
    expect([full.batch, full.length, full.inputTokens]).toEqual([1, 20, 19]);
  });
});

test("batches hold rows of similar length, longest first, ties in order, each row once", () => {
  expect(batchesByLength([3, 9, 5, 9, 1], 2)).toEqual([[1, 3], [2, 0], [4]]);
  expect(batchesByLength([4, 4, 4], 8)).toEqual([[0, 1, 2]]);
  expect(batchesByLength([], 8)).toEqual([]);
});
