/**
 * @file Worked answers of the Game of 24: a line per step with the numbers left, then the
 * whole expression.
 *
 *     10 - 4 = 6 (left: 6 9 13)
 *     13 - 9 = 4 (left: 4 6)
 *     6 * 4 = 24 (left: 24)
 *     Answer: (10 - 4) * (13 - 9) = 24
 *
 * The form of the steps is that of Tree of Thoughts (arXiv 2305.10601). Writing, and
 * checking without trust; every number is an exact fraction.
 */
import { textBehindAnswer } from "../answerEnd.ts";
import { answerLine, clipLine, isAnswerLine } from "../answerLine.ts";
import { equalRationals, rational, rationalText, readExpression } from "../arithmetic.ts";
import type { Rational } from "../arithmetic.ts";
import { linesOf } from "../lines.ts";
import type { Verdict } from "../types.ts";
import { readPuzzle } from "./puzzle.ts";
import type { Numbers } from "./puzzle.ts";
import { TARGET, expressionText, solutions } from "./solve.ts";
import type { Fraction, Tree } from "./solve.ts";

/** Longest line of an answer that is read. */
const MAX_LINE = 400;
const NUMBER = "\\(?(-?[0-9]{1,9}(?:/[0-9]{1,9})?)\\)?";
const STEP = new RegExp(
  `^\\s*(?:[0-9][.)]\\s+)?${NUMBER} ([-+*/×÷−]) ${NUMBER} = ${NUMBER} \\(left: ([-0-9/ (),]{1,80})\\)\\s*$`,
);

/** `8/3`, `24`. */
function numberText({ n, d }: Fraction): string {
  return d === 1 ? String(n) : `${n}/${d}`;
}

/** The worked answer that `solution` gives: its steps from the inside out, each with the numbers left in ascending order. */
export function workedAnswer(numbers: Numbers, solution: Tree): string {
  const lines: string[] = [];
  let left: Fraction[] = numbers.map((n) => ({ n, d: 1 }));
  const take = (value: Fraction): void => {
    left = left.toSpliced(
      left.findIndex((other) => other.n === value.n && other.d === value.d),
      1,
    );
  };
  const walk = (tree: Tree): void => {
    if (tree.op === undefined) return;
    walk(tree.left);
    walk(tree.right);
    take(tree.left);
    take(tree.right);
    left = [...left, tree].sort((a, b) => a.n * b.d - b.n * a.d);
    lines.push(
      `${numberText(tree.left)} ${tree.op} ${numberText(tree.right)} = ${numberText(tree)} (left: ${left.map(numberText).join(" ")})`,
    );
  };
  walk(solution);
  return [...lines, `Answer: ${expressionText(solution)} = ${TARGET}`].join("\n");
}

/** Judges the expression of a completion alone: its value, and that it uses every number of the puzzle once. */
export function checkExpression(
  question: { readonly question: string; readonly answer: string },
  completion: string,
): Verdict {
  const expected = answerLine(question.answer) ?? String(TARGET);
  const got = answerLine(completion);
  const reject = (reason: string): Verdict => ({ correct: false, expected, got, reason });
  const numbers = readPuzzle(question.question);
  if (numbers === undefined) return reject("the question is no Game of 24");
  if (got === undefined) return reject('no line "Answer: expression"');
  const reason = wrongExpression(got, numbers);
  return reason === undefined
    ? { correct: true, expected, got, reason: `the expression makes ${TARGET} from ${numbers.join(", ")}` }
    : reject(reason);
}

/** Why the text is not an expression (or `expression = 24`) that makes 24 from the numbers, undefined when it is. */
function wrongExpression(text: string, numbers: Numbers): string | undefined {
  const [left = "", right, ...more] = text.replace(/[.\s]+$/, "").split("=");
  const expression = readExpression(left);
  if (expression === undefined || more.length > 0) return "the expression cannot be read, or divides by zero";
  if (right !== undefined && !isTarget(readExpression(right)?.value))
    return `what stands behind the equals sign is not ${TARGET}`;
  if (!isTarget(expression.value)) return `the expression makes ${rationalText(expression.value)}, not ${TARGET}`;
  const wanted = numbers.map((n) => `${n}`).join(" ");
  const used = expression.numbers
    .map(rationalText)
    .sort((a, b) => Number(a) - Number(b))
    .join(" ");
  return used === wanted ? undefined : `the expression uses ${used}, not each of ${wanted} once`;
}

function isTarget(value: Rational | undefined): boolean {
  return value !== undefined && value.denominator === 1n && value.numerator === BigInt(TARGET);
}

/**
 * Whether `answer` is a right and fully worked answer to `question`: the puzzle is solved
 * anew, each step's operands must be left and its result right, the numbers left are
 * recounted, the last one is 24, and the expression makes 24 from every number once.
 */
export function verifyPair(pair: { readonly question: string; readonly answer: string }): Verdict {
  const got = answerLine(pair.answer);
  const numbers = readPuzzle(pair.question);
  const best = numbers === undefined ? undefined : solutions(numbers)[0];
  const expected = best === undefined ? "" : `${expressionText(best)} = ${TARGET}`;
  const reject = (reason: string): Verdict => ({ correct: false, expected, got, reason });
  if (numbers === undefined) return reject("the question cannot be read");
  if (best === undefined) return reject(`the question has no answer: nothing makes ${TARGET}`);
  if (got === undefined) return reject('no line "Answer: expression"');
  const wrong =
    wrongExpression(got, numbers) ??
    wrongSteps(pair.answer, numbers) ??
    // What stands in the answer's line was read whole.
    textBehindAnswer(pair.answer, isAnswerLine, () => true);
  return wrong === undefined
    ? { correct: true, expected, got, reason: `${TARGET} from ${numbers.join(", ")}, and every step holds` }
    : reject(wrong);
}

function wrongSteps(answer: string, numbers: Numbers): string | undefined {
  let left = numbers.flatMap((n) => rational(BigInt(n)) ?? []);
  for (const line of linesOf(answer)) {
    if (isAnswerLine(line)) break;
    if (line.trim() === "") continue;
    const shown = `the step "${clipLine(line)}"`;
    const match = line.length <= MAX_LINE ? STEP.exec(line) : null;
    if (match === null) return `${shown} cannot be read`;
    const [, a = "", op = "", b = "", c = "", rest = ""] = match;
    const [x, y, result] = [readExpression(a)?.value, readExpression(b)?.value, readExpression(c)?.value];
    const value = readExpression(`(${a}) ${op} (${b})`)?.value;
    if (x === undefined || y === undefined || result === undefined || value === undefined)
      return `${shown} cannot be read`;
    if (!equalRationals(value, result)) return `${shown} is wrong`;
    const without = removed(removed(left, x), y);
    if (without === undefined) return `${shown} uses a number that is not left`;
    left = [...without, result];
    const told = rest.split(/[ ,]+/).map((text) => readExpression(text)?.value);
    const unmatched = told.reduce<readonly Rational[] | undefined>(
      (list, number) => (number === undefined ? undefined : removed(list, number)),
      left,
    );
    if (unmatched === undefined || unmatched.length > 0) return `${shown} miscounts the numbers left`;
  }
  return left.length === 1 && isTarget(left[0]) ? undefined : `the steps do not end at ${TARGET}`;
}

/** The list without one element equal to `value`, undefined when it has none. */
function removed(list: readonly Rational[] | undefined, value: Rational): Rational[] | undefined {
  const at = list?.findIndex((other) => equalRationals(other, value)) ?? -1;
  return list === undefined || at < 0 ? undefined : list.toSpliced(at, 1);
}
