/**
 * @file Checks the equations of a worked answer one by one, whatever words stand
 * around them. Not here: whether the answer fits the question (each task knows).
 */
import { equalRationals, rational, readExpression } from "./arithmetic.ts";
import type { Expression, Rational } from "./arithmetic.ts";
import { linesOf } from "./lines.ts";

export type StepsVerdict =
  | {
      readonly ok: true;
      /** Right-hand side of the last equation. */ readonly last: Rational;
      readonly equations: number;
    }
  | { readonly ok: false; readonly reason: string };

const EXPRESSION_CHARACTERS = "-+*/×·÷−()0123456789., x";
const LIST_MARKER = /^\s*(?:[-*•]|[0-9]+[.)])\s+/;

/**
 * Whether every `=` in the answer (up to its `####` line) stands in a true equation, and
 * there is at least one. The sides are the longest runs of numbers and operators next to
 * the sign; `$` and GSM8K's `<<…>>` calculator notes are passed over. With `known`, every number
 * on a left side must be one of `known` or an earlier result. An `=` that cannot be read fails: a step that
 * cannot be checked is not trusted. True for true but needless steps.
 */
export function checkSteps(answer: string, known?: readonly number[]): StepsVerdict {
  const allowed = known?.map((value) => rational(BigInt(value)));
  let last: Rational | undefined;
  let equations = 0;
  for (const line of linesOf(answer)) {
    if (line.includes("####")) break;
    const segments = line
      .replace(LIST_MARKER, "")
      .replace(/<<[^<>]*>>/g, "")
      .replaceAll("$", "")
      .split("=");
    for (let i = 0; i + 1 < segments.length; i++) {
      const [before = "", after = ""] = segments.slice(i, i + 2);
      const left = readExpression(expressionAtEnd(before));
      const right = readExpression(expressionAtStart(after));
      if (left === undefined || right === undefined)
        return { ok: false, reason: `the step "${clip(line)}" cannot be read` };
      if (!equalRationals(left.value, right.value)) return { ok: false, reason: `the step "${clip(line)}" is wrong` };
      // In a chain `a = b = c` the middle only rewrites an earlier result.
      const inChain = i > 0 && expressionAtEnd(before) === before.trim();
      const stray = inChain ? undefined : strayNumber(left, allowed);
      if (stray !== undefined)
        return {
          ok: false,
          reason: `the step "${clip(line)}" uses ${stray}, which is neither in the question nor worked out before`,
        };
      allowed?.push(right.value);
      last = right.value;
      equations++;
    }
  }
  return last === undefined ? { ok: false, reason: "the answer shows no step" } : { ok: true, last, equations };
}

/** A number of the left side that nothing before accounts for. */
function strayNumber(left: Expression, allowed: readonly (Rational | undefined)[] | undefined): string | undefined {
  if (allowed === undefined) return undefined;
  const stray = left.numbers.find(
    (number) => !allowed.some((value) => value !== undefined && equalRationals(value, number)),
  );
  if (stray === undefined) return undefined;
  return stray.denominator === 1n ? String(stray.numerator) : `${stray.numerator}/${stray.denominator}`;
}

function expressionAtEnd(text: string): string {
  let start = text.length;
  while (start > 0 && EXPRESSION_CHARACTERS.includes(text.charAt(start - 1))) start--;
  return text
    .slice(start)
    .replace(/^[.,\s]+/, "")
    .trimEnd();
}

function expressionAtStart(text: string): string {
  let end = 0;
  while (end < text.length && EXPRESSION_CHARACTERS.includes(text.charAt(end))) end++;
  while (end > 0 && "., ".includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function clip(line: string): string {
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}
