/** @file The writer and solver of word problems from which the built-in teacher is made. */
import type { Rng } from "../../core/rng.ts";
import type { Operation } from "../../teacher/types.ts";
import { regionOf } from "../splits.ts";
import type { Author, Question } from "../types.ts";
import { harderPlans, longerPlans, planLines, rarerPlans, simplerPlans } from "./plan.ts";
import { work } from "./program.ts";
import { canonicalForm, questionOf, verifyPair, workedAnswer } from "./question.ts";
import { readStory } from "./readStory.ts";
import { storyPlan, storyProgram, tellStory } from "./story.ts";
import type { Plan, Sentence, Story } from "./story.ts";
import { writeStory } from "./writeStory.ts";
import type { NumberLimits } from "./chooseNumbers.ts";

const ATTEMPTS = 300;
/** Simplifying a one-step problem keeps the step and makes the numbers small. */
const SMALL_NUMBERS: NumberLimits = { maxOperand: 12, maxResult: 60 };

/**
 * An author that keeps to `limits`, `fits` (length, for instance) and the pool's region.
 * - vary: the same operations and cluster; new wording within it, names, objects, numbers.
 * - simplify: one operation less, or a single number for a product; smaller numbers where only one step is left.
 * - complicate: one operation more, or a product for a single number; varies a problem that is as long as they get.
 * - addStep: one operation more; varies a problem that is as long as they get.
 * - rarer: the same operations in another wording than the seed's and the plain one; varies a problem that has no other.
 */
export function createAuthor(limits: NumberLimits, fits: (question: Question) => boolean): Author {
  return {
    write(text, operation, rng) {
      const seed = readStory(text);
      if (seed === undefined) return undefined;
      const seedKey = canonicalForm(text);
      const plans = plansFor(storyPlan(seed), operation);
      const own: NumberLimits = operation === "simplify" && planLines(storyPlan(seed)) === 1 ? SMALL_NUMBERS : limits;
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        // A shape with few programs may have no other one in the region; wider numbers help.
        const story = writeStory(rng.pick(plans), attempt < ATTEMPTS / 2 ? own : wider(limits), rng);
        const question = story === undefined ? undefined : questionOf(story, "");
        if (question === undefined || !fits(question)) continue;
        const key = canonicalForm(question.question);
        if (key === seedKey || regionOf(key) !== "pool") continue;
        return {
          question: question.question,
          level: question.level,
          ...(question.tags === undefined ? {} : { tags: question.tags }),
        };
      }
      return undefined;
    },

    solve(text, options = {}) {
      const story = readStory(text);
      if (story === undefined) return undefined;
      const working = work(storyProgram(story), options);
      return working.ok ? workedAnswer(working) : undefined;
    },

    spoilQuestion,
    spoilAnswer,
  };
}

function wider(limits: NumberLimits): NumberLimits {
  return { maxOperand: 2 * limits.maxOperand, maxResult: 2 * limits.maxResult };
}

function plansFor(plan: Plan, operation: Operation): readonly Plan[] {
  const edited = editedPlans(plan, operation);
  return edited.length > 0 ? edited : [plan];
}

function editedPlans(plan: Plan, operation: Operation): readonly Plan[] {
  switch (operation) {
    case "simplify":
      return simplerPlans(plan);
    case "complicate":
      return harderPlans(plan);
    case "addStep":
      return longerPlans(plan);
    case "rarer":
      return rarerPlans(plan);
    case "vary":
      return [plan];
  }
}

/**
 * The question made impossible (a number changed so that a share does not come out even, or more is lost
 * than there is), or cut off before its last sentence where no number can do that.
 */
function spoilQuestion(text: string, rng: Rng): string {
  const story = readStory(text);
  const impossible = story === undefined ? [] : impossibleVersions(story, rng);
  if (impossible.length > 0 && rng.uniform() < 0.75) return rng.pick(impossible);
  const sentences = text.split(/(?<=[.?])\s+/);
  return sentences.length > 1
    ? sentences.slice(0, -1).join(" ")
    : `${text.slice(0, Math.floor(text.length / 2)).trimEnd()}...`;
}

function impossibleVersions(story: Story, rng: Rng): string[] {
  const withNumber = (sentence: Sentence): Sentence[] =>
    (sentence.phrase.text?.numberSlots ?? []).flatMap((slot) =>
      slot === "times" || slot === "fraction"
        ? []
        : [{ ...sentence, words: { ...sentence.words, [slot]: String(rng.integer(2, 99)) } }],
    );
  const versions: Story[] = [
    ...withNumber(story.opening).map((opening) => ({ ...story, opening })),
    ...story.steps.flatMap((step, i) =>
      withNumber(step).map((changed) => ({ ...story, steps: story.steps.toSpliced(i, 1, changed) })),
    ),
    ...(story.ending === undefined ? [] : withNumber(story.ending).map((ending) => ({ ...story, ending }))),
  ];
  return versions.filter((version) => !work(storyProgram(version)).ok).map(tellStory);
}

/**
 * One planted error: a wrong final number, a step with a wrong result, a wrong result carried on to the end,
 * or the wrong operation carried on to the end. Always one that verification rejects.
 */
function spoilAnswer(question: string, answer: string, rng: Rng): string {
  const lines = answer.split("\n");
  const offset = () => rng.pick([-10, -2, -1, 1, 2, 10]);
  const candidates = rng.shuffle([
    () => wrongFinal(lines, offset()),
    () => wrongStep(lines, offset(), false, rng),
    () => wrongStep(lines, offset(), true, rng),
    () => wrongOperation(lines, rng),
  ]);
  for (const spoil of candidates) {
    const spoiled = spoil();
    if (spoiled !== answer && !verifyPair({ question, answer: spoiled }).correct) return spoiled;
  }
  return lines.slice(0, -1).join("\n");
}

function wrongFinal(lines: readonly string[], offset: number): string {
  return lines
    .map((line) => line.replace(/^#### (-?[0-9]+)$/, (_, n: string) => `#### ${Number(n) + offset}`))
    .join("\n");
}

const STEP = /^([0-9]+) ([-+*/]) ([0-9]+) = (-?[0-9]+)$/;

/** A step whose result is off; `carried` works on with the wrong result, so that only this line is false. */
function wrongStep(lines: readonly string[], offset: number, carried: boolean, rng: Rng): string {
  const at = pickStep(lines, rng);
  const right = STEP.exec(lines[at] ?? "")?.[4];
  if (right === undefined) return lines.join("\n");
  const wrong = String(Math.abs(Number(right) + offset));
  const changed = lines.map((line, i) => (i === at ? line.replace(STEP, `$1 $2 $3 = ${wrong}`) : line));
  return (carried ? carryOn(changed, at, right, wrong) : changed).join("\n");
}

/** A step with another operation, rightly computed and carried on. */
function wrongOperation(lines: readonly string[], rng: Rng): string {
  const at = pickStep(lines, rng);
  const match = STEP.exec(lines[at] ?? "");
  if (match === null) return lines.join("\n");
  const [, a = "", symbol = "", b = "", right = ""] = match;
  const [otherSymbol, wrong] = symbol === "+" ? ["*", Number(a) * Number(b)] : ["+", Number(a) + Number(b)];
  const changed = lines.toSpliced(at, 1, `${a} ${otherSymbol} ${b} = ${wrong}`);
  return carryOn(changed, at, right, String(wrong)).join("\n");
}

function pickStep(lines: readonly string[], rng: Rng): number {
  const steps = lines.flatMap((line, i) => (STEP.test(line) ? [i] : []));
  return steps.length === 0 ? -1 : rng.pick(steps);
}

/** Recomputes the lines after `at` with `wrong` in place of `right`. */
function carryOn(lines: readonly string[], at: number, right: string, wrong: string): string[] {
  const replaced = new Map([[right, wrong]]);
  return lines.map((line, i) => {
    if (i <= at) return line;
    const match = STEP.exec(line);
    if (match === null)
      return line.replace(/^#### (-?[0-9]+)$/, (whole, n: string) => `#### ${replaced.get(n) ?? whole.slice(5)}`);
    const [, a = "", symbol = "", b = "", result = ""] = match;
    const [left, other] = [replaced.get(a) ?? a, replaced.get(b) ?? b];
    const [x, y] = [Number(left), Number(other)];
    const value = symbol === "+" ? x + y : symbol === "-" ? x - y : symbol === "*" ? x * y : Math.trunc(x / y);
    if (left !== a || other !== b) replaced.set(result, String(value));
    return left === a && other === b ? line : `${left} ${symbol} ${other} = ${value}`;
  });
}
