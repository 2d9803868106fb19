/**
 * @file The one interface over ONNX Runtime: onnxruntime-node (cpu),
 * onnxruntime-web's WASM build (wasm) and its WebGPU build (webgpu; in a browser,
 * or in Node through Dawn). Nothing outside `runtime/` imports onnxruntime-*.
 */
import type { DataType, Tensor } from "../onnx/types.ts";

export type ExecutionProvider = "cpu" | "wasm" | "webgpu";

/**
 * A tensor in an engine's memory: a GPU buffer on webgpu, ONNX Runtime's heap on wasm,
 * an array on cpu. Whoever got it disposes it (a second time does nothing); use after that throws `disposed`.
 */
export interface DeviceTensor extends Disposable {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly disposed: boolean;
  dispose(): void;
}

/** What a run shows of its engine (engine line of the page, manifest). */
export interface EngineInfo {
  readonly ep: ExecutionProvider;
  /** ONNX Runtime package and version, as "onnxruntime-web 1.30.0". */
  readonly version: string;
  /** Threads of the CPU pool; 1 on webgpu. */
  readonly threads: number;
  /** GPU vendor / architecture / description on webgpu. */
  readonly adapter?: string;
  readonly limits?: Readonly<Record<string, number>>;
  readonly features?: readonly string[];
  /** Why a better provider was not used; shown to the user, never swallowed. */
  readonly fallbackReason?: string;
  /** What the start-up self-test measured, one sentence for people; absent where none was run. */
  readonly selfTest?: string;
}

/** What a tensor that lives between runs is for. `other`: caches of generation, and what was not said. */
export const TENSOR_ROLES = ["weights", "trainable", "moments", "gradients", "other"] as const;
export type TensorRole = (typeof TENSOR_ROLES)[number];

/** Bytes of tensors by role. */
export type TensorBytes = Readonly<Record<TensorRole, number>>;

/** Bytes that an engine holds, as far as the platform tells. */
export interface EngineMemory {
  /** Size of ONNX Runtime's WebAssembly memory, shared by all engines of this kind in the thread. It never shrinks. */
  readonly wasmHeapBytes?: number;
  /** GPU buffers made here for tensors, padding included. */
  readonly gpuBytes?: number;
  /** All GPU buffers on the device, ONNX Runtime's own included, now and at most so far. */
  readonly gpuTotalBytes?: number;
  readonly gpuPeakBytes?: number;
  /** Live tensors of this engine. */
  readonly tensorBytes: TensorBytes;
  /** The fullest moment so far; absent where the platform counts nothing. */
  readonly peak?: PeakMemory;
}

/**
 * What an engine's memory was when it was fullest, all of it counted and none of it estimated. The total is more than the
 * tensors: intermediate values of runs, and ONNX Runtime itself. Heap and process never shrink: their fullest moment is
 * that at which tensors filled most of what they have grown to.
 */
export interface PeakMemory {
  /** What was counted: all buffers of the GPU device, the WebAssembly memory (of all engines of the thread), the resident process. */
  readonly of: "gpu" | "heap" | "process";
  readonly totalBytes: number;
  /** What this engine's tensors held of it. */
  readonly tensorBytes: TensorBytes;
}

/** Where an output goes: read back, left on the device in a new tensor, or written into a given one. */
export type OutputTarget = "host" | "device" | DeviceTensor;

export interface Session extends AsyncDisposable {
  readonly name: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph once. Borrows the feeds (host tensors are uploaded for this run).
   * Outputs not named are not computed into anything. A given `DeviceTensor` target
   * must have the output's type and shape and must not be a feed of the same run;
   * "device" results are owned by the caller. Queued FIFO per engine.
   * @throws TutelageError device-lost, out-of-memory, disposed, bad-input (missing feed, wrong shape or type).
   */
  run(
    feeds: Readonly<Record<string, Tensor | DeviceTensor>>,
    outputs: Readonly<Record<string, OutputTarget>>,
  ): Promise<RunResult>;
  /** Releases the session; idempotent. */
  dispose(): Promise<void>;
}

export interface RunResult {
  /** Output read back. @throws internal error when it was not requested as "host". */
  host(name: string): Tensor;
  /** Output left on the device ("device" or a given target). */
  device(name: string): DeviceTensor;
}

export interface SessionOptions {
  readonly name: string;
  /**
   * The graph treats the elements of its one symbolic dimension apart, and may be run on pieces of about so many of them,
   * one after another, so that what is between its nodes stays in a cache (cpu; others take all in one piece). Inputs and
   * given targets of that size are cut; other inputs are the same for each piece; a "host" output has one row a piece.
   */
  readonly pieceElements?: number;
  /** Refuse to place any node of the graph on the CPU (webgpu only; tests). */
  readonly disableCpuFallback?: boolean;
}

export interface Engine extends AsyncDisposable {
  readonly info: EngineInfo;
  readonly ep: ExecutionProvider;
  /** Aborts with a `device-lost` TutelageError when the device goes away. */
  readonly lost: AbortSignal;
  createSession(model: Uint8Array, options: SessionOptions): Promise<Session>;
  /** Copies host data to the device. Caller owns the result. `role` is what `memory` counts it as. */
  upload(tensor: Tensor, role?: TensorRole): DeviceTensor;
  /** A zero-filled tensor. Caller owns the result. */
  zeros(type: DataType, shape: readonly number[], role?: TensorRole): DeviceTensor;
  /** Reads a tensor back (a GPU→CPU sync on webgpu). The data is a copy. */
  read(tensor: DeviceTensor): Promise<Tensor>;
  /** Tensors uploaded or allocated and not yet disposed: the leak test's figure. */
  readonly live: { readonly tensors: number; readonly bytes: number; readonly sessions: number };
  readonly memory: EngineMemory;
  dispose(): Promise<void>;
}
