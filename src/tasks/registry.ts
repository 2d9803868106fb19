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
  readonly [CUSTOM]?: CustomOptions | undefined;
  /** How the task's questions are mixed, over the task's own options. */
  readonly mixture?: Mixture | undefined;
  /** Another mixture of the pool alone, over `mixture`: seeds unlike the questions that are evaluated. */
  readonly poolMixture?: Mixture | undefined;
}

/** Relative weights by name; a name left out has weight 0, what is left out as a whole is as the task has it. */
export interface Mixture {
  /** Of the task's levels. */
  readonly levels?: Readonly<Record<string, number>>;
  /** Of ways to tell a question. */
  readonly clusters?: Readonly<Record<string, number>>;
}

const MIXTURE_KEYS = ["levels", "clusters"] as const satisfies readonly (keyof Mixture)[];

interface Entry {
  readonly create: (options: TaskOptions, mixture: Mixture) => Task;
  /** Whether its questions are generated, and so can be mixed. */
  readonly mixed: boolean;
  /** Room for the longest worked answer of the default mixture, in tokens of a tokenizer that knows the task's words. */
  readonly answerTokens: number;
}

const TASKS: Readonly<Record<string, Entry>> = {
  [WORD_PROBLEMS]: {
    create: (options, mixture) => wordProblemsTask({ ...options[WORD_PROBLEMS], ...mixture }),
    mixed: true,
    answerTokens: 56,
  },
  [GAME_24]: {
    create: (options, mixture) => game24Task({ ...options[GAME_24], ...mixture }),
    mixed: true,
    answerTokens: 104,
  },
  [PRONTOQA]: {
    create: (options, mixture) => prontoqaTask({ ...options[PRONTOQA], ...mixture }),
    mixed: true,
    answerTokens: 96,
  },
  [ALGEBRA]: {
    create: (options, mixture) => algebraTask({ ...options[ALGEBRA], ...mixture }),
    mixed: true,
    answerTokens: 80,
  },
  [CUSTOM]: { create: (options) => customTask(options[CUSTOM]), mixed: false, answerTokens: 128 },
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
  const { mixture = {}, poolMixture } = options;
  const { create, mixed } = entryOf(name);
  for (const [field, given] of Object.entries({ mixture, poolMixture: poolMixture ?? {} })) {
    const unknown = Object.keys(given).find((key) => !mixed || !MIXTURE_KEYS.some((known) => known === key));
    if (unknown !== undefined)
      badInput(`task.${field}`, mixed ? MIXTURE_KEYS.join(", ") : `none with the task "${name}"`, `"${unknown}"`);
  }
  const task = create(options, mixture);
  if (poolMixture === undefined) return task;
  // A split is drawn from its own region of questions and stream: that of one mixture fits those of another.
  const ofPool = create(options, { ...mixture, ...poolMixture });
  return {
    ...task,
    splits: ({ pool, validation, test }, rng) => ({
      ...task.splits({ pool: 0, validation, test }, rng),
      pool: ofPool.splits({ pool, validation: 0, test: 0 }, rng).pool,
    }),
  };
}

/** How many new tokens a student is given for an answer to a question of the task called `name`, unless an experiment says otherwise. @throws BadInputError as `createTask`. */
export function answerTokens(name: string): number {
  return entryOf(name).answerTokens;
}
