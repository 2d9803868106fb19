/** @file Scoring tokenized rows: batches of like length, one graph run each, sums over tokens made into per-row scores. */
import { badInput, invariant, throwIfAborted, TutelageError } from "../core/errors.ts";
import { TOKEN_SCORES, type TokenScore } from "../nn/losses.ts";
import type { Session } from "../runtime/types.ts";
import {
  anyShapeFeeds,
  anyShapeLimit,
  batchesByLength,
  bucketLength,
  inputLength,
  makeMicroBatch,
  partsByLength,
  type MicroBatch,
} from "./batches.ts";
import { sizeOfBatch, type LengthBuckets } from "./lengthBuckets.ts";
import type { ParameterStore } from "./parameterStore.ts";
import type { SessionCache } from "./sessionCache.ts";
import type { EncodedRow, ScoreName, ScoreRow } from "./types.ts";

/** Rows per batch unless the caller says otherwise. */
export const DEFAULT_SCORE_BATCH = 16;

export interface ScoreOptions {
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

interface ScoreParts {
  readonly store: ParameterStore;
  readonly sessions: SessionCache;
  readonly maxPositions: number;
  /** What the tokenizer puts before an empty text: the condition of an answer without its question. */
  readonly emptyPrompt: readonly number[];
}

/**
 * Scores of every row, in the order of the rows; means over its loss-carrying tokens in nats or probabilities, except
 * - `lossSum`: the sum of their losses;
 * - `gradNorm`: `‖∂ loss/∂w‖₂`, w all trainable parameters, of the row's mean loss (GraNd, arXiv 2107.07075);
 * - `ifd`: `loss(answer | question) / loss(answer)`, the instruction-following difficulty (Li et al. 2024,
 *   arXiv 2308.12032), both over the same tokens. Behind a tokenizer that begins texts with no token
 *   of its own, an answer without its question has no first prediction, and that token is left out there.
 * @throws TutelageError non-finite naming the row, aborted; BadInputError naming a row whose answer is too short for `ifd`.
 */
export async function scoreRows(
  parts: ScoreParts,
  rows: readonly EncodedRow[],
  scores: readonly ScoreName[],
  options: ScoreOptions = {},
): Promise<ScoreRow[]> {
  const wanted = new Set(scores);
  const tokenScores = TOKEN_SCORES.filter(
    (score) => wanted.has(score) || (score === "loss" && (wanted.has("lossSum") || wanted.has("ifd"))),
  );
  // Said before anything runs.
  const answers = wanted.has("ifd") ? rows.map((row) => withoutQuestion(row, parts.emptyPrompt)) : [];
  const passes = (tokenScores.length > 0 ? 1 : 0) + (wanted.has("ifd") ? 1 : 0) + (wanted.has("gradNorm") ? 1 : 0);
  let finished = 0;
  const pass = async <T>(work: (progress: ScoreOptions) => Promise<T>): Promise<T> => {
    const before = finished++ * rows.length;
    return work({ ...options, onProgress: (done) => options.onProgress?.(before + done, passes * rows.length) });
  };
  const sums =
    tokenScores.length > 0 ? await pass((progress) => tokenSums(parts, rows, tokenScores, progress)) : undefined;
  const alone = wanted.has("ifd") ? await pass((progress) => tokenSums(parts, answers, ["loss"], progress)) : undefined;
  const squared = wanted.has("gradNorm") ? await pass((progress) => squaredNorms(parts, rows, progress)) : undefined;

  return rows.map((row, i) => {
    const sumOf = (score: TokenScore): number => at(sums?.[score], i);
    const valueOf = (score: ScoreName): number => {
      switch (score) {
        case "lossSum":
          return sumOf("loss");
        case "gradNorm":
          return Math.sqrt(Math.max(0, at(squared, i))) / row.completionTokens;
        case "ifd":
          return sumOf("loss") / row.completionTokens / (at(alone?.loss, i) / at(answers, i).completionTokens);
        default:
          return sumOf(score) / row.completionTokens;
      }
    };
    const values = scores.map((score) => [score, valueOf(score)] as const);
    for (const [score, value] of values) {
      if (Number.isFinite(value)) continue;
      throw new TutelageError(
        "non-finite",
        `row ${JSON.stringify(row.id)}: expected a finite ${score}, got ${value}. The student's weights hold NaN or values too large for float32`,
        { details: { row: row.id, score, value } },
      );
    }
    return { id: row.id, tokens: row.completionTokens, ...Object.fromEntries(values) };
  });
}

/** The row's answer behind an empty prompt: the same tokens from the first that carries loss on. */
export function withoutQuestion(row: EncodedRow, emptyPrompt: readonly number[]): EncodedRow {
  const start = row.lossMask === undefined ? row.ids.length - row.completionTokens : row.lossMask.indexOf(1);
  if (start <= Math.max(1, emptyPrompt.length)) return row;
  const ids = Int32Array.from([...emptyPrompt, ...row.ids.subarray(start)]);
  const unpredicted = emptyPrompt.length === 0 ? 1 : 0;
  const completionTokens = row.completionTokens - unpredicted;
  if (completionTokens === 0)
    badInput(
      `row ${JSON.stringify(row.id)}: ifd`,
      "an answer of at least 2 tokens, because this tokenizer begins texts with no token of its own",
      "an empty one",
    );
  if (row.lossMask === undefined) return { id: row.id, ids, completionTokens };
  const lossMask = Uint8Array.from([...emptyPrompt.map(() => 0), ...row.lossMask.subarray(start)]);
  lossMask[0] = 0;
  return { id: row.id, ids, completionTokens, lossMask };
}

/** Sums of token scores over each row, by score: in one graph of any shape, or on graphs for lengths that fit these rows. */
async function tokenSums<S extends TokenScore>(
  parts: ScoreParts,
  rows: readonly EncodedRow[],
  scores: readonly S[],
  options: ScoreOptions,
): Promise<Readonly<Record<S, Float64Array>>> {
  const { sessions, maxPositions } = parts;
  const { batchSize = DEFAULT_SCORE_BATCH } = options;
  const limit = anyShapeLimit(rows, { batchSize }, sessions.blueprint.decoder, sessions.ep);
  if (limit !== undefined)
    return tokenSumsOfAnyShape(parts, rows, scores, options, await sessions.score("any", limit, scores));
  const buckets = sessions.ep === "webgpu" ? sessions.lengths("score", maxPositions) : undefined;
  buckets?.prepare(
    inBatches(rows, batchSize).map((indices) =>
      sizeOfBatch(
        indices.map((index) => at(rows, index)),
        batchSize,
      ),
    ),
  );
  const open = (batch: number, length: number): Promise<Session> => sessions.score(batch, length, scores);
  return perRow(parts, rows, scores, options, open, buckets);
}

/** `tokenSums` on a graph that takes any number of rows of any length, and sees exactly the positions that count. */
async function tokenSumsOfAnyShape<S extends TokenScore>(
  { store, maxPositions }: ScoreParts,
  rows: readonly EncodedRow[],
  scores: readonly S[],
  { batchSize = DEFAULT_SCORE_BATCH, signal, onProgress }: ScoreOptions,
  session: Session,
): Promise<Readonly<Record<S, Float64Array>>> {
  const out = Object.fromEntries(scores.map((name) => [name, new Float64Array(rows.length)])) as Record<
    S,
    Float64Array
  >;
  const targets = Object.fromEntries(scores.map((name) => [name, "host" as const]));
  const parts = inBatches(rows, batchSize).flatMap((indices) =>
    partsByLength(indices.map((index) => ({ index, ids: at(rows, index).ids }))),
  );
  let done = 0;
  for (const part of parts) {
    throwIfAborted(signal, "scoring");
    const own = part.map(({ index }) => at(rows, index));
    const batch = makeMicroBatch(own, batchSize, maxPositions, "exact");
    const result = await session.run({ ...store.feeds(session), ...anyShapeFeeds(batch) }, targets);
    for (const name of scores) {
      const { data } = result.host(name);
      let position = 0;
      part.forEach(({ index }, b) => {
        const counted = countWeights(batch, b);
        for (let i = 0; i < counted; i++) out[name][index] = (out[name][index] ?? 0) + Number(data[position++]);
      });
    }
    done += part.length;
    onProgress?.(done, rows.length);
  }
  return out;
}

/** Positions of row `b` that count. */
function countWeights({ length, feeds }: MicroBatch, b: number): number {
  const { data } = feeds.weights;
  let counted = 0;
  for (let t = b * length; t < (b + 1) * length; t++) if (data[t] !== 0) counted++;
  return counted;
}

const inBatches = (rows: readonly EncodedRow[], batchSize: number): number[][] =>
  batchesByLength(
    rows.map((row) => row.ids.length),
    batchSize,
  );

/** Squared norm of the gradient of each row's summed loss. */
async function squaredNorms(
  parts: ScoreParts,
  rows: readonly EncodedRow[],
  options: ScoreOptions,
): Promise<Float64Array> {
  const longest = rows.reduce((most, row) => Math.max(most, row.ids.length - 1), 1);
  const limit = parts.sessions.gradNormRows(bucketLength(longest, parts.maxPositions));
  const batchSize = Math.min(options.batchSize ?? DEFAULT_SCORE_BATCH, limit);
  const names = ["gradNormSquared"] as const;
  const { gradNormSquared } = await perRow(parts, rows, names, { ...options, batchSize }, (batch, length) =>
    parts.sessions.gradNorm(batch, length),
  );
  return gradNormSquared;
}

/** The outputs [B] named `names` of a graph over every row. */
async function perRow<N extends string>(
  parts: ScoreParts,
  rows: readonly EncodedRow[],
  names: readonly N[],
  options: ScoreOptions,
  open: (batch: number, length: number) => Promise<Session>,
  buckets?: LengthBuckets,
): Promise<Readonly<Record<N, Float64Array>>> {
  const out = Object.fromEntries(names.map((name) => [name, new Float64Array(rows.length)])) as Record<N, Float64Array>;
  const batchSize = options.batchSize ?? DEFAULT_SCORE_BATCH;
  let done = 0;
  for (const indices of inBatches(rows, batchSize)) {
    throwIfAborted(options.signal, "scoring");
    const own = indices.map((index) => at(rows, index));
    const batch = makeMicroBatch(own, batchSize, parts.maxPositions, buckets?.lengthFor(inputLength(own)));
    const session = await open(batch.batch, batch.length);
    const result = await session.run(
      { ...parts.store.feeds(session), ...batch.feeds },
      Object.fromEntries(names.map((name) => [name, "host" as const])),
    );
    for (const name of names) {
      const { data } = result.host(name);
      indices.forEach((index, b) => (out[name][index] = Number(data[b])));
    }
    done += indices.length;
    options.onProgress?.(done, rows.length);
  }
  return out;
}

function at<T>(items: ArrayLike<T> | undefined, i: number): T {
  const item = items?.[i];
  invariant(item !== undefined, "batches stay inside the rows");
  return item;
}
