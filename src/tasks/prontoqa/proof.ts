/**
 * @file Worked answers to fictional ontologies: the proof, sentence by sentence, then
 * `Answer: True` or `Answer: False`. Written, and checked without trust.
 */
import { textBehindAnswer } from "../answerEnd.ts";
import { answerLine, clipLine, isAnswerLine } from "../answerLine.ts";
import { linesOf } from "../lines.ts";
import { textForm } from "../textForm.ts";
import type { Verdict } from "../types.ts";
import { conceptOf, readFact, readProblem, readRule, sentencesOf, tellFact } from "./sentences.ts";
import { decide, literalKey, negated, sameLiteral } from "./logic.ts";
import type { Decision, Literal, Problem } from "./logic.ts";

type Proof = Decision & { readonly decided: true };

const TRUTH = /^[("'*]*(true|false)\b/i;

/** A fact, then for each step its rule and what follows: `2·steps + 1` sentences; then the verdict. */
export function workedAnswer({ entity }: Pick<Problem, "entity">, proof: Proof): string {
  const sentences = [
    proof.fact.text,
    ...proof.steps.flatMap(({ rule, gives }) => [rule.text, tellFact(entity, gives)]),
  ];
  return `${sentences.join(" ")}\nAnswer: ${truthText(proof.truth)}`;
}

export function truthText(truth: boolean): "True" | "False" {
  return truth ? "True" : "False";
}

/** The final answer of a text, "True" or "False"; undefined when it gives none. Total on any text. */
export function finalTruth(text: string): "True" | "False" | undefined {
  const word = TRUTH.exec(answerLine(text) ?? "")?.[1]?.toLowerCase();
  return word === undefined ? undefined : truthText(word === "true");
}

/** Judges a completion by its final answer alone. Total on any text. */
export function checkTruth(question: { readonly answer: string }, completion: string): Verdict {
  const expected = finalTruth(question.answer);
  const got = finalTruth(completion);
  if (expected === undefined)
    return { correct: false, expected: "", got, reason: "the worked answer holds no True or False to compare with" };
  if (got === undefined) return { correct: false, expected, got, reason: 'no line "Answer: True" or "Answer: False"' };
  return { correct: got === expected, expected, got, reason: `the statement is ${expected.toLowerCase()}` };
}

/**
 * Key under which two questions are the same: the kinds and the property of the shortest
 * proof. Other names, wordings, distractors, or the opposite statement make no new question.
 */
export function canonicalForm(question: string): string {
  const problem = readProblem(question);
  const decision = problem === undefined ? undefined : decide(problem);
  return decision?.decided === true ? proofKey(decision) : textForm(question);
}

/** Key of a proof: `proof yumpus, dumpus, not sour`. */
export function proofKey({ fact, steps }: Pick<Proof, "fact" | "steps">): string {
  const name = (literal: Literal): string =>
    `${literal.positive ? "" : "not "}${conceptOf(literal.predicate) ?? literal.predicate}`;
  return `proof ${[fact, ...steps.map((step) => step.gives)].map(name).join(", ")}`;
}

/**
 * Whether `answer` is a right and fully worked answer to `question`: the text is read and decided
 * anew, every sentence of the proof must be a premise or follow from what is known by one rule
 * that is a premise, and the last one must be the statement or its opposite, as the answer says.
 */
export function verifyPair(pair: { readonly question: string; readonly answer: string }): Verdict {
  const got = finalTruth(pair.answer);
  const problem = readProblem(pair.question);
  const decision = problem === undefined ? undefined : decide(problem);
  const expected = decision?.decided === true ? truthText(decision.truth) : "";
  const reject = (reason: string): Verdict => ({ correct: false, expected, got, reason });
  if (problem === undefined || decision === undefined) return reject("the question cannot be read");
  if (!decision.decided)
    return reject(
      decision.reason === "neither"
        ? "the question has no answer: neither the statement nor its opposite follows"
        : "the question has no answer: both the statement and its opposite follow",
    );
  if (got === undefined) return reject('no line "Answer: True" or "Answer: False"');
  if (got !== expected) return reject(`the statement is ${expected.toLowerCase()}, not ${got.toLowerCase()}`);
  const conclusion = decision.truth ? problem.query : negated(problem.query);
  const wrong =
    wrongStep(pair.answer, problem, conclusion) ??
    textBehindAnswer(pair.answer, isAnswerLine, (line) => TRUTH_LINE.test(line));
  return wrong === undefined
    ? { correct: true, expected, got, reason: `proved from the text: ${expected.toLowerCase()}, and every step holds` }
    : reject(wrong);
}

const TRUTH_LINE = /^\s*answer\s*:\s*(?:true|false)\s*\.?\s*$/i;

function wrongStep(answer: string, problem: Problem, conclusion: Literal): string | undefined {
  const lines = linesOf(answer);
  const end = lines.findIndex(isAnswerLine);
  const known = new Set(problem.facts.map(literalKey));
  let last: Literal | undefined;
  for (const sentence of sentencesOf(lines.slice(0, end < 0 ? undefined : end).join(" "))) {
    const shown = `the step "${clipLine(sentence)}"`;
    const rule = readRule(sentence);
    if (rule !== undefined) {
      if (!problem.rules.some((other) => other.when === rule.when && sameLiteral(other.gives, rule.gives)))
        return `${shown} is not a premise`;
      continue;
    }
    const fact = readFact(sentence);
    if (fact === undefined) return `${shown} cannot be read`;
    if (fact.entity !== problem.entity) return `${shown} is about someone else`;
    const follows = problem.rules.some((other) => known.has(other.when) && sameLiteral(other.gives, fact));
    if (!known.has(literalKey(fact)) && !follows) return `${shown} does not follow by one rule`;
    known.add(literalKey(fact));
    last = fact;
  }
  return last !== undefined && sameLiteral(last, conclusion)
    ? undefined
    : `the steps do not end at "${tellFact(problem.entity, conclusion)}"`;
}
