/**
 * @file Whether every question of a run fits the student's context, found out before anything runs:
 * prompts with room for the longest answer, and worked answers where they are trained on or scored.
 */
import { BadInputError, badInput } from "../core/errors.ts";
import type { QueryStrategy } from "../selection/types.ts";
import type { EncodedRow, PromptCompletion } from "../student/types.ts";
import type { Question, Splits, Task } from "../tasks/types.ts";
import type { ExperimentConfig } from "./config.ts";
import { rowOf } from "./runState.ts";
import { stopsEarly } from "./stopping.ts";

/** Questions that a message names. */
const MAX_NAMED = 5;
const SHOWN_CHARACTERS = 40;

/** What reads rows as the student does. */
export interface RowReader {
  readonly maxPositions: number;
  /** @throws BadInputError for a row that is too long. */
  encode(row: PromptCompletion): EncodedRow;
}

/** Ids of the questions that a run leaves out because they are too long, by split. Plain JSON. */
export type DroppedQuestions = Readonly<Record<keyof Splits, readonly string[]>>;

/**
 * The splits without what does not fit, where the experiment says to drop it (`task.excessLength`), else as they are: prompts that
 * leave no room for the longest answer, and seeds that do not fit with their worked answers. What is dropped does not depend
 * on the strategy, so that strategies are compared on one pool.
 * @throws BadInputError where nothing that the run needs is left.
 */
export function fittingSplits(
  config: Pick<ExperimentConfig, "task" | "generation" | "rounds" | "querySize">,
  task: Task,
  splits: Splits,
  reader: RowReader,
): { readonly splits: Splits; readonly dropped: DroppedQuestions | undefined } {
  const { excessLength, evaluateOn } = config.task;
  if (excessLength !== "drop") return { splits, dropped: undefined };
  const room = reader.maxPositions - config.generation.maxNewTokens;
  const long = (questions: readonly Question[], withAnswers: boolean): ReadonlySet<string> =>
    new Set(
      misfitsOf(questions, (question) => {
        if (withAnswers) void reader.encode(rowOf(task, question));
        return promptTokens(task, question, reader) > room ? "long" : undefined;
      }).map(({ question: { id } }) => id),
    );
  const out = {
    pool: long(splits.pool, true),
    validation: long(splits.validation, false),
    test: long(splits.test, false),
  };
  const kept = (name: keyof Splits): readonly Question[] => splits[name].filter(({ id }) => !out[name].has(id));
  const left: Splits = { pool: kept("pool"), validation: kept("validation"), test: kept("test") };
  const needed = config.rounds > 0 ? config.querySize : 0;
  if (left.pool.length < needed)
    badInput(
      "querySize",
      `at most the ${left.pool.length} seeds that fit the student's context`,
      String(config.querySize),
      `task.excessLength "drop" leaves out ${out.pool.size} of ${splits.pool.length}`,
    );
  if (left[evaluateOn].length === 0)
    badInput(
      `task.${evaluateOn}`,
      `questions that fit the student's context of ${reader.maxPositions} tokens`,
      `${splits[evaluateOn].length}, all longer`,
      "Take a student with a longer context, or lower generation.maxNewTokens (--max-new-tokens)",
    );
  const ids = (name: keyof Splits): readonly string[] => [...out[name]];
  return { splits: left, dropped: { pool: ids("pool"), validation: ids("validation"), test: ids("test") } };
}

/** The count of what was dropped, in a sentence; empty where nothing was. */
export function droppedText({ pool, validation, test }: DroppedQuestions): string {
  if (pool.length + validation.length + test.length === 0) return "";
  const named = [...pool, ...validation, ...test].slice(0, MAX_NAMED).join(", ");
  return `questions longer than the student's context are left out, as task.excessLength "drop" says: ${pool.length} of the pool, ${validation.length} of validation, ${test.length} of test (the first: ${named})`;
}

interface Misfit {
  readonly question: Question;
  /** Why, in short. */
  readonly reason: string;
}

/**
 * Every question that is asked or trained on fits.
 * @throws BadInputError naming the questions that do not, by id and first words, and what to do.
 */
export function checkRowsFit(
  config: ExperimentConfig,
  task: Task,
  splits: Splits,
  strategy: QueryStrategy,
  reader: RowReader,
  { showPool = false }: { readonly showPool?: boolean } = {},
): void {
  const { maxNewTokens } = config.generation;
  // Without rounds nothing is asked of the pool.
  const pool = config.rounds > 0 ? splits.pool : [];
  const evaluated = splits[config.task.evaluateOn];
  const deciding = stopsEarly(config.stop) && config.task.evaluateOn !== "validation" ? splits.validation : [];
  const room = reader.maxPositions - maxNewTokens;
  const prompts = misfitsOf([...pool, ...deciding, ...evaluated], (question) => {
    const tokens = promptTokens(task, question, reader);
    return tokens > room ? `${tokens} tokens` : undefined;
  });
  if (prompts.length > 0)
    badInput(
      `task "${config.task.name}"`,
      `prompts of at most ${Math.max(0, room)} tokens (the student's context of ${reader.maxPositions} less generation.maxNewTokens = ${maxNewTokens})`,
      `${prompts.length} longer: ${named(prompts)}`,
      "Leave them out with task.excessLength drop (--excess-length drop), lower generation.maxNewTokens (--max-new-tokens), or take a student with a longer context",
    );
  if (!readsWorkedAnswers(config, strategy, showPool)) return;
  const rows = misfitsOf(pool, (seed) => void reader.encode(rowOf(task, seed)));
  if (rows.length > 0)
    badInput(
      `task "${config.task.name}"`,
      `seeds that fit the student's context of ${reader.maxPositions} tokens with their worked answers, which are trained on or scored`,
      `${rows.length} longer: ${named(rows)}`,
      "Leave them out with task.excessLength drop (--excess-length drop), or take a student with a longer context",
    );
}

/** The holdout student reads what the student reads. @throws BadInputError where a question has other tokens for it, or too many: losses per token would not compare. */
export function checkHoldout(
  task: Task,
  questions: readonly Question[],
  student: Pick<RowReader, "encode">,
  holdout: Pick<RowReader, "encode">,
): void {
  for (const question of questions) {
    const row = rowOf(task, question);
    if (holdout.encode(row).ids.join() !== student.encode(row).ids.join())
      badInput(
        "strategy.holdout",
        "a student with the same tokenizer as the student",
        `one that reads question ${question.id} as other tokens`,
        "Make it from the same base: tutelage train --student DIR --out HOLDOUT",
      );
  }
}

function promptTokens(task: Task, { id, question }: Question, reader: RowReader): number {
  const row = reader.encode({ id, prompt: task.prompt(question), completion: "" });
  return row.ids.length - row.completionTokens;
}

function misfitsOf(questions: readonly Question[], problem: (question: Question) => string | undefined): Misfit[] {
  return questions.flatMap((question): Misfit[] => {
    try {
      const reason = problem(question);
      return reason === undefined ? [] : [{ question, reason }];
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      return [{ question, reason: "longer than the context" }];
    }
  });
}

function named(misfits: readonly Misfit[]): string {
  const shown = misfits.slice(0, MAX_NAMED).map(({ question: { id, question }, reason }) => {
    const start = question.replaceAll(/\s+/g, " ").slice(0, SHOWN_CHARACTERS);
    return `${id} (${reason}: ${JSON.stringify(`${start}${start.length < question.length ? "…" : ""}`)})`;
  });
  const more = misfits.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Whether seeds' own pairs are read whole: shown, scored or trained on. */
function readsWorkedAnswers(config: ExperimentConfig, strategy: QueryStrategy, showPool: boolean): boolean {
  const { replay, warmUp, pairs } = config;
  const trained = replay === "all" || replay > 0 || warmUp === "seeds" || pairs === "seeds";
  const scored =
    strategy.embedding?.answer === "true" ||
    strategy.measures.some(
      (measure) => measure.kind === "holdoutLoss" || (measure.kind === "score" && measure.answer === "true"),
    );
  return showPool || trained || scored;
}
