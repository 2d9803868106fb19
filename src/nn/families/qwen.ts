/**
 * @file Qwen2 (arXiv 2407.10671) is Llama with biases on query, key and value, Qwen3
 * (arXiv 2505.09388) Llama with norms over each query and key head; both may have
 * sliding windows in their upper layers (transformers' Qwen2ForCausalLM, Qwen3ForCausalLM).
 */
import type { Family } from "../family.ts";
import type { RawConfig } from "../rawConfig.ts";
import { parseSizes, parseWindows } from "../sizes.ts";
import { llamaLike } from "./llamaLike.ts";

/** The window of each layer: none unless `use_sliding_window`, then from layer `max_window_layers` on or as `layer_types` says. */
function qwenWindows(config: RawConfig, layers: number): readonly (number | undefined)[] {
  const slidingWindow = config.flag("use_sliding_window", false)
    ? config.optionalSize("sliding_window", 4096)
    : undefined;
  const first = config.count("max_window_layers", 28);
  return parseWindows(config, layers, slidingWindow, (i) => slidingWindow !== undefined && i >= first);
}

export const qwen2: Family = {
  modelTypes: ["qwen2"],
  parse: (config) => {
    const sizes = parseSizes(config, { maxPositionEmbeddings: 32768, kvHeads: 32 });
    return llamaLike(config, sizes, {
      family: "qwen2",
      biases: { queryKeyValue: true },
      windows: qwenWindows(config, sizes.layers),
    });
  },
};

export const qwen3: Family = {
  modelTypes: ["qwen3"],
  parse: (config) => {
    const sizes = parseSizes(config, { maxPositionEmbeddings: 32768, kvHeads: 32, headDim: 128 });
    const bias = config.flag("attention_bias", false);
    return llamaLike(config, sizes, {
      family: "qwen3",
      biases: { queryKeyValue: bias, output: bias },
      headNorms: true,
      windows: qwenWindows(config, sizes.layers),
    });
  },
};
