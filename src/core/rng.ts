/**
 * @file Seeded randomness. Every random choice of a run draws from an `Rng`
 * forked *by name* from the run's seed, so that adding a draw in one place never
 * shifts another. Generator: xoroshiro128+ (pure-rand); name hash: FNV-1a.
 */
import { xoroshiro128plus, xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** JSON-able state of an `Rng`; restoring it continues the same sequence. */
export interface RngState {
  readonly seed: number;
  readonly state: readonly number[];
}

/** FNV-1a hash of a string, 32 bits unsigned. */
export function hashString(text: string, basis = 0x811c9dc5): number {
  let hash = basis >>> 0;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** A seeded stream of random numbers. */
export class Rng {
  readonly #seed: number;
  #generator: RandomGenerator;

  constructor(seed: number) {
    this.#seed = seed | 0;
    this.#generator = xoroshiro128plus(this.#seed);
  }

  /** Continues a saved stream. */
  static fromState(saved: RngState): Rng {
    const rng = new Rng(saved.seed);
    rng.#generator = xoroshiro128plusFromState(saved.state);
    return rng;
  }

  /** State to save; see `fromState`. */
  get state(): RngState {
    return { seed: this.#seed, state: [...this.#generator.getState()] };
  }

  /** Independent stream named `name`; depends on this stream's seed only, not on its position. */
  fork(name: string): Rng {
    return new Rng(hashString(name, hashString(String(this.#seed))) | 0);
  }

  /** Uniform float64 in [0, 1). */
  uniform(): number {
    return uniformFloat64(this.#generator);
  }

  /** Uniform integer in [low, high], both included. */
  integer(low: number, high: number): number {
    return uniformInt(this.#generator, low, high);
  }

  /** Standard normal draw (Box–Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Standard Gumbel draw, −log(−log u). */
  gumbel(): number {
    const u = Math.max(this.uniform(), Number.MIN_VALUE);
    return -Math.log(-Math.log(u));
  }

  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("Rng.pick: expected a non-empty list, got 0 items");
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** New list with the same elements in random order (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }
}
