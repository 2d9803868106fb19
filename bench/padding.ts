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
import { batchesByLength, makeMicroBatch, type MicroBatch } from "../src/student/batches.ts";
import { dataOrderOf } from "../src/student/dataOrder.ts";
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
  /** Share of positions without a token. */
  readonly padding: number;
  /** The same if every batch were exactly as long as its longest row: the rest is for few graph shapes. */
  readonly withExactLengths: number;
  readonly shapes: number;
}

const ROWS = 200;

export async function measurePadding(): Promise<PaddingFigures> {
  const source = directorySource(builtinStudentDirectory());
  const { maxPositionEmbeddings } = parseDecoder(JSON.parse(await source.readText("config.json")));
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
    const made = batches.map((indices) => makeMicroBatch(pick(rows, indices), batchSize, maxPositionEmbeddings));
    const positions = (length: (batch: MicroBatch) => number): number =>
      made.reduce((sum, batch) => sum + batch.batch * length(batch), 0);
    const tokens = made.reduce((sum, batch) => sum + batch.inputTokens, 0);
    return {
      batchSize,
      padding: 1 - tokens / positions((batch) => batch.length),
      withExactLengths: 1 - tokens / positions((batch) => Math.max(...batch.rows.map((row) => row.ids.length - 1))),
      shapes: new Set(made.map((batch) => `${batch.batch}x${batch.length}`)).size,
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
  const line = (name: string, { batchSize, padding, withExactLengths, shapes }: PaddingOf): string =>
    `  ${name} in batches of ${batchSize}: ${share(padding)} (${share(withExactLengths)} with batches exactly as long as their longest row), ${shapes} graph shapes`;
  return [
    `padding of ${rows} word problems for the built-in student (${meanLength.toFixed(0)} tokens a row, at most ${longest}), share of positions:`,
    line("training, rows drawn at random,", training),
    line("training, rows grouped by length,", groupedTraining),
    line("scoring, rows sorted by length,", scoring),
  ].join("\n");
}
