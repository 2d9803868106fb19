/** @file A definition of binary16 by its values, to test the fast conversions against: nothing but arithmetic on numbers. */

/** Value of a binary16 bit pattern: `(−1)^s · 2^(e−15) · (1 + m / 1024)`, subnormal `m · 2^−24`. */
export function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * 2 ** (exponent - 15) * (1 + mantissa / 1024);
}

/** Binary16 bit pattern nearest to a number, ties to the even pattern, by bisection over all finite values. */
export function nearestHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // The first value beyond the largest finite one would be 2^16: half way to it rounds to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  let low = 0;
  let high = 0x7bff;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (halfValue(middle) <= magnitude) low = middle;
    else high = middle - 1;
  }
  const next = low === 0x7bff ? 65536 : halfValue(low + 1);
  const below = magnitude - halfValue(low);
  const above = next - magnitude;
  if (above < below || (above === below && (low & 1) === 1)) return sign | (low + 1);
  return sign | low;
}
