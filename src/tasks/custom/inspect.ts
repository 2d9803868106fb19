/**
 * @file Looks over data of the user's own before they are used: what the columns are taken
 * for, every wrong row rather than the first, and how the checker reads some gold answers.
 * The task itself (`custom.ts`) accepts exactly the data that are found right here.
 */
import { badInput, messageOf } from "../../core/errors.ts";
import type { DataRow, DataTable } from "../types.ts";
import type { CustomOptions, Item, Judge } from "./custom.ts";
import { addItem, availableQuestions, judgeOf, readItem } from "./custom.ts";
import { resolveSettings } from "./resolve.ts";
import type {
  ColumnMapping,
  CustomSettings,
  DataInspection,
  GoldCheck,
  ResolvedSettings,
  RowProblem,
} from "./settings.ts";

const PREVIEW_ROWS = 5;
const GOLD_ROWS = 5;
const MAX_ROW_PROBLEMS = 20;
const MAX_CELL = 300;

/** What `tables` are, with `settings` as far as they are said. Never throws for what the data hold. */
export function inspectData(tables: CustomOptions["tables"], settings: CustomSettings): DataInspection {
  const { pool } = tables;
  const all = Object.values(tables).filter((table) => table !== undefined);
  const found = {
    columns: pool.columns,
    rows: all.reduce((sum, table) => sum + table.rows.length, 0),
    preview: pool.rows.slice(0, PREVIEW_ROWS).map((row) => previewOf(row, pool)),
  };
  const nothing = { rowProblems: [], wrongRows: 0, golds: [] };
  let mapping: ColumnMapping | undefined;
  let resolved: ResolvedSettings;
  let judge: Judge;
  try {
    // A checker that needs no answers leaves only the columns to be found.
    const { pattern: _, ...said } = settings;
    ({ columns: mapping } = resolveSettings(pool, { ...said, checker: "game24" }));
    resolved = resolveSettings(pool, settings);
    judge = judgeOf(resolved);
  } catch (error) {
    return { ...found, ...(mapping === undefined ? {} : { mapping }), problem: messageOf(error), ...nothing };
  }
  const problems: RowProblem[] = [];
  const golds: GoldCheck[] = [];
  for (const table of all) {
    const byForm = new Map<string, Item>();
    for (const row of table.rows) {
      try {
        const item = readItem(row, resolved, judge);
        addItem(byForm, item, judge);
        if (table === pool && golds.length < GOLD_ROWS) golds.push(goldOf(item, judge));
      } catch (error) {
        problems.push({ at: row.at, message: messageOf(error) });
      }
    }
  }
  const told = {
    ...found,
    mapping: resolved.columns,
    settings: resolved,
    rowProblems: problems.slice(0, MAX_ROW_PROBLEMS),
    wrongRows: problems.length,
    golds,
  };
  if (problems.length > 0) return told;
  try {
    const available = availableQuestions({ ...resolved, tables });
    if (available.pool === 0 || available.test === 0)
      badInput(pool.name, "questions for the pool and for the test", `${available.pool} and ${available.test}`);
    return { ...told, available };
  } catch (error) {
    return { ...told, problem: messageOf(error) };
  }
}

function goldOf(item: Item, judge: Judge): GoldCheck {
  const { correct, expected, got } = judge.check(item, item.answer);
  return {
    at: item.at,
    question: clip(item.question),
    answer: clip(item.answer),
    final: expected === "" ? (got ?? "") : expected,
    accepted: correct,
  };
}

function previewOf(row: DataRow, table: DataTable): DataInspection["preview"][number] {
  const cells = table.columns.map((column) => [column, clip(shown(row.values[column]))] as const);
  return { at: row.at, cells: Object.fromEntries(cells) };
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "" : JSON.stringify(value);
}

function clip(text: string): string {
  return text.length <= MAX_CELL ? text : `${text.slice(0, MAX_CELL - 1)}…`;
}
