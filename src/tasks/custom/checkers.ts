/**
 * @file The checkers for data of unknown origin. Each finds the final answer of a text
 * and says when two are the same; the gold answer and the student's are read alike.
 */
import { RE2JS } from "re2js";
import { badInput, messageOf } from "../../core/errors.ts";
import { answerLine } from "../answerLine.ts";
import { equalRationals, readExpression } from "../arithmetic.ts";
import { finalAnswer, normalNumeral, sameNumber } from "../finalAnswer.ts";
import { finalBox, sameBox } from "../finalBox.ts";
import { MAX_LOOKED_AT } from "../lines.ts";
import type { CheckerName } from "./settings.ts";

/** Finds and compares final answers. Total on any text, and fast on any. */
export interface Checker {
  readonly name: CheckerName;
  /** What a final answer looks like, for messages. */
  readonly form: string;
  /** The final answer of `text`, undefined when it has none. `question` holds the choices where there are any. */
  final(text: string, question: string): string | undefined;
  same(a: string, b: string): boolean;
  /** The final part of a gold answer as a student is to write it: in the checker's own form where it is not already. `worked` says that working stands above it. */
  compose(gold: string, worked: boolean): string;
}

/** Limits of "regex", which together bound its time: characters looked at, matches, characters and states of the pattern. */
const MAX_PATTERN_TEXT = 4000;
const MAX_MATCHES = 64;
const MAX_PATTERN = 500;
const MAX_STATES = 500;

/** With working above it an answer needs a mark. */
const marked = (gold: string, worked: boolean): string =>
  worked && answerLine(gold) === undefined ? `Answer: ${gold.trim()}` : gold;

/** What stands behind `Answer:`, or all of the text where there is no such line; white space aside. */
const EXACT: Checker = {
  name: "exact",
  form: 'some text, or a line "Answer: text"',
  final: (text) => (answerLine(text) ?? text.slice(0, MAX_LOOKED_AT)).trim().replace(/\s+/g, " ") || undefined,
  // Two texts that are alike up to where the checker looks need not be the same.
  same: (a, b) => a === b && a.length < MAX_LOOKED_AT,
  compose: marked,
};

const NUMBER = /-?(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(?:\/[0-9]+)?/g;
/** Longer runs of digits are no number that anyone means. */
const MAX_NUMBER = 300;

/** The last number behind `Answer:`, or of the text where there is no such line; fractions and decimals compared exactly. */
const NUMERIC: Checker = {
  name: "numeric",
  form: "a number",
  final: (text) => {
    const said = answerLine(text) ?? text.slice(0, MAX_LOOKED_AT);
    const last = said.replaceAll("−", "-").match(NUMBER)?.at(-1);
    return last === undefined || last.length > MAX_NUMBER ? undefined : last.replace(/^(-?)\./, "$10.");
  },
  same: (a, b) => {
    const [x, y] = [readExpression(a)?.value, readExpression(b)?.value];
    return x !== undefined && y !== undefined && equalRationals(x, y);
  },
  compose: marked,
};

/** The number behind `####`, as in GSM8K. */
const HASHES: Checker = {
  name: "####",
  form: 'a line "#### number"',
  final: (text) => {
    const found = finalAnswer(text);
    return found === undefined || normalNumeral(found.replace(/\.$/, "")) === undefined
      ? undefined
      : found.replace(/\.$/, "");
  },
  same: sameNumber,
  compose: (gold) => (finalAnswer(gold) === undefined ? `#### ${gold.trim()}` : gold),
};

/** What stands in `\boxed{}`, as in MATH. */
const BOXED: Checker = {
  name: "boxed",
  form: "\\boxed{answer}",
  final: (text) => finalBox(text),
  same: sameBox,
  compose: (gold) => (finalBox(gold) === undefined ? `\\boxed{${gold.trim()}}` : gold),
};

const CHOICE_LINE = /^\s*\(?([A-Za-z])[).:]\s*(.+)$/;

/** A list of choices with letters before them, where they have none: `A) True`. */
export function lettered(choices: readonly string[]): readonly string[] {
  return choices.every((choice) => CHOICE_LINE.test(choice))
    ? choices
    : choices.map((choice, i) => `${String.fromCodePoint(0x41 + i)}) ${choice}`);
}

/** A letter with a mark behind it, or alone: "A dog" is no choice, "A)", "(A)" and "A" are. */
const LETTER = /^[("'*\s]*([A-Za-z])(?:[)."'*:,]|\s*$)/;
const MAX_CHOICE = 400;

/** A letter, or the text of the choice it stands for, behind `Answer:` or alone. */
const CHOICE: Checker = {
  name: "choice",
  form: 'a letter, or a line "Answer: letter"',
  final(text, question) {
    const said = answerLine(text) ?? (text.length <= MAX_CHOICE ? text.trim() : "");
    const plain = (choice: string): string =>
      choice
        .trim()
        .replace(/[.\s]+$/, "")
        .toLowerCase();
    const choices = choicesOf(question);
    const byText = choices.find((choice) => plain(choice.text) === plain(said));
    if (byText !== undefined) return byText.letter;
    const letter = LETTER.exec(said)?.[1]?.toUpperCase();
    return letter !== undefined && (choices.length === 0 || choices.some((choice) => choice.letter === letter))
      ? letter
      : undefined;
  },
  same: (a, b) => a === b,
  compose: (gold) => {
    if (answerLine(gold) !== undefined) return gold;
    const lines = gold.trimEnd().split("\n");
    return [...lines.slice(0, -1), `Answer: ${(lines.at(-1) ?? "").trim()}`].join("\n");
  },
};

/** The choices that a question lists, a line each: `A) True`. */
function choicesOf(question: string): readonly { readonly letter: string; readonly text: string }[] {
  return question
    .slice(-MAX_LOOKED_AT)
    .split("\n")
    .flatMap((line) => {
      const match = line.length <= MAX_CHOICE ? CHOICE_LINE.exec(line) : null;
      return match === null ? [] : [{ letter: (match[1] ?? "").toUpperCase(), text: match[2] ?? "" }];
    });
}

/**
 * The last match of a pattern (of the first 64, in the first 4,000 characters), or its first group where it has
 * one. The pattern is run by RE2, which never backtracks: a match takes time in proportion to text times states
 * whatever the pattern, and `(a+)+$` is as harmless as any.
 * @throws BadInputError for a pattern that is too large or is none in RE2's syntax (no look-around, no back-references).
 */
function regexChecker(pattern: string): Checker {
  if (pattern.length > MAX_PATTERN)
    badInput("pattern", `at most ${MAX_PATTERN} characters`, `${pattern.length} characters`);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern, RE2JS.MULTILINE);
  } catch (error) {
    return badInput("pattern", "a regular expression in RE2's syntax", JSON.stringify(pattern), messageOf(error));
  }
  if (compiled.programSize() > MAX_STATES)
    badInput("pattern", `at most ${MAX_STATES} states`, `${compiled.programSize()}`, "Lower its repetition counts");
  return {
    name: "regex",
    form: `a match of ${pattern}`,
    final(text) {
      const matcher = compiled.matcher(text.slice(0, MAX_PATTERN_TEXT));
      let last: string | undefined;
      for (let matches = 0; matches < MAX_MATCHES && matcher.find(); matches++)
        last = matcher.group(compiled.groupCount() > 0 ? 1 : 0)?.trim() ?? last;
      return last;
    },
    same: (a, b) => a === b,
    compose: (gold) => gold,
  };
}

const FIXED = { exact: EXACT, numeric: NUMERIC, "####": HASHES, boxed: BOXED, choice: CHOICE } as const;

/** Names of the checkers that compare final answers; "game24" judges by the question alone. */
export type FinalCheckerName = Exclude<CheckerName, "game24">;

/** The checker called `name`. @throws BadInputError for "regex" without a sound `pattern`. */
export function createChecker(name: FinalCheckerName, pattern: string | undefined): Checker {
  if (name !== "regex") return FIXED[name];
  return pattern === undefined ? badInput("checker regex", "a pattern", "none") : regexChecker(pattern);
}
