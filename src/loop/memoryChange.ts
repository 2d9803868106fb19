/**
 * @file How a run is computed, and what of it may change when it is resumed: batches, whose rows a
 * step stay the same, and gradient checkpointing. Not here: what such settings are (`student/memorySettings.ts`).
 */
import { badInput } from "../core/errors.ts";
import { memorySettingsOf, sameMemory, type MemorySettings } from "../student/memorySettings.ts";
import type { ExperimentConfig } from "./config.ts";
import type { MemoryChange } from "./records.ts";
import type { StoredRun } from "./runStore.ts";

/** How a run is computed now: as its experiment says, or as it was last resumed. */
export function memoryOf(config: ExperimentConfig, stored: StoredRun | undefined): MemorySettings {
  return stored?.memoryChanges.at(-1)?.to ?? memorySettingsOf(config);
}

/**
 * The change that `wanted` makes to a run, from its first unfinished round on; undefined for none.
 * @throws BadInputError for settings that would make other steps.
 */
export function memoryChangeOf(
  config: ExperimentConfig,
  stored: StoredRun | undefined,
  wanted: MemorySettings | undefined,
): MemoryChange | undefined {
  if (wanted === undefined) return undefined;
  const from = memoryOf(config, stored);
  for (const key of ["batchSize", "gradAccum", "generationBatchSize"] as const)
    if (!Number.isSafeInteger(wanted[key]) || wanted[key] < 1)
      badInput(`memory settings, ${key}`, "a whole number of at least 1", String(wanted[key]));
  const { batchSize, gradAccum } = config.training;
  if (wanted.batchSize * wanted.gradAccum !== batchSize * gradAccum)
    badInput(
      "memory settings, batch size × accumulation",
      `${batchSize * gradAccum} rows a step as the run began`,
      `${wanted.batchSize} × ${wanted.gradAccum}`,
      "Its steps would be others",
    );
  return sameMemory(from, wanted) ? undefined : { round: stored?.rounds.length ?? 0, from, to: wanted };
}
