/**
 * @file Several training rows in one sequence, kept apart by the attention mask: a
 * batch drawn at random mixes lengths, and padding all rows to the longest wasted 40 %
 * of a step on word problems. Rows of one micro-batch are packed, never of two, so
 * that steps and their losses are those of the unpacked batch. Not here: scoring,
 * whose rows are sorted by length.
 */
import { invariant } from "../core/errors.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { Decoder } from "../nn/family.ts";
import { bucketLength, bucketRows, type PackedMicroBatch } from "./batches.ts";
import type { EncodedRow } from "./types.ts";

/** Packed sequences have a multiple of this many positions: few lengths, so few graphs over the rounds of a run. */
const LENGTH_STEP = 32;
/** Sequences longer than this many times the longest row gain nothing: attention grows with their length. */
const MAX_STRETCH = 2;
/** Packing must save this share of the cost: its graphs compute their mask. */
const MIN_SAVING = 0.05;
/** Making a session for another shape costs about as much as this many steps (measured on cpu and wasm). */
const SESSION_STEPS = 0.5;
/** An operation of attention costs this many others: its products are small, its softmax is memory traffic (cpu and wasm). */
const ATTENTION_WEIGHT = 2.5;

/**
 * Bins of at most `capacity` for `lengths`, as indices: longest first, each into the
 * fullest bin that holds it (best fit decreasing).
 * Every length must be at most `capacity`.
 */
export function packLengths(lengths: readonly number[], capacity: number): number[][] {
  const bins: { readonly items: number[]; used: number }[] = [];
  const order = lengths
    .map((length, index) => ({ length, index }))
    .sort((a, b) => b.length - a.length || a.index - b.index);
  for (const { length, index } of order) {
    invariant(length <= capacity, "a row fits into a sequence");
    const fullest = bins.filter((bin) => bin.used + length <= capacity).sort((a, b) => b.used - a.used)[0];
    if (fullest === undefined) bins.push({ items: [index], used: length });
    else {
      fullest.items.push(index);
      fullest.used += length;
    }
  }
  return bins.map((bin) => bin.items);
}

/** What a training looks like to the choice of its shapes. */
export interface PackingCase {
  /** Input lengths of the rows of its micro-batches, or of a typical part of them. */
  readonly batches: readonly (readonly number[])[];
  /** Micro-batches of the whole training. */
  readonly batchCount: number;
  /** Rows of a full micro-batch. */
  readonly fullBatch: number;
  /** Graphs for each shape: two where gradients are accumulated. */
  readonly graphsPerShape: number;
  readonly maxPositions: number;
  /** κ: what attention costs per position and key, relative to everything else per position. */
  readonly attentionCost: number;
}

/** Shapes [R, T] of packed micro-batches. */
export interface PackingPlan {
  /** T; a batch with a longer row has longer sequences. */
  readonly length: number;
  /** The numbers of sequences R that have graphs, ascending, by T. */
  readonly sequences: ReadonlyMap<number, readonly number[]>;
}

/** κ of `PackingCase`: 2·D operations per layer, position and key, against the matrices that every position passes. */
export function attentionCost({
  numHiddenLayers,
  hiddenSize,
  parameters,
  embedding,
  tieWordEmbeddings,
}: Decoder): number {
  const passed = parameters.filter(
    ({ name, shape }) => shape.length === 2 && (tieWordEmbeddings || name !== embedding),
  );
  return (
    (ATTENTION_WEIGHT * 2 * numHiddenLayers * hiddenSize) /
    passed.reduce((sum, { shape }) => sum + elementCount(shape), 0)
  );
}

/**
 * The shapes that make a training cheapest, or undefined when a row to a sequence is as
 * cheap. R sequences of T positions cost `R·T·(1 + κT)`, every shape half a step.
 */
export function planPacking(given: PackingCase): PackingPlan | undefined {
  const { batches, fullBatch, maxPositions } = given;
  const longest = Math.max(...batches.flat());
  let best: PackingPlan | undefined;
  const padded = batches.map((lengths): Shape => [
    bucketRows(lengths.length, fullBatch),
    bucketLength(Math.max(...lengths), maxPositions),
  ]);
  let bestCost = (1 - MIN_SAVING) * costOf(given, padded);
  for (let length = LENGTH_STEP; length < MAX_STRETCH * longest + LENGTH_STEP; length += LENGTH_STEP) {
    const needed = batches.map((lengths): Shape => {
      const own = sequenceLength(lengths, length);
      return [packLengths(lengths, own).length, own];
    });
    const sequences = new Map(
      [...new Set(needed.map(([, own]) => own))].map((own) => [own, worthwhile(given, needed, own)] as const),
    );
    const plan = { length, sequences };
    const cost = costOf(
      given,
      needed.map(([count, own]): Shape => [planned(plan, count, own), own]),
    );
    if (cost < bestCost) [best, bestCost] = [plan, cost];
  }
  return best;
}

/** Rows (or sequences) and positions of a batch. */
type Shape = readonly [number, number];

/** Cost of the whole training when its batches have these shapes. */
function costOf({ batches, batchCount, graphsPerShape, attentionCost }: PackingCase, shapes: readonly Shape[]): number {
  const runs =
    shapes.reduce((sum, [rows, length]) => sum + rows * length * (1 + attentionCost * length), 0) *
    (batchCount / batches.length);
  const sessions = graphsPerShape * new Set(shapes.map((shape) => shape.join())).size;
  return runs * (1 + (SESSION_STEPS * sessions) / batchCount);
}

/** Of the numbers of sequences of `length` that batches need, those used often enough to be worth graphs of their own. */
function worthwhile(
  { batches, batchCount, graphsPerShape }: PackingCase,
  needed: readonly Shape[],
  length: number,
): number[] {
  const meanCost = needed.reduce((sum, [count, own]) => sum + count * own, 0) / needed.length;
  const counts = needed.filter(([, own]) => own === length).map(([count]) => count);
  const distinct = [...new Set(counts)].sort((a, b) => a - b);
  let waiting = 0; // batches whose number was left out
  return distinct.filter((count, i) => {
    const next = distinct[i + 1];
    const uses = ((waiting + counts.filter((other) => other === count).length) * batchCount) / batches.length;
    const stepsSaved = next === undefined ? Infinity : (uses * (next - count) * length) / meanCost;
    const kept = stepsSaved > SESSION_STEPS * graphsPerShape;
    waiting = kept ? 0 : waiting + counts.filter((other) => other === count).length;
    return kept;
  });
}

/** The smallest planned number of sequences of `length` that is enough. */
function planned({ sequences }: PackingPlan, count: number, length: number): number {
  return sequences.get(length)?.find((candidate) => candidate >= count) ?? count;
}

/** The planned length, or more for a batch with a longer row. */
function sequenceLength(lengths: readonly number[], plannedLength: number): number {
  return Math.max(plannedLength, Math.ceil(Math.max(...lengths) / LENGTH_STEP) * LENGTH_STEP);
}

/**
 * One micro-batch with the rows packed into sequences of the planned shape. Feeds beside those
 * of an unpacked one: `segments` int32 [R, T], 0 at padding, n at the nth row of the
 * sequence; `positions.int32` and `positions.int64` [R, T], from 0 in every row.
 */
export function packMicroBatch(rows: readonly EncodedRow[], plan: PackingPlan): PackedMicroBatch {
  const lengths = rows.map((row) => row.ids.length - 1);
  const length = sequenceLength(lengths, plan.length);
  const bins = packLengths(lengths, length);
  const batch = planned(plan, bins.length, length);
  const size = batch * length;
  const [ids, targets, segments, positions] = [
    new Int32Array(size),
    new Int32Array(size),
    new Int32Array(size),
    new Int32Array(size),
  ];
  const weights = new Float32Array(size);
  let inputTokens = 0;
  let lossTokens = 0;
  bins.forEach((bin, b) => {
    let offset = b * length;
    bin.forEach((index, segment) => {
      const row = rows[index];
      invariant(row !== undefined, "bins hold the rows");
      const last = row.ids.length - 1;
      ids.set(row.ids.subarray(0, last), offset);
      targets.set(row.ids.subarray(1), offset);
      weights.fill(1, offset + last - row.completionTokens, offset + last);
      segments.fill(segment + 1, offset, offset + last);
      for (let position = 0; position < last; position++) positions[offset + position] = position;
      offset += last;
      inputTokens += last;
      lossTokens += row.completionTokens;
    });
  });
  const shape = [batch, length];
  return {
    batch,
    length,
    rows,
    inputTokens,
    lossTokens,
    feeds: {
      ids: { type: "int32", shape, data: ids },
      targets: { type: "int32", shape: [size, 1], data: targets },
      weights: { type: "float32", shape, data: weights },
      segments: { type: "int32", shape, data: segments },
      "positions.int32": { type: "int32", shape, data: positions },
      "positions.int64": { type: "int64", shape, data: BigInt64Array.from(positions, BigInt) },
    },
  };
}
