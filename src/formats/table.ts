/**
 * @file A data file as a table: JSON Lines, a JSON list of objects, or CSV (comma, semicolon
 * or tab, with a line of column names; read by Papa Parse). What its columns mean is not decided here.
 */
import Papa from "papaparse";
import { badInput } from "../core/errors.ts";
import type { DataRow, DataTable } from "../tasks/types.ts";
import { describeValue, isJsonObject, parseJson } from "./json.ts";
import { parseJsonl } from "./jsonl.ts";

/**
 * The table in `text`. What it is, its first character tells: `{` JSON Lines, `[` a JSON list, anything else CSV.
 * @throws BadInputError naming file and row: for what is none of them, rows of another length than the line of names, repeated or
 * empty names, and for a table without rows.
 */
export function parseTable(text: string, name: string): DataTable {
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  const first = body.trimStart().charAt(0);
  const rows = first === "{" ? jsonLines(body, name) : first === "[" ? jsonList(body, name) : csvRows(body, name);
  if (rows.length === 0) badInput(name, "at least one row", "none");
  return { name, columns: [...new Set(rows.flatMap((row) => Object.keys(row.values)))], rows };
}

function jsonLines(text: string, name: string): DataRow[] {
  return parseJsonl(text, name).map(({ line, value }) => rowOf(value, `${name}:${line}`));
}

function jsonList(text: string, name: string): DataRow[] {
  const list = parseJson(text, name);
  if (!Array.isArray(list)) return badInput(name, "a JSON list of objects", describeValue(list));
  return list.map((value, i) => rowOf(value, `${name}: row ${i + 1}`));
}

function rowOf(value: unknown, at: string): DataRow {
  return isJsonObject(value) ? { at, values: value } : badInput(at, "a JSON object", describeValue(value));
}

function csvRows(text: string, name: string): DataRow[] {
  const { data, errors } = Papa.parse<readonly string[]>(text, { skipEmptyLines: "greedy" });
  // A file of one column has no delimiter to find; that is no error.
  const wrong = errors.find((error) => error.type !== "Delimiter");
  if (wrong !== undefined)
    badInput(`${name}: row ${(wrong.row ?? 0) + 1}`, "CSV", wrong.message, "Quotes inside a quoted cell are doubled");
  const [header = [], ...lines] = data;
  const names = header.map((column) => column.trim());
  const doubled = names.find((column, i) => column === "" || names.indexOf(column) !== i);
  if (doubled !== undefined)
    badInput(`${name}: column names`, "a different name for each column", JSON.stringify(names.join(", ")));
  return lines.map((cells, i) => {
    // The line of names counts as row 1, as in a spreadsheet.
    const at = `${name}: row ${i + 2}`;
    if (cells.length !== names.length)
      badInput(at, `${names.length} cells, as many as column names`, String(cells.length));
    return { at, values: Object.fromEntries(names.map((column, k) => [column, cells[k] ?? ""])) };
  });
}
