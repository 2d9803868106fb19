/**
 * @file Texts that teach the student of ProntoQA to compare: a statement, what holds, and whether the statement is then
 * true. A question of the task comes to that once, behind all of its proof. Nothing here is proved or asks for a proof,
 * so none is a question that a split or a teacher can hold.
 */
import type { Rng } from "../../src/core/rng.ts";
import { negated } from "../../src/tasks/prontoqa/logic.ts";
import { truthText } from "../../src/tasks/prontoqa/proof.ts";
import { tellFact } from "../../src/tasks/prontoqa/sentences.ts";
import { ENTITIES, PROPERTIES } from "../../src/tasks/prontoqa/words.ts";
import type { Question } from "../../src/tasks/types.ts";

/** `n` rows: `True or false: Max is sour. Max is not sour.`, then `Answer: False`. Deterministic for one `rng`. */
export function prontoqaVerdicts(rng: Rng, n: number): Question[] {
  return Array.from({ length: n }, (_, i) => {
    const entity = rng.pick(ENTITIES);
    const statement = { predicate: rng.pick(PROPERTIES), positive: rng.uniform() < 0.5 };
    const truth = rng.uniform() < 0.5;
    const held = truth ? statement : negated(statement);
    return {
      id: `verdicts-${i + 1}`,
      question: `True or false: ${tellFact(entity, statement)} ${tellFact(entity, held)}`,
      answer: `Answer: ${truthText(truth)}`,
      level: truthText(truth),
    };
  });
}
