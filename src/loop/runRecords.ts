/** @file A stored run told again as records: what a page needs to show a run that another session computed. */
import type { LoopRecord } from "./records.ts";
import type { StoredRun } from "./runStore.ts";

/** Pools, picks, examples and summaries of the finished rounds, in order, then the interventions and changes of memory. What a resumed loop will yield itself is left out. */
export function finishedRecords(stored: StoredRun): LoopRecord[] {
  const rounds = stored.rounds.flatMap((summary): LoopRecord[] => [
    ...stored.pools.filter((pool) => pool.round === summary.round),
    ...stored.picks.filter((picks) => picks.round === summary.round),
    ...stored.examples
      .filter((example) => example.round === summary.round)
      .map((example): LoopRecord => ({ type: "example", example })),
    { type: "round", summary },
  ]);
  return [
    ...rounds,
    ...stored.interventions.map((intervention): LoopRecord => ({ type: "intervention", intervention })),
    ...stored.memoryChanges.map((change): LoopRecord => ({ type: "memory", change })),
  ];
}

/** The run as far as it is stored, from its run line on; a finished run ends with "done". */
export function storedRecords(stored: StoredRun): LoopRecord[] {
  const { manifest } = stored;
  const { runId, config, engine, student } = manifest;
  const reason = stored.rounds.at(-1)?.stop ?? null;
  return [
    { type: "run", runId, config, engine, student, resumedAtRound: stored.rounds.length },
    ...finishedRecords(stored),
    ...(reason === null ? [] : [{ type: "done" as const, rounds: stored.rounds.length - 1, reason }]),
  ];
}
