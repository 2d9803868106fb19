/**
 * @file Which rows go into which optimizer step: transformers' Trainer order of
 * epochs, micro-batches and accumulation. A pure function of (rows, options, step),
 * so that a resumed training needs no saved iterator.
 */
import { badInput } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";

export interface DataOrderOptions {
  readonly epochs?: number;
  readonly steps?: number;
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly shuffle: boolean;
  readonly seed: number;
}

export class DataOrder {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly #rowCount: number;
  readonly #options: DataOrderOptions;
  #epoch: { readonly index: number; readonly order: readonly number[] } | undefined;

  /** @throws BadInputError when there is nothing to train on or for. */
  constructor(rowCount: number, options: DataOrderOptions) {
    for (const key of ["batchSize", "gradAccum"] as const) {
      if (!Number.isInteger(options[key]) || options[key] < 1)
        badInput(`training option ${key}`, "a positive integer", String(options[key]));
    }
    if (rowCount === 0) badInput("training data", "at least one row", "0 rows");
    const microBatches = Math.ceil(rowCount / options.batchSize);
    this.stepsPerEpoch = Math.ceil(microBatches / options.gradAccum);
    const total = options.steps ?? Math.ceil((options.epochs ?? 3) * this.stepsPerEpoch);
    if (!Number.isInteger(total) || total < 1)
      badInput("training length", "at least one step (steps or epochs)", String(options.steps ?? options.epochs));
    this.totalSteps = total;
    this.#rowCount = rowCount;
    this.#options = options;
  }

  /** Row indices of the micro-batches of step `step` (0-based); the last step of an epoch may be smaller. */
  microBatches(step: number): number[][] {
    const { batchSize, gradAccum } = this.#options;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const order = this.#orderOf(epoch);
    const first = (step % this.stepsPerEpoch) * batchSize * gradAccum;
    const rows = order.slice(first, first + batchSize * gradAccum);
    const out: number[][] = [];
    for (let i = 0; i < rows.length; i += batchSize) out.push(rows.slice(i, i + batchSize));
    return out;
  }

  #orderOf(epoch: number): readonly number[] {
    if (this.#epoch?.index === epoch) return this.#epoch.order;
    const identity = Array.from({ length: this.#rowCount }, (_, i) => i);
    const order = this.#options.shuffle
      ? new Rng(this.#options.seed).fork(`epoch ${epoch}`).shuffle(identity)
      : identity;
    this.#epoch = { index: epoch, order };
    return order;
  }
}
