/**
 * @file Training and scoring rows from JSONL, in TRL's dataset formats. Rows are
 * text and messages here; tokens are made in `tokenizer/encodeRow.ts`. Other fields of
 * a row are ignored.
 */
import { badInput } from "../core/errors.ts";
import type { Chat, ChatMessage } from "../student/types.ts";
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

/** A conversation. All assistant turns carry loss, or, where `promptLength` is given, everything after so many messages. */
export interface ChatRow extends Chat {
  readonly id: string;
  readonly promptLength?: number;
}

export type ExampleRow = PromptCompletionRow | TextRow | ChatRow;

export interface PromptRow {
  readonly id: string;
  readonly prompt: string | Chat;
}

/** Roles of messages; which of them a template knows is up to the template. */
const ROLES: readonly string[] = ["system", "developer", "user", "assistant"];

/**
 * Rows of a data file: `{"prompt","completion"}` (texts, or lists of messages), `{"messages"}`
 * or `{"text"}`, each with an optional `id` (string or number; the default is the row's number,
 * counted from 1). Chat rows may carry `chat_template_kwargs`.
 * @throws BadInputError naming file and line for anything else, tools, roles that are none and repeated ids included.
 */
export function parseExamples(text: string, where: string): readonly ExampleRow[] {
  return parseRows(text, where, (row, id, at): ExampleRow => {
    if ("messages" in row)
      return { id, messages: readMessages(row, "messages", at), ...readTemplateArguments(row, at) };
    if (Array.isArray(row["prompt"]) || Array.isArray(row["completion"])) {
      const prompt = readMessages(row, "prompt", at);
      const completion = readMessages(row, "completion", at);
      return {
        id,
        messages: [...prompt, ...completion],
        promptLength: prompt.length,
        ...readTemplateArguments(row, at),
      };
    }
    if ("prompt" in row || "completion" in row) {
      return { id, prompt: readText(row, "prompt", at), completion: readText(row, "completion", at) };
    }
    if ("text" in row) return { id, text: readText(row, "text", at) };
    return badInput(
      at,
      'a row with "prompt" and "completion", with "messages", or with "text"',
      `the fields ${Object.keys(row).join(", ") || "of an empty object"}`,
    );
  });
}

/**
 * Prompts to complete: rows with `prompt` (a text or a list of messages) or `messages`, and an
 * optional `id`; a `completion` beside it is ignored.
 * @throws BadInputError as `parseExamples`.
 */
export function parsePrompts(text: string, where: string): readonly PromptRow[] {
  return parseRows(text, where, (row, id, at): PromptRow => {
    const field = "messages" in row ? "messages" : Array.isArray(row["prompt"]) ? "prompt" : undefined;
    if (field !== undefined)
      return { id, prompt: { messages: readMessages(row, field, at), ...readTemplateArguments(row, at) } };
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

/** Messages of `row[field]`, with every field that a template may read. */
function readMessages(row: JsonObject, field: string, at: string): readonly ChatMessage[] {
  const value = row[field];
  if (!Array.isArray(value)) badInput(`${at}: ${field}`, "a list of messages", describeValue(value));
  if (value.length === 0) badInput(`${at}: ${field}`, "at least one message", "an empty list");
  if (isPresent(row["tools"])) rejectTools(`${at}: tools`);
  return value.map((message: unknown, index) => readMessage(message, `${at}: ${field}[${index}]`));
}

function readMessage(message: unknown, at: string): ChatMessage {
  if (!isJsonObject(message)) badInput(at, "a message with role and content", describeValue(message));
  const { role } = message;
  if (role === "tool" || isPresent(message["tool_calls"])) rejectTools(at);
  if (typeof role !== "string" || !ROLES.includes(role))
    badInput(`${at}.role`, `one of ${ROLES.join(", ")}`, describeValue(role));
  if (Array.isArray(message["content"]))
    badInput(`${at}.content`, "a string", "a list of parts", "Students read text only: write the parts as one text");
  return { ...message, role, content: readText(message, "content", at) };
}

/** transformers' arguments to the template beside the messages, such as `enable_thinking`. */
function readTemplateArguments(row: JsonObject, at: string): { readonly templateArguments?: JsonObject } {
  const value = row["chat_template_kwargs"];
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) badInput(`${at}: chat_template_kwargs`, "an object", describeValue(value));
  return { templateArguments: value };
}

/** Columns that a row does not use are null or empty in files that were made from tables. */
function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

function rejectTools(at: string): never {
  badInput(
    at,
    `messages of the roles ${ROLES.join(", ")} without tools`,
    "a tool or a tool call",
    "Tools are unsupported: leave such rows out",
  );
}
