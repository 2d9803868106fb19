/**
 * @file The reader against models that the official Python package wrote
 * (`scripts/golden/makeOnnxFixtures.py`): tensors equal what Python stored, a model that
 * was read and written again computes what NumPy computed in float64.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { decodeModel, encodeModel } from "../../src/onnx/model.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";

const FOLDER = join(import.meta.dirname, "fixtures");

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Fixture {
  readonly feeds?: Readonly<Record<string, Numbers>>;
  readonly outputs?: Readonly<Record<string, Numbers>>;
  readonly initializers?: Readonly<Record<string, Numbers & { readonly type: string }>>;
  readonly shapes?: Readonly<Record<string, readonly (number | string)[]>>;
}

const fixtures = JSON.parse(readFileSync(join(FOLDER, "onnxFixtures.json"), "utf8")) as Readonly<
  Record<string, Fixture>
>;

const readFixture = (file: string): Uint8Array => new Uint8Array(readFileSync(join(FOLDER, file)));

function decodeFixture(name: string, dims: Readonly<Record<string, number>> = {}): Graph {
  return decodeModel(readFixture(`${name}.onnx`), {
    dims,
    externalData: ({ location, offset, length }) => readFixture(location).subarray(offset, offset + length),
  });
}

const shapesOf = (graph: Graph, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, graph.values.get(name)?.shape]));

describe("models written by Python", () => {
  const runnable = Object.entries(fixtures).filter(([, { outputs }]) => outputs !== undefined);

  test.each(runnable)(
    "%s: read and written again, it computes what NumPy computed",
    async (name, { feeds = {}, outputs = {} }) => {
      const session = await InferenceSession.create(encodeModel(decodeFixture(name)), { logSeverityLevel: 4 });
      try {
        const results = await session.run(
          Object.fromEntries(
            Object.entries(feeds).map(([key, { shape, data }]) => [
              key,
              new OrtTensor("float32", Float32Array.from(data), shape),
            ]),
          ),
        );
        expect(Object.keys(results).sort()).toEqual(Object.keys(outputs).sort());
        for (const [key, wanted] of Object.entries(outputs)) {
          expect(results[key]!.dims).toEqual(wanted.shape);
          const got = Array.from(results[key]!.data as Float32Array);
          // A handful of float32 operations on values of order 1.
          got.forEach((value, i) =>
            expect(Math.abs(value - wanted.data[i]!)).toBeLessThan(2e-6 * (1 + Math.abs(wanted.data[i]!))),
          );
        }
      } finally {
        await session.release();
      }
    },
  );

  test.each(runnable)("%s: reading what was written gives the same graph", (name) => {
    const graph = decodeFixture(name);
    expect(decodeModel(encodeModel(graph))).toStrictEqual(graph);
  });

  test("every storage form of a tensor gives the elements that Python stored", () => {
    const { initializers } = decodeFixture("tensorForms");
    const wanted = fixtures["tensorForms"]!.initializers!;
    expect([...initializers.keys()].sort()).toEqual(Object.keys(wanted).sort());
    for (const [name, { type, shape, data }] of Object.entries(wanted)) {
      const tensor = initializers.get(name)!;
      expect([name, tensor.type, tensor.shape]).toEqual([name, type, shape]);
      expect(elementsOf(tensor)).toEqual(type === "float32" ? data.map(Math.fround) : data);
    }
  });

  test.each(["exportedAttention", "unknownOperator"])("%s: inner values have the shapes Python's model has", (name) => {
    const { shapes = {} } = fixtures[name]!;
    expect(shapesOf(decodeFixture(name), Object.keys(shapes))).toEqual(shapes);
  });

  test("a chain of Shape, Gather, Concat and Reshape gives static shapes once the symbols are bound", () => {
    const graph = decodeFixture("exportedAttention", { batch: 2, sequence: 5 });
    expect(shapesOf(graph, ["q_heads", "weights", "mask", "y"])).toEqual({
      q_heads: [2, 5, 2, 4],
      weights: [2, 2, 5, 5],
      mask: [5, 5],
      y: [2, 5, 8],
    });
    const open = [...graph.values.values()].filter(({ shape }) => shape.some((dim) => typeof dim === "string"));
    expect(open).toEqual([]);
    const folded = GraphBuilder.from(graph).constantOf("split_shape");
    expect(folded).toEqual({ type: "int64", shape: [4], data: BigInt64Array.of(2n, 5n, 2n, -1n) });
  });

  test("what the file declares completes what inference cannot know, and survives writing", () => {
    const graph = decodeFixture("unknownOperator");
    expect(graph.nodes[0]!.attributes).toEqual({
      flavour: { kind: "string", value: "sweet" },
      amounts: { kind: "floats", value: [0.5, 2] },
      words: { kind: "strings", value: ["a", "bc"] },
    });
    expect(graph.opsets).toEqual({ "": 17, "my.domain": 3 });
    expect(decodeModel(encodeModel(graph))).toStrictEqual(graph);
    const bound = decodeFixture("unknownOperator", { n: 7 });
    expect(shapesOf(bound, ["x", "m", "y", "z"])).toEqual({ x: [7, 3], m: [7, 2, 3], y: [7, 6], z: [7, 6] });
  });

  test("a carried value that grows has an open size, one that stays has its own", () => {
    const graph = decodeFixture("control");
    expect(shapesOf(graph, ["total", "all", "result"])).toEqual({ total: [2], all: [3, 2], result: [2] });
    expect(graph.values.get("grown")?.shape).toEqual(["length"]);
  });
});

/** Elements as numbers; float16 bit patterns decoded by hand. */
function elementsOf({ type, data }: Tensor): number[] {
  const numbers = Array.from(data as ArrayLike<number | bigint>, Number);
  if (type !== "float16") return numbers;
  return numbers.map((bits) => {
    const exponent = (bits >> 10) & 31;
    return (bits & 0x8000 ? -1 : 1) * (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
  });
}
