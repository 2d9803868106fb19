/**
 * @file Picks pool members from their scores. Not here: what a score is and how
 * it is computed (the student), or which strategies exist (`registry.ts`).
 *
 * Pickers rank pool members by one key, highest first: the score itself (argmax), a
 * Gumbel perturbation of the log-weight of a draw (softmax, proportional, rank), or
 * nothing (uniform). Equal keys are ordered by a seeded random permutation, so
 * that a flat score picks uniformly instead of favouring the head of the pool.
 */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import { pickKCenter, pickKMeansPlusPlus } from "./diversity.ts";
import { PICKER_KINDS } from "./strategies.ts";
import type {
  BalancedPicker,
  Distances,
  DiversityPicker,
  Pick,
  QueryStrategy,
  ScorePicker,
  SelectQueries,
} from "./types.ts";

/**
 * `querySize` distinct pool members, in the order they were picked (highest key first).
 *
 * - argmax: the `querySize` highest scores.
 * - softmax: sampling without replacement with `P(next = i) ∝ exp(z_i / temperature)`
 *   over what is left (Plackett–Luce), drawn as the top `querySize` of
 *   `z_i + temperature · g_i`, `g_i` standard Gumbel (Gumbel top-m; Kool et al. 2019),
 *   `z` the z-scores over the pool (all 0 when the scores are equal). Temperature 0 is argmax.
 * - proportional: likewise with `P(next = i) ∝ s_i^exponent` for scores ≥ 0 (prioritized
 *   sampling, Schaul et al. 2016, arXiv 1511.05952); scores of 0 come last.
 * - rank: likewise with `P(next = i) ∝ (1/rank_i)^exponent` (its rank-based variant).
 * - uniform: without replacement, whatever the scores.
 * - above: every score over `threshold`, uniformly without replacement where there are more than `querySize`.
 *
 * - k-center, k-means++: by distances between members, weighted by `score^exponent` where there are
 *   scores (`diversity.ts`), among the members of the highest scores where `candidates` says so.
 *
 * - balanced: `share` of the picks (rounded) among scores ≥ `threshold`, the rest among the others, uniformly
 *   within each; where one side has too few, the other fills up.
 *
 * A `Pick` carries score and rank when the strategy needs scores; the rank counts
 * from 1 = highest, ties in the seeded order. Scores given to a strategy that needs none are ignored.
 * Draws from `rng` (fork one per round): the same state gives the same picks.
 * @throws BadInputError for a query size over the pool, missing or non-finite scores, a negative temperature or exponent, negative scores with `proportional`.
 */
export const selectQueries: SelectQueries = (strategy, scores, poolSize, querySize, rng, options = {}) => {
  const { distances, among } = options;
  checkSizes(among?.length ?? poolSize, querySize);
  const used = strategy.measures.length === 0 ? undefined : checkScores(strategy, scores, poolSize);
  const everybody = rng.shuffle(indices(poolSize));
  const rankOf = used === undefined ? undefined : ranks(order(used, everybody));
  const allowed = among === undefined ? undefined : new Set(among);
  const tieOrder = allowed === undefined ? everybody : everybody.filter((index) => allowed.has(index));
  const { picker } = strategy;
  const pick = (): readonly number[] => {
    switch (picker.kind) {
      case "k-center":
      case "k-means++":
        return pickDiverse(strategy, picker, used, tieOrder, querySize, rng, distances, poolSize);
      case "balanced":
        return pickBalanced(picker, used ?? needsScores(strategy), tieOrder, querySize);
      case "above": {
        const known = used ?? needsScores(strategy);
        return tieOrder.filter((index) => (known[index] ?? -Infinity) > picker.threshold).slice(0, querySize);
      }
      default:
        return order(pickerKeys(strategy, picker, used, rankOf, poolSize, rng), tieOrder).slice(0, querySize);
    }
  };
  return pick().map((index): Pick => ({ index, score: used?.[index], rank: rankOf?.[index] }));
};

function pickBalanced(
  { threshold, share }: BalancedPicker,
  scores: readonly number[],
  tieOrder: readonly number[],
  querySize: number,
): readonly number[] {
  if (!(share >= 0 && share <= 1)) badInput("selectQueries", "a share from 0 to 1", String(share));
  const isHard = (i: number): boolean => (scores[i] ?? 0) >= threshold;
  const [hard, easy] = [tieOrder.filter(isHard), tieOrder.filter((i) => !isHard(i))];
  const wanted = Math.max(Math.round(share * querySize), querySize - easy.length);
  const fromHard = Math.min(hard.length, wanted);
  return [...hard.slice(0, fromHard), ...easy.slice(0, querySize - fromHard)];
}

function pickDiverse(
  strategy: QueryStrategy,
  picker: DiversityPicker,
  scores: readonly number[] | undefined,
  tieOrder: readonly number[],
  querySize: number,
  rng: Rng,
  distances: Distances | undefined,
  poolSize: number,
): readonly number[] {
  const where = `strategy "${strategy.name}"`;
  if (distances?.size !== poolSize)
    return badInput(
      where,
      `distances between the ${poolSize} pool members`,
      distances === undefined ? "none" : `those of ${distances.size}`,
    );
  const exponent = checkExponent(picker.exponent);
  const weights =
    exponent === 0 ? undefined : scores && checkNonNegative(strategy, scores).map((score) => score ** exponent);
  const { candidates } = picker;
  if (candidates !== undefined && !(candidates >= 1))
    badInput(where, "candidates of at least 1 times the query size", String(candidates));
  const among =
    candidates === undefined || scores === undefined
      ? tieOrder
      : order(scores, tieOrder).slice(0, Math.max(querySize, Math.ceil(candidates * querySize)));
  return picker.kind === "k-center"
    ? pickKCenter(distances, weights, among, querySize)
    : pickKMeansPlusPlus(distances, weights, among, querySize, picker.first, rng);
}

/** @throws BadInputError when a score is negative: nothing can be drawn in proportion to it. */
function checkNonNegative(strategy: QueryStrategy, scores: readonly number[]): readonly number[] {
  const negative = scores.findIndex((score) => score < 0);
  if (negative >= 0)
    badInput(
      `strategy "${strategy.name}"`,
      `scores >= 0 with the picker ${strategy.picker.kind}`,
      `${scores[negative]} for member ${negative}`,
      "Take the picker rank or softmax",
    );
  return scores;
}

function pickerKeys(
  strategy: QueryStrategy,
  picker: Exclude<ScorePicker, { readonly kind: "above" }>,
  scores: readonly number[] | undefined,
  rankOf: readonly number[] | undefined,
  poolSize: number,
  rng: Rng,
): readonly number[] {
  switch (picker.kind) {
    case "uniform":
      return new Array<number>(poolSize).fill(0);
    case "argmax":
      return scores ?? needsScores(strategy);
    case "softmax": {
      const { temperature } = picker;
      if (!Number.isFinite(temperature) || temperature < 0)
        badInput("selectQueries", "a softmax temperature >= 0", String(temperature));
      // z + T·g and z/T + g order alike; the form is chosen so that no extreme T overflows.
      return zScores(scores ?? needsScores(strategy)).map((z) =>
        temperature <= 1 ? z + temperature * rng.gumbel() : z / temperature + rng.gumbel(),
      );
    }
    case "proportional": {
      const exponent = checkExponent(picker.exponent);
      const used = checkNonNegative(strategy, scores ?? needsScores(strategy));
      return used.map((s) => (exponent === 0 ? 0 : exponent * Math.log(s)) + rng.gumbel());
    }
    case "rank": {
      const exponent = checkExponent(picker.exponent);
      return (rankOf ?? needsScores(strategy)).map((rank) => -exponent * Math.log(rank) + rng.gumbel());
    }
    default:
      picker satisfies never;
      return badInput("selectQueries", `a picker ${PICKER_KINDS.join(", ")}`, JSON.stringify(picker));
  }
}

function checkExponent(exponent: number): number {
  return Number.isFinite(exponent) && exponent >= 0
    ? exponent
    : badInput("selectQueries", "an exponent >= 0", String(exponent));
}

function needsScores(strategy: QueryStrategy): never {
  return badInput(
    `strategy "${strategy.name}"`,
    "the uniform picker, because it computes no scores",
    `the picker ${strategy.picker.kind}`,
  );
}

/**
 * `(s − mean) / standard deviation` over the list (population); zeros when all are equal. Scaled first so that no
 * square overflows, then taken from the first score and scaled again, so that scores that differ in their last digits
 * alone are not lost in the rounding of their mean.
 */
export function zScores(scores: readonly number[]): number[] {
  const scaled = scaledToOne(scores);
  const units = scaledToOne(scaled.map((s) => s - (scaled[0] ?? 0)));
  const mean = units.reduce((sum, s) => sum + s, 0) / units.length;
  const deviation = Math.sqrt(units.reduce((sum, s) => sum + (s - mean) ** 2, 0) / units.length);
  return deviation === 0 ? scores.map(() => 0) : units.map((s) => (s - mean) / deviation);
}

/** Over the largest magnitude, which becomes 1; zeros as they are. */
function scaledToOne(values: readonly number[]): number[] {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest === 0 ? [...values] : values.map((value) => value / largest);
}

/** Indices by key, highest first; equal keys in the order of `tieOrder`. */
function order(keys: readonly number[], tieOrder: readonly number[]): number[] {
  return [...tieOrder].sort((a, b) => {
    const [x, y] = [keys[a] as number, keys[b] as number];
    // Not a difference: −∞ is a key (a score of 0 with `proportional`).
    return x === y ? 0 : x < y ? 1 : -1;
  });
}

function ranks(ordered: readonly number[]): number[] {
  const out = new Array<number>(ordered.length);
  ordered.forEach((index, position) => (out[index] = position + 1));
  return out;
}

function indices(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function checkSizes(poolSize: number, querySize: number): void {
  if (!Number.isInteger(poolSize) || poolSize < 1)
    badInput("selectQueries", "a pool of at least 1 question", `a pool of ${poolSize}`);
  if (!Number.isInteger(querySize) || querySize < 1)
    badInput("selectQueries", "a query size of at least 1", String(querySize));
  if (querySize > poolSize) {
    badInput(
      "selectQueries",
      `a query size of at most the pool of ${poolSize}`,
      `a query size of ${querySize}`,
      "Picks are distinct: enlarge the pool or lower the query size",
    );
  }
}

function checkScores(
  strategy: QueryStrategy,
  scores: readonly number[] | undefined,
  poolSize: number,
): readonly number[] {
  const where = `strategy "${strategy.name}"`;
  if (scores === undefined) return badInput(where, `${poolSize} scores, one for each pool member`, "none");
  if (scores.length !== poolSize)
    return badInput(where, `${poolSize} scores, one for each pool member`, String(scores.length));
  const bad = scores.findIndex((s) => !Number.isFinite(s));
  return bad < 0 ? scores : badInput(where, "a finite score for each pool member", `${scores[bad]} for member ${bad}`);
}
