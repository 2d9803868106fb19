/** @file From a problem to a question with its worked answer, key and labels. */
import type { Question } from "../types.ts";
import { orderOf } from "./drawProblem.ts";
import { decide } from "./logic.ts";
import type { Problem } from "./logic.ts";
import { proofKey, workedAnswer } from "./proof.ts";
import { clusterOf, tellProblem } from "./sentences.ts";

/** "1 hop", "2 hops", … */
export function levelName(hops: number): string {
  return `${hops} hop${hops === 1 ? "" : "s"}`;
}

/** The question that tells `problem`, with its canonical form; undefined when the problem decides nothing. */
export function questionOf(
  problem: Problem,
): { readonly form: string; readonly question: Omit<Question, "id"> } | undefined {
  const decision = decide(problem);
  if (!decision.decided) return undefined;
  const rules = decision.steps.map((step) => step.rule);
  return {
    form: proofKey(decision),
    question: {
      question: tellProblem(problem),
      answer: workedAnswer(problem, decision),
      level: levelName(rules.length),
      tags: { order: orderOf(problem, rules), cluster: clusterOf(problem) },
      program: problem,
    },
  };
}
