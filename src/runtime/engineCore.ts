/**
 * @file `Engine` over any backend: one call at a time in order, checks before ONNX
 * Runtime sees anything, ownership and counts of tensors, typed errors. What a provider
 * does itself is in its backend.
 */
import { TutelageError, badInput, invariant, messageOf } from "../core/errors.ts";
import { formatShape } from "../onnx/shapes.ts";
import type { DataType, Tensor, TypedArray } from "../onnx/types.ts";
import type { Backend, BackendFeed, BackendSession, BackendTarget } from "./backend.ts";
import { checkFeeds, checkHostTensor, checkOwned, checkShape, checkTargets } from "./checkRun.ts";
import { OwnedTensor, type TensorOwner } from "./deviceTensor.ts";
import { deviceLost, runError, sessionError, usedAfterDispose } from "./runtimeErrors.ts";
import type {
  DeviceTensor,
  Engine,
  EngineInfo,
  EngineMemory,
  ExecutionProvider,
  OutputTarget,
  RunResult,
  Session,
  SessionOptions,
  TensorBytes,
  TensorRole,
} from "./types.ts";

type Feeds = Readonly<Record<string, Tensor | DeviceTensor>>;
type Targets = Readonly<Record<string, OutputTarget>>;

export class EngineCore<S> implements Engine, TensorOwner<S> {
  readonly info: EngineInfo;
  readonly lost: AbortSignal;
  readonly #backend: Backend<S>;
  readonly #lost = new AbortController();
  readonly #tensors = new Set<OwnedTensor<S>>();
  readonly #sessions = new Set<EngineSession<S>>();
  /** How to reject each call that has not been answered. */
  readonly #waiting = new Set<(error: TutelageError) => void>();
  readonly #roleBytes: Record<TensorRole, number> = { weights: 0, trainable: 0, moments: 0, gradients: 0, other: 0 };
  #fullest: { readonly bytes: number; readonly tensorBytes: TensorBytes } | undefined;
  #disposed: Promise<void> | undefined;

  constructor(backend: Backend<S>, info: EngineInfo = backend.info) {
    this.#backend = backend;
    this.info = info;
    this.lost = this.#lost.signal;
    const onLost = (): void => {
      // Losing the device to our own dispose is no loss.
      if (this.#disposed !== undefined) return;
      const error = deviceLost(`engine ${this.ep}`, backend.lost.reason);
      this.#lost.abort(error);
      for (const reject of this.#waiting) reject(error);
    };
    if (backend.lost.aborted) onLost();
    else backend.lost.addEventListener("abort", onLost, { once: true });
  }

  get ep(): ExecutionProvider {
    return this.info.ep;
  }

  get live(): { readonly tensors: number; readonly bytes: number; readonly sessions: number } {
    return { tensors: this.#tensors.size, bytes: this.#bytes(), sessions: this.#sessions.size };
  }

  get memory(): EngineMemory {
    this.#noteFullest();
    const { memory, peak } = this.#backend;
    return {
      ...memory,
      tensorBytes: { ...this.#roleBytes },
      ...(peak === undefined || this.#fullest === undefined
        ? {}
        : { peak: { ...peak, tensorBytes: this.#fullest.tensorBytes } }),
    };
  }

  #bytes(): number {
    return sumOf(this.#roleBytes);
  }

  /**
   * Keeps what tensors hold if memory is fuller than ever; before they change, so that they are those of that moment.
   * A GPU's buffers are counted as they come and go. A heap and a process never shrink, and grow by more than tensors:
   * they are fullest when tensors fill most of them.
   */
  #noteFullest(): void {
    const bytes = this.info.ep === "webgpu" ? (this.#backend.peak?.totalBytes ?? 0) : this.#bytes();
    if (this.#fullest !== undefined && bytes <= this.#fullest.bytes) return;
    this.#fullest = { bytes, tensorBytes: { ...this.#roleBytes } };
  }

  async createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
    const where = `session '${options.name}'`;
    if (model.byteLength === 0) badInput(where, "a model", "0 bytes");
    return this.enqueue(async () => {
      let inner: BackendSession<S>;
      try {
        inner = await this.#backend.createSession(model, options);
      } catch (error) {
        throw sessionError(where, error);
      }
      const session = new EngineSession(this, options.name, inner, () => this.#sessions.delete(session));
      this.#sessions.add(session);
      return session;
    });
  }

  upload(tensor: Tensor, role?: TensorRole): OwnedTensor<S> {
    this.assertUsable();
    checkHostTensor(`upload to ${this.ep}`, tensor);
    return this.make(tensor.type, tensor.shape, role, tensor.data);
  }

  zeros(type: DataType, shape: readonly number[], role?: TensorRole): OwnedTensor<S> {
    this.assertUsable();
    checkShape(`zeros on ${this.ep}`, shape);
    return this.make(type, shape, role);
  }

  /** As `upload` and `zeros`, also for a call that was queued before the engine was disposed. */
  make(type: DataType, shape: readonly number[], role: TensorRole = "other", data?: TypedArray): OwnedTensor<S> {
    this.#noteFullest();
    let storage: S;
    try {
      storage = this.#backend.allocate(type, shape, data);
    } catch (error) {
      throw runError(`tensor ${type} ${formatShape(shape)} on ${this.ep}`, error);
    }
    const tensor = new OwnedTensor<S>(this, type, shape, role, storage);
    this.#tensors.add(tensor);
    this.#roleBytes[role] += tensor.byteLength;
    this.#noteFullest();
    return tensor;
  }

  async read(tensor: DeviceTensor): Promise<Tensor> {
    const owned = this.owned(`read from ${this.ep}`, tensor);
    owned.pin();
    try {
      return await this.enqueue(async () => {
        const data = await this.#backend.read(owned);
        return { type: owned.type, shape: owned.shape, data };
      });
    } finally {
      owned.unpin();
    }
  }

  /** `tensor` as one of ours. @throws BadInputError for another engine's; TutelageError disposed. */
  owned(where: string, tensor: DeviceTensor): OwnedTensor<S> {
    checkOwned(where, tensor, this);
    return tensor as OwnedTensor<S>;
  }

  released(tensor: OwnedTensor<S>): void {
    if (!this.#tensors.has(tensor)) return;
    this.#noteFullest();
    this.#tensors.delete(tensor);
    this.#roleBytes[tensor.role] -= tensor.byteLength;
  }

  free(storage: S): void {
    this.#backend.free(storage);
  }

  /**
   * Runs `task` in its turn. Losing the device rejects at once; the next task still waits
   * for this one to settle, as ONNX Runtime cannot be entered twice.
   * @throws TutelageError disposed, device-lost, or the typed form of what the task throws.
   */
  async enqueue<T>(task: () => Promise<T>): Promise<T> {
    this.assertUsable();
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      const settled = (): boolean => this.#waiting.delete(reject);
      this.#backend.queue
        .add(() => this.#typed(task))
        .finally(settled)
        .then(resolve, reject);
    });
  }

  /** @throws TutelageError disposed or device-lost. */
  assertUsable(): void {
    if (this.#disposed !== undefined) throw usedAfterDispose(`engine ${this.ep}`);
    this.lost.throwIfAborted();
  }

  async #typed<T>(task: () => Promise<T>): Promise<T> {
    this.lost.throwIfAborted();
    try {
      return await task();
    } catch (error) {
      // A call that fails because the device went away may notice before the device says so.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.lost.throwIfAborted();
      throw runError(`engine ${this.ep}`, error);
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#release();
    return this.#disposed;
  }

  async #release(): Promise<void> {
    // After the calls that were queued before; they are still answered.
    await this.#backend.queue.add(async () => {
      for (const session of this.#sessions) await session.release();
      for (const tensor of this.#tensors) tensor.dispose();
      await this.#backend.dispose();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function sumOf(bytes: TensorBytes): number {
  return Object.values(bytes).reduce((sum, part) => sum + part, 0);
}

class EngineSession<S> implements Session {
  readonly name: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #engine: EngineCore<S>;
  readonly #inner: BackendSession<S>;
  readonly #onRelease: () => void;
  #disposed: Promise<void> | undefined;
  #released = false;

  constructor(engine: EngineCore<S>, name: string, inner: BackendSession<S>, onRelease: () => void) {
    this.#engine = engine;
    this.name = name;
    this.#inner = inner;
    this.#onRelease = onRelease;
    this.inputNames = inner.inputs.map((input) => input.name);
    this.outputNames = inner.outputs.map((output) => output.name);
  }

  async run(feeds: Feeds, outputs: Targets): Promise<RunResult> {
    if (this.#disposed !== undefined || this.#released) throw usedAfterDispose(`session '${this.name}'`);
    this.#engine.assertUsable();
    const bindings = checkFeeds(this.name, this.#inner.inputs, feeds, this.#engine);
    const kept = checkTargets(this.name, this.#inner.outputs, outputs, feeds, bindings, this.#engine);

    const pinned: OwnedTensor<S>[] = [];
    const pin = (tensor: DeviceTensor): OwnedTensor<S> => {
      const owned = this.#engine.owned(`session '${this.name}'`, tensor);
      owned.pin();
      pinned.push(owned);
      return owned;
    };
    const made: OwnedTensor<S>[] = [];
    try {
      const backendFeeds = Object.entries(feeds).map(([name, feed]): BackendFeed<S> =>
        "data" in feed ? { name, tensor: feed } : { name, stored: pin(feed) },
      );
      const given = new Map<string, OwnedTensor<S>>();
      for (const [name, target] of Object.entries(outputs))
        if (typeof target !== "string") given.set(name, pin(target));
      return await this.#engine.enqueue(async () => {
        const device = new Map<string, OwnedTensor<S>>();
        const targets = Object.keys(outputs).map((name): BackendTarget<S> => {
          const spec = kept.get(name);
          if (spec === undefined) return { name };
          const stored = given.get(name) ?? this.#engine.make(spec.type, spec.shape);
          if (!given.has(name)) made.push(stored);
          device.set(name, stored);
          return { name, stored };
        });
        try {
          return new Result(this.name, await this.#inner.run(backendFeeds, targets), device);
        } catch (error) {
          throw runError(`session '${this.name}'`, error);
        }
      });
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    } finally {
      for (const tensor of pinned) tensor.unpin();
    }
  }

  dispose(): Promise<void> {
    if (this.#released) return Promise.resolve();
    this.#disposed ??= this.#engine
      .enqueue(() => this.release())
      .catch((error: unknown) => {
        // A lost or disposed engine has taken its sessions with it.
        if (!(error instanceof TutelageError && (error.code === "device-lost" || error.code === "disposed")))
          throw error;
        this.#forget();
      });
    return this.#disposed;
  }

  /** Releases at once; the engine calls it from inside the queue. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#forget();
    try {
      await this.#inner.dispose();
    } catch (error) {
      throw new TutelageError("internal", `session '${this.name}': could not be released: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #forget(): void {
    this.#released = true;
    this.#onRelease();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

class Result implements RunResult {
  readonly #session: string;
  readonly #host: ReadonlyMap<string, Tensor>;
  readonly #device: ReadonlyMap<string, DeviceTensor>;

  constructor(session: string, host: ReadonlyMap<string, Tensor>, device: ReadonlyMap<string, DeviceTensor>) {
    this.#session = session;
    this.#host = host;
    this.#device = device;
  }

  host(name: string): Tensor {
    const tensor = this.#host.get(name);
    invariant(tensor !== undefined, `session '${this.#session}': output '${name}' was not asked for as "host"`);
    return tensor;
  }

  device(name: string): DeviceTensor {
    const tensor = this.#device.get(name);
    invariant(tensor !== undefined, `session '${this.#session}': output '${name}' was not asked for on the device`);
    return tensor;
  }
}
