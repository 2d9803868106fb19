/**
 * @file From tokenized rows to the static shapes that graphs take: length buckets,
 * batch sizes, feeds. The input is a row without its last token, the targets the
 * same row without its first.
 */
import type { Decoder } from "../nn/family.ts";
import { rowsOfChunk } from "../nn/losses.ts";
import type { Tensor } from "../onnx/types.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import type { EncodedRow, TrainOptions } from "./types.ts";

/** Feeds of the score and train graphs for one micro-batch of shape [B, T]. */
export interface MicroBatch {
  readonly batch: number;
  readonly length: number;
  readonly rows: readonly EncodedRow[];
  /** Real (not padding) input tokens. */
  readonly inputTokens: number;
  /** Targets that carry loss. */
  readonly lossTokens: number;
  readonly feeds: { readonly ids: Tensor; readonly targets: Tensor; readonly weights: Tensor };
}

/**
 * Sequence length a graph is built for: the next multiple of 16 (32 above 128, 64
 * above 256, 128 above 512), at most `maxPositions`. Fine steps keep padding small,
 * few of them keep the number of sessions small.
 */
export function bucketLength(length: number, maxPositions: number): number {
  const step = length <= 128 ? 16 : length <= 256 ? 32 : length <= 512 ? 64 : 128;
  return Math.min(maxPositions, Math.ceil(Math.max(1, length) / step) * step);
}

/**
 * The length up to which one train or score graph takes any number of rows of any length, which then pad to the longest of their
 * part of the batch only; undefined where each size has a graph of its own: on WebGPU, where sizes must be known to keep every node there and buffers are
 * kept by size; for models read from a file; where logits need chunks, which are laid out for one size.
 */
export function anyShapeLimit(
  rows: readonly EncodedRow[],
  options: Pick<TrainOptions, "batchSize">,
  decoder: Pick<Decoder, "imported" | "vocabSize" | "maxPositionEmbeddings">,
  ep: ExecutionProvider,
): number | undefined {
  if (ep === "webgpu" || decoder.imported !== undefined) return undefined;
  const limit = powerOfTwo(inputLength(rows), decoder.maxPositionEmbeddings);
  return options.batchSize * limit <= rowsOfChunk(decoder.vocabSize) ? limit : undefined;
}

/** The smallest power of two ≥ `count`, at most `most`. */
export function powerOfTwo(count: number, most: number): number {
  let size = 1;
  while (size < count) size *= 2;
  return Math.min(most, size);
}

/** Rows a graph is built for: `full`, or for a smaller rest the next power of two. */
export function bucketRows(rows: number, full: number): number {
  return powerOfTwo(rows, full);
}

/** A run costs about as much besides its positions as so many positions: weights are read, and in training gradients added to those before. */
const POSITIONS_OF_A_RUN = 32;

/**
 * The rows of a micro-batch in parts of like length, longest first, that together take the least time on a graph of any
 * shape: `Σ (rows · longest + c)` over the parts. The gradient of a sum over rows does not know of them.
 */
export function partsByLength<R extends Pick<EncodedRow, "ids">>(rows: readonly R[]): R[][] {
  const lengthOf = (row: R | undefined): number => (row === undefined ? 0 : Math.max(1, row.ids.length - 1));
  const sorted = rows.toSorted((a, b) => lengthOf(b) - lengthOf(a));
  // best[n]: the cost of the first n rows, and where their last part begins.
  const best: { readonly cost: number; readonly from: number }[] = [{ cost: 0, from: 0 }];
  for (let end = 1; end <= sorted.length; end++) {
    let found = { cost: Infinity, from: 0 };
    for (let from = 0; from < end; from++) {
      const cost = (best[from]?.cost ?? 0) + (end - from) * lengthOf(sorted[from]) + POSITIONS_OF_A_RUN;
      if (cost < found.cost) found = { cost, from };
    }
    best.push(found);
  }
  const parts: R[][] = [];
  for (let end = sorted.length; end > 0; end = best[end]?.from ?? 0) parts.unshift(sorted.slice(best[end]?.from, end));
  return parts;
}

/**
 * Packs rows into one micro-batch; missing rows and padding carry no weight. Rows are padded to `length` positions; "exact":
 * as many rows as there are, as long as the longest, for a graph that takes any.
 */
export function makeMicroBatch(
  rows: readonly EncodedRow[],
  fullBatch: number,
  maxPositions: number,
  length: number | "exact" = bucketLength(inputLength(rows), maxPositions),
): MicroBatch {
  return length === "exact"
    ? packRows(rows, rows.length, inputLength(rows))
    : packRows(rows, bucketRows(rows.length, fullBatch), length);
}

function packRows(rows: readonly EncodedRow[], batch: number, length: number): MicroBatch {
  const ids = new Int32Array(batch * length);
  const targets = new Int32Array(batch * length);
  const weights = new Float32Array(batch * length);
  let inputTokens = 0;
  let lossTokens = 0;
  rows.forEach((row, b) => {
    const last = row.ids.length - 1;
    const offset = b * length;
    ids.set(row.ids.subarray(0, last), offset);
    targets.set(row.ids.subarray(1), offset);
    if (row.lossMask === undefined) weights.fill(1, offset + last - row.completionTokens, offset + last);
    else weights.set(row.lossMask.subarray(1), offset);
    inputTokens += last;
    lossTokens += row.completionTokens;
  });
  return {
    batch,
    length,
    rows,
    inputTokens,
    lossTokens,
    feeds: {
      ids: { type: "int32", shape: [batch, length], data: ids },
      targets: { type: "int32", shape: [batch * length, 1], data: targets },
      weights: { type: "float32", shape: [batch, length], data: weights },
    },
  };
}

/** Input tokens of the longest of some rows. */
export function inputLength(rows: readonly EncodedRow[]): number {
  return rows.reduce((most, row) => Math.max(most, row.ids.length - 1), 1);
}

/** Logits of all positions below this many bytes are not worth graphs of their own for fewer positions. */
const SMALL_LOGITS_BYTES = 16 * 1024 * 1024;

/**
 * Positions that the output head of a train graph is built for: the next quarter of B·T that holds `lossTokens`.
 * Undefined for all of them, also where a vocabulary of `vocabSize` makes little of it.
 */
export function bucketLossPositions(
  { batch, length }: Pick<MicroBatch, "batch" | "length">,
  lossTokens: number,
  vocabSize: number,
): number | undefined {
  const all = batch * length;
  if (4 * all * vocabSize < SMALL_LOGITS_BYTES) return undefined;
  const quarter = Math.ceil(all / 4);
  const positions = Math.max(1, Math.ceil(lossTokens / quarter)) * quarter;
  return positions >= all ? undefined : positions;
}

/** The feeds of a graph of any shape: exactly the positions that carry loss. */
export function anyShapeFeeds(batch: MicroBatch): Readonly<Record<string, Tensor>> {
  const range = Int32Array.from({ length: batch.length }, (_, i) => i);
  return {
    ...lossFeeds(batch, Math.max(1, batch.lossTokens)),
    range: { type: "int32", shape: [batch.length], data: range },
  };
}

/** The feeds of a train graph for `positions` loss positions (see `bucketLossPositions`); spare ones carry no weight. */
export function lossFeeds(batch: MicroBatch, positions: number | undefined): Readonly<Record<string, Tensor>> {
  if (positions === undefined) return batch.feeds;
  const lossRows = new Int32Array(positions);
  const targets = new Int32Array(positions);
  const weights = new Float32Array(positions);
  let next = 0;
  batch.feeds.weights.data.forEach((weight: number | bigint, at: number) => {
    if (weight === 0) return;
    lossRows[next] = at;
    targets[next] = Number(batch.feeds.targets.data[at]);
    weights[next] = Number(weight);
    next += 1;
  });
  return {
    ids: batch.feeds.ids,
    lossRows: { type: "int32", shape: [positions], data: lossRows },
    targets: { type: "int32", shape: [positions, 1], data: targets },
    weights: { type: "float32", shape: [positions, 1], data: weights },
  };
}

/** Indices of the rows in batches of similar length, longest first: the largest buffers are allocated once. */
export function batchesByLength(lengths: readonly number[], batchSize: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  const batches: number[][] = [];
  for (let i = 0; i < order.length; i += batchSize) batches.push(order.slice(i, i + batchSize));
  return batches;
}
