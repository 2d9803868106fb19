/** @file Which rows each optimizer step sees, against transformers' Trainer: step counts, order, remainders, refusals. */
import { describe, expect, test } from "vitest";
import { DataOrder, type DataOrderOptions } from "../../src/student/dataOrder.ts";

const options = (over: Partial<DataOrderOptions>): DataOrderOptions => ({
  batchSize: 2,
  gradAccum: 1,
  shuffle: false,
  seed: 0,
  ...over,
});

const allSteps = (order: DataOrder): number[][][] =>
  Array.from({ length: order.totalSteps }, (_, step) => order.microBatches(step));

describe("how many steps there are", () => {
  // rows, batch size, accumulation, epochs: Trainer's len(dataloader) = ceil(rows / batch), updates per epoch =
  // ceil(that / accumulation), steps = ceil(epochs · updates).
  test.each([
    [10, 2, 1, 3, 15],
    [10, 3, 1, 1, 4],
    [10, 3, 2, 1, 2],
    [10, 3, 3, 1, 2],
    [10, 3, 4, 2, 2],
    [11, 4, 2, 2, 4],
    [7, 8, 1, 2, 2],
    [1, 1, 1, 5, 5],
    [10, 2, 1, 0.5, 3],
    [10, 2, 1, 0.01, 1],
    [10, 4, 1, 1.5, 5],
    [10, 2, 100, 2, 2],
  ])(
    "%i rows in batches of %i, accumulated %i times, for %f epochs: %i steps",
    (rows, batchSize, gradAccum, epochs, expected) => {
      expect(new DataOrder(rows, options({ batchSize, gradAccum, epochs })).totalSteps).toBe(expected);
    },
  );

  test("steps win over epochs, and three epochs are the default", () => {
    expect(new DataOrder(10, options({ steps: 7, epochs: 1 })).totalSteps).toBe(7);
    expect(new DataOrder(10, options({})).totalSteps).toBe(15);
  });
});

describe("what a step sees without shuffling", () => {
  test("micro-batches follow the file; the last of an epoch is smaller", () => {
    expect(allSteps(new DataOrder(5, options({ batchSize: 2, epochs: 2 })))).toEqual([
      [[0, 1]],
      [[2, 3]],
      [[4]],
      [[0, 1]],
      [[2, 3]],
      [[4]],
    ]);
  });

  test("the last update of an epoch has fewer micro-batches", () => {
    expect(allSteps(new DataOrder(10, options({ batchSize: 2, gradAccum: 3, epochs: 1 })))).toEqual([
      [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
      [
        [6, 7],
        [8, 9],
      ],
    ]);
  });

  test("both remainders at once", () => {
    expect(allSteps(new DataOrder(7, options({ batchSize: 2, gradAccum: 2, epochs: 1 })))).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [[4, 5], [6]],
    ]);
  });

  test("a batch larger than the data takes all of it", () => {
    expect(allSteps(new DataOrder(3, options({ batchSize: 8, gradAccum: 4, steps: 2 })))).toEqual([
      [[0, 1, 2]],
      [[0, 1, 2]],
    ]);
  });

  test("steps beyond an epoch begin the next one", () => {
    expect(allSteps(new DataOrder(3, options({ batchSize: 2, steps: 3 })))).toEqual([[[0, 1]], [[2]], [[0, 1]]]);
  });
});

describe("shuffling", () => {
  const shuffled = options({ shuffle: true, batchSize: 3, gradAccum: 2, epochs: 4, seed: 9 });
  const flat = (order: DataOrder): number[] => allSteps(order).flat(2);

  test("every epoch has every row once, in another order", () => {
    const rows = flat(new DataOrder(20, shuffled));
    const epochs = [0, 1, 2, 3].map((epoch) => rows.slice(20 * epoch, 20 * (epoch + 1)));
    for (const epoch of epochs)
      expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(new Set(epochs.map(String)).size).toBe(4);
  });

  test("the seed decides", () => {
    expect(flat(new DataOrder(20, shuffled))).toEqual(flat(new DataOrder(20, shuffled)));
    expect(flat(new DataOrder(20, shuffled))).not.toEqual(flat(new DataOrder(20, { ...shuffled, seed: 10 })));
  });

  test("a step can be asked for in any order", () => {
    const forward = allSteps(new DataOrder(20, shuffled));
    const order = new DataOrder(20, shuffled);
    for (let step = order.totalSteps - 1; step >= 0; step--) expect(order.microBatches(step)).toEqual(forward[step]);
  });

  test("the total does not change what an earlier step sees", () => {
    const long = allSteps(new DataOrder(20, { ...shuffled, epochs: 9 }));
    expect(allSteps(new DataOrder(20, shuffled))).toEqual(long.slice(0, 16));
  });
});

describe("grouping by length", () => {
  const lengths = Array.from({ length: 1003 }, (_, i) => 10 + ((i * 7919) % 90));
  const grouped = options({ shuffle: true, groupByLength: true, batchSize: 4, gradAccum: 2, epochs: 2, seed: 3 });
  const steps = allSteps(new DataOrder(lengths.length, grouped, lengths)).map((micro) => micro.flat());
  const spread = (step: number[]): number => {
    const own = step.map((row) => lengths[row]!);
    return Math.max(...own) - Math.min(...own);
  };
  const mean = (numbers: number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;

  test("rows of a step are of similar length", () => {
    const ungrouped = allSteps(new DataOrder(lengths.length, { ...grouped, groupByLength: false }));
    expect(mean(ungrouped.map((micro) => spread(micro.flat())))).toBeGreaterThan(50);
    expect(mean(steps.map(spread))).toBeLessThan(5);
  });

  test("where a step stands in the epoch says nothing of its rows' length", () => {
    const perEpoch = steps.length / 2;
    const first = mean(steps.slice(0, perEpoch / 2).flatMap((step) => step.map((row) => lengths[row]!)));
    const second = mean(steps.slice(perEpoch / 2, perEpoch).flatMap((step) => step.map((row) => lengths[row]!)));
    expect(Math.abs(first - second)).toBeLessThan(12);
  });

  test("two epochs do not make the same steps", () => {
    const keys = steps.map((step) => [...step].sort((a, b) => a - b).join());
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("refusals", () => {
  test("grouped, but not shuffled", () => {
    expect(() => new DataOrder(2, options({ groupByLength: true }), [1, 2])).toThrow(
      /groupByLength: expected shuffled rows/,
    );
  });

  test.each([
    [{ batchSize: 0 }, /batchSize: expected a positive integer, got 0/],
    [{ batchSize: 1.5 }, /batchSize: expected a positive integer, got 1.5/],
    [{ gradAccum: -1 }, /gradAccum: expected a positive integer, got -1/],
    [{ epochs: 0 }, /at least one step/],
    [{ epochs: NaN }, /at least one step/],
    [{ epochs: Infinity }, /at least one step/],
    [{ steps: 0 }, /at least one step/],
    [{ steps: 2.5 }, /at least one step/],
  ])("%j", (over, message) => {
    expect(() => new DataOrder(10, options(over))).toThrow(message);
  });

  test("no rows", () => {
    expect(() => new DataOrder(0, options({}))).toThrow(/at least one row, got 0 rows/);
  });
});
