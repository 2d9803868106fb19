/** @file Choosing one token from logits: greedy, temperature, nucleus; frequencies against the exact distribution. */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { argmax, checkSampling, sampleToken } from "../../src/student/sampling.ts";
import { exactDistribution, expectFrequencies } from "../support/distributions.ts";

const LOGITS = [1.5, -0.3, 2.1, 0, 2.1, -4, 0.7];
const logits = Float32Array.from(LOGITS);

test("greedy takes the largest logit, the first of equal ones, and draws nothing", () => {
  const rng = new Rng(1);
  const before = rng.state;
  expect(sampleToken(logits, { temperature: 0, topP: 1 }, rng)).toBe(2);
  expect(rng.state).toEqual(before);
  expect(argmax(Float32Array.of(-Infinity, -3, -2))).toBe(2);
});

describe.each([
  [1, 1],
  [0.5, 1],
  [3, 1],
  [1, 0.8],
  [0.7, 0.5],
  [1, 0.3],
  [2, 0.999],
])("temperature %f, top-p %f", (temperature, topP) => {
  test("tokens come as often as they should", () => {
    const rng = new Rng(7);
    const counts = new Array<number>(LOGITS.length).fill(0);
    const draws = 20_000;
    for (let i = 0; i < draws; i++) counts[sampleToken(logits, { temperature, topP }, rng)]!++;
    expectFrequencies(counts, exactDistribution(LOGITS, temperature, topP));
  });
});

test("the nucleus is the smallest set whose mass reaches top-p", () => {
  // Probabilities 0.4, 0.3, 0.2, 0.1.
  const simple = [0.4, 0.3, 0.2, 0.1].map(Math.log);
  expect(exactDistribution(simple, 1, 0.39).map((p) => p > 0)).toEqual([true, false, false, false]);
  expect(exactDistribution(simple, 1, 0.41).map((p) => p > 0)).toEqual([true, true, false, false]);
  const rng = new Rng(2);
  const seen = new Set(
    Array.from({ length: 500 }, () => sampleToken(Float32Array.from(simple), { temperature: 1, topP: 0.65 }, rng)),
  );
  expect([...seen].sort((a, b) => a - b)).toEqual([0, 1]);
});

test("one draw a token, so that streams stay in step", () => {
  for (const options of [
    { temperature: 1, topP: 1 },
    { temperature: 0.2, topP: 0.5 },
  ]) {
    const [a, b] = [new Rng(4), new Rng(4)];
    sampleToken(logits, options, a);
    b.uniform();
    expect(a.state).toEqual(b.state);
  }
});

test("a temperature near zero is greedy, and logits of any size give a token", () => {
  const rng = new Rng(3);
  for (const temperature of [1e-3, 1e-30, 1e-300])
    expect(sampleToken(Float32Array.of(3, 5, 4), { temperature, topP: 1 }, rng)).toBe(1);
  expect(sampleToken(Float32Array.of(3e38, -3e38, 0), { temperature: 1, topP: 0.9 }, rng)).toBe(0);
});

test.each([
  [{ temperature: -1, topP: 1 }, /temperature: expected a number ≥ 0, got -1/],
  [{ temperature: NaN, topP: 1 }, /temperature/],
  [{ temperature: Infinity, topP: 1 }, /temperature/],
  [{ temperature: 1, topP: 0 }, /top-p: expected a number in \(0, 1\], got 0/],
  [{ temperature: 1, topP: 1.1 }, /top-p/],
  [{ temperature: 1, topP: NaN }, /top-p/],
])("%j is refused", (options, message) => {
  expect(() => checkSampling(options)).toThrow(message);
});
