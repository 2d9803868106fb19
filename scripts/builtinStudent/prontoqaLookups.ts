/**
 * @file Texts that teach the student of ProntoQA to look a rule up: rules, then the same rules in another order. A
 * question of the task asks for one to five of its rules; here every sentence asks for one, and in half of the texts
 * all rules are about one property, so that nothing but the "not" of each is left to find out. No text
 * asks anything, names anyone or proves anything, so none is a question that a split or a teacher can hold.
 */
import type { Rng } from "../../src/core/rng.ts";
import { kind, tellRule, type Wording } from "../../src/tasks/prontoqa/sentences.ts";
import { CONCEPTS, PROPERTIES } from "../../src/tasks/prontoqa/words.ts";
import type { Question } from "../../src/tasks/types.ts";

export interface LookupOptions {
  /** Fewest and most rules of a text. */
  readonly rules: readonly [number, number];
  readonly wordings: readonly Wording[];
  /** Share of rows that repeat the rules in the order they have. */
  readonly inOrder: number;
}

/** Share of texts whose rules are all about one property. */
const ONE_PROPERTY = 0.5;
/** Share of rules in other texts that lead to another kind. */
const TO_A_KIND = 0.4;

/** `n` rows. Deterministic for one `rng`. */
export function prontoqaLookups(rng: Rng, n: number, options: LookupOptions): Question[] {
  return Array.from({ length: n }, (_, i) => {
    const rules = drawRules(rng, options);
    return {
      id: `lookups-${i + 1}`,
      question: rules.join(" "),
      answer: (rng.uniform() < options.inOrder ? rules : rng.shuffle(rules)).join(" "),
      level: `${rules.length} rules`,
    };
  });
}

/** Rules as sentences, each about another kind. */
function drawRules(rng: Rng, { rules: [fewest, most], wordings }: LookupOptions): string[] {
  const concepts = rng.shuffle(CONCEPTS).map(kind);
  const only = rng.uniform() < ONE_PROPERTY ? rng.pick(PROPERTIES) : undefined;
  return concepts.splice(0, rng.integer(fewest, most)).map((when) => {
    const gives =
      only === undefined && rng.uniform() < TO_A_KIND
        ? { predicate: rng.pick(concepts), positive: true }
        : { predicate: only ?? rng.pick(PROPERTIES), positive: rng.uniform() < 0.5 };
    return tellRule(when, gives, rng.pick(wordings));
  });
}
