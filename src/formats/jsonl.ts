/** @file JSON Lines: one JSON value a line, with errors that name file and line. A byte order mark and CRLF are tolerated, blank lines skipped. */
import { badInput, messageOf } from "../core/errors.ts";

/** A value and the line it stood on, counted from 1. */
export interface JsonLine {
  readonly line: number;
  readonly value: unknown;
}

/** Values of a JSONL text in order. @throws BadInputError for a line that is not JSON, or when there is no value at all. */
export function parseJsonl(text: string, where: string): readonly JsonLine[] {
  const lines: JsonLine[] = [];
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  body.split("\n").forEach((raw, index) => {
    const trimmed = raw.trim();
    if (trimmed === "") return;
    try {
      lines.push({ line: index + 1, value: JSON.parse(trimmed) as unknown });
    } catch (error) {
      const got = trimmed.length > 60 ? `${trimmed.slice(0, 57)}...` : trimmed;
      badInput(`${where}:${index + 1}`, "one JSON object on the line", got, messageOf(error));
    }
  });
  if (lines.length === 0) badInput(where, "at least one row", "no data");
  return lines;
}

/** JSONL text of the values, each line ended. */
export function formatJsonl(values: Iterable<unknown>): string {
  let out = "";
  for (const value of values) out += `${JSON.stringify(value)}\n`;
  return out;
}
