/**
 * @file Keeps questions apart. Every canonical form belongs to one region by its
 * hash, whatever the seed: pretraining, the pool (and what teachers make of it),
 * validation, test. So no two splits, seeds or machines can ever share a question.
 */
import { badInput } from "../core/errors.ts";
import { hashString } from "../core/rng.ts";

export type Region = "pretraining" | "pool" | "validation" | "test";

/** Percent of all canonical forms. The test split needs room in small cells (one-step problems with few numbers). */
const REGION_PERCENT = { pretraining: 45, pool: 30, validation: 8, test: 17 } as const satisfies Record<Region, number>;

/** The region of a canonical form. */
export function regionOf(canonical: string): Region {
  let share = mixedHash(canonical) % 100;
  for (const region of ["pretraining", "pool", "validation"] as const) {
    share -= REGION_PERCENT[region];
    if (share < 0) return region;
  }
  return "test";
}

/** A well-spread 32-bit hash of a text: FNV-1a, which leaves the low bits of short texts alike, behind Murmur3's finalizer. */
export function mixedHash(text: string, basis?: number): number {
  let h = hashString(text, basis);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The regions of a list of canonical forms that is known whole and small: `sizes` says
 * how many each region gets, to the letter; what is over goes to pretraining.
 */
export function finiteRegions(
  forms: readonly string[],
  sizes: Readonly<Record<Exclude<Region, "pretraining">, number>>,
): ReadonlyMap<string, Region> {
  const ordered = [...forms].sort((a, b) => mixedHash(a) - mixedHash(b) || (a < b ? -1 : 1));
  const [test, validation] = [sizes.test, sizes.test + sizes.validation];
  const pool = validation + sizes.pool;
  return new Map(
    ordered.map((form, i) => [
      form,
      i < test ? "test" : i < validation ? "validation" : i < pool ? "pool" : "pretraining",
    ]),
  );
}

/**
 * `total` split in whole numbers in proportion to `weights` (largest remainder; ties to
 * the earlier one). Sums to `total` exactly.
 * @throws BadInputError unless the weights are finite, not negative and not all zero.
 */
export function apportion(weights: readonly number[], total: number): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (!(sum > 0) || !Number.isFinite(sum) || weights.some((w) => !(w >= 0)))
    badInput("apportion", "weights >= 0 with a positive sum", `[${weights.join(", ")}]`);
  const exact = weights.map((weight) => (total * weight) / sum);
  const counts = exact.map(Math.floor);
  const missing = total - counts.reduce((a, b) => a + b, 0);
  const byRemainder = exact
    .map((value, i) => ({ i, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, missing)) counts[i] = (counts[i] ?? 0) + 1;
  return counts;
}
