/**
 * @file What people decide about synthetic pairs by hand: kept apart from the pairs, so that
 * a run shows both what was made and what was changed. Each decision names the first
 * training it holds for, so that a resumed run trains on the same rows. Not here: whether a
 * decision is allowed (`intervene.ts`).
 */
import type { Intervention, SyntheticExample } from "./records.ts";
import type { StoredRun } from "./runStore.ts";

/** The decisions of one run. */
export class Interventions {
  readonly #all: Intervention[] = [];
  #begun = 0;

  /** Those that an earlier session stored; once, before any other. */
  load(stored: Pick<StoredRun, "interventions" | "checkpoint"> | undefined): void {
    this.#all.push(...(stored?.interventions ?? []));
    this.#begun = stored?.checkpoint?.round ?? 0;
  }

  /** First round whose training a decision can still hold for. */
  get nextRound(): number {
    return this.#begun + 1;
  }

  /** The training of `round` takes its rows now. */
  begin(round: number): void {
    this.#begun = Math.max(this.#begun, round);
  }

  add(intervention: Intervention): void {
    this.#all.push(intervention);
  }

  /** The pairs as the training of `round` sees them, in their order. */
  applyTo(examples: readonly SyntheticExample[], round: number): readonly SyntheticExample[] {
    return applyInterventions(
      examples,
      this.#all.filter((intervention) => intervention.round <= round),
    );
  }
}

/** The pairs after decisions in their order: edited ones have other texts and are accepted, rejected ones are not. */
export function applyInterventions(
  examples: readonly SyntheticExample[],
  interventions: readonly Intervention[],
): readonly SyntheticExample[] {
  const last = new Map(interventions.map((intervention) => [intervention.exampleId, intervention]));
  if (last.size === 0) return examples;
  return examples.map((example) => {
    const decided = last.get(example.id);
    if (decided === undefined || decided.action === "restore") return example;
    if (decided.action === "reject") return { ...example, accepted: false, reason: decided.reason };
    const { question = example.question, answer = example.answer, reason } = decided;
    return { ...example, question, answer, accepted: true, reason };
  });
}
