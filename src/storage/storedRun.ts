/** @file A stored run put together from its entries; shared by the stores. */
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

/** The list line of a run. */
export function headerOf(manifest: RunManifest, lastRound: number, accuracy: number | null): RunHeader {
  return { manifest, lastRound, accuracy, finished: lastRound >= manifest.config.rounds };
}

/** Newest first; ids break ties. */
export function byAge(a: RunHeader, b: RunHeader): number {
  const [x, y] = [a.manifest, b.manifest];
  if (x.createdAt !== y.createdAt) return x.createdAt < y.createdAt ? 1 : -1;
  return x.runId < y.runId ? -1 : 1;
}
