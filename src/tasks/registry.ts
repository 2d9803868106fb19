/** @file The tasks by name. A new task is a new folder and a new entry. */
import { badInput } from "../core/errors.ts";
import { ALGEBRA, algebraTask } from "./algebra/algebra.ts";
import type { AlgebraOptions } from "./algebra/algebra.ts";
import { GAME_24, game24Task } from "./game24/game24.ts";
import type { Game24Options } from "./game24/game24.ts";
import { PRONTOQA, prontoqaTask } from "./prontoqa/prontoqa.ts";
import type { ProntoqaOptions } from "./prontoqa/prontoqa.ts";
import type { Task } from "./types.ts";
import { WORD_PROBLEMS, wordProblemsTask } from "./wordProblems/wordProblems.ts";
import type { WordProblemsOptions } from "./wordProblems/wordProblems.ts";

/** Options of every task, by its name. */
export interface TaskOptions {
  readonly [WORD_PROBLEMS]?: WordProblemsOptions;
  readonly [GAME_24]?: Game24Options;
  readonly [PRONTOQA]?: ProntoqaOptions;
  readonly [ALGEBRA]?: AlgebraOptions;
}

const TASKS: Readonly<Record<string, (options: TaskOptions) => Task>> = {
  [WORD_PROBLEMS]: (options) => wordProblemsTask(options[WORD_PROBLEMS]),
  [GAME_24]: (options) => game24Task(options[GAME_24]),
  [PRONTOQA]: (options) => prontoqaTask(options[PRONTOQA]),
  [ALGEBRA]: (options) => algebraTask(options[ALGEBRA]),
};

/** Names that `createTask` knows. */
export const taskNames: readonly string[] = Object.keys(TASKS);

/**
 * The task called `name`, with its part of `options`.
 * @throws BadInputError for an unknown name, listing the known ones, and for options the task refuses.
 */
export function createTask(name: string, options: TaskOptions = {}): Task {
  const create = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  return create === undefined
    ? badInput("task", `one of ${taskNames.join(", ")}`, JSON.stringify(name))
    : create(options);
}
