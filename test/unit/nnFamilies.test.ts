/** @file Configs of every family: what is read, what defaults are, what is refused and how. */
import { describe, expect, test } from "vitest";
import { parseDecoder, SUPPORTED_MODEL_TYPES } from "../../src/nn/families.ts";
import { parseRope, inverseFrequencies, rotaryDimOf, ropeTables } from "../../src/nn/rope.ts";
import { RawConfig } from "../../src/nn/rawConfig.ts";
import { TINY_CONFIGS } from "../support/tinyModels.ts";

const LLAMA = TINY_CONFIGS.llamaTied;
const GPT2 = TINY_CONFIGS.gpt2;
const parse = (json: unknown) => parseDecoder(json, "dir/config.json");

describe("what cannot be read is refused, naming file and key", () => {
  test.each<[string, unknown, RegExp]>([
    ["no object", [], /dir\/config.json: expected a JSON object, got \[\]/],
    ["null", null, /expected a JSON object, got null/],
    ["no model type", {}, /dir\/config.json 'model_type': expected a string, got nothing/],
    [
      "an unknown architecture",
      { model_type: "mamba" },
      /'model_type': expected one of llama, mistral, qwen2, qwen3, .*, got "mamba"\. This architecture is not supported/,
    ],
    [
      "a quantised checkpoint",
      { ...LLAMA, quantization_config: { bits: 4 } },
      /'quantization_config'.*Quantised checkpoints/,
    ],
    ["a missing size", { ...LLAMA, hidden_size: undefined }, /'hidden_size': expected a positive integer, got nothing/],
    ["a size of zero", { ...LLAMA, hidden_size: 0 }, /'hidden_size': expected a positive integer, got 0/],
    ["a negative size", { ...LLAMA, vocab_size: -1 }, /'vocab_size': expected a positive integer, got -1/],
    [
      "a fraction",
      { ...LLAMA, num_attention_heads: 1.5 },
      /'num_attention_heads': expected a positive integer, got 1.5/,
    ],
    [
      "text in place of a number",
      { ...LLAMA, hidden_size: "64" },
      /'hidden_size': expected a positive integer, got "64"/,
    ],
    ["a size beyond int32", { ...LLAMA, vocab_size: 2 ** 40 }, /'vocab_size': expected at most 2147483647/],
    ["a million layers", { ...LLAMA, num_hidden_layers: 1e6 }, /'num_hidden_layers': expected at most 1024/],
    ["a million layers of GPT-2", { ...GPT2, n_layer: 1e6 }, /'n_layer': expected at most 1024/],
    [
      "heads that do not share keys evenly",
      { ...LLAMA, num_attention_heads: 3, num_key_value_heads: 2 },
      /'num_key_value_heads': expected a divisor of num_attention_heads \(3\), got 2/,
    ],
    ["an odd head size", { ...LLAMA, head_dim: 3 }, /'head_dim': expected an even number, got 3/],
    [
      "heads that do not divide GPT-2's width",
      { ...GPT2, n_head: 3 },
      /'n_head': expected a divisor of n_embd \(4\), got 3/,
    ],
    [
      "an epsilon that is no number",
      { ...LLAMA, rms_norm_eps: "small" },
      /'rms_norm_eps': expected a number, got "small"/,
    ],
    [
      "a flag that is no flag",
      { ...LLAMA, tie_word_embeddings: "yes" },
      /'tie_word_embeddings': expected true or false, got "yes"/,
    ],
    [
      "sliding layers without a window",
      { ...LLAMA, model_type: "qwen2", layer_types: ["sliding_attention"] },
      /'sliding_window': expected a positive integer, because layers are sliding_attention, got none/,
    ],
    [
      "a window of nothing",
      { ...LLAMA, model_type: "mistral", sliding_window: 0 },
      /'sliding_window': expected a positive integer, got 0/,
    ],
    [
      "a type of layer that is not implemented",
      { ...LLAMA, model_type: "qwen3", layer_types: ["linear_attention"] },
      /'layer_types'\[0\]: expected one of full_attention, sliding_attention, got "linear_attention"/,
    ],
    [
      "types of another number of layers",
      { ...LLAMA, model_type: "qwen3", layer_types: ["full_attention", "full_attention"] },
      /'layer_types': expected a list of 1 words, got/,
    ],
    [
      "a Mistral with layers of two types",
      {
        ...LLAMA,
        model_type: "mistral",
        num_hidden_layers: 2,
        layer_types: ["sliding_attention", "full_attention"],
      },
      /'layer_types': expected layers of one type, got/,
    ],
    ["cross attention", { ...GPT2, add_cross_attention: true }, /'add_cross_attention'/],
    [
      "an unknown rotary scaling",
      { ...LLAMA, rope_scaling: { rope_type: "longrope", factor: 2 } },
      /rope_type': expected default, linear, dynamic, llama3 or yarn, got "longrope"/,
    ],
    [
      "an unknown rotary scaling in the oldest spelling",
      { ...LLAMA, rope_scaling: { type: "su", factor: 2 } },
      /'rope_scaling' 'type': expected default, linear, dynamic, llama3 or yarn, got "su"/,
    ],
    [
      "rotary settings by layer type in a family whose layers share them",
      { ...LLAMA, rope_parameters: { full_attention: { rope_theta: 1000 } } },
      /'rope_parameters' 'full_attention': expected one set of rotary settings for all layers/,
    ],
    [
      "a rotary scaling without its factor",
      { ...LLAMA, rope_scaling: { type: "linear" } },
      /'rope_scaling' 'factor': expected a number, got nothing/,
    ],
    ["a rotary base of zero", { ...LLAMA, rope_theta: 0 }, /'rope_theta': expected a number above 0, got 0/],
    ["an unknown activation", { ...LLAMA, hidden_act: "mish" }, /'hidden_act': expected .*silu.*, got "mish"/],
    [
      "an unknown activation of GPT-2",
      { ...GPT2, activation_function: "mish" },
      /'activation_function': expected .*gelu_new.*, got "mish"/,
    ],
  ])("%s", (_name, json, message) => {
    expect(() => parse(json)).toThrow(message);
    expect(() => parse(json)).toThrow(expect.objectContaining({ code: "bad-input" }) as Error);
  });
});

test("the supported architectures are listed", () => {
  expect(SUPPORTED_MODEL_TYPES).toEqual([
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3_text",
    "phi",
    "gpt2",
    "gpt_neox",
  ]);
});

describe("defaults are transformers' own", () => {
  test("of Llama", () => {
    const decoder = parse({
      model_type: "llama",
      hidden_size: 64,
      intermediate_size: 8,
      num_attention_heads: 4,
      num_hidden_layers: 1,
      vocab_size: 9,
    });
    expect(decoder).toMatchObject({
      numKeyValueHeads: 4,
      headDim: 16,
      maxPositionEmbeddings: 2048,
      tieWordEmbeddings: false,
    });
    expect(decoder.parameters.filter((spec) => spec.name.endsWith(".bias"))).toEqual([]);
  });

  test("of GPT-2", () => {
    const decoder = parse({ model_type: "gpt2" });
    expect(decoder).toMatchObject({
      vocabSize: 50257,
      hiddenSize: 768,
      numHiddenLayers: 12,
      headDim: 64,
      maxPositionEmbeddings: 1024,
      tieWordEmbeddings: true,
    });
    // The 124M model: 124,439,808 parameters.
    expect(decoder.parameters.reduce((sum, spec) => sum + spec.shape.reduce((a, b) => a * b, 1), 0)).toBe(124_439_808);
  });

  test("null is absent", () => {
    expect(parse({ ...LLAMA, rope_scaling: null, head_dim: null, num_key_value_heads: null })).toMatchObject({
      headDim: 2,
      numKeyValueHeads: 2,
    });
    expect(
      parse({ ...GPT2, n_inner: null }).parameters.find((spec) => spec.name.endsWith("c_fc.weight"))?.shape,
    ).toEqual([4, 16]);
  });
});

test("biases and norms do not decay, everything else does", () => {
  for (const config of Object.values(TINY_CONFIGS)) {
    for (const { name, decay } of parse(config).parameters) expect(decay, name).toBe(!/\.bias$|norm|ln_/.test(name));
  }
});

describe("rotary frequencies", () => {
  const rope = (json: Record<string, unknown>) => inverseFrequencies(parseRope(new RawConfig(json)), 8);

  test("default: theta^(-2i/d)", () => {
    expect([...rope({ rope_theta: 10_000 })]).toEqual([1, 10_000 ** -0.25, 10_000 ** -0.5, 10_000 ** -0.75]);
  });

  test("linear: all divided by the factor; the newer spelling reads the same", () => {
    const scaled = [...rope({ rope_theta: 100, rope_scaling: { type: "linear", factor: 4 } })];
    scaled.forEach((value, i) => expect(value).toBeCloseTo(100 ** (-i / 4) / 4, 15));
    expect([...rope({ rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 100 } })]).toEqual(scaled);
  });

  test("llama3: high frequencies stay, low ones are divided, those between are mixed", () => {
    const scaling = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 32,
    };
    const [first, second, third, fourth] = rope({ rope_theta: 500, rope_scaling: scaling });
    // Wavelengths 6.3, 29.7, 140.5, 664: below 32/4 kept, above 32/1 divided, between mixed.
    const plain = (i: number): number => 500 ** (-i / 4);
    expect(first).toBeCloseTo(plain(0), 15);
    const smooth = (32 / ((2 * Math.PI) / plain(1)) - 1) / 3;
    expect(smooth).toBeGreaterThan(0);
    expect(second).toBeCloseTo((1 - smooth) * (plain(1) / 8) + smooth * plain(1), 15);
    expect(third).toBeCloseTo(plain(2) / 8, 15);
    expect(fourth).toBeCloseTo(plain(3) / 8, 15);
  });

  test("yarn: frequencies that turn often stay, those that turn little are divided, those between are mixed", () => {
    const scaling = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 64, beta_fast: 4, beta_slow: 1 };
    const parsed = parseRope(new RawConfig({ rope_theta: 100, rope_scaling: scaling }));
    const frequencies = inverseFrequencies(parsed, 8);
    const plain = (i: number): number => 100 ** (-i / 4);
    // 64·f_i/2π turns: 10.2, 3.2, 1.02, 0.3; 4 turns are at index 0.81, 1 turn at 2.01, rounded outwards to 0 and 3.
    expect(frequencies[0]).toBeCloseTo(plain(0), 15);
    expect(frequencies[1]).toBeCloseTo((plain(1) / 4) * (1 / 3) + plain(1) * (2 / 3), 15);
    expect(frequencies[2]).toBeCloseTo((plain(2) / 4) * (2 / 3) + plain(2) * (1 / 3), 15);
    expect(frequencies[3]).toBeCloseTo(plain(3) / 4, 15);
    // Cosines and sines are longer by 0.1·ln(factor) + 1.
    expect(ropeTables(parsed, 8, 1).cos[0]).toBeCloseTo(0.1 * Math.log(4) + 1, 6);
  });

  test("an odd number of rotated elements stands for one more", () => {
    const rope = parseRope(new RawConfig({ rope_theta: 100, partial_rotary_factor: 0.25 }));
    expect(rotaryDimOf(rope, 12)).toBe(3);
    expect([...inverseFrequencies(rope, 3)]).toEqual([1, 100 ** (-2 / 3)]);
  });

  test("tables hold cosine and sine of position times frequency", () => {
    const { cos, sin } = ropeTables({ theta: 100, scaling: { type: "default" } }, 4, 3);
    expect([...cos]).toEqual([1, 1, Math.cos(1), Math.cos(0.1), Math.cos(2), Math.cos(0.2)].map(Math.fround));
    expect([...sin]).toEqual([0, 0, Math.sin(1), Math.sin(0.1), Math.sin(2), Math.sin(0.2)].map(Math.fround));
  });
});
