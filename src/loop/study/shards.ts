/** @file Which part of a study one machine computes: the same division for everyone who asks, and about equal work. */
import { badInput } from "../../core/errors.ts";
import type { StudyCell } from "../../study/types.ts";
import type { ExperimentConfig } from "../config.ts";

/** One of `count` parts, `index` from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The shard that `i/n` names. @throws BadInputError unless 1 ≤ i ≤ n. */
export function parseShard(text: string): Shard {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (!(index >= 1 && count >= index))
    badInput("--shard", "i/n with i from 1 to n, such as 1/4", JSON.stringify(text), "The first shard is 1");
  return { index, count };
}

/**
 * Work of a run in rough units: a generated answer, a scored row or a row trained on counts as one. Only its
 * proportions matter: for dividing a study, and for the time left. A run with a ceiling is taken to
 * end in the round that fills it.
 */
export function estimateWork(config: ExperimentConfig): number {
  const { task, training, accumulate, strategy, budget, warmUp, replay } = config;
  const asked = config.querySize * config.perSeed;
  const pairs = Math.min(budget.examples ?? Infinity, config.rounds * asked);
  const rounds = Math.min(config.rounds, Math.ceil(pairs / asked) + (warmUp === "seeds" ? 1 : 0));
  const evaluation = (rounds + 1) * task[task.evaluateOn];
  const scoring = strategy.name === "random" ? 0 : 2 * rounds * task.pool;
  const written = accumulate ? (pairs * (rounds + 1)) / 2 : pairs;
  const rows = replay === "all" ? written + rounds * task.pool : written * (1 + replay);
  return evaluation + scoring + rows * training.epochs;
}

/**
 * The cells of one shard, in the order of the plan: the largest first, each to the shard with
 * least work (ties: the earlier cell, the earlier shard). Shards are disjoint and make up the whole;
 * no two differ by more work than one cell has.
 */
export function cellsOfShard(cells: readonly StudyCell[], { index, count }: Shard): readonly StudyCell[] {
  const loads = new Array<number>(count).fill(0);
  const owner = new Map<string, number>();
  const byWork = cells
    .map((cell, place) => ({ cell, place, work: estimateWork(cell.config) }))
    .sort((a, b) => b.work - a.work || a.place - b.place);
  for (const { cell, work } of byWork) {
    const least = loads.indexOf(Math.min(...loads));
    loads[least] = (loads[least] ?? 0) + work;
    owner.set(cell.id, least);
  }
  return cells.filter(({ id }) => owner.get(id) === index - 1);
}
