/**
 * @file GPT-2 (Radford et al. 2019; config of transformers' GPT2LMHeadModel):
 * learned positions, pre-LayerNorm with biases, fused query-key-value, Conv1D
 * weights stored [in, out], tanh-approximated GELU. DistilGPT-2 is the same family.
 */
import { badInput } from "../../core/errors.ts";
import type { Value } from "../../onnx/types.ts";
import type { ModelContext } from "../context.ts";
import type { Decoder, Family, ParameterSpec } from "../family.ts";
import { ACTIVATIONS, activation, attention, rowCount, type Sequence } from "../modules.ts";
import { MAX_LAYERS, type RawConfig } from "../rawConfig.ts";

function parseGpt2(config: RawConfig): Decoder {
  const hiddenSize = config.size("n_embd", config.has("hidden_size") ? config.size("hidden_size") : 768);
  const heads = config.size("n_head", config.has("num_attention_heads") ? config.size("num_attention_heads") : 12);
  const layers = config.size(
    "n_layer",
    config.has("num_hidden_layers") ? config.size("num_hidden_layers") : 12,
    MAX_LAYERS,
  );
  const positions = config.size("n_positions", config.has("n_ctx") ? config.size("n_ctx") : 1024);
  const vocabSize = config.size("vocab_size", 50257);
  const intermediateSize = config.size("n_inner", 4 * hiddenSize);
  const epsilon = config.number("layer_norm_epsilon", 1e-5);
  const hiddenAct = config.choice("activation_function", ACTIVATIONS, "gelu_new");
  const tieWordEmbeddings = config.flag("tie_word_embeddings", true);
  const scaleWeights = config.flag("scale_attn_weights", true);
  const scaleByLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
  config.only("add_cross_attention", [false], "Only decoder-only GPT-2 is supported");
  if (hiddenSize % heads !== 0) badInput("config.json 'n_head'", `a divisor of n_embd (${hiddenSize})`, String(heads));
  const headDim = hiddenSize / heads;

  const vector = (name: string, size: number): ParameterSpec => ({ name, shape: [size], decay: false });
  const norm = (module: string): ParameterSpec[] => [
    vector(`${module}.weight`, hiddenSize),
    vector(`${module}.bias`, hiddenSize),
  ];
  const conv1d = (module: string, inSize: number, outSize: number): ParameterSpec[] => [
    { name: `${module}.weight`, shape: [inSize, outSize], decay: true, linear: { module, layout: "in-out" } },
    vector(`${module}.bias`, outSize),
  ];
  const parameters: ParameterSpec[] = [
    { name: "transformer.wte.weight", shape: [vocabSize, hiddenSize], decay: true },
    { name: "transformer.wpe.weight", shape: [positions, hiddenSize], decay: true },
  ];
  for (let i = 0; i < layers; i++) {
    const block = `transformer.h.${i}`;
    parameters.push(
      ...norm(`${block}.ln_1`),
      ...conv1d(`${block}.attn.c_attn`, hiddenSize, 3 * hiddenSize),
      ...conv1d(`${block}.attn.c_proj`, hiddenSize, hiddenSize),
      ...norm(`${block}.ln_2`),
      ...conv1d(`${block}.mlp.c_fc`, hiddenSize, intermediateSize),
      ...conv1d(`${block}.mlp.c_proj`, intermediateSize, hiddenSize),
    );
  }
  parameters.push(...norm("transformer.ln_f"));
  if (!tieWordEmbeddings) {
    parameters.push({
      name: "lm_head.weight",
      shape: [vocabSize, hiddenSize],
      decay: true,
      linear: { module: "lm_head", layout: "out-in" },
    });
  }
  const names = new Set(parameters.map((spec) => spec.name));

  function hiddenStates(context: ModelContext, ids: Value, sequence: Sequence): Value {
    const g = context.builder;
    const layerNorm = (x: Value, module: string): Value =>
      g.layerNorm(x, context.parameter(`${module}.weight`), context.parameter(`${module}.bias`), epsilon);
    const rows = rowCount(sequence);
    const token = g.gather(context.parameter("transformer.wte.weight"), ids);
    const position = g.gather(context.parameter("transformer.wpe.weight"), sequence.positions("int32"));
    let x = g.reshape(g.add(token, position), [rows, hiddenSize]);
    // A bias on the keys adds the same number to all scores of a query, which softmax ignores. Left out, its
    // gradient is exactly 0; kept, it would be rounding noise, which Adam scales up to whole steps.
    const keyBiasMask = g.constant(
      "float32",
      [3 * hiddenSize],
      Float32Array.from({ length: 3 * hiddenSize }, (_, i) => (Math.floor(i / hiddenSize) === 1 ? 0 : 1)),
      "keyBiasMask",
    );
    for (let i = 0; i < layers; i++) {
      const block = `transformer.h.${i}`;
      x = g.scope(`h.${i}`, () => {
        const qkvBias = g.mul(context.parameter(`${block}.attn.c_attn.bias`), keyBiasMask);
        const qkv = context.linear(layerNorm(x, `${block}.ln_1`), `${block}.attn.c_attn`, { bias: qkvBias });
        const [q, k, v] = g.split(qkv, [hiddenSize, hiddenSize, hiddenSize], 1) as [Value, Value, Value];
        const mixed = attention(context, q, k, v, sequence, {
          layer: i,
          numAttentionHeads: heads,
          numKeyValueHeads: heads,
          headDim,
          scale: (scaleWeights ? 1 / Math.sqrt(headDim) : 1) / (scaleByLayer ? i + 1 : 1),
        });
        const afterAttention = g.add(x, context.linear(mixed, `${block}.attn.c_proj`, { bias: true }));
        const up = context.linear(layerNorm(afterAttention, `${block}.ln_2`), `${block}.mlp.c_fc`, { bias: true });
        return g.add(
          afterAttention,
          context.linear(activation(context, up, hiddenAct), `${block}.mlp.c_proj`, { bias: true }),
        );
      });
    }
    return layerNorm(x, "transformer.ln_f");
  }

  return {
    family: "gpt2",
    vocabSize,
    hiddenSize,
    numHiddenLayers: layers,
    numKeyValueHeads: heads,
    headDim,
    maxPositionEmbeddings: positions,
    tieWordEmbeddings,
    embedding: "transformer.wte.weight",
    parameters,
    canonicalName: (name) => {
      // Causal-mask buffers of older checkpoints.
      if (/\.attn\.(bias|masked_bias)$/.test(name)) return undefined;
      if (tieWordEmbeddings && name === "lm_head.weight") return undefined;
      return !names.has(name) && names.has(`transformer.${name}`) ? `transformer.${name}` : name;
    },
    hiddenStates,
  };
}

export const gpt2: Family = { modelTypes: ["gpt2"], parse: parseGpt2 };
