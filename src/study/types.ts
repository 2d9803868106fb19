/** @file What a study's analysis reads: its cells, and what became of each. Plain data; the report it gives is in `reportSchema.ts`. */
import type { ExperimentConfig } from "../loop/config.ts";
import type { RoundSummary, SyntheticExample } from "../loop/records.ts";
import type { StoredPicks } from "../loop/runStore.ts";

/** Where a run stands in the grid. Labels are unique on their axis. */
export interface CellPlace {
  /** Made of the labels; names the run's folder. */
  readonly id: string;
  readonly task: string;
  readonly option: string;
  readonly strategy: string;
  readonly seed: number;
}

/** One run of the grid: its place and its whole experiment. */
export interface StudyCell extends CellPlace {
  readonly config: ExperimentConfig;
}

/** What was measured of a finished run beside the loop, with the task and the untouched student. Plain JSON. */
export interface RunMeasures {
  readonly schemaVersion: 1;
  /** The run ended by itself: all its rounds, a ceiling, or a stopping rule. */
  readonly rounds: number;
  /** Seeds of the pool. */
  readonly poolSize: number;
  /** Share of the pool, and of the picks, that the untouched student answers right; null without picks. */
  readonly poolBaseAccuracy: number | null;
  readonly pickedBaseAccuracy: number | null;
  /** ROUGE-L of accepted questions with the question of the seed they were written after, mean of the sample. */
  readonly seedSimilarity: number | null;
  /** Mean squared distance of a sample of accepted pairs from their mean, over the mean squared norm: of mean hidden states of the untouched student. */
  readonly dispersion: number | null;
  /** Cosine of the mean output-head gradients, at the untouched student, of the sample and of reference pairs of the validation split. */
  readonly influence: number | null;
  /** Rows of the sample and of the reference. */
  readonly sampleSize: number;
  readonly referenceSize: number;
}

/** What is left of a run on the disk. Only finished runs are compared. */
export interface StudyRun {
  readonly cell: CellPlace;
  readonly state: "finished" | "unfinished" | "failed" | "missing";
  /** Why it failed. */
  readonly message?: string;
  /** Absent where there is no run folder. */
  readonly engine?: string;
  readonly rounds: readonly RoundSummary[];
  readonly examples: readonly SyntheticExample[];
  readonly picks: readonly StoredPicks[];
  readonly measures?: RunMeasures;
}

/** A study to be analysed. */
export interface StudyInput {
  readonly name: string;
  readonly version: string;
  /** Labels in the order of the study file. */
  readonly tasks: readonly string[];
  readonly strategies: readonly string[];
  readonly options: readonly string[];
  readonly seeds: readonly number[];
  /** The strategy that others are compared with. */
  readonly reference: string;
  /** Accuracies whose price is compared; empty for those that the reference reaches on its way. */
  readonly targets: readonly number[];
  readonly confidence: number;
  readonly resamples: number;
  readonly runs: readonly StudyRun[];
}
