/**
 * @file Fixture students written by hand in ONNX Runtime's fused operators, as its
 * optimizer and onnxruntime-genai write them: GroupQueryAttention with its own rotation
 * and cache, MultiHeadAttention, skip normalisations, activations with a bias.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadWeights } from "../../src/formats/checkpoint.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { CONTRIB_DOMAIN, GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Attributes, Tensor, Value } from "../../src/onnx/types.ts";
import { RawConfig } from "../../src/nn/rawConfig.ts";
import { parseRope, ropeTables } from "../../src/nn/rope.ts";
import { studentDirectory } from "./goldens.ts";

class Writer {
  readonly g: GraphBuilder;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly ids: Value;
  readonly mask: Value;

  constructor(name: string, weights: ReadonlyMap<string, Tensor>) {
    this.g = new GraphBuilder(name, { loose: true });
    this.weights = weights;
    this.ids = this.g.input("input_ids", "int64", ["batch_size", "sequence_length"]);
    this.mask = this.g.input("attention_mask", "int64", ["batch_size", "total_sequence_length"]);
  }

  contrib(
    opType: string,
    name: string,
    inputs: (Value | undefined)[],
    outputs: number,
    attributes: Attributes = {},
  ): Value[] {
    return this.g.node(opType, inputs, { domain: CONTRIB_DOMAIN, name, outputCount: outputs, attributes });
  }

  /** The fixture's weight `source`, stored as `name`. */
  weight(source: string, name = source, transposed = false): Value {
    const known = this.g.find(name);
    if (known !== undefined) return known;
    const tensor = this.weights.get(source)!;
    const [rows = 0, columns = 0] = tensor.shape;
    const stored: Tensor = transposed
      ? {
          type: "float32",
          shape: [columns, rows],
          data: Float32Array.from(tensor.data as Float32Array, (_, i) =>
            Number(tensor.data[(i % rows) * columns + Math.floor(i / rows)]),
          ),
        }
      : tensor;
    return this.g.initializer(stored, name);
  }

  matMul(x: Value, name: string, weight: Value): Value {
    return this.g.node("MatMul", [x, weight], { name })[0]!;
  }
}

/** The fixture `llama3-scaling-sharded` as onnxruntime-genai writes a Llama. */
export async function genaiLlama(): Promise<Uint8Array> {
  const directory = studentDirectory("llama3-scaling-sharded");
  const w = new Writer("genai", await loadWeights(directorySource(directory)));
  const { g } = w;
  const [heads, kvHeads, headDim, positions] = [4, 2, 16, 96];
  const config: unknown = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  const rope = ropeTables(parseRope(new RawConfig(config)), headDim, positions);
  const cos = g.initializer({ type: "float32", shape: [positions, headDim / 2], data: rope.cos }, "cos_cache");
  const sin = g.initializer({ type: "float32", shape: [positions, headDim / 2], data: rope.sin }, "sin_cache");
  const lengths = g.cast(g.sub(g.reduceSum(w.mask, [1], false), g.ints([1])), "int32");
  const total = g.cast(g.gather(g.node("Shape", [w.mask])[0]!, g.constant("int64", [], BigInt64Array.of(1n))), "int32");
  const linear = (x: Value, layer: number, module: string, source: string): Value =>
    w.matMul(
      x,
      `/model/layers.${layer}/${module.replaceAll(".", "/")}/MatMul`,
      w.weight(`model.layers.${layer}.${source}.weight`, `model.layers.${layer}.${module}.MatMul.weight`, true),
    );
  const epsilon = { epsilon: attr.float(1e-5) };
  let sum = g.node("Gather", [w.weight("model.embed_tokens.weight"), w.ids], {
    name: "/model/embed_tokens/Gather",
  })[0]!;
  let normed = g.rmsNorm(sum, w.weight("model.layers.0.input_layernorm.weight"), 1e-5);
  const present: Value[] = [];
  for (let i = 0; i < 2; i++) {
    const [q, k, v] = ["q", "k", "v"].map((part) => linear(normed, i, `attn.${part}_proj`, `self_attn.${part}_proj`));
    const past = ["key", "value"].map((part) =>
      g.input(`past_key_values.${i}.${part}`, "float32", ["batch_size", kvHeads, "past_sequence_length", headDim]),
    );
    const [mixed, key, value] = w.contrib(
      "GroupQueryAttention",
      `/model/layers.${i}/attn/GroupQueryAttention`,
      [q, k, v, ...past, lengths, total, cos, sin],
      3,
      {
        num_heads: attr.int(heads),
        kv_num_heads: attr.int(kvHeads),
        do_rotary: attr.int(1),
        rotary_interleaved: attr.int(0),
        scale: attr.float(1 / Math.sqrt(headDim)),
      },
    );
    present.push(key!, value!);
    const skip = (x: Value, name: string, weight: string): [Value, Value] => {
      const out = w.contrib("SkipSimplifiedLayerNormalization", name, [sum, x, w.weight(weight)], 4, epsilon);
      return [out[0]!, out[3]!];
    };
    const layer = `model.layers.${i}`;
    [normed, sum] = skip(
      linear(mixed!, i, "attn.o_proj", "self_attn.o_proj"),
      `/${layer}/post/Skip`,
      `${layer}.post_attention_layernorm.weight`,
    );
    const gate = linear(normed, i, "mlp.gate_proj", "mlp.gate_proj");
    const up = linear(normed, i, "mlp.up_proj", "mlp.up_proj");
    const down = linear(g.mul(g.mul(gate, g.sigmoid(gate)), up), i, "mlp.down_proj", "mlp.down_proj");
    const next = i === 1 ? "model.norm.weight" : "model.layers.1.input_layernorm.weight";
    [normed, sum] = skip(down, `/${layer}/next/Skip`, next);
  }
  g.output(
    w.matMul(normed, "/lm_head/MatMul", w.weight("model.embed_tokens.weight", "lm_head.MatMul.weight", true)),
    "logits",
  );
  present.forEach((value, i) => g.output(value, `present.${Math.floor(i / 2)}.${i % 2 === 0 ? "key" : "value"}`));
  return encodeModel(g.build());
}

/** `gpt2-prefixed` as ONNX Runtime's optimizer fuses it, without a cache. */
export async function fusedGpt2(): Promise<Uint8Array> {
  const w = new Writer("fused", await loadWeights(directorySource(studentDirectory("gpt2-prefixed"))));
  const { g } = w;
  const positions = g.input("position_ids", "int64", ["batch_size", "sequence_length"]);
  const width = w.weights.get("transformer.wte.weight")!.shape[1]!;
  const epsilon = { epsilon: attr.float(1e-4) };
  const linear = (x: Value, module: string): Value =>
    w.matMul(x, `/${module.replaceAll(".", "/")}/MatMul`, w.weight(`${module}.weight`));
  let sum = g.add(
    g.gather(w.weight("transformer.wte.weight"), w.ids),
    g.gather(w.weight("transformer.wpe.weight"), positions),
  );
  const layerNorm = (x: Value, module: string): Value =>
    g.layerNorm(x, w.weight(`${module}.weight`), w.weight(`${module}.bias`), 1e-4);
  let normed = layerNorm(sum, "transformer.h.0.ln_1");
  const skip = (x: Value, bias: string, norm: string): void => {
    const out = w.contrib(
      "SkipLayerNormalization",
      `/${norm}/Skip`,
      [sum, x, w.weight(`${norm}.weight`), w.weight(`${norm}.bias`), w.weight(bias)],
      4,
      epsilon,
    );
    [normed, sum] = [out[0]!, out[3]!];
  };
  const layers = [...w.weights.keys()].filter((name) => name.endsWith("ln_1.weight")).length;
  const heads = 2;
  for (let i = 0; i < layers; i++) {
    const block = `transformer.h.${i}`;
    const [q, k, v] = g.split(linear(normed, `${block}.attn.c_attn`), [width, width, width], 2);
    const padding = g.cast(w.mask, "int32");
    const [mixed] = w.contrib(
      "MultiHeadAttention",
      `/${block}/attn/MultiHeadAttention`,
      [q, k, v, w.weight(`${block}.attn.c_attn.bias`), padding],
      1,
      { num_heads: attr.int(heads), unidirectional: attr.int(1), mask_filter_value: attr.float(-1e9) },
    );
    skip(linear(mixed!, `${block}.attn.c_proj`), `${block}.attn.c_proj.bias`, `${block}.ln_2`);
    const up = linear(normed, `${block}.mlp.c_fc`);
    const [active] = w.contrib("FastGelu", `/${block}/mlp/FastGelu`, [up, w.weight(`${block}.mlp.c_fc.bias`)], 1);
    const next = i === layers - 1 ? "transformer.ln_f" : `transformer.h.${i + 1}.ln_1`;
    skip(linear(active!, `${block}.mlp.c_proj`), `${block}.mlp.c_proj.bias`, next);
  }
  g.output(g.matmul(normed, g.transpose(w.weight("transformer.wte.weight"), [1, 0])), "logits");
  return encodeModel(g.build());
}
