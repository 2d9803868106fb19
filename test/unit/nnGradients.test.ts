/**
 * @file The training graph's gradients of whole models against central differences in
 * float64 over every parameter: tied embeddings (two uses, one gradient), adapters,
 * biases, GPT-2's key bias.
 */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { resolveLora } from "../../src/nn/lora.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { buildTrainGraph, type StudentBlueprint } from "../../src/student/graphs.ts";
import { evaluate, numericGradient } from "../support/float64Evaluator.ts";
import type { NdArray } from "../support/ndarray.ts";
import { runOnProvider } from "../support/ortProviders.ts";
import {
  TINY_CONFIGS,
  parameterFeeds,
  rowFeeds,
  tinyBlueprint,
  tinyDecoder,
  tinyWeights,
  type TinyName,
} from "../support/tinyModels.ts";

const ROW = rowFeeds([1, 5, 2, 5, 3, 6], [0, 0, 1, 1, 1]);

/** Feeds of a training graph over one row, and the gradients it gives by group. */
function trainOneRow(blueprint: StudentBlueprint, seed: number) {
  const graph = buildTrainGraph(blueprint, 1, 5, { accumulate: false });
  const feeds = { ...parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(seed))), ...ROW };
  return { graph, feeds };
}

function expectGradients(blueprint: StudentBlueprint, seed: number): void {
  const { graph, feeds } = trainOneRow(blueprint, seed);
  const outputs = evaluate(graph, feeds);
  for (const group of blueprint.layout.groups) {
    const gradient = outputs.get(`grad.${group.name}.out`)!.data;
    const expected = numericGradient(graph, feeds, "lossSum", `param.${group.name}`).data;
    let difference = 0;
    expected.forEach((value, i) => (difference = Math.max(difference, Math.abs(gradient[i]! - value))));
    const largest = Math.max(...expected.map(Math.abs));
    expect(largest, `${group.name} has a gradient`).toBeGreaterThan(1e-3);
    expect(difference, `${group.name} up to ${largest}`).toBeLessThan(1e-7 * Math.max(1, largest));
  }
}

describe.each(Object.keys(TINY_CONFIGS) as TinyName[])("%s", (name) => {
  const decoder = tinyDecoder(name);
  test("every gradient of full finetuning is the slope of the loss", () => expectGradients(tinyBlueprint(decoder), 1));

  test("every gradient of an adapter is the slope of the loss", () => {
    const lora = resolveLora(decoder, (module) => (module === "lm_head" ? undefined : { r: 2, scaling: 1.5 }));
    expectGradients(tinyBlueprint(decoder, lora), 2);
  });
});

/** The part of the gradients that belongs to one parameter. */
function gradientOf(blueprint: StudentBlueprint, outputs: ReadonlyMap<string, NdArray>, name: string): number[] {
  for (const group of blueprint.layout.groups) {
    const entry = group.entries.find(({ spec }) => spec.name === name);
    if (entry)
      return Array.from(outputs.get(`grad.${group.name}.out`)!.data.slice(entry.offset, entry.offset + entry.size));
  }
  throw new Error(`no parameter ${name}`);
}

describe("a tied embedding", () => {
  test.each([
    ["llamaTied", "model.embed_tokens.weight"],
    ["qwen2Tied", "model.embed_tokens.weight"],
    ["gpt2", "transformer.wte.weight"],
  ] as const)("of %s gets the gradient of the lookup and of the head", (name, embedding) => {
    const decoder = tinyDecoder(name);
    const blueprint = tinyBlueprint(decoder);
    const { graph, feeds } = trainOneRow(blueprint, 3);
    const both = gradientOf(blueprint, evaluate(graph, feeds), embedding);
    // The same weights, with the head as a parameter of its own: its gradients are the two parts.
    const untied = tinyBlueprint(untie(name));
    const weights = tinyWeights(blueprint, new Rng(3));
    weights.set("lm_head.weight", weights.get(embedding)!);
    const outputs = evaluate(buildTrainGraph(untied, 1, 5, { accumulate: false }), {
      ...parameterFeeds(untied, weights),
      ...ROW,
    });
    const lookup = gradientOf(untied, outputs, embedding);
    const head = gradientOf(untied, outputs, "lm_head.weight");
    expect(Math.max(...lookup.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(Math.max(...head.map(Math.abs))).toBeGreaterThan(1e-3);
    both.forEach((value, i) => expect(value).toBeCloseTo(lookup[i]! + head[i]!, 12));
  });
});

/** The same sizes with an untied head. */
function untie(name: TinyName) {
  const tied = tinyDecoder(name);
  const { vocabSize, hiddenSize } = tied;
  const lmHead = {
    name: "lm_head.weight",
    shape: [vocabSize, hiddenSize],
    decay: true,
    linear: { module: "lm_head", layout: "out-in" as const },
  };
  return { ...tied, tieWordEmbeddings: false, parameters: [...tied.parameters, lmHead] };
}

describe("a bias on keys that are not rotated", () => {
  test.each([
    // Keys are the second third; none is rotated.
    ["gpt2", "transformer.h.0.attn.c_attn.bias", [4, 5, 6, 7]],
    // One head: query, key, value of 4 each; the first two elements of the key are rotated.
    ["gptNeox", "gpt_neox.layers.0.attention.query_key_value.bias", [6, 7]],
    ["phi", "model.layers.0.self_attn.k_proj.bias", [2, 3]],
    ["phiHeadNorms", "model.layers.0.self_attn.k_layernorm.bias", [2, 3]],
  ] as const)("has in %s a gradient of exactly zero, and its neighbours have not", async (name, bias, zeros) => {
    const blueprint = tinyBlueprint(tinyDecoder(name));
    const { graph, feeds } = trainOneRow(blueprint, 4);
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([key, { shape, data }]): [string, Tensor] => [
        key,
        key === "ids" || key === "targets"
          ? { type: "int32", shape, data: Int32Array.from(data) }
          : { type: "float32", shape, data: Float32Array.from(data) },
      ]),
    );
    for (const outputs of [evaluate(graph, feeds), await runOnProvider("cpu", graph, tensors)]) {
      gradientOf(blueprint, outputs, bias).forEach((value, i) => {
        if ((zeros as readonly number[]).includes(i)) expect(Math.abs(value), `element ${i}`).toBe(0);
        else expect(Math.abs(value), `element ${i}`).toBeGreaterThan(1e-7);
      });
    }
  });
});
