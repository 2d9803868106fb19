/** @file LoRA adapters in PEFT's format: which modules they adapt, how they scale, what is refused, and that they read back equal. */
import { describe, expect, test } from "vitest";
import { memorySink, memorySource, type FileSource } from "../../src/formats/fileSource.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import {
  formatLoraConfig,
  isTargeted,
  parseLoraConfig,
  rankOf,
  scalingOf,
  selectTargetModules,
  type LoraConfig,
} from "../../src/formats/loraConfig.ts";
import { loadAdapter, saveAdapter, type Adapter, type LoraFactors } from "../../src/formats/peft.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { adapterDirectory, goldenNames } from "../support/goldens.ts";

const MINIMAL = { peft_type: "LORA", task_type: "CAUSAL_LM", r: 4, lora_alpha: 8, target_modules: ["q_proj"] };
const parse = (overrides: Readonly<Record<string, unknown>>): LoraConfig =>
  parseLoraConfig(JSON.stringify({ ...MINIMAL, ...overrides }), "adapter_config.json").config;
const zeros = (...shape: readonly number[]): Tensor => ({
  type: "float32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});
const Q0 = "model.layers.0.self_attn.q_proj";
const Q1 = "model.layers.1.self_attn.q_proj";

describe("targets", () => {
  test("a name matches a whole last part, never a part of one", () => {
    const config = parse({ target_modules: ["q_proj", "layers.1.mlp.up_proj"] });
    expect(isTargeted(config, Q0)).toBe(true);
    expect(isTargeted(config, "model.layers.0.self_attn.my_q_proj")).toBe(false);
    expect(isTargeted(config, "model.layers.1.mlp.up_proj")).toBe(true);
    expect(isTargeted(config, "model.layers.0.mlp.up_proj")).toBe(false);
    expect(isTargeted(config, "q_proj")).toBe(true);
  });

  test("a text is a regex over the whole name", () => {
    const config = parse({ target_modules: ".*\\.(?P<which>q|v)_proj" });
    expect(isTargeted(config, Q0)).toBe(true);
    expect(isTargeted(config, `${Q0}.base_layer`)).toBe(false);
    expect(isTargeted(config, "q_proj")).toBe(false);
  });

  test("all-linear is every linear layer but the head", () => {
    expect(
      selectTargetModules(parse({ target_modules: "all-linear" }), [Q0, "model.layers.0.mlp.up_proj", "lm_head"]),
    ).toEqual([Q0, "model.layers.0.mlp.up_proj"]);
  });

  test("layers and exclusions narrow a list of names", () => {
    expect(selectTargetModules(parse({ layers_to_transform: [1] }), [Q0, Q1])).toEqual([Q1]);
    expect(selectTargetModules(parse({ layers_to_transform: 0, layers_pattern: "layers" }), [Q0, Q1])).toEqual([Q0]);
    expect(selectTargetModules(parse({ layers_to_transform: [0], layers_pattern: ["h"] }), [Q0, Q1])).toEqual([]);
    expect(selectTargetModules(parse({ exclude_modules: ["layers.0.self_attn.q_proj"] }), [Q0, Q1])).toEqual([Q1]);
    expect(selectTargetModules(parse({ exclude_modules: ".*\\.1\\..*" }), [Q0, Q1])).toEqual([Q0]);
  });
});

describe("scaling", () => {
  test("is alpha over r, or over its root with rsLoRA", () => {
    expect(scalingOf(parse({}), Q0)).toBe(2);
    expect(scalingOf(parse({ use_rslora: true }), Q0)).toBe(4);
  });

  test("patterns set rank and alpha of the modules they end in", () => {
    const config = parse({ rank_pattern: { "layers.1.self_attn.q_proj": 2 }, alpha_pattern: { "0.*q_proj": 3 } });
    expect([rankOf(config, Q0), rankOf(config, Q1)]).toEqual([4, 2]);
    expect([scalingOf(config, Q0), scalingOf(config, Q1)]).toEqual([3 / 4, 4]);
  });
});

describe("a config is refused", () => {
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ["peft_type", "IA3", /LORA/],
    ["peft_type", undefined, /LORA/],
    ["task_type", "SEQ_CLS", /CAUSAL_LM/],
    ["r", 0, /positive integer/],
    ["r", 2.5, /positive integer/],
    ["r", "8", /positive integer/],
    ["lora_alpha", "x", /number/],
    ["target_modules", null, /module names/],
    ["target_modules", [], /module names/],
    ["target_modules", [3], /list of names/],
    ["target_modules", "(", /regular expression/],
    ["use_dora", true, /DoRA/],
    ["bias", "all", /biases/],
    ["bias", "lora_only", /biases/],
    ["modules_to_save", ["lm_head"], /fully trained modules/],
    ["lora_bias", true, /biases/],
    ["init_lora_weights", "pissa", /path_initial_model_for_weight_conversion/],
    ["init_lora_weights", "olora", /base weights/],
    ["trainable_token_indices", [1], /token embeddings/],
    ["rank_pattern", { a: 0 }, /positive integer/],
    ["rank_pattern", { "(": 2 }, /regular expression/],
    ["layers_to_transform", ["x"], /layer indices/],
    ["fan_in_fan_out", "yes", /true or false/],
  ];
  for (const [key, value, message] of cases) {
    test(`${key} ${JSON.stringify(value)}`, () => {
      expect(() => parse({ [key]: value })).toThrow(message);
      expect(() => parse({ [key]: value })).toThrow(/^adapter_config\.json/);
    });
  }

  test("that is no object", () => {
    expect(() => parseLoraConfig("[]", "adapter_config.json")).toThrow(/JSON object/);
  });
});

test("dropout and unknown settings are allowed and reported", () => {
  const { config, warnings } = parseLoraConfig(
    JSON.stringify({ ...MINIMAL, lora_dropout: 0.1, some_new_thing: { a: 1 }, revision: "main", eva_config: null }),
    "a.json",
  );
  expect(config.loraDropout).toBe(0.1);
  expect(warnings).toEqual([
    expect.stringMatching(/lora_dropout 0\.1 is not applied/),
    expect.stringMatching(/some_new_thing/),
  ]);
});

test("a config reads back equal, with every setting", () => {
  const config: LoraConfig = {
    r: 3,
    loraAlpha: 5,
    targetModules: { regex: ".*q_proj" },
    excludeModules: ["x"],
    layersToTransform: [0, 2],
    layersPattern: ["layers"],
    rankPattern: { q: 2 },
    alphaPattern: { q: 1 },
    useRslora: true,
    fanInFanOut: true,
    loraDropout: 0,
    baseModel: "base",
  };
  expect(parseLoraConfig(formatLoraConfig(config), "x")).toEqual({ config, warnings: [] });
  const json = JSON.parse(formatLoraConfig(config)) as Record<string, unknown>;
  expect(json).toMatchObject({
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    inference_mode: true,
    bias: "none",
    base_model_name_or_path: "base",
    target_modules: ".*q_proj",
    use_dora: false,
    modules_to_save: null,
  });
});

test("adapters written by the reference load, and read back equal after saving", async () => {
  for (const name of goldenNames()) {
    const adapter = await loadAdapter(directorySource(adapterDirectory(name)));
    expect(adapter.warnings).toEqual([]);
    expect(adapter.modules.size, name).toBeGreaterThan(1);
    let files: ReadonlyMap<string, Uint8Array> = new Map();
    const sink = memorySink((written) => {
      files = written;
    });
    await saveAdapter(sink, adapter);
    await sink.commit();
    expect(await loadAdapter(memorySource(files))).toEqual(adapter);
  }
});

describe("an adapter is refused", () => {
  const weights = (tensors: Readonly<Record<string, Tensor>>): Uint8Array =>
    writeSafetensors(new Map(Object.entries(tensors)));
  const A = `base_model.model.${Q0}.lora_A.weight`;
  const B = `base_model.model.${Q0}.lora_B.weight`;
  const place = (bytes: Uint8Array | undefined, config: unknown = MINIMAL): FileSource =>
    memorySource(
      new Map<string, Uint8Array | string>([
        ["adapter_config.json", JSON.stringify(config)],
        ...(bytes ? [["adapter_model.safetensors", bytes] as const] : []),
      ]),
      "adapter",
    );
  const cases: readonly (readonly [string, FileSource, RegExp])[] = [
    ["without a config", memorySource(new Map(), "adapter"), /adapter: expected a file adapter_config\.json.*PEFT/],
    ["without weights", place(undefined), /adapter_model\.safetensors/],
    [
      "as a pickle",
      memorySource(
        new Map([
          ["adapter_config.json", JSON.stringify(MINIMAL)],
          ["adapter_model.bin", "x"],
        ]),
        "adapter",
      ),
      /adapter_model\.bin.*save_pretrained/,
    ],
    ["with no tensors", place(weights({})), /no tensors/],
    [
      "with a foreign key",
      place(weights({ [A]: zeros(4, 8), [B]: zeros(8, 4), "base_model.model.lm_head.weight": zeros(2, 2) })),
      /lm_head/,
    ],
    [
      "with an embedding's factors",
      place(weights({ "base_model.model.model.embed_tokens.lora_embedding_A": zeros(4, 8) })),
      /lora_embedding_A/,
    ],
    ["with half a pair", place(weights({ [A]: zeros(4, 8) })), /lora_A\.weight alone/],
    ["of another rank", place(weights({ [A]: zeros(2, 8), [B]: zeros(8, 2) })), /\[4, in\]/],
    ["whose factors do not meet", place(weights({ [A]: zeros(4, 8), [B]: zeros(8, 3) })), /\[out, 4\]/],
    ["of another shape", place(weights({ [A]: zeros(4, 8, 1), [B]: zeros(8, 4) })), /\[4, in\]/],
    [
      "of integers",
      place(weights({ [A]: { type: "int32", shape: [4, 8], data: new Int32Array(32) }, [B]: zeros(8, 4) })),
      /int32/,
    ],
    [
      "for a module it does not target",
      place(weights({ [A]: zeros(4, 8), [B]: zeros(8, 4) }), { ...MINIMAL, target_modules: ["v_proj"] }),
      /target_modules/,
    ],
  ];
  for (const [name, source, message] of cases) {
    test(name, async () => {
      await expect(loadAdapter(source)).rejects.toThrow(message);
      await expect(loadAdapter(source)).rejects.toMatchObject({ code: "bad-input" });
    });
  }
});

test("saved keys are PEFT's", async () => {
  const factors: LoraFactors = { loraA: zeros(2, 3), loraB: zeros(5, 2) };
  const adapter: Adapter = {
    config: { r: 2, loraAlpha: 4, targetModules: ["q_proj"] },
    modules: new Map([[Q0, factors]]),
  };
  let text = "";
  const sink = memorySink((files) => {
    text = new TextDecoder().decode(files.get("adapter_model.safetensors"));
  });
  await saveAdapter(sink, adapter);
  await sink.commit();
  expect(text).toContain(`"base_model.model.${Q0}.lora_A.weight":{"dtype":"F32","shape":[2,3]`);
  expect(text).toContain(`"base_model.model.${Q0}.lora_B.weight":{"dtype":"F32","shape":[5,2]`);
});
