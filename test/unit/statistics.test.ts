import { describe, expect, it } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { wilsonInterval } from "../../src/core/statistics.ts";

describe("the 95 % Wilson interval", () => {
  // Newcombe (1998), Statistics in Medicine 17:857, table I, method 3 (score, no continuity correction).
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])("of %i out of %i is the published [%f]", (correct, n, low, high) => {
    const interval = wilsonInterval(correct, n);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  it("holds exactly the proportions that a normal test of the count would not reject", () => {
    const z = 1.959963984540054;
    for (const [correct, n] of [
      [3, 7],
      [50, 100],
      [1, 1000],
      [999, 1000],
    ] as const) {
      for (const p of Object.values(wilsonInterval(correct, n)))
        expect(Math.abs(correct / n - p) / Math.sqrt((p * (1 - p)) / n)).toBeCloseTo(z, 9);
    }
  });

  it("mirrors when right and wrong change places, and holds the proportion", () => {
    for (let n = 1; n <= 40; n++) {
      for (let correct = 0; correct <= n; correct++) {
        const a = wilsonInterval(correct, n);
        const b = wilsonInterval(n - correct, n);
        expect(a.low).toBeCloseTo(1 - b.high, 12);
        expect(a.low).toBeLessThanOrEqual(correct / n);
        expect(a.high).toBeGreaterThanOrEqual(correct / n);
        expect(a.low).toBeGreaterThanOrEqual(0);
        expect(a.high).toBeLessThanOrEqual(1);
      }
    }
  });

  it("of no trials is everything, and counts that are none are refused", () => {
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
    for (const [correct, n] of [
      [1, 0],
      [-1, 5],
      [6, 5],
      [0.5, 5],
      [1, 2.5],
      [Number.NaN, 5],
    ] as const)
      expect(() => wilsonInterval(correct, n)).toThrow(BadInputError);
  });
});
