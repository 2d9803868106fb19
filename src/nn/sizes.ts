/**
 * @file What nearly every `config.json` says in the same words: sizes, and which layers
 * attend to a sliding window only. Defaults are those of transformers' config classes.
 */
import { badInput } from "../core/errors.ts";
import { MAX_LAYERS, type RawConfig } from "./rawConfig.ts";
import { LAYER_TYPES, type LayerType } from "./rope.ts";

export interface Sizes {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
}

/** Reads the sizes; `headDim` is hidden_size / num_attention_heads unless the config or `defaults` give one. @throws BadInputError for one that is missing or does not fit. */
export function parseSizes(
  config: RawConfig,
  defaults: { readonly maxPositionEmbeddings: number; readonly headDim?: number; readonly kvHeads?: number },
): Sizes {
  const hiddenSize = config.size("hidden_size");
  const heads = config.size("num_attention_heads");
  const kvHeads = config.optionalSize("num_key_value_heads", defaults.kvHeads ?? heads) ?? heads;
  if (heads % kvHeads !== 0)
    badInput("config.json 'num_key_value_heads'", `a divisor of num_attention_heads (${heads})`, String(kvHeads));
  return {
    vocabSize: config.size("vocab_size"),
    hiddenSize,
    intermediateSize: config.size("intermediate_size"),
    layers: config.size("num_hidden_layers", undefined, MAX_LAYERS),
    heads,
    kvHeads,
    headDim: config.size("head_dim", defaults.headDim ?? Math.max(1, Math.floor(hiddenSize / heads))),
    maxPositionEmbeddings: config.size("max_position_embeddings", defaults.maxPositionEmbeddings),
  };
}

/** The type of every layer: `layer_types`, or what `isSliding` says of its index where the config lists none. @throws BadInputError for other types or another number of them. */
export function parseLayerTypes(
  config: RawConfig,
  layers: number,
  isSliding: (layer: number) => boolean,
): readonly LayerType[] {
  return (
    config.words("layer_types", LAYER_TYPES, layers) ??
    Array.from({ length: layers }, (_, i) => (isSliding(i) ? "sliding_attention" : "full_attention"))
  );
}

/** How many positions the tokens of a layer see; undefined is all. @throws BadInputError for a sliding layer without a window. */
export function windowOf(type: LayerType, slidingWindow: number | undefined): number | undefined {
  if (type === "full_attention") return undefined;
  return (
    slidingWindow ??
    badInput("config.json 'sliding_window'", "a positive integer, because layers are sliding_attention", "none")
  );
}

/** The window of each layer: `slidingWindow` where `layer_types` or else `isSliding` says so. */
export function parseWindows(
  config: RawConfig,
  layers: number,
  slidingWindow: number | undefined,
  isSliding: (layer: number) => boolean,
): readonly (number | undefined)[] {
  return parseLayerTypes(config, layers, isSliding).map((type) => windowOf(type, slidingWindow));
}
