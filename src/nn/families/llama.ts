/** @file Llama (Touvron et al. 2023, arXiv 2302.13971; transformers' LlamaForCausalLM). */
import type { Family } from "../family.ts";
import { parseSizes } from "../sizes.ts";
import { llamaLike } from "./llamaLike.ts";

export const llama: Family = {
  modelTypes: ["llama"],
  parse: (config) => {
    const bias = config.flag("attention_bias", false);
    return llamaLike(config, parseSizes(config, { maxPositionEmbeddings: 2048 }), {
      family: "llama",
      biases: { queryKeyValue: bias, output: bias, mlp: config.flag("mlp_bias", false) },
    });
  },
};
