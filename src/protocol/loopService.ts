/**
 * @file What crosses the boundary between the page and the loop worker: one
 * interface and the plain-JSON types of its arguments, results and events.
 * Implemented by `loop/service.ts`, reached through `protocol/client.ts`.
 */
import type { CachedModel, DownloadProgress, PickedFolder } from "../hub/types.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import type { LoopRecord } from "../loop/records.ts";
import type { DataFiles, RunHeader } from "../loop/runStore.ts";
import type { EngineInfo, ExecutionProvider } from "../runtime/types.ts";
import type { StudentFormat } from "../student/types.ts";
import type { CustomSettings, DataInspection } from "../tasks/custom/settings.ts";
import type { TeacherCheck } from "../teacher/types.ts";
import type { WireError } from "./errors.ts";

/** One execution provider as this machine has it. */
export interface ProviderStatus {
  readonly ep: ExecutionProvider;
  readonly available: boolean;
  /** Why it is not available, or what is to be known about it. */
  readonly reason?: string;
}

export interface RaceOptions {
  /** "auto": the best that passes its self-test; `EngineInfo.fallbackReason` says why not a better one. */
  readonly ep: ExecutionProvider | "auto";
  /** Score and show the pool of every lane, also of strategies that need no scores. Never changes what is picked or trained. */
  readonly showPool: boolean;
  /** Of the user, for private and gated models on the hub. Neither stored nor shown. */
  readonly hubToken?: string;
  /** The chat teacher's. Sent to the teacher alone, neither stored nor shown. */
  readonly teacherKey?: string;
  /** The folder that experiments mean by the student `folder:NAME`. */
  readonly folder?: PickedFolder;
}

export interface RaceRequest extends RaceOptions {
  /** One experiment per lane, checked by `parseExperimentConfig`. */
  readonly lanes: readonly unknown[];
}

export interface LaneInfo {
  readonly lane: number;
  readonly runId: string;
  readonly config: ExperimentConfig;
  readonly student: { readonly name: string; readonly parameters: number; readonly trainable: number };
  /** First round this session computes; 0 for a new run. */
  readonly resumedAtRound: number;
}

export interface RaceInfo {
  readonly raceId: string;
  readonly engine: EngineInfo;
  readonly lanes: readonly LaneInfo[];
}

/** idle: no race; ready: created, not running; done: every lane ended. */
export type RaceState = "idle" | "ready" | "running" | "stepping" | "paused" | "done";

/** Lanes' records and changes of state, in the order they happened. */
export type LoopEvent =
  | { readonly type: "record"; readonly lane: number; readonly record: LoopRecord }
  | { readonly type: "state"; readonly state: RaceState }
  /** A student is being fetched, while a race is opened. */
  | { readonly type: "download"; readonly progress: DownloadProgress }
  /** A lane that ended with an error; the others go on. */
  | { readonly type: "lane-failed"; readonly lane: number; readonly error: WireError };

export type StepUnit = "phase" | "round";

export interface AskRequest {
  readonly lane: number;
  /** A question of the lane's task; the task's prompt is put around it. */
  readonly question: string;
  readonly maxNewTokens?: number;
  /** 0, the default, is greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  /** For temperature > 0; 0 by default. */
  readonly seed?: number;
}

export interface AskReply {
  readonly prompt: string;
  readonly completion: string;
  readonly tokens: number;
  readonly finishReason: "stop" | "length";
}

export interface TestTeacherRequest {
  /** Checked by `parseExperimentConfig`; its task, seed and teacher are used. */
  readonly experiment: unknown;
  readonly teacherKey?: string;
}

/** The loop worker as the page sees it. Every method may reject with a `TutelageError`. */
export interface LoopService {
  /** Answers at once whenever the worker's event loop turns: the heartbeat. */
  ping(): Promise<void>;
  providers(): Promise<readonly ProviderStatus[]>;
  /** Opens engine, students and stores for new runs, after ending the race before. Nothing is computed yet. */
  createRace(request: RaceRequest): Promise<RaceInfo>;
  /** The same for stored runs, one lane each; their records so far are sent again first. */
  resumeRace(runIds: readonly string[], options: RaceOptions): Promise<RaceInfo>;
  /** Runs until `pause`, `stop` or the end. Resolves at once. */
  start(): Promise<void>;
  /** Resolves when nothing computes any more. */
  pause(): Promise<void>;
  /** Every lane takes one phase or one round; resolves when they have. */
  step(unit: StepUnit): Promise<void>;
  /** Ends the race, aborting what runs (a download too), and releases engine and students. The runs stay stored. */
  stop(): Promise<void>;
  /** Sends every event from now on, in batches (about 20 a second at most). A second subscriber replaces the first. */
  subscribe(listener: (batch: readonly LoopEvent[]) => void | Promise<void>): Promise<void>;
  /** Generates with a lane's student as it is now; between two pulls of the loop, so also while running. */
  ask(request: AskRequest): Promise<AskReply>;
  /** One call of each kind to the teacher of `request.experiment`. What the teacher does wrong is in the result. */
  testTeacher(request: TestTeacherRequest): Promise<readonly TeacherCheck[]>;
  /** Zip archive of a lane's student as it is now, its adapter merged in; between two pulls of the loop, so also while running. */
  packStudent(lane: number, format: StudentFormat): Promise<Uint8Array>;
  /** Keeps data files of the user's own; returns the hash that experiments name them by (`task.data.digest`). @throws bad-input for files that are no tables. */
  addData(files: DataFiles): Promise<string>;
  /** Looks over kept data files: columns, wrong rows, how some gold answers are read. */
  inspectData(digest: string, settings: CustomSettings): Promise<DataInspection>;
  runs(): Promise<readonly RunHeader[]>;
  /** A stored run as records, without opening an engine. */
  runRecords(runId: string): Promise<readonly LoopRecord[]>;
  /** Removes a run, and data files that no other run needs. */
  deleteRun(runId: string): Promise<void>;
  /** Students that were fetched from the hub. */
  models(): Promise<readonly CachedModel[]>;
  deleteModel(id: string, commit: string): Promise<void>;
}

/** The interface's methods by name, complete: the compiler refuses a missing one. */
export const LOOP_SERVICE_METHODS = Object.keys({
  ping: true,
  providers: true,
  createRace: true,
  resumeRace: true,
  start: true,
  pause: true,
  step: true,
  stop: true,
  subscribe: true,
  ask: true,
  testTeacher: true,
  packStudent: true,
  addData: true,
  inspectData: true,
  runs: true,
  runRecords: true,
  deleteRun: true,
  models: true,
  deleteModel: true,
} satisfies Record<keyof LoopService, true>) as readonly (keyof LoopService)[];
