/**
 * @file Rotary position embedding (Su et al. 2021, arXiv 2104.09864): inverse
 * frequencies with the scalings that checkpoints declare, and cosine/sine tables.
 */
import { badInput } from "../core/errors.ts";
import type { RawConfig } from "./rawConfig.ts";

export type RopeScaling =
  | { readonly type: "default" }
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    };

export interface RopeConfig {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** Reads `rope_theta` and `rope_scaling`, or the newer `rope_parameters` that holds both. @throws BadInputError for a scaling we do not know. */
export function parseRope(config: RawConfig, defaultTheta = 10000): RopeConfig {
  const scaling = config.object("rope_parameters") ?? config.object("rope_scaling");
  const theta = scaling?.has("rope_theta")
    ? scaling.positive("rope_theta")
    : config.positive("rope_theta", defaultTheta);
  if (scaling === undefined) return { theta, scaling: { type: "default" } };
  const type = scaling.has("rope_type") ? scaling.text("rope_type") : scaling.text("type", "default");
  switch (type) {
    case "default":
      return { theta, scaling: { type } };
    case "linear":
      return { theta, scaling: { type, factor: scaling.positive("factor") } };
    case "llama3":
      return {
        theta,
        scaling: {
          type,
          factor: scaling.positive("factor"),
          lowFreqFactor: scaling.positive("low_freq_factor"),
          highFreqFactor: scaling.positive("high_freq_factor"),
          originalMaxPositionEmbeddings: scaling.positive("original_max_position_embeddings"),
        },
      };
    default:
      return badInput(
        "config.json 'rope_scaling.rope_type'",
        "default, linear or llama3",
        JSON.stringify(type),
        "This rotary scaling is not implemented",
      );
  }
}

/**
 * Inverse frequencies `theta^(−2i/H)`, i < H/2, after scaling. `llama3` divides low
 * frequencies by `factor`, keeps high ones and interpolates between (Llama 3.1).
 */
export function inverseFrequencies(rope: RopeConfig, rotaryDim: number): Float64Array {
  const { scaling } = rope;
  return Float64Array.from({ length: rotaryDim / 2 }, (_, i) => {
    const frequency = rope.theta ** ((-2 * i) / rotaryDim);
    if (scaling.type === "default") return frequency;
    if (scaling.type === "linear") return frequency / scaling.factor;
    const wavelength = (2 * Math.PI) / frequency;
    const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: original } = scaling;
    if (wavelength > original / lowFreqFactor) return frequency / factor;
    if (wavelength < original / highFreqFactor) return frequency;
    const smooth = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Tables `cos(p·f_i)`, `sin(p·f_i)`, each [positions, rotaryDim/2] row-major. */
export function ropeTables(
  rope: RopeConfig,
  rotaryDim: number,
  positions: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const frequencies = inverseFrequencies(rope, rotaryDim);
  const half = rotaryDim / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * (frequencies[i] ?? 0);
      cos[p * half + i] = Math.cos(angle);
      sin[p * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
