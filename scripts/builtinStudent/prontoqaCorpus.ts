/**
 * @file What the student of ProntoQA is pretrained on: short proofs whose rules are told of one being ("Each wumpus
 * is …", "Every wumpus is …"). First hardly anything distracts from them, so that the student finds out
 * that it must look for the rule about the kind it has just named; then what the task itself has. The
 * plural ("Wumpuses are …") comes as a taste only: it knows the words, though not well what they mean.
 */
import type { Rng } from "../../src/core/rng.ts";
import { drawProblem, ORDERS } from "../../src/tasks/prontoqa/drawProblem.ts";
import type { Problem } from "../../src/tasks/prontoqa/logic.ts";
import { questionOf } from "../../src/tasks/prontoqa/question.ts";
import { tellRule } from "../../src/tasks/prontoqa/sentences.ts";
import { regionOf } from "../../src/tasks/splits.ts";
import type { Question } from "../../src/tasks/types.ts";

export interface ProntoqaCorpusOptions {
  /** Relative weight of proofs with 1, 2, 3, … rules. */
  readonly hops: readonly number[];
  /** Distractors besides the one about the property that is asked for; 1 to 3 as the task has them by default. */
  readonly distractors?: number;
  /** Share of questions told as the task tells them, plurals included. */
  readonly taste: number;
}

/** `n` questions of the task's pretraining region. Deterministic for one `rng`. */
export function prontoqaCorpus(rng: Rng, n: number, options: ProntoqaCorpusOptions): Question[] {
  const { hops, distractors, taste } = options;
  const lengths = hops.flatMap((weight, i) => Array.from({ length: weight }, () => i + 1));
  const corpus: Question[] = [];
  while (corpus.length < n) {
    const drawn = drawProblem(
      { hops: rng.pick(lengths), order: rng.pick(ORDERS), ...(distractors === undefined ? {} : { distractors }) },
      rng,
    );
    const written = questionOf(rng.uniform() < taste ? drawn : withoutPlurals(drawn, rng));
    if (written !== undefined && regionOf(written.form) === "pretraining")
      corpus.push({ ...written.question, id: `pretraining-${corpus.length + 1}` });
  }
  return corpus;
}

function withoutPlurals(problem: Problem, rng: Rng): Problem {
  return {
    ...problem,
    rules: problem.rules.map(({ when, gives }) => ({
      when,
      gives,
      text: tellRule(when, gives, rng.pick(["Each", "Every"] as const)),
    })),
  };
}
