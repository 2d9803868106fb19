/** @file What a table of unknown origin is: its columns and its checker, as told or as its names and answers show. */
import { badInput } from "../../core/errors.ts";
import { finalAnswer } from "../finalAnswer.ts";
import { finalBox } from "../finalBox.ts";
import { readPuzzle } from "../game24/puzzle.ts";
import type { DataRow, DataTable } from "../types.ts";
import type { CheckerName, ColumnMapping, CustomSettings, ResolvedSettings } from "./settings.ts";

/** Names that columns go by, the first that is there counts. */
const QUESTION_NAMES = ["question", "problem", "prompt", "instruction", "input", "puzzles", "puzzle"] as const;
const ANSWER_NAMES = ["answer", "solution", "completion", "response", "output", "target"] as const;
/** Columns that come before the question and before the answer. */
const CONTEXT_NAMES = ["context", "passage"] as const;
const WORKING_NAMES = ["explanation", "rationale", "reasoning", "cot"] as const;
const OPTIONS_NAMES = ["options", "choices"] as const;
const LEVEL_NAMES = ["level", "difficulty"] as const;

/**
 * Columns and checker of `table`: what `settings` say, the rest found. A file as it is published (GSM8K,
 * Logic-LM's ProntoQA, the list of 24 puzzles, MATH) needs nothing said.
 * @throws BadInputError for columns the table has not, and where nothing fits: the message lists the columns.
 */
export function resolveSettings(table: DataTable, settings: CustomSettings): ResolvedSettings {
  const columns = settings.columns ?? guessColumns(table);
  for (const name of [...columns.question, ...columns.answer, columns.options, columns.level])
    if (name !== undefined && !table.columns.includes(name))
      badInput(`${table.name}: column ${JSON.stringify(name)}`, `one of ${listed(table.columns)}`, "no such column");
  if (columns.question.length === 0) badInput(`${table.name}: columns`, "a question column", "none");
  const checker = settings.checker ?? guessChecker(table, columns);
  if (checker !== "game24" && columns.answer.length === 0)
    badInput(
      `${table.name}: columns`,
      `an answer column for the checker "${checker}"`,
      `the columns ${listed(table.columns)}`,
      "Name it: --columns answer=NAME, or task.data.columns in a file",
    );
  if ((checker === "regex") !== (settings.pattern !== undefined))
    badInput("task.data.pattern", 'a pattern with the checker "regex", and with no other', checker);
  return {
    columns,
    checker,
    ...(settings.pattern === undefined ? {} : { pattern: settings.pattern }),
    splitSeed: settings.splitSeed ?? 0,
  };
}

function guessColumns(table: DataTable): ColumnMapping {
  const find = (names: readonly string[]): string | undefined =>
    names
      .map((name) => table.columns.find((column) => column.trim().toLowerCase() === name))
      .find((column) => column !== undefined);
  const question = find(QUESTION_NAMES);
  if (question === undefined)
    return badInput(
      `${table.name}: columns`,
      `a question column, called one of ${QUESTION_NAMES.join(", ")}`,
      `the columns ${listed(table.columns)}`,
      "Name it: --columns question=NAME,answer=NAME, or task.data.columns in a file",
    );
  const [answer, options, level] = [find(ANSWER_NAMES), find(OPTIONS_NAMES), find(LEVEL_NAMES)];
  return {
    question: [find(CONTEXT_NAMES), question].filter((name) => name !== undefined),
    answer: answer === undefined ? [] : [find(WORKING_NAMES), answer].filter((name) => name !== undefined),
    ...(options === undefined ? {} : { options }),
    ...(level === undefined ? {} : { level }),
  };
}

function guessChecker(table: DataTable, columns: ColumnMapping): CheckerName {
  const last = columns.answer.at(-1);
  const every = (fits: (answer: string) => boolean): boolean =>
    last !== undefined && table.rows.every((row) => fits(cellText(row, last)));
  if (columns.options !== undefined) return "choice";
  if (every((answer) => finalAnswer(answer) !== undefined)) return "####";
  if (every((answer) => finalBox(answer) !== undefined)) return "boxed";
  if (
    last === undefined &&
    table.rows.every((row) => readPuzzle(cellText(row, columns.question[0] ?? "")) !== undefined)
  )
    return "game24";
  return badInput(
    `${table.name}: checker`,
    'the name of a checker, because the answers show none (no "####", no \\boxed{}, no options)',
    "none",
    "Give --checker exact, numeric, ####, boxed, choice or regex",
  );
}

function listed(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ") || "no column at all";
}

/** A cell as text: lists one item a line. @throws BadInputError naming the row for objects, nothing at all, and lone surrogates. */
export function cellText(row: DataRow, column: string, separator = "\n"): string {
  const value = row.values[column];
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = items.map((item) => {
    if (typeof item === "number" || typeof item === "boolean") return String(item);
    if (typeof item !== "string")
      return badInput(
        `${row.at}: ${column}`,
        "a text, a number, true or false, or a list of them",
        item === null || item === undefined ? "nothing" : "an object",
      );
    if (/\p{Surrogate}/u.test(item)) return badInput(`${row.at}: ${column}`, "well-formed Unicode", "a lone surrogate");
    return item;
  });
  return texts.join(separator).trim();
}
