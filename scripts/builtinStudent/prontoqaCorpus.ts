/**
 * @file What the student of ProntoQA is pretrained on: proofs of one to three rules. First hardly anything distracts
 * from them, and rules are told of one being ("Each wumpus is …", "Every wumpus is …"); then come the distractors of the
 * task itself and, in a share of the questions, its plurals ("Wumpuses are …"). Longer proofs it never sees.
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
    if (written !== undefined && isUntold(written.form))
      corpus.push({ ...written.question, id: `pretraining-${corpus.length + 1}` });
  }
  return corpus;
}

/**
 * Whether a proof and the one that ends at the opposite are both of the pretraining region. If one alone were enough,
 * a student could learn by heart which of the two it has seen of a kind and a property, and be wrong about the other.
 */
function isUntold(form: string): boolean {
  const end = form.lastIndexOf(", ") + 2;
  const opposite = form.startsWith("not ", end)
    ? `${form.slice(0, end)}${form.slice(end + 4)}`
    : `${form.slice(0, end)}not ${form.slice(end)}`;
  return [form, opposite].every((each) => regionOf(each) === "pretraining");
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
