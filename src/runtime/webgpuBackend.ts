/**
 * @file ONNX Runtime's native WebGPU provider on a GPUDevice of our own. A stored tensor
 * is a GPU buffer; runs bind it as it is, so only host feeds go up and only "host" outputs
 * come back. One call at a time over the whole module: a second one entered while the
 * first waits for the GPU never returns (asyncify).
 */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { TutelageError, invariant } from "../core/errors.ts";
import { elementCount, formatShape } from "../onnx/shapes.ts";
import type { DataType, Tensor, TypedArray, Value } from "../onnx/types.ts";
import type { Backend, BackendFeed, BackendSession, BackendTarget, Stored } from "./backend.ts";
import { bytesOf, elementBytes, newArray, viewAs } from "./dataTypes.ts";
import type { Adapter, BufferCount, Device } from "./gpuDevice.ts";
import { declaredValues, fromOrt, toOrt } from "./ortTensors.ts";
import type { AsyncBuild, OrtWeb, Platform } from "./platform.ts";
import { outOfMemory } from "./runtimeErrors.ts";
import { TaskQueue } from "./taskQueue.ts";
import type { EngineInfo, EngineMemory, SessionOptions } from "./types.ts";

/** ONNX Runtime binds buffers in units of this many bytes. */
const BUFFER_UNIT = 16;
const LOG_ERRORS = 3;

/** Of the module, not of an engine. */
const queue = new TaskQueue();

export interface GpuStorage {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
}

export class WebgpuBackend implements Backend<GpuStorage> {
  readonly info: EngineInfo;
  readonly queue = queue;
  readonly lost: AbortSignal;
  readonly #platform: Platform;
  readonly #ort: OrtWeb;
  readonly #device: GPUDevice;
  readonly #buffers: BufferCount;
  readonly #scopes: Promise<GPUError | null>[] = [];
  #uncaptured: GPUError | undefined;
  #bytes = 0;

  constructor(
    platform: Platform,
    { ort, build }: { readonly ort: OrtWeb; readonly build: AsyncBuild },
    { description }: Adapter,
    { device, buffers, limits, features }: Device,
  ) {
    this.#platform = platform;
    this.#ort = ort;
    this.#device = device;
    this.#buffers = buffers;
    ort.env.logLevel = "error";
    // Its threads would serve nodes that fall back to the CPU; there should be none.
    ort.env.wasm.numThreads = 1;
    this.info = {
      ep: "webgpu",
      version: `onnxruntime-web ${platform.ortVersion} (${build})`,
      threads: 1,
      adapter: description,
      limits,
      features,
    };
    const lost = new AbortController();
    this.lost = lost.signal;
    void device.lost.then(({ reason, message }) => lost.abort(new Error(message === "" ? reason : message)));
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#uncaptured ??= error;
    });
  }

  get memory(): Pick<EngineMemory, "gpuBytes" | "gpuTotalBytes" | "gpuPeakBytes"> {
    return { gpuBytes: this.#bytes, gpuTotalBytes: this.#buffers.bytes, gpuPeakBytes: this.#buffers.peakBytes };
  }

  get peak(): { readonly of: "gpu"; readonly totalBytes: number } {
    return { of: "gpu", totalBytes: this.#buffers.peakBytes };
  }

  async createSession(model: Uint8Array, { disableCpuFallback }: SessionOptions): Promise<BackendSession<GpuStorage>> {
    return this.watched(async () => {
      const session = await this.#ort.InferenceSession.create(model, {
        // `simple`: buffers of the exact sizes of a static graph are kept and reused.
        executionProviders: [{ name: "webgpu", device: this.#device, storageBufferCacheMode: "simple" }],
        graphOptimizationLevel: "all",
        logSeverityLevel: LOG_ERRORS,
        ...(disableCpuFallback ? { extra: { session: { disable_cpu_ep_fallback: "1" } } } : {}),
      });
      return new WebgpuSession(this, this.#ort, session);
    });
  }

  allocate(type: DataType, shape: readonly number[], data?: TypedArray): GpuStorage {
    const bytes = Math.max(
      BUFFER_UNIT,
      Math.ceil((elementCount(shape) * elementBytes(type)) / BUFFER_UNIT) * BUFFER_UNIT,
    );
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (bytes > limit)
      throw new TutelageError(
        "out-of-memory",
        `webgpu: expected tensors of at most ${limit} bytes, the adapter allows no more in one, got ${type} ${formatShape(shape)} of ${bytes}. A weight (most often the table of a large vocabulary) fits at no batch size: use the provider wasm or cpu there. Of anything else take a smaller batch or shorter rows`,
        { details: { bytes, limit } },
      );
    this.#device.pushErrorScope("out-of-memory");
    const buffer = this.#device.createBuffer({
      size: bytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#scopes.push(this.#device.popErrorScope());
    if (data !== undefined && data.byteLength > 0) this.#write(buffer, data);
    this.#bytes += bytes;
    return { buffer, bytes };
  }

  #write(buffer: GPUBuffer, data: TypedArray): void {
    let bytes = bytesOf(data);
    if (bytes.byteLength % 4 !== 0) {
      // Writes come in words.
      const padded = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
      padded.set(bytes);
      bytes = padded;
    }
    this.#device.queue.writeBuffer(buffer, 0, bytes as Uint8Array<ArrayBuffer>);
  }

  free({ buffer, bytes }: GpuStorage): void {
    buffer.destroy();
    this.#bytes -= bytes;
  }

  async read({ type, shape, storage }: Stored<GpuStorage>): Promise<TypedArray> {
    const count = elementCount(shape);
    if (count === 0) return newArray(type, 0);
    return this.watched(async () => {
      const size = Math.ceil((count * elementBytes(type)) / 4) * 4;
      const staging = this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      try {
        const encoder = this.#device.createCommandEncoder();
        encoder.copyBufferToBuffer(storage.buffer, 0, staging, 0, size);
        this.#device.queue.submit([encoder.finish()]);
        await staging.mapAsync(GPUMapMode.READ); // GPU→CPU sync
        return viewAs(type, staging.getMappedRange().slice(0), 0, count);
      } finally {
        staging.destroy();
      }
    });
  }

  /** Runs `task` awake, and fails it when the GPU reported an error before it ended. */
  async watched<T>(task: () => Promise<T>): Promise<T> {
    const release = this.#platform.keepAwake();
    try {
      await this.#throwGpuErrors();
      const result = await task();
      await this.#throwGpuErrors();
      return result;
    } finally {
      release();
    }
  }

  async #throwGpuErrors(): Promise<void> {
    if (this.#scopes.length > 0) {
      for (const error of await Promise.all(this.#scopes.splice(0)))
        if (error !== null) throw outOfMemory("webgpu", new Error(error.message));
    }
    const error = this.#uncaptured;
    if (error === undefined) return;
    this.#uncaptured = undefined;
    if (error instanceof GPUOutOfMemoryError) throw outOfMemory("webgpu", new Error(error.message));
    throw new TutelageError("internal", `webgpu: the device reported: ${error.message}`);
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.#scopes.splice(0));
    this.#device.destroy();
    this.#platform.releaseGpu();
  }
}

class WebgpuSession implements BackendSession<GpuStorage> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly #backend: WebgpuBackend;
  readonly #ort: OrtWeb;
  readonly #session: InferenceSession;

  constructor(backend: WebgpuBackend, ort: OrtWeb, session: InferenceSession) {
    this.#backend = backend;
    this.#ort = ort;
    this.#session = session;
    this.inputs = declaredValues(session.inputMetadata);
    this.outputs = declaredValues(session.outputMetadata);
  }

  async run(
    feeds: readonly BackendFeed<GpuStorage>[],
    targets: readonly BackendTarget<GpuStorage>[],
  ): Promise<ReadonlyMap<string, Tensor>> {
    const inputs: Record<string, OrtTensor> = {};
    for (const feed of feeds)
      inputs[feed.name] = "tensor" in feed ? toOrt(this.#ort, feed.tensor) : this.#bound(feed.stored);
    const fetches: Record<string, OrtTensor | null> = {};
    for (const { name, stored } of targets)
      fetches[name] = stored === undefined || isEmpty(stored) ? null : this.#bound(stored);

    return this.#backend.watched(async () => {
      const results = await this.#session.run(inputs, fetches); // GPU→CPU sync when an output is read back
      const host = new Map<string, Tensor>();
      for (const { name, stored } of targets) {
        const result = results[name];
        invariant(result !== undefined, `onnxruntime-web returns '${name}'`);
        if (stored === undefined) host.set(name, fromOrt(result));
      }
      return host;
    });
  }

  /** The GPU buffer as ONNX Runtime's tensor; an empty tensor has no buffer there. */
  #bound(stored: Stored<GpuStorage>): OrtTensor {
    const { type, shape, storage } = stored;
    if (isEmpty(stored)) return toOrt(this.#ort, { type, shape, data: newArray(type, 0) });
    return this.#ort.Tensor.fromGpuBuffer(storage.buffer, { dataType: type as "float32", dims: shape });
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

function isEmpty(stored: Stored<GpuStorage>): boolean {
  return elementCount(stored.shape) === 0;
}
