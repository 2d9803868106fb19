/**
 * @file Laws of the model file: what is written reads back equal, and no bytes, however
 * damaged, make the reader do anything but return a graph or throw a typed error.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { decodeModel, encodeModel } from "../../src/onnx/model.ts";
import type { Graph } from "../../src/onnx/types.ts";
import { drawGraph } from "../support/onnxCases.ts";
import { fromFastCheck } from "../support/onnxDraw.ts";

/** A hostile file may cost no more than this. */
const DEADLINE_MS = 2000;

test("a graph that was written reads back equal", () => {
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const graph = drawGraph(fromFastCheck(gen));
      const bytes = encodeModel(graph);
      expect(decodeModel(bytes)).toStrictEqual(graph);
      expect(encodeModel(decodeModel(bytes))).toStrictEqual(bytes);
    }),
    { numRuns: 300 },
  );
});

/** The graph, or undefined when the reader refused with a typed error. */
function decodeOrRefuse(bytes: Uint8Array): Graph | undefined {
  const start = performance.now();
  try {
    return decodeModel(bytes);
  } catch (error) {
    if (!(error instanceof TutelageError)) throw error;
    expect(["bad-input", "unsupported"]).toContain(error.code);
    return undefined;
  } finally {
    expect(performance.now() - start).toBeLessThan(DEADLINE_MS);
  }
}

interface Damage {
  readonly kind: "set" | "cut" | "insert" | "repeat" | "flip";
  readonly at: number;
  readonly byte: number;
  readonly length: number;
}

const damages = fc.array(
  fc.record<Damage>({
    kind: fc.constantFrom("set", "cut", "insert", "repeat", "flip"),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0x7f, 0x80, 0xff)),
    length: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 1, maxLength: 6 },
);

function damage(bytes: Uint8Array, { kind, at, byte, length }: Damage): Uint8Array {
  const list = [...bytes];
  const index = Math.floor(at * list.length);
  if (kind === "set") list[index] = byte;
  else if (kind === "flip") list[index] = (list[index] ?? 0) ^ (1 << (byte & 7));
  else if (kind === "cut") list.splice(index, length);
  else if (kind === "insert") list.splice(index, 0, byte);
  else list.splice(index, 0, ...list.slice(index, index + length));
  return Uint8Array.from(list);
}

describe("damaged files", () => {
  test("random bytes are refused with a typed error or read", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void decodeOrRefuse(bytes)),
      { numRuns: 2000 },
    );
  });

  test("a damaged model is refused with a typed error, or reads as a graph that can be written again", () => {
    let read = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.gen(), damages, (gen, list) => {
        const bytes = list.reduce(damage, encodeModel(drawGraph(fromFastCheck(gen))));
        const graph = decodeOrRefuse(bytes);
        if (graph === undefined) refused++;
        else {
          read++;
          expect(decodeModel(encodeModel(graph))).toStrictEqual(graph);
        }
      }),
      { numRuns: 3000 },
    );
    // Both outcomes occur, or the damage tests nothing.
    expect(read).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(500);
  });

  test("every truncation of a model is refused or read", () => {
    fc.assert(
      fc.property(fc.gen(), (gen) => {
        const bytes = encodeModel(drawGraph(fromFastCheck(gen)));
        for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 200))
          decodeOrRefuse(bytes.subarray(0, length));
      }),
      { numRuns: 20 },
    );
  });
});
