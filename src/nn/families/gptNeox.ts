/**
 * @file GPT-NeoX (Black et al. 2022, arXiv 2204.06745; transformers' GPTNeoXForCausalLM),
 * the architecture of Pythia: parallel (or sequential) residual, rotary positions on the
 * first part of each head, query, key and value fused head by head, LayerNorm, biases.
 */
import { badInput } from "../../core/errors.ts";
import { assembleDecoder } from "../assembleDecoder.ts";
import { fusedProjection, parallelBlock, selfAttention, sequentialBlock, type SequenceLayer } from "../blocks.ts";
import type { Decoder, Family } from "../family.ts";
import { keyBiasMask, layerNorm, linear, mlp } from "../layers.ts";
import { ACTIVATIONS } from "../modules.ts";
import type { RawConfig } from "../rawConfig.ts";
import { parseRope } from "../rope.ts";
import { Rotary } from "../rotary.ts";
import { parseSizes } from "../sizes.ts";

function parseGptNeox(config: RawConfig): Decoder {
  const sizes = parseSizes(config, { maxPositionEmbeddings: 2048 });
  const { hiddenSize, intermediateSize, heads, headDim } = sizes;
  if (heads * headDim !== hiddenSize)
    badInput("config.json 'num_attention_heads'", `a divisor of hidden_size (${hiddenSize})`, String(heads));
  const epsilon = config.number("layer_norm_eps", 1e-5);
  const act = config.choice("hidden_act", ACTIVATIONS, "gelu");
  const attentionBias = config.flag("attention_bias", true);
  const arrange = config.flag("use_parallel_residual", true) ? parallelBlock : sequentialBlock;
  const rope = parseRope(config, {
    thetaKeys: ["rotary_emb_base", "rope_theta"],
    partialRotaryFactor: 0.25,
    partialRotaryKeys: ["rotary_pct", "partial_rotary_factor"],
  });
  const rotary = new Rotary(rope, headDim);
  // Each head has 3H rows: query, key, value. Of the key only the rotated part has a bias that matters.
  const biasMask = keyBiasMask(3 * hiddenSize, (i) => {
    const at = (i % (3 * headDim)) - headDim;
    return at < rotary.dim || at >= headDim;
  });

  function block(i: number): SequenceLayer {
    const layer = `gpt_neox.layers.${i}`;
    return arrange({
      attentionNorm: layerNorm(`${layer}.input_layernorm`, hiddenSize, epsilon),
      mlpNorm: layerNorm(`${layer}.post_attention_layernorm`, hiddenSize, epsilon),
      attention: selfAttention({
        layer: i,
        heads,
        kvHeads: heads,
        headDim,
        projections: fusedProjection(
          linear(`${layer}.attention.query_key_value`, hiddenSize, 3 * hiddenSize, { bias: attentionBias, biasMask }),
          { heads, headDim, interleaved: true },
        ),
        output: linear(`${layer}.attention.dense`, hiddenSize, hiddenSize, { bias: attentionBias }),
        rotary,
      }),
      mlp: mlp(
        linear(`${layer}.mlp.dense_h_to_4h`, hiddenSize, intermediateSize, { bias: true }),
        act,
        linear(`${layer}.mlp.dense_4h_to_h`, intermediateSize, hiddenSize, { bias: true }),
      ),
    });
  }

  return assembleDecoder({
    ...sizes,
    family: "gpt_neox",
    kvHeads: heads,
    tieWordEmbeddings: config.flag("tie_word_embeddings", false),
    embedding: { module: "gpt_neox.embed_in" },
    blocks: Array.from({ length: sizes.layers }, (_, i) => block(i)),
    norm: layerNorm("gpt_neox.final_layer_norm", hiddenSize, epsilon),
    // The name in checkpoints; transformers 5 calls the module lm_head and renames when it reads and writes.
    head: { module: "embed_out", bias: false },
    aliases: { "lm_head.weight": "embed_out.weight" },
    prefix: "gpt_neox.",
    buffers: /\.attention\.(bias|masked_bias)$/,
  });
}

export const gptNeox: Family = { modelTypes: ["gpt_neox"], parse: parseGptNeox };
