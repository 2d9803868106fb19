/** @file Phase "select": which candidates to ask the teacher about. Stored picks are kept, so that a paid reply is never orphaned by a rescored pool. */
import { badInput, invariant } from "../../core/errors.ts";
import { distancesOf } from "../../selection/diversity.ts";
import { selectQueries } from "../../selection/selectQueries.ts";
import type { Distances, Pick } from "../../selection/types.ts";
import type { Question } from "../../tasks/types.ts";
import { pairsLeft, type Candidate } from "../candidates.ts";
import type { LoopRecord, PickRecord, PoolItem } from "../records.ts";
import { phaseRecord, phaseRng, rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";

/** A picked candidate with the score and rank it was picked by, null where the strategy uses none. */
export interface PickedSeed {
  readonly seed: Question;
  readonly score: number | null;
  readonly rank: number | null;
}

/** Picks distinct candidates: `querySize`, or as many as may still give a pair. The draw depends on the run's seed, the round and the strategy's own scores only. */
export async function* selectSeeds(
  run: RunState,
  round: number,
  candidates: readonly Candidate[],
  pool: readonly PoolItem[] | undefined,
): AsyncGenerator<LoopRecord, readonly PickedSeed[], void> {
  const size = Math.min(run.config.querySize, pairsLeft(run));
  yield phaseRecord(round, "select", "start", 0, size);
  const stored = run.stored?.picks.find((entry) => entry.round === round);
  const entry = stored ?? { type: "picks" as const, round, picks: await pick(run, round, candidates, pool, size) };
  if (stored === undefined) await run.store.append(entry);
  run.picks.push(entry);
  yield entry;
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  const picked = entry.picks.map(({ seedId, score, rank }): PickedSeed => {
    const seed = byId.get(seedId);
    if (seed === undefined)
      badInput(
        `stored picks of round ${round}`,
        "ids of this run's seeds",
        `"${seedId}"`,
        "The run was made by another version of the task; start a new run",
      );
    return { seed, score, rank };
  });
  yield phaseRecord(round, "select", "end", picked.length, size);
  return picked;
}

async function pick(
  run: RunState,
  round: number,
  candidates: readonly Candidate[],
  pool: readonly PoolItem[] | undefined,
  size: number,
): Promise<PickRecord[]> {
  const scores =
    run.strategy.measures.length === 0
      ? undefined
      : candidates.map((seed, i) => {
          const score = pool?.[i]?.score;
          invariant(score !== undefined, `seed ${seed.id} has no score`);
          return score;
        });
  const distances = await distancesBetween(run, round, candidates, pool);
  const rng = phaseRng(run, round, "select");
  const picks: Pick[] = [];
  for (const [times, among] of turns(run, candidates)) {
    if (picks.length === size) break;
    const room = Math.min(size - picks.length, among.length);
    const stream = times === undefined ? rng : rng.fork(`picked ${times} times`);
    picks.push(...selectQueries(run.strategy, scores, candidates.length, room, stream, { distances, among }));
  }
  return picks.map(({ index, score, rank }) => {
    const seed = candidates[index];
    invariant(seed !== undefined, `pick ${index} lies outside the pool of ${candidates.length}`);
    return { seedId: seed.id, level: seed.level, score: score ?? null, rank: rank ?? null };
  });
}

/** Who may be picked, first come first: everybody, or, where repeats are avoided, first those picked least often so far. */
function turns(
  run: RunState,
  candidates: readonly Candidate[],
): readonly (readonly [times: number | undefined, among: readonly number[]])[] {
  const everybody = candidates.map((_, i) => i);
  if (run.config.query.repeats === "allowed") return [[undefined, everybody]];
  const times = new Map<string, number>();
  for (const { picks } of run.picks) for (const { seedId } of picks) times.set(seedId, (times.get(seedId) ?? 0) + 1);
  const of = (i: number): number => times.get(candidates[i]?.id ?? "") ?? 0;
  return [...new Set(everybody.map(of))]
    .sort((a, b) => a - b)
    .map((count) => [count, everybody.filter((i) => of(i) === count)]);
}

/** What the strategy compares candidates by; undefined for strategies that look at scores alone. Never stored: picks are. */
async function distancesBetween(
  run: RunState,
  round: number,
  candidates: readonly Candidate[],
  pool: readonly PoolItem[] | undefined,
): Promise<Distances | undefined> {
  const { embedding } = run.strategy;
  if (embedding === undefined) return undefined;
  const rows = candidates.map((seed, i) => {
    if (embedding.answer === "true") return rowOf(run.task, seed);
    const completion = pool?.[i]?.ownAnswer;
    invariant(completion !== undefined, `seed ${seed.id} has an own answer`);
    return { id: seed.id, prompt: run.task.prompt(seed.question), completion };
  });
  const signal = run.signal === undefined ? {} : { signal: run.signal };
  const compare = () => run.student.innerProducts(rows, embedding.kind, signal);
  const frozen = run.config.query.scores === "frozen" && round > 1;
  return distancesOf(await (frozen ? withBaseWeights(run, compare) : compare()), rows.length);
}

/** `work` with the student as it was at t = 0; then it is again what it was. */
async function withBaseWeights<R>(run: RunState, work: () => Promise<R>): Promise<R> {
  const now = await run.student.snapshot();
  await run.student.reset();
  try {
    return await work();
  } finally {
    await run.student.restore(now);
  }
}
