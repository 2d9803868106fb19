/** @file The questions of an experiment, as its run draws them from its seed. */
import { Rng } from "../core/rng.ts";
import type { Splits, Task } from "../tasks/types.ts";
import type { ExperimentConfig } from "./config.ts";

/** Pool, validation and test questions; the same for the same task, sizes and seed. */
export function splitsOf(task: Task, { task: { pool, validation, test }, seed }: ExperimentConfig): Splits {
  return task.splits({ pool, validation, test }, new Rng(seed).fork("splits"));
}
