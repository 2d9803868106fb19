/** @file Next-token choice from logits: greedy, temperature, nucleus. Pure. */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";

export interface SamplingOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Nucleus mass in (0, 1]. */
  readonly topP: number;
}

/** @throws BadInputError for a temperature below 0 or a mass outside (0, 1]. */
export function checkSampling({ temperature, topP }: SamplingOptions): void {
  if (!Number.isFinite(temperature) || temperature < 0) badInput("temperature", "a number ≥ 0", String(temperature));
  if (!(topP > 0 && topP <= 1)) badInput("top-p", "a number in (0, 1]", String(topP));
}

/** Index of the largest logit; the first of equal ones. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if ((logits[i] ?? -Infinity) > (logits[best] ?? -Infinity)) best = i;
  return best;
}

/** A token with its probability. */
export interface LikelyToken {
  readonly id: number;
  readonly probability: number;
}

/** `softmax(logits)[id]` of the token `id`, and the `count` most probable tokens, most probable first; the first of equal ones comes first. */
export function probabilitiesOf(
  logits: Float32Array,
  id: number,
  count: number,
): { readonly probability: number; readonly likeliest: readonly LikelyToken[] } {
  const max = logits[argmax(logits)] ?? 0;
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0);
  const of = (token: number): number => Math.exp((logits[token] ?? -Infinity) - max) / total;
  const best: number[] = [];
  for (let token = 0; token < logits.length; token++) {
    const at = best.findIndex((other) => (logits[token] ?? -Infinity) > (logits[other] ?? -Infinity));
    if (at >= 0) best.splice(at, 0, token);
    else if (best.length < count) best.push(token);
    if (best.length > count) best.pop();
  }
  return { probability: of(id), likeliest: best.map((token) => ({ id: token, probability: of(token) })) };
}

/**
 * A token drawn from softmax(logits / temperature), restricted to the smallest set of
 * most probable tokens whose mass reaches `topP` (Holtzman et al. 2020, arXiv 1904.09751).
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions, rng: Rng): number {
  if (options.temperature === 0) return argmax(logits);
  const max = logits[argmax(logits)] ?? 0;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - max) / options.temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // Greedy order is only needed to cut the tail.
  const order = Array.from(weights, (_, i) => i);
  let kept = order.length;
  let mass = total;
  if (options.topP < 1) {
    order.sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
    mass = 0;
    for (kept = 0; kept < order.length && mass < options.topP * total; kept++) mass += weights[order[kept] ?? 0] ?? 0;
  }
  let left = rng.uniform() * mass;
  for (let i = 0; i < kept; i++) {
    const token = order[i] ?? 0;
    left -= weights[token] ?? 0;
    if (left < 0) return token;
  }
  return order[Math.max(0, kept - 1)] ?? 0;
}
