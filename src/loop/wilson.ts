/** @file Wilson's score interval for a proportion (Wilson 1927). */

/** 0.975 quantile of the standard normal distribution: 95 % two-sided. */
const Z_95 = 1.959963984540054;

/**
 * The 95 % interval of a proportion, `(p̂ + z²/2n ± z √(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n)`:
 * the set of p that a normal test of `correct` out of `n` would not reject. [0, 1] for n = 0.
 */
export function wilsonInterval(correct: number, n: number): { readonly low: number; readonly high: number } {
  if (n === 0) return { low: 0, high: 1 };
  const p = correct / n;
  const z2n = (Z_95 * Z_95) / n;
  const centre = p + z2n / 2;
  const half = Z_95 * Math.sqrt((p * (1 - p)) / n + z2n / (4 * n));
  // At 0 and n right answers an end is exactly 0 or 1, which rounding would miss.
  return {
    low: correct === 0 ? 0 : (centre - half) / (1 + z2n),
    high: correct === n ? 1 : (centre + half) / (1 + z2n),
  };
}
