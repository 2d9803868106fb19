/**
 * @file The query strategies as plain data: their names, one sentence each for people,
 * and which settings each takes. Imported by the page too, so it imports nothing at
 * run time. What each computes is in `registry.ts`.
 */
import type { StrategyOptions } from "./types.ts";

/** A row of the table. */
export interface StrategyEntry {
  /** One sentence with the formula; x a seed question, y its worked answer, ŷ the student's own greedy answer. */
  readonly description: string;
  /** Settings that the strategy takes beside its picker. */
  readonly options: readonly (keyof StrategyOptions)[];
  /** The option that it cannot do without. */
  readonly requires?: "holdout";
}

/** The strategies, in the order to show them. */
export const STRATEGIES = {
  random: { description: "By chance, whatever the student knows: the baseline.", options: [] },
  "own-loss": {
    description: "Loss of the student's own answer, L(x, ŷ), highest first: how unsure it is of what it says.",
    options: ["reduction"],
  },
  "true-loss": {
    description: "Loss of the worked answer, L(x, y), highest first: how far the student is from it.",
    options: ["reduction"],
  },
  entropy: {
    description: "Entropy of the student's predictions, −Σ p log p, token mean over its own answer.",
    options: ["answer", "reduction"],
  },
  margin: {
    description: "Smallest lead of the likeliest token over the second, 1 − (p₁ − p₂), token mean over its own answer.",
    options: ["answer", "reduction"],
  },
  "least-confidence": {
    description: "Probability not given to the likeliest token, 1 − p₁, token mean over its own answer.",
    options: ["answer", "reduction"],
  },
  el2n: {
    description: "Error norm of the predictions, ‖p − onehot(y)‖₂, token mean over the worked answer.",
    options: ["answer", "reduction"],
  },
  "grad-norm": {
    description: "GraNd: norm of the gradient of the worked answer's loss, ‖∂L(x, y)/∂w‖₂, over what is trained.",
    options: ["answer"],
  },
  ifd: {
    description:
      "Instruction-following difficulty, L(y given x) / L(y): how little the question helps with its answer.",
    options: ["limit"],
  },
  incorrect: {
    description: "Seeds that the student answers wrongly, 1[ŷ wrong], by chance among them.",
    options: [],
  },
  "rho-loss": {
    description:
      "Reducible loss L(x, y) − L_holdout(x, y): hard for the student, not for one trained on held-out pairs.",
    options: ["holdout", "reduction"],
    requires: "holdout",
  },
  reward: {
    description: "Lowest reward of the student's own answer, 1 − r(x, ŷ): by the task's checkers, or overlap with y.",
    options: ["scorer"],
  },
  judge: {
    description: "Hard by the teacher's judgement: its score of the student's own answer, 10 − j(x, ŷ).",
    options: [],
  },
  lion: {
    description:
      "Lion: half hard, half easy seeds; hard where the judge prefers y to ŷ by a point, j(x, y) − j(x, ŷ) ≥ 1.",
    options: ["share"],
  },
  badge: {
    description: "Diverse and uncertain: k-means++ over the last layer's gradients (p − onehot(ŷ)) ⊗ h of own answers.",
    options: [],
  },
  "k-center": {
    description: "Coverage: each next seed is the farthest from those picked, by mean hidden state over its answer.",
    options: ["answer"],
  },
  hybrid: {
    description:
      "Score × distance: k-means++ (P ∝ s^α·d²) or k-center (argmax s^α·d) weighted by another strategy's score.",
    options: ["score", "embedding", "method", "exponent", "candidates", "answer"],
  },
} as const satisfies Record<string, StrategyEntry>;

export type StrategyName = keyof typeof STRATEGIES;

/** Scorers of `reward`; see `rewards.ts`. */
export const REWARD_NAMES = ["checker", "overlap"] as const;
export type RewardName = (typeof REWARD_NAMES)[number];

/** Strategies that a hybrid can take its scores from. */
export const scoreStrategyNames = [
  "own-loss",
  "true-loss",
  "entropy",
  "margin",
  "least-confidence",
  "el2n",
  "grad-norm",
  "ifd",
  "incorrect",
  "reward",
  "judge",
] as const satisfies readonly StrategyName[];
export type ScoreStrategyName = (typeof scoreStrategyNames)[number];

/** Names of the strategies, in the order to show them. */
export const strategyNames = Object.keys(STRATEGIES) as readonly StrategyName[];

/** Whether `name` is a strategy. */
export function isStrategyName(name: string): name is StrategyName {
  return Object.hasOwn(STRATEGIES, name);
}

/** Kinds of picker that an experiment can name. */
export const PICKER_KINDS = ["argmax", "softmax", "proportional", "rank", "uniform", "above"] as const;
