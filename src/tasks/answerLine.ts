/** @file The final answer behind `Answer:`, for tasks whose worked answers end with such a line. */
import { linesOf } from "./lines.ts";

/** Longest line that is looked at; no answer comes near. */
const MAX_LINE = 400;
const ANSWER = /^[ \t]*answer[ \t]*:(.*)$/i;

/**
 * What stands behind the first line `Answer: …` of a text; undefined when there is none. Only
 * the first counts: a student that runs on into another problem is judged on its own. Total on any text.
 */
export function answerLine(text: string): string | undefined {
  const line = linesOf(text).find(isAnswerLine);
  return line === undefined ? undefined : (ANSWER.exec(line)?.[1] ?? "").trim();
}

/** Whether a line gives the final answer. */
export function isAnswerLine(line: string): boolean {
  return line.length <= MAX_LINE && ANSWER.test(line);
}

/** A line short enough to show in a reason. */
export function clipLine(line: string): string {
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}
