/**
 * @file LoRA adapters on disk in PEFT's format: `adapter_config.json` and
 * `adapter_model.safetensors` with keys `base_model.model.<module>.lora_A.weight`
 * [R, in] and `.lora_B.weight` [out, R]. The product that is added to a linear layer
 * is `scaling · B · A · x`.
 */
import { badInput } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import { missingFile, type FileSink, type FileSource } from "./fileSource.ts";
import { formatLoraConfig, isTargeted, parseLoraConfig, rankOf, type LoraConfig } from "./loraConfig.ts";
import { parseSafetensors, writeSafetensors } from "./safetensors.ts";

export const ADAPTER_CONFIG_FILE = "adapter_config.json";
export const ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

/** The two factors of one adapted linear layer: `loraA` [R, in], `loraB` [out, R], float32. */
export interface LoraFactors {
  readonly loraA: Tensor;
  readonly loraB: Tensor;
}

export interface Adapter {
  readonly config: LoraConfig;
  /** Factors by module name as in the base model (`model.layers.0.self_attn.q_proj`). */
  readonly modules: ReadonlyMap<string, LoraFactors>;
}

export interface LoadedAdapter extends Adapter {
  /** Settings that were read but have no effect here, for people. */
  readonly warnings: readonly string[];
}

/**
 * Reads an adapter directory. Whether its modules exist in a student, with these sizes,
 * is for the caller to check; so is whether every targeted module is there.
 * @throws BadInputError for missing files, unsupported settings, unknown keys, a factor
 * without its partner, or shapes that do not agree with each other and the config.
 */
export async function loadAdapter(source: FileSource): Promise<LoadedAdapter> {
  if (!(await source.has(ADAPTER_CONFIG_FILE))) {
    badInput(
      source.name,
      `a file ${ADAPTER_CONFIG_FILE}`,
      "no such file",
      `An adapter directory holds ${ADAPTER_CONFIG_FILE} and ${ADAPTER_WEIGHTS_FILE}, as PEFT writes them`,
    );
  }
  const { config, warnings } = parseLoraConfig(
    await source.readText(ADAPTER_CONFIG_FILE),
    `${source.name}/${ADAPTER_CONFIG_FILE}`,
  );
  if (!(await source.has(ADAPTER_WEIGHTS_FILE))) {
    if (await source.has("adapter_model.bin"))
      badInput(
        source.name,
        ADAPTER_WEIGHTS_FILE,
        "the adapter only as adapter_model.bin",
        "Convert it: load it with PEFT and call save_pretrained",
      );
    missingFile(source.name, ADAPTER_WEIGHTS_FILE);
  }
  const where = `${source.name}/${ADAPTER_WEIGHTS_FILE}`;
  const file = parseSafetensors(await source.read(ADAPTER_WEIGHTS_FILE), where);
  const partial = new Map<string, { A?: Tensor; B?: Tensor }>();
  for (const key of file.names) {
    const match = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(key);
    const [, module, side] = match ?? [];
    if (module === undefined || (side !== "A" && side !== "B")) {
      badInput(
        `${where}: tensor ${JSON.stringify(key)}`,
        `a key ${PREFIX}<module>.lora_A.weight or .lora_B.weight`,
        "another",
        "Only LoRA on linear layers is supported",
      );
    }
    const factors = partial.get(module) ?? {};
    factors[side] = file.tensor(key);
    partial.set(module, factors);
  }
  if (partial.size === 0) badInput(where, "LoRA factors", "no tensors");
  const modules = new Map<string, LoraFactors>();
  for (const [module, { A, B }] of partial) modules.set(module, checkFactors(module, A, B, config, where));
  return { config, modules, warnings };
}

function checkFactors(
  module: string,
  loraA: Tensor | undefined,
  loraB: Tensor | undefined,
  config: LoraConfig,
  file: string,
): LoraFactors {
  const where = `${file}: ${module}`;
  if (loraA === undefined || loraB === undefined)
    badInput(where, "both lora_A.weight and lora_B.weight", `lora_${loraA === undefined ? "B" : "A"}.weight alone`);
  if (!isTargeted(config, module))
    badInput(where, `a module that target_modules of ${ADAPTER_CONFIG_FILE} names`, "one that it does not");
  const r = rankOf(config, module);
  const describe = (tensor: Tensor): string => `${tensor.type} [${tensor.shape.join(", ")}]`;
  if (loraA.type !== "float32" || loraA.shape.length !== 2 || loraA.shape[0] !== r)
    badInput(
      `${where}.lora_A.weight`,
      `floats of shape [${r}, in]`,
      describe(loraA),
      `The rank is ${r} by ${ADAPTER_CONFIG_FILE}`,
    );
  if (loraB.type !== "float32" || loraB.shape.length !== 2 || loraB.shape[1] !== r)
    badInput(
      `${where}.lora_B.weight`,
      `floats of shape [out, ${r}]`,
      describe(loraB),
      `The rank is ${r} by ${ADAPTER_CONFIG_FILE}`,
    );
  return { loraA, loraB };
}

/** Writes an adapter directory's two files; the caller commits the sink. */
export async function saveAdapter(sink: FileSink, adapter: Adapter): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (const [module, { loraA, loraB }] of adapter.modules) {
    tensors.set(`${PREFIX}${module}.lora_A.weight`, loraA);
    tensors.set(`${PREFIX}${module}.lora_B.weight`, loraB);
  }
  await sink.write(ADAPTER_CONFIG_FILE, formatLoraConfig(adapter.config));
  await sink.write(ADAPTER_WEIGHTS_FILE, writeSafetensors(tensors));
}
