/**
 * @file A study before anything runs: its file read, students and data files placed and read,
 * every experiment checked with its own questions and teacher. What fails here costs nothing.
 */
import { dirname } from "node:path";
import { BadInputError, badInput } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import { parseJson } from "../../formats/json.ts";
import { readTextFile } from "../../formats/node/directorySource.ts";
import type { ExperimentConfig } from "../../loop/config.ts";
import { planStudy, type StudyPlan } from "../../loop/study/planStudy.ts";
import type { CustomOptions } from "../../tasks/custom/custom.ts";
import { createTask } from "../../tasks/registry.ts";
import type { Task } from "../../tasks/types.ts";
import { pinStudents } from "../experimentStudents.ts";
import type { Options } from "../options.ts";
import type { Output } from "../output.ts";
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
    const options = custom.get(key);
    const task = tasks.get(key) ?? createTask(config.task.name, options === undefined ? {} : { custom: options });
    tasks.set(key, task);
    return task;
  };
  const seen = new Set<string>();
  const once = async (key: string, check: () => Promise<unknown>): Promise<void> => {
    if (!seen.has(key)) await check();
    seen.add(key);
  };
  for (const { id, config } of cells) {
    await told(`${file}, run ${id}`, async () => {
      const task = taskOf(config);
      const { pool, validation, test } = config.task;
      await once(`splits ${taskKey(config)}`, async () => {
        const splits = task.splits({ pool, validation, test }, new Rng(config.seed).fork("splits"));
        if (splits.pool.length === 0 && config.rounds > 0) badInput("task.pool", "at least one seed question", "none");
      });
      await once(`teacher ${config.task.name} ${JSON.stringify(config.teacher)}`, () =>
        openTeacher(config.teacher, task, options),
      );
      for (const student of [config.student, config.strategy.holdout]) {
        if (student !== undefined)
          await once(`student ${student} ${config.task.name}`, async () =>
            (await openStudentSource(student, output, config.task.name)).readText("config.json"),
          );
      }
    });
  }
  return { plan: { ...plan, cells }, taskOf };
}

function taskKey({ task }: ExperimentConfig): string {
  return JSON.stringify([task.name, task.data ?? null, task.pool, task.validation, task.test]);
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
