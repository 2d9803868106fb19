/**
 * @file Configs in the spellings of different versions of transformers describe the same
 * model: their graphs are equal byte for byte, and differ from those of other settings.
 */
import { describe, expect, test } from "vitest";
import { parseDecoder } from "../../src/nn/families.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import { buildScoreGraph } from "../../src/student/graphs.ts";
import { tinyBlueprint } from "../support/tinyModels.ts";

type Config = Readonly<Record<string, unknown>>;

/** The score graph of a config as bytes. */
function graphOf(config: Config): string {
  const graph = buildScoreGraph(tinyBlueprint(parseDecoder(config)), 1, 8, ["loss"]);
  return Buffer.from(encodeModel(graph)).toString("base64");
}

const SIZES = {
  vocab_size: 7,
  hidden_size: 8,
  intermediate_size: 6,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_hidden_layers: 3,
  max_position_embeddings: 16,
};
const of = (modelType: string, settings: Config): Config => ({ model_type: modelType, ...SIZES, ...settings });
const YARN = { factor: 4, original_max_position_embeddings: 4 };

describe("the same model", () => {
  test.each<[string, Config, Config]>([
    ["rope_theta", of("llama", { rope_theta: 500 }), of("llama", { rope_parameters: { rope_theta: 500 } })],
    [
      "rope_scaling",
      of("llama", { rope_theta: 500, rope_scaling: { type: "linear", factor: 4 } }),
      of("llama", { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 500 } }),
    ],
    [
      "yarn beside rope_theta",
      of("qwen3", { rope_theta: 500, rope_scaling: { rope_type: "yarn", ...YARN } }),
      of("qwen3", { rope_parameters: { rope_type: "yarn", rope_theta: 500, ...YARN } }),
    ],
    [
      "a context before scaling outside the rotary settings",
      of("llama", { rope_scaling: { rope_type: "yarn", ...YARN } }),
      of("llama", { original_max_position_embeddings: 4, rope_scaling: { rope_type: "yarn", factor: 4 } }),
    ],
    [
      "dynamic scaling, which begins beyond the context",
      of("llama", { rope_scaling: { type: "dynamic", factor: 4 } }),
      of("llama", {}),
    ],
    [
      "which layers of a Qwen slide",
      of("qwen2", { use_sliding_window: true, sliding_window: 3, max_window_layers: 2 }),
      of("qwen2", {
        use_sliding_window: true,
        sliding_window: 3,
        layer_types: ["full_attention", "full_attention", "sliding_attention"],
      }),
    ],
    [
      "a Qwen that uses no window",
      of("qwen3", { use_sliding_window: false, sliding_window: 3, max_window_layers: 0 }),
      of("qwen3", {}),
    ],
    ["a Mistral without a window", of("mistral", { sliding_window: null }), of("mistral", { sliding_window: 16 })],
    [
      "which layers of a Gemma 2 slide",
      of("gemma2", { sliding_window: 3 }),
      of("gemma2", {
        sliding_window: 3,
        layer_types: ["sliding_attention", "full_attention", "sliding_attention"],
      }),
    ],
    [
      "Gemma 3's pattern and two rotary bases",
      of("gemma3_text", {
        sliding_window: 3,
        sliding_window_pattern: 3,
        rope_theta: 500,
        rope_local_base_freq: 50,
        rope_scaling: { rope_type: "linear", factor: 8 },
      }),
      of("gemma3_text", {
        sliding_window: 3,
        layer_types: ["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters: {
          full_attention: { rope_type: "linear", factor: 8, rope_theta: 500 },
          sliding_attention: { rope_type: "default", rope_theta: 50 },
        },
      }),
    ],
    [
      "Gemma 3's defaults",
      of("gemma3_text", { sliding_window: 3, num_hidden_layers: 7 }),
      of("gemma3_text", {
        sliding_window: 3,
        num_hidden_layers: 7,
        sliding_window_pattern: 6,
        rope_theta: 1e6,
        rope_local_base_freq: 1e4,
        head_dim: 256,
        query_pre_attn_scalar: 256,
        final_logit_softcapping: null,
      }),
    ],
    [
      "GPT-NeoX's rotary keys",
      of("gpt_neox", { rotary_emb_base: 500, rotary_pct: 0.5 }),
      of("gpt_neox", { rope_parameters: { rope_theta: 500, partial_rotary_factor: 0.5, rope_type: "default" } }),
    ],
    [
      "Phi's rotary keys",
      of("phi", { rope_theta: 500, partial_rotary_factor: 0.5 }),
      of("phi", { rope_parameters: { rope_theta: 500, partial_rotary_factor: 0.5 } }),
    ],
    ["Phi's share of a head", of("phi", {}), of("phi", { partial_rotary_factor: 0.5 })],
    ["how checkpoints store numbers", of("llama", { torch_dtype: "bfloat16" }), of("llama", { dtype: "float16" })],
  ])("%s", (_name, one, other) => expect(graphOf(one)).toBe(graphOf(other)));
});

describe("another model", () => {
  test.each<[string, Config, Config]>([
    ["another window", of("mistral", { sliding_window: 3 }), of("mistral", { sliding_window: 4 })],
    ["no window", of("mistral", { sliding_window: 3 }), of("mistral", { sliding_window: null })],
    ["soft-caps by default", of("gemma2", {}), of("gemma2", { final_logit_softcapping: null })],
    [
      "scores that are not capped",
      of("gemma2", { attn_logit_softcapping: null }),
      of("gemma2", { attn_logit_softcapping: 50 }),
    ],
    ["another scale of scores", of("gemma2", {}), of("gemma2", { query_pre_attn_scalar: 4 })],
    ["one residual after the other", of("gpt_neox", {}), of("gpt_neox", { use_parallel_residual: false })],
    ["another GELU", of("phi", {}), of("phi", { hidden_act: "gelu" })],
    [
      "another rotary base of sliding layers",
      of("gemma3_text", { rope_local_base_freq: 50 }),
      of("gemma3_text", { rope_local_base_freq: 60 }),
    ],
  ])("%s", (_name, one, other) => expect(graphOf(one)).not.toBe(graphOf(other)));
});

describe("is refused", () => {
  test.each<[string, Config, RegExp]>([
    [
      "Gemma 3's rotary settings without layer types",
      of("gemma3_text", { rope_parameters: { rope_theta: 500 } }),
      /'rope_parameters': expected settings under full_attention and sliding_attention/,
    ],
    [
      "tokens that see what is after them",
      of("gemma3_text", { use_bidirectional_attention: true }),
      /'use_bidirectional_attention': expected false, got true/,
    ],
    [
      "a soft-cap that transformers ignores",
      of("gemma3_text", { attn_logit_softcapping: 50 }),
      /'attn_logit_softcapping': expected no value, got 50.*leave it out/,
    ],
    [
      "a soft-cap of zero",
      of("gemma2", { final_logit_softcapping: 0 }),
      /'final_logit_softcapping': expected a number above 0, got 0/,
    ],
    [
      "more of a head than there is",
      of("phi", { partial_rotary_factor: 1.5 }),
      /partial rotary factor: expected a share of the head size 4, got 1.5/,
    ],
    [
      "part of a Llama's head",
      of("llama", { partial_rotary_factor: 0.5 }),
      /'partial_rotary_factor': expected 1, got 0.5/,
    ],
    [
      "part of a Gemma's head, in the newer spelling",
      of("gemma2", { rope_parameters: { rope_type: "default", rope_theta: 100, partial_rotary_factor: 0.5 } }),
      /'rope_parameters' 'partial_rotary_factor': expected 1, got 0.5.*whole heads/,
    ],
    ["a multimodal Gemma 3", of("gemma3", {}), /'model_type': expected one of .*gemma3_text.*, got "gemma3"/],
    [
      "a yarn without its factor",
      of("qwen2", { rope_scaling: { rope_type: "yarn" } }),
      /'rope_scaling' 'factor': expected a number, got nothing/,
    ],
  ])("%s", (_name, config, message) => expect(() => parseDecoder(config)).toThrow(message));
});
