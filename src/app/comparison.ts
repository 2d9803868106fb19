/**
 * @file What a run allows to be said, in words, with its uncertainty: the gap
 * between two lanes and the change of one lane since round 0. Never a claim that
 * was not measured. Interval of a difference: Newcombe's hybrid of two Wilson
 * intervals (Statistics in Medicine 17, 1998, method 10).
 */
import type { Evaluation, RoundSummary } from "../loop/records.ts";
import { formatCount, formatInterval, formatPercent, formatPoints, NBSP } from "./format.ts";

/** A difference of two proportions, 0…1 scale, with its 95 % interval. */
export interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

type Proportion = Pick<Evaluation, "accuracy" | "low" | "high">;

/**
 * `a − b` with `d − √((a−a.low)² + (b.high−b)²)` and `d + √((a.high−a)² + (b−b.low)²)`.
 * Treats the two as independent samples.
 */
export function differenceOf(a: Proportion, b: Proportion): Difference {
  const value = a.accuracy - b.accuracy;
  return {
    value,
    low: Math.max(-1, value - Math.hypot(a.accuracy - a.low, b.high - b.accuracy)),
    high: Math.min(1, value + Math.hypot(a.high - a.accuracy, b.accuracy - b.low)),
  };
}

/** Last finished round that both lanes have, or undefined. */
export function lastCommonRound(
  a: readonly RoundSummary[],
  b: readonly RoundSummary[],
): readonly [RoundSummary, RoundSummary] | undefined {
  for (let i = a.length - 1; i >= 0; i--) {
    const left = a[i];
    const right = b.find(({ round }) => round === left?.round);
    if (left !== undefined && right !== undefined) return [left, right];
  }
  return undefined;
}

/** Whether the interval leaves zero out, and on which side. */
export type Verdict = "above" | "below" | "unclear";

/** Side of zero that the whole interval lies on. */
export function verdictOf({ low, high }: Difference): Verdict {
  return low > 0 ? "above" : high < 0 ? "below" : "unclear";
}

export interface Statement {
  readonly verdict: Verdict;
  readonly text: string;
}

/** Sentences about the gap of lane `b` over lane `a` at their last common round; undefined before both have trained once. */
export function describeGap(a: LaneRounds, b: LaneRounds): Statement | undefined {
  const common = lastCommonRound(a.rounds, b.rounds);
  if (common === undefined || common[0].round === 0) return undefined;
  const [left, right] = common;
  const difference = differenceOf(right.evaluation, left.evaluation);
  const verdict = verdictOf(difference);
  const budget =
    left.examples === right.examples
      ? `with ${formatCount(left.examples, "accepted pair")} each`
      : `with ${formatCount(left.examples, "accepted pair")} (${a.label}) and ${right.examples} (${b.label})`;
  const measured =
    `After round ${left.round}, ${budget}: ${b.label} ${formatPercent(right.evaluation.accuracy)}, ` +
    `${a.label} ${formatPercent(left.evaluation.accuracy)} of ${formatCount(left.evaluation.n, `${left.evaluation.split} question`)}. ` +
    `Difference ${formatPoints(difference.value)}, 95${NBSP}% interval ${formatInterval(difference.low, difference.high)}.`;
  const reading =
    verdict === "unclear"
      ? "The interval includes zero: these numbers do not tell the two apart."
      : `The interval leaves zero out: in this run ${verdict === "above" ? b.label : a.label} is ahead. One seed says little about the next.`;
  return { verdict, text: `${measured} ${reading}` };
}

/** What can be said of every further lane beside the first. */
export function describeGaps([first, ...others]: readonly LaneRounds[]): readonly Statement[] {
  if (first === undefined) return [];
  return others.flatMap((other) => describeGap(first, other) ?? []);
}

/** The gap to mark on the curve: of the lane furthest from the first at their last common round, which must be after round 0. */
export function widestGap([first, ...others]: readonly LaneRounds[]):
  | { readonly lane: number; readonly first: RoundSummary; readonly other: RoundSummary }
  | undefined {
  const gaps = others.flatMap((other, index) => {
    const common = first === undefined ? undefined : lastCommonRound(first.rounds, other.rounds);
    return common === undefined || common[0].round === 0
      ? []
      : [{ lane: index + 1, first: common[0], other: common[1] }];
  });
  const size = ({ first: a, other: b }: (typeof gaps)[number]): number =>
    Math.abs(a.evaluation.accuracy - b.evaluation.accuracy);
  return gaps.sort((a, b) => size(b) - size(a))[0];
}

export interface LaneRounds {
  readonly label: string;
  readonly rounds: readonly RoundSummary[];
}

/** A sentence about a lane's change since its untouched student; undefined before a round of training. */
export function describeChange(rounds: readonly RoundSummary[]): Statement | undefined {
  const first = rounds[0];
  const last = rounds.at(-1);
  if (first === undefined || last === undefined || first.round !== 0 || last.round === 0) return undefined;
  const difference = differenceOf(last.evaluation, first.evaluation);
  return {
    verdict: verdictOf(difference),
    text: `${formatPoints(difference.value)} since round 0 (95${NBSP}% interval ${formatInterval(difference.low, difference.high)})`,
  };
}
