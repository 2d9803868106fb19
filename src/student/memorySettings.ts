/**
 * @file Settings that decide how much memory a run needs and not what it computes: how large its
 * batches are where accumulation keeps the rows of a step, and whether activations are computed
 * twice. Changed, a run takes the same steps up to rounding. Plain rules; imports nothing.
 */

/** How a run is computed. */
export interface MemorySettings {
  /** Rows of a micro-batch; times `gradAccum` the rows of an optimizer step. */
  readonly batchSize: number;
  readonly gradAccum: number;
  /** Rows that are scored, or generated for, at a time. */
  readonly generationBatchSize: number;
  /** `on`: activations are always computed twice; `auto`: where the estimate says that they must. */
  readonly gradientCheckpointing: "auto" | "on";
}

/** The settings that an experiment names. */
export function memorySettingsOf(config: {
  readonly training: Pick<MemorySettings, "batchSize" | "gradAccum">;
  readonly generation: { readonly batchSize: number };
}): MemorySettings {
  const { training, generation } = config;
  return {
    batchSize: training.batchSize,
    gradAccum: training.gradAccum,
    generationBatchSize: generation.batchSize,
    gradientCheckpointing: "auto",
  };
}

/** The largest micro-batch of at most half the rows that the same steps are made of; undefined for a single row. */
export function halfBatch({
  batchSize,
  gradAccum,
}: Pick<MemorySettings, "batchSize" | "gradAccum">): Pick<MemorySettings, "batchSize" | "gradAccum"> | undefined {
  for (let half = Math.floor(batchSize / 2); half >= 1; half--)
    if ((batchSize * gradAccum) % half === 0) return { batchSize: half, gradAccum: (batchSize * gradAccum) / half };
  return undefined;
}

/**
 * The next settings that need less memory, after `phase` ran out of it: training, or scoring and generation; without
 * a phase all of them. Undefined where there are none.
 */
export function lessMemory(now: MemorySettings, phase?: string): MemorySettings | undefined {
  const training = phase === undefined || phase === "train";
  const answers = phase !== "train";
  const less: MemorySettings = {
    ...now,
    // Together: with more than one micro-batch a step keeps its gradients twice, which could outweigh a smaller batch alone.
    ...(training ? { ...halfBatch(now), gradientCheckpointing: "on" as const } : {}),
    ...(answers ? { generationBatchSize: Math.max(1, Math.floor(now.generationBatchSize / 2)) } : {}),
  };
  return sameMemory(less, now) ? undefined : less;
}

/** Whether both compute a run the same way. */
export function sameMemory(a: MemorySettings, b: MemorySettings): boolean {
  return describeMemoryChange(a, b) === "";
}

/** What differs, for people: `batches of 8 × 2 accumulated instead of 16 × 1, …`; empty where nothing does. */
export function describeMemoryChange(from: MemorySettings, to: MemorySettings): string {
  const changes: string[] = [];
  if (from.batchSize !== to.batchSize || from.gradAccum !== to.gradAccum)
    changes.push(
      `training in batches of ${to.batchSize} × ${to.gradAccum} accumulated instead of ${from.batchSize} × ${from.gradAccum}`,
    );
  if (from.gradientCheckpointing !== to.gradientCheckpointing)
    changes.push(
      to.gradientCheckpointing === "on"
        ? "gradient checkpointing, which takes about a third more time"
        : "gradient checkpointing only where it must be",
    );
  if (from.generationBatchSize !== to.generationBatchSize)
    changes.push(
      `scores and answers for ${to.generationBatchSize} rows at a time instead of ${from.generationBatchSize}`,
    );
  return changes.join(", ");
}
