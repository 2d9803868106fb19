/** @file Mistral (Jiang et al. 2023, arXiv 2310.06825; transformers' MistralForCausalLM): Llama with a sliding window in every layer, if the config gives one. */
import type { Family } from "../family.ts";
import { parseSizes, parseWindows } from "../sizes.ts";
import { llamaLike } from "./llamaLike.ts";

export const mistral: Family = {
  modelTypes: ["mistral"],
  parse: (config) => {
    const sizes = parseSizes(config, { maxPositionEmbeddings: 131_072, kvHeads: 8 });
    const slidingWindow = config.optionalSize("sliding_window", 4096);
    const windows = parseWindows(config, sizes.layers, slidingWindow, () => slidingWindow !== undefined);
    // transformers ignores layer_types here, so a config whose layers differ is another architecture (Ministral).
    if (new Set(windows).size > 1) config.refuse("layer_types", "layers of one type");
    return llamaLike(config, sizes, { family: "mistral", windows });
  },
};
