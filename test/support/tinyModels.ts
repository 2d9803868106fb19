/**
 * @file Models of a few hundred parameters with random float64 weights, for checks that
 * visit every parameter: configs of every family and feeds of their graphs.
 */
import type { Rng } from "../../src/core/rng.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import type { Decoder } from "../../src/nn/family.ts";
import { NO_LORA, type Lora } from "../../src/nn/lora.ts";
import type { StudentBlueprint } from "../../src/student/graphs.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { array, sizeOf, type NdArray } from "./ndarray.ts";

const LLAMA = {
  model_type: "llama",
  vocab_size: 7,
  hidden_size: 4,
  intermediate_size: 6,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_hidden_layers: 1,
  max_position_embeddings: 8,
  rms_norm_eps: 1e-5,
};

const GEMMA = { ...LLAMA, head_dim: 4, sliding_window: 2, query_pre_attn_scalar: 3 };
const NEOX = {
  model_type: "gpt_neox",
  vocab_size: 7,
  hidden_size: 4,
  intermediate_size: 5,
  num_attention_heads: 1,
  num_hidden_layers: 1,
  max_position_embeddings: 8,
  rotary_pct: 0.5,
};
const PHI = { ...NEOX, model_type: "phi" };

/** `config.json` of tiny models, by what is special about them. */
export const TINY_CONFIGS = {
  llamaTied: { ...LLAMA, tie_word_embeddings: true },
  llamaUntied: { ...LLAMA, tie_word_embeddings: false, attention_bias: true, mlp_bias: true },
  qwen2Tied: { ...LLAMA, model_type: "qwen2", tie_word_embeddings: true, num_key_value_heads: 2 },
  mistralSliding: { ...LLAMA, model_type: "mistral", num_key_value_heads: 2, sliding_window: 2 },
  qwen3: { ...LLAMA, model_type: "qwen3", head_dim: 4, tie_word_embeddings: true },
  gemma2: { ...GEMMA, model_type: "gemma2", attn_logit_softcapping: 1.5, final_logit_softcapping: 2 },
  gemma3: { ...GEMMA, model_type: "gemma3_text", sliding_window_pattern: 2, rope_local_base_freq: 50 },
  gptNeox: { ...NEOX, use_parallel_residual: true },
  gptNeoxSequential: { ...NEOX, use_parallel_residual: false, tie_word_embeddings: true },
  phi: PHI,
  phiHeadNorms: { ...PHI, qk_layernorm: true, tie_word_embeddings: true },
  gpt2: { model_type: "gpt2", vocab_size: 7, n_embd: 4, n_head: 2, n_layer: 1, n_positions: 8 },
} as const;
export type TinyName = keyof typeof TINY_CONFIGS;

export const tinyDecoder = (name: TinyName): Decoder => parseDecoder(TINY_CONFIGS[name]);

export function tinyBlueprint(decoder: Decoder, lora: Lora = NO_LORA): StudentBlueprint {
  return { decoder, lora, layout: layoutParameters(decoder, lora, lora === NO_LORA ? "full" : "lora") };
}

/** Random values of all parameters, norms near 1, LoRA's B included; float32 so that every engine sees the same. */
export function tinyWeights({ decoder, lora }: StudentBlueprint, rng: Rng): Map<string, NdArray> {
  return new Map(
    [...decoder.parameters, ...lora.parameters].map(({ name, shape }) => {
      const centre = /norm.*\.weight$|ln_.*\.weight$/.test(name) ? 1 : 0;
      return [
        name,
        array(
          shape,
          Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(centre + 0.4 * rng.normal())),
        ),
      ];
    }),
  );
}

/** Feeds of the parameters as the graphs declare them: groups flat, frozen ones alone. */
export function parameterFeeds(
  { layout }: StudentBlueprint,
  weights: ReadonlyMap<string, NdArray>,
): Record<string, NdArray> {
  const feeds: Record<string, NdArray> = {};
  for (const group of layout.groups) {
    const flat = new Float64Array(group.size);
    for (const { spec, offset } of group.entries) flat.set(weights.get(spec.name)!.data, offset);
    feeds[`param.${group.name}`] = array([group.size], flat);
  }
  for (const { name } of layout.frozen) feeds[name] = weights.get(name)!;
  return feeds;
}

/** Feeds of one row of ids: inputs, targets, and which targets count. */
export function rowFeeds(ids: readonly number[], counted: readonly number[]): Record<string, NdArray> {
  const length = ids.length - 1;
  return {
    ids: array([1, length], ids.slice(0, -1)),
    targets: array([length, 1], ids.slice(1)),
    weights: array([1, length], counted),
  };
}
