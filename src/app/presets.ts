/**
 * @file Settings ready made. Each is a change to the default; applying one keeps what
 * belongs to the machine (the engine). What a preset costs in time is measured by the
 * page, not promised here.
 */
import { TASK_DEFAULTS } from "../loop/defaults.ts";
import type { SettingsDraft } from "./settings.ts";
import { DEFAULT_DRAFT } from "./settings.ts";

export interface Preset {
  readonly id: string;
  readonly title: string;
  /** What it is for, in one sentence. */
  readonly about: string;
  readonly change: Partial<SettingsDraft>;
}

/** A race in which it shows which seeds are picked (EXPERIMENTS.md). */
export const RARE_KIND = {
  task: "algebra",
  mixture: "rare",
  pool: "100",
  heldOut: "150",
  rounds: "2",
  querySize: "10",
  perSeed: "20",
  epochs: "4",
  learningRate: "0.0005",
} as const satisfies Partial<SettingsDraft>;

export const PRESETS: readonly Preset[] = [
  {
    id: "quick",
    title: "Quick demo",
    about:
      "A small pool, a short test, two short rounds: to see the loop turn. Too few test questions to compare strategies.",
    change: { pool: "60", heldOut: "60", rounds: "2", querySize: "20", perSeed: "2" },
  },
  { id: "default", title: "Default", about: "The loop's own default: three rounds of 200 pairs a lane.", change: {} },
  {
    id: "rare",
    title: "A rare kind",
    about:
      "Algebra, where one seed in ten is told in words, which the student cannot read, and the test asks in words alone: what the picks are is what it learns.",
    change: RARE_KIND,
  },
  {
    id: "paper",
    title: "Like the paper",
    about:
      "One new question per seed, a fresh start from the base weights each round, no replay, no verification; sizes scaled to the tab.",
    change: {
      rounds: "5",
      querySize: "100",
      perSeed: "1",
      restart: "restart",
      accumulate: "all",
      replay: "0",
      verification: "off",
      heldOut: "400",
    },
  },
  {
    id: "noisy",
    title: "Noisy teacher",
    about: "The teacher errs in 40 % of its items; both lanes pick by chance, and only the second lane checks.",
    change: { errorRate: "0.4", verification: "compare", strategyA: "random", strategyB: "random" },
  },
  {
    id: "careful",
    title: "Careful measurement",
    about: "A thousand test questions: narrower intervals, slower rounds.",
    change: { heldOut: "1000", rounds: "4" },
  },
  {
    id: "algebra",
    title: "Algebra",
    about:
      "Another task with a student of its own, which needs more: 16 new questions per seed. Rounds take some minutes.",
    change: { task: "algebra", ...draftOfTask("algebra") },
  },
];

/** What the default experiment of a task has otherwise, as typed. */
function draftOfTask(task: string): Partial<SettingsDraft> {
  const { rounds, querySize, perSeed } = TASK_DEFAULTS[task] ?? {};
  const typed = Object.entries({ rounds, querySize, perSeed }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return Object.fromEntries(typed) as Partial<SettingsDraft>;
}

/** The preset that a draft is, apart from the engine; undefined for settings of one's own. */
export function presetOf(draft: SettingsDraft): Preset | undefined {
  return PRESETS.find(({ change }) => {
    const ready = applyPreset(change, draft);
    return (Object.keys(ready) as (keyof SettingsDraft)[]).every((name) => ready[name] === draft[name]);
  });
}

/** The default with `change`, on the engine of `before`. */
export function applyPreset(change: Preset["change"], before: SettingsDraft): SettingsDraft {
  return { ...DEFAULT_DRAFT, ...change, provider: before.provider };
}
