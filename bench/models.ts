/**
 * @file The models and batches of the bench: Llama shapes with random weights and
 * random tokens, the same numbers in every process and library. Not a task that is
 * learnt: every target counts and every row is full, so that only speed is measured.
 */
import { Rng } from "../src/core/rng.ts";
import { parseDecoder } from "../src/nn/families.ts";
import type { Decoder } from "../src/nn/family.ts";
import { ropeTables } from "../src/nn/rope.ts";
import { elementCount } from "../src/onnx/shapes.ts";
import type { EncodedRow, TrainOptions } from "../src/student/types.ts";

/** L layers of width D, N heads and K key-value heads, feed-forward F, vocabulary V; a batch is B rows of T tokens. */
export interface BenchModel {
  readonly name: ModelName;
  readonly L: number;
  readonly D: number;
  readonly N: number;
  readonly K: number;
  readonly F: number;
  readonly V: number;
  readonly B: number;
  readonly T: number;
}

export const MODEL_NAMES = ["M", "S", "tiny"] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

export const MODELS: Readonly<Record<ModelName, BenchModel>> = {
  M: { name: "M", L: 4, D: 256, N: 8, K: 4, F: 704, V: 512, B: 8, T: 128 },
  S: { name: "S", L: 2, D: 128, N: 4, K: 2, F: 352, V: 256, B: 8, T: 64 },
  tiny: { name: "tiny", L: 1, D: 64, N: 4, K: 2, F: 176, V: 128, B: 2, T: 32 },
};

/** Constants of the forward pass that libraries must share. */
export const RMS_EPSILON = 1e-6;
export const ROPE_THETA = 10000;

/** The optimizer step that every library does: AdamW with decay on matrices and clipping by global norm. */
export const STEP = { learningRate: 1e-3, weightDecay: 0.1, maxGradNorm: 1 } as const;

export const TRAIN_OPTIONS: Omit<TrainOptions, "batchSize"> = {
  steps: 1_000_000,
  gradAccum: 1,
  learningRate: STEP.learningRate,
  scheduler: "constant",
  warmupSteps: 0,
  weightDecay: STEP.weightDecay,
  maxGradNorm: STEP.maxGradNorm,
  shuffle: false,
  seed: 0,
};

export function decoderOf({ L, D, N, K, F, V, T }: BenchModel): Decoder {
  return parseDecoder({
    model_type: "llama",
    hidden_size: D,
    num_attention_heads: N,
    num_key_value_heads: K,
    intermediate_size: F,
    num_hidden_layers: L,
    vocab_size: V,
    max_position_embeddings: T,
    rms_norm_eps: RMS_EPSILON,
    rope_theta: ROPE_THETA,
    tie_word_embeddings: true,
  });
}

/** Random weights by transformers' names; norms near 1, so that their gradients are not a special case. */
export function weightsOf(decoder: Decoder): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(
    decoder.parameters.map(({ name, shape }) => {
      const rng = new Rng(1).fork(name);
      const draw = shape.length === 1 ? () => 1 + 0.1 * rng.normal() : () => 0.02 * rng.normal();
      return [name, Float32Array.from({ length: elementCount(shape) }, draw)] as const;
    }),
  );
}

/** B rows of T + 1 random tokens: T inputs, T targets, all of them counted. */
export function rowsOf({ V, B, T }: BenchModel): EncodedRow[] {
  const rng = new Rng(2);
  return Array.from({ length: B }, (_, i) => ({
    id: String(i),
    ids: Int32Array.from({ length: T + 1 }, () => rng.integer(0, V - 1)),
    completionTokens: T,
  }));
}

/** The batch as flat arrays: ids [B, T], targets [B, T]. */
export function batchOf(model: BenchModel): {
  readonly ids: Int32Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
} {
  const { B, T } = model;
  const [ids, targets] = [new Int32Array(B * T), new Int32Array(B * T)];
  rowsOf(model).forEach((row, b) => {
    ids.set(row.ids.subarray(0, T), b * T);
    targets.set(row.ids.subarray(1), b * T);
  });
  return { ids, targets };
}

/** Rotary tables [T, H/2] for libraries that have no such operator. */
export function rotaryOf({ D, N, T }: BenchModel): {
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
} {
  const { cos, sin } = ropeTables({ theta: ROPE_THETA, scaling: { type: "default" } }, D / N, T);
  return { cos: Float32Array.from(cos), sin: Float32Array.from(sin) };
}

export function parameterCount(decoder: Decoder): number {
  return decoder.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/** Input tokens of one step. */
export function tokensOf({ B, T }: BenchModel): number {
  return B * T;
}

/**
 * Floating-point operations of the matrix products of one forward pass: 2 per weight
 * and token, and 4·T·D per token and layer for attention (all T keys, as graphs
 * compute it; the causal half is not subtracted). A training step is three times that.
 */
export function forwardFlops({ L, D, N, K, F, V, B, T }: BenchModel): number {
  const kvWidth = (D / N) * K;
  const weights = L * (2 * D * D + 2 * D * kvWidth + 3 * D * F) + D * V;
  return 2 * B * T * weights + L * 4 * B * T * T * D;
}
