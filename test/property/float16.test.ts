/** @file Laws of the 16-bit float conversions, against a definition by values. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from "../../src/formats/float16.ts";
import { halfValue, nearestHalf } from "../support/bits.ts";

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);

test("every binary16 pattern widens to its value and comes back as itself", () => {
  const wide = float16ToFloat32(ALL);
  const back = float32ToFloat16(wide);
  for (let bits = 0; bits < 65536; bits++) {
    const value = halfValue(bits);
    if (!Object.is(wide[bits], value)) throw new Error(`${bits.toString(16)}: ${wide[bits]} is not ${value}`);
    if (Number.isNaN(value)) expect((back[bits] ?? 0) & 0x7fff).toBeGreaterThan(0x7c00);
    else expect(back[bits]).toBe(bits);
  }
});

test("float32 rounds to the nearest binary16, ties to even", () => {
  const anyBits = fc.oneof(
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.integer({ min: 0x33000000 - 8, max: 0x47800000 + 8 }),
    fc.integer({ min: 0x38000000, max: 0x39000000 }),
  );
  fc.assert(
    fc.property(fc.array(anyBits, { minLength: 1, maxLength: 64 }), (patterns) => {
      const values = new Float32Array(Uint32Array.from(patterns).buffer);
      const got = float32ToFloat16(values);
      values.forEach((value, i) => {
        if (Number.isNaN(value)) expect((got[i] ?? 0) & 0x7fff).toBeGreaterThan(0x7c00);
        else expect(got[i]).toBe(nearestHalf(value));
      });
    }),
    { numRuns: 2000 },
  );
});

test("exact midpoints between neighbours go to the even one", () => {
  const midpoints: number[] = [];
  for (let bits = 0; bits < 0x7bff; bits++) midpoints.push((halfValue(bits) + halfValue(bits + 1)) / 2);
  const got = float32ToFloat16(Float32Array.from(midpoints));
  got.forEach((bits, i) => expect(bits).toBe(i + (i & 1)));
});

test("bfloat16 is the upper half of a float32", () => {
  const wide = new Uint32Array(bfloat16ToFloat32(ALL).buffer);
  wide.forEach((bits, i) => expect(bits).toBe(i * 65536));
});

test("a view into a larger buffer converts its own elements only", () => {
  const values = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
  expect([...float32ToFloat16(values)]).toEqual([0x3c00, 0x4000]);
});
