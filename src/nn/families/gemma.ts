/**
 * @file Gemma 2 (arXiv 2408.00118) and the text models of Gemma 3 (arXiv 2503.19786),
 * transformers' Gemma2ForCausalLM and Gemma3ForCausalLM: four RMSNorms a block with
 * weights around 1, scaled embeddings, layers that slide between layers that see all.
 * Gemma 2 caps attention scores and logits; Gemma 3 has norms over each query and key
 * head, and another rotary base in its sliding layers.
 */
import { assembleDecoder } from "../assembleDecoder.ts";
import { selfAttention, separateProjections, sequentialBlock, type SequenceLayer } from "../blocks.ts";
import type { Decoder, Family } from "../family.ts";
import { gatedMlp, linear, rmsNorm, type Layer } from "../layers.ts";
import { ACTIVATIONS } from "../modules.ts";
import type { RawConfig } from "../rawConfig.ts";
import { parseRope, type LayerType, type RopeConfig } from "../rope.ts";
import { Rotary } from "../rotary.ts";
import { parseLayerTypes, parseSizes, windowOf } from "../sizes.ts";

/** What the generations of Gemma have of their own. */
interface Traits {
  readonly family: string;
  readonly maxPositionEmbeddings: number;
  readonly headNorms: boolean;
  /** Every how-manieth layer sees all, where the config does not list them. */
  readonly pattern: number;
  readonly ropes: Readonly<Record<LayerType, RopeConfig>>;
  readonly attentionSoftCap: number | undefined;
  readonly finalSoftCap: number | undefined;
}

function gemma(config: RawConfig, traits: Traits): Decoder {
  const { family, maxPositionEmbeddings, headNorms, pattern, ropes, attentionSoftCap, finalSoftCap } = traits;
  const sizes = parseSizes(config, { maxPositionEmbeddings, headDim: 256, kvHeads: 4 });
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = sizes;
  const epsilon = config.number("rms_norm_eps", 1e-6);
  const act = config.choice("hidden_activation", ACTIVATIONS, "gelu_pytorch_tanh");
  const attentionBias = config.flag("attention_bias", false);
  const scale = 1 / Math.sqrt(config.positive("query_pre_attn_scalar", 256));
  const slidingWindow = config.optionalSize("sliding_window", 4096);
  const layerTypes = parseLayerTypes(config, sizes.layers, (i) => (i + 1) % pattern !== 0);
  config.only("use_bidirectional_attention", [false], "Only models whose tokens see what is before them can generate");
  const rotaries: Readonly<Record<LayerType, Rotary>> = {
    full_attention: new Rotary(ropes.full_attention, headDim),
    sliding_attention: new Rotary(ropes.sliding_attention, headDim),
  };
  const norm = (module: string, size = hiddenSize): Layer => rmsNorm(module, size, epsilon, { unitOffset: true });

  function block(type: LayerType, i: number): SequenceLayer {
    const layer = `model.layers.${i}`;
    const bias = { bias: attentionBias };
    return sequentialBlock({
      attentionNorm: norm(`${layer}.input_layernorm`),
      attention: selfAttention({
        layer: i,
        heads,
        kvHeads,
        headDim,
        projections: separateProjections(
          linear(`${layer}.self_attn.q_proj`, hiddenSize, heads * headDim, bias),
          linear(`${layer}.self_attn.k_proj`, hiddenSize, kvHeads * headDim, bias),
          linear(`${layer}.self_attn.v_proj`, hiddenSize, kvHeads * headDim, bias),
        ),
        output: linear(`${layer}.self_attn.o_proj`, heads * headDim, hiddenSize, bias),
        scale,
        rotary: rotaries[type],
        queryNorm: headNorms ? norm(`${layer}.self_attn.q_norm`, headDim) : undefined,
        keyNorm: headNorms ? norm(`${layer}.self_attn.k_norm`, headDim) : undefined,
        slidingWindow: windowOf(type, slidingWindow),
        softCap: attentionSoftCap,
      }),
      attentionOutNorm: norm(`${layer}.post_attention_layernorm`),
      mlpNorm: norm(`${layer}.pre_feedforward_layernorm`),
      mlp: gatedMlp(
        linear(`${layer}.mlp.gate_proj`, hiddenSize, intermediateSize),
        linear(`${layer}.mlp.up_proj`, hiddenSize, intermediateSize),
        act,
        linear(`${layer}.mlp.down_proj`, intermediateSize, hiddenSize),
      ),
      mlpOutNorm: norm(`${layer}.post_feedforward_layernorm`),
    });
  }

  return assembleDecoder({
    ...sizes,
    family,
    tieWordEmbeddings: config.flag("tie_word_embeddings", true),
    // transformers rounds the scale to the type it computes in, which is float32 here too.
    embedding: { module: "model.embed_tokens", scale: Math.fround(Math.sqrt(hiddenSize)) },
    blocks: layerTypes.map((type, i) => block(type, i)),
    norm: norm("model.norm"),
    head: { module: "lm_head", bias: false, ...(finalSoftCap === undefined ? {} : { softCap: finalSoftCap }) },
    prefix: "model.",
  });
}

export const gemma2: Family = {
  modelTypes: ["gemma2"],
  parse: (config) => {
    const rope = parseRope(config, { wholeHeads: true });
    return gemma(config, {
      family: "gemma2",
      maxPositionEmbeddings: 8192,
      headNorms: false,
      pattern: 2,
      ropes: { full_attention: rope, sliding_attention: rope },
      attentionSoftCap: config.optionalPositive("attn_logit_softcapping", 50),
      finalSoftCap: config.optionalPositive("final_logit_softcapping", 30),
    });
  },
};

/** The rotary settings of Gemma 3: by layer type, or in the older spelling scaled in full layers only. */
function gemma3Ropes(config: RawConfig): Readonly<Record<LayerType, RopeConfig>> {
  const newer = config.object("rope_parameters");
  if (newer !== undefined && !newer.has("full_attention") && !newer.has("sliding_attention"))
    config.refuse("rope_parameters", "settings under full_attention and sliding_attention");
  return {
    full_attention: parseRope(config, { layerType: "full_attention", theta: 1e6, wholeHeads: true }),
    sliding_attention: parseRope(config, {
      layerType: "sliding_attention",
      nestedOnly: true,
      wholeHeads: true,
      theta: 1e4,
      thetaKeys: ["rope_local_base_freq"],
    }),
  };
}

export const gemma3: Family = {
  modelTypes: ["gemma3_text"],
  parse: (config) => {
    config.only("attn_logit_softcapping", [], "transformers ignores it for Gemma 3: leave it out");
    return gemma(config, {
      family: "gemma3_text",
      maxPositionEmbeddings: 131_072,
      headNorms: true,
      pattern: config.size("sliding_window_pattern", 6),
      ropes: gemma3Ropes(config),
      attentionSoftCap: undefined,
      finalSoftCap: config.optionalPositive("final_logit_softcapping"),
    });
  },
};
