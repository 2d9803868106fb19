/** @file What the engine of a race is, holds and is asked for, as one value. Builds graphs to count and estimate; runs nothing. */
import type { EngineStatus, ProviderStatus } from "../protocol/loopService.ts";
import type { TrainingNeeds } from "../student/types.ts";
import type { RaceEngine } from "./openLane.ts";
import { fittingSplits } from "./checkRows.ts";
import type { Lane } from "./race.ts";
import { splitsOf } from "./splitsOf.ts";

/** Seeds that stand for all rows: their answers are about as long as new ones. */
const SAMPLE_ROWS = 256;

/** The status of an open race's engine. */
export function engineStatus(
  providers: readonly ProviderStatus[],
  { info, live, memory }: RaceEngine,
  queue: number,
  needs: TrainingNeeds | undefined,
): EngineStatus {
  return {
    providers,
    engine: info,
    ...(live === undefined ? {} : { live: { ...live } }),
    ...(memory === undefined ? {} : { memory: { ...memory } }),
    queue,
    ...(needs === undefined ? {} : { needs }),
  };
}

/** What training needs in a lane, with worked answers of its seeds as rows; undefined for students without graphs. */
export function laneNeeds({ needs, task, config, memory, student }: Lane): TrainingNeeds | undefined {
  const { method: _, ...training } = config.training;
  const rows = fittingSplits(config, task, splitsOf(task, config), student)
    .splits.pool.slice(0, SAMPLE_ROWS)
    .map(({ id, question, answer }) => ({ id, prompt: task.prompt(question), completion: answer }));
  const { batchSize, gradAccum, gradientCheckpointing } = memory;
  const recompute = gradientCheckpointing === "on" ? { gradientCheckpointing: true } : {};
  return needs?.(rows, { ...training, batchSize, gradAccum, ...recompute, shuffle: true, seed: config.seed });
}
