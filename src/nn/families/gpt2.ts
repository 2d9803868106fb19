/**
 * @file GPT-2 (Radford et al. 2019; transformers' GPT2LMHeadModel): learned positions,
 * pre-LayerNorm with biases, fused query-key-value, Conv1D weights stored [in, out],
 * tanh-approximated GELU. DistilGPT-2 is the same family.
 */
import { badInput } from "../../core/errors.ts";
import { assembleDecoder } from "../assembleDecoder.ts";
import { fusedProjection, selfAttention, sequentialBlock, type SequenceLayer } from "../blocks.ts";
import type { Decoder, Family } from "../family.ts";
import { keyBiasMask, layerNorm, linear, mlp } from "../layers.ts";
import { ACTIVATIONS } from "../modules.ts";
import { MAX_LAYERS, type RawConfig } from "../rawConfig.ts";

function parseGpt2(config: RawConfig): Decoder {
  const size = (key: string, otherKey: string, fallback: number, max?: number): number =>
    config.size(key, config.has(otherKey) ? config.size(otherKey) : fallback, max);
  const hiddenSize = size("n_embd", "hidden_size", 768);
  const heads = size("n_head", "num_attention_heads", 12);
  const layers = size("n_layer", "num_hidden_layers", 12, MAX_LAYERS);
  const intermediateSize = config.size("n_inner", 4 * hiddenSize);
  const epsilon = config.number("layer_norm_epsilon", 1e-5);
  const act = config.choice("activation_function", ACTIVATIONS, "gelu_new");
  const scaleWeights = config.flag("scale_attn_weights", true);
  const scaleByLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
  config.only("add_cross_attention", [false], "Only decoder-only GPT-2 is supported");
  if (hiddenSize % heads !== 0) badInput("config.json 'n_head'", `a divisor of n_embd (${hiddenSize})`, String(heads));
  const headDim = hiddenSize / heads;
  const biasMask = keyBiasMask(3 * hiddenSize, (i) => Math.floor(i / hiddenSize) !== 1);

  function block(i: number): SequenceLayer {
    const layer = `transformer.h.${i}`;
    const conv1d = { bias: true, layout: "in-out" } as const;
    return sequentialBlock({
      attentionNorm: layerNorm(`${layer}.ln_1`, hiddenSize, epsilon),
      attention: selfAttention({
        layer: i,
        heads,
        kvHeads: heads,
        headDim,
        projections: fusedProjection(
          linear(`${layer}.attn.c_attn`, hiddenSize, 3 * hiddenSize, { ...conv1d, biasMask }),
          { heads, headDim, interleaved: false },
        ),
        output: linear(`${layer}.attn.c_proj`, hiddenSize, hiddenSize, conv1d),
        scale: (scaleWeights ? 1 / Math.sqrt(headDim) : 1) / (scaleByLayer ? i + 1 : 1),
      }),
      mlpNorm: layerNorm(`${layer}.ln_2`, hiddenSize, epsilon),
      mlp: mlp(
        linear(`${layer}.mlp.c_fc`, hiddenSize, intermediateSize, conv1d),
        act,
        linear(`${layer}.mlp.c_proj`, intermediateSize, hiddenSize, conv1d),
      ),
    });
  }

  return assembleDecoder({
    family: "gpt2",
    vocabSize: config.size("vocab_size", 50257),
    hiddenSize,
    kvHeads: heads,
    headDim,
    maxPositionEmbeddings: size("n_positions", "n_ctx", 1024),
    tieWordEmbeddings: config.flag("tie_word_embeddings", true),
    embedding: { module: "transformer.wte", positions: "transformer.wpe" },
    blocks: Array.from({ length: layers }, (_, i) => block(i)),
    norm: layerNorm("transformer.ln_f", hiddenSize, epsilon),
    head: { module: "lm_head", bias: false },
    prefix: "transformer.",
    // Causal masks of older checkpoints.
    buffers: /\.attn\.(bias|masked_bias)$/,
  });
}

export const gpt2: Family = { modelTypes: ["gpt2"], parse: parseGpt2 };
