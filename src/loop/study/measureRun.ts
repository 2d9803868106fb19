/**
 * @file Figures of a finished run that the loop itself does not need: how hard its picks
 * were for the untouched student, how far its accepted pairs lie apart, and whether a small step on
 * them would help on held-out questions. Computed with the student at its base weights, so that
 * strategies are measured with one rule. Never looks at test questions.
 */
import { rougeL } from "../../core/rougeL.ts";
import type { PromptCompletion, Student } from "../../student/types.ts";
import type { Question, Task } from "../../tasks/types.ts";
import { evenly } from "../../study/evenly.ts";
import type { RunMeasures } from "../../study/types.ts";
import { fittingSplits } from "../checkRows.ts";
import type { ExperimentConfig } from "../config.ts";
import type { StoredRun } from "../runStore.ts";
import { rowOf } from "../runState.ts";
import { splitsOf } from "../splitsOf.ts";

/** Accepted pairs, and validation pairs, that are embedded. */
const EMBEDDED_ROWS = 64;
/** Accepted questions compared with their seeds. */
const COMPARED_QUESTIONS = 100;

/** What runs of one task, seed and student share. */
export interface BaseFacts {
  readonly seeds: ReadonlyMap<string, Question>;
  /** Seeds that the untouched student answers right, greedily. */
  readonly right: ReadonlySet<string>;
  readonly reference: readonly PromptCompletion[];
}

/** The facts of a pool. `student` is at its base weights and stays there. @throws TutelageError aborted. */
export async function measureBase(
  config: ExperimentConfig,
  task: Task,
  student: Student,
  signal?: AbortSignal,
): Promise<BaseFacts> {
  const { splits } = fittingSplits(config, task, splitsOf(task, config), student);
  const { maxNewTokens, batchSize } = config.generation;
  const answers = await student.generate(
    splits.pool.map((seed) => task.prompt(seed.question)),
    { maxNewTokens, batchSize, ...(signal === undefined ? {} : { signal }) },
  );
  const right = splits.pool.filter((seed, i) => task.check(seed, answers[i]?.completion ?? "").correct);
  return {
    seeds: new Map(splits.pool.map((seed) => [seed.id, seed])),
    right: new Set(right.map(({ id }) => id)),
    reference: evenly(splits.validation, EMBEDDED_ROWS).map((question) => rowOf(task, question)),
  };
}

/** The figures of a run. `student` is at its base weights and stays there. @throws TutelageError aborted. */
export async function measureRun(
  run: StoredRun,
  task: Task,
  student: Student,
  { seeds, right, reference }: BaseFacts,
  signal?: AbortSignal,
): Promise<RunMeasures> {
  const picked = run.picks.flatMap(({ picks }) => picks.map(({ seedId }) => seedId)).filter((id) => seeds.has(id));
  const accepted = run.examples.filter((example) => example.accepted);
  const sample = evenly(accepted, EMBEDDED_ROWS).map((example) => rowOf(task, example));
  const likeness = evenly(accepted, COMPARED_QUESTIONS).flatMap(({ question, seedId }) => {
    const seed = seeds.get(seedId);
    return seed === undefined ? [] : [rougeL(question, seed.question)];
  });
  const options = signal === undefined ? {} : { signal };
  const enough = sample.length >= 2;
  const hidden = enough ? await student.innerProducts(sample, "hidden", options) : undefined;
  const gradients =
    enough && reference.length > 0
      ? await student.innerProducts([...sample, ...reference], "badge", options)
      : undefined;
  return {
    schemaVersion: 1,
    rounds: run.rounds.length - 1,
    poolSize: seeds.size,
    poolBaseAccuracy: seeds.size === 0 ? null : right.size / seeds.size,
    pickedBaseAccuracy: picked.length === 0 ? null : picked.filter((id) => right.has(id)).length / picked.length,
    seedSimilarity: likeness.length === 0 ? null : likeness.reduce((sum, x) => sum + x, 0) / likeness.length,
    dispersion: hidden === undefined ? null : dispersionOf(hidden, sample.length),
    influence: gradients === undefined ? null : cosineOfMeans(gradients, sample.length, reference.length),
    sampleSize: sample.length,
    referenceSize: reference.length,
  };
}

/** `(mean ‖x‖² − ‖mean x‖²) / mean ‖x‖²` from the products of all pairs of `n` rows: 0 for equal rows, 1 for rows that cancel. Null where all are zero. */
export function dispersionOf(products: ArrayLike<number>, n: number): number | null {
  const square = blockMean(products, n, [0, n], [0, n]);
  let power = 0;
  for (let i = 0; i < n; i++) power += (products[i * n + i] ?? 0) / n;
  return power > 0 ? Math.max(0, (power - square) / power) : null;
}

/** Cosine between the mean of the first `a` rows and that of the next `b`, from the products of all pairs. Null where either mean is zero. */
export function cosineOfMeans(products: ArrayLike<number>, a: number, b: number): number | null {
  const n = a + b;
  const [first, second] = [[0, a] as const, [a, n] as const];
  const norms = blockMean(products, n, first, first) * blockMean(products, n, second, second);
  return norms > 0 ? blockMean(products, n, first, second) / Math.sqrt(norms) : null;
}

/** Mean of a block of the n × n products. */
function blockMean(
  products: ArrayLike<number>,
  n: number,
  [rowFrom, rowTo]: readonly [number, number],
  [from, to]: readonly [number, number],
): number {
  let sum = 0;
  for (let i = rowFrom; i < rowTo; i++) for (let j = from; j < to; j++) sum += products[i * n + j] ?? 0;
  return sum / ((rowTo - rowFrom) * (to - from));
}
