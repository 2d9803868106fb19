/**
 * @file A train graph that computes activations twice, or that shows the output head only
 * the positions that carry loss, gives the gradients of the plain graph; and what it
 * keeps from the forward to the backward pass is what layers hand to each other.
 */
import { describe, expect, test } from "vitest";
import { addGradients } from "../../src/autograd/gradient.ts";
import { Rng } from "../../src/core/rng.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { NO_LORA, resolveLora } from "../../src/nn/lora.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { hoistUnpacking } from "../../src/onnx/hoist.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import { AGAIN, buildTrainGraph, type StudentBlueprint, type TrainGraphOptions } from "../../src/student/graphs.ts";
import type { NdArray } from "../support/ndarray.ts";
import { runOnProvider } from "../support/ortProviders.ts";
import {
  parameterFeeds,
  rowFeeds,
  TINY_CONFIGS,
  tinyBlueprint,
  tinyWeights,
  type TinyName,
} from "../support/tinyModels.ts";

const ROW = rowFeeds([1, 5, 2, 5, 3, 6], [0, 0, 1, 1, 0]);

/** A blueprint of three layers, wide enough that weights are worth unpacking twice. */
function threeLayers(name: TinyName, adapted: boolean): StudentBlueprint {
  const config = TINY_CONFIGS[name];
  const size = { num_hidden_layers: 3, n_layer: 3, hidden_size: 64, n_embd: 64, intermediate_size: 300 };
  const decoder = parseDecoder({ ...config, ...size });
  const lora = adapted
    ? resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 2, scaling: 1.5 }))
    : NO_LORA;
  return tinyBlueprint(decoder, lora);
}

async function gradientsOf(
  blueprint: StudentBlueprint,
  options: Omit<TrainGraphOptions, "accumulate">,
  row: Readonly<Record<string, NdArray>> = ROW,
): Promise<{ readonly graph: Graph; readonly values: Record<string, number[]> }> {
  const graph = buildTrainGraph(blueprint, 1, 5, { ...options, accumulate: false });
  const parameters = parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(1)));
  const feeds: Record<string, Tensor> = {};
  for (const { name, type } of graph.inputs) {
    const given = { ...parameters, ...row }[name.endsWith(AGAIN) ? name.slice(0, -AGAIN.length) : name];
    const data = type === "int32" ? Int32Array.from(given!.data) : Float32Array.from(given!.data);
    feeds[name] = { type, shape: given!.shape, data };
  }
  const outputs = await runOnProvider("cpu", graph, feeds, { optimize: false });
  return { graph, values: Object.fromEntries([...outputs].map(([name, { data }]) => [name, Array.from(data)])) };
}

describe.each(Object.keys(TINY_CONFIGS) as TinyName[])("%s", (name) => {
  test.each([false, true])(
    "recomputed activations give the same loss and gradients, bit for bit (adapter: %s)",
    async (adapted) => {
      const blueprint = threeLayers(name, adapted);
      const plain = await gradientsOf(blueprint, {});
      const twice = await gradientsOf(blueprint, { recompute: true });
      expect(twice.graph.nodes.length).toBeGreaterThan(plain.graph.nodes.length);
      expect(Object.keys(twice.values)).toEqual(Object.keys(plain.values));
      for (const [output, values] of Object.entries(plain.values))
        expect(largestDifference(values, twice.values[output]!), output).toBe(0);
      expect(Math.abs(plain.values["lossSum"]![0]!)).toBeGreaterThan(0.1);
    },
  );

  test("positions without loss change nothing", async () => {
    const blueprint = threeLayers(name, true);
    const plain = await gradientsOf(blueprint, {});
    const picked = await gradientsOf(blueprint, { lossPositions: 3 }, { ...ROW, ...PICKED });
    for (const [output, values] of Object.entries(plain.values))
      expect(largestDifference(values, picked.values[output]!), output).toBeLessThan(1e-5 * largest(values));
  });
});

const largest = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : Infinity);
}

/** Positions 2 and 3 of `ROW`, and a spare one. */
const PICKED: Readonly<Record<string, NdArray>> = {
  lossRows: { shape: [3], data: Float64Array.of(2, 3, 0) },
  targets: { shape: [3, 1], data: Float64Array.of(5, 3, 0) },
  weights: { shape: [3, 1], data: Float64Array.of(1, 1, 0) },
};

test("backward nodes read of a recomputed layer only what the layer was given", () => {
  const graph = buildTrainGraph(threeLayers("llamaTied", true), 1, 5, { accumulate: false, recompute: true });
  const layerOf = (name: string): string | undefined => /^layers\.\d+/.exec(name)?.[0];
  const forward = new Map<string, string>();
  for (const node of graph.nodes)
    if (!node.name.startsWith("backward")) for (const output of node.outputs) forward.set(output, node.name);
  const results = new Set<string>();
  for (const node of graph.nodes) {
    if (node.name.startsWith("backward")) continue;
    for (const input of node.inputs) {
      const made = forward.get(input);
      if (made !== undefined && layerOf(made) !== layerOf(node.name)) results.add(input);
    }
  }
  for (const node of graph.nodes) {
    if (!node.name.startsWith("backward")) continue;
    for (const input of node.inputs) {
      const layer = layerOf(forward.get(input) ?? "");
      if (layer === undefined || layer === "layers.2" || results.has(input)) continue;
      // Small adapter factors, cut from their flat buffer, stay.
      expect(graph.nodes.find(({ outputs }) => outputs.includes(input))?.opType).toMatch(/^(Slice|Reshape)$/);
    }
  }
});

test("a segment is computed again only after the gradient of its result is known", () => {
  const g = new GraphBuilder("g");
  const w = g.input("w", "float32", [4]);
  const x = g.relu(g.mul(g.input("x", "float32", [4]), w));
  const y = g.scope("a", () => g.tanh(g.exp(g.sigmoid(x))));
  const loss = g.reduceSum(g.mul(y, y), [0], false);
  const [dw] = addGradients(g, loss, [w], {
    recompute: { segmentOf: ({ name }) => (name.startsWith("a.") ? "a" : undefined) },
  });
  g.output(dw!, "dw");
  const graph = g.build();
  const again = graph.nodes.filter(({ name }) => name.startsWith("again."));
  expect(again.map(({ opType }) => opType)).toEqual(["Slice", "Mul", "Add", "Sigmoid", "Exp"]);
  const [slice, , held, sigmoid] = again;
  // What is sliced to hold the rest back is the gradient of y = 2y.
  const gradient = graph.nodes.find(({ outputs }) => outputs[0] === slice!.inputs[0]);
  expect([gradient!.opType, gradient!.inputs.includes(y.name)]).toEqual(["Add", true]);
  expect(held!.inputs[0]).toBe(x.name);
  expect(sigmoid!.inputs).toEqual(held!.outputs);
});

test("hoisting puts casts and slices of parameters first and keeps the rest in order", () => {
  const g = new GraphBuilder("g");
  const x = g.input("x", "float32", [2, 4]);
  const ids = g.input("ids", "int32", [2]);
  const w = g.input("w", "float16", [4, 4]);
  const y = g.relu(x);
  const cast = g.cast(w, "float32");
  const z = g.matmul(y, g.transpose(cast, [1, 0]));
  const late = g.cast(ids, "float32");
  g.output(g.mul(z, g.reshape(late, [2, 1])));
  expect(hoistUnpacking(g.build()).nodes.map(({ opType }) => opType)).toEqual([
    "Cast",
    "Transpose",
    "Relu",
    "MatMul",
    "Cast",
    "Reshape",
    "Mul",
  ]);
});
