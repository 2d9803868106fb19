/** @file That a worked answer ends where its final answer does: what a teacher writes behind it is checked by nobody, and would be learned. */
import { clipLine } from "./answerLine.ts";
import { MAX_LOOKED_AT, linesOf } from "./lines.ts";

/**
 * Why `answer` says more than its final answer at its end, undefined when it does not: the first line
 * that `isFinal` knows must be the last one that is not blank, and `alone` must hold for it (no unit, no words).
 */
export function textBehindAnswer(
  answer: string,
  isFinal: (line: string) => boolean,
  alone: (line: string) => boolean,
): string | undefined {
  if (answer.length > MAX_LOOKED_AT) return `the answer is longer than ${MAX_LOOKED_AT} characters`;
  const lines = linesOf(answer).filter((line) => line.trim() !== "");
  const at = lines.findIndex(isFinal);
  const line = lines[at];
  if (line === undefined) return undefined;
  if (!alone(line)) return `the last line says more than the final answer: "${clipLine(line)}"`;
  const behind = lines[at + 1];
  return behind === undefined ? undefined : `the answer goes on behind its final line: "${clipLine(behind)}"`;
}
