/**
 * @file Query strategies: acquisition function (what to compute of every seed, and the
 * score made of it) × picker (how scores, and distances between seeds, become picks). Pure.
 */
import type { Rng } from "../core/rng.ts";
import type { ScoreName, SimilarityKind } from "../student/types.ts";
import type { RewardName, ScoreStrategyName, StrategyName } from "./strategies.ts";

/** Which answer of a seed is looked at: `own` = the student's own greedy answer ŷ, `true` = the worked answer y. */
export type AnswerSource = "own" | "true";

/** Scores over an answer's tokens are their mean, or their sum (which favours long answers). */
export type Reduction = "mean" | "sum";

/** One number per seed that an acquisition function is made of. */
export type Measure =
  /** A score of the student, or 1 minus it (`complement`), over the tokens of an answer. */
  | {
      readonly kind: "score";
      readonly score: ScoreName;
      readonly answer: AnswerSource;
      readonly reduction: Reduction;
      readonly complement?: boolean;
    }
  /** 1 where the task's checker rejects the student's own answer, else 0. */
  | { readonly kind: "incorrect" }
  /** `r(x, ŷ)` in [0, 1] by a reward scorer. */
  | { readonly kind: "reward"; readonly scorer: RewardName }
  /** A judge's scores, 1 (bad) to 10 (good): of ŷ, or of the worked answer less that of ŷ (`gap`). */
  | { readonly kind: "judge"; readonly of: "own" | "gap" }
  /** Loss of the worked answer under the holdout student. */
  | { readonly kind: "holdoutLoss"; readonly reduction: Reduction };

/** Ways to pick from scores; see `selectQueries`. */
export type ScorePicker =
  | { readonly kind: "argmax" }
  | { readonly kind: "softmax"; readonly temperature: number }
  | { readonly kind: "proportional"; readonly exponent: number }
  | { readonly kind: "rank"; readonly exponent: number }
  | { readonly kind: "uniform" }
  /** Everything with a score over the threshold, so that fewer than the query size may be picked. */
  | { readonly kind: "above"; readonly threshold: number };

/** Ways to pick that look at distances between pool members. */
export type DiversityPicker = {
  readonly kind: "k-center" | "k-means++";
  /** Scores are taken to this power as weights; without scores all weights are 1. */
  readonly exponent: number;
  /** Only the members with the highest scores take part, so many times the query size; all without it. */
  readonly candidates?: number;
  /** k-means++: how the first is picked. */
  readonly first: "draw" | "norm";
};

/** Half easy, half hard (Lion): `share` of the picks from scores of at least `threshold`, the rest from below, by chance in each. */
export interface BalancedPicker {
  readonly kind: "balanced";
  readonly threshold: number;
  readonly share: number;
}

/** Any way to pick. The setting of an experiment is a `ScorePicker`; the others belong to strategies that bring their own. */
export type Picker = ScorePicker | DiversityPicker | BalancedPicker;

/** What pool members are compared by: embeddings of one of their answers. */
export interface Embedding {
  readonly kind: SimilarityKind;
  readonly answer: AnswerSource;
}

/** Distances between the embeddings of n pool members. */
export interface Distances {
  /** n */
  readonly size: number;
  squaredNorm(i: number): number;
  squared(i: number, j: number): number;
}

/** What of a strategy an experiment can set beside name and picker; each for the strategies that have it only. */
export interface StrategyOptions {
  readonly answer?: AnswerSource;
  readonly reduction?: Reduction;
  /** Directory of the holdout student of `rho-loss`, or a model on the hub. */
  readonly holdout?: string;
  /** Scorer of `reward`, `checker` by default. */
  readonly scorer?: RewardName;
  /** Of `lion`: the share of hard seeds, 0.5 by default. */
  readonly share?: number;
  /** Of hybrids: the strategy whose scores are the weights, `own-loss` by default. */
  readonly score?: ScoreStrategyName;
  /** Of hybrids: what seeds are compared by, `hidden` by default. */
  readonly embedding?: SimilarityKind;
  /** Of hybrids: `k-means++` by default. */
  readonly method?: DiversityPicker["kind"];
  /** Of hybrids: the power of the score, 1 by default. */
  readonly exponent?: number;
  /** Of hybrids: only the seeds of the highest scores take part, so many times the query size. */
  readonly candidates?: number;
  /** Of `ifd`: seeds above it come last, 1 by default. */
  readonly limit?: number;
}

/** The strategy's part of an experiment, plain JSON. */
export interface StrategySettings extends StrategyOptions {
  readonly name: StrategyName;
  readonly picker: ScorePicker;
}

/** A named strategy. `random` needs nothing and picks uniformly. */
export interface QueryStrategy {
  readonly name: string;
  /** For people: one sentence with the formula. */
  readonly description: string;
  /** What is to be computed of every seed; none for strategies that do not score. */
  readonly measures: readonly Measure[];
  /** The seed's score from its measures, in their order: the higher, the sooner it is picked. */
  readonly combine: (values: readonly number[]) => number;
  /** What distances between seeds are needed of; absent where the picker looks at scores alone. */
  readonly embedding?: Embedding;
  readonly picker: Picker;
}

export interface Pick {
  /** Index into the pool. */
  readonly index: number;
  /** The score it was picked by; undefined for strategies that need none. */
  readonly score: number | undefined;
  /** Rank by score, 1 = highest; undefined without scores. */
  readonly rank: number | undefined;
}

/** What a selection may look at beside scores. */
export interface SelectOptions {
  /** Required by strategies with an embedding. */
  readonly distances?: Distances | undefined;
  /** Indices of the members that may be picked; all without it. Ranks count the whole pool in any case. */
  readonly among?: readonly number[] | undefined;
}

/** Picks distinct pool members: `querySize`, fewer only with the picker `above`. */
export type SelectQueries = (
  strategy: QueryStrategy,
  scores: readonly number[] | undefined,
  poolSize: number,
  querySize: number,
  rng: Rng,
  options?: SelectOptions,
) => readonly Pick[];
