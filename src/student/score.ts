/** @file Scoring tokenized rows: batches by length, one graph run each, token sums made into per-row scores. */
import { invariant, throwIfAborted, TutelageError } from "../core/errors.ts";
import type { TokenScore } from "../nn/losses.ts";
import { batchesByLength, makeMicroBatch } from "./batches.ts";
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

/**
 * Scores of every row, in the order of the rows: means over its loss-carrying tokens, `lossSum` their sum, in nats.
 * @throws TutelageError non-finite naming the row, aborted.
 */
export async function scoreRows(
  parts: { readonly store: ParameterStore; readonly sessions: SessionCache; readonly maxPositions: number },
  rows: readonly EncodedRow[],
  scores: readonly ScoreName[],
  options: ScoreOptions = {},
): Promise<ScoreRow[]> {
  const tokenScores = [...new Set(scores.map((score): TokenScore => (score === "lossSum" ? "loss" : score)))];
  const batchSize = options.batchSize ?? DEFAULT_SCORE_BATCH;
  const out = new Array<ScoreRow>(rows.length);
  let done = 0;
  for (const indices of batchesByLength(
    rows.map((row) => row.ids.length),
    batchSize,
  )) {
    throwIfAborted(options.signal, "scoring");
    const batch = makeMicroBatch(
      indices.map((index) => {
        const row = rows[index];
        invariant(row !== undefined, "batches stay inside the rows");
        return row;
      }),
      batchSize,
      parts.maxPositions,
    );
    const session = await parts.sessions.score(batch.batch, batch.length, tokenScores);
    const result = await session.run(
      { ...parts.store.feeds(session), ...batch.feeds },
      Object.fromEntries(tokenScores.map((score) => [score, "host" as const])),
    );
    batch.rows.forEach((row, b) => {
      const sumOf = (score: TokenScore): number => Number(result.host(score).data[b]);
      const values = scores.map(
        (score) => [score, score === "lossSum" ? sumOf("loss") : sumOf(score) / row.completionTokens] as const,
      );
      for (const [score, value] of values) {
        if (Number.isFinite(value)) continue;
        throw new TutelageError(
          "non-finite",
          `row ${JSON.stringify(row.id)}: expected a finite ${score}, got ${value}. The student's weights hold NaN or values too large for float32`,
          { details: { row: row.id, score, value } },
        );
      }
      out[indices[b] ?? 0] = { id: row.id, tokens: row.completionTokens, ...Object.fromEntries(values) };
    });
    done += indices.length;
    options.onProgress?.(done, rows.length);
  }
  return out;
}
