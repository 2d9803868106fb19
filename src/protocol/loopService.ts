/**
 * @file What crosses the boundary between the page and the loop worker: one
 * interface and the plain-JSON types of its arguments, results and events.
 * Implemented by `loop/service.ts`, reached through `protocol/client.ts`.
 */
import type { CachedModel, DownloadProgress, PickedFolder } from "../hub/types.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import type { Intervention, LoopRecord, Phase, RoundSummary, SyntheticExample } from "../loop/records.ts";
import type { DataFiles, RunHeader } from "../loop/runStore.ts";
import type { EngineInfo, EngineMemory, ExecutionProvider } from "../runtime/types.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { ChosenToken, StudentFormat, TokenLoss, TrainingNeeds } from "../student/types.ts";
import type { CustomSettings, DataInspection } from "../tasks/custom/settings.ts";
import type { PromptEdits } from "../teacher/config.ts";
import type { ImportedReplies, PromptsView, TeacherCheck, TeacherEstimate } from "../teacher/types.ts";
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
  /** The one that they mean by the adapter `folder:NAME`. */
  readonly adapterFolder?: PickedFolder;
}

/** What of it students and adapters are opened with. */
export type StudentOptions = Pick<RaceOptions, "ep" | "hubToken" | "folder" | "adapterFolder">;

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
  /** What students say, while `talk` is under way. */
  | { readonly type: "talk"; readonly id: number; readonly event: TalkEvent }
  /** A student is being fetched, while a race is opened. */
  | { readonly type: "download"; readonly progress: DownloadProgress }
  /** A lane that ended with an error; the others go on. */
  | { readonly type: "lane-failed"; readonly lane: number; readonly error: WireError };

/** Takes some records; a returned promise is waited for. */
export type TakeRecords = (records: readonly LoopRecord[]) => void | Promise<void>;

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

/** Whose students are asked: those of the open race, of stored runs, or an experiment's, which nobody has taught. */
export type TalkPartners =
  | { readonly of: "race" }
  | { readonly of: "runs"; readonly runIds: readonly string[] }
  | { readonly of: "experiment"; readonly experiment: unknown };

export interface TalkRequest extends StudentOptions {
  /** Named by every event of this talk. */
  readonly id: number;
  readonly partners: TalkPartners;
  /** A question of the task; the task's prompt is put around it. */
  readonly question: string;
  /** The experiment's by default. */
  readonly maxNewTokens?: number;
  /** 0, the default, is greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  /** For temperature > 0; 0 by default. */
  readonly seed?: number;
}

/** One that answers: untouched weights, or those of a lane. */
export interface TalkSpeaker {
  /** Undefined: the untouched student. */
  readonly lane?: number;
  readonly runId?: string;
  readonly strategy?: string;
  /** Rounds it was trained for; where `phase` is "train" it is in the middle of the next. */
  readonly rounds: number;
  readonly phase?: Phase;
}

/** What the task's checker says of an answer, by its own solution or by the data's. */
export interface TalkVerdict {
  readonly correct: boolean;
  readonly expected: string;
  readonly got: string | null;
  readonly reason: string;
  readonly source: "solver" | "data";
}

export interface TalkAnswer {
  readonly completion: string;
  readonly tokens: number;
  readonly finishReason: "stop" | "length" | "stopped";
  /** Null where the right answer cannot be known, and for an answer that was stopped. */
  readonly verdict: TalkVerdict | null;
}

/** In the order in which things happen; `speaker` counts the speakers. */
export type TalkEvent =
  | { readonly kind: "speakers"; readonly speakers: readonly TalkSpeaker[] }
  /** Queued: the race takes its step first. */
  | { readonly kind: "waiting"; readonly speaker: number }
  | { readonly kind: "begins"; readonly speaker: number; readonly prompt: string }
  | { readonly kind: "token"; readonly speaker: number; readonly token: ChosenToken }
  | { readonly kind: "answer"; readonly speaker: number; readonly answer: TalkAnswer };

/** A question that was never trained on, to ask a student. */
export interface SampleQuestion {
  readonly question: string;
  readonly answer: string;
  readonly level: string;
}

/** What the student made of a seed in one round; absent where it was not looked at. */
export interface SeedState {
  readonly ownLoss?: number;
  readonly trueLoss?: number;
  readonly correct?: boolean;
}

/** A synthetic pair as a row of a table. */
export interface PairRow {
  /** As teacher and verification made it. */
  readonly made: SyntheticExample;
  /** As people left it. */
  readonly now: SyntheticExample;
  /** Null where no pool was kept. */
  readonly seed: { readonly question: string; readonly answer: string; readonly level: string } | null;
  /** The seed when it was picked. */
  readonly before: SeedState | null;
  /** The seed a round later, after training on the pair. */
  readonly after: SeedState | null;
  /** The last decision by hand. */
  readonly intervention?: Intervention;
}

/** What a person wants done with a pair. */
export type PairChange =
  | { readonly action: "reject"; readonly reason?: string }
  | { readonly action: "edit"; readonly question: string; readonly answer: string }
  | { readonly action: "restore" };

export interface PackRunRequest extends StudentOptions {
  readonly runId: string;
  readonly format: StudentFormat;
}

/** An answer of a lane's task to look at token by token. */
export interface TokenLossRequest {
  readonly lane: number;
  readonly question: string;
  readonly answer: string;
}

export interface PoolMapRequest {
  readonly lane: number;
  /** At least three. */
  readonly rows: readonly { readonly id: string; readonly question: string; readonly answer: string }[];
}

/** Seeds by the student's hidden states over the worked answer, on their first two principal components. */
export interface PoolMap {
  readonly places: readonly { readonly id: string; readonly x: number; readonly y: number }[];
  /** Share of the variance along x and y when the axes were fixed, 0…1. */
  readonly explained: readonly [number, number];
  /** Of the hidden states. */
  readonly dimensions: number;
}

/** What computes and what it holds, for people and reports of faults. */
export interface EngineStatus {
  readonly providers: readonly ProviderStatus[];
  /** Of the open race; absent without one. */
  readonly engine?: EngineInfo;
  /** Device tensors and sessions that are open. */
  readonly live?: { readonly tensors: number; readonly bytes: number; readonly sessions: number };
  readonly memory?: EngineMemory;
  /** Pieces of work that run on the engine or wait for it. */
  readonly queue: number;
  /** Of the first lane, with its seeds' worked answers as rows; absent for students without graphs. */
  readonly needs?: TrainingNeeds;
}

/** Memory of one lane's training, estimated from its graphs before anything is opened. */
export interface MemoryForecast {
  readonly ep: ExecutionProvider;
  readonly parameters: number;
  /** By cause, and in all. */
  readonly bytes: MemoryBytes;
  /** Activations are computed twice to save memory. */
  readonly gradientCheckpointing: boolean;
}

/** Bytes by cause. */
export interface MemoryBytes {
  readonly weights: number;
  readonly trainable: number;
  readonly moments: number;
  readonly gradients: number;
  readonly activations: number;
  readonly logits: number;
  readonly runtime: number;
  readonly total: number;
}

export interface TestTeacherRequest {
  /** Checked by `parseExperimentConfig`; its task, seed and teacher are used. */
  readonly experiment: unknown;
  readonly teacherKey?: string;
}

/** The loop worker as the page sees it. Every method may reject with a `TutelageError`. */
/** Runs as one file. */
export interface ExportedRuns {
  readonly archive: Uint8Array;
  /** Names of the data files in it. */
  readonly dataFiles: readonly string[];
}

export interface LoopService {
  /** Answers at once whenever the worker's event loop turns: the heartbeat. */
  ping(): Promise<void>;
  providers(): Promise<readonly ProviderStatus[]>;
  /** Opens engine, students and stores for new runs, after ending the race before. Nothing is computed yet. */
  createRace(request: RaceRequest): Promise<RaceInfo>;
  /**
   * The same for stored runs, one lane each; their records so far are sent again first. `memory`, by run: how it is
   * computed from here on. @throws bad-input for such settings that would make other steps.
   */
  resumeRace(
    runIds: readonly string[],
    options: RaceOptions,
    memory?: Readonly<Record<string, MemorySettings>>,
  ): Promise<RaceInfo>;
  /** Runs until `pause`, `stop` or the end. Resolves at once. */
  start(): Promise<void>;
  /** Resolves when nothing computes any more. */
  pause(): Promise<void>;
  /** Every lane takes one phase or one round; resolves when they have. */
  step(unit: StepUnit): Promise<void>;
  /** Waits so long, in ms, whenever all lanes have ended a phase, so that people can follow; 0, the default, not at all. Holds for later races too. */
  setPace(pauseMs: number): Promise<void>;
  /** What computes and what it holds, now. */
  engineStatus(): Promise<EngineStatus>;
  /** Ends the race, aborting what runs (a download too), and releases engine and students. The runs stay stored. */
  stop(): Promise<void>;
  /** Sends every event from now on, in batches (about 20 a second at most). A second subscriber replaces the first. */
  subscribe(listener: (batch: readonly LoopEvent[]) => void | Promise<void>): Promise<void>;
  /** Losses of an answer's tokens under a lane's student as it is now; between two pulls of the loop, so also while running. */
  tokenLosses(request: TokenLossRequest): Promise<readonly TokenLoss[]>;
  /** Places of seeds under a lane's student as it is now. The axes are fixed by a race's first call, for all its lanes. */
  mapPool(request: PoolMapRequest): Promise<PoolMap>;
  /** Generates with a lane's student as it is now; between two pulls of the loop, so also while running. */
  ask(request: AskRequest): Promise<AskReply>;
  /**
   * Puts a question to the untouched student and to every taught one, one after another; what they say comes as events
   * as they say it. While a race runs its steps take turns with the answers. A second talk ends the first.
   */
  talk(request: TalkRequest): Promise<readonly TalkAnswer[]>;
  /** Ends the talk under way; what was said stays. */
  stopTalk(): Promise<void>;
  /** Questions of the experiment's validation split. */
  sampleQuestions(experiment: unknown, count: number): Promise<readonly SampleQuestion[]>;
  /** One call of each kind to the teacher of `request.experiment`. What the teacher does wrong is in the result. */
  testTeacher(request: TestTeacherRequest): Promise<readonly TeacherCheck[]>;
  /** What the lanes of `experiments` would ask of their chat teacher in all; null for a teacher that costs nothing. Asks nobody. */
  estimateTeacher(experiments: readonly unknown[]): Promise<TeacherEstimate | null>;
  /** The prompts of a task with `edits` in place of its own. */
  prompts(task: string, edits: PromptEdits): Promise<PromptsView>;
  /** Every kept reply of teachers as one file: a JSON object a line, as the terminal's cache. */
  exportReplies(): Promise<string>;
  importReplies(text: string): Promise<ImportedReplies>;
  /** Zip archive of a lane's student as it is now, its adapter merged in; between two pulls of the loop, so also while running. */
  packStudent(lane: number, format: StudentFormat): Promise<Uint8Array>;
  /** What training an experiment's student will need of memory on `ep`, by cause; null for a student that is not at hand. @throws out-of-memory with what would fit. */
  forecastMemory(experiment: unknown, ep: ExecutionProvider): Promise<MemoryForecast | null>;
  /** Keeps data files of the user's own; returns the hash that experiments name them by (`task.data.digest`). @throws bad-input for files that are no tables. */
  addData(files: DataFiles): Promise<string>;
  /** Looks over kept data files: columns, wrong rows, how some gold answers are read. */
  inspectData(digest: string, settings: CustomSettings): Promise<DataInspection>;
  /** The same of a stored run, opened for it where it is in no open race. */
  packRun(request: PackRunRequest): Promise<Uint8Array>;
  runs(): Promise<readonly RunHeader[]>;
  /** Tells a stored run as records without opening an engine: in order and in parts, the next when `take` is done with one. */
  tellRecords(runId: string, take: TakeRecords): Promise<void>;
  /** Removes a run, and data files that no other run needs. */
  deleteRun(runId: string): Promise<void>;
  /** Names runs; "" takes the name away. */
  labelRuns(runIds: readonly string[], label: string): Promise<void>;
  /** Finished rounds of a stored run. */
  runRounds(runId: string): Promise<readonly RoundSummary[]>;
  /** Every synthetic pair of a stored run. */
  runPairs(runId: string): Promise<readonly PairRow[]>;
  /** Records a decision about a pair; it holds from the run's next training on. */
  changePair(runId: string, exampleId: string, change: PairChange): Promise<Intervention>;
  /** One file with the runs as they are now, and the data files of the user's own that are here. */
  exportRuns(runIds: readonly string[]): Promise<ExportedRuns>;
  /** Keeps the runs of an exported file, all or none; returns their ids. */
  importRuns(archive: Uint8Array): Promise<readonly string[]>;
  /** Zip archive of a run's accepted pairs as a data set with its card. */
  packDataset(runId: string): Promise<Uint8Array>;
  /** Settings, versions and decisions by hand, as JSON. */
  runManifest(runId: string): Promise<string>;
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
  setPace: true,
  engineStatus: true,
  stop: true,
  subscribe: true,
  tokenLosses: true,
  mapPool: true,
  ask: true,
  talk: true,
  stopTalk: true,
  sampleQuestions: true,
  testTeacher: true,
  estimateTeacher: true,
  prompts: true,
  exportReplies: true,
  importReplies: true,
  packStudent: true,
  packRun: true,
  forecastMemory: true,
  addData: true,
  inspectData: true,
  runs: true,
  tellRecords: true,
  deleteRun: true,
  labelRuns: true,
  runRounds: true,
  runPairs: true,
  changePair: true,
  exportRuns: true,
  importRuns: true,
  packDataset: true,
  runManifest: true,
  models: true,
  deleteModel: true,
} satisfies Record<keyof LoopService, true>) as readonly (keyof LoopService)[];
