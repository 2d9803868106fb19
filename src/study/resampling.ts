/** @file How the intervals of one comparison are drawn: samples of one size share their draws, so that bands of a curve, and differences of one table, are over the same seeds. */
import type { Rng } from "../core/rng.ts";
import { bootstrapInterval, resamples, type Interval } from "./sampling.ts";

/** Seeded resampling of a fixed number of draws. */
export class Resampling {
  readonly rng: Rng;
  readonly #count: number;
  readonly #confidence: number;
  readonly #draws = new Map<number, readonly (readonly number[])[]>();

  constructor(rng: Rng, count: number, confidence: number) {
    this.rng = rng;
    this.#count = count;
    this.#confidence = confidence;
  }

  /** The same with draws of its own. */
  fork(name: string): Resampling {
    return new Resampling(this.rng.fork(name), this.#count, this.#confidence);
  }

  /** Percentile bootstrap interval of a statistic over the units; see `bootstrapInterval`. */
  interval<T>(units: readonly T[], statistic: (units: readonly T[]) => number | undefined): Interval | undefined {
    const size = units.length;
    if (size < 2) return undefined;
    const draws = this.#draws.get(size) ?? resamples(size, this.#count, this.rng.fork(`bootstrap of ${size}`));
    this.#draws.set(size, draws);
    return bootstrapInterval(units, statistic, draws, this.#confidence);
  }
}
