/** @file The synthetic pairs of a stored run as rows of a table: each with its seed, what the student made of the seed before and after, and what people decided. */
import { applyInterventions } from "./interventions.ts";
import type { PairRow, SeedState } from "../protocol/loopService.ts";
import type { PoolItem } from "./records.ts";
import type { StoredRun } from "./runStore.ts";

/** Rows in the order in which the pairs were made. A seed's state after the training on a pair is that of the next round's pool. */
export function pairRows(stored: StoredRun): PairRow[] {
  const pools = new Map(
    stored.pools.map(({ round, items }) => [round, new Map(items.map((item) => [item.id, item]))] as const),
  );
  const anyPool = pools.values().next().value;
  const decided = new Map(stored.interventions.map((intervention) => [intervention.exampleId, intervention]));
  const now = applyInterventions(stored.examples, stored.interventions);
  return stored.examples.map((made, index): PairRow => {
    const seed = (pools.get(made.round) ?? anyPool)?.get(made.seedId);
    const intervention = decided.get(made.id);
    return {
      made,
      now: now[index] ?? made,
      seed: seed === undefined ? null : { question: seed.question, answer: seed.answer, level: seed.level },
      before: stateOf(pools.get(made.round)?.get(made.seedId)),
      after: stateOf(pools.get(made.round + 1)?.get(made.seedId)),
      ...(intervention === undefined ? {} : { intervention }),
    };
  });
}

function stateOf(item: PoolItem | undefined): SeedState | null {
  if (item === undefined) return null;
  const { ownLoss, trueLoss, correct } = item;
  return {
    ...(ownLoss === undefined ? {} : { ownLoss }),
    ...(trueLoss === undefined ? {} : { trueLoss }),
    ...(correct === undefined ? {} : { correct }),
  };
}
