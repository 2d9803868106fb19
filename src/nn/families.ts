/** @file The one list of model families. A new family is one file in `families/` and one entry here. */
import { badInput } from "../core/errors.ts";
import type { Decoder, Family } from "./family.ts";
import { gemma2, gemma3 } from "./families/gemma.ts";
import { gpt2 } from "./families/gpt2.ts";
import { gptNeox } from "./families/gptNeox.ts";
import { llama } from "./families/llama.ts";
import { mistral } from "./families/mistral.ts";
import { phi } from "./families/phi.ts";
import { qwen2, qwen3 } from "./families/qwen.ts";
import { RawConfig } from "./rawConfig.ts";

export const FAMILIES: readonly Family[] = [llama, mistral, qwen2, qwen3, gemma2, gemma3, phi, gpt2, gptNeox];

/** `model_type` values that can be loaded. */
export const SUPPORTED_MODEL_TYPES: readonly string[] = FAMILIES.flatMap((family) => family.modelTypes);

/** The decoder that a parsed `config.json` describes. @throws BadInputError for an unknown architecture or a wrong value. */
export function parseDecoder(json: unknown, where = "config.json"): Decoder {
  const config = new RawConfig(json, where);
  config.only("quantization_config", [], "Quantised checkpoints cannot be trained here; use the unquantised one");
  const modelType = config.text("model_type");
  const family = FAMILIES.find((candidate) => candidate.modelTypes.includes(modelType));
  if (family === undefined)
    badInput(
      `${where} 'model_type'`,
      `one of ${SUPPORTED_MODEL_TYPES.join(", ")}`,
      JSON.stringify(modelType),
      "This architecture is not supported",
    );
  return family.parse(config);
}
