/** @file Reading and writing safetensors: values by dtype, layout on disk, and headers that lie. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { parseSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { studentDirectory } from "../support/goldens.ts";

/** A file with this header text and this many (or these) data bytes. */
function file(header: unknown, data: number | Uint8Array = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = typeof data === "number" ? new Uint8Array(data) : data;
  const out = new Uint8Array(8 + text.length + bytes.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(bytes, 8 + text.length);
  return out;
}

const entry = (dtype: string, shape: readonly unknown[], begin: number, end: number): unknown => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("reading", () => {
  test("widens 16-bit floats and keeps the other types", () => {
    const data = new Uint8Array(2 + 2 + 8 + 8 + 4 + 1 + 1);
    const view = new DataView(data.buffer);
    view.setUint16(0, 0xc000, true);
    view.setUint16(2, 0x3f80, true);
    view.setFloat64(4, Math.PI, true);
    view.setBigInt64(12, -5n, true);
    view.setInt32(20, -7, true);
    view.setUint8(24, 255);
    view.setUint8(25, 2);
    const parsed = parseSafetensors(
      file(
        {
          h: entry("F16", [1], 0, 2),
          b: entry("BF16", [1], 2, 4),
          d: entry("F64", [1], 4, 12),
          l: entry("I64", [1], 12, 20),
          i: entry("I32", [1], 20, 24),
          u: entry("U8", [1], 24, 25),
          t: entry("BOOL", [], 25, 26),
        },
        data,
      ),
      "x",
    );
    expect(parsed.names).toEqual(["h", "b", "d", "l", "i", "u", "t"]);
    expect(parsed.tensor("h")).toEqual({ type: "float32", shape: [1], data: Float32Array.of(-2) });
    expect(parsed.tensor("b")).toEqual({ type: "float32", shape: [1], data: Float32Array.of(1) });
    expect(parsed.tensor("d").data[0]).toBe(Math.PI);
    expect(parsed.tensor("l").data[0]).toBe(-5n);
    expect(parsed.tensor("i").data[0]).toBe(-7);
    expect(parsed.tensor("u").data[0]).toBe(255);
    expect(parsed.tensor("t")).toEqual({ type: "bool", shape: [], data: Uint8Array.of(1) });
  });

  test("borrows aligned float32 data and copies unaligned", () => {
    const aligned = writeSafetensors(new Map([["a", { type: "float32", shape: [2], data: Float32Array.of(1, 2) }]]));
    expect(parseSafetensors(aligned, "x").tensor("a").data.buffer).toBe(aligned.buffer);
    const shifted = new Uint8Array(aligned.length + 1).subarray(1);
    shifted.set(aligned);
    const copy = parseSafetensors(shifted, "x").tensor("a");
    expect(copy.data).toEqual(Float32Array.of(1, 2));
    expect(copy.data.buffer).not.toBe(shifted.buffer);
  });

  test("accepts metadata, padding, scalars and empty tensors", () => {
    const parsed = parseSafetensors(
      file(
        `${JSON.stringify({ __metadata__: { format: "pt" }, s: entry("F32", [], 0, 4), z: entry("F32", [0, 3], 4, 4) })}   `,
        4,
      ),
      "x",
    );
    expect(parsed.metadata["format"]).toBe("pt");
    expect(parsed.tensor("s").shape).toEqual([]);
    expect(parsed.tensor("z").data.length).toBe(0);
  });

  test("names a tensor that is not there", () => {
    expect(() => parseSafetensors(file({}), "weights.safetensors").tensor("lm_head")).toThrow(
      /weights\.safetensors.*lm_head/,
    );
  });

  test("refuses to decode a dtype that it cannot hold, and only that tensor", () => {
    const parsed = parseSafetensors(file({ a: entry("U16", [1], 0, 2), b: entry("U8", [2], 2, 4) }, 4), "x");
    expect(() => parsed.tensor("a")).toThrow(/"a".*U16/);
    expect(parsed.tensor("b").data.length).toBe(2);
  });
});

describe("a lying header is refused", () => {
  const good = entry("F32", [2], 0, 8);
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["empty file", new Uint8Array(0), /at least 8 bytes/],
    ["length beyond the file", file("{}").subarray(0, 9), /header length 2/],
    ["length of 2^60", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 16, 123, 125), /at most 100000000/],
    ["no JSON", file("{not json"), /valid JSON/],
    ["JSON of another kind", file("[1]"), /a JSON object/],
    ["deeply nested JSON", file("[".repeat(200_000)), /JSON/],
    ["bytes that are not UTF-8", file("x").fill(0xff, 8), /UTF-8/],
    ["entry that is no object", file({ a: 3 }), /"a".*dtype/],
    ["unknown dtype", file({ a: entry("F13", [1], 0, 4) }, 4), /"a".*F13/],
    ["inherited dtype name", file({ a: entry("toString", [1], 0, 4) }, 4), /"a".*toString/],
    ["negative dimension", file({ a: entry("F32", [-2], 0, 8) }, 8), /"a".*non-negative/],
    ["fractional dimension", file({ a: entry("F32", [0.5], 0, 2) }, 2), /"a".*non-negative/],
    ["shape that is no list", file({ a: { dtype: "F32", shape: 2, data_offsets: [0, 8] } }, 8), /"a".*shape/],
    ["huge shape", file({ a: entry("F32", [2 ** 40, 2 ** 40], 0, 8) }, 8), /"a".*2\^53/],
    ["huge shape hidden behind a zero", file({ a: entry("F32", [2 ** 40, 2 ** 40, 0], 0, 0) }), /"a".*2\^53/],
    ["one offset", file({ a: { dtype: "F32", shape: [2], data_offsets: [0] } }, 8), /"a".*data_offsets/],
    ["negative offset", file({ a: entry("F32", [2], -8, 0) }, 8), /"a".*data_offsets/],
    ["offsets backwards", file({ a: entry("F32", [2], 8, 0) }, 8), /"a".*backwards/],
    ["size other than the shape's", file({ a: entry("F32", [3], 0, 8) }, 8), /"a".*12 bytes/],
    ["data beyond the file", file({ a: good }, 4), /"a".*4 data bytes/],
    ["overlap", file({ a: good, b: entry("F32", [1], 4, 8) }, 8), /"b".*overlap/],
    ["hole", file({ a: good, b: entry("F32", [1], 12, 16) }, 16), /"b".*hole/],
    ["hole at the start", file({ a: entry("F32", [1], 4, 8) }, 8), /"a".*hole/],
    ["trailing bytes", file({ a: good }, 9), /8 data bytes/],
    ["the same tensor twice", file(`{"a":${JSON.stringify(good)},"a":${JSON.stringify(good)}}`, 8), /"a" twice/],
    [
      "the same tensor twice, once escaped",
      file(`{"a":${JSON.stringify(good)},"\\u0061":${JSON.stringify(good)}}`, 8),
      /"a" twice/,
    ],
    [
      "two shapes in one entry",
      file(`{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}}`, 8),
      /"shape" twice/,
    ],
    ["metadata that is no text", file({ __metadata__: { n: 1 } }), /__metadata__/],
  ];
  for (const [name, bytes, message] of cases) {
    test(name, () => {
      const read = (): unknown => parseSafetensors(bytes, "liar.safetensors");
      expect(read).toThrow(BadInputError);
      expect(read).toThrow(/^liar\.safetensors/);
      expect(read).toThrow(message);
    });
  }
});

describe("writing", () => {
  test("pads the header to 8 bytes and puts larger elements first, then names in order", () => {
    const bytes = writeSafetensors(
      new Map<string, Tensor>([
        ["z", { type: "float32", shape: [1], data: Float32Array.of(3) }],
        ["half", { type: "float16", shape: [1], data: Uint16Array.of(0x3c00) }],
        ["a", { type: "float32", shape: [1], data: Float32Array.of(4) }],
      ]),
    );
    const length = new DataView(bytes.buffer).getUint32(0, true);
    expect(length % 8).toBe(0);
    expect(parseSafetensors(bytes, "x").names).toEqual(["a", "z", "half"]);
    expect(parseSafetensors(bytes, "x").tensor("half").data[0]).toBe(1);
    expect(parseSafetensors(bytes, "x").metadata).toEqual(Object.assign(Object.create(null), { format: "pt" }));
  });

  test("refuses data that does not fit the shape", () => {
    expect(() => writeSafetensors(new Map([["w", { type: "float32", shape: [2], data: Float32Array.of(1) }]]))).toThrow(
      /"w".*2 elements/,
    );
  });
});

test("a file of the reference reads the same after writing it again", () => {
  const bytes = readFileSync(join(studentDirectory("llama-gqa-tied"), "model.safetensors"));
  const first = parseSafetensors(bytes, "fixture");
  const tensors = new Map(first.names.map((name) => [name, first.tensor(name)]));
  const second = parseSafetensors(writeSafetensors(tensors), "copy");
  expect([...second.names].sort()).toEqual([...first.names].sort());
  for (const name of first.names) expect(second.tensor(name)).toEqual(first.tensor(name));
});
