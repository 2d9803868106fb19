/**
 * @file What padding costs on real rows: the share of token positions that hold no token
 * when the built-in student trains on word problems, drawn at random or grouped by length,
 * and when it scores them, sorted by length. Counted, not timed: every position costs the same.
 */
import { builtinStudentDirectory } from "../src/cli/builtinStudent.ts";
import { Rng } from "../src/core/rng.ts";
import { directorySource } from "../src/formats/node/directorySource.ts";
import { DEFAULT_EXPERIMENT } from "../src/loop/defaults.ts";
import { parseDecoder } from "../src/nn/families.ts";
import {
  batchesByLength,
  inputLength,
  makeMicroBatch,
  partsByLength,
  type MicroBatch,
} from "../src/student/batches.ts";
import { dataOrderOf } from "../src/student/dataOrder.ts";
import { LengthBuckets, sizeOfBatch } from "../src/student/lengthBuckets.ts";
import type { EncodedRow } from "../src/student/types.ts";
import { createTask } from "../src/tasks/registry.ts";
import { encodeRows } from "../src/tokenizer/encodeRow.ts";
import { loadTokenizer } from "../src/tokenizer/tokenizer.ts";

export interface PaddingFigures {
  readonly type: "padding";
  readonly rows: number;
  /** Tokens of a row, EOS not counted as input. */
  readonly meanLength: number;
  readonly longest: number;
  readonly training: PaddingOf;
  /** Training with `groupByLength`, the default of the loop. */
  readonly groupedTraining: PaddingOf;
  readonly scoring: PaddingOf;
}

interface PaddingOf {
  readonly batchSize: number;
  /** Share of positions without a token where one graph takes any shape: cpu and wasm. */
  readonly padding: number;
  /** Parts of a batch there, on average. */
  readonly parts: number;
  /** The share where each size has a graph of its own, of which there are to be few: webgpu. */
  readonly inBuckets: number;
  readonly shapes: number;
}

const ROWS = 200;

export async function measurePadding(): Promise<PaddingFigures> {
  const source = directorySource(builtinStudentDirectory());
  const decoder = parseDecoder(JSON.parse(await source.readText("config.json")));
  const { maxPositionEmbeddings } = decoder;
  const task = createTask(DEFAULT_EXPERIMENT.task.name);
  const { pool } = task.splits({ pool: ROWS, validation: 0, test: 0 }, new Rng(1));
  const examples = pool.map((question) => ({
    id: question.id,
    prompt: task.prompt(question.question),
    completion: task.completion(question),
  }));
  const { rows } = encodeRows(await loadTokenizer(source), examples, { maxPositions: maxPositionEmbeddings });

  const { training, generation } = DEFAULT_EXPERIMENT;
  const drawn = (groupByLength: boolean): number[][] => {
    const order = dataOrderOf(rows, { ...training, shuffle: true, groupByLength, seed: 1 });
    return Array.from({ length: order.totalSteps }, (_, step) => order.microBatches(step)).flat();
  };
  const lengths = rows.map((row) => row.ids.length - 1);
  const sorted = batchesByLength(lengths, generation.batchSize);
  const paddingOf = (batches: readonly (readonly number[])[], batchSize: number): PaddingOf => {
    const micro = batches.map((indices) => pick(rows, indices));
    const buckets = new LengthBuckets(maxPositionEmbeddings);
    buckets.prepare(micro.map((own) => sizeOfBatch(own, batchSize)));
    const made = (own: readonly EncodedRow[], length: number | "exact"): MicroBatch =>
      makeMicroBatch(own, batchSize, maxPositionEmbeddings, length);
    const bucketed = micro.map((own) => made(own, buckets.lengthFor(inputLength(own))));
    const parts = micro.flatMap((own) => partsByLength(own)).map((own) => made(own, "exact"));
    const paddingIn = (all: readonly MicroBatch[]): number =>
      1 -
      all.reduce((sum, batch) => sum + batch.inputTokens, 0) /
        all.reduce((sum, batch) => sum + batch.batch * batch.length, 0);
    return {
      batchSize,
      padding: paddingIn(parts),
      parts: parts.length / micro.length,
      inBuckets: paddingIn(bucketed),
      shapes: new Set(bucketed.map((batch) => `${batch.batch}x${batch.length}`)).size,
    };
  };
  return {
    type: "padding",
    rows: rows.length,
    meanLength: lengths.reduce((sum, length) => sum + length, 0) / lengths.length,
    longest: Math.max(...lengths),
    training: paddingOf(drawn(false), training.batchSize),
    groupedTraining: paddingOf(drawn(true), training.batchSize),
    scoring: paddingOf(sorted, generation.batchSize),
  };
}

function pick(rows: readonly EncodedRow[], indices: readonly number[]): EncodedRow[] {
  return indices.flatMap((index) => rows[index] ?? []);
}

export function describePadding({
  rows,
  meanLength,
  longest,
  training,
  groupedTraining,
  scoring,
}: PaddingFigures): string {
  const share = (value: number): string => `${(100 * value).toFixed(1)}%`;
  const line = (name: string, { batchSize, padding, parts, inBuckets, shapes }: PaddingOf): string =>
    `  ${name} in batches of ${batchSize}: ${share(padding)} on cpu and wasm (${parts.toFixed(1)} parts a batch), ${share(inBuckets)} on webgpu in ${shapes} graph shapes`;
  return [
    `padding of ${rows} word problems for the built-in student (${meanLength.toFixed(0)} tokens a row, at most ${longest}), share of positions:`,
    line("training, rows drawn at random,", training),
    line("training, rows grouped by length,", groupedTraining),
    line("scoring, rows sorted by length,", scoring),
  ].join("\n");
}
