/**
 * @file Opens one lane of a race: task, teacher, student and store, and the loop over
 * them up to its run line. All or nothing.
 */
import { invariant } from "../core/errors.ts";
import type { CachedModel, DownloadProgress, HubKind, PrepareStudentContext } from "../hub/types.ts";
import type { LaneInfo, ProviderStatus } from "../protocol/loopService.ts";
import type { Engine, ExecutionProvider } from "../runtime/types.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { StudentDescription } from "../student/student.ts";
import type { Student } from "../student/types.ts";
import type { Task } from "../tasks/types.ts";
import type { ImportedReplies, Teacher } from "../teacher/types.ts";
import { closedLoop } from "./closedLoop.ts";
import type { ExperimentConfig } from "./config.ts";
import type { DataShelf } from "./dataShelf.ts";
import { Interventions } from "./interventions.ts";
import { memoryOf } from "./memoryChange.ts";
import type { Lane, PackStudent, TrainingNeedsOf } from "./race.ts";
import type { RunArchiver } from "./runShelf.ts";
import type { LoopRecord } from "./records.ts";
import { finishedRecords } from "./runRecords.ts";
import type { RunLibrary, StoredRun } from "./runStore.ts";
import type { UntouchedAnswers } from "./untouchedAnswers.ts";

/** What the service needs of an engine; a student needs the rest. */
export type RaceEngine = Pick<Engine, "info" | "dispose"> & Partial<Pick<Engine, "live" | "memory">>;

/** Where students come from that are not at hand. */
export interface StudentShelf {
  /** Makes the files of a student (default) or an adapter available; returns the name that means the same files for ever. */
  prepare(name: string, context: PrepareStudentContext, kind?: HubKind): Promise<string>;
  list(): Promise<readonly CachedModel[]>;
  delete(id: string, commit: string): Promise<void>;
}

/** Kept replies of teachers, to be taken elsewhere as one file. */
export interface ReplyFile {
  exportLines(): Promise<string>;
  importLines(text: string): Promise<ImportedReplies>;
}

/** How far the engine's files are, where they have to be fetched; the signal ends the fetching. */
export interface EngineFetching {
  readonly onProgress: (progress: DownloadProgress) => void;
  readonly signal: AbortSignal;
}

/** What the service runs on. */
export interface LoopServiceDeps<E extends RaceEngine> {
  readonly library: RunLibrary;
  readonly archiver?: RunArchiver;
  readonly providers: () => Promise<readonly ProviderStatus[]>;
  /** The service owns the engine it gets, and disposes it after its students. */
  readonly openEngine: (ep: ExecutionProvider | "auto", fetching: EngineFetching) => Promise<E>;
  /** A student of its own per lane, which the service owns. What it warns of becomes a record of the lane. */
  readonly openStudent: (
    engine: E,
    config: ExperimentConfig,
    warn: (message: string) => void,
  ) => Promise<{
    readonly student: Student;
    readonly name: string;
    readonly pack?: PackStudent;
    readonly needs?: TrainingNeedsOf;
  }>;
  /** A student as it is known before it is opened; undefined for one that is not at hand. */
  readonly describeStudent?: (config: ExperimentConfig) => Promise<StudentDescription | undefined>;
  /** Students that have to be fetched or picked before they can be opened; without it there are none. */
  readonly students?: StudentShelf;
  /** Absent where no replies are kept. */
  readonly replies?: ReplyFile;
  readonly createTask: (config: ExperimentConfig) => Task | Promise<Task>;
  /** Data files of the user's own; without it there are none. */
  readonly data?: DataShelf;
  readonly createTeacher: (config: ExperimentConfig, task: Task, key: string | undefined) => Teacher | Promise<Teacher>;
  readonly now?: () => number;
}

/** A lane to be opened. */
export interface LanePlan {
  readonly runId: string;
  readonly config: ExperimentConfig;
  /** What an earlier session left of the run; undefined for a new one. */
  readonly stored: StoredRun | undefined;
  /** How it is computed from here on; as before by default. */
  readonly memory?: MemorySettings | undefined;
}

/** What a lane is opened for. */
export interface LaneSetting {
  readonly raceId: string;
  readonly lane: number;
  readonly showPool: boolean;
  readonly signal: AbortSignal;
  readonly untouched: UntouchedAnswers;
  readonly teacherKey: string | undefined;
  /** How far the teacher's model is, where it has to be fetched. */
  readonly onProgress: (progress: DownloadProgress) => void;
  /** Takes warnings that come after opening. */
  readonly tell: (record: LoopRecord) => void;
}

export interface OpenedLane {
  readonly lane: Lane;
  readonly info: LaneInfo;
  /** Records to tell first: the run line, and what the stored rounds told. */
  readonly told: readonly LoopRecord[];
}

/** Opens a lane; what is to be released later, in reverse order, is added to `owned`, also when opening fails. */
export async function openLane<E extends RaceEngine>(
  deps: LoopServiceDeps<E>,
  engine: E,
  { runId, config, stored, memory }: LanePlan,
  setting: LaneSetting,
  owned: (() => Promise<void>)[],
): Promise<OpenedLane> {
  const task = await deps.createTask(config);
  const teacher = await deps.createTeacher(config, task, setting.teacherKey);
  const early: LoopRecord[] = [];
  let tell = (record: LoopRecord): void => void early.push(record);
  owned.push(async () => teacher.close?.());
  const model = await teacher.prepare?.({ signal: setting.signal, onProgress: setting.onProgress });
  if (model?.fallbackReason !== undefined)
    tell({
      type: "warning",
      code: "teacher",
      message: `the teacher runs on ${model.device}, not on WebGPU: ${model.fallbackReason}`,
    });
  const { student, name, pack, needs } = await deps.openStudent(engine, config, (message) =>
    tell({ type: "warning", code: "student", message }),
  );
  owned.push(() => student.dispose());
  const store = await deps.library.open(runId);
  owned.push(() => store.close());
  const interventions = new Interventions();
  const records = closedLoop(config, {
    interventions,
    student: setting.untouched.join(student, JSON.stringify([name, config.training.method, config.seed])),
    studentName: name,
    task,
    teacher,
    store,
    signal: setting.signal,
    now: deps.now,
    resume: stored !== undefined,
    memory,
    showPool: setting.showPool,
    race: { id: setting.raceId, lane: setting.lane },
  });
  // The run line comes first and checks everything, before any lane computes.
  const first = await records.next();
  invariant(first.done !== true && first.value.type === "run", "a loop begins with its run line");
  const { student: described, resumedAtRound } = first.value;
  tell = setting.tell;
  return {
    lane: {
      config,
      memory: memory ?? memoryOf(config, stored),
      student,
      task,
      store,
      interventions,
      records,
      ...(pack === undefined ? {} : { pack }),
      ...(needs === undefined ? {} : { needs }),
    },
    info: { lane: setting.lane, runId, config, student: described, resumedAtRound },
    told: [first.value, ...early, ...(stored === undefined ? [] : finishedRecords(stored))],
  };
}
