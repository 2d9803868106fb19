/**
 * @file What is compared: one library on one provider holding one model, and the pieces
 * of work that it can be timed on. Each contender has a process or a page of its own,
 * so that thread pools and garbage of one do not slow another down.
 */
import type { ModelName } from "./models.ts";

/** One optimizer step: mean loss in nats, gradient norm before clipping. */
export interface StepResult {
  readonly loss: number;
  readonly gradNorm: number;
}

/**
 * Pieces of work. `step`: all that a user's training step does. `score`: mean losses of
 * the same rows. `gemm`: one 1024³ float32 matrix product, what the library reaches at best.
 */
export const WORK = ["step", "score", "gemm"] as const;
export type Work = (typeof WORK)[number];

/** Milliseconds of what a step of this project is made of; together they are the step. */
export interface StepParts {
  /** Inside ONNX Runtime, its JavaScript API included: forward and backward. */
  readonly trainGraph: number;
  /** Inside ONNX Runtime: the gradient's norm, clipping and AdamW. */
  readonly optimizer: number;
  /** Into and out of the engine's memory, as far as our code and not ONNX Runtime makes them. */
  readonly copies: number;
  /** All else: batches made, checks, queue, pieces cut. */
  readonly javaScript: number;
}

export interface Contender {
  /** Library, provider and threads as the library itself reports them. */
  readonly description: string;
  /** Does the work once and waits until it is done. */
  readonly work: Readonly<Partial<Record<Work, () => Promise<unknown>>>>;
  /** The next optimizer step. */
  step(): Promise<StepResult>;
  /** Starts to clock the parts of the steps to come. */
  startParts?(): void;
  /** What the `steps` steps since then, which took `ms` in all, were made of on average. */
  takeParts?(ms: number, steps: number): StepParts;
  /** Ends what does not end with the process or page. */
  dispose?(): Promise<void>;
}

/** `cpu`, `wasm`, `wasm1` (one thread) and `webgpu` are this project on that provider. */
export const CONTENDERS = ["cpu", "wasm", "wasm1", "webgpu", "jax", "tensorflow", "torch"] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** What a process or page is asked to become. */
export interface ContenderSpec {
  readonly contender: ContenderName;
  readonly model: ModelName;
}

/** Side of the square matrices of `gemm`. */
export const GEMM_SIZE = 1024;
export const GEMM_FLOPS = 2 * GEMM_SIZE ** 3;
