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
    const row = reader.encode({ id: question.id, prompt: task.prompt(question.question), completion: "" });
    const tokens = row.ids.length - row.completionTokens;
    return tokens > room ? `${tokens} tokens` : undefined;
  });
  if (prompts.length > 0)
    badInput(
      `task "${config.task.name}"`,
      `prompts of at most ${Math.max(0, room)} tokens (the student's context of ${reader.maxPositions} less generation.maxNewTokens = ${maxNewTokens})`,
      `${prompts.length} longer: ${named(prompts)}`,
      "Remove them from the data, lower generation.maxNewTokens (--max-new-tokens), or take a student with a longer context",
    );
  if (!readsWorkedAnswers(config, strategy, showPool)) return;
  const rows = misfitsOf(pool, (seed) => void reader.encode(rowOf(task, seed)));
  if (rows.length > 0)
    badInput(
      `task "${config.task.name}"`,
      `seeds that fit the student's context of ${reader.maxPositions} tokens with their worked answers, which are trained on or scored`,
      `${rows.length} longer: ${named(rows)}`,
      "Remove them from the data, or take a student with a longer context",
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
