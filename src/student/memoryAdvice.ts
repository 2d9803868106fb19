/**
 * @file What to advise where a training does not fit: settings that would, tried against a limit
 * before a training; after one ran out of memory, what would need less. Not here: the decision (`memoryPlan.ts`).
 */
import { TutelageError } from "../core/errors.ts";
import { resolveLora } from "../nn/lora.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import type { StudentBlueprint } from "./graphs.ts";
import {
  describeEstimate,
  estimateTraining,
  formatBytes,
  heldBytes,
  type TrainingPlan,
  type TrainShape,
} from "./memoryEstimate.ts";
import { halfBatch } from "./memorySettings.ts";
import { layoutParameters } from "./parameterLayout.ts";
import type { TrainOptions } from "./types.ts";

/** A training as it ran: its options, and the largest shapes of its micro-batches. */
export type RunningPlan = TrainOptions & {
  readonly gradientCheckpointing: boolean;
  readonly shapes: readonly TrainShape[];
};

/**
 * The error of a training that ran out of memory on `ep`, which says what would need less: first what leaves the
 * training the same up to rounding, then what does not, each the most helpful first. `liveBytes`, all tensors on the engine,
 * tell whether others than this training's hold more than it needs. Anything but an `out-of-memory` without advice is
 * returned as it is.
 */
export function trainingOutOfMemory(
  error: unknown,
  blueprint: StudentBlueprint,
  plan: RunningPlan,
  ep: ExecutionProvider,
  liveBytes: number,
): unknown {
  if (!(error instanceof TutelageError) || typeof error.details["reason"] !== "string") return error;
  const now = estimateTraining(blueprint, plan, ep);
  const [same, others] = waysToLess(blueprint, plan, ep).map((ways) =>
    ways
      .map(({ name, changed, settings }) => ({ name, total: estimateTraining(changed, settings, ep).total }))
      .filter(({ total }) => total < NOTABLE * now.total)
      .sort((a, b) => a.total - b.total)
      .map(({ name, total }) => `${name} (about ${formatBytes(total)})`),
  );
  const elsewhere = liveBytes - sumOf(heldBytes(blueprint, plan.gradAccum));
  const advice = [
    ...(elsewhere > now.total
      ? [`Other students and tensors hold ${formatBytes(elsewhere)} on this engine: fewer lanes or runs leave more.`]
      : []),
    ...(same === undefined || same.length === 0 ? [] : [`The same training in less: ${same.join(", ")}.`]),
    `Another training that needs less: ${[...(others ?? []), "a smaller student"].join(", ")}`,
  ].join(" ");
  return new TutelageError(
    "out-of-memory",
    `training on ${ep}, a need of about ${formatBytes(now.total)} (${describeEstimate(now)}): not enough memory (${error.details["reason"]}). ${advice}`,
    { cause: error },
  );
}

/** The error of scoring or generation that ran out of memory: there is nothing to train, so neither accumulation nor an adapter helps. */
export function answersOutOfMemory(error: unknown, doing: "scoring" | "generation", batchSize: number): unknown {
  if (!(error instanceof TutelageError) || typeof error.details["reason"] !== "string") return error;
  const [batches, less] =
    batchSize > 1
      ? [`in batches of up to ${batchSize} rows`, "Smaller batches, shorter rows"]
      : ["row by row", "Shorter rows"];
  return new TutelageError(
    "out-of-memory",
    `${doing} ${batches}: not enough memory (${error.details["reason"]}). ${less}, or a smaller student would need less`,
    { cause: error },
  );
}

/** What saves less than this share is no help. */
const NOTABLE = 0.95;

interface Way {
  readonly name: string;
  readonly changed: StudentBlueprint;
  readonly settings: TrainingPlan;
}

/** Ways to the same training, and to others. */
function waysToLess(
  blueprint: StudentBlueprint,
  plan: RunningPlan,
  ep: ExecutionProvider,
): readonly (readonly Way[])[] {
  const half = halfBatch(plan);
  const { decoder, layout, lora } = blueprint;
  const full = layout.frozen.length === 0;
  const longest = Math.max(...plan.shapes.map(({ length }) => length));
  const smaller = half && { ...plan, ...half, shapes: shrink(plan.shapes, half.batchSize, 1) };
  const batches = half === undefined ? "" : `batches of ${half.batchSize} with ${half.gradAccum} accumulated`;
  const twice = { ...plan, gradientCheckpointing: true };
  const same: Way[] = [
    ...(plan.gradientCheckpointing ? [] : [{ name: "gradient checkpointing", changed: blueprint, settings: twice }]),
    ...(smaller === undefined ? [] : [{ name: batches, changed: blueprint, settings: smaller }]),
    ...(plan.gradientCheckpointing || smaller === undefined
      ? []
      : [{ name: "both", changed: blueprint, settings: { ...smaller, gradientCheckpointing: true } }]),
  ];
  const others: Way[] = [
    ...(full ? [{ name: "LoRA", changed: adapted(blueprint), settings: plan }] : []),
    ...(full || layout.halved.size > 0
      ? []
      : [
          {
            name: halfWeights(ep),
            changed: { ...blueprint, layout: layoutParameters(decoder, lora, "lora", "float16") },
            settings: plan,
          },
        ]),
    ...(longest < 2
      ? []
      : [
          {
            name: `rows of at most ${Math.floor(longest / 2)} tokens instead of ${longest}`,
            changed: blueprint,
            settings: { ...plan, shapes: shrink(plan.shapes, Infinity, 2) },
          },
        ]),
  ];
  return [same, others];
}

/** Not every GPU computes in float16, and which one it is, is not known here. */
const halfWeights = (ep: ExecutionProvider): string =>
  `frozen weights in float16${ep === "webgpu" ? ", if the GPU has shader-f16" : ""}`;

/** The student with an adapter of rank 8 on all linear layers. */
function adapted({ decoder }: StudentBlueprint): StudentBlueprint {
  const lora = resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 8, scaling: 2 }));
  return { decoder, lora, layout: layoutParameters(decoder, lora, "lora", "float32") };
}

/** What would fit, tried in the order of how little it changes. */
export function advise(
  blueprint: StudentBlueprint,
  plan: TrainOptions & { readonly shapes: readonly TrainShape[] },
  ep: ExecutionProvider,
  limitBytes: number,
): string {
  // What is held in any case is known without building graphs.
  const fits = (changed: StudentBlueprint, settings: TrainingPlan): boolean =>
    sumOf(heldBytes(changed, settings.gradAccum)) <= limitBytes &&
    estimateTraining(changed, settings, ep).total <= limitBytes;
  const once: TrainingPlan = { ...plan, gradientCheckpointing: true };
  if (fits(blueprint, once)) return "Gradient checkpointing would fit";
  const full = blueprint.layout.frozen.length === 0;
  const halved: StudentBlueprint = full
    ? blueprint
    : { ...blueprint, layout: layoutParameters(blueprint.decoder, blueprint.lora, "lora", "float16") };
  if (!full && fits(halved, once)) return `Gradient checkpointing with ${halfWeights(ep)} would fit`;
  const most = Math.max(...plan.shapes.map(({ batch }) => batch));
  for (let batch = Math.floor(most / 2); batch >= 1; batch = Math.floor(batch / 2)) {
    const smaller = { ...once, shapes: shrink(plan.shapes, batch, 1) };
    if (fits(blueprint, smaller)) return `A batch size of ${batch} with gradient accumulation would fit`;
  }
  for (const part of [2, 4, 8]) {
    const smaller = { ...once, shapes: shrink(plan.shapes, 1, part) };
    const longest = Math.max(...smaller.shapes.map(({ length }) => length));
    if (fits(blueprint, smaller)) return `Rows of at most ${longest} tokens in batches of 1 would fit`;
  }
  return full ? adviseAdapter(blueprint, plan, ep, limitBytes) : SMALLER;
}

const SMALLER = "Take a smaller student";

/** Of a student that does not fit in full: an adapter on all linear layers, which needs moments for itself alone. */
function adviseAdapter(
  blueprint: StudentBlueprint,
  plan: TrainOptions & { readonly shapes: readonly TrainShape[] },
  ep: ExecutionProvider,
  limitBytes: number,
): string {
  const changed = adapted(blueprint);
  const settings = { ...plan, gradientCheckpointing: true };
  if (sumOf(heldBytes(changed, plan.gradAccum)) > limitBytes) return SMALLER;
  if (estimateTraining(changed, settings, ep).total <= limitBytes)
    return "In full it would not, whatever the batch; LoRA of rank 8 would fit";
  const advice = advise(changed, plan, ep, limitBytes);
  return advice === SMALLER ? advice : `In full it would not, whatever the batch. With LoRA of rank 8: ${advice}`;
}

const sumOf = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);

function shrink(shapes: readonly TrainShape[], batch: number, part: number): TrainShape[] {
  return shapes.map((shape) => {
    const length = Math.max(1, Math.floor(shape.length / part));
    const rows = Math.min(shape.batch, batch);
    const share = (rows * length) / (shape.batch * shape.length);
    return {
      batch: rows,
      length,
      lossPositions:
        shape.lossPositions === undefined ? undefined : Math.max(1, Math.ceil(shape.lossPositions * share)),
    };
  });
}
