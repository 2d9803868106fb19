/** @file Kept runs as races: lanes that were begun together belong together. Pure. */
import type { RunHeader } from "../../../loop/runStore.ts";

/** The lanes of one race, or a run of its own. */
export interface KeptRace {
  /** The race's id, or the run's. */
  readonly key: string;
  /** In the order of the lanes. */
  readonly lanes: readonly RunHeader[];
  readonly label: string | undefined;
  readonly createdAt: string;
  readonly rounds: number;
  /** Of the lane that is furthest behind; −1 before round 0. */
  readonly lastRound: number;
  readonly finished: boolean;
  /** Another tab has it open. */
  readonly elsewhere: boolean;
  readonly checkpointBytes: number;
}

/** Races in the order of their newest run. */
export function groupRuns(runs: readonly RunHeader[]): readonly KeptRace[] {
  const groups = new Map<string, RunHeader[]>();
  for (const run of runs) {
    const key = run.manifest.race?.id ?? run.manifest.runId;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups].flatMap(([key, members]): KeptRace[] => {
    const lanes = members.toSorted((a, b) => (a.manifest.race?.lane ?? 0) - (b.manifest.race?.lane ?? 0));
    const [first] = lanes;
    if (first === undefined) return [];
    return [
      {
        key,
        lanes,
        label: first.label,
        createdAt: first.manifest.createdAt,
        rounds: first.manifest.config.rounds,
        lastRound: Math.min(...lanes.map(({ lastRound }) => lastRound)),
        finished: lanes.every(({ finished }) => finished),
        elsewhere: lanes.some(({ elsewhere }) => elsewhere),
        checkpointBytes: lanes.reduce((sum, { checkpointBytes }) => sum + checkpointBytes, 0),
      },
    ];
  });
}

/** What a race is called: its name, or its task and strategies. */
export function titleOf({ label, lanes }: KeptRace): string {
  return label ?? settingsOf(lanes);
}

/** `word-problems: random, own-loss`. */
export function settingsOf(lanes: readonly RunHeader[]): string {
  return `${taskOf(lanes)}: ${lanes.map(({ manifest }) => manifest.config.strategy.name).join(", ")}`;
}

/** What a race is called where its strategies are named too: its name, or task and date. */
export function shortTitle({ label, lanes, createdAt }: KeptRace): string {
  return label ?? `${taskOf(lanes)}, ${dateText(createdAt)}`;
}

/** The task's name; of the user's own data the file's. */
function taskOf(lanes: readonly RunHeader[]): string {
  const task = lanes[0]?.manifest.config.task;
  return task?.data?.pool ?? task?.name ?? "";
}

/** A date as the reader's machine writes it. */
export function dateText(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "at an unknown time";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
