/** @file From a story to a question with its worked answer, and the keys and labels of word problems. */
import { checkSteps } from "../workedSteps.ts";
import { textBehindAnswer } from "../answerEnd.ts";
import { clipLine } from "../answerLine.ts";
import { finalAnswer, sameNumber } from "../finalAnswer.ts";
import { linesOf } from "../lines.ts";
import { textForm } from "../textForm.ts";
import type { Question, Verdict } from "../types.ts";
import { programKey, programLines, programNumbers, work } from "./program.ts";
import type { Working } from "./program.ts";
import { readStory } from "./readStory.ts";
import { storyCluster, storyProgram, tellStory } from "./story.ts";
import type { Story } from "./story.ts";

/** "1 step", "2 steps", … */
export function levelName(lines: number): string {
  return `${lines} step${lines === 1 ? "" : "s"}`;
}

/** The worked answer: a line per equation, then `#### answer`. */
export function workedAnswer(working: Working & { readonly ok: true }): string {
  const lines = working.equations.map(({ left, symbol, right, result }) => `${left} ${symbol} ${right} = ${result}`);
  return [...lines, `#### ${working.answer}`].join("\n");
}

/** The question that tells `story`, with its worked answer and labels; undefined when the story does not come out even. */
export function questionOf(story: Story, id: string): Question | undefined {
  const program = storyProgram(story);
  const working = work(program);
  if (!working.ok) return undefined;
  return {
    id,
    question: tellStory(story),
    answer: workedAnswer(working),
    level: levelName(programLines(program)),
    tags: { cluster: storyCluster(story) },
    program,
  };
}

/**
 * Key under which two word problems count as the same: the program they state, so
 * that other names, objects or wording make no new problem. A text that is not
 * one of ours is its own key, letter case and spaces aside.
 */
export function canonicalForm(question: string): string {
  const story = readStory(question);
  return story === undefined ? textForm(question) : programKey(storyProgram(story));
}

/**
 * Whether `answer` is a right and fully worked answer to `question`: the text is read
 * and solved from scratch, the final number compared, every equation recomputed, every number on a
 * left side traced to the question, and the last equation must give the final number. Words may stand
 * around an equation, but no line may be without one, no markup in any, and nothing behind the final number.
 * A question that cannot be read or does not come out even is rejected with any answer.
 */
export function verifyPair(pair: { readonly question: string; readonly answer: string }): Verdict {
  const got = finalAnswer(pair.answer);
  const reject = (reason: string, expected = ""): Verdict => ({ correct: false, expected, got, reason });
  const story = readStory(pair.question);
  if (story === undefined) return reject("the question cannot be read");
  const program = storyProgram(story);
  const working = work(program);
  if (!working.ok) return reject(`the question has no answer: ${working.reason}`);
  const expected = String(working.answer);
  if (got === undefined) return reject('no line "#### number"', expected);
  if (!sameNumber(got, expected)) return reject(`the final answer is ${expected}, not ${got}`, expected);
  const steps = checkSteps(pair.answer, programNumbers(program));
  if (!steps.ok) return reject(steps.reason, expected);
  if (steps.last.denominator !== 1n || String(steps.last.numerator) !== expected)
    return reject(`the steps end at ${steps.last.numerator}, the answer says ${expected}`, expected);
  const more = textBehindAnswer(pair.answer, isFinal, (line) => FINAL_LINE.test(line)) ?? unreadableLine(pair.answer);
  if (more !== undefined) return reject(more, expected);
  return { correct: true, expected, got, reason: `solved from the text: ${expected}, and every step holds` };
}

const FINAL_LINE = /^\s*#### -?[0-9.,]+\s*$/;
/** What no worked answer needs: markup, addresses, code. */
const MARKUP = /[<>{}[\]\\@#&|^~`_]|:\/\//;

function isFinal(line: string): boolean {
  return line.includes("####");
}

/** The first step that shows no equation, or more than words around one. */
function unreadableLine(answer: string): string | undefined {
  const lines = linesOf(answer);
  const steps = lines.slice(0, lines.findIndex(isFinal)).filter((line) => line.trim() !== "");
  const line = steps.find((step) => !step.includes("=") || MARKUP.test(step.replace(/<<[^<>]*>>/g, "")));
  return line === undefined ? undefined : `the step "${clipLine(line)}" cannot be read`;
}
