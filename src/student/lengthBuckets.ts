/**
 * @file The sequence lengths that get graphs of their own where each size needs one and buffers
 * are kept by size (WebGPU), chosen for the batches at hand. Hosts take any length in one graph,
 * or the fixed buckets of `batches.ts`.
 */
import { bucketLength, bucketRows, inputLength } from "./batches.ts";
import type { DataOrder } from "./dataOrder.ts";
import type { EncodedRow } from "./types.ts";

/** Batches of `rows` rows, padding rows included, whose longest has `longest` input tokens. */
export interface BatchSize {
  readonly rows: number;
  readonly longest: number;
}

/** Lengths are multiples of this: GPU kernels read four numbers at a time. */
const LENGTH_STEP = 4;
/**
 * A length more is worth a graph when it saves this share of the positions, and so many. On word problems that makes 7
 * graphs for training where fixed buckets make 6, and padding of 10 % instead of 15 %; half the share, 9 graphs and 9 %.
 */
const WORTH_A_GRAPH = { share: 0.01, positions: 128 } as const;

/** Lengths of a training are chosen for so many of its first steps; later ones are like them. */
const STEPS_LOOKED_AT = 1000;

/** Sizes of the micro-batches of a training. */
export function batchSizes(rows: readonly EncodedRow[], order: DataOrder, fullBatch: number): BatchSize[] {
  return Array.from({ length: Math.min(order.totalSteps, STEPS_LOOKED_AT) }, (_, step) => order.microBatches(step))
    .flat()
    .map((indices) =>
      sizeOfBatch(
        indices.flatMap((index) => rows[index] ?? []),
        fullBatch,
      ),
    );
}

/** The size of a micro-batch of these rows. */
export function sizeOfBatch(rows: readonly EncodedRow[], fullBatch: number): BatchSize {
  return { rows: bucketRows(rows.length, fullBatch), longest: inputLength(rows) };
}

/**
 * Lengths, rising, of which each batch is padded to the next: those that make the positions of all batches, and for each
 * new length a share of them, fewest. `known` lengths have graphs already and cost nothing; the result has those in use.
 */
export function chooseLengths(
  batches: readonly BatchSize[],
  maxPositions: number,
  known: readonly number[] = [],
): number[] {
  const rounded = (length: number): number =>
    Math.min(maxPositions, Math.ceil(Math.max(1, length) / LENGTH_STEP) * LENGTH_STEP);
  const rowsAt = new Map<number, number>(known.map((length) => [length, 0]));
  for (const { rows, longest } of batches) rowsAt.set(rounded(longest), (rowsAt.get(rounded(longest)) ?? 0) + rows);
  const lengths = [...rowsAt.keys()].sort((a, b) => a - b);
  const rowsBelow = [0];
  let positions = 0;
  for (const length of lengths) {
    const rows = rowsAt.get(length) ?? 0;
    positions += rows * length;
    rowsBelow.push((rowsBelow.at(-1) ?? 0) + rows);
  }
  const price = Math.max(WORTH_A_GRAPH.share * positions, WORTH_A_GRAPH.positions);
  const free = new Set(known);
  const rowsUpTo = (count: number): number => rowsBelow[count] ?? 0;
  // best[n]: least cost of all batches up to the n-th length when that is one of the chosen; `from` the chosen one before it.
  const best: { readonly cost: number; readonly from: number }[] = [{ cost: 0, from: 0 }];
  lengths.forEach((length, i) => {
    let found = { cost: Infinity, from: 0 };
    for (let from = 0; from <= i; from++) {
      const cost =
        (best[from]?.cost ?? 0) + (rowsUpTo(i + 1) - rowsUpTo(from)) * length + (free.has(length) ? 0 : price);
      if (cost < found.cost) found = { cost, from };
    }
    best.push(found);
  });
  // The longest batch decides where the last chosen length may be: there, or at a known one beyond.
  const all = rowsUpTo(lengths.length);
  let end = 0;
  for (let n = 1; n <= lengths.length; n++)
    if (rowsUpTo(n) === all && (end === 0 || (best[n]?.cost ?? Infinity) < (best[end]?.cost ?? Infinity))) end = n;
  const chosen: number[] = [];
  for (; end > 0; end = best[end]?.from ?? 0) chosen.unshift(lengths[end - 1] ?? 0);
  return chosen;
}

/** The lengths that one student's graphs of one kind have so far. */
export class LengthBuckets {
  readonly #maxPositions: number;
  #lengths: readonly number[] = [];

  constructor(maxPositions: number) {
    this.#maxPositions = maxPositions;
  }

  /** All lengths so far, rising. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Prepares for these batches: adds the lengths that are worth a graph beside those there are. */
  prepare(batches: readonly BatchSize[]): void {
    const chosen = chooseLengths(batches, this.#maxPositions, this.#lengths);
    this.#lengths = [...new Set([...this.#lengths, ...chosen])].sort((a, b) => a - b);
  }

  /** The length for a batch whose longest row has `longest` input tokens; one that was not prepared for gets a fixed bucket's. */
  lengthFor(longest: number): number {
    const known = this.#lengths.find((length) => length >= longest);
    if (known !== undefined) return known;
    const length = bucketLength(longest, this.#maxPositions);
    this.#lengths = [...this.#lengths, length];
    return length;
  }
}
