/**
 * @file A study before anything runs: its file read, students and data files placed and read,
 * every experiment checked with its own questions and teacher. What fails here costs nothing.
 */
import { dirname } from "node:path";
import { BadInputError, badInput } from "../../core/errors.ts";
import { parseJson } from "../../formats/json.ts";
import { readTextFile } from "../../formats/node/directorySource.ts";
import { checkCeilings } from "../../loop/checkCeilings.ts";
import { checkHoldout, checkRowsFit, fittingSplits } from "../../loop/checkRows.ts";
import type { ExperimentConfig } from "../../loop/config.ts";
import { splitsOf } from "../../loop/splitsOf.ts";
import { planStudy, type StudyPlan } from "../../loop/study/planStudy.ts";
import { createStrategy } from "../../selection/registry.ts";
import type { CustomOptions } from "../../tasks/custom/custom.ts";
import { createTask } from "../../tasks/registry.ts";
import type { Splits, Task } from "../../tasks/types.ts";
import { pinStudents } from "../experimentStudents.ts";
import type { Options } from "../options.ts";
import type { Output } from "../output.ts";
import { openRowReader } from "../rowReader.ts";
import { openStudentSource } from "../studentSource.ts";
import { loadExperimentData, placeData } from "../taskData.ts";
import { openTeacher } from "../teacherOptions.ts";

/** A study that can run. */
export interface PreparedStudy {
  readonly plan: StudyPlan;
  /** The task of an experiment; one for all that ask alike. */
  readonly taskOf: (config: ExperimentConfig) => Task;
}

/**
 * The study in `file`, with everything it names looked at: students, data files, splits, teachers' keys.
 * @throws BadInputError naming the field, or the run and what does not fit.
 */
export async function prepareStudy(
  file: string,
  quick: boolean,
  options: Options,
  output: Output,
): Promise<PreparedStudy> {
  const { plan, givenSizes } = planStudy(parseJson(await readTextFile(file), file), file, { quick });
  const prepare = remembered(async (config: ExperimentConfig, sizes: readonly string[]) => {
    const pinned = await pinStudents(config, () => dirname(file), output);
    if (pinned.task.data === undefined) return { config: pinned, custom: undefined };
    const loaded = await loadExperimentData(pinned, placeData(pinned.task.data, file), sizes, file);
    output.note(loaded.note);
    return loaded;
  });
  const custom = new Map<string, CustomOptions>();
  const cells: StudyPlan["cells"][number][] = [];
  for (const cell of plan.cells) {
    const { name, seed, strategy, ...shared } = cell.config;
    // Students, data and what follows from them are the same for runs that differ in name and seed alone.
    const prepared = await told(`${file}, run ${cell.id}`, () =>
      prepare(JSON.stringify([shared, strategy]), cell.config, givenSizes.get(cell.id) ?? []),
    );
    if (prepared.custom !== undefined) custom.set(taskKey(prepared.config), prepared.custom);
    cells.push({ ...cell, config: { ...prepared.config, name, seed } });
  }
  const tasks = new Map<string, Task>();
  const taskOf = (config: ExperimentConfig): Task => {
    const key = taskKey(config);
    const { name, mixture, poolMixture } = config.task;
    const task = tasks.get(key) ?? createTask(name, { mixture, poolMixture, custom: custom.get(key) });
    tasks.set(key, task);
    return task;
  };
  const teacherOf = remembered((config: ExperimentConfig, task: Task) => openTeacher(config.teacher, task, options));
  const opened = remembered(async (student: string, task: string) =>
    openRowReader(await openStudentSource(student, output, task)),
  );
  const readerOf = (student: string, { task: { name } }: ExperimentConfig) =>
    opened(`${student} ${name}`, student, name);
  // Runs of one task and seed follow each other.
  let drawn: { readonly key: string; readonly splits: Splits } | undefined;
  const splitsFor = (config: ExperimentConfig): Splits => {
    const key = `${config.seed} ${taskKey(config)}`;
    if (drawn?.key !== key) drawn = { key, splits: splitsOf(taskOf(config), config) };
    return drawn.splits;
  };
  for (const { id, config } of cells) {
    await told(`${file}, run ${id}`, async () => {
      const task = taskOf(config);
      const reader = await readerOf(config.student, config);
      const { splits } = fittingSplits(config, task, splitsFor(config), reader);
      if (splits.pool.length === 0 && config.rounds > 0) badInput("task.pool", "at least one seed question", "none");
      const { name, picker, ...settings } = config.strategy;
      const strategy = createStrategy(name, picker, settings);
      const teacher = await teacherOf(`${config.task.name} ${JSON.stringify(config.teacher)}`, config, task);
      checkRowsFit(config, task, splits, strategy, reader);
      const { holdout } = config.strategy;
      if (holdout !== undefined) checkHoldout(task, splits.pool, reader, await readerOf(holdout, config));
      await checkCeilings(config, task, splits, teacher);
    });
  }
  return { plan: { ...plan, cells }, taskOf };
}

function taskKey({ task }: ExperimentConfig): string {
  const { evaluateOn: _, ...rest } = task;
  return JSON.stringify(rest);
}

/** `work` by key: done once, its result kept. */
function remembered<A extends readonly unknown[], R>(
  work: (...args: A) => Promise<R>,
): (key: string, ...args: A) => Promise<R> {
  const known = new Map<string, Promise<R>>();
  return (key, ...args) => {
    const found = known.get(key) ?? work(...args);
    known.set(key, found);
    return found;
  };
}

/** Bad input says where it was met. */
async function told<R>(where: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BadInputError) || error.message.startsWith(where)) throw error;
    throw new BadInputError(`${where}: ${error.message}`, { cause: error });
  }
}
