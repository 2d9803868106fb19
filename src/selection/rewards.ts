/**
 * @file Reward scorers: how good an answer is, r(x, ŷ) in [0, 1], without a model or a
 * download. A new one is an entry here and a name in `strategies.ts`.
 */
import { rougeL } from "../core/rougeL.ts";
import type { RewardName } from "./strategies.ts";

/** What a scorer sees of a seed. */
export interface RewardInput {
  readonly question: string;
  /** The worked answer. */
  readonly answer: string;
  /** The student's own answer ŷ. */
  readonly ownAnswer: string;
  /** The task's checker accepts the final answer of ŷ. */
  readonly correct: boolean;
  /** The task also accepts every step of ŷ. */
  readonly sound: boolean;
}

export type RewardScorer = (input: RewardInput) => number;

export const REWARDS: Readonly<Record<RewardName, RewardScorer>> = {
  /** `½·1[final answer right] + ½·1[every step right]` by the task's own checkers: a right answer from wrong steps is half good. */
  checker: ({ correct, sound }) => (correct ? 0.5 : 0) + (correct && sound ? 0.5 : 0),
  /** ROUGE-L of ŷ against the worked answer: partial credit for the steps that are there. */
  overlap: ({ answer, ownAnswer }) => rougeL(ownAnswer, answer),
};
