/**
 * @file The task "custom": questions and answers of the user's own, from a table, with a
 * checker they choose. It has no solver: the built-in teacher refuses it, other teachers,
 * scoring and evaluation work. Not here: reading files (`formats/table.ts`).
 *
 * Splits: from files of their own, or by a seeded hash of each question's canonical form,
 * which does not depend on the run's seed; so no question is ever in two.
 */
import { badInput } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import { AUTHOR as GAME_24_AUTHOR } from "../game24/author.ts";
import { canonicalForm as puzzleForm } from "../game24/puzzle.ts";
import { checkExpression } from "../game24/workedAnswer.ts";
import { withIds } from "../drawQuestions.ts";
import { mixedHash } from "../splits.ts";
import { drawSplits } from "../taskOptions.ts";
import { textForm } from "../textForm.ts";
import type { DataRow, DataTable, Question, SplitSizes, Task, Verdict } from "../types.ts";
import { createChecker, lettered } from "./checkers.ts";
import { cellText, resolveSettings } from "./resolve.ts";
import type { CustomSettings, ResolvedSettings } from "./settings.ts";

export const CUSTOM = "custom";

type Split = "pool" | "validation" | "test";

/** Tables and what is said about them. A split without a table of its own is taken from the pool's. */
export interface CustomOptions extends CustomSettings {
  readonly tables: { readonly pool: DataTable; readonly validation?: DataTable; readonly test?: DataTable };
}

/** Percent of the pool's table that each split gets where none has a table of its own. */
const SHARES = { pool: 60, validation: 15, test: 25 } as const satisfies Record<Split, number>;
const LEVEL = "all";

/** A row as a question. */
export interface Item extends Omit<Question, "id"> {
  /** Canonical form: two items of one form are one question. */
  readonly form: string;
  readonly at: string;
}

/**
 * The task over `options.tables`.
 * @throws BadInputError for columns or a checker that do not fit, rows without a question or a final answer the
 * checker finds, one question with two answers, a question in two tables; its splits throw for sizes over what there is.
 */
export function customTask(options: CustomOptions | undefined): Task {
  if (options === undefined)
    return badInput(`task ${CUSTOM}`, "data", "none", "Give --task-data FILE, or task.data in the experiment");
  const settings = resolveSettings(options.tables.pool, options);
  const judge = judgeOf(settings);
  const available = divide(options.tables, settings, judge);
  const levels = [...new Set(Object.values(available).flatMap((items) => items.map((item) => item.level)))];
  return {
    name: CUSTOM,
    levels,
    prompt: (question) => `${question}\n`,
    completion: (question) => question.answer,
    canonical: judge.canonical,
    splits: (sizes, rng) => drawSplits(CUSTOM, sizes, (split, size) => draw(available, sizes, split, size, rng)),
    check: judge.check,
    verify: judge.verify,
  };
}

/** How many different questions the tables hold for each split. @throws BadInputError as `customTask`. */
export function availableQuestions(options: CustomOptions): SplitSizes {
  const settings = resolveSettings(options.tables.pool, options);
  const { pool, validation, test } = divide(options.tables, settings, judgeOf(settings));
  return { pool: pool.length, validation: validation.length, test: test.length };
}

function draw(
  available: Readonly<Record<Split, readonly Item[]>>,
  sizes: SplitSizes,
  split: Split,
  size: number,
  rng: Rng,
): Question[] {
  const items = available[split];
  if (size > items.length) {
    const told = (["pool", "validation", "test"] as const).map((name) => `${available[name].length} for ${name}`);
    badInput(
      `${CUSTOM}: ${split}`,
      `at most ${items.length} questions, all that the data hold for it`,
      String(size),
      `There are ${told.join(", ")}; asked for are ${sizes.pool}, ${sizes.validation} and ${sizes.test}. Lower --${split}, or give a file for it`,
    );
  }
  const drawn = rng.fork(split).shuffle(items).slice(0, size);
  return withIds(
    drawn.map(({ question, answer, level }) => ({ question, answer, level })),
    split,
  );
}

/** What depends on the checker. */
export interface Judge {
  readonly canonical: (question: string) => string;
  readonly check: Task["check"];
  readonly verify: Task["verify"];
  /** The worked answer that a student is trained on, from the texts of the answer columns. */
  readonly answer: (row: DataRow, question: string, parts: readonly string[]) => string;
}

/** The judge of `settings`. @throws BadInputError for a pattern that is none. */
export function judgeOf(settings: ResolvedSettings): Judge {
  if (settings.checker === "game24") {
    return {
      canonical: puzzleForm,
      check: checkExpression,
      verify: ({ question, answer }) => checkExpression({ question, answer }, answer),
      answer: (row, question, parts) =>
        parts.length > 0
          ? parts.join("\n")
          : (GAME_24_AUTHOR.solve(question) ??
            badInput(row.at, "a puzzle that makes 24", JSON.stringify(question), "Leave unsolvable puzzles out")),
    };
  }
  const checker = createChecker(settings.checker, settings.pattern);
  return {
    canonical: (question) => textForm(question.normalize("NFKC")),
    check(question, completion): Verdict {
      const expected = checker.final(question.answer, question.question);
      const got = checker.final(completion, question.question);
      if (expected === undefined)
        return {
          correct: false,
          expected: "",
          got,
          reason: `the worked answer holds no ${checker.form} to compare with`,
        };
      if (got === undefined)
        return { correct: false, expected, got, reason: `no final answer: expected ${checker.form}` };
      const correct = checker.same(got, expected);
      return {
        correct,
        expected,
        got,
        reason: correct ? `the final answer ${expected} is right` : `the final answer is ${expected}, not ${got}`,
      };
    },
    verify({ question, answer }): Verdict {
      const got = checker.final(answer, question);
      const correct = question.trim() !== "" && got !== undefined;
      return {
        correct,
        expected: "",
        got,
        reason: correct
          ? `the answer has the form ${checker.form}; nobody solved the question to compare`
          : `no question, or no final answer: expected ${checker.form}`,
      };
    },
    answer(row, question, parts) {
      const final = parts.at(-1) ?? "";
      const working = parts.slice(0, -1).filter((part) => part !== "");
      const text = [...working, checker.compose(final, working.length > 0)].join("\n");
      return checker.final(text, question) === undefined
        ? badInput(`${row.at}: answer`, checker.form, JSON.stringify(clip(final)), `The checker is "${checker.name}"`)
        : text;
    },
  };
}

function clip(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** A row as a question with its worked answer. @throws BadInputError naming the row for one without a question or a final answer the checker finds. */
export function readItem(row: DataRow, { columns }: ResolvedSettings, judge: Judge): Item {
  const question = [...columns.question.map((name) => cellText(row, name)), choicesText(row, columns.options)]
    .filter((text) => text !== "")
    .join("\n");
  if (question === "") badInput(`${row.at}: ${columns.question.join(", ")}`, "a question", "an empty text");
  const answer = judge.answer(
    row,
    question,
    columns.answer.map((name) => cellText(row, name, " ")),
  );
  const level = columns.level === undefined ? LEVEL : cellText(row, columns.level) || LEVEL;
  return { question, answer, level, form: judge.canonical(question), at: row.at };
}

/** Adds `item` unless its question is there already. @throws BadInputError where that has another answer. */
export function addItem(byForm: Map<string, Item>, item: Item, judge: Judge): void {
  const same = byForm.get(item.form);
  if (same === undefined) byForm.set(item.form, item);
  else if (!judge.check(same, item.answer).correct)
    badInput(item.at, `the answer of ${same.at}, which has the same question`, JSON.stringify(clip(item.answer)));
}

/** The different questions of a table in its order. */
function itemsOf(table: DataTable, settings: ResolvedSettings, judge: Judge): Item[] {
  const byForm = new Map<string, Item>();
  for (const row of table.rows) addItem(byForm, readItem(row, settings, judge), judge);
  return [...byForm.values()];
}

/** The choices of a row, a line each; a list without letters gets them. */
function choicesText(row: DataRow, column: string | undefined): string {
  if (column === undefined) return "";
  const text = cellText(row, column);
  return Array.isArray(row.values[column]) ? lettered(text.split("\n")).join("\n") : text;
}

function divide(
  tables: CustomOptions["tables"],
  settings: ResolvedSettings,
  judge: Judge,
): Readonly<Record<Split, readonly Item[]>> {
  const parts: Record<Split, Item[]> = { pool: [], validation: [], test: [] };
  const owner = new Map<string, Item>();
  for (const split of ["test", "validation", "pool"] as const) {
    const table = tables[split];
    if (table === undefined) continue;
    // The tables have one form: columns are found once, in the pool's.
    const own = split === "pool" ? settings : resolveSettings(table, settings);
    for (const item of itemsOf(table, own, judge)) {
      const other = owner.get(item.form);
      if (other !== undefined)
        badInput(
          item.at,
          "a question that is in no other split",
          `that of ${other.at}`,
          "Remove it from one of the files: a question that is trained on must not be tested on",
        );
      owner.set(item.form, item);
      parts[split === "pool" ? splitOf(item.form, tables, settings.splitSeed) : split].push(item);
    }
  }
  return parts;
}

/** The split of a question of the pool's table, by hash among those without a table of their own. */
function splitOf(form: string, tables: CustomOptions["tables"], seed: number): Split {
  const open = (["test", "validation"] as const).filter((split) => tables[split] === undefined);
  let share = mixedHash(`${seed} ${form}`) % 100;
  for (const split of open) {
    share -= SHARES[split];
    if (share < 0) return split;
  }
  return "pool";
}
