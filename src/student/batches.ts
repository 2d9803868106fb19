/**
 * @file From tokenized rows to the static shapes that graphs take: length buckets,
 * batch sizes, feeds. The input is a row without its last token, the targets the
 * same row without its first.
 */
import type { Tensor } from "../onnx/types.ts";
import type { EncodedRow } from "./types.ts";

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

/** Packs rows into one micro-batch; missing rows and padding carry no weight. */
export function makeMicroBatch(rows: readonly EncodedRow[], fullBatch: number, maxPositions: number): MicroBatch {
  const batch = bucketRows(rows.length, fullBatch);
  const length = bucketLength(Math.max(...rows.map((row) => row.ids.length - 1)), maxPositions);
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
