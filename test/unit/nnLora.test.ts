/** @file Which layers an adapter changes, its shapes for both weight layouts, and how it starts. */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { initializeLora, linearModules, resolveLora } from "../../src/nn/lora.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import { buildScoreGraph } from "../../src/student/graphs.ts";
import { mergeLoraInto } from "../../src/student/weights.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import {
  parameterFeeds,
  rowFeeds,
  tinyBlueprint,
  tinyDecoder,
  tinyWeights,
  type TinyName,
} from "../support/tinyModels.ts";

const all = () => ({ r: 2, scaling: 3 });

test("linear layers are listed in model order, a tied head is none", () => {
  const llama = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `model.layers.0.self_attn.${name}`);
  const mlp = ["gate_proj", "up_proj", "down_proj"].map((name) => `model.layers.0.mlp.${name}`);
  expect(linearModules(tinyDecoder("llamaTied"))).toEqual([...llama, ...mlp]);
  expect(linearModules(tinyDecoder("llamaUntied"))).toEqual([...llama, ...mlp, "lm_head"]);
  expect(linearModules(tinyDecoder("gpt2"))).toEqual(
    ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"].map((name) => `transformer.h.0.${name}`),
  );
});

test("factors are A [r, in] and B [out, r] whichever way the weight is stored", () => {
  const shapes = (name: TinyName, module: string) => {
    const lora = resolveLora(tinyDecoder(name), (own) => (own.endsWith(module) ? { r: 3, scaling: 1 } : undefined));
    return Object.fromEntries(lora.parameters.map((spec) => [spec.name, spec.shape]));
  };
  expect(shapes("llamaTied", "gate_proj")).toEqual({
    "base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight": [3, 4],
    "base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight": [6, 3],
  });
  expect(shapes("gpt2", "c_attn")).toEqual({
    "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight": [3, 4],
    "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight": [12, 3],
  });
});

test("no match names the layers there are", () => {
  expect(() => resolveLora(tinyDecoder("gpt2"), () => undefined)).toThrow(
    /names of linear layers \(c_attn, c_proj, c_fc\) or all-linear, got no match/,
  );
});

describe("the start of a new adapter", () => {
  const lora = resolveLora(tinyDecoder("llamaTied"), () => ({ r: 64, scaling: 1 }));
  const start = initializeLora(lora, new Rng(1));

  test("B is zero", () => {
    const nonzero = [...start].filter(
      ([name, values]) => name.includes("lora_B") && values.some((value) => value !== 0),
    );
    expect(nonzero).toEqual([]);
  });

  test("A is uniform in ±1/sqrt(in): Kaiming uniform with a = √5", () => {
    for (const { name, shape } of lora.parameters) {
      if (!name.includes("lora_A")) continue;
      const bound = 1 / Math.sqrt(shape[1]!);
      const values = [...start.get(name)!];
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.max(...values), name).toBeGreaterThan(0.9 * bound);
      expect(Math.min(...values), name).toBeLessThan(-0.9 * bound);
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      // Five standard errors of the variance of a uniform sample: bound² · sqrt(4/45 / n).
      expect(Math.abs(variance - bound ** 2 / 3), name).toBeLessThan(
        5 * bound ** 2 * Math.sqrt(4 / 45 / values.length),
      );
    }
  });

  test("each A has a stream of its own: fewer targets leave the others as they are", () => {
    const fewer = resolveLora(tinyDecoder("llamaTied"), (module) =>
      module.endsWith("v_proj") ? { r: 64, scaling: 1 } : undefined,
    );
    for (const [name, values] of initializeLora(fewer, new Rng(1))) expect(values).toEqual(start.get(name));
    expect(initializeLora(lora, new Rng(2)).get(lora.parameters[0]!.name)).not.toEqual(
      start.get(lora.parameters[0]!.name),
    );
  });
});

describe.each(["llamaTied", "llamaUntied", "qwen2Tied", "gpt2"] as const)("%s", (name) => {
  const decoder = tinyDecoder(name);
  const adapted = tinyBlueprint(decoder, resolveLora(decoder, all));
  const weights = tinyWeights(adapted, new Rng(11));
  const row = rowFeeds([1, 5, 2, 5, 3, 6], [0, 0, 1, 1, 1]);
  const scoreOf = (blueprint: typeof adapted, values: typeof weights): number =>
    evaluate(buildScoreGraph(blueprint, 1, 5, ["loss"]), { ...parameterFeeds(blueprint, values), ...row }).get("loss")!
      .data[0]!;

  test("an adapter whose B is zero changes nothing", () => {
    const zeroB = new Map(
      [...weights].map(([key, value]) => [
        key,
        key.includes("lora_B") ? { ...value, data: value.data.map(() => 0) } : value,
      ]),
    );
    expect(scoreOf(adapted, zeroB)).toBe(scoreOf(tinyBlueprint(decoder), weights));
  });

  test("merged into the weights it scores as it did beside them", () => {
    const tensors = new Map(
      [...weights].map(([key, { shape, data }]): [string, Tensor] => [
        key,
        { type: "float32", shape, data: Float32Array.from(data) },
      ]),
    );
    const values = new Map([...tensors].map(([key, tensor]) => [key, tensor.data as Float32Array]));
    const merged = new Map(
      decoder.parameters.map((spec) => [spec.name, mergeLoraInto(spec, tensors.get(spec.name)!, adapted.lora, values)]),
    );
    const mergedScore = scoreOf(
      tinyBlueprint(decoder),
      new Map(
        [...merged].map(([key, { shape, data }]) => [key, { shape, data: Float64Array.from(data as Float32Array) }]),
      ),
    );
    const besideScore = scoreOf(adapted, weights);
    expect(Math.abs(besideScore - scoreOf(tinyBlueprint(decoder), weights))).toBeGreaterThan(0.01);
    // Merged weights are rounded to float32.
    expect(mergedScore / besideScore).toBeCloseTo(1, 6);
  });
});
