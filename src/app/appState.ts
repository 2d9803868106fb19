/** @file Everything the page shows, as one value. Changed only by actions (`controller.ts`), drawn by `shell/` and `views/`. What one view alone needs is a slice of its own (`slice.ts`). */
import type { CachedModel, DownloadProgress, PickedFolder } from "../hub/types.ts";
import type { PromptEdits } from "../teacher/config.ts";
import type { TeacherCheck } from "../teacher/types.ts";
import type { RaceInfo, RaceState } from "../protocol/loopService.ts";
import type { LaneState } from "./laneState.ts";
import { EMPTY_LANE } from "./laneState.ts";
import type { Problem } from "./problem.ts";
import type { Route } from "./route.ts";
import { parseRoute } from "./route.ts";
import { lanesOf } from "./settings.ts";
import type { SettingsDraft } from "./settings.ts";
import type { Sliced } from "./slice.ts";

/** Unfinished lanes of one race, found in storage. */
export interface StoredRace {
  readonly raceId: string;
  /** Another tab has it open. */
  readonly elsewhere: boolean;
  readonly runIds: readonly string[];
  /** That it connects to. */
  readonly origins: readonly string[];
  readonly createdAt: string;
  readonly lastRound: number;
  readonly rounds: number;
}

/** How long a race waits between two phases, for people to follow. */
export const PACES = {
  full: { label: "Full speed", pauseMs: 0 },
  follow: { label: "Pause 2 s a phase", pauseMs: 2000 },
  slow: { label: "Pause 6 s a phase", pauseMs: 6000 },
} as const;
export type Pace = keyof typeof PACES;

/** What the page waits for. */
export type Pending = "worker" | "engine" | "pause" | "stop" | "storage" | "teacher" | null;

export interface AppState extends Sliced {
  readonly route: Route;
  readonly draft: SettingsDraft;
  readonly lanes: readonly LaneState[];
  readonly laneProblems: readonly (Problem | null)[];
  /** The race open in the worker. */
  readonly race: RaceInfo | null;
  readonly raceState: RaceState;
  readonly pending: Pending;
  /** On the screen, in storage, not open in the worker. */
  readonly stored: StoredRace | null;
  /** Something failed, the page goes on. */
  readonly problem: Problem | null;
  /** The worker is gone. */
  readonly crash: Problem | null;
  readonly pace: Pace;
  readonly isolated: boolean;
  /** The user's token for the hub. Only here: neither stored nor in the address. */
  readonly hubToken: string;
  /** The chat teacher's key. Neither in the address nor in what runs store. */
  readonly teacherKey: string;
  /** The visitor chose to keep it in this browser. */
  readonly teacherKeyKept: boolean;
  /** The visitor's own prompts, by name; neither stored nor in the address, but in the runs made with them. */
  readonly teacherPrompts: PromptEdits;
  /** What Test teacher found; null before, and after a change of the teacher. */
  readonly teacherChecks: readonly TeacherCheck[] | null;
  /** The folder that was picked as student. */
  readonly folder: PickedFolder | null;
  /** The folder that was picked as the student's adapter. */
  readonly adapterFolder: PickedFolder | null;
  /** Models that this browser keeps; null before they were asked for. */
  readonly models: readonly CachedModel[] | null;
  /** A student is being fetched. */
  readonly download: DownloadProgress | null;
}

/** Lanes of which nothing has been heard. */
export function emptyLanes(count: number): Pick<AppState, "lanes" | "laneProblems"> {
  return {
    lanes: Array.from({ length: count }, () => EMPTY_LANE),
    laneProblems: Array.from({ length: count }, () => null),
  };
}

/** The page before anything happened. */
export function initialState(draft: SettingsDraft, isolated: boolean): AppState {
  return {
    route: parseRoute(""),
    slices: new Map(),
    draft,
    ...emptyLanes(lanesOf(draft).length),
    race: null,
    raceState: "idle",
    pending: "worker",
    stored: null,
    problem: null,
    crash: null,
    pace: "full",
    isolated,
    hubToken: "",
    teacherKey: "",
    teacherKeyKept: false,
    teacherPrompts: {},
    teacherChecks: null,
    folder: null,
    adapterFolder: null,
    models: null,
    download: null,
  };
}

/** The page without its run: what the visitor chose stays. */
export function withoutRun(state: AppState): AppState {
  const {
    route,
    slices,
    draft,
    isolated,

    pace,
    pending,
    hubToken,
    teacherKey,
    teacherKeyKept,
    teacherPrompts,
    teacherChecks,
    folder,
    adapterFolder,
    models,
  } = state;
  const teacher = { teacherKey, teacherKeyKept, teacherPrompts, teacherChecks };
  const chosen = { route, slices, pace, pending, hubToken, ...teacher, folder, adapterFolder, models };
  return { ...initialState(draft, isolated), ...chosen };
}

/** What the primary button does now; undefined while it can do nothing. */
export type PrimaryAction = "start" | "pause" | "resume";

/** The primary button's action and label. */
export function primaryAction(state: AppState): { readonly action: PrimaryAction | undefined; readonly label: string } {
  const { raceState, pending, crash, stored } = state;
  if (pending === "pause") return { action: undefined, label: "Pausing…" };
  if (pending !== null) return { action: undefined, label: pending === "engine" ? "Starting…" : "Start" };
  if (raceState === "running" || raceState === "stepping") return { action: "pause", label: "Pause" };
  if (crash !== null) return { action: undefined, label: "Resume" };
  if (stored !== null || raceState === "paused") return { action: "resume", label: "Resume" };
  if (raceState === "ready") return { action: "resume", label: "Start" };
  if (raceState === "done") return { action: "start", label: "Start again" };
  return { action: "start", label: "Start" };
}

/** Whether there is a run on the page that New run would put away. */
export function hasRun(state: AppState): boolean {
  return state.race !== null || state.stored !== null || state.lanes.some(({ run }) => run !== null);
}

/** A, B, C, D. */
export function laneLetter(index: number): string {
  return String.fromCharCode(65 + index);
}

/** The lanes to show: of the run, or those that the settings ask for. */
export function shownLanes(state: AppState): AppState["lanes"] {
  return hasRun(state) ? state.lanes : emptyLanes(lanesOf(state.draft).length).lanes;
}

/** The lanes' strategies: of the run, or of the settings before one. */
export function laneStrategies(state: AppState): readonly string[] {
  const planned = lanesOf(state.draft);
  return shownLanes(state).map(({ run }, index) => {
    const name = planned[index];
    return run?.config.strategy.name ?? (name === undefined ? "" : state.draft[name]);
  });
}

/** Names of the lanes; where several use one strategy, told apart by whether pairs are checked, or by a letter. */
export function laneLabels(state: AppState): readonly string[] {
  const names = laneStrategies(state);
  const checks = shownLanes(state).map(
    ({ run }, index) =>
      run?.config.verification ?? (state.draft.verification === "compare" && index === 0 ? "off" : ""),
  );
  return names.map((name, index) => {
    const same = names.flatMap((other, lane) => (other === name ? [lane] : []));
    if (same.length < 2) return name;
    // Lanes that differ in this alone are called by it.
    const alike = same.filter((lane) => (checks[lane] === "off") === (checks[index] === "off"));
    if (alike.length === 1) return `${name}, ${checks[index] === "off" ? "unchecked" : "checked"}`;
    return `${name} (${laneLetter(index)})`;
  });
}
