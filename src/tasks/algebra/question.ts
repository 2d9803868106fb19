/** @file Algebra questions: read from their text, keyed, worked, and checked step by step. */
import { equalRationals, rationalText, readExpression } from "../arithmetic.ts";
import { textBehindAnswer } from "../answerEnd.ts";
import { clipLine } from "../answerLine.ts";
import { boxNumber, finalBox } from "../finalBox.ts";
import { linesOf } from "../lines.ts";
import { textForm } from "../textForm.ts";
import type { Question, Verdict } from "../types.ts";
import { EQUATIONS } from "./equations.ts";
import type { Difficulty, Family, Work } from "./family.ts";
import { toSymbols, toWords } from "./inWords.ts";
import type { Cluster } from "./inWords.ts";
import { SYSTEMS } from "./systems.ts";
import type { Filled, TextTemplate } from "./textTemplate.ts";
import { VALUES } from "./values.ts";

export const FAMILIES: readonly Family[] = [...EQUATIONS, ...VALUES, ...SYSTEMS];

/** Longest question that is looked at. */
const MAX_CHARACTERS = 300;
/** Most lines of an answer that are looked at. */
const MAX_LINES = 40;

/** A question in its parts. */
export interface Exercise {
  readonly family: Family;
  readonly template: TextTemplate;
  readonly filled: Filled;
  readonly cluster: Cluster;
}

/** The exercise that `text` states, undefined for any text that the templates cannot have written. Total. */
export function readExercise(text: string): Exercise | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const trimmed = text.trim().replace(/\s+/g, " ");
  const inSymbols = toSymbols(trimmed);
  const cluster: Cluster = inSymbols === trimmed ? "plain" : "in words";
  for (const family of FAMILIES)
    for (const template of family.templates) {
      const filled = template.read(inSymbols);
      const exercise = filled && { family, template, filled, cluster };
      // All of it in words, or nothing.
      if (exercise !== undefined && tellExercise(exercise) === trimmed) return exercise;
    }
  return undefined;
}

/** The text that states an exercise. */
export function tellExercise({ template, filled, cluster }: Exercise): string {
  const text = template.write(filled);
  return cluster === "in words" ? toWords(text) : text;
}

/** Key of an exercise: its family and numbers; other wordings and letters, or the other solution, make no new one. */
export function exerciseKey({ family, filled }: Pick<Exercise, "family" | "filled">): string {
  return `algebra ${family.key ?? family.name}: ${family.keyed.map((name) => filled.numbers[name] ?? 0).join(" ")}`;
}

/** Key under which two questions are the same. */
export function canonicalForm(question: string): string {
  const exercise = readExercise(question);
  return exercise === undefined ? textForm(question) : exerciseKey(exercise);
}

/** "level 1" to "level 3". */
export function levelName(difficulty: Difficulty): string {
  return `level ${difficulty}`;
}

/** The worked answer: its lines, then `\boxed{answer}`. */
export function workedAnswer({ lines, answer }: Work): string {
  return [...lines, `\\boxed{${rationalText(answer)}}`].join("\n");
}

/** The question that states `exercise`, with its worked answer and labels; undefined where it has no sound solution. */
export function questionOf(exercise: Exercise): Omit<Question, "id"> | undefined {
  const { family, filled, cluster } = exercise;
  const work = family.work(filled);
  if (work === undefined) return undefined;
  return {
    question: tellExercise(exercise),
    answer: workedAnswer(work),
    level: levelName(family.level(filled.numbers)),
    tags: { topic: family.topic, cluster },
    program: { family: family.name, ...filled },
  };
}

/**
 * Whether `answer` is a right and fully worked answer to `question`: the text is read and solved
 * anew, the box compared as an exact number, and every line before it must hold when the solution is
 * put in for the letters, with nothing beside or behind the box: of `… or …` one part for each solution, of `… and …` or `… , …` every part.
 */
export function verifyPair(pair: { readonly question: string; readonly answer: string }): Verdict {
  const got = finalBox(pair.answer);
  const exercise = readExercise(pair.question);
  const work = exercise?.family.work(exercise.filled);
  const expected = work === undefined ? "" : rationalText(work.answer);
  const reject = (reason: string): Verdict => ({ correct: false, expected, got, reason });
  if (exercise === undefined) return reject("the question cannot be read");
  if (work === undefined) return reject("the question has no answer of the kind that is asked for");
  if (got === undefined) return reject("no \\boxed{answer}");
  const value = boxNumber(got);
  if (value === undefined || !equalRationals(value, work.answer))
    return reject(`the final answer is ${expected}, not ${got}`);
  const boxAlone = (line: string): boolean => BOX_LINE.test(line.replace(`{${got}}`, "{}"));
  const wrong = wrongLine(pair.answer, work.solutions) ?? textBehindAnswer(pair.answer, hasBox, boxAlone);
  return wrong === undefined
    ? { correct: true, expected, got, reason: `solved from the text: ${expected}, and every step holds` }
    : reject(wrong);
}

/** A line of a box alone, its content taken out. */
const BOX_LINE = /^[\s$]*(?:[a-zA-Z]\s*=\s*)?\\boxed\s{0,3}\{\}[\s$]*\.?\s*$/;

function hasBox(line: string): boolean {
  return line.includes("\\boxed");
}

function wrongLine(answer: string, solutions: Work["solutions"]): string | undefined {
  const lines = linesOf(answer).filter((line) => line.trim() !== "");
  const end = lines.findIndex(hasBox);
  const steps = lines.slice(0, end < 0 ? undefined : end);
  if (steps.length === 0) return "the answer shows no step";
  if (steps.length > MAX_LINES) return `the answer has ${steps.length} steps, over ${MAX_LINES}`;
  for (const line of steps) {
    const verdicts = solutions.map((letters) => holds(line.replaceAll("$", "").replace(/[.;]\s*$/, ""), letters));
    if (verdicts.includes(undefined)) return `the step "${clipLine(line)}" cannot be read`;
    if (verdicts.includes(false)) return `the step "${clipLine(line)}" is wrong`;
  }
  return undefined;
}

/** Whether a line holds with these values for its letters, undefined when it cannot be read. */
function holds(line: string, letters: Work["solutions"][number]): boolean | undefined {
  const every = (parts: readonly string[], judge: (part: string) => boolean | undefined): boolean | undefined => {
    const verdicts = parts.map(judge);
    return verdicts.includes(undefined) ? undefined : !verdicts.includes(false);
  };
  const some = (parts: readonly string[]): boolean | undefined => {
    const verdicts = parts.map((part) => equationHolds(part, letters));
    return verdicts.includes(undefined) ? undefined : verdicts.includes(true);
  };
  return every(line.split(/ and |, /), (part) => some(part.split(" or ")));
}

function equationHolds(text: string, letters: Work["solutions"][number]): boolean | undefined {
  const sides = text.split("=").map((side) => readExpression(side, letters)?.value);
  const [first] = sides;
  if (sides.length < 2 || first === undefined) return undefined;
  const verdicts = sides.map((side) => (side === undefined ? undefined : equalRationals(side, first)));
  return verdicts.includes(undefined) ? undefined : !verdicts.includes(false);
}
