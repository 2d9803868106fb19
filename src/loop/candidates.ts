/** @file Query source: what a round can pick from. Not here: scores (`phases/scorePool.ts`) and picks (`phases/select.ts`). */
import type { Question } from "../tasks/types.ts";
import type { RunState } from "./runState.ts";

/** Level of an earlier pair whose teacher named none. */
const NO_LEVEL = "synthetic";

/** A question that can be picked, with the round that made it: 0 for a seed. */
export interface Candidate extends Question {
  readonly round: number;
}

/** The candidates of `round`: the seeds, the same every round; with `query.candidates` "all" also every pair accepted before it. */
export function candidatesOf(run: RunState, round: number): readonly Candidate[] {
  const seeds = run.splits.pool.map((seed) => ({ ...seed, round: 0 }));
  if (run.config.query.candidates === "seeds") return seeds;
  // As the training before saw them: a decision by hand that comes later must not change what is scored now.
  const earlier = run.interventions
    .applyTo(run.examples, round - 1)
    .filter((example) => example.accepted && example.round < round);
  return [
    ...seeds,
    ...earlier.map(({ id, round: made, question, answer, level = NO_LEVEL }) => ({
      id,
      round: made,
      question,
      answer,
      level,
    })),
  ];
}

/** Pairs that may still be accepted; Infinity without a ceiling. */
export function pairsLeft(run: RunState): number {
  const { examples } = run.config.budget;
  return examples === undefined ? Infinity : Math.max(0, examples - acceptedPairs(run));
}

/** Pairs accepted so far. */
export function acceptedPairs(run: RunState): number {
  return run.examples.filter((example) => example.accepted).length;
}

/** Seeds that were not picked in any round so far. */
export function unpickedSeeds(run: RunState): number {
  const picked = new Set(run.picks.flatMap(({ picks }) => picks.map(({ seedId }) => seedId)));
  return run.splits.pool.filter(({ id }) => !picked.has(id)).length;
}
