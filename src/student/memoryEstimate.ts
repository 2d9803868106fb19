/**
 * @file What a training will need of a provider's memory, by cause, before it is begun: from
 * the graphs that would run and the order in which they would. Pure; measured figures are
 * the engine's (`Engine.memory`).
 */
import { planBuffers, peakOf, type Buffer } from "../onnx/liveness.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { Graph } from "../onnx/types.ts";
import { buildAdamW } from "../optim/adamw.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import { buildTrainGraph, type StudentBlueprint } from "./graphs.ts";
import { inPieces } from "./optimizerStep.ts";
import { PRECISIONS, type TrainOptions } from "./types.ts";

/** The shape of a micro-batch, as graphs are built for it. */
export interface TrainShape {
  readonly batch: number;
  readonly length: number;
  /** See `bucketLossPositions`. */
  readonly lossPositions?: number | undefined;
}

export interface TrainingPlan {
  /** All shapes that will occur; the largest decides. */
  readonly shapes: readonly TrainShape[];
  readonly gradAccum: number;
  readonly gradientCheckpointing: boolean;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly precision?: TrainOptions["precision"];
}

/** Bytes by cause. */
export interface MemoryEstimate {
  /** Frozen parameters. */
  readonly weights: number;
  /** Trainable parameters, with the second copy that a step writes to. */
  readonly trainable: number;
  /** Both moments, likewise. */
  readonly moments: number;
  readonly gradients: number;
  /** Intermediate values at the fullest moment of a run, but for those of the output head and loss. */
  readonly activations: number;
  /** Values of the output head and loss at that moment. */
  readonly logits: number;
  /** ONNX Runtime itself, its sessions, and what a heap grows ahead. */
  readonly runtime: number;
  readonly total: number;
}

const MIB = 2 ** 20;
/** What ONNX Runtime's WebAssembly module has in its heap before the first session, and the size the heap starts with. */
const WASM_START_BYTES = 7 * MIB;
const WASM_MIN_BYTES = 16 * MIB;
/** A session keeps about this much per node of its graph. */
const SESSION_BYTES_PER_NODE = 2048;
/** WebAssembly memory grows by a fifth at a time, at most 96 MiB (Emscripten's default), so about half of that lies idle. */
const IDLE_SHARE = 0.09;
const MAX_IDLE_BYTES = 48 * MIB;

/** Whether a buffer holds logits or what the loss makes of them. */
const isOfLoss = ({ name }: Buffer): boolean => /(^|\.)loss\.\d+\./.test(name);

/**
 * Memory of a training on provider `ep`: on webgpu of the GPU, on wasm of ONNX Runtime's heap, on cpu of what
 * graphs use: with Node and what lies idle in ONNX Runtime's arena a process takes 1.1 to 1.5 times as much.
 */
export function estimateTraining(
  blueprint: StudentBlueprint,
  plan: TrainingPlan,
  ep: ExecutionProvider,
): MemoryEstimate {
  const { layout } = blueprint;
  const { weights, trainable, moments, gradients } = heldBytes(blueprint, plan.gradAccum);
  // A training in float16 is compared with float32 first.
  const precisions = (plan.precision ?? "float32") === "float32" ? (["float32"] as const) : PRECISIONS;
  const train = plan.shapes.flatMap(({ batch, length, lossPositions }) =>
    (plan.gradAccum > 1 ? [false, true] : [false]).flatMap((accumulate) =>
      precisions.map((precision) =>
        buildTrainGraph(blueprint, batch, length, {
          accumulate,
          lossPositions,
          recompute: plan.gradientCheckpointing,
          precision,
        }),
      ),
    ),
  );
  // In pieces the optimizer needs next to nothing.
  const graphs = inPieces(ep, layout.groups) ? train : [...train, buildAdamW(layout.groups, plan)];
  const live = ep === "webgpu" ? cachedBuffers(graphs) : largestPeak(graphs);
  const logits = live.filter(isOfLoss).reduce((sum, { bytes }) => sum + bytes, 0);
  const activations = live.reduce((sum, { bytes }) => sum + bytes, 0) - logits;
  const used = weights + trainable + moments + gradients + activations + logits;
  const runtime = runtimeBytes(graphs, used, ep);
  return { weights, trainable, moments, gradients, activations, logits, runtime, total: used + runtime };
}

/** What is held between runs, whatever the batch. */
export function heldBytes(
  { layout }: StudentBlueprint,
  gradAccum: number,
): Pick<MemoryEstimate, "weights" | "trainable" | "moments" | "gradients"> {
  const weights = layout.frozen.reduce(
    (sum, { name, shape }) => sum + (layout.halved.has(name) ? 2 : 4) * elementCount(shape),
    0,
  );
  const size = 4 * layout.groups.reduce((sum, group) => sum + group.size, 0);
  return { weights, trainable: 2 * size, moments: 4 * size, gradients: (gradAccum > 1 ? 2 : 1) * size };
}

function largestPeak(graphs: readonly Graph[]): readonly Buffer[] {
  return graphs
    .map((graph) => peakOf(planBuffers(graph)))
    .reduce((a, b) => (b.bytes > a.bytes ? b : a), { bytes: 0, live: [] }).live;
}

/**
 * On WebGPU a buffer that was given back is kept for the next of its exact size (`storageBufferCacheMode: "simple"`), in
 * all sessions: of each size as many stay as were ever in use at a time.
 */
function cachedBuffers(graphs: readonly Graph[]): readonly Buffer[] {
  const most = new Map<number, readonly Buffer[]>();
  for (const graph of graphs) {
    const planned = planBuffers(graph);
    for (const bytes of new Set(planned.map((buffer) => paddedBytes(buffer.bytes)))) {
      const { live } = peakOf(planned.filter((buffer) => paddedBytes(buffer.bytes) === bytes));
      if (live.length > (most.get(bytes)?.length ?? 0)) most.set(bytes, live);
    }
  }
  return [...most.values()].flat();
}

const paddedBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

function runtimeBytes(graphs: readonly Graph[], used: number, ep: ExecutionProvider): number {
  if (ep === "webgpu") return constantBytes(graphs);
  const sessions = graphs.reduce((sum, graph) => sum + graph.nodes.length * SESSION_BYTES_PER_NODE, 0);
  const own = constantBytes(graphs) + sessions;
  if (ep === "cpu") return own;
  const needed = WASM_START_BYTES + own + used;
  const heap = Math.round(needed + Math.min(IDLE_SHARE * needed, MAX_IDLE_BYTES));
  return Math.max(heap, WASM_MIN_BYTES) - used;
}

function constantBytes(graphs: readonly Graph[]): number {
  return graphs.reduce(
    (sum, graph) => sum + [...graph.initializers.values()].reduce((all, { data }) => all + data.byteLength, 0),
    0,
  );
}

/** `1.23 GB`, `45 MB`: decimal units. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}

/** The causes in one line, those that matter first. */
export function describeEstimate({ total: _, ...causes }: MemoryEstimate): string {
  return Object.entries(causes)
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([cause, bytes]) => `${cause} ${formatBytes(bytes)}`)
    .join(", ");
}
