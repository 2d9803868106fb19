/**
 * @file Which rows go into which optimizer step: transformers' Trainer order of
 * epochs, micro-batches and accumulation. A pure function of (rows, options, step),
 * so that a resumed training needs no saved iterator.
 */
import { badInput, invariant } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { EncodedRow } from "./types.ts";

export interface DataOrderOptions {
  readonly epochs?: number;
  readonly steps?: number;
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly shuffle: boolean;
  /** Rows of similar length go into one step, so that little is padding; transformers' `group_by_length`. */
  readonly groupByLength?: boolean;
  readonly seed: number;
}

/** Rows are sorted by length within this many steps' worth of shuffled rows, as transformers does: sorted over all, every epoch would make the same batches. */
const STEPS_PER_SORT = 50;

/** The order in which a training takes `rows`. @throws BadInputError as the constructor. */
export function dataOrderOf(rows: readonly EncodedRow[], options: DataOrderOptions): DataOrder {
  return new DataOrder(
    rows.length,
    options,
    rows.map((row) => row.ids.length),
  );
}

export class DataOrder {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly #rowCount: number;
  readonly #options: DataOrderOptions;
  readonly #lengths: readonly number[] | undefined;
  #epoch: { readonly index: number; readonly order: readonly number[] } | undefined;

  /**
   * `lengths` of the rows in tokens are needed to group by length.
   * @throws BadInputError when there is nothing to train on or for.
   */
  constructor(rowCount: number, options: DataOrderOptions, lengths?: readonly number[]) {
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
    if (options.groupByLength === true) {
      if (!options.shuffle)
        badInput("training option groupByLength", "shuffled rows", "rows in their given order", "Turn one of them off");
      invariant(lengths?.length === rowCount, "one length per row");
      this.#lengths = lengths;
    }
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
    const rng = new Rng(this.#options.seed).fork(`epoch ${epoch}`);
    const shuffled = this.#options.shuffle ? rng.shuffle(identity) : identity;
    const order = this.#lengths === undefined ? shuffled : this.#grouped(shuffled, this.#lengths, rng);
    this.#epoch = { index: epoch, order };
    return order;
  }

  /**
   * Steps of similar length in random order (transformers takes the longest first, which
   * ties a row's length to its learning rate). The epoch's smaller last step is drawn at random.
   */
  #grouped(shuffled: readonly number[], lengths: readonly number[], rng: Rng): number[] {
    const stepRows = this.#options.batchSize * this.#options.gradAccum;
    const whole = shuffled.length - (shuffled.length % stepRows);
    const steps: number[][] = [];
    for (let from = 0; from < whole; from += STEPS_PER_SORT * stepRows) {
      const sorted = shuffled
        .slice(from, Math.min(whole, from + STEPS_PER_SORT * stepRows))
        .sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0));
      for (let i = 0; i < sorted.length; i += stepRows) steps.push(sorted.slice(i, i + stepRows));
    }
    return [...rng.shuffle(steps).flat(), ...shuffled.slice(whole)];
  }
}
