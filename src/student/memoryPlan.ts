/**
 * @file Decides before a training whether it fits: which batch shapes will occur, what they
 * need, whether activations must be computed twice, and what to advise where it does not fit.
 */
import { TutelageError } from "../core/errors.ts";
import type { Decoder } from "../nn/family.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import { anyShapeLimit, bucketLength, bucketLossPositions, bucketRows, inputLength, partsByLength } from "./batches.ts";
import { dataOrderOf } from "./dataOrder.ts";
import type { StudentBlueprint } from "./graphs.ts";
import { batchSizes, LengthBuckets } from "./lengthBuckets.ts";
import { advise } from "./memoryAdvice.ts";
import {
  describeEstimate,
  estimateTraining,
  formatBytes,
  heldBytes,
  type MemoryEstimate,
  type TrainShape,
} from "./memoryEstimate.ts";
import { layoutParameters } from "./parameterLayout.ts";
import type { EncodedRow, TrainOptions } from "./types.ts";

const GIB = 2 ** 30;

/** Addresses of a 32-bit WebAssembly memory. */
export const WASM_LIMIT_BYTES = 4 * GIB;
/** A laptop's GPU shares memory with the rest of the machine, and none says how much is left: above this, activations are computed twice. */
const WEBGPU_COMFORT_BYTES = 2e9;

export type Checkpointing = "auto" | "on" | "off";

export interface MemoryChoice {
  readonly gradientCheckpointing: boolean;
  readonly estimate: MemoryEstimate;
  /** What the estimate was held against; undefined where nothing is known or asked for. */
  readonly limitBytes: number | undefined;
  readonly shape: TrainShape;
}

/** The micro-batch shapes of a training of which none is covered by another: those decide what is needed. */
export function largestShapes(
  rows: readonly EncodedRow[],
  options: TrainOptions,
  decoder: Pick<Decoder, "imported" | "vocabSize" | "maxPositionEmbeddings">,
  ep: ExecutionProvider,
): TrainShape[] {
  const { vocabSize, maxPositionEmbeddings } = decoder;
  const anyShape = anyShapeLimit(rows, options, decoder, ep) !== undefined;
  const order = dataOrderOf(rows, options);
  const buckets = ep === "webgpu" ? new LengthBuckets(maxPositionEmbeddings) : undefined;
  buckets?.prepare(batchSizes(rows, order, options.batchSize));
  const found = new Map<string, TrainShape>();
  for (let step = 0; step < order.totalSteps; step++) {
    for (const own of order.microBatches(step).flatMap((indices) => {
      const micro = indices.flatMap((index) => rows[index] ?? []);
      return anyShape ? partsByLength(micro) : [micro];
    })) {
      const batch = bucketRows(own.length, options.batchSize);
      const lossTokens = own.reduce((sum, row) => sum + row.completionTokens, 0);
      // Where graphs take any shape, what is needed is estimated for shapes rounded up: few of them tell it as well.
      const length = buckets?.lengthFor(inputLength(own)) ?? bucketLength(inputLength(own), maxPositionEmbeddings);
      const shape = {
        batch,
        length,
        lossPositions: anyShape
          ? bucketLength(lossTokens, batch * length)
          : bucketLossPositions({ batch, length }, lossTokens, vocabSize),
      };
      found.set(JSON.stringify(shape), shape);
    }
  }
  const shapes = [...found.values()];
  const positions = (shape: TrainShape): number => shape.lossPositions ?? shape.batch * shape.length;
  const covers = (a: TrainShape, b: TrainShape): boolean =>
    a.batch >= b.batch && a.length >= b.length && positions(a) >= positions(b);
  return shapes.filter((shape) => !shapes.some((other) => other !== shape && covers(other, shape)));
}

/**
 * The choice for training `blueprint` on `rows`.
 * @throws TutelageError out-of-memory, before anything is allocated, with what would fit.
 */
export function chooseMemory(
  blueprint: StudentBlueprint,
  rows: readonly EncodedRow[],
  options: TrainOptions,
  ep: ExecutionProvider,
  settings: { readonly checkpointing: Checkpointing; readonly limitBytes?: number | undefined },
): MemoryChoice {
  const limitBytes = settings.limitBytes ?? (ep === "wasm" ? WASM_LIMIT_BYTES : undefined);
  const comfort = limitBytes ?? (ep === "webgpu" ? WEBGPU_COMFORT_BYTES : Infinity);
  const tried = (settings.checkpointing === "auto" ? [false, true] : [settings.checkpointing === "on"]).map(
    (gradientCheckpointing) => {
      const own = { ...options, gradientCheckpointing };
      // On graphs of any shape a batch may go in several parts, whose gradients add up.
      const parts = anyShapeLimit(rows, own, blueprint.decoder, ep) !== undefined && options.batchSize > 1 ? 2 : 1;
      const gradAccum = Math.max(options.gradAccum, parts);
      const plan = { ...own, gradAccum, shapes: largestShapes(rows, own, blueprint.decoder, ep) };
      return { gradientCheckpointing, plan, estimate: estimateTraining(blueprint, plan, ep) };
    },
  );
  const chosen = tried.find(({ estimate }) => estimate.total <= comfort) ?? tried.at(-1);
  const shape = chosen?.plan.shapes[0];
  if (chosen === undefined || shape === undefined)
    throw new TutelageError("internal", "internal error: a training has at least one batch");
  if (limitBytes !== undefined && chosen.estimate.total > limitBytes)
    throw new TutelageError(
      "out-of-memory",
      `training on ${ep}: expected at most ${formatBytes(limitBytes)} of memory, got a need of about ${formatBytes(chosen.estimate.total)} (${describeEstimate(chosen.estimate)}). ${advise(blueprint, chosen.plan, ep, limitBytes)}`,
      { details: { ...chosen.estimate, limitBytes } },
    );
  const { gradientCheckpointing, estimate } = chosen;
  return { gradientCheckpointing, estimate, limitBytes, shape };
}

/**
 * Refuses a student whose weights alone are more than WebAssembly can address, before any is read. One that is opened to
 * be `trained` is told of frozen weights in float16, which are a setting of training alone.
 * @throws TutelageError out-of-memory with what would fit.
 */
export function checkWeightsFit(
  blueprint: StudentBlueprint,
  name: string,
  ep: ExecutionProvider,
  trained = true,
): void {
  const bytes = weightBytes(blueprint);
  if (ep !== "wasm" || bytes <= WASM_LIMIT_BYTES) return;
  const { layout, decoder, lora } = blueprint;
  const halved =
    layout.frozen.length === 0 || !trained
      ? Infinity
      : weightBytes({ ...blueprint, layout: layoutParameters(decoder, lora, "lora", "float16") });
  const advice =
    halved <= WASM_LIMIT_BYTES
      ? `Frozen weights in float16 would fit (${formatBytes(halved)})`
      : `A student of at most ${Math.floor(WASM_LIMIT_BYTES / 4e6)} million parameters would fit`;
  throw new TutelageError(
    "out-of-memory",
    `student ${name}: expected weights of at most ${formatBytes(WASM_LIMIT_BYTES)}, all that wasm can address, got ${formatBytes(bytes)}. ${advice}; webgpu and, in a terminal, cpu address more`,
    { details: { bytes, limitBytes: WASM_LIMIT_BYTES } },
  );
}

/** What a student's upload ran out of memory for: there is no batch yet to be made smaller. */
export function uploadError(blueprint: StudentBlueprint, name: string, ep: ExecutionProvider, error: unknown): unknown {
  if (ep !== "wasm" || !(error instanceof TutelageError) || error.code !== "out-of-memory") return error;
  return new TutelageError(
    "out-of-memory",
    `student ${name}: its weights, ${formatBytes(weightBytes(blueprint))}, found no room in the ${formatBytes(WASM_LIMIT_BYTES)} that wasm can address, beside what is loaded already. A smaller student would fit, or fewer of them at a time (lanes of a race); webgpu and, in a terminal, cpu address more`,
    { cause: error },
  );
}

/** Of all weights once, as they are uploaded. */
function weightBytes(blueprint: StudentBlueprint): number {
  const { weights, trainable } = heldBytes(blueprint, 1);
  return weights + trainable / 2;
}
