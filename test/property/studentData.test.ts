/** @file Laws of what training sees: every row once an epoch, every target once a batch, whatever the sizes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { batchesByLength, bucketLength, bucketRows, makeMicroBatch } from "../../src/student/batches.ts";
import { DataOrder } from "../../src/student/dataOrder.ts";
import type { EncodedRow } from "../../src/student/types.ts";

const CONTEXT = 700;
const row = fc
  .record({
    length: fc.integer({ min: 2, max: CONTEXT }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    first: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ length, share, first }): EncodedRow => ({
    id: "r",
    ids: Int32Array.from({ length }, (_, i) => first + i),
    completionTokens: 1 + Math.floor(share * (length - 2)),
  }));

const settings = fc.record({
  rows: fc.integer({ min: 1, max: 60 }),
  batchSize: fc.integer({ min: 1, max: 20 }),
  gradAccum: fc.integer({ min: 1, max: 9 }),
  epochs: fc.integer({ min: 1, max: 4 }),
  order: fc.constantFrom(
    { shuffle: false, groupByLength: false },
    { shuffle: true, groupByLength: false },
    { shuffle: true, groupByLength: true },
  ),
  seed: fc.integer(),
});

/** Row lengths of all kinds, some equal, in no order. */
const lengthsOf = (rows: number): number[] => Array.from({ length: rows }, (_, i) => 2 + ((i * 7919) % 13));
const orderOf = (
  rows: number,
  { order, ...options }: Omit<typeof settings extends fc.Arbitrary<infer T> ? T : never, "rows">,
): DataOrder => new DataOrder(rows, { ...options, ...order }, lengthsOf(rows));

test("every epoch has every row once, in micro-batches that are full but for its last", () => {
  fc.assert(
    fc.property(settings, ({ rows, ...options }) => {
      const order = orderOf(rows, options);
      expect(order.totalSteps).toBe(options.epochs * order.stepsPerEpoch);
      for (let epoch = 0; epoch < options.epochs; epoch++) {
        const steps = Array.from({ length: order.stepsPerEpoch }, (_, i) =>
          order.microBatches(epoch * order.stepsPerEpoch + i),
        );
        const micro = steps.flat();
        expect(
          micro
            .flat()
            .sort((a, b) => a - b)
            .join(),
        ).toBe(Array.from({ length: rows }, (_, i) => i).join());
        expect(micro.slice(0, -1).every((batch) => batch.length === options.batchSize)).toBe(true);
        expect(micro.at(-1)!.length).toBe(rows - options.batchSize * (micro.length - 1));
        expect(steps.slice(0, -1).every((step) => step.length === options.gradAccum)).toBe(true);
        expect(steps.at(-1)!.length).toBe(micro.length - options.gradAccum * (steps.length - 1));
      }
    }),
  );
});

test("accumulation regroups a step's rows and changes nothing else", () => {
  fc.assert(
    fc.property(settings, fc.integer({ min: 1, max: 4 }), ({ rows, ...options }, factor) => {
      const split = orderOf(rows, { ...options, gradAccum: options.gradAccum * factor });
      const whole = orderOf(rows, { ...options, batchSize: options.batchSize * factor });
      expect(split.totalSteps).toBe(whole.totalSteps);
      for (let step = 0; step < whole.totalSteps; step++)
        expect(split.microBatches(step).flat()).toEqual(whole.microBatches(step).flat());
    }),
  );
});

test("a batch holds each row's tokens and targets at its place, and nothing that counts elsewhere", () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 5 }), (rows, extra) => {
      const full = rows.length + extra;
      const batch = makeMicroBatch(rows, full, CONTEXT);
      expect(batch.batch).toBe(bucketRows(rows.length, full));
      expect(batch.length).toBe(bucketLength(Math.max(...rows.map(({ ids }) => ids.length - 1)), CONTEXT));
      const { ids, targets, weights } = batch.feeds;
      let counted = 0;
      for (let b = 0; b < batch.batch; b++) {
        const own = rows[b];
        for (let t = 0; t < batch.length; t++) {
          const at = b * batch.length + t;
          const real = own !== undefined && t < own.ids.length - 1;
          const [id, target, weight] = [ids.data[at], targets.data[at], weights.data[at]];
          if (id !== (real ? own.ids[t] : 0) || target !== (real ? own.ids[t + 1] : 0))
            throw new Error(`row ${b} position ${t}`);
          const counts = real && t + 1 >= own.ids.length - own.completionTokens;
          if (weight !== (counts ? 1 : 0)) throw new Error(`weight of row ${b} position ${t}`);
          counted += weight;
        }
      }
      expect(counted).toBe(batch.lossTokens);
      expect(batch.lossTokens).toBe(rows.reduce((sum, { completionTokens }) => sum + completionTokens, 0));
      expect(batch.inputTokens).toBe(rows.reduce((sum, own) => sum + own.ids.length - 1, 0));
    }),
    { numRuns: 50 },
  );
});

test("batches by length are a partition of the rows, from long to short", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      (lengths, size) => {
        const batches = batchesByLength(lengths, size);
        expect(
          batches
            .flat()
            .sort((a, b) => a - b)
            .join(),
        ).toBe(lengths.map((_, i) => i).join());
        expect(
          batches.every(
            (batch, i) =>
              batch.length === (i < batches.length - 1 ? size : batch.length) &&
              batch.length <= size &&
              batch.length > 0,
          ),
        ).toBe(true);
        const order = batches.flat().map((i) => lengths[i]!);
        expect(order.every((length, i) => i === 0 || length <= order[i - 1]!)).toBe(true);
      },
    ),
  );
});
