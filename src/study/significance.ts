/**
 * @file Tests of paired differences and of rank correlation, and the correction for testing
 * many times. Compared with SciPy's values (`scripts/golden/statistics.py`).
 */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";

/** Up to so many pairs all sign patterns are tried (2¹⁴ of them); over it they are drawn. */
const EXACT_PAIRS = 14;
const DRAWN_PATTERNS = 20_000;

/**
 * Two-sided p-value of paired differences by the sign-flip permutation test of their sum
 * (Fisher 1935): the share of sign patterns whose |Σ ±d| is at least |Σ d|. Exact for up to 14
 * non-zero differences; for more, of 20,000 drawn patterns and the observed one. Differences of
 * zero change nothing; with none left, 1.
 */
export function pairedPermutationTest(differences: readonly number[], rng: Rng): number {
  const sizes = differences.map(Math.abs).filter((size) => size > 0);
  const observed = Math.abs(differences.reduce((sum, d) => sum + d, 0));
  // Sums of the same numbers in another order differ in their last bits.
  const bound = observed - 1e-9 * sizes.reduce((sum, size) => sum + size, 0);
  const extreme = (signs: (index: number) => boolean): boolean =>
    Math.abs(sizes.reduce((sum, size, index) => sum + (signs(index) ? size : -size), 0)) >= bound;
  if (sizes.length <= EXACT_PAIRS) {
    const patterns = 2 ** sizes.length;
    let count = 0;
    for (let pattern = 0; pattern < patterns; pattern++) {
      if (extreme((index) => ((pattern >> index) & 1) === 1)) count++;
    }
    return count / patterns;
  }
  let count = 1;
  for (let draw = 0; draw < DRAWN_PATTERNS; draw++) {
    const signs = sizes.map(() => rng.uniform() < 0.5);
    if (extreme((index) => signs[index] === true)) count++;
  }
  return count / (DRAWN_PATTERNS + 1);
}

/** Smallest p-value that `pairedPermutationTest` can give for so many pairs: `2 / 2ⁿ`, all differences being of one sign. */
export function smallestP(pairs: number): number {
  return pairs <= EXACT_PAIRS ? Math.min(1, 2 / 2 ** pairs) : 1 / (DRAWN_PATTERNS + 1);
}

/** p-values after Holm's step-down correction (1979), in the given order: `max over smaller p of min(1, (m − rank) p)`. Holds the chance of any false finding under the level. */
export function holm(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(pValues.length).fill(1);
  let largest = 0;
  order.forEach(({ p, index }, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * p));
    adjusted[index] = largest;
  });
  return adjusted;
}

/** Ranks from 1, ties getting the mean of theirs. */
export function ranksOf(values: readonly number[]): readonly number[] {
  const order = values.map((value, index) => ({ value, index })).sort((a, b) => a.value - b.value);
  const ranks = new Array<number>(values.length).fill(0);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && order[end]?.value === order[start]?.value) end++;
    for (const { index } of order.slice(start, end)) ranks[index] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/** Spearman's ρ: Pearson's correlation of the ranks, ties averaged. Undefined for fewer than 3 points, or where either side is constant. @throws BadInputError for lists of unequal length. */
export function spearman(xs: readonly number[], ys: readonly number[]): number | undefined {
  if (xs.length !== ys.length) badInput("spearman", `${xs.length} values on both sides`, String(ys.length));
  if (xs.length < 3) return undefined;
  const [a, b] = [ranksOf(xs), ranksOf(ys)];
  const middle = (xs.length + 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((rank, i) => {
    const [x, y] = [rank - middle, (b[i] ?? 0) - middle];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  });
  return aa === 0 || bb === 0 ? undefined : ab / Math.sqrt(aa * bb);
}
