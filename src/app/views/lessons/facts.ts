/** @file What the lessons read from the records of a run. Pure. */
import type { RoundSummary } from "../../../loop/records.ts";
import { differenceOf, verdictOf } from "../../comparison.ts";
import type { Verdict } from "../../comparison.ts";
import { EMPTY_LANE } from "../../laneState.ts";
import type { LaneState } from "../../laneState.ts";

/** Lane `index`, empty before there is one. */
export function laneOf(lanes: readonly LaneState[], index: number): LaneState {
  return lanes[index] ?? EMPTY_LANE;
}

/** The finished round `round` of a lane. */
export function roundOf(lane: LaneState, round: number): RoundSummary | undefined {
  return lane.rounds.find((summary) => summary.round === round);
}

/** Whether every lane has finished round `round`. */
export function allFinished(lanes: readonly LaneState[], round: number): boolean {
  return lanes.length > 0 && lanes.every((lane) => roundOf(lane, round) !== undefined);
}

export interface Mean {
  readonly n: number;
  /** Nats; NaN without any. */
  readonly mean: number;
}

/** Own-answer loss of the seeds answered right, and of those answered wrongly. */
export function lossByOutcome({ pool }: LaneState): { readonly right: Mean; readonly wrong: Mean } {
  const meanOf = (correct: boolean): Mean => {
    const losses = pool.flatMap((item) =>
      item.correct === correct && item.ownLoss !== undefined ? [item.ownLoss] : [],
    );
    return { n: losses.length, mean: losses.reduce((sum, loss) => sum + loss, 0) / losses.length };
  };
  return { right: meanOf(true), wrong: meanOf(false) };
}

/** Wrong answers whose own-answer loss is below that of half the right ones; 0 where there is nothing to compare. */
export function sureAndWrong({ pool }: LaneState): number {
  const lossesOf = (correct: boolean): number[] =>
    pool
      .flatMap((item) => (item.correct === correct && item.ownLoss !== undefined ? [item.ownLoss] : []))
      .sort((a, b) => a - b);
  const right = lossesOf(true);
  const median = right[Math.floor(right.length / 2)];
  return median === undefined ? 0 : lossesOf(false).filter((loss) => loss < median).length;
}

/** Of the seeds picked in the round whose picks are known: how many the student answers wrongly. */
export function wrongPicks({ pool, picks }: LaneState): { readonly wrong: number; readonly picked: number } {
  const wrong = pool.filter((item) => picks.has(item.id) && item.correct === false).length;
  return { wrong, picked: picks.size };
}

/** Seeds that both lanes picked in their latest round of picks. */
export function sharedPicks(a: LaneState, b: LaneState): number {
  return [...a.picks.keys()].filter((id) => b.picks.has(id)).length;
}

/** Pairs that were not trained on, of all that the teacher wrote in finished rounds. */
export function rejections({ rounds }: LaneState): {
  readonly rejected: number;
  readonly written: number;
  readonly percent: number;
} {
  const rejected = rounds.reduce((sum, round) => sum + round.rejected, 0);
  const written = rejected + rounds.reduce((sum, round) => sum + round.accepted, 0);
  return { rejected, written, percent: written === 0 ? 0 : (100 * rejected) / written };
}

/** Right answers gained from round `from` to round `to`; undefined before both are finished. */
export function gained(lane: LaneState, from: number, to: number): number | undefined {
  const [before, after] = [roundOf(lane, from), roundOf(lane, to)];
  return before === undefined || after === undefined ? undefined : after.evaluation.correct - before.evaluation.correct;
}

/** On which side of zero the interval of the gap of lane 1 over lane 0 lies after round `round`. */
export function gapVerdict(lanes: readonly LaneState[], round: number): Verdict {
  const [a, b] = [roundOf(laneOf(lanes, 0), round), roundOf(laneOf(lanes, 1), round)];
  if (a === undefined || b === undefined) return "unclear";
  return verdictOf(differenceOf(b.evaluation, a.evaluation));
}

/** Prompt and completion tokens that the teacher used in finished rounds. */
export function teacherTokens({ rounds }: LaneState): number {
  return rounds.reduce((sum, { teacher }) => sum + teacher.promptTokens + teacher.completionTokens, 0);
}
