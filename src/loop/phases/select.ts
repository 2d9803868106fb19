/** @file Phase "select": which seeds to ask the teacher about. Stored picks are kept, so that a paid reply is never orphaned by a rescored pool. */
import { badInput, invariant } from "../../core/errors.ts";
import { distancesOf } from "../../selection/diversity.ts";
import { selectQueries } from "../../selection/selectQueries.ts";
import type { Distances } from "../../selection/types.ts";
import type { Question } from "../../tasks/types.ts";
import type { LoopRecord, PoolItem } from "../records.ts";
import { phaseRecord, phaseRng, rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";

/** A picked seed with the score and rank it was picked by, null where the strategy uses none. */
export interface PickedSeed {
  readonly seed: Question;
  readonly score: number | null;
  readonly rank: number | null;
}

/** Picks `querySize` distinct seeds. The draw depends on the run's seed, the round and the strategy's own scores only. */
export async function* selectSeeds(
  run: RunState,
  round: number,
  pool: readonly PoolItem[] | undefined,
): AsyncGenerator<LoopRecord, readonly PickedSeed[], void> {
  const { querySize } = run.config;
  yield phaseRecord(round, "select", "start", 0, querySize);
  const stored = run.stored?.picks.find((entry) => entry.round === round);
  const entry = stored ?? { type: "picks" as const, round, picks: await pick(run, round, pool) };
  if (stored === undefined) await run.store.append(entry);
  yield entry;
  const seeds = new Map(run.splits.pool.map((seed) => [seed.id, seed]));
  const picked = entry.picks.map(({ seedId, score, rank }): PickedSeed => {
    const seed = seeds.get(seedId);
    if (seed === undefined)
      badInput(
        `stored picks of round ${round}`,
        "ids of this run's seeds",
        `"${seedId}"`,
        "The run was made by another version of the task; start a new run",
      );
    return { seed, score, rank };
  });
  yield phaseRecord(round, "select", "end", picked.length, querySize);
  return picked;
}

async function pick(
  run: RunState,
  round: number,
  pool: readonly PoolItem[] | undefined,
): Promise<{ seedId: string; score: number | null; rank: number | null }[]> {
  const seeds = run.splits.pool;
  const scores =
    run.strategy.measures.length === 0
      ? undefined
      : seeds.map((seed, i) => {
          const score = pool?.[i]?.score;
          invariant(score !== undefined, `seed ${seed.id} has no score`);
          return score;
        });
  const distances = await distancesBetweenSeeds(run, pool);
  const rng = phaseRng(run, round, "select");
  return selectQueries(run.strategy, scores, seeds.length, run.config.querySize, rng, distances).map(
    ({ index, score, rank }) => {
      const seed = seeds[index];
      invariant(seed !== undefined, `pick ${index} lies outside the pool of ${seeds.length}`);
      return { seedId: seed.id, score: score ?? null, rank: rank ?? null };
    },
  );
}

/** What the strategy compares seeds by; undefined for strategies that look at scores alone. Never stored: picks are. */
async function distancesBetweenSeeds(
  run: RunState,
  pool: readonly PoolItem[] | undefined,
): Promise<Distances | undefined> {
  const { embedding } = run.strategy;
  if (embedding === undefined) return undefined;
  const rows = run.splits.pool.map((seed, i) => {
    if (embedding.answer === "true") return rowOf(run.task, seed);
    const completion = pool?.[i]?.ownAnswer;
    invariant(completion !== undefined, `seed ${seed.id} has an own answer`);
    return { id: seed.id, prompt: run.task.prompt(seed.question), completion };
  });
  const signal = run.signal === undefined ? {} : { signal: run.signal };
  return distancesOf(await run.student.innerProducts(rows, embedding.kind, signal), rows.length);
}
