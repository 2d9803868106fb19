/**
 * @file The MATH rule for final answers: what stands in `\boxed{…}`, compared as an exact
 * number where it is one, else as text. Source of the form: Hendrycks et al. 2021, arXiv 2103.03874.
 */
import { equalRationals, readExpression } from "./arithmetic.ts";
import type { Rational } from "./arithmetic.ts";
import { linesOf } from "./lines.ts";
import type { Question, Verdict } from "./types.ts";

const OPENING = /\\boxed\s{0,3}\{/g;
/** Longer contents are no answer; the limit keeps the search for the closing brace short. */
const MAX_CHARACTERS = 400;

/**
 * The content of the last brace-matched `\boxed{…}` of the first answer in `text`; undefined when there is none.
 * The first answer ends with the first line that holds a box and the lines with boxes directly below it:
 * a student that runs on into another problem is judged on its own. Total on any text.
 */
export function finalBox(text: string): string | undefined {
  let last: string | undefined;
  for (const line of linesOf(text)) {
    const boxes = [...line.matchAll(OPENING)].map((match) => contentFrom(line, match.index + match[0].length));
    const box = boxes.findLast((content) => content !== undefined);
    if (box !== undefined) last = box;
    else if (last !== undefined) break;
  }
  return last;
}

/** What stands up to the brace that closes the one before `start`. */
function contentFrom(line: string, start: number): string | undefined {
  let depth = 1;
  const end = Math.min(line.length, start + MAX_CHARACTERS);
  for (let i = start; i < end; i++) {
    const character = line.charAt(i);
    if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return line.slice(start, i);
  }
  return undefined;
}

/** A boxed answer with LaTeX's fractions, signs and spacing written plainly: `x = \dfrac{3}{4}` → `3/4`. */
export function plainAnswer(box: string): string {
  return box
    .slice(0, MAX_CHARACTERS)
    .replace(/\\(?:left|right|displaystyle|[,;!: ])|[$\s~]/g, "")
    .replace(/^[a-zA-Z]=/, "")
    .replace(/\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}/g, (_, n: string, d: string) => `${part(n)}/${part(d)}`)
    .replace(/\\[dt]?frac([0-9])([0-9])/g, "$1/$2")
    .replace(/\\(?:cdot|times)/g, "*")
    .replace(/\\div/g, "/")
    .replace(/−/g, "-")
    .replace(/\.$/, "");
}

function part(text: string): string {
  return /^[0-9]+$/.test(text) ? text : `(${text})`;
}

/** The exact number that a boxed answer is, undefined for any other answer. */
export function boxNumber(box: string): Rational | undefined {
  return readExpression(plainAnswer(box), new Map())?.value;
}

/** Whether two boxed answers are the same: as numbers where both are numbers, else letter by letter. */
export function sameBox(a: string, b: string): boolean {
  const [x, y] = [boxNumber(a), boxNumber(b)];
  return x !== undefined && y !== undefined ? equalRationals(x, y) : plainAnswer(a) === plainAnswer(b);
}

/** Judges a completion by its boxed answer alone. Total on any text. */
export function checkFinalBox(question: Pick<Question, "answer">, completion: string): Verdict {
  const expected = finalBox(question.answer);
  const got = finalBox(completion);
  if (expected === undefined)
    return { correct: false, expected: "", got, reason: "the worked answer holds no \\boxed{} to compare with" };
  if (got === undefined) return { correct: false, expected, got, reason: `no \\boxed{answer}, expected ${expected}` };
  const correct = sameBox(got, expected);
  return {
    correct,
    expected,
    got,
    reason: correct ? `the final answer ${expected} is right` : `the final answer is ${expected}, not ${got}`,
  };
}
