/**
 * @file ONNX Runtime's native CPU build in Node (onnxruntime-node). A stored tensor is an
 * array of the JavaScript heap, which ONNX Runtime reads and, for a given target, writes
 * in place: no copies (measured at 13 MB: identity 3 ms, with a fresh output 4 to 10).
 */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { invariant } from "../core/errors.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { DataType, Tensor, TypedArray, Value } from "../onnx/types.ts";
import type { Backend, BackendFeed, BackendSession, BackendTarget, Stored } from "./backend.ts";
import { bytesOf, newArray } from "./dataTypes.ts";
import { declaredValues, fromOrt, toOrtNode } from "./ortTensors.ts";
import type { OrtNode } from "./platform.ts";
import { TaskQueue } from "./taskQueue.ts";
import type { EngineInfo, SessionOptions } from "./types.ts";

/** Severity "error": warnings of the optimizer are not for users. */
const LOG_ERRORS = 3;

export class CpuBackend implements Backend<TypedArray> {
  readonly info: EngineInfo;
  readonly queue = new TaskQueue();
  readonly lost: AbortSignal = new AbortController().signal;
  readonly memory = {};
  readonly #ort: OrtNode;
  readonly #processPeakBytes: () => number | undefined;

  constructor(ort: OrtNode, version: string, threads: number, processPeakBytes: () => number | undefined) {
    this.#ort = ort;
    this.#processPeakBytes = processPeakBytes;
    ort.env.logLevel = "error";
    this.info = { ep: "cpu", version: `onnxruntime-node ${version}`, threads };
  }

  get peak(): { readonly of: "process"; readonly totalBytes: number } | undefined {
    const totalBytes = this.#processPeakBytes();
    return totalBytes === undefined ? undefined : { of: "process", totalBytes };
  }

  async createSession(model: Uint8Array, options: SessionOptions): Promise<BackendSession<TypedArray>> {
    const session = await this.#ort.InferenceSession.create(model, {
      executionProviders: ["cpu"],
      intraOpNumThreads: this.info.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      // Without the arena a train step takes 1.2 times as long.
      enableCpuMemArena: true,
      // A session would keep a block for all its values beside what its first run took of the arena, which nearly
      // doubles what a large one holds, and gains no time.
      enableMemPattern: false,
      logSeverityLevel: LOG_ERRORS,
      // Every session has threads of its own. Those that wait busily after a run for the next one
      // take cores from the session that runs by now: a train step took 1.3 to 2 times as long.
      extra: { session: { force_spinning_stop: "1" } },
    });
    return new CpuSession(this.#ort, session, options.pieceElements);
  }

  allocate(type: DataType, shape: readonly number[], data?: TypedArray): TypedArray {
    return data?.slice() ?? newArray(type, elementCount(shape));
  }

  free(): void {
    // The garbage collector's.
  }

  async read(stored: Stored<TypedArray>): Promise<TypedArray> {
    return stored.storage.slice();
  }

  async dispose(): Promise<void> {
    // Sessions and tensors are all there is.
  }
}

/** Pieces begin at multiples of this many elements. */
const PIECE_ALIGNMENT = 64;

/** A tensor of one run: the whole, or what one piece is cut from. */
interface Bound {
  readonly name: string;
  readonly type: DataType;
  readonly data: TypedArray;
  readonly shape: readonly number[];
  readonly cut: boolean;
}

class CpuSession implements BackendSession<TypedArray> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly #ort: OrtNode;
  readonly #session: InferenceSession;
  readonly #pieceElements: number | undefined;
  /** Names of the inputs and outputs that pieces are cut from. */
  readonly #cut: ReadonlySet<string>;

  constructor(ort: OrtNode, session: InferenceSession, pieceElements: number | undefined) {
    this.#ort = ort;
    this.#session = session;
    this.#pieceElements = pieceElements;
    this.inputs = declaredValues(session.inputMetadata);
    this.outputs = declaredValues(session.outputMetadata);
    const symbolic = [...this.inputs, ...this.outputs].filter(({ shape }) => typeof shape[0] === "string");
    this.#cut = new Set(pieceElements === undefined ? [] : symbolic.map(({ name }) => name));
  }

  async run(
    feeds: readonly BackendFeed<TypedArray>[],
    targets: readonly BackendTarget<TypedArray>[],
  ): Promise<ReadonlyMap<string, Tensor>> {
    const bind = (name: string, { type, data, shape }: Tensor): Bound => {
      // The native side does not take memory shared between threads.
      const own = data.buffer instanceof ArrayBuffer ? data : data.slice();
      return { name, type, data: own, shape, cut: this.#cut.has(name) };
    };
    const bound = feeds.map((feed) => bind(feed.name, "tensor" in feed ? feed.tensor : hostTensor(feed.stored)));
    const given = targets.flatMap(({ name, stored }) => (stored === undefined ? [] : [bind(name, hostTensor(stored))]));
    const read = targets.flatMap(({ name, stored }) => (stored === undefined ? [name] : []));
    const whole = this.#tensors(bound.filter(({ cut }) => !cut));

    const pieces = this.#pieces(bound);
    const results: Record<string, Tensor[]> = Object.fromEntries(read.map((name) => [name, []]));
    for (const [from, to] of pieces) {
      const result = await this.#session.run(
        {
          ...whole,
          ...this.#tensors(
            bound.filter(({ cut }) => cut),
            from,
            to,
          ),
        },
        { ...Object.fromEntries(read.map((name) => [name, null])), ...this.#tensors(given, from, to) },
      );
      for (const name of read) {
        const tensor = result[name];
        invariant(tensor !== undefined, `onnxruntime-node returns '${name}'`);
        results[name]?.push(fromOrt(tensor));
      }
    }
    return new Map(Object.entries(results).map(([name, parts]) => [name, joined(parts)]));
  }

  /** Bounds of the pieces: nearly equal, so that none is small. */
  #pieces(bound: readonly Bound[]): (readonly [number, number])[] {
    const size = bound.find(({ cut }) => cut)?.data.length;
    if (this.#pieceElements === undefined || size === undefined) return [[0, 0]];
    const count = Math.max(1, Math.ceil(size / this.#pieceElements));
    const each = Math.max(1, Math.ceil(size / count / PIECE_ALIGNMENT)) * PIECE_ALIGNMENT;
    const pieces: (readonly [number, number])[] = [];
    for (let from = 0; from < size || from === 0; from += each) pieces.push([from, Math.min(size, from + each)]);
    return pieces;
  }

  /** ONNX Runtime's tensors over the same memory, of those that are cut only the piece. */
  #tensors(bound: readonly Bound[], from = 0, to = 0): Record<string, OrtTensor> {
    return Object.fromEntries(
      bound.map(({ name, type, data, shape, cut }) => [
        name,
        toOrtNode(this.#ort, cut ? { type, data: data.subarray(from, to), shape: [to - from] } : { type, data, shape }),
      ]),
    );
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

const hostTensor = ({ type, shape, storage }: Stored<TypedArray>): Tensor => ({ type, shape, data: storage });

/** The rows of all parts in one tensor. */
function joined(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  invariant(first !== undefined, "a run has at least one piece");
  if (parts.length === 1) return first;
  const data = newArray(
    first.type,
    parts.reduce((sum, part) => sum + part.data.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytesOf(data).set(bytesOf(part.data), at);
    at += part.data.byteLength;
  }
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 1), 0);
  return { type: first.type, shape: [rows, ...first.shape.slice(1)], data };
}
