/**
 * @file What the student of ProntoQA is pretrained on: short proofs, the rules told of one being ("Each wumpus
 * is …", "Every wumpus is …"), and a taste of the plural ("Wumpuses are …"), so that it knows the words of
 * plurals though not well that they mean the same kind.
 */
import type { Rng } from "../../src/core/rng.ts";
import type { Problem } from "../../src/tasks/prontoqa/logic.ts";
import { pretrainingSlice, type ProntoqaOptions } from "../../src/tasks/prontoqa/prontoqa.ts";
import { questionOf } from "../../src/tasks/prontoqa/question.ts";
import { tellRule } from "../../src/tasks/prontoqa/sentences.ts";
import type { Question } from "../../src/tasks/types.ts";

/** `n` questions of the task's pretraining slice, all but every `tasteOneIn`-th told without plurals. */
export function prontoqaCorpus(rng: Rng, n: number, tasteOneIn: number, options: ProntoqaOptions): Question[] {
  const wordings = rng.fork("wordings");
  return pretrainingSlice(rng, n, options).map((question, i) => {
    if (i % tasteOneIn === 0) return question;
    const problem = question.program as Problem;
    const rules = problem.rules.map(({ when, gives }) => ({
      when,
      gives,
      text: tellRule(when, gives, wordings.pick(["Each", "Every"] as const)),
    }));
    return { ...question, ...questionOf({ ...problem, rules })?.question };
  });
}
