/** @file The tasks by name. A new task is a new folder and a new entry. */
import { badInput } from "../core/errors.ts";
import { ALGEBRA, algebraTask } from "./algebra/algebra.ts";
import type { AlgebraOptions } from "./algebra/algebra.ts";
import { CUSTOM, customTask } from "./custom/custom.ts";
import type { CustomOptions } from "./custom/custom.ts";
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
  /** The user's own data; this task needs it. */
  readonly [CUSTOM]?: CustomOptions;
}

interface Entry {
  readonly create: (options: TaskOptions) => Task;
  /** Room for the longest worked answer of the default mixture, in tokens of a tokenizer that knows the task's words. */
  readonly answerTokens: number;
}

const TASKS: Readonly<Record<string, Entry>> = {
  [WORD_PROBLEMS]: { create: (options) => wordProblemsTask(options[WORD_PROBLEMS]), answerTokens: 56 },
  [GAME_24]: { create: (options) => game24Task(options[GAME_24]), answerTokens: 104 },
  [PRONTOQA]: { create: (options) => prontoqaTask(options[PRONTOQA]), answerTokens: 96 },
  [ALGEBRA]: { create: (options) => algebraTask(options[ALGEBRA]), answerTokens: 80 },
  [CUSTOM]: { create: (options) => customTask(options[CUSTOM]), answerTokens: 128 },
};

/** Names that `createTask` knows. */
export const taskNames: readonly string[] = Object.keys(TASKS);

function entryOf(name: string): Entry {
  const entry = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  return entry ?? badInput("task", `one of ${taskNames.join(", ")}`, JSON.stringify(name));
}

/**
 * The task called `name`, with its part of `options`.
 * @throws BadInputError for an unknown name, listing the known ones, and for options the task refuses.
 */
export function createTask(name: string, options: TaskOptions = {}): Task {
  return entryOf(name).create(options);
}

/** How many new tokens a student is given for an answer to a question of the task called `name`, unless an experiment says otherwise. @throws BadInputError as `createTask`. */
export function answerTokens(name: string): number {
  return entryOf(name).answerTokens;
}
