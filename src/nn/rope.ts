/**
 * @file Rotary position embedding (Su et al. 2021, arXiv 2104.09864): what configs say
 * about it in their old and new spellings, inverse frequencies with the scalings that
 * checkpoints declare, and cosine/sine tables. The semantics are those of transformers'
 * `modeling_rope_utils.py`. Not here: the rotation itself (`modules.ts`).
 */
import { badInput } from "../core/errors.ts";
import type { RawConfig } from "./rawConfig.ts";

/** What layers attend to: everything before, or a window of it. */
export const LAYER_TYPES = ["full_attention", "sliding_attention"] as const;
export type LayerType = (typeof LAYER_TYPES)[number];

export type RopeScaling =
  | { readonly type: "default" }
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
  | {
      readonly type: "yarn";
      readonly factor: number;
      /** Cosines and sines are multiplied by it. */
      readonly attentionFactor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** The bounds of the ramp are rounded outwards. */
      readonly truncate: boolean;
      readonly originalMaxPositionEmbeddings: number;
    };

export interface RopeConfig {
  readonly theta: number;
  readonly scaling: RopeScaling;
  /** Share of each head that is rotated; 1 when left out. */
  readonly partialRotaryFactor?: number;
}

export interface RopeDefaults {
  readonly theta?: number;
  readonly partialRotaryFactor?: number;
  /** Keys beside `rope_parameters`, in the order in which they count. */
  readonly thetaKeys?: readonly string[];
  readonly partialRotaryKeys?: readonly string[];
  /** For models whose layers differ: read `rope_parameters.<layerType>` where the config nests them. */
  readonly layerType?: LayerType;
  /** Settings that are not nested are for other layers. */
  readonly nestedOnly?: boolean;
  /** The family rotates whole heads: transformers ignores or half honours a share that a config gives, so it is refused. */
  readonly wholeHeads?: boolean;
}

const SCALINGS = "default, linear, dynamic, llama3 or yarn";

/** The dictionary that holds the rotary settings: `rope_scaling` counts before the newer `rope_parameters`, as in transformers. */
function ropeDictionary(config: RawConfig, { layerType, nestedOnly }: RopeDefaults): RawConfig | undefined {
  const whole = config.object("rope_scaling") ?? config.object("rope_parameters");
  const nested = LAYER_TYPES.find((type) => whole?.has(type));
  if (whole === undefined) return undefined;
  if (nested === undefined) return nestedOnly === true ? undefined : whole;
  if (layerType === undefined) return whole.refuse(nested, "one set of rotary settings for all layers of this family");
  return whole.object(layerType);
}

/**
 * Reads the rotary settings: the newer `rope_parameters` (also nested by layer type), or
 * `rope_scaling` with `rope_theta` (or the keys that `defaults` names) beside it.
 * @throws BadInputError for a scaling we do not know.
 */
export function parseRope(config: RawConfig, defaults: RopeDefaults = {}): RopeConfig {
  const settings = ropeDictionary(config, defaults);
  if (defaults.wholeHeads === true)
    for (const part of [config, settings]) part?.only("partial_rotary_factor", [1], "This family rotates whole heads");
  const beside = (keys: readonly string[]): string | undefined => keys.find((key) => config.has(key));
  const thetaKey = beside(defaults.thetaKeys ?? ["rope_theta"]);
  const partialKey = beside(defaults.partialRotaryKeys ?? ["partial_rotary_factor"]);
  const theta = settings?.has("rope_theta")
    ? settings.positive("rope_theta")
    : thetaKey === undefined
      ? (defaults.theta ?? 10000)
      : config.positive(thetaKey);
  const partialRotaryFactor = settings?.has("partial_rotary_factor")
    ? settings.positive("partial_rotary_factor")
    : partialKey === undefined
      ? defaults.partialRotaryFactor
      : config.positive(partialKey);
  return {
    theta,
    scaling: settings === undefined ? { type: "default" } : parseScaling(config, settings),
    ...(partialRotaryFactor === undefined ? {} : { partialRotaryFactor }),
  };
}

function parseScaling(config: RawConfig, settings: RawConfig): RopeScaling {
  const key = settings.has("rope_type") ? "rope_type" : "type";
  const type = settings.text(key, "default");
  /** The context before scaling; configs that leave it out mean their whole context. */
  const original = (): number =>
    config.has("original_max_position_embeddings")
      ? config.positive("original_max_position_embeddings")
      : settings.positive(
          "original_max_position_embeddings",
          config.has("max_position_embeddings") ? config.positive("max_position_embeddings") : undefined,
        );
  switch (type) {
    case "default":
      return { type };
    // Changes nothing until a text is longer than max_position_embeddings, which none is here.
    case "dynamic":
      settings.positive("factor");
      return { type: "default" };
    case "linear":
      return { type, factor: settings.positive("factor") };
    case "llama3":
      return {
        type,
        factor: settings.positive("factor"),
        lowFreqFactor: settings.positive("low_freq_factor"),
        highFreqFactor: settings.positive("high_freq_factor"),
        originalMaxPositionEmbeddings: original(),
      };
    case "yarn":
      return parseYarn(settings, original());
    default:
      return settings.refuse(key, SCALINGS, "This rotary scaling is not implemented");
  }
}

function parseYarn(settings: RawConfig, originalMaxPositionEmbeddings: number): RopeScaling {
  const factor = settings.positive("factor");
  const scaleOf = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const weights = ["mscale", "mscale_all_dim"].map((key) => (settings.has(key) ? settings.number(key) : 0));
  const [weight = 0, weightAllDim = 0] = weights;
  const attentionFactor = settings.has("attention_factor")
    ? settings.positive("attention_factor")
    : weight !== 0 && weightAllDim !== 0
      ? scaleOf(weight) / scaleOf(weightAllDim)
      : scaleOf(1);
  return {
    type: "yarn",
    factor,
    attentionFactor,
    betaFast: settings.positive("beta_fast", 32),
    betaSlow: settings.positive("beta_slow", 1),
    truncate: settings.flag("truncate", true),
    originalMaxPositionEmbeddings,
  };
}

/**
 * H in the frequencies below: how much of each head is rotated, from its first element.
 * An odd number stands for one more element, as in transformers.
 * @throws BadInputError unless that fits into the head.
 */
export function rotaryDimOf(rope: RopeConfig, headDim: number): number {
  const share = rope.partialRotaryFactor ?? 1;
  const dim = Math.trunc(headDim * share);
  if (share === 1 && dim % 2 !== 0) badInput("config.json 'head_dim'", "an even number", String(headDim));
  if (dim < 1 || 2 * Math.ceil(dim / 2) > headDim)
    badInput("config.json partial rotary factor", `a share of the head size ${headDim}`, String(share));
  return dim;
}

/**
 * Inverse frequencies `theta^(−2i/H)`, i < H/2, after scaling, H = `rotaryDim`. `llama3` divides low
 * frequencies by `factor`, keeps high ones and interpolates between (Llama 3.1); `yarn`
 * does so along a ramp over the index i (Peng et al. 2023, arXiv 2309.00071).
 */
export function inverseFrequencies(rope: RopeConfig, rotaryDim: number): Float64Array {
  const { scaling, theta } = rope;
  const ramp = scaling.type === "yarn" ? yarnRamp(scaling, theta, rotaryDim) : undefined;
  return Float64Array.from({ length: Math.ceil(rotaryDim / 2) }, (_, i) => {
    const frequency = theta ** ((-2 * i) / rotaryDim);
    switch (scaling.type) {
      case "default":
        return frequency;
      case "linear":
        return frequency / scaling.factor;
      case "llama3":
        return llama3Frequency(scaling, frequency);
      case "yarn": {
        const divided = ramp?.(i) ?? 0;
        return (frequency / scaling.factor) * divided + frequency * (1 - divided);
      }
      default:
        return scaling satisfies never;
    }
  });
}

function llama3Frequency(scaling: RopeScaling & { readonly type: "llama3" }, frequency: number): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: original } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > original / lowFreqFactor) return frequency / factor;
  if (wavelength < original / highFreqFactor) return frequency;
  const smooth = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** How far frequency i is divided by the factor: 0 where more than `betaFast` turns fit into the original context, 1 where fewer than `betaSlow` do. */
function yarnRamp(
  scaling: RopeScaling & { readonly type: "yarn" },
  theta: number,
  rotaryDim: number,
): (i: number) => number {
  const { betaFast, betaSlow, truncate, originalMaxPositionEmbeddings: original } = scaling;
  const indexOfTurns = (turns: number): number =>
    (rotaryDim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const fast = indexOfTurns(betaFast);
  const slow = indexOfTurns(betaSlow);
  const low = Math.max(0, truncate ? Math.floor(fast) : fast);
  const high = Math.min(rotaryDim - 1, truncate ? Math.ceil(slow) : slow);
  const width = high === low ? 0.001 : high - low;
  return (i) => Math.min(1, Math.max(0, (i - low) / width));
}

/** Tables `a·cos(p·f_i)`, `a·sin(p·f_i)`, each [positions, ⌈rotaryDim/2⌉] row-major; a is 1 but for yarn. */
export function ropeTables(
  rope: RopeConfig,
  rotaryDim: number,
  positions: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const frequencies = inverseFrequencies(rope, rotaryDim);
  const amplitude = rope.scaling.type === "yarn" ? rope.scaling.attentionFactor : 1;
  const half = Math.ceil(rotaryDim / 2);
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * (frequencies[i] ?? 0);
      cos[p * half + i] = amplitude * Math.cos(angle);
      sin[p * half + i] = amplitude * Math.sin(angle);
    }
  }
  return { cos, sin };
}
