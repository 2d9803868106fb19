/** @file Laws of sampled tokens: always of the nucleus, always the same for the same draw, monotone in the draw. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { argmax, sampleToken } from "../../src/student/sampling.ts";
import { exactDistribution } from "../support/distributions.ts";

const logits = fc.array(fc.float({ min: -80, max: 80, noNaN: true }), { minLength: 1, maxLength: 30 });
const settings = fc.record({
  temperature: fc.double({ min: 0.01, max: 100, noNaN: true }),
  topP: fc.double({ min: 0.001, max: 1, noNaN: true }),
});

test("a token is of the vocabulary, and no better token is left out of the nucleus", () => {
  fc.assert(
    fc.property(logits, settings, fc.integer(), (values, options, seed) => {
      const token = sampleToken(Float32Array.from(values), options, new Rng(seed));
      expect(token >= 0 && token < values.length).toBe(true);
      const exact = exactDistribution(values, options.temperature, options.topP);
      // Tokens at the nucleus's edge may fall on either side by rounding: those no less probable than one inside are in.
      const least = Math.min(...exact.filter((p) => p > 0));
      const full = exactDistribution(values, options.temperature, 1);
      const edge = full.filter((p) => p > 0 && exact[full.indexOf(p)]! > 0).reduce((a, b) => Math.min(a, b), 1);
      expect(least).toBeGreaterThan(0);
      expect(full[token]!).toBeGreaterThanOrEqual(edge * (1 - 1e-9));
    }),
  );
});

test("the same stream gives the same token; a shift of all logits changes none", () => {
  fc.assert(
    fc.property(logits, settings, fc.integer(), (values, options, seed) => {
      const draw = (shift: number): number =>
        sampleToken(
          Float32Array.from(values, (value) => Math.round(value) + shift),
          options,
          new Rng(seed),
        );
      expect(draw(0)).toBe(draw(0));
      expect(draw(64)).toBe(draw(0));
    }),
  );
});

test("greedy is the first of the best", () => {
  fc.assert(
    fc.property(logits, (values) => {
      const best = argmax(Float32Array.from(values));
      expect(values.every((value, i) => (i < best ? value < values[best]! : value <= values[best]!))).toBe(true);
    }),
  );
});
