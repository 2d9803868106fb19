/**
 * @file Picks that cover the pool: k-center greedy and k-means++ seeding over distances
 * between pool members, plain or weighted by scores. Distances come as inner products, so
 * that no embedding has to be formed. Not here: what the embeddings are (the student).
 */
import { invariant } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { Distances } from "./types.ts";

/**
 * Distances of n members from the inner products of their embeddings (row-major [n·n]):
 * `‖x_i − x_j‖² = ⟨x_i, x_i⟩ + ⟨x_j, x_j⟩ − 2⟨x_i, x_j⟩`, at least 0.
 */
export function distancesOf(products: ArrayLike<number>, size: number): Distances {
  invariant(products.length === size * size, `${size} members have ${size * size} inner products`);
  const at = (i: number, j: number): number => products[i * size + j] ?? Number.NaN;
  return {
    size,
    squaredNorm: (i) => at(i, i),
    squared: (i, j) => Math.max(0, at(i, i) + at(j, j) - 2 * at(i, j)),
  };
}

/**
 * `count` members by k-center greedy (Sener & Savarese 2018, arXiv 1708.00489, algorithm 1; Gonzalez 1985):
 * each next one is `argmax_i w_i · min_{j picked} ‖x_i − x_j‖`. The first is that of the largest weight.
 * Of equal values the first in `among` wins: give it in random order.
 */
export function pickKCenter(
  distances: Distances,
  weights: readonly number[] | undefined,
  among: readonly number[],
  count: number,
): number[] {
  const nearest = new Map<number, number>();
  return pickEach(among, count, distances, nearest, (left) =>
    best(left, (i) => weightOf(weights, i) * (nearest.size === 0 ? 1 : Math.sqrt(nearest.get(i) ?? 0))),
  );
}

/**
 * `count` members by k-means++ seeding (Arthur & Vassilvitskii 2007): each next one is drawn with
 * `P(i) ∝ w_i · min_{j picked} ‖x_i − x_j‖²`. The first is drawn with `P(i) ∝ w_i` or, with `first: "norm"`, is
 * the one of the largest `w_i · ‖x_i‖²`, as BADGE does. Where nothing is left at a distance, the order of `among` decides.
 */
export function pickKMeansPlusPlus(
  distances: Distances,
  weights: readonly number[] | undefined,
  among: readonly number[],
  count: number,
  first: "draw" | "norm",
  rng: Rng,
): number[] {
  const nearest = new Map<number, number>();
  return pickEach(among, count, distances, nearest, (left) => {
    if (nearest.size === 0 && first === "norm")
      return best(left, (i) => weightOf(weights, i) * distances.squaredNorm(i));
    return draw(left, (i) => weightOf(weights, i) * (nearest.size === 0 ? 1 : (nearest.get(i) ?? 0)), rng);
  });
}

/** Picks one by one; keeps in `nearest` every other member's squared distance to the nearest one picked. */
function pickEach(
  among: readonly number[],
  count: number,
  distances: Distances,
  nearest: Map<number, number>,
  next: (left: readonly number[]) => number,
): number[] {
  let left = [...among];
  const picks: number[] = [];
  while (picks.length < count) {
    const chosen = next(left);
    picks.push(chosen);
    left = left.filter((i) => i !== chosen);
    for (const i of left) nearest.set(i, Math.min(nearest.get(i) ?? Infinity, distances.squared(i, chosen)));
  }
  return picks;
}

function weightOf(weights: readonly number[] | undefined, i: number): number {
  return weights?.[i] ?? 1;
}

/** The first of the members with the largest value. */
function best(members: readonly number[], value: (i: number) => number): number {
  const [head, ...rest] = members;
  invariant(head !== undefined, "members are left to pick from");
  return rest.reduce((top, i) => (value(i) > value(top) ? i : top), head);
}

/** One member with probability in proportion to its value; the first where all are 0. */
function draw(members: readonly number[], value: (i: number) => number, rng: Rng): number {
  const values = members.map(value);
  const total = values.reduce((sum, v) => sum + v, 0);
  const [head] = members;
  invariant(head !== undefined, "members are left to pick from");
  if (!(total > 0)) return head;
  let rest = rng.uniform() * total;
  for (const [k, i] of members.entries()) {
    rest -= values[k] ?? 0;
    if (rest < 0) return i;
  }
  // Rounding left a crumb: the last one that can be drawn.
  return members.findLast((_, k) => (values[k] ?? 0) > 0) ?? head;
}
