/**
 * @file What a training took of memory, by cause, as its engine counted it: told beside what was
 * estimated before. No figure here is estimated: what nobody can count apart is one sum, `rest`.
 */
import type { EngineMemory, PeakMemory } from "../runtime/types.ts";
import type { MemoryEstimate } from "./memoryEstimate.ts";
import { formatBytes } from "./memoryEstimate.ts";

/** Bytes at the fullest moment. */
export interface MeasuredMemory {
  /** What was counted. */
  readonly of: PeakMemory["of"];
  readonly weights: number;
  readonly trainable: number;
  readonly moments: number;
  readonly gradients: number;
  /** Tensors of other uses: generation's caches. */
  readonly other: number;
  /**
   * The total less all tensors: activations, logits, ONNX Runtime itself; of a heap also what lies idle in it, of a
   * process also Node and what it read.
   */
  readonly rest: number;
  readonly total: number;
}

/** The fullest moment of an engine so far; undefined where the platform counts nothing. */
export function measuredMemory({ peak }: EngineMemory): MeasuredMemory | undefined {
  if (peak === undefined) return undefined;
  const held = Object.values(peak.tensorBytes).reduce((sum, bytes) => sum + bytes, 0);
  return { of: peak.of, ...peak.tensorBytes, rest: peak.totalBytes - held, total: peak.totalBytes };
}

const COUNTED: Readonly<Record<PeakMemory["of"], string>> = {
  gpu: "all GPU buffers",
  heap: "the WebAssembly heap",
  process: "the whole process, Node and files in memory included",
};

/** Estimate and measurement side by side, one line a cause, those of both sides that cannot be told apart in one line. */
export function compareMemory(estimate: MemoryEstimate, measured: MeasuredMemory): string[] {
  const { activations, logits, runtime } = estimate;
  const causes = [
    ["weights", estimate.weights, measured.weights],
    ["trainable", estimate.trainable, measured.trainable],
    ["moments", estimate.moments, measured.moments],
    ["gradients", estimate.gradients, measured.gradients],
    ["caches", 0, measured.other],
    ["activations, logits, ONNX Runtime", activations + logits + runtime, measured.rest],
    ["total", estimate.total, measured.total],
  ] as const;
  // A process also holds Node itself, which no estimate counts: of small students that is nearly all.
  const apart = measured.of === "process" ? ["total", "activations, logits, ONNX Runtime"] : [];
  const lines = causes.flatMap(([cause, expected, taken]) =>
    expected === 0 && taken === 0
      ? []
      : [
          `  ${cause}: estimated ${formatBytes(expected)}, took ${formatBytes(taken)}${apart.includes(cause) ? ", Node included" : deviation(expected, taken)}`,
        ],
  );
  return [`memory at its fullest, of ${COUNTED[measured.of]}:`, ...lines];
}

function deviation(expected: number, taken: number): string {
  if (expected === 0) return "";
  const percent = (100 * (taken - expected)) / expected;
  return ` (${percent < 0 ? "" : "+"}${percent.toFixed(1)} %)`;
}
