/**
 * @file The logic of fictional ontologies: facts about one individual, rules from a kind
 * to a kind or a property, and forward chaining. Not here: sentences (`sentences.ts`).
 */

/** What is said of someone: a kind ("a wumpus") or a property ("sour"), or its denial. */
export interface Literal {
  /** `a wumpus` for a kind, `sour` for a property, so that the two never meet. */
  readonly predicate: string;
  readonly positive: boolean;
}

/** Whoever is of kind `when` is what `gives` says. */
export interface Rule {
  readonly when: string;
  readonly gives: Literal;
  /** The sentence that states it. */
  readonly text: string;
}

export interface Fact extends Literal {
  readonly text: string;
}

/** A question: what is known, and a statement to be decided. */
export interface Problem {
  readonly entity: string;
  readonly facts: readonly Fact[];
  readonly rules: readonly Rule[];
  readonly query: Literal;
}

/** One application of a rule. */
export interface Step {
  readonly rule: Rule;
  readonly gives: Literal;
}

export type Decision =
  | {
      readonly decided: true;
      /** Whether the query holds. */
      readonly truth: boolean;
      /** The fact that the shortest proof starts from, and its steps. */
      readonly fact: Fact;
      readonly steps: readonly Step[];
    }
  | { readonly decided: false; readonly reason: "neither" | "both" };

/** The literal that says the opposite. */
export function negated(literal: Literal): Literal {
  return { predicate: literal.predicate, positive: !literal.positive };
}

/** Whether two literals say the same. */
export function sameLiteral(a: Literal, b: Literal): boolean {
  return a.predicate === b.predicate && a.positive === b.positive;
}

/** Key of a literal. */
export function literalKey({ predicate, positive }: Literal): string {
  return positive ? predicate : `not ${predicate}`;
}

interface Derived {
  readonly literal: Literal;
  readonly fact: Fact;
  readonly steps: readonly Step[];
}

/**
 * Decides the query by forward chaining, breadth first: true when it is derived, false when
 * its opposite is. Undecided when neither is, or both are.
 */
export function decide({ facts, rules, query }: Problem): Decision {
  const derived = new Map<string, Derived>();
  const queue: Derived[] = [];
  const add = (entry: Derived): void => {
    const key = literalKey(entry.literal);
    if (derived.has(key)) return;
    derived.set(key, entry);
    queue.push(entry);
  };
  for (const fact of facts) add({ literal: fact, fact, steps: [] });
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (!next.literal.positive) continue;
    for (const rule of rules)
      if (rule.when === next.literal.predicate)
        add({ literal: rule.gives, fact: next.fact, steps: [...next.steps, { rule, gives: rule.gives }] });
  }
  const [yes, no] = [derived.get(literalKey(query)), derived.get(literalKey(negated(query)))];
  const proof = yes ?? no;
  if (proof === undefined) return { decided: false, reason: "neither" };
  if (yes !== undefined && no !== undefined) return { decided: false, reason: "both" };
  return { decided: true, truth: yes !== undefined, fact: proof.fact, steps: proof.steps };
}
