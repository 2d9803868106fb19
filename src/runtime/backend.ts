/**
 * @file What one ONNX Runtime build must do to carry an `Engine`: hold tensors, run
 * sessions. Not here: queueing, checks, ownership and counting, which are the same for
 * all and live in `engineCore.ts`. `S` is the build's own storage of a tensor.
 */
import type { DataType, Tensor, TypedArray, Value } from "../onnx/types.ts";
import type { EngineInfo, EngineMemory, PeakMemory, SessionOptions } from "./types.ts";
import type { TaskQueue } from "./taskQueue.ts";

/** A tensor inside a backend. */
export interface Stored<S> {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly storage: S;
}

export type BackendFeed<S> = { readonly name: string } & ({ readonly tensor: Tensor } | { readonly stored: Stored<S> });

/** An output to compute: written into `stored`, or read back when that is absent. */
export interface BackendTarget<S> {
  readonly name: string;
  readonly stored?: Stored<S>;
}

export interface BackendSession<S> {
  /** Declared inputs and outputs; `""` is a dimension that is not known. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Runs once; tensors for the targets without `stored`, by name, data owned by the caller. */
  run(feeds: readonly BackendFeed<S>[], targets: readonly BackendTarget<S>[]): Promise<ReadonlyMap<string, Tensor>>;
  dispose(): Promise<void>;
}

export interface Backend<S> {
  readonly info: EngineInfo;
  /** Shared by all engines over the same ONNX Runtime instance, which runs one call at a time. */
  readonly queue: TaskQueue;
  /** Aborts when the device or the runtime instance is gone; the reason says why. */
  readonly lost: AbortSignal;
  readonly memory: Omit<EngineMemory, "tensorBytes" | "peak">;
  /** The most that was ever in use, of what this backend can count. */
  readonly peak: Omit<PeakMemory, "tensorBytes"> | undefined;
  createSession(model: Uint8Array, options: SessionOptions): Promise<BackendSession<S>>;
  /** Storage for `byteLength` bytes, zeroed, or holding `data`. @throws TutelageError out-of-memory. */
  allocate(type: DataType, shape: readonly number[], data?: TypedArray): S;
  free(storage: S): void;
  /** A copy of the data. */
  read(stored: Stored<S>): Promise<TypedArray>;
  /** Releases what the backend itself owns; sessions and tensors are gone by then. */
  dispose(): Promise<void>;
}
