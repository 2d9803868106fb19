/**
 * @file Llama (Touvron et al. 2023, arXiv 2302.13971; config of transformers'
 * LlamaForCausalLM) and Qwen2 (arXiv 2407.10671), which is Llama with biases on
 * query, key and value: pre-RMSNorm, rotary positions, grouped-query attention,
 * gated feed-forward.
 */
import { badInput } from "../../core/errors.ts";
import type { Value } from "../../onnx/types.ts";
import type { ModelContext } from "../context.ts";
import type { Decoder, Family, ParameterSpec } from "../family.ts";
import { ACTIVATIONS, activation, attention, rmsNorm, rotary, rowCount, type Sequence } from "../modules.ts";
import { MAX_LAYERS, type RawConfig } from "../rawConfig.ts";
import { parseRope, ropeTables } from "../rope.ts";

interface Biases {
  readonly queryKeyValue: boolean;
  readonly output: boolean;
  readonly mlp: boolean;
}

function parseLlamaLike(config: RawConfig, family: string, biases: Biases): Decoder {
  const hiddenSize = config.size("hidden_size");
  const heads = config.size("num_attention_heads");
  const kvHeads = config.size("num_key_value_heads", heads);
  const headDim = config.size("head_dim", Math.max(1, Math.floor(hiddenSize / heads)));
  const intermediateSize = config.size("intermediate_size");
  const layers = config.size("num_hidden_layers", undefined, MAX_LAYERS);
  const vocabSize = config.size("vocab_size");
  const epsilon = config.number("rms_norm_eps", 1e-6);
  const hiddenAct = config.choice("hidden_act", ACTIVATIONS, "silu");
  const maxPositionEmbeddings = config.size("max_position_embeddings", family === "qwen2" ? 32768 : 2048);
  const tieWordEmbeddings = config.flag("tie_word_embeddings", false);
  const rope = parseRope(config);
  if (heads % kvHeads !== 0)
    badInput("config.json 'num_key_value_heads'", `a divisor of num_attention_heads (${heads})`, String(kvHeads));
  if (headDim % 2 !== 0) badInput("config.json 'head_dim'", "an even number", String(headDim));

  const norm = (name: string): ParameterSpec => ({ name: `${name}.weight`, shape: [hiddenSize], decay: false });
  const linear = (module: string, inSize: number, outSize: number, bias: boolean): ParameterSpec[] => [
    { name: `${module}.weight`, shape: [outSize, inSize], decay: true, linear: { module, layout: "out-in" } },
    ...(bias ? [{ name: `${module}.bias`, shape: [outSize], decay: false }] : []),
  ];
  const parameters: ParameterSpec[] = [
    { name: "model.embed_tokens.weight", shape: [vocabSize, hiddenSize], decay: true },
  ];
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    parameters.push(
      norm(`${layer}.input_layernorm`),
      ...linear(`${layer}.self_attn.q_proj`, hiddenSize, heads * headDim, biases.queryKeyValue),
      ...linear(`${layer}.self_attn.k_proj`, hiddenSize, kvHeads * headDim, biases.queryKeyValue),
      ...linear(`${layer}.self_attn.v_proj`, hiddenSize, kvHeads * headDim, biases.queryKeyValue),
      ...linear(`${layer}.self_attn.o_proj`, heads * headDim, hiddenSize, biases.output),
      norm(`${layer}.post_attention_layernorm`),
      ...linear(`${layer}.mlp.gate_proj`, hiddenSize, intermediateSize, biases.mlp),
      ...linear(`${layer}.mlp.up_proj`, hiddenSize, intermediateSize, biases.mlp),
      ...linear(`${layer}.mlp.down_proj`, intermediateSize, hiddenSize, biases.mlp),
    );
  }
  parameters.push(norm("model.norm"));
  if (!tieWordEmbeddings) parameters.push(...linear("lm_head", hiddenSize, vocabSize, false));
  const names = new Set(parameters.map((spec) => spec.name));

  function hiddenStates(context: ModelContext, ids: Value, sequence: Sequence): Value {
    const g = context.builder;
    const { positionLimit } = sequence;
    const tables = ropeTables(rope, headDim, positionLimit);
    const cos = g.constant("float32", [positionLimit, headDim / 2], tables.cos, "rope.cos");
    const sin = g.constant("float32", [positionLimit, headDim / 2], tables.sin, "rope.sin");
    let x = g.reshape(g.gather(context.parameter("model.embed_tokens.weight"), ids), [rowCount(sequence), hiddenSize]);
    for (let i = 0; i < layers; i++) {
      const layer = `model.layers.${i}`;
      x = g.scope(`layers.${i}`, () => {
        const normed = rmsNorm(context, x, `${layer}.input_layernorm.weight`, epsilon);
        const bias = { bias: biases.queryKeyValue };
        const q = rotary(context, context.linear(normed, `${layer}.self_attn.q_proj`, bias), sequence, cos, sin);
        const k = rotary(context, context.linear(normed, `${layer}.self_attn.k_proj`, bias), sequence, cos, sin);
        const v = context.linear(normed, `${layer}.self_attn.v_proj`, bias);
        const mixed = attention(context, q, k, v, sequence, {
          layer: i,
          numAttentionHeads: heads,
          numKeyValueHeads: kvHeads,
          headDim,
          scale: 1 / Math.sqrt(headDim),
        });
        const afterAttention = g.add(x, context.linear(mixed, `${layer}.self_attn.o_proj`, { bias: biases.output }));
        const normed2 = rmsNorm(context, afterAttention, `${layer}.post_attention_layernorm.weight`, epsilon);
        const mlpBias = { bias: biases.mlp };
        const gate = activation(context, context.linear(normed2, `${layer}.mlp.gate_proj`, mlpBias), hiddenAct);
        const up = context.linear(normed2, `${layer}.mlp.up_proj`, mlpBias);
        return g.add(afterAttention, context.linear(g.mul(gate, up), `${layer}.mlp.down_proj`, mlpBias));
      });
    }
    return rmsNorm(context, x, "model.norm.weight", epsilon);
  }

  return {
    family,
    vocabSize,
    hiddenSize,
    numHiddenLayers: layers,
    numKeyValueHeads: kvHeads,
    headDim,
    maxPositionEmbeddings,
    tieWordEmbeddings,
    embedding: "model.embed_tokens.weight",
    parameters,
    canonicalName: (name) => {
      if (name.endsWith(".rotary_emb.inv_freq")) return undefined;
      // transformers ignores a stored head when it is tied to the embedding.
      if (tieWordEmbeddings && name === "lm_head.weight") return undefined;
      return !names.has(name) && names.has(`model.${name}`) ? `model.${name}` : name;
    },
    hiddenStates,
  };
}

export const llama: Family = {
  modelTypes: ["llama"],
  parse: (config) => {
    const attentionBias = config.flag("attention_bias", false);
    return parseLlamaLike(config, "llama", {
      queryKeyValue: attentionBias,
      output: attentionBias,
      mlp: config.flag("mlp_bias", false),
    });
  },
};

export const qwen2: Family = {
  modelTypes: ["qwen2"],
  parse: (config) => {
    config.only("use_sliding_window", [false], "Sliding-window attention is not implemented for this family");
    return parseLlamaLike(config, "qwen2", { queryKeyValue: true, output: false, mlp: false });
  },
};
