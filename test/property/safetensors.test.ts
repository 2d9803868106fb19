/** @file Safetensors under arbitrary input: what is written reads back, and no bytes give anything but tensors or a BadInputError. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { parseSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/onnx/types.ts";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
const tensors: fc.Arbitrary<Tensor> = fc
  .tuple(shapes, fc.constantFrom("float32", "float64", "int32", "int64", "uint8", "int8", "bool"), fc.integer())
  .map(([shape, type, seed]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: count }, (_, i) => Math.imul(seed, i + 1));
    const data = {
      float32: () => Float32Array.from(values, (v) => v / 7),
      float64: () => Float64Array.from(values, (v) => v / 7),
      int32: () => Int32Array.from(values),
      int64: () => BigInt64Array.from(values.map(BigInt)),
      uint8: () => Uint8Array.from(values),
      int8: () => Int8Array.from(values),
      bool: () => Uint8Array.from(values, (v) => v & 1),
    }[type as "float32"]();
    return { type: type as "float32", shape, data };
  });
const names = fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__");

test("what is written reads back equal, under any name", () => {
  fc.assert(
    fc.property(fc.dictionary(names, tensors, { maxKeys: 6 }), (record) => {
      const map = new Map(Object.entries(record));
      const parsed = parseSafetensors(writeSafetensors(map), "x");
      expect(new Set(parsed.names)).toEqual(new Set(map.keys()));
      for (const [name, tensor] of map) expect(parsed.tensor(name)).toEqual(tensor);
    }),
    { numRuns: 300 },
  );
});

/** Reads everything a file offers; true when it was refused as bad input. Anything else thrown fails the test. */
function isRefused(bytes: Uint8Array): boolean {
  try {
    const parsed = parseSafetensors(bytes, "fuzz");
    for (const name of parsed.names) parsed.tensor(name);
    return false;
  } catch (error) {
    if (error instanceof BadInputError) return true;
    throw error;
  }
}

const VALID = writeSafetensors(
  new Map<string, Tensor>([
    ["model.a", { type: "float32", shape: [2, 3], data: new Float32Array(6) }],
    ["model.b", { type: "float16", shape: [4], data: new Uint16Array(4) }],
    ["model.c", { type: "int64", shape: [], data: new BigInt64Array(1) }],
  ]),
);

test("arbitrary bytes are refused or read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void isRefused(bytes)),
    { numRuns: 3000 },
  );
});

test("a valid file with some bytes changed, cut or added is refused or read", () => {
  const change = fc.record({ at: fc.nat(VALID.length - 1), value: fc.integer({ min: 0, max: 255 }) });
  let refused = 0;
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: -40, max: 8 }),
      (changes, extra) => {
        const bytes = new Uint8Array(VALID.length + extra);
        bytes.set(VALID.subarray(0, bytes.length));
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        if (isRefused(bytes)) refused++;
      },
    ),
    { numRuns: 4000 },
  );
  expect(refused).toBeGreaterThan(1000);
});

test("any JSON in the header's place is refused or read", () => {
  const dtype = fc.oneof(fc.constantFrom("F32", "BF16", "U8", "BOOL", "I64"), fc.string({ maxLength: 4 }));
  const number = fc.oneof(
    fc.integer({ min: -2, max: 40 }),
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom(1e308, -0, 2 ** 53),
  );
  const plausible = fc.record(
    {
      dtype,
      shape: fc.array(number, { maxLength: 4 }),
      data_offsets: fc.array(number, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
  const header = fc.oneof(
    fc.dictionary(
      fc.oneof(names, fc.constantFrom("__proto__", "constructor", "__metadata__")),
      fc.oneof(plausible, fc.jsonValue()),
    ),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(header, fc.nat(64), (value, dataBytes) => {
      const text = new TextEncoder().encode(JSON.stringify(value));
      const bytes = new Uint8Array(8 + text.length + dataBytes);
      new DataView(bytes.buffer).setUint32(0, text.length, true);
      bytes.set(text, 8);
      isRefused(bytes);
    }),
    { numRuns: 4000 },
  );
});
