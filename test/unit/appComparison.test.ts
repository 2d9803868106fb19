/** @file What the page says of two lanes: the interval against a published value, the words against the numbers. */
import { h } from "preact";
import { render } from "preact-render-to-string";
import { expect, test } from "vitest";
import { describeChange, describeGap, differenceOf, lastCommonRound, verdictOf } from "../../src/app/comparison.ts";
import type { RoundSummary } from "../../src/loop/records.ts";
import { Findings } from "../../src/app/views/race/findings.tsx";
import { wilsonInterval } from "../../src/core/statistics.ts";

function summary(round: number, correct: number, n: number, examples = 10 * round): RoundSummary {
  return {
    round,
    examples,
    accepted: 10,
    rejected: 0,
    outcomes: {},
    refills: 0,
    taught: 10,
    unsound: 0,
    teacher: { requests: 0, promptTokens: 0, completionTokens: 0, costUsd: 0, durationMs: 0 },
    evaluation: {
      split: "test",
      n,
      correct,
      accuracy: correct / n,
      ...wilsonInterval(correct, n),
      byLevel: {},
      byTag: {},
    },
    meanLoss: null,
    steps: 0,
    rows: 0,
    poolAccuracy: null,
    stop: null,
    durationMs: 0,
  };
}

const plain = (text: string | undefined): string => (text ?? "").replaceAll("\u00a0", " ");

test.each([
  // Newcombe (1998), Statistics in Medicine 17, table II, method 10.
  { a: [56, 70], b: [48, 80], low: 0.0524, high: 0.3339 },
  { a: [9, 10], b: [3, 10], low: 0.1705, high: 0.809 },
  { a: [6, 7], b: [2, 7], low: 0.0582, high: 0.8062 },
  { a: [5, 56], b: [0, 29], low: -0.0381, high: 0.1926 },
  { a: [0, 10], b: [0, 20], low: -0.1611, high: 0.2775 },
  { a: [10, 10], b: [0, 10], low: 0.6075, high: 1 },
] as const)("the interval of $a against $b is Newcombe's", ({ a, b, low, high }) => {
  const difference = differenceOf(summary(1, a[0], a[1]).evaluation, summary(1, b[0], b[1]).evaluation);
  expect(difference.value).toBeCloseTo(a[0] / a[1] - b[0] / b[1], 12);
  expect(difference.low).toBeCloseTo(low, 4);
  expect(difference.high).toBeCloseTo(high, 4);
});

test("lanes are compared at the last round that both have", () => {
  const a = [0, 1, 2].map((round) => summary(round, 50, 100));
  expect(lastCommonRound(a, a.slice(0, 2))?.map(({ round }) => round)).toEqual([1, 1]);
  expect(lastCommonRound(a, [])).toBeUndefined();
});

test("nothing is said before both have trained", () => {
  const zero = [summary(0, 40, 100)];
  expect(describeGap({ label: "a", rounds: zero }, { label: "b", rounds: zero })).toBeUndefined();
  expect(
    describeGap({ label: "a", rounds: [...zero, summary(1, 90, 100)] }, { label: "b", rounds: zero }),
  ).toBeUndefined();
  expect(describeChange(zero)).toBeUndefined();
});

test("a gap whose interval includes zero is not called a gap", () => {
  const gap = describeGap(
    { label: "random", rounds: [summary(0, 40, 120), summary(1, 58, 120)] },
    { label: "own-loss", rounds: [summary(0, 40, 120), summary(1, 63, 120)] },
  );
  expect(gap?.verdict).toBe("unclear");
  expect(plain(gap?.text)).toBe(
    "After round 1, with 10 accepted pairs each: own-loss 52.5 %, random 48.3 % of 120 test questions. Difference +4.2 points, 95 % interval −8.4 to +16.5. The interval includes zero: these numbers do not tell the two apart.",
  );
});

test("a clear gap names who is ahead, either way", () => {
  const low = { label: "low", rounds: [summary(0, 20, 100), summary(1, 20, 100, 7)] };
  const high = { label: "high", rounds: [summary(0, 20, 100), summary(1, 80, 100, 9)] };
  expect(describeGap(low, high)).toMatchObject({ verdict: "above" });
  expect(plain(describeGap(low, high)?.text)).toContain("with 7 accepted pairs (low) and 9 (high)");
  expect(plain(describeGap(low, high)?.text)).toContain("in this run high is ahead");
  expect(describeGap(high, low)).toMatchObject({ verdict: "below" });
  expect(plain(describeGap(high, low)?.text)).toContain("in this run high is ahead");
});

test("equal lanes differ by 0.0, without a sign", () => {
  const rounds = [summary(0, 40, 100), summary(1, 50, 100)];
  expect(plain(describeGap({ label: "a", rounds }, { label: "b", rounds })?.text)).toContain("Difference 0.0 points");
});

test("an interval that touches zero is unclear", () => {
  expect(verdictOf({ value: 0.1, low: 0, high: 0.2 })).toBe("unclear");
});

test("the change since round 0 has its interval, downwards too", () => {
  expect(plain(describeChange([summary(0, 48, 80), summary(1, 24, 80)])?.text)).toMatch(
    /^−30\.0 points since round 0 \(95 % interval −4\d\.\d to −1\d\.\d\)$/,
  );
});

test("lanes that cannot be told apart offer a race in which picks matter more, at its end alone", () => {
  const html = (last: number, onRareKind?: () => void): string =>
    render(
      h(Findings, {
        lanes: [
          { label: "random", rounds: [summary(0, 40, 100), summary(1, 50, 100)] },
          { label: "own-loss", rounds: [summary(0, 40, 100), summary(1, last, 100)] },
        ],
        onRareKind,
      }),
    );
  const offered = /Set up such a race/;
  expect(html(52, () => undefined)).toMatch(offered);
  expect(html(90, () => undefined)).not.toMatch(offered);
  expect(html(52)).not.toMatch(offered);
});
