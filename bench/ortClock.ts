/**
 * @file A clock around ONNX Runtime inside the engine that users get: how long each graph runs and how long
 * copies take, within real steps. It stands between the engine and the library, so that product
 * code has no hooks; two readings of the clock a run are all that it adds. Not here: what a graph is for.
 */
import { platform } from "#platform";
import { decodeModel } from "../src/onnx/model.ts";
import type { Backend } from "../src/runtime/backend.ts";
import { CpuBackend } from "../src/runtime/cpuBackend.ts";
import { OrtWasm } from "../src/runtime/ortWasm.ts";
import type { OrtWeb } from "../src/runtime/platform.ts";
import { WebgpuBackend } from "../src/runtime/webgpuBackend.ts";

/** Milliseconds. */
export interface Clocked {
  /** Inside runs, by the name of the graph. */
  readonly graphs: ReadonlyMap<string, number>;
  /**
   * Copies that our code makes: on wasm into and out of the heap, anywhere uploads and read-backs of tensors. What
   * ONNX Runtime copies within a run (webgpu: feeds and results of the run) is in the run.
   */
  readonly copies: number;
}

export interface OrtClock {
  /** What was clocked since the last call. */
  take(): Clocked;
}

/** Clocks all engines that are made in this process or worker from now on. To be called once. */
export function clockOnnxRuntime(): OrtClock {
  const clock = new Clock();
  clockLibraries(clock);
  clockHeap(clock);
  clockCopies(clock, CpuBackend.prototype);
  clockCopies(clock, WebgpuBackend.prototype);
  return clock;
}

class Clock implements OrtClock {
  #graphs = new Map<string, number>();
  #copies = 0;
  /** A copy within a copy is timed once. */
  #copying = false;

  async run<T>(graph: string, body: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await body();
    } finally {
      this.#graphs.set(graph, (this.#graphs.get(graph) ?? 0) + performance.now() - startedMs);
    }
  }

  copy<T>(body: () => T): T {
    if (this.#copying) return body();
    this.#copying = true;
    const startedMs = performance.now();
    const done = (): void => {
      this.#copying = false;
      this.#copies += performance.now() - startedMs;
    };
    let result: T;
    try {
      result = body();
    } catch (error) {
      done();
      throw error;
    }
    if (result instanceof Promise) result.finally(done).catch(() => undefined);
    else done();
    return result;
  }

  take(): Clocked {
    const clocked = { graphs: this.#graphs, copies: this.#copies };
    this.#graphs = new Map();
    this.#copies = 0;
    return clocked;
  }
}

/** The graph's own name, which is the same whatever sizes it is made for. */
const nameOf = (model: Uint8Array): string => decodeModel(model).name;

/** cpu and webgpu: the sessions of ONNX Runtime's JavaScript packages. */
function clockLibraries(clock: Clock): void {
  const loadNode = platform.loadOrtNode.bind(platform);
  platform.loadOrtNode = async () => {
    const ort = await loadNode();
    return "reason" in ort ? ort : clocked(clock, ort);
  };
  const loadWebgpu = platform.loadOrtWebgpu.bind(platform);
  platform.loadOrtWebgpu = async (options) => {
    const { ort, build } = await loadWebgpu(options);
    return { ort: clocked(clock, ort), build };
  };
}

function clocked(clock: Clock, ort: OrtWeb): OrtWeb {
  type Factory = OrtWeb["InferenceSession"];
  const create = async (model: Uint8Array, ...rest: readonly object[]) => {
    const session = await ort.InferenceSession.create(model, ...rest);
    const name = nameOf(model);
    around(session, "run", (run) => clock.run(name, run));
    return session;
  };
  return { ...ort, InferenceSession: { create: create as Factory["create"] } };
}

/** wasm: the sessions and tensors of the heap. */
function clockHeap(clock: Clock): void {
  around(OrtWasm.prototype, "createSession", async (create, [model]) => {
    const session = await create();
    const name = nameOf(model);
    around(session, "run", (run) => clock.run(name, run));
    return session;
  });
  around(OrtWasm.prototype, "createTensor", (create) => clock.copy(create));
  around(OrtWasm.prototype, "takeTensor", (take) => clock.copy(take));
  around(OrtWasm.prototype, "copyOut", (copy) => clock.copy(copy));
}

/** Uploads and read-backs of whole tensors; `backend` is a class's prototype. */
function clockCopies<S>(clock: Clock, backend: Pick<Backend<S>, "allocate" | "read">): void {
  around(backend, "allocate", (allocate) => clock.copy(allocate));
  around(backend, "read", (read) => clock.copy(read));
}

type Given<F> = F extends (...given: infer A) => unknown ? A : never;
type Result<F> = F extends (...given: never[]) => infer R ? R : never;

/** Has `wrap` called for a method of an object or a prototype, with what calls the method itself and what it was given. */
function around<O extends object, K extends keyof O>(
  owner: O,
  method: K,
  wrap: (body: () => Result<O[K]>, given: Given<O[K]>) => Result<O[K]>,
): void {
  const original = owner[method] as (...given: unknown[]) => Result<O[K]>;
  owner[method] = function (this: unknown, ...given: unknown[]) {
    return wrap(() => original.apply(this, given), given as Given<O[K]>);
  } as O[K];
}
