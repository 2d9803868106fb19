/**
 * @file Training set rule: what a round trains on. Accepted pairs so far or of the last
 * round, and seed pairs: a share for each pair, all of them, or in a warm-up round
 * nothing else. Not here: from which weights (`phases/train.ts`).
 */
import type { PromptCompletion } from "../student/types.ts";
import type { ExperimentConfig } from "./config.ts";
import { encodingProblem, phaseRng, rowOf } from "./runState.ts";
import type { RunState } from "./runState.ts";

/** Whether `round` asks nothing and trains on the seeds alone. */
export function isWarmUp({ warmUp }: ExperimentConfig, round: number): boolean {
  return warmUp === "seeds" && round === 1;
}

/** Rows in a fixed order, pairs as they arrived before seeds; the trainer shuffles. */
export function trainingRows(run: RunState, round: number): readonly PromptCompletion[] {
  const { config, task, splits } = run;
  const seeds = splits.pool.map((seed) => rowOf(task, seed));
  if (isWarmUp(config, round)) return seeds;
  const left = new Set(tooLongEdits(run, round));
  const pairs = run.interventions
    .applyTo(run.examples, round)
    .filter(({ id, accepted, round: made }) => accepted && (config.accumulate || made === round) && !left.has(id));
  const rows = pairs.map((pair) => rowOf(task, pair));
  if (config.replay === "all") return [...rows, ...seeds];
  return [...rows, ...replayed(run, round, seeds, Math.round(config.replay * rows.length))];
}

/** Ids of pairs that a person made longer than the student's context, while no student was at hand to say so. */
export function tooLongEdits(run: RunState, round: number): readonly string[] {
  const after = run.interventions.applyTo(run.examples, round);
  const edited = after.filter((pair, i) => pair.accepted && pair !== run.examples[i]);
  return edited.filter((pair) => encodingProblem(run, pair) !== undefined).map(({ id }) => id);
}

/** `count` seeds in random order; every seed once before any is used again. */
function replayed(
  run: RunState,
  round: number,
  seeds: readonly PromptCompletion[],
  count: number,
): readonly PromptCompletion[] {
  const rng = phaseRng(run, round, "replay");
  const rows: PromptCompletion[] = [];
  while (rows.length < count && seeds.length > 0) rows.push(...rng.shuffle(seeds).slice(0, count - rows.length));
  return rows;
}
