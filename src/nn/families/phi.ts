/**
 * @file Phi-1, Phi-1.5 and Phi-2 (Li et al. 2023, arXiv 2309.05463; transformers'
 * PhiForCausalLM): attention and feed-forward beside each other behind one LayerNorm,
 * rotary positions on the first part of each head, biases everywhere, the head included.
 */
import { assembleDecoder } from "../assembleDecoder.ts";
import { parallelBlock, selfAttention, separateProjections, type SequenceLayer } from "../blocks.ts";
import type { Decoder, Family } from "../family.ts";
import { keyBiasMask, layerNorm, linear, mlp } from "../layers.ts";
import { ACTIVATIONS } from "../modules.ts";
import type { RawConfig } from "../rawConfig.ts";
import { parseRope } from "../rope.ts";
import { Rotary } from "../rotary.ts";
import { parseSizes } from "../sizes.ts";

function parsePhi(config: RawConfig): Decoder {
  const sizes = parseSizes(config, { maxPositionEmbeddings: 2048 });
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = sizes;
  const epsilon = config.number("layer_norm_eps", 1e-5);
  const act = config.choice("hidden_act", ACTIVATIONS, "gelu_new");
  const headNorms = config.flag("qk_layernorm", false);
  const rotary = new Rotary(parseRope(config, { partialRotaryFactor: 0.5 }), headDim);
  // What is added to the part of a key that is not rotated: the projection's bias or, behind a norm, the norm's.
  const biasMask = keyBiasMask(headNorms ? headDim : kvHeads * headDim, (i) => i % headDim < rotary.dim);

  function block(i: number): SequenceLayer {
    const attention = `model.layers.${i}.self_attn`;
    const bias = true;
    return parallelBlock({
      attentionNorm: layerNorm(`model.layers.${i}.input_layernorm`, hiddenSize, epsilon),
      attention: selfAttention({
        layer: i,
        heads,
        kvHeads,
        headDim,
        projections: separateProjections(
          linear(`${attention}.q_proj`, hiddenSize, heads * headDim, { bias }),
          linear(`${attention}.k_proj`, hiddenSize, kvHeads * headDim, {
            bias,
            biasMask: headNorms ? undefined : biasMask,
          }),
          linear(`${attention}.v_proj`, hiddenSize, kvHeads * headDim, { bias }),
        ),
        output: linear(`${attention}.dense`, heads * headDim, hiddenSize, { bias }),
        rotary,
        queryNorm: headNorms ? layerNorm(`${attention}.q_layernorm`, headDim, epsilon) : undefined,
        keyNorm: headNorms ? layerNorm(`${attention}.k_layernorm`, headDim, epsilon, { biasMask }) : undefined,
      }),
      mlp: mlp(
        linear(`model.layers.${i}.mlp.fc1`, hiddenSize, intermediateSize, { bias }),
        act,
        linear(`model.layers.${i}.mlp.fc2`, intermediateSize, hiddenSize, { bias }),
      ),
    });
  }

  return assembleDecoder({
    ...sizes,
    family: "phi",
    tieWordEmbeddings: config.flag("tie_word_embeddings", false),
    embedding: { module: "model.embed_tokens" },
    blocks: Array.from({ length: sizes.layers }, (_, i) => block(i)),
    norm: layerNorm("model.final_layernorm", hiddenSize, epsilon),
    head: { module: "lm_head", bias: true },
    prefix: "model.",
  });
}

export const phi: Family = { modelTypes: ["phi"], parse: parsePhi };
