/**
 * @file Training and scoring rows from JSONL, in TRL's dataset formats. Rows are
 * text here; tokens are made in `tokenizer/encodeRow.ts`. Other fields of a row
 * are ignored.
 */
import { badInput } from "../core/errors.ts";
import { describeValue, isJsonObject, type JsonObject } from "./json.ts";
import { parseJsonl, type JsonLine } from "./jsonl.ts";

/** A prompt and the completion that carries loss. */
export interface PromptCompletionRow {
  readonly id: string;
  readonly prompt: string;
  readonly completion: string;
}

/** Plain text: every token but the first carries loss. */
export interface TextRow {
  readonly id: string;
  readonly text: string;
}

export type ExampleRow = PromptCompletionRow | TextRow;

export interface PromptRow {
  readonly id: string;
  readonly prompt: string;
}

/**
 * Rows of a data file: `{"prompt","completion"}` or `{"text"}`, each with an optional `id`
 * (string or number; the default is the row's number, counted from 1).
 * @throws BadInputError naming file and line for anything else, chat rows and repeated ids included.
 */
export function parseExamples(text: string, where: string): readonly ExampleRow[] {
  return parseRows(text, where, (row, id, at) => {
    if ("messages" in row || isChat(row["prompt"]) || isChat(row["completion"])) rejectChat(at);
    if ("prompt" in row || "completion" in row) {
      return { id, prompt: readText(row, "prompt", at), completion: readText(row, "completion", at) };
    }
    if ("text" in row) return { id, text: readText(row, "text", at) };
    return badInput(
      at,
      'a row with "prompt" and "completion", or with "text"',
      `the fields ${Object.keys(row).join(", ") || "of an empty object"}`,
    );
  });
}

/** Prompts to complete: rows with `prompt` and an optional `id`; a `completion` beside it is ignored. @throws BadInputError as `parseExamples`. */
export function parsePrompts(text: string, where: string): readonly PromptRow[] {
  return parseRows(text, where, (row, id, at) => {
    if ("messages" in row || isChat(row["prompt"])) rejectChat(at);
    return { id, prompt: readText(row, "prompt", at) };
  });
}

function parseRows<T>(text: string, where: string, read: (row: JsonObject, id: string, at: string) => T): readonly T[] {
  const seen = new Map<string, number>();
  return parseJsonl(text, where).map(({ line, value }: JsonLine, index) => {
    const at = `${where}:${line}`;
    if (!isJsonObject(value)) badInput(at, "a JSON object", describeValue(value));
    const id = readId(value["id"], index + 1, at);
    const first = seen.get(id);
    if (first !== undefined)
      badInput(
        at,
        "an id that no other row has",
        `${JSON.stringify(id)}, which line ${first} has`,
        "Rows without an id are known by their row number",
      );
    seen.set(id, line);
    return read(value, id, at);
  });
}

function readId(value: unknown, rowNumber: number, at: string): string {
  if (value === undefined || value === null) return String(rowNumber);
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  badInput(`${at}: id`, "a string or a number", describeValue(value));
}

function readText(row: JsonObject, field: string, at: string): string {
  const value = row[field];
  if (typeof value !== "string") badInput(`${at}: ${field}`, "a string", describeValue(value));
  // A lone surrogate has no UTF-8 form: encoding it would change the text without a word.
  if (/\p{Surrogate}/u.test(value)) badInput(`${at}: ${field}`, "well-formed Unicode", "a lone surrogate");
  return value;
}

function isChat(value: unknown): boolean {
  return Array.isArray(value);
}

function rejectChat(at: string): never {
  badInput(
    at,
    'a row with "prompt" and "completion" as text, or with "text"',
    "a chat row (messages)",
    "Chat rows need the student's chat template and are unsupported for now: write the conversation out as prompt and completion",
  );
}
