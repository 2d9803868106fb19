/**
 * @file Means, quantiles and percentile bootstrap intervals of small samples, compared with
 * NumPy's. Units are drawn whole (a seed with all its rounds), so that what belongs together stays
 * together. With few units the intervals are too narrow: reports say so.
 */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";

/** A closed interval; an end that the data do not bound is infinite. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Arithmetic mean. @throws BadInputError for an empty list. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) badInput("mean", "at least one value", "none");
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The `p`-quantile with linear interpolation between order statistics (NumPy's default, Hyndman and Fan's type 7); infinite values allowed. @throws BadInputError for an empty list. */
export function quantile(values: readonly number[], p: number): number {
  if (values.length === 0) badInput("quantile", "at least one value", "none");
  const sorted = Float64Array.from(values).sort();
  const place = p * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  // Between equal ends, infinite ones included, there is nothing to interpolate.
  return below === above ? below : below + (above - below) * (place - Math.floor(place));
}

/** The middle value, or the mean of the two middle ones. @throws BadInputError for an empty list. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** `count` draws of `size` indices below `size`, with replacement. */
export function resamples(size: number, count: number, rng: Rng): readonly (readonly number[])[] {
  return Array.from({ length: count }, () => Array.from({ length: size }, () => rng.integer(0, size - 1)));
}

/**
 * Percentile bootstrap interval (Efron 1979): the `(1 − confidence) / 2` quantiles of the statistic
 * over resampled units. Resamples on which the statistic does not exist (undefined) are left out;
 * undefined when they are half or more, or when there are fewer than two units.
 */
export function bootstrapInterval<T>(
  units: readonly T[],
  statistic: (units: readonly T[]) => number | undefined,
  draws: readonly (readonly number[])[],
  confidence: number,
): Interval | undefined {
  if (units.length < 2) return undefined;
  const values = draws.flatMap((draw) => {
    const value = statistic(draw.map((index) => units[index] as T));
    return value === undefined || Number.isNaN(value) ? [] : [value];
  });
  if (values.length * 2 <= draws.length) return undefined;
  const tail = (1 - confidence) / 2;
  return { low: quantile(values, tail), high: quantile(values, 1 - tail) };
}
