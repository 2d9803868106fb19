/** @file A stored run put together from its entries; shared by the stores. */
import type { RoundSummary } from "../loop/records.ts";
import type { Checkpoint, RunEntry, RunHeader, RunManifest, StoredRun } from "../loop/runStore.ts";

/** The run that entries in order of arrival make. */
export function storedRunOf(
  manifest: RunManifest,
  entries: readonly RunEntry[],
  checkpoint: Checkpoint | undefined,
): StoredRun {
  return {
    manifest,
    pools: entries.filter((entry) => entry.type === "pool"),
    picks: entries.filter((entry) => entry.type === "picks"),
    replies: entries.filter((entry) => entry.type === "reply").map((entry) => entry.reply),
    examples: entries.filter((entry) => entry.type === "example").map((entry) => entry.example),
    rounds: entries.filter((entry) => entry.type === "round").map((entry) => entry.summary),
    checkpoint,
  };
}

/** What a list says of a run's last finished round. */
export interface LastRound {
  readonly lastRound: number;
  readonly accuracy: number | null;
  /** The run ended there, before all its rounds. */
  readonly endedEarly: boolean;
}

/** Of a run without a finished round. */
export const NO_ROUND: LastRound = { lastRound: -1, accuracy: null, endedEarly: false };

/** What a list says after a round. */
export function lastRoundOf({ round, evaluation, stop }: RoundSummary): LastRound {
  return { lastRound: round, accuracy: evaluation.accuracy, endedEarly: stop !== null && stop !== "rounds" };
}

/** The list line of a run. */
export function headerOf(manifest: RunManifest, { lastRound, accuracy, endedEarly }: LastRound): RunHeader {
  return { manifest, lastRound, accuracy, finished: endedEarly || lastRound >= manifest.config.rounds };
}

/** Newest first; ids break ties. */
export function byAge(a: RunHeader, b: RunHeader): number {
  const [x, y] = [a.manifest, b.manifest];
  if (x.createdAt !== y.createdAt) return x.createdAt < y.createdAt ? 1 : -1;
  return x.runId < y.runId ? -1 : 1;
}
