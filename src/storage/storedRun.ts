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
    interventions: entries.filter((entry) => entry.type === "intervention").map((entry) => entry.intervention),
    memoryChanges: entries.filter((entry) => entry.type === "memory").map((entry) => entry.change),
    rounds: entries.filter((entry) => entry.type === "round").map((entry) => entry.summary),
    checkpoint,
  };
}

/** The entries that make the run, in an order that `storedRunOf` reads back as the same. */
export function entriesOf(run: StoredRun): RunEntry[] {
  return [
    ...run.pools,
    ...run.picks,
    ...run.replies.map((reply) => ({ type: "reply" as const, reply })),
    ...run.examples.map((example) => ({ type: "example" as const, example })),
    ...run.interventions.map((intervention) => ({ type: "intervention" as const, intervention })),
    ...run.memoryChanges.map((change) => ({ type: "memory" as const, change })),
    ...run.rounds.map((summary) => ({ type: "round" as const, summary })),
  ];
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

/** What a list says of a run besides its manifest and label. */
export interface RunProgress extends LastRound {
  readonly checkpointBytes: number;
}

/** Progress of a whole run. */
export function progressOf({ rounds, checkpoint }: StoredRun): RunProgress {
  const last = rounds.at(-1);
  return {
    ...(last === undefined ? NO_ROUND : lastRoundOf(last)),
    checkpointBytes: checkpoint === undefined ? 0 : bytesOf(checkpoint),
  };
}

/** Bytes of a checkpoint's parameters. */
export function bytesOf({ parameters }: Checkpoint): number {
  return [...parameters.values()].reduce((sum, values) => sum + values.byteLength, 0);
}

/** The list line of a run. */
export function headerOf(
  manifest: RunManifest,
  { lastRound, accuracy, endedEarly, checkpointBytes }: RunProgress,
  { label, elsewhere = false }: { readonly label?: string | undefined; readonly elsewhere?: boolean } = {},
): RunHeader {
  const finished = endedEarly || lastRound >= manifest.config.rounds;
  return {
    manifest,
    lastRound,
    accuracy,
    finished,
    checkpointBytes,
    elsewhere,
    ...(label === undefined ? {} : { label }),
  };
}

/** Newest first; ids break ties. */
export function byAge(a: RunHeader, b: RunHeader): number {
  const [x, y] = [a.manifest, b.manifest];
  if (x.createdAt !== y.createdAt) return x.createdAt < y.createdAt ? 1 : -1;
  return x.runId < y.runId ? -1 : 1;
}
