/**
 * @file Where a run is kept so that it survives a crash: the interface between
 * the loop and `storage/` (IndexedDB in the tab, a folder in Node, memory in
 * tests). Law: an entry or checkpoint that was awaited is there after a crash; a
 * checkpoint is there whole or not at all. Not here: any implementation.
 */
import type { EngineInfo } from "../runtime/types.ts";
import type { StepRecord } from "../student/types.ts";
import type { ModelDescription, TeacherUsage } from "../teacher/types.ts";
import type { DroppedQuestions } from "./checkRows.ts";
import type { ExperimentConfig } from "./config.ts";
import type { Intervention, LoopRecord, MemoryChange, PoolItem, RoundSummary, SyntheticExample } from "./records.ts";

/** Version of everything a run stores; a store refuses to load a newer one. */
export const RUN_SCHEMA_VERSION = 1;

/** What a run was started with. Written once. */
export interface RunManifest {
  readonly schemaVersion: typeof RUN_SCHEMA_VERSION;
  readonly runId: string;
  /** ISO 8601; depends on the clock. */
  readonly createdAt: string;
  /** Of Tutelage. */
  readonly version: string;
  readonly config: ExperimentConfig;
  readonly engine: EngineInfo;
  readonly student: { readonly name: string; readonly parameters: number; readonly trainable: number };
  /** Of a run that drops questions too long for its student: which ones, also where there were none. */
  readonly dropped?: DroppedQuestions;
  /** Prompts of a chat teacher: `sha256` of everything they say. */
  readonly prompts?: { readonly name: string; readonly version: number; readonly sha256: string };
  /** A teacher that is a model run here: on what, and why not on WebGPU. */
  readonly teacherModel?: ModelDescription;
  /** The race this run is a lane of. */
  readonly race?: { readonly id: string; readonly lane: number };
}

/** Which of an item's teacher calls: two, or one for both; or the judgement of a seed's answers. */
export type TeacherCallName = "propose" | "answer" | "pair" | "judge";

/** One teacher call that came back, well or badly. Never asked again. */
export interface StoredReply {
  readonly round: number;
  /** Id of the synthetic example, or of the judgement, that the call belongs to. */
  readonly id: string;
  readonly call: TeacherCallName;
  readonly outcome:
    /** Of `pair` the text is the question; of `judge` the two scores with a space between. */
    | { readonly ok: true; readonly text: string; readonly answer?: string; readonly level?: string }
    /** `budget`: never sent, a ceiling was reached. */
    | { readonly ok: false; readonly message: string; readonly budget?: true };
  readonly usage: TeacherUsage;
}

export type StoredPicks = Extract<LoopRecord, { readonly type: "picks" }>;
export type StoredPool = Extract<LoopRecord, { readonly type: "pool" }>;

/** Everything a running loop appends, in the order it happens. */
export type RunEntry =
  | { readonly type: "pool"; readonly round: number; readonly items: readonly PoolItem[] }
  | StoredPicks
  | { readonly type: "reply"; readonly reply: StoredReply }
  | { readonly type: "example"; readonly example: SyntheticExample }
  | { readonly type: "intervention"; readonly intervention: Intervention }
  | { readonly type: "memory"; readonly change: MemoryChange }
  | { readonly type: "round"; readonly summary: RoundSummary };

/** The student at the end of a round's training, before its evaluation. */
export interface Checkpoint {
  readonly schemaVersion: typeof RUN_SCHEMA_VERSION;
  readonly round: number;
  /** Synthetic pairs (ids) and replayed seeds the round trained on, in order. */
  readonly exampleIds: readonly string[];
  /** The round's optimizer steps: a resumed run shows them without taking them again. */
  readonly steps: readonly StepRecord[];
  /** Trainable parameters by name. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

/** A run as it was found. Entries are in the order they were appended. */
export interface StoredRun {
  readonly manifest: RunManifest;
  readonly pools: readonly StoredPool[];
  readonly picks: readonly StoredPicks[];
  readonly replies: readonly StoredReply[];
  readonly examples: readonly SyntheticExample[];
  readonly interventions: readonly Intervention[];
  readonly memoryChanges: readonly MemoryChange[];
  readonly rounds: readonly RoundSummary[];
  readonly checkpoint: Checkpoint | undefined;
}

/** One run's place in a store. All methods may be called concurrently. @throws TutelageError quota, unsupported (newer schema), bad-input (damaged data). */
export interface RunStore {
  readonly runId: string;
  /** Writes the manifest. @throws bad-input when the run exists already. */
  create(manifest: RunManifest): Promise<void>;
  /** The run as stored, or undefined when `create` never finished. */
  load(): Promise<StoredRun | undefined>;
  append(entry: RunEntry): Promise<void>;
  /** Replaces the last checkpoint: whole, or not at all. Borrows the parameters. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** Gives the run free for others; idempotent. */
  close(): Promise<void>;
}

/** Texts of data files of the user's own, by split. */
export interface DataFiles {
  readonly pool: DataFile;
  readonly validation?: DataFile;
  readonly test?: DataFile;
}

export interface DataFile {
  readonly name: string;
  readonly text: string;
}

/** Where data files are kept, by the hash of their content. */
export interface DataStore {
  get(digest: string): Promise<DataFiles | undefined>;
  /** @throws TutelageError quota. */
  put(digest: string, files: DataFiles): Promise<void>;
  delete(digest: string): Promise<void>;
}

/** One line of a list of runs. */
export interface RunHeader {
  readonly manifest: RunManifest;
  /** Rounds finished, round 0 not counted; −1 when not even round 0 is. */
  readonly lastRound: number;
  /** Test accuracy of the last finished round. */
  readonly accuracy: number | null;
  readonly finished: boolean;
  /** What its user calls it. */
  readonly label?: string;
  /** Bytes of its checkpoint; 0 before the first. */
  readonly checkpointBytes: number;
  /** Another tab or worker holds it. */
  readonly elsewhere: boolean;
}

/** What an archive holds: runs, and the data files of the user's own that they were made with, by their hash. */
export interface RunBundle {
  readonly runs: readonly LabelledRun[];
  readonly data: ReadonlyMap<string, DataFiles>;
}

/** A stored run and what its user calls it. */
export interface LabelledRun {
  readonly run: StoredRun;
  readonly label?: string;
}

/** All runs of one place. */
export interface RunLibrary {
  /** Newest first. */
  list(): Promise<RunHeader[]>;
  /** The run as it is now, whoever holds it; undefined when there is none. Without its checkpoint where `checkpoint` is false. */
  read(runId: string, options?: { readonly checkpoint?: boolean }): Promise<StoredRun | undefined>;
  /** Keeps a whole run that came from elsewhere, or nothing. @throws bad-input when there is one of its id. */
  add(run: LabelledRun): Promise<void>;
  /** Calls the run `label`, whoever holds it; "" takes its label away. @throws bad-input when there is none. */
  label(runId: string, label: string): Promise<void>;
  /** The place of run `runId`, which may be new. Exclusive: a second holder is refused. @throws bad-input when it is held elsewhere. */
  open(runId: string): Promise<RunStore>;
  /** Removes every trace; nothing happens when there is none. @throws bad-input when the run is held. */
  delete(runId: string): Promise<void>;
}
