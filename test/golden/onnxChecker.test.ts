/**
 * @file What we write against the official ONNX package (1.12.0): the bytes are those it
 * accepted, its shape inference agrees with ours, and every node, attribute and tensor
 * it reads is the one we meant. The verdicts are committed; regenerate them as
 * `scripts/golden/writeOnnxModels.ts` says when a model changes.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isOpaque } from "../../src/onnx/dims.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Attribute, Graph, Shape, Tensor, Value } from "../../src/onnx/types.ts";
import { onnxModels } from "../support/onnxModels.ts";

/** A type as Python read it; unknown sizes are null. */
type Typed = readonly [string, readonly (number | string | null)[] | null];

interface Verdict {
  readonly sha256: string;
  readonly verdict: string;
  readonly irVersion: number;
  readonly producer: string;
  readonly opsets: Readonly<Record<string, number>>;
  readonly inferred: Readonly<Record<string, Typed>>;
  readonly content?: unknown;
}

const file = JSON.parse(readFileSync(join(import.meta.dirname, "onnxChecker.json"), "utf8")) as {
  readonly models: Readonly<Record<string, Verdict>>;
};
const models = [...onnxModels()];

/** Operators newer than the checker, and one that only ONNX Runtime defines. */
const UNKNOWN_TO_CHECKER = [
  "Gelu",
  "Gelu.tanh",
  "RMSNormalization",
  "RotaryEmbedding",
  "SimplifiedLayerNormalization",
].map((name) => `operator.${name}`);

test("every model has a verdict", () => {
  expect(models.map(([name]) => name).sort()).toEqual(Object.keys(file.models).sort());
});

describe.each(models)("%s", (name, graph) => {
  const verdict = file.models[name]!;

  test("the bytes are those that the checker judged, with the expected verdict", () => {
    const refused =
      name === "broken" ? /topologically sorted/ : UNKNOWN_TO_CHECKER.includes(name) ? /No Op registered/ : undefined;
    expect(verdict.verdict).toMatch(refused ?? /^accepted$/);
    expect(createHash("sha256").update(encodeModel(graph)).digest("hex")).toBe(verdict.sha256);
    expect([verdict.irVersion, verdict.producer, verdict.opsets]).toEqual([8, "tutelage", graph.opsets]);
  });

  test("official shape inference finds no other type or size", () => {
    for (const value of graph.outputs) {
      const [type, dims] = verdict.inferred[value.name] ?? [value.type, null];
      expect([value.name, type]).toEqual([value.name, value.type]);
      if (dims !== null) expect(known(dims, value.shape)).toEqual(known(value.shape, dims));
    }
  });
});

/** Sizes that are numbers on both sides; the rank always counts. */
function known(
  shape: readonly (number | string | null)[],
  other: readonly (number | string | null)[],
): (number | string)[] {
  return shape.map((dim, axis) => (typeof dim === "number" && typeof other[axis] === "number" ? dim : "?"));
}

test("official shape inference knows most sizes that ours knows", () => {
  // Otherwise the comparison above compares nothing.
  const outputs = models.flatMap(([name, graph]) =>
    graph.outputs.map((value) => ({ value, official: file.models[name]!.inferred[value.name]?.[1] ?? [] })),
  );
  const compared = outputs.flatMap(({ value, official }) =>
    value.shape.filter((dim, axis) => typeof dim === "number" && typeof official[axis] === "number"),
  );
  expect(compared.length).toBeGreaterThan(150);
  expect(outputs.flatMap(({ value }) => value.shape).filter(isOpaque)).toEqual([]);
});

test.each(["decoder", "storage", "attributes"])(
  "%s: Python reads every node, attribute and tensor as meant",
  (name) => {
    expect(contentOf(new Map(models).get(name)!)).toEqual(file.models[name]!.content);
  },
);

// The same description as `scripts/golden/checkOnnxModels.py` writes, from our side.

function contentOf(graph: Graph): unknown {
  const declared = graph.nodes.some((node) => node.domain === "test.domain") ? ["y", "z"] : [];
  return {
    name: graph.name,
    inputs: typesOf(graph.inputs),
    outputs: typesOf(graph.outputs),
    valueInfo: typesOf(declared.map((name) => graph.values.get(name)!)),
    initializers: Object.fromEntries([...graph.initializers].map(([name, tensor]) => [name, tensorContent(tensor)])),
    nodes: graph.nodes.map(({ name, opType, domain, inputs, outputs, attributes }) => ({
      name,
      opType,
      domain,
      inputs,
      outputs,
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([key, attribute]) => [key, attributeContent(attribute)]),
      ),
    })),
  };
}

function typesOf(values: readonly Value[]): Record<string, readonly [string, Shape]> {
  return Object.fromEntries(values.map(({ name, type, shape }) => [name, [type, shape]]));
}

function attributeContent(attribute: Attribute): unknown {
  const { kind, value } = attribute;
  switch (kind) {
    case "int":
      return [kind, integerText(value)];
    case "ints":
      return [kind, value.map(integerText)];
    case "float":
      return [kind, floatBits(Math.fround(value))];
    case "floats":
      return [kind, value.map((x) => floatBits(Math.fround(x)))];
    case "tensor":
      return [kind, tensorContent(value)];
    case "graph":
      return [kind, contentOf(value)];
    case "string":
    case "strings":
      return [kind, value];
  }
}

function integerText(value: number): string {
  return String(value === 2 ** 63 ? 2n ** 63n - 1n : BigInt(value));
}

function floatBits(value: number): string {
  if (Number.isNaN(value)) return "nan";
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

const HALVES: Readonly<Record<number, number>> = { 0: 0, 0x3c00: 1, 0x4000: 2, 0x4200: 3 };

function tensorContent({ type, shape, data }: Tensor): unknown {
  const elements = Array.from(data as ArrayLike<number | bigint>, (x) => {
    if (type === "float16") return floatBits(HALVES[Number(x)]!);
    return type === "float32" || type === "float64" ? floatBits(Number(x)) : String(x);
  });
  return { type, shape, data: elements };
}
