/** @file Kept replies of teachers as one file: a JSON object a line, the same for the terminal's cache and the page's export. */
import * as v from "valibot";
import type { CachedReply } from "../teacher/types.ts";

/** Longest reply that a teacher may give, in characters. */
const MAX_TEXT = 600_000;
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const line = v.object({
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  text: v.pipe(v.string(), v.maxLength(MAX_TEXT)),
  promptTokens: count,
  completionTokens: count,
});

/** Replies by key, and how many lines are none: torn by a crash, or of another file. The last of equal keys counts. */
export function parseReplyLines(text: string): {
  readonly replies: ReadonlyMap<string, CachedReply>;
  readonly unread: number;
} {
  const replies = new Map<string, CachedReply>();
  let unread = 0;
  for (const row of text.split("\n")) {
    if (row.trim() === "") continue;
    const parsed = v.safeParse(line, parseOrUndefined(row));
    if (!parsed.success) {
      unread++;
      continue;
    }
    const { key, ...reply } = parsed.output;
    replies.set(key, reply);
  }
  return { replies, unread };
}

/** The file's text. */
export function formatReplyLines(replies: Iterable<readonly [string, CachedReply]>): string {
  return Array.from(replies, ([key, { text, promptTokens, completionTokens }]) =>
    JSON.stringify({ key, text, promptTokens, completionTokens }),
  )
    .map((row) => `${row}\n`)
    .join("");
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
