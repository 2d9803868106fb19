/** @file What an accuracy costs: N(τ) of each strategy and its ratio to the reference's, with a bootstrap over runs paired by seed. */
import { firstReach, meanCurve, type RunPoint } from "./curves.ts";
import type { Resampling } from "./resampling.ts";

/** A run as the unit of resampling. */
export interface CurveUnit {
  readonly seed: number;
  readonly points: readonly RunPoint[];
}

/** Shares of the reference's own gain whose price is asked for where the study names no accuracy. */
const SHARES_OF_GAIN = [0.5, 0.75, 1] as const;

/** Accuracies that the reference reaches on its way from the untouched student to its end, on average; none where it gains nothing. */
export function defaultTargets(reference: readonly CurveUnit[]): readonly number[] {
  const curve = meanCurve(
    reference.map(({ points }) => points),
    "examples",
  );
  const [start, end] = [curve[0]?.accuracy ?? 0, curve.at(-1)?.accuracy ?? 0];
  return end > start ? SHARES_OF_GAIN.map((share) => start + share * (end - start)) : [];
}

/**
 * N(τ) on the mean curve of the runs, and N_reference(τ) / N(τ) over the seeds that both have
 * (arXiv 2512.00884 defines N; straight lines between rounds are ours). A resample in which
 * only the reference arrives counts as ratio 0, one in which only the strategy arrives as
 * infinite: ends that are infinite are null.
 */
export function priceOf(
  accuracy: number,
  own: readonly CurveUnit[],
  reference: readonly CurveUnit[],
  resampling: Resampling,
): {
  readonly examples: number | null;
  readonly ratio: { readonly value: number; readonly low: number | null; readonly high: number | null } | null;
} {
  const reach = (units: readonly CurveUnit[]): number | undefined =>
    units.length === 0
      ? undefined
      : firstReach(
          meanCurve(
            units.map(({ points }) => points),
            "examples",
          ),
          accuracy,
        );
  const examples = reach(own) ?? null;
  const pairs = own.flatMap((unit) => {
    const other = reference.find(({ seed }) => seed === unit.seed);
    return other === undefined ? [] : [{ own: unit, reference: other }];
  });
  const ratioOf = (units: readonly (typeof pairs)[number][]): number | undefined => {
    const [a, b] = [reach(units.map((pair) => pair.own)), reach(units.map((pair) => pair.reference))];
    if (a === undefined) return b === undefined ? undefined : 0;
    if (b === undefined) return Infinity;
    // Reached by the untouched student: nothing was needed on either side.
    return a === 0 ? (b === 0 ? 1 : Infinity) : b / a;
  };
  const value = ratioOf(pairs);
  if (value === undefined || value === 0 || !Number.isFinite(value)) return { examples, ratio: null };
  const interval = resampling.interval(pairs, ratioOf);
  const finite = (end: number | undefined): number | null => (end === undefined || !Number.isFinite(end) ? null : end);
  return { examples, ratio: { value, low: finite(interval?.low), high: finite(interval?.high) } };
}
