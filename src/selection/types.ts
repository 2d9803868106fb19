/** @file Query strategies: acquisition function (what to score) × picker (how to pick from scores). Pure. */
import type { Rng } from "../core/rng.ts";
import type { ScoreName } from "../student/types.ts";

/** What an acquisition function needs computed for every seed. `own` = the student's own greedy answer, `true` = the worked answer. */
export type AcquisitionInput =
  | { readonly kind: "none" }
  | { readonly kind: "score"; readonly score: ScoreName; readonly answer: "own" | "true" };

export type Picker =
  | { readonly kind: "argmax" }
  | { readonly kind: "softmax"; readonly temperature: number }
  | { readonly kind: "uniform" };

/** A named strategy. `random` needs nothing and picks uniformly. */
export interface QueryStrategy {
  readonly name: string;
  /** For people: one sentence with the formula. */
  readonly description: string;
  readonly input: AcquisitionInput;
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

/** Picks `querySize` distinct pool members. */
export type SelectQueries = (
  strategy: QueryStrategy,
  scores: readonly number[] | undefined,
  poolSize: number,
  querySize: number,
  rng: Rng,
) => readonly Pick[];
