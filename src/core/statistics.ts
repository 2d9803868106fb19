/**
 * @file Statistics of counts that more than one layer reports. Not here: paired
 * comparisons between strategies.
 */
import { badInput } from "./errors.ts";

/** Φ⁻¹(0.975), the two-sided 95 % quantile of the standard normal distribution. */
const Z_95 = 1.959963984540054;

/** A closed interval of a proportion, `0 <= low <= high <= 1`. */
export interface ProportionInterval {
  readonly low: number;
  readonly high: number;
}

/**
 * 95 % Wilson score interval of `correct` successes in `n` trials:
 * `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)` with `p = correct / n`.
 * No trials say nothing: `n = 0` gives [0, 1].
 * Wilson (1927); Newcombe (1998), method 3.
 * @throws BadInputError unless both are integers with `0 <= correct <= n`.
 */
export function wilsonInterval(correct: number, n: number): ProportionInterval {
  if (!Number.isInteger(n) || n < 0) badInput("wilsonInterval", "a count of trials n >= 0", String(n));
  if (!Number.isInteger(correct) || correct < 0 || correct > n)
    badInput("wilsonInterval", `a count of successes from 0 to ${n}`, String(correct));
  if (n === 0) return { low: 0, high: 1 };
  const p = correct / n;
  const z2 = Z_95 * Z_95;
  const scale = 1 / (1 + z2 / n);
  const centre = scale * (p + z2 / (2 * n));
  const half = scale * Z_95 * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  // The end at an all-right or all-wrong count is exact; rounding would leave 1e-17 there.
  return { low: correct === 0 ? 0 : Math.max(0, centre - half), high: correct === n ? 1 : Math.min(1, centre + half) };
}
