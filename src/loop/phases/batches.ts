/**
 * @file The student's long calls cut into one batch per pull, so that not pulling
 * pauses within a phase and lanes that share an engine alternate. Rows of like
 * length share a batch (less padding), longest first (the largest buffers come
 * first). Results keep the order of the input. A run that goes on in less memory
 * has the same batches, which the student takes in parts: draws are named by batch and row.
 */
import { throwIfAborted } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import type { Generation, PromptCompletion, ScoreName, ScoreRow } from "../../student/types.ts";
import type { RunState } from "../runState.ts";

/** How completions are drawn; a temperature of 0 is greedy and draws nothing from `rng`. */
export interface Sampling {
  readonly temperature: number;
  readonly topP: number;
  readonly rng: Rng;
}

/** Completions of the prompts, greedy ones without `sampling`; yields how many are done. */
export function generateInBatches(
  run: RunState,
  prompts: readonly string[],
  sampling?: Sampling,
): AsyncGenerator<number, readonly Generation[], void> {
  const { maxNewTokens } = run.config.generation;
  const batchSize = run.memory.generationBatchSize;
  const draw = (start: number) =>
    sampling === undefined || sampling.temperature === 0
      ? {}
      : { temperature: sampling.temperature, topP: sampling.topP, rng: sampling.rng.fork(`batch ${start}`) };
  return inBatches(
    run,
    prompts,
    (prompt) => prompt.length,
    (batch, signal, start) => run.student.generate(batch, { maxNewTokens, batchSize, ...draw(start), ...signal }),
  );
}

/** One score of every row; yields how many are done. */
export function scoreInBatches(
  run: RunState,
  rows: readonly PromptCompletion[],
  scores: readonly ScoreName[],
): AsyncGenerator<number, readonly ScoreRow[], void> {
  const batchSize = run.memory.generationBatchSize;
  return inBatches(
    run,
    rows,
    (row) => row.prompt.length + row.completion.length,
    (batch, signal) => run.student.score(batch, scores, { batchSize, ...signal }),
  );
}

async function* inBatches<T, R>(
  run: RunState,
  items: readonly T[],
  lengthOf: (item: T) => number,
  work: (batch: readonly T[], signal: { readonly signal?: AbortSignal }, start: number) => Promise<readonly R[]>,
): AsyncGenerator<number, readonly R[], void> {
  const order = items
    .map((item, index) => ({ item, index, length: lengthOf(item) }))
    .sort((a, b) => b.length - a.length || a.index - b.index);
  const results = new Map<number, R>();
  const signal = run.signal === undefined ? {} : { signal: run.signal };
  for (let start = 0; start < order.length; start += run.config.generation.batchSize) {
    throwIfAborted(run.signal, "closed loop");
    const batch = order.slice(start, start + run.config.generation.batchSize);
    const values = await work(
      batch.map(({ item }) => item),
      signal,
      start,
    );
    batch.forEach(({ index }, i) => results.set(index, values[i] as R));
    yield results.size;
  }
  return items.map((_, index) => results.get(index) as R);
}
