/**
 * @file The GSM8K rule for final answers: the number after `####`. Shared by tasks
 * that end a worked answer in that form. Source: `ANSWER_RE` of
 * github.com/openai/grade-school-math (MIT), `#### (\-?[0-9\.\,]+)`, commas dropped.
 */
import { linesOf } from "./lines.ts";
import type { Question, Verdict } from "./types.ts";

const MARKER = /#### (-?[0-9.,]+)/g;
const NUMERAL = /^(-?)([0-9]*)(?:\.([0-9]*))?$/;

/**
 * The final answer of `text` as written, commas dropped; undefined when it has none.
 * Only the first answer counts: a student that runs on into another problem is judged
 * on its own. The first answer ends with the first line that holds a marker and the
 * marker lines directly below it; its last marker (a correction) is taken.
 */
export function finalAnswer(text: string): string | undefined {
  let last: string | undefined;
  for (const line of linesOf(text)) {
    const markers = [...line.matchAll(MARKER)];
    const marker = markers.at(-1)?.[1];
    if (marker !== undefined) last = marker.replaceAll(",", "");
    else if (last !== undefined) break;
  }
  return last;
}

/** One spelling for each number ("07.50" → "7.5", "-0" → "0"), undefined when `text` is no decimal number. Exact for any length. */
export function normalNumeral(text: string): string | undefined {
  const match = NUMERAL.exec(text);
  if (match === null || !/[0-9]/.test(text)) return undefined;
  const [, sign = "", digits = "", decimals = ""] = match;
  const whole = digits.replace(/^0+/, "") || "0";
  let end = decimals.length;
  while (decimals[end - 1] === "0") end--;
  const magnitude = end === 0 ? whole : `${whole}.${decimals.slice(0, end)}`;
  return magnitude === "0" ? "0" : sign + magnitude;
}

/** Whether two numerals are the same number; false where either is none. */
export function sameNumber(a: string, b: string): boolean {
  const normal = normalNumeral(a);
  return normal !== undefined && normal === normalNumeral(b);
}

/** Judges a completion by its final answer alone. Total on any text. */
export function checkFinalAnswer(question: Pick<Question, "answer">, completion: string): Verdict {
  const expected = finalAnswer(question.answer);
  const got = finalAnswer(completion);
  if (expected === undefined || normalNumeral(expected) === undefined) {
    return {
      correct: false,
      expected: expected ?? "",
      got,
      reason: "the worked answer holds no final number to compare with",
    };
  }
  if (got === undefined)
    return { correct: false, expected, got, reason: `no line "#### number", expected ${expected}` };
  const correct = sameNumber(got, expected);
  return {
    correct,
    expected,
    got,
    reason: correct ? `the final answer ${expected} is right` : `the final answer is ${expected}, not ${got}`,
  };
}
