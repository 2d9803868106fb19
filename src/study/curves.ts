/**
 * @file Learning curves: what a run had used after each round and how good it was then, the
 * mean of several runs, and where a mean curve first reaches an accuracy. A run that ended
 * early keeps its last point, so that every round is a mean over the same runs.
 */
import type { RoundSummary } from "../loop/records.ts";
import { mean } from "./sampling.ts";

/** A run after a round: accepted pairs, teacher tokens, money and wall time so far. */
export interface RunPoint {
  readonly round: number;
  readonly examples: number;
  readonly teacherTokens: number;
  readonly costUsd: number;
  readonly wallSeconds: number;
  readonly correct: number;
  readonly n: number;
  readonly accuracy: number;
}

/** What a run may be measured against. */
export const CURVE_AXES = ["examples", "teacherTokens", "costUsd", "wallSeconds"] as const;
export type CurveAxis = (typeof CURVE_AXES)[number];

/** The curve of one run, use summed up over its rounds. */
export function runPoints(rounds: readonly RoundSummary[]): readonly RunPoint[] {
  let [teacherTokens, costUsd, wallSeconds] = [0, 0, 0];
  return rounds.map(({ round, examples, teacher, durationMs, evaluation }) => {
    teacherTokens += teacher.promptTokens + teacher.completionTokens;
    costUsd += teacher.costUsd;
    wallSeconds += durationMs / 1000;
    const { correct, n, accuracy } = evaluation;
    return { round, examples, teacherTokens, costUsd, wallSeconds, correct, n, accuracy };
  });
}

/** The point of a run at a round, its last one where it ended before. */
export function pointAt(points: readonly RunPoint[], round: number): RunPoint | undefined {
  return points[round] ?? points.at(-1);
}

/** Mean curve of runs: at each round up to the longest run's last, on one axis and in accuracy. */
export function meanCurve(
  runs: readonly (readonly RunPoint[])[],
  axis: CurveAxis,
): readonly { readonly x: number; readonly accuracy: number }[] {
  const rounds = Math.max(0, ...runs.map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) => {
    const at = runs.flatMap((points) => pointAt(points, round) ?? []);
    return { x: mean(at.map((point) => point[axis])), accuracy: mean(at.map(({ accuracy }) => accuracy)) };
  });
}

/** N(τ): where a curve, straight between its points, first reaches `accuracy`; undefined where it never does. */
export function firstReach(
  curve: readonly { readonly x: number; readonly accuracy: number }[],
  accuracy: number,
): number | undefined {
  for (const [i, point] of curve.entries()) {
    if (point.accuracy < accuracy) continue;
    const before = curve[i - 1];
    if (before === undefined) return point.x;
    return before.x + ((accuracy - before.accuracy) / (point.accuracy - before.accuracy)) * (point.x - before.x);
  }
  return undefined;
}
