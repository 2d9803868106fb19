/**
 * @file Conversions between float32 and the two 16-bit floats of checkpoints, on
 * whole arrays, bit-exact. Not arithmetic in 16 bits: everything is computed in
 * float32 after loading. Source: IEEE 754-2019 binary16, round to nearest, ties to even.
 */

/** Smallest float32 bit pattern that is outside binary16's exponent range (2^16). */
const TOO_LARGE = 0x47800000;
/** Float32 bit pattern of the smallest normal binary16, 2^-14. */
const SMALLEST_NORMAL = 0x38800000;

/**
 * Bit patterns of `values` in binary16, rounded to nearest, ties to even. Values
 * beyond 65504 + 8 become infinite, NaN stays NaN (quiet). The result is a new array.
 */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = roundToFloat16(bits[i] as number);
  return out;
}

function roundToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= TOO_LARGE) {
    const isNan = magnitude > 0x7f800000;
    return sign | 0x7c00 | (isNan ? 0x0200 | ((magnitude >>> 13) & 0x3ff) : 0);
  }
  if (magnitude >= SMALLEST_NORMAL) {
    // A carry out of the mantissa moves into the exponent, and from the largest exponent to infinity: both are right.
    return sign | roundShift(magnitude - 0x38000000, 13);
  }
  const exponent = magnitude >>> 23;
  const shift = 126 - exponent;
  if (shift > 24) return sign;
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, shift);
}

/** `value / 2^shift` rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const quotient = value >>> shift;
  const remainder = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return remainder > half || (remainder === half && (quotient & 1) === 1) ? quotient + 1 : quotient;
}

/** Float32 values of binary16 bit patterns: exact, subnormals, infinities and NaN payloads included. New array. */
export function float16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  const outBits = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] as number;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    if (exponent === 0) {
      out[i] = mantissa * 2 ** -24;
      outBits[i] = (outBits[i] as number) | sign;
    } else if (exponent === 31) {
      outBits[i] = sign | 0x7f800000 | (mantissa << 13);
    } else {
      outBits[i] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    }
  }
  return out;
}

/** Float32 values of bfloat16 bit patterns (the upper half of a float32): exact. New array. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  const outBits = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) outBits[i] = (bits[i] as number) << 16;
  return out;
}
