/**
 * @file ONNX Runtime's WASM CPU build, in a browser or in Node. A stored tensor lives in
 * the WebAssembly heap for as long as it is owned, so runs copy host feeds in and "host"
 * outputs out and nothing else. Instances are shared by thread count and never freed:
 * WebAssembly memory cannot shrink, and a worker that ends takes its instance along.
 */
import type { DataType, Tensor, TypedArray, Value } from "../onnx/types.ts";
import { messageOf } from "../core/errors.ts";
import type { Backend, BackendFeed, BackendSession, BackendTarget, Stored } from "./backend.ts";
import { OrtWasm, type HeapTensor, type OrtWasmSession } from "./ortWasm.ts";
import type { LoadOptions, Platform } from "./platform.ts";
import { isCrash } from "./runtimeErrors.ts";
import { TaskQueue } from "./taskQueue.ts";
import type { EngineInfo, SessionOptions } from "./types.ts";

interface Instance {
  readonly ort: OrtWasm;
  readonly queue: TaskQueue;
  /** Aborts when the instance crashed; nothing in it can be trusted then. */
  readonly crashed: AbortController;
}

const instances = new Map<number, Promise<Instance>>();

function instanceFor(platform: Platform, threads: number, options?: LoadOptions): Promise<Instance> {
  const known = instances.get(threads);
  if (known !== undefined) return known;
  const made = platform.loadOrtWasm(threads, options).then((module): Instance => {
    const crashed = new AbortController();
    // The next engine starts over with a fresh instance.
    crashed.signal.addEventListener("abort", () => instances.delete(threads));
    return { ort: new OrtWasm(module, threads), queue: new TaskQueue(), crashed };
  });
  instances.set(threads, made);
  made.catch(() => instances.delete(threads));
  return made;
}

/** A backend with this many threads. @throws Error when the WebAssembly files cannot be loaded. */
export async function openWasmBackend(
  platform: Platform,
  threads: number,
  options?: LoadOptions,
): Promise<WasmBackend> {
  return new WasmBackend(await instanceFor(platform, threads, options), {
    ep: "wasm",
    version: `onnxruntime-web ${platform.ortVersion}`,
    threads,
  });
}

export class WasmBackend implements Backend<HeapTensor> {
  readonly info: EngineInfo;
  readonly queue: TaskQueue;
  readonly lost: AbortSignal;
  readonly #instance: Instance;

  constructor(instance: Instance, info: EngineInfo) {
    this.#instance = instance;
    this.info = info;
    this.queue = instance.queue;
    this.lost = instance.crashed.signal;
  }

  get memory(): { readonly wasmHeapBytes: number } {
    return { wasmHeapBytes: this.#instance.ort.heap.byteLength };
  }

  get peak(): { readonly of: "heap"; readonly totalBytes: number } {
    return { of: "heap", totalBytes: this.#instance.ort.heap.byteLength };
  }

  async createSession(model: Uint8Array, _options: SessionOptions): Promise<BackendSession<HeapTensor>> {
    return watchCrash(
      this.#instance,
      async () => new WasmSession(this.#instance, await this.#instance.ort.createSession(model)),
    );
  }

  allocate(type: DataType, shape: readonly number[], data?: TypedArray): HeapTensor {
    return this.#instance.ort.createTensor(type, shape, data);
  }

  free(storage: HeapTensor): void {
    if (!this.lost.aborted) this.#instance.ort.freeTensor(storage);
  }

  async read(stored: Stored<HeapTensor>): Promise<TypedArray> {
    return this.#instance.ort.copyOut(stored.type, stored.shape, stored.storage.data).data;
  }

  async dispose(): Promise<void> {
    // The instance stays for the next engine.
  }
}

class WasmSession implements BackendSession<HeapTensor> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly #instance: Instance;
  readonly #session: OrtWasmSession;

  constructor(instance: Instance, session: OrtWasmSession) {
    this.#instance = instance;
    this.#session = session;
    this.inputs = session.inputs;
    this.outputs = session.outputs;
  }

  async run(
    feeds: readonly BackendFeed<HeapTensor>[],
    targets: readonly BackendTarget<HeapTensor>[],
  ): Promise<ReadonlyMap<string, Tensor>> {
    const { ort } = this.#instance;
    return watchCrash(this.#instance, async () => {
      const uploaded: HeapTensor[] = [];
      try {
        const inputs = new Map<string, HeapTensor>();
        for (const feed of feeds) {
          if ("stored" in feed) {
            inputs.set(feed.name, feed.stored.storage);
          } else {
            const { type, shape, data } = feed.tensor;
            const tensor = ort.createTensor(type, shape, data);
            uploaded.push(tensor);
            inputs.set(feed.name, tensor);
          }
        }
        const outputs = new Map(targets.map(({ name, stored }) => [name, stored?.storage]));
        const handles = await this.#session.run(inputs, outputs);
        const host = new Map<string, Tensor>();
        for (const [index, { name, stored }] of targets.entries()) {
          if (stored === undefined) host.set(name, ort.takeTensor(handles[index] ?? 0));
        }
        return host;
      } finally {
        for (const tensor of uploaded) ort.freeTensor(tensor);
      }
    });
  }

  async dispose(): Promise<void> {
    if (!this.#instance.crashed.signal.aborted) this.#session.release();
  }
}

async function watchCrash<T>(instance: Instance, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (isCrash(error))
      instance.crashed.abort(new Error(`ONNX Runtime's WebAssembly crashed: ${messageOf(error)}`, { cause: error }));
    throw error;
  }
}
