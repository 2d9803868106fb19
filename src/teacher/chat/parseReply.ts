/**
 * @file From a reply's text to the fields asked for. Text of a model is data: it is
 * bounded, read as JSON (repaired where it is only slightly broken), checked field by
 * field, and never executed.
 */
import { jsonrepair } from "jsonrepair";
import { TeacherError } from "../teacherError.ts";

/** Longest text that is looked at. */
const MAX_REPLY_CHARS = 64_000;
/** Longest question or answer. */
const MAX_FIELD_CHARS = 8_000;
const MAX_QUOTE = 80;
/** Control characters but tab and line end; lone halves of surrogate pairs. */
const UNWANTED = /(?![\t\n])\p{Cc}|\p{Cs}/gu;

/** Fields of the object asked for. */
export type ReplyFields = Readonly<Record<string, "text" | "score">>;
export type FieldValues<F extends ReplyFields> = { readonly [K in keyof F]: F[K] extends "text" ? string : number };

/** JSON schema of an object with exactly these fields. */
export function schemaOf(fields: ReplyFields): Record<string, unknown> {
  return {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(fields).map(([name, kind]) => [name, { type: kind === "text" ? "string" : "number" }]),
    ),
    required: Object.keys(fields),
    additionalProperties: false,
  };
}

/**
 * The fields of the JSON object in `text`. Around it may be a code fence, thoughts in
 * `<think>` and words; the object itself may lack quotes, commas or its end brackets.
 * @throws TeacherError "reply" that says what is missing.
 */
export function parseReply<F extends ReplyFields>(text: string, fields: F): FieldValues<F> {
  if (text.length > MAX_REPLY_CHARS) throw wrong(`a reply of ${text.length} characters is too long`);
  const body = text.replace(/^\s*<think>[\s\S]*?<\/think>/i, "");
  const start = body.indexOf("{");
  if (start < 0) throw wrong(`expected a JSON object, got ${quote(body)}`);
  const object = readObject(body.slice(start));
  const values: Record<string, string | number> = {};
  for (const [name, kind] of Object.entries(fields)) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    values[name] = kind === "text" ? textOf(name, value) : scoreOf(name, value);
  }
  return values as FieldValues<F>;
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  // As it stands; without what follows it; repaired.
  const [fenced = text] = text.split(/\n\s*```/, 1);
  const end = fenced.lastIndexOf("}");
  const bare = end < 0 ? fenced : fenced.slice(0, end + 1);
  const readings = [
    () => JSON.parse(text) as unknown,
    () => JSON.parse(bare) as unknown,
    () => JSON.parse(jsonrepair(bare)) as unknown,
  ];
  for (const read of readings) {
    try {
      const value = read();
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        return value as Readonly<Record<string, unknown>>;
    } catch {
      // The next reading is more tolerant.
    }
  }
  throw wrong(`expected a JSON object, got ${quote(text)}`);
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== "string")
    throw wrong(`expected the text "${name}", got ${quote(JSON.stringify(value) ?? "none")}`);
  const text = value.replaceAll(/\r\n?/g, "\n").replaceAll(UNWANTED, "").trim();
  if (text === "") throw wrong(`expected the text "${name}", got an empty one`);
  if (text.length > MAX_FIELD_CHARS)
    throw wrong(`expected "${name}" of at most ${MAX_FIELD_CHARS} characters, got ${text.length}`);
  return text;
}

function scoreOf(name: string, value: unknown): number {
  const score = typeof value === "string" ? Number(value) : value;
  if (typeof score !== "number" || !(score >= 1 && score <= 10))
    throw wrong(`expected "${name}" from 1 to 10, got ${quote(JSON.stringify(value) ?? "none")}`);
  return score;
}

function wrong(message: string): TeacherError {
  return new TeacherError("reply", message);
}

function quote(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return JSON.stringify(line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE)}…` : line);
}
