/**
 * @file Does the teacher's question keep what its seed was picked for? Spearman's ρ between the
 * seeds' scores and the scores of the questions they gave, of single items and of whole rounds
 * (Figure 2 of arXiv 2512.00884).
 */
import type { SyntheticExample } from "../loop/records.ts";
import { median } from "./sampling.ts";
import { spearman } from "./significance.ts";

/** What one run says of it. */
export interface RunFidelity {
  /** ρ within each round that has one, with its number of items. */
  readonly rounds: readonly { readonly rho: number; readonly items: number }[];
  /** Of each round: median score of the seeds whose pairs were accepted (once for each pair), and of their questions. */
  readonly medians: readonly (readonly [number, number])[];
}

/** Scores of accepted pairs and of their seeds, round by round; undefined where no pair has both. */
export function fidelityOf(examples: readonly SyntheticExample[]): RunFidelity | undefined {
  const rounds = new Map<number, (readonly [number, number])[]>();
  for (const { round, accepted, seedScore, score } of examples) {
    if (!accepted || seedScore === undefined || score === undefined) continue;
    if (!Number.isFinite(seedScore) || !Number.isFinite(score)) continue;
    rounds.set(round, [...(rounds.get(round) ?? []), [seedScore, score]]);
  }
  if (rounds.size === 0) return undefined;
  const sides = [...rounds.values()].map((pairs) => [pairs.map(([x]) => x), pairs.map(([, y]) => y)] as const);
  return {
    rounds: sides.flatMap(([xs, ys]) => {
      const rho = spearman(xs, ys);
      return rho === undefined ? [] : [{ rho, items: xs.length }];
    }),
    medians: sides.map(([xs, ys]) => [median(xs), median(ys)] as const),
  };
}
