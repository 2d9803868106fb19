/**
 * @file PEFT's `adapter_config.json` for LoRA: parsed with every field that changes
 * what is computed, refused where we cannot compute it, and written so that PEFT
 * loads it. Not the weights (`peft.ts`) and not their initialisation.
 * Source: `LoraConfig` and `check_target_module_exists` of huggingface/peft.
 */
import { badInput, messageOf } from "../core/errors.ts";
import { describeValue, isJsonObject, parseJsonObject, type JsonObject } from "./json.ts";

/** Which modules get an adapter: names (whole or after a dot), a regex that matches the whole module name, or every linear layer but the head. */
export type TargetModules = "all-linear" | readonly string[] | { readonly regex: string };

export interface LoraConfig {
  readonly r: number;
  readonly loraAlpha: number;
  readonly targetModules: TargetModules;
  readonly excludeModules?: readonly string[] | { readonly regex: string };
  /** Only these layers, by index; all of them when absent. */
  readonly layersToTransform?: readonly number[];
  /** Names of the list of layers that the index follows; any when absent. */
  readonly layersPattern?: readonly string[];
  /** Rank and alpha of modules whose name ends in a key (a regex); the first match counts. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
  /** Scale by `alpha / √r` instead of `alpha / r`. */
  readonly useRslora?: boolean;
  /** The base layer stores [in, out] (Conv1D); no effect on the adapter's own shapes. */
  readonly fanInFanOut?: boolean;
  /** Dropout the adapter was trained with; never applied here. */
  readonly loraDropout?: number;
  readonly baseModel?: string;
}

export interface ParsedLoraConfig {
  readonly config: LoraConfig;
  /** Settings that were read but have no effect here, for people. */
  readonly warnings: readonly string[];
}

/** Settings whose default is the only value we can compute; a value in the list is the same as leaving it out. */
const ONLY_DEFAULT: Readonly<Record<string, string>> = {
  use_dora: "DoRA adapters",
  lora_bias: "biases in the adapter",
  modules_to_save: "fully trained modules beside the adapter",
  trainable_token_indices: "trained token embeddings",
  target_parameters: "adapters on bare parameters",
  layer_replication: "replicated layers",
  megatron_config: "Megatron layers",
  use_qalora: "QALoRA",
  use_bdlora: "BD-LoRA",
  alora_invocation_tokens: "aLoRA",
  arrow_config: "Arrow routing",
  kasa_config: "KaSA",
  velora_config: "VeLoRA",
  monteclora_config: "MonteCLoRA",
  corda_config: "CorDA",
  lora_ga_config: "LoRA-GA",
};

/** Initialisations that leave the base weights alone; the others (PiSSA, OLoRA, LoftQ, ...) change them, so the adapter alone says too little. */
const HARMLESS_INITS: readonly unknown[] = [undefined, null, true, false, "gaussian", "eva", "orthogonal"];

const READ_KEYS = new Set([
  "peft_type",
  "task_type",
  "r",
  "lora_alpha",
  "target_modules",
  "exclude_modules",
  "layers_to_transform",
  "layers_pattern",
  "rank_pattern",
  "alpha_pattern",
  "use_rslora",
  "fan_in_fan_out",
  "lora_dropout",
  "bias",
  "init_lora_weights",
  "base_model_name_or_path",
  ...Object.keys(ONLY_DEFAULT),
]);

/** Keys that change nothing in how a saved adapter computes. */
const INERT_KEYS = new Set([
  "inference_mode",
  "revision",
  "auto_mapping",
  "peft_version",
  "runtime_config",
  "loftq_config",
  "eva_config",
  "megatron_core",
  "qalora_group_size",
  "ensure_weight_tying",
  "target_modules_wrap_names",
  "tie_word_embeddings",
]);

/** Reads `adapter_config.json`. @throws BadInputError for missing, malformed or unsupported settings. */
export function parseLoraConfig(text: string, where: string): ParsedLoraConfig {
  const json = parseJsonObject(text, where);
  const type = json["peft_type"];
  if (type !== "LORA") badInput(`${where}: peft_type`, "LORA", describeValue(type), "Only LoRA adapters are supported");
  const task = json["task_type"] ?? "CAUSAL_LM";
  if (task !== "CAUSAL_LM") badInput(`${where}: task_type`, "CAUSAL_LM", describeValue(task));
  for (const [key, what] of Object.entries(ONLY_DEFAULT)) {
    if (!isUnset(json[key]))
      badInput(`${where}: ${key}`, "no value", describeValue(json[key]), `Not supported: ${what}`);
  }
  const bias = json["bias"] ?? "none";
  if (bias !== "none")
    badInput(
      `${where}: bias`,
      '"none"',
      describeValue(bias),
      "Adapters that train the base layers' biases are not supported",
    );
  if (!HARMLESS_INITS.includes(json["init_lora_weights"])) {
    badInput(
      `${where}: init_lora_weights`,
      "an initialisation that leaves the base weights unchanged",
      describeValue(json["init_lora_weights"]),
      "Convert the adapter with PEFT's path_initial_model_for_weight_conversion",
    );
  }
  const config: LoraConfig = {
    r: readPositiveInteger(json["r"] ?? 8, `${where}: r`),
    loraAlpha: readNumber(json["lora_alpha"] ?? 8, `${where}: lora_alpha`),
    targetModules: readTargets(json["target_modules"], `${where}: target_modules`),
    ...(isUnset(json["exclude_modules"])
      ? {}
      : { excludeModules: readModules(json["exclude_modules"], `${where}: exclude_modules`) }),
    ...(isUnset(json["layers_to_transform"])
      ? {}
      : { layersToTransform: readLayers(json["layers_to_transform"], `${where}: layers_to_transform`) }),
    ...(isUnset(json["layers_pattern"])
      ? {}
      : { layersPattern: readNames(json["layers_pattern"], `${where}: layers_pattern`) }),
    ...(isUnset(json["rank_pattern"])
      ? {}
      : { rankPattern: readPattern(json["rank_pattern"], `${where}: rank_pattern`, readPositiveInteger) }),
    ...(isUnset(json["alpha_pattern"])
      ? {}
      : { alphaPattern: readPattern(json["alpha_pattern"], `${where}: alpha_pattern`, readNumber) }),
    useRslora: readBoolean(json["use_rslora"] ?? false, `${where}: use_rslora`),
    fanInFanOut: readBoolean(json["fan_in_fan_out"] ?? false, `${where}: fan_in_fan_out`),
    loraDropout: readNumber(json["lora_dropout"] ?? 0, `${where}: lora_dropout`),
    ...(typeof json["base_model_name_or_path"] === "string" ? { baseModel: json["base_model_name_or_path"] } : {}),
  };
  checkRegexes(config, where);
  return { config, warnings: collectWarnings(json, config, where) };
}

function collectWarnings(json: JsonObject, config: LoraConfig, where: string): string[] {
  const warnings: string[] = [];
  if ((config.loraDropout ?? 0) > 0)
    warnings.push(`${where}: lora_dropout ${config.loraDropout} is not applied: training goes on without dropout`);
  for (const [key, value] of Object.entries(json)) {
    if (!READ_KEYS.has(key) && !INERT_KEYS.has(key) && !isUnset(value))
      warnings.push(`${where}: ${key} is not known here and was ignored`);
  }
  return warnings;
}

function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return Array.isArray(value) ? value.length === 0 : isJsonObject(value) && Object.keys(value).length === 0;
}

function readNumber(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
    badInput(where, "a number of at least 0", describeValue(value));
  return value;
}

function readPositiveInteger(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1)
    badInput(where, "a positive integer", describeValue(value));
  return value;
}

function readBoolean(value: unknown, where: string): boolean {
  if (typeof value !== "boolean") badInput(where, "true or false", describeValue(value));
  return value;
}

function readNames(value: unknown, where: string): readonly string[] {
  const list: unknown = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list) || list.length === 0 || !list.every((item) => typeof item === "string"))
    badInput(where, "a list of names", describeValue(value));
  return list;
}

function readModules(value: unknown, where: string): readonly string[] | { readonly regex: string } {
  return typeof value === "string" ? { regex: value } : readNames(value, where);
}

function readTargets(value: unknown, where: string): TargetModules {
  if (isUnset(value)) badInput(where, 'a list of module names, a regex or "all-linear"', describeValue(value));
  if (typeof value === "string" && value.toLowerCase() === "all-linear") return "all-linear";
  return readModules(value, where);
}

function readLayers(value: unknown, where: string): readonly number[] {
  const list: unknown = typeof value === "number" ? [value] : value;
  if (!Array.isArray(list) || !list.every((item) => Number.isSafeInteger(item) && (item as number) >= 0))
    badInput(where, "layer indices", describeValue(value));
  return list as readonly number[];
}

function readPattern(
  value: unknown,
  where: string,
  read: (value: unknown, where: string) => number,
): Readonly<Record<string, number>> {
  if (!isJsonObject(value)) badInput(where, "an object of module name patterns to numbers", describeValue(value));
  return Object.fromEntries(Object.entries(value).map(([key, number]) => [key, read(number, `${where}: ${key}`)]));
}

function checkRegexes(config: LoraConfig, where: string): void {
  const { targetModules, excludeModules } = config;
  if (typeof targetModules === "object" && "regex" in targetModules)
    compile(targetModules.regex, `${where}: target_modules`);
  if (excludeModules !== undefined && "regex" in excludeModules)
    compile(excludeModules.regex, `${where}: exclude_modules`);
  for (const key of Object.keys({ ...config.rankPattern, ...config.alphaPattern }))
    compile(`(?:.*\\.)?(?:${key})`, `${where}: rank_pattern or alpha_pattern`);
  for (const pattern of config.layersPattern ?? []) compile(pattern, `${where}: layers_pattern`);
}

/** A regex that must match a whole name, from Python's syntax (named groups differ; inline flags are refused by the compiler). */
function compile(pattern: string, where: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern.replaceAll("(?P<", "(?<")})$`);
  } catch (error) {
    badInput(where, "a regular expression", JSON.stringify(pattern), messageOf(error));
  }
}

/** The modules among `linearModules` (dotted names, without `base_model.model.`) that the config adapts; `head` is the output layer that "all-linear" leaves out. */
export function selectTargetModules(config: LoraConfig, linearModules: readonly string[], head = "lm_head"): string[] {
  return linearModules.filter((module) => isTargeted(config, module, head));
}

/** Whether the config adapts the linear layer `module`. */
export function isTargeted(config: LoraConfig, module: string, head = "lm_head"): boolean {
  const { targetModules, excludeModules, layersToTransform } = config;
  if (excludeModules !== undefined && matches(excludeModules, module)) return false;
  if (targetModules === "all-linear") return module !== head;
  if (!matches(targetModules, module)) return false;
  // A regex says all there is to say; layer indices narrow lists of names only, and not a module that is named in full.
  if ("regex" in targetModules || targetModules.includes(module) || layersToTransform === undefined) return true;
  const index = layerIndex(config, module);
  return index !== undefined && layersToTransform.includes(index);
}

function matches(modules: readonly string[] | { readonly regex: string }, module: string): boolean {
  if ("regex" in modules) return compile(modules.regex, "target_modules").test(module);
  return modules.some((name) => module === name || module.endsWith(`.${name}`));
}

function layerIndex(config: LoraConfig, module: string): number | undefined {
  for (const pattern of config.layersPattern ?? ["[^.]*"]) {
    const match = new RegExp(`^.*\\.(?:${pattern})\\.(\\d+)\\.`).exec(module);
    if (match !== null) return Number(match.at(-1));
  }
  return undefined;
}

function lookUp(pattern: Readonly<Record<string, number>> | undefined, module: string): number | undefined {
  for (const [key, value] of Object.entries(pattern ?? {})) {
    if (compile(`(?:.*\\.)?(?:${key})`, "rank_pattern or alpha_pattern").test(module)) return value;
  }
  return undefined;
}

/** R of one module. */
export function rankOf(config: LoraConfig, module: string): number {
  return lookUp(config.rankPattern, module) ?? config.r;
}

/** What `B · A · x` is multiplied by in one module: `alpha / r`, or `alpha / √r` with rsLoRA. */
export function scalingOf(config: LoraConfig, module: string): number {
  const alpha = lookUp(config.alphaPattern, module) ?? config.loraAlpha;
  const r = rankOf(config, module);
  return alpha / (config.useRslora === true ? Math.sqrt(r) : r);
}

/** `adapter_config.json` of a config, with every key that PEFT needs to load the adapter. */
export function formatLoraConfig(config: LoraConfig): string {
  const { targetModules, excludeModules } = config;
  const asJson = (modules: TargetModules): unknown =>
    typeof modules === "object" && "regex" in modules ? modules.regex : modules;
  const json = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: config.baseModel ?? null,
    inference_mode: true,
    r: config.r,
    lora_alpha: config.loraAlpha,
    lora_dropout: config.loraDropout ?? 0,
    target_modules: asJson(targetModules),
    exclude_modules: excludeModules === undefined ? null : asJson(excludeModules),
    layers_to_transform: config.layersToTransform ?? null,
    layers_pattern: config.layersPattern ?? null,
    rank_pattern: config.rankPattern ?? {},
    alpha_pattern: config.alphaPattern ?? {},
    use_rslora: config.useRslora ?? false,
    use_dora: false,
    fan_in_fan_out: config.fanInFanOut ?? false,
    bias: "none",
    modules_to_save: null,
    init_lora_weights: true,
    auto_mapping: null,
    revision: null,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}
