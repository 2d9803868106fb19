/**
 * @file Reading JSON of unknown origin: text to `unknown`, then narrowing with
 * errors that name the file and the field. Not a schema library: the few shapes
 * we read are checked by hand where they are used.
 */
import { badInput, messageOf } from "../core/errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether `value` is a JSON object (not null, not a list). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of a JSON text. @throws BadInputError naming `where`. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    badInput(where, "valid JSON", describeText(text), messageOf(error));
  }
}

/** The object of a JSON text. @throws BadInputError naming `where`. */
export function parseJsonObject(text: string, where: string): JsonObject {
  const value = parseJson(text, where);
  if (!isJsonObject(value)) badInput(where, "a JSON object", describeValue(value));
  return value;
}

/** A string or a number of a JSON text; a string is matched first, so that no number inside it is. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
/** Begins the string that stands for a number while an object is edited. No text in a file begins so. */
const NUMBER_MARK = "\u0000number ";
const MARKED_NUMBER = /"\\u0000number ([^"]*)"/g;

/**
 * The text of a JSON object without the members `drop` and with those of `set`, its other numbers as they were written:
 * `JSON.stringify` makes 30 of 30.0, which transformers' config classes refuse where they expect a float.
 * `text` has passed `parseJsonObject`.
 */
export function editJsonObject(
  text: string,
  { drop = [], set = {} }: { drop?: readonly string[]; set?: JsonObject },
): string {
  const marked = text.replace(STRING_OR_NUMBER, (token) =>
    token.startsWith('"') ? token : JSON.stringify(NUMBER_MARK + token),
  );
  const members = Object.entries(JSON.parse(marked) as JsonObject).filter(([key]) => !drop.includes(key));
  return `${JSON.stringify({ ...Object.fromEntries(members), ...set }, null, 2).replace(MARKED_NUMBER, "$1")}\n`;
}

/** Text of UTF-8 bytes; a byte order mark is dropped. @throws BadInputError when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    badInput(where, "UTF-8 text", `${bytes.length} bytes that are not`);
  }
}

/** Short description of a value for error messages. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = typeof value === "number" || typeof value === "boolean" ? String(value) : (JSON.stringify(value) ?? "");
  return `${typeof value} ${text.length > 60 ? `${text.slice(0, 57)}...` : text}`;
}

function describeText(text: string): string {
  if (text.trim() === "") return "an empty text";
  const start = text.trimStart().slice(0, 40);
  return `text that begins with ${JSON.stringify(start)}`;
}
