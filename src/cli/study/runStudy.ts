/**
 * @file Runs the cells of a study one after another, each in its own run folder: finished ones are
 * passed over, begun ones go on, failed ones are recorded and tried again next time. Runs of one
 * task and seed share what their untouched student answers; no run depends on which others ran.
 */
import { hostname } from "node:os";
import { BadInputError, messageOf, throwIfAborted, TutelageError } from "../../core/errors.ts";
import { closedLoop } from "../../loop/closedLoop.ts";
import type { ExperimentConfig } from "../../loop/config.ts";
import type { LoopRecord, RoundSummary } from "../../loop/records.ts";
import { measureBase, measureRun, type BaseFacts } from "../../loop/study/measureRun.ts";
import { estimateWork } from "../../loop/study/shards.ts";
import { UntouchedAnswers } from "../../loop/untouchedAnswers.ts";
import type { Engine } from "../../runtime/types.ts";
import { openRunFolder, readRunFolder } from "../../storage/node/folderStore.ts";
import type { Student } from "../../student/types.ts";
import type { StudyCell } from "../../study/types.ts";
import type { Task } from "../../tasks/types.ts";
import { TeacherError } from "../../teacher/teacherError.ts";
import { openExperimentStudent, openHoldout } from "../experimentStudents.ts";
import type { Options } from "../options.ts";
import type { Output } from "../output.ts";
import { openStudentSource } from "../studentSource.ts";
import { openTeacher, prepareTeacher } from "../teacherOptions.ts";
import { dropCheckpoints, readMeasures, runFolder, takeOver, writeFailure, writeMeasures } from "./studyFolder.ts";
import { WorkClock } from "./workClock.ts";

/** What the runs need. Borrows all of it. */
export interface StudyDeps {
  readonly folder: string;
  readonly openEngine: () => Promise<Engine>;
  readonly taskOf: (config: ExperimentConfig) => Task;
  readonly options: Options;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly keepCheckpoints: boolean;
  /** Nobody else works in the folder: locks of other machines are void. */
  readonly takeOver: boolean;
}

/** How the cells ended. */
export interface StudyOutcome {
  readonly finished: number;
  readonly failed: readonly { readonly id: string; readonly error: unknown }[];
}

/** Runs every cell that is not finished. @throws TutelageError aborted; what would fail every further run too (a full disk, a teacher that is gone). */
export async function runStudy(cells: readonly StudyCell[], deps: StudyDeps): Promise<StudyOutcome> {
  const { folder, output } = deps;
  const todo: StudyCell[] = [];
  for (const cell of cells) if ((await readMeasures(folder, cell.id)) === undefined) todo.push(cell);
  if (todo.length < cells.length) output.note(`${cells.length - todo.length} of ${cells.length} runs are finished`);
  const clock = new WorkClock(todo.map(({ config }) => estimateWork(config)));
  const failed: { id: string; error: unknown }[] = [];
  const shelf = new StudentShelf(deps);
  try {
    for (const group of groupsOf(todo)) {
      const runner = new GroupRunner(group, deps, shelf);
      for (const cell of group) {
        throwIfAborted(deps.signal, "study");
        const at = `${cells.length - todo.length + clock.done + 1}/${cells.length} ${cell.id}`;
        try {
          const last = await runner.run(cell, (record) => {
            const share = shareOf(record, cell.config);
            if (share !== undefined) clock.advance(share);
            output.progress(`${at}: ${phaseText(record) ?? ""}${clock.timeLeft()}`);
          });
          output.record(
            { cell: cell.id, state: "finished", ...summaryOf(last), seconds: clock.cellSeconds() },
            `${at}: ${last === undefined ? "no rounds" : `${(100 * last.evaluation.accuracy).toFixed(1)} % after ${last.examples} pairs`} (${clock.cellSeconds()} s)`,
          );
        } catch (error) {
          throwIfAborted(deps.signal, "study");
          failed.push({ id: cell.id, error });
          output.record(
            { cell: cell.id, state: "failed", message: messageOf(error) },
            `${at}: FAILED: ${messageOf(error)}`,
          );
          if (error instanceof FolderInUse) output.note(`${cell.id}: ${error.message}`);
          else await writeFailure(folder, cell.id, error);
          await shelf.clear();
          runner.forget();
          if (endsStudy(error)) throw error;
        }
        clock.finishCell();
        output.note(
          `${clock.done} of ${todo.length} runs done${failed.length === 0 ? "" : `, ${failed.length} failed`}${clock.timeLeft()}`,
        );
      }
    }
    return { finished: cells.length - failed.length, failed };
  } finally {
    await shelf.clear();
  }
}

/** Another process works in a run's folder: no failure of the run. */
class FolderInUse extends BadInputError {}

function endsStudy(error: unknown): boolean {
  return (error instanceof TutelageError && error.code === "quota") || (error instanceof TeacherError && error.fatal);
}

/** The engine and the student in use, opened when needed and dropped after a failure. */
class StudentShelf {
  readonly #deps: StudyDeps;
  #engine: Engine | undefined;
  #student: { readonly key: string; readonly student: Student } | undefined;

  constructor(deps: StudyDeps) {
    this.#deps = deps;
  }

  async engine(): Promise<Engine> {
    this.#engine ??= await this.#deps.openEngine();
    return this.#engine;
  }

  /** The student of an experiment at any weights: the one at hand where only the seed of a full finetuning differs, which its weights do not depend on. */
  async student(config: ExperimentConfig): Promise<Student> {
    const key = studentKey(config);
    if (this.#student?.key === key) return this.#student.student;
    await this.#student?.student.dispose();
    this.#student = undefined;
    const { output } = this.#deps;
    const source = await openStudentSource(config.student, output, config.task.name);
    const student = await openExperimentStudent(config, await this.engine(), source, output);
    this.#student = { key, student };
    return student;
  }

  /** Releases student and engine; the next use opens them anew. */
  async clear(): Promise<void> {
    const [student, engine] = [this.#student, this.#engine];
    this.#student = undefined;
    this.#engine = undefined;
    // After a lost device releasing may fail as well; what failed first is told already.
    await student?.student.dispose().catch(() => undefined);
    await engine?.dispose().catch(() => undefined);
  }
}

/** What a student's base weights and graphs depend on. */
function studentKey({ student, adapter, task, training, seed }: ExperimentConfig): string {
  const builtin = student === "builtin" ? task.name : "";
  return JSON.stringify([student, adapter, builtin, training.method, training.method.method === "full" ? null : seed]);
}

/** Consecutive cells of one task, seed and student. */
function groupsOf(cells: readonly StudyCell[]): readonly (readonly StudyCell[])[] {
  const groups: StudyCell[][] = [];
  let before = "";
  for (const cell of cells) {
    const { config } = cell;
    const key = JSON.stringify([studentKey(config), config.task, config.seed, config.generation]);
    if (key !== before) groups.push([]);
    groups.at(-1)?.push(cell);
    before = key;
  }
  return groups;
}

/** Runs the cells of a group. */
class GroupRunner {
  readonly #deps: StudyDeps;
  readonly #shelf: StudentShelf;
  readonly #waiting: Set<string>;
  #untouched = new UntouchedAnswers();
  readonly #joined = new Map<string, { readonly student: Student; sparedMs: number }>();
  #base: BaseFacts | undefined;

  constructor(cells: readonly StudyCell[], deps: StudyDeps, shelf: StudentShelf) {
    this.#deps = deps;
    this.#shelf = shelf;
    this.#waiting = new Set(cells.map(({ id }) => id));
  }

  /** Students of the group are to be opened anew. */
  forget(): void {
    this.#joined.clear();
    this.#untouched = new UntouchedAnswers();
  }

  /** Runs a cell to its end; returns its last round. */
  async run(cell: StudyCell, see: (record: LoopRecord) => void): Promise<RoundSummary | undefined> {
    const { folder, options, output, signal, taskOf } = this.#deps;
    const { id, config } = cell;
    const joined = await this.#join(cell);
    const task = taskOf(config);
    const path = runFolder(folder, id);
    if (this.#deps.takeOver) await takeOver(folder, id, hostname());
    const store = await openRunFolder(path, { runId: id }).catch((error: unknown) => {
      throw error instanceof BadInputError ? new FolderInUse(error.message, { cause: error }) : error;
    });
    const teacher = await openTeacher(config.teacher, task, options);
    try {
      await prepareTeacher(teacher, output, signal);
      const resume = (await store.load()) !== undefined;
      const records = closedLoop(config, {
        student: joined.student,
        // What another run worked out counts as if this one had: wall time must not depend on the order of runs.
        now: () => Date.now() + joined.sparedMs,
        openHoldout: async () => openHoldout(config, await this.#shelf.engine(), output),
        task,
        teacher,
        store,
        signal,
        resume,
      });
      for await (const record of records) {
        see(record);
        if (record.type === "warning") output.note(`${id}: warning: ${record.message}`);
      }
      const stored = await readRunFolder(path);
      if (stored === undefined) throw new TutelageError("internal", `internal error: run ${id} left nothing`);
      const untouched = await this.#shelf.student(config);
      await untouched.reset();
      this.#base ??= await measureBase(config, task, untouched, signal);
      await writeMeasures(folder, id, await measureRun(stored, task, untouched, this.#base, signal));
      // Only now: without it a run that is not marked as finished could not go on.
      if (!this.#deps.keepCheckpoints) await dropCheckpoints(folder, id);
      return stored.rounds.at(-1);
    } finally {
      this.#waiting.delete(id);
      teacher.close?.();
      await store.close();
    }
  }

  /** The cell's view of the group's student: what the untouched one answers is shared by all cells that still wait. */
  async #join({ id, config }: StudyCell): Promise<{ readonly student: Student; readonly sparedMs: number }> {
    const student = await this.#shelf.student(config);
    if (!this.#joined.has(id)) {
      for (const waiting of this.#waiting) {
        const joined = {
          student: this.#untouched.join(student, "group", (durationMs) => void (joined.sparedMs += durationMs)),
          sparedMs: 0,
        };
        this.#joined.set(waiting, joined);
      }
    }
    return this.#joined.get(id) ?? { student, sparedMs: 0 };
  }
}

function shareOf(record: LoopRecord, { rounds }: ExperimentConfig): number | undefined {
  return record.type === "round" ? (record.summary.round + 1) / (rounds + 1) : undefined;
}

function phaseText(record: LoopRecord): string | undefined {
  if (record.type === "phase") return `round ${record.round}, ${record.phase} ${record.done}/${record.total}`;
  return record.type === "step" ? `round ${record.round}, train step ${record.step}/${record.totalSteps}` : undefined;
}

function summaryOf(last: RoundSummary | undefined): object {
  return last === undefined
    ? {}
    : { rounds: last.round, examples: last.examples, accuracy: last.evaluation.accuracy, n: last.evaluation.n };
}
