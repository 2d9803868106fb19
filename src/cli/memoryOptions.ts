/** @file Memory on the command line: which settings of a run may change when it is resumed, and with which options one that ran out of memory goes on. */
import { badInput } from "../core/errors.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import { memoryOf } from "../loop/memoryChange.ts";
import type { LoopRecord, Phase } from "../loop/records.ts";
import type { StoredRun } from "../loop/runStore.ts";
import { describeMemoryChange, halfBatch, lessMemory, type MemorySettings } from "../student/memorySettings.ts";
import type { TrainOptions } from "../student/types.ts";
import type { Options } from "./options.ts";

/** Options that change the memory of a run and not its steps. */
export const MEMORY_OPTIONS = ["batch-size", "generation-batch-size", "gradient-checkpointing"] as const;

/**
 * How the run is computed, by its experiment, its last sitting and the options, in this order.
 * @throws BadInputError for a batch that the run's steps cannot be made of.
 */
export function askedMemory(config: ExperimentConfig, stored: StoredRun | undefined, options: Options): MemorySettings {
  const now = memoryOf(config, stored);
  const { batchSize, generationBatchSize } = {
    batchSize: options.given("batch-size") ? options.integer("batch-size", { min: 1 }) : now.batchSize,
    generationBatchSize: options.given("generation-batch-size")
      ? options.integer("generation-batch-size", { min: 1 })
      : now.generationBatchSize,
  };
  const stepRows = now.batchSize * now.gradAccum;
  if (stepRows % batchSize !== 0)
    badInput(
      "--batch-size",
      `a divisor of ${stepRows}, the rows of a step of this run`,
      String(batchSize),
      "Accumulation makes up for it",
    );
  return {
    batchSize,
    gradAccum: stepRows / batchSize,
    generationBatchSize,
    gradientCheckpointing: options.given("gradient-checkpointing")
      ? options.choice("gradient-checkpointing", ["auto", "on"])
      : now.gradientCheckpointing,
  };
}

/** Notes which phase a loop is in. */
export class PhaseWatch {
  current: Phase | undefined;

  async *watch(records: AsyncIterable<LoopRecord>): AsyncGenerator<LoopRecord, void, void> {
    for await (const record of records) {
      if (record.type === "phase") this.current = record.phase;
      yield record;
    }
  }
}

/** How the run in `folder`, which ran out of memory in `phase`, goes on. */
export function adviceInLess(folder: string, now: MemorySettings, phase: Phase | undefined): string {
  const less = lessMemory(now, phase);
  const kept = "out of memory; what is stored stays";
  if (less === undefined)
    return `${kept}. Its batches are single rows already: free memory and go on with tutelage loop --resume ${folder}, or start a run that needs less`;
  const options = [
    ...(less.batchSize === now.batchSize ? [] : [`--batch-size ${less.batchSize}`]),
    ...(less.generationBatchSize === now.generationBatchSize
      ? []
      : [`--generation-batch-size ${less.generationBatchSize}`]),
    ...(less.gradientCheckpointing === now.gradientCheckpointing ? [] : ["--gradient-checkpointing on"]),
  ];
  return `${kept}; go on in less with: tutelage loop --resume ${folder} ${options.join(" ")} (${describeMemoryChange(now, less)}; the same steps up to rounding)`;
}

/** What makes the same `tutelage train` need less memory, as options to follow `--resume-state DIR`; or that nothing does. */
export function trainInLess({
  batchSize,
  gradAccum,
  gradientCheckpointing,
}: Pick<TrainOptions, "batchSize" | "gradAccum" | "gradientCheckpointing">): string {
  const half = halfBatch({ batchSize, gradAccum });
  const less = [
    ...(half === undefined ? [] : [`--batch-size ${half.batchSize} --grad-accum ${half.gradAccum}`]),
    ...(gradientCheckpointing === true ? [] : ["--gradient-checkpointing on"]),
  ].join(" ");
  return less === ""
    ? " once more memory is free: in less than single rows and gradient checkpointing the same training cannot be"
    : ` ${less}`;
}
