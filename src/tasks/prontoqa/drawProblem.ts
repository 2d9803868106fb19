/** @file Draws an ontology around a proof of given length: the chain first, then what distracts from it. */
import type { Rng } from "../../core/rng.ts";
import type { Literal, Problem, Rule } from "./logic.ts";
import { CLUSTERS, kind, tellFact, tellRule } from "./sentences.ts";
import type { Cluster, Wording } from "./sentences.ts";
import { CONCEPTS, ENTITIES, PROPERTIES } from "./words.ts";

export const MAX_HOPS = 5;

/** How the rules of a text are ordered: along the chain with distractors between, or shuffled. */
export const ORDERS = ["in order", "shuffled"] as const;
export type Order = (typeof ORDERS)[number];

/** What the writer is told; what is left out is drawn. */
export interface ProblemPlan {
  readonly hops: number;
  readonly order: Order;
  /** How rules are told, "plain" by default. */
  readonly cluster?: Cluster;
  readonly entity?: string;
  readonly property?: string;
  /** Distractors besides the one about the property that is asked for, 1 to 3 by default. */
  readonly distractors?: number;
}

/**
 * A problem whose query is decided by exactly `hops` rules, with equal odds for true and false.
 * There is always a rule that says the opposite of the one that decides, about a kind that the
 * individual is not; the other distractors go on from the chain, lead to it, or add properties.
 */
export function drawProblem(plan: ProblemPlan, rng: Rng): Problem {
  const { hops, order, cluster = "plain", entity = rng.pick(ENTITIES), distractors = rng.integer(1, 3) } = plan;
  const concepts = rng.shuffle(CONCEPTS).map(kind);
  const properties = rng.shuffle(PROPERTIES.filter((word) => word !== plan.property));
  const property = plan.property ?? properties.pop() ?? "sour";
  const take = (): string => concepts.pop() ?? "";
  const chain = Array.from({ length: hops }, take);
  const holds = rng.uniform() < 0.5;
  const decisive: Literal = { predicate: property, positive: rng.uniform() < 0.5 };

  const rules: Rule[] = [];
  const say = (when: string, gives: Literal): void => {
    rules.push({ when, gives, text: tellRule(when, gives, rng.pick<Wording>(CLUSTERS[cluster])) });
  };
  const yes = (predicate: string): Literal => ({ predicate, positive: true });
  chain.forEach((concept, i) => {
    const next = chain[i + 1];
    say(concept, next === undefined ? decisive : yes(next));
  });
  const opposite = { predicate: property, positive: !decisive.positive };
  const distracting = [
    () => say(take(), opposite),
    ...Array.from({ length: distractors }, () =>
      rng.pick([
        () => say(rng.pick(chain), { predicate: properties.pop() ?? "", positive: rng.uniform() < 0.5 }),
        () => say(rng.pick(chain), yes(take())),
        () => say(take(), yes(rng.pick(chain))),
      ]),
    ),
  ];
  for (const add of distracting) add();
  const first = chain[0] ?? "";
  const fact = { ...yes(first), text: tellFact(entity, yes(first)) };
  return {
    entity,
    facts: [fact],
    rules: order === "shuffled" ? rng.shuffle(rules) : spread(rules, hops, rng),
    query: { predicate: property, positive: holds === decisive.positive },
  };
}

/** The first `kept` in their order, the others anywhere between. */
function spread<T>(items: readonly T[], kept: number, rng: Rng): T[] {
  return items
    .slice(kept)
    .reduce<T[]>((list, item) => list.toSpliced(rng.integer(0, list.length), 0, item), items.slice(0, kept));
}

/** How the rules of a problem are ordered, given the rules of its proof in their order. */
export function orderOf(problem: Problem, proof: readonly Rule[]): Order {
  const places = proof.map((rule) => problem.rules.indexOf(rule));
  return places.every((place, i) => i === 0 || place > (places[i - 1] ?? -1)) ? "in order" : "shuffled";
}
