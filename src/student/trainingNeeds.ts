/** @file What a training needs, in numbers for people: nodes per step and memory by cause. Nothing is run or allocated. */
import { invariant } from "../core/errors.ts";
import { pruneGraph } from "../onnx/neededNodes.ts";
import { buildAdamW } from "../optim/adamw.ts";
import { buildSquareSum, buildUpdate } from "../optim/adamwPieces.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import { buildTrainGraph, type StudentBlueprint } from "./graphs.ts";
import { estimateTraining } from "./memoryEstimate.ts";
import { largestShapes } from "./memoryPlan.ts";
import { inPieces } from "./optimizerStep.ts";
import { PIECE_ELEMENTS, SUM_ELEMENTS } from "./sessionCache.ts";
import type { EncodedRow, TrainingNeeds, TrainOptions } from "./types.ts";

/** Needs of training `blueprint` on rows such as these on `ep`. The largest batch shape stands for all. */
export function trainingNeeds(
  blueprint: StudentBlueprint,
  rows: readonly EncodedRow[],
  options: TrainOptions,
  ep: ExecutionProvider,
): TrainingNeeds {
  const shapes = largestShapes(rows, options, blueprint.decoder, ep);
  const [shape] = shapes.toSorted((a, b) => b.batch * b.length - a.batch * a.length);
  invariant(shape !== undefined, "a training has at least one batch");
  const recompute = options.gradientCheckpointing ?? false;
  const nodes = (accumulate: boolean): number =>
    pruneGraph(
      buildTrainGraph(blueprint, shape.batch, shape.length, {
        accumulate,
        lossPositions: shape.lossPositions,
        recompute,
      }),
    ).nodes.length;
  const optimizer = optimizerNodes(blueprint, options, ep);
  const more = options.gradAccum > 1 ? (options.gradAccum - 1) * nodes(true) : 0;
  const plan = { ...options, shapes, gradientCheckpointing: recompute };
  return {
    ep,
    batch: shape.batch,
    length: shape.length,
    gradientCheckpointing: recompute,
    nodesPerStep: nodes(false) + more + optimizer,
    bytes: { ...estimateTraining(blueprint, plan, ep) },
  };
}

function optimizerNodes({ layout }: StudentBlueprint, options: TrainOptions, ep: ExecutionProvider): number {
  if (!inPieces(ep, layout.groups)) return buildAdamW(layout.groups, options).nodes.length;
  const pieces = (elements: number): number =>
    layout.groups.reduce((sum, { size }) => sum + Math.ceil(size / elements), 0);
  return pieces(SUM_ELEMENTS) * buildSquareSum().nodes.length + pieces(PIECE_ELEMENTS) * buildUpdate().nodes.length;
}
