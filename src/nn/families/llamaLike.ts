/**
 * @file What Llama and its descendants share: pre-RMSNorm, rotary positions,
 * grouped-query attention, gated feed-forward. The families themselves, with the one
 * thing that each has of its own, are in the files beside.
 */
import { assembleDecoder } from "../assembleDecoder.ts";
import { selfAttention, separateProjections, sequentialBlock, type SequenceLayer } from "../blocks.ts";
import type { Decoder } from "../family.ts";
import { gatedMlp, linear, rmsNorm } from "../layers.ts";
import { ACTIVATIONS } from "../modules.ts";
import type { RawConfig } from "../rawConfig.ts";
import { parseRope } from "../rope.ts";
import { Rotary } from "../rotary.ts";
import type { Sizes } from "../sizes.ts";

export interface LlamaTraits {
  readonly family: string;
  readonly biases?: { readonly queryKeyValue?: boolean; readonly output?: boolean; readonly mlp?: boolean };
  /** RMSNorm over each head of queries and keys. */
  readonly headNorms?: boolean;
  /** Sliding window of each layer; undefined is none. */
  readonly windows?: readonly (number | undefined)[];
}

/** The decoder of a Llama-like config. @throws BadInputError for a value that is missing, wrong or not implemented. */
export function llamaLike(config: RawConfig, sizes: Sizes, traits: LlamaTraits): Decoder {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = sizes;
  const { family, biases = {}, headNorms = false, windows = [] } = traits;
  const epsilon = config.number("rms_norm_eps", 1e-6);
  const act = config.choice("hidden_act", ACTIVATIONS, "silu");
  const rotary = new Rotary(parseRope(config, { wholeHeads: true }), headDim);

  function block(i: number): SequenceLayer {
    const attention = `model.layers.${i}.self_attn`;
    const mlp = `model.layers.${i}.mlp`;
    const bias = { bias: biases.queryKeyValue ?? false };
    const mlpBias = { bias: biases.mlp ?? false };
    return sequentialBlock({
      attentionNorm: rmsNorm(`model.layers.${i}.input_layernorm`, hiddenSize, epsilon),
      attention: selfAttention({
        layer: i,
        heads,
        kvHeads,
        headDim,
        projections: separateProjections(
          linear(`${attention}.q_proj`, hiddenSize, heads * headDim, bias),
          linear(`${attention}.k_proj`, hiddenSize, kvHeads * headDim, bias),
          linear(`${attention}.v_proj`, hiddenSize, kvHeads * headDim, bias),
        ),
        output: linear(`${attention}.o_proj`, heads * headDim, hiddenSize, { bias: biases.output ?? false }),
        rotary,
        queryNorm: headNorms ? rmsNorm(`${attention}.q_norm`, headDim, epsilon) : undefined,
        keyNorm: headNorms ? rmsNorm(`${attention}.k_norm`, headDim, epsilon) : undefined,
        slidingWindow: windows[i],
      }),
      mlpNorm: rmsNorm(`model.layers.${i}.post_attention_layernorm`, hiddenSize, epsilon),
      mlp: gatedMlp(
        linear(`${mlp}.gate_proj`, hiddenSize, intermediateSize, mlpBias),
        linear(`${mlp}.up_proj`, hiddenSize, intermediateSize, mlpBias),
        act,
        linear(`${mlp}.down_proj`, intermediateSize, hiddenSize, mlpBias),
      ),
    });
  }

  return assembleDecoder({
    ...sizes,
    family,
    tieWordEmbeddings: config.flag("tie_word_embeddings", false),
    embedding: { module: "model.embed_tokens" },
    blocks: Array.from({ length: sizes.layers }, (_, i) => block(i)),
    norm: rmsNorm("model.norm", hiddenSize, epsilon),
    head: { module: "lm_head", bias: false },
    prefix: "model.",
  });
}
