/** @file Arithmetic on symbolic dimensions: one spelling for one size. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addDims,
  bindDim,
  canonicalDim,
  divideDims,
  isOpaque,
  multiplyDims,
  productOfDims,
} from "../../src/onnx/dims.ts";
import type { Dim } from "../../src/onnx/types.ts";

const SIZES: Readonly<Record<string, number>> = { B: 2, T: 7, past: 11 };
const dim: fc.Arbitrary<Dim> = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.constantFrom("B", "T", "past", "T+past", "2*B", "B*T", "T-1"),
);
const value = (d: Dim | undefined): Dim | undefined => (d === undefined ? undefined : bindDim(d, SIZES));

describe("symbolic dimensions", () => {
  test("computing and then binding is binding and then computing", () => {
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        const [x, y, z] = [value(a) as number, value(b) as number, value(c) as number];
        expect(value(addDims(a, b))).toBe(x + y);
        expect(value(addDims(a, b, -3))).toBe(x - 3 * y);
        expect(value(productOfDims([a, b, c]))).toBe(x * y * z);
        const product = multiplyDims(a, b)!;
        const quotient = divideDims(product, b);
        if (quotient !== undefined) expect((value(quotient) as number) * y).toBe(x * y);
      }),
    );
  });

  test("equal sizes have one spelling", () => {
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        expect(addDims(addDims(a, b), c)).toBe(addDims(c, addDims(b, a)));
        expect(multiplyDims(a, b)).toBe(multiplyDims(b, a));
        expect(addDims(addDims(a, b), b, -1)).toBe(canonicalDim(a));
      }),
    );
  });

  test.each([
    ["past + 1", "past+1"],
    ["T+past", "T+past"],
    ["past+T", "T+past"],
    ["B*T", "B*T"],
    ["T*B", "B*T"],
    ["4", 4],
    ["2*T-T-T", 0],
    ["x - x", 0],
    ["not (parsed", "not (parsed"],
    ["two words", "two words"],
    ["", "?"],
    ["+1", "+1"],
    ["a+", "a+"],
    ["-a", "-a"],
  ])("%j is spelled %j", (text, spelled) => {
    expect(canonicalDim(text)).toBe(spelled);
  });

  test("a name with signs in it is bound as a whole", () => {
    expect(bindDim("seq-len", { "seq-len": 5 })).toBe(5);
    expect(bindDim("past_sequence_length+1", { past_sequence_length: 4 })).toBe(5);
    expect(bindDim("T+past", { T: 4 })).toBe("past+4");
    expect(bindDim("constructor", {})).toBe("constructor");
  });

  test("a quotient is given only when it is exact for every size", () => {
    expect(divideDims("64*B*T", 64)).toBe("B*T");
    expect(divideDims("B*T", "B")).toBe("T");
    expect(divideDims("T", 2)).toBeUndefined();
    expect(divideDims("T+1", "T")).toBeUndefined();
    expect(divideDims("T", 0)).toBeUndefined();
  });

  test("repeated squaring does not fill the memory", () => {
    let product: Dim | undefined = "some_dimension";
    for (let i = 0; i < 100 && product !== undefined; i++) product = multiplyDims(product, product);
    expect(product).toBeUndefined();
  });

  test("opaque sizes stay opaque in sums", () => {
    expect(isOpaque(addDims("?Slice_1.0", 1))).toBe(true);
    expect(isOpaque("T")).toBe(false);
  });
});
