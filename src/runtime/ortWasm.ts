/**
 * @file A thin hand on ONNX Runtime's WebAssembly build itself, without onnxruntime-web's
 * JavaScript API on top. Why: that API copies every feed into the WebAssembly heap and
 * every output out of it, and a given output never comes back (lib/wasm/wasm-core-impl.ts of
 * onnxruntime-web 1.30, `prepareInputOutputTensor` and `run`). Training feeds and returns all
 * parameters and moments each step: AdamW over 13 MB takes 1.7 times as long through the API
 * as with tensors that stay in the heap, and twice the memory. Only the C functions that the package's own glue calls are used.
 * Not here: which tensors exist and who owns them (`wasmBackend.ts`).
 */
import { TutelageError, invariant } from "../core/errors.ts";
import type { DataType, Tensor, Value } from "../onnx/types.ts";
import { elementCount } from "../onnx/shapes.ts";
import { bytesOf, elementBytes, newArray } from "./dataTypes.ts";
import type { OrtWasmModule } from "./ortWasmModule.ts";
import { outOfMemory } from "./runtimeErrors.ts";

/** ONNX TensorProto.DataType. */
const TYPE_CODES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};
const TYPE_NAMES: ReadonlyMap<number, DataType> = new Map(
  Object.entries(TYPE_CODES).map(([name, code]) => [code, name as DataType]),
);

const LOG_ERRORS = 3;
const OPTIMIZE_ALL = 99;
const SEQUENTIAL = 0;
const LOCATION_CPU = 1;
/** malloc of the module aligns to this; an empty tensor still gets an address. */
const MIN_BYTES = 16;
const MAX_BYTES = 0xffff_0000;

/** A tensor in the heap: the address of its data and ONNX Runtime's handle over it. */
export interface HeapTensor {
  readonly data: number;
  readonly handle: number;
}

export class OrtWasm {
  readonly #module: OrtWasmModule;

  /** Starts ONNX Runtime in a fresh module. */
  constructor(module: OrtWasmModule, threads: number) {
    invariant(module.PTR_SIZE === 4, "the WebAssembly build has 32-bit addresses");
    this.#module = module;
    this.#check(module._OrtInit(threads, LOG_ERRORS), "start");
  }

  /** The heap as it is now; another thread may have grown it since the last look. */
  get heap(): Uint8Array {
    // Reading through the module refreshes its views when the memory has grown.
    this.#module.getValue(0, "i8");
    return this.#module.HEAPU8;
  }

  /** Address of `bytes` bytes of the heap. @throws TutelageError out-of-memory. */
  malloc(bytes: number): number {
    // More than addresses can count would wrap round to a small block.
    const pointer = bytes > MAX_BYTES ? 0 : this.#module._malloc(Math.max(bytes, MIN_BYTES));
    if (pointer === 0)
      throw outOfMemory(
        `wasm heap of ${this.heap.byteLength} bytes`,
        new Error(`could not allocate ${bytes} more bytes`),
      );
    return pointer;
  }

  /** A tensor in the heap holding `data`, or zeros. Freed by `freeTensor`. */
  createTensor(type: DataType, shape: readonly number[], data?: ArrayBufferView): HeapTensor {
    const module = this.#module;
    const bytes = elementCount(shape) * elementBytes(type);
    const pointer = this.malloc(bytes);
    if (data === undefined) this.heap.fill(0, pointer, pointer + bytes);
    else this.heap.set(bytesOf(data), pointer);
    return this.#scope(() => {
      const dims = module.stackAlloc(Math.max(4 * shape.length, MIN_BYTES));
      for (const [axis, dim] of shape.entries()) module.setValue(dims + 4 * axis, dim, "i32");
      const handle = module._OrtCreateTensor(TYPE_CODES[type], pointer, bytes, dims, shape.length, LOCATION_CPU);
      if (handle === 0) {
        module._free(pointer);
        throw this.#lastError("create a tensor");
      }
      return { data: pointer, handle };
    });
  }

  freeTensor(tensor: HeapTensor): void {
    this.#module._OrtReleaseTensor(tensor.handle);
    this.#module._free(tensor.data);
  }

  /** Loads a model. @throws Error with ONNX Runtime's message. */
  async createSession(model: Uint8Array): Promise<OrtWasmSession> {
    const module = this.#module;
    const pointer = this.malloc(model.byteLength);
    let options = 0;
    try {
      this.heap.set(model, pointer);
      // Without memory pattern: it gains nothing here (measured, within 3 %) and each session would keep a block for all its
      // intermediates, where malloc lets sessions share the heap (four of a 3 M parameter step: 172 MB instead of 253).
      options = module._OrtCreateSessionOptions(OPTIMIZE_ALL, false, false, SEQUENTIAL, false, 0, 0, LOG_ERRORS, 0, 0);
      if (options === 0) throw this.#lastError("create session options");
      const handle = await module._OrtCreateSession(pointer, model.byteLength, options);
      if (handle === 0) throw this.#lastError("load the model");
      return new OrtWasmSession(this, module, handle);
    } finally {
      if (options !== 0) module._OrtReleaseSessionOptions(options);
      module._free(pointer);
    }
  }

  /** Declared values of a session, inputs first, with the addresses of their names (owned by the caller). */
  declaredValues(session: number): { readonly inputs: NamedValue[]; readonly outputs: NamedValue[] } {
    const module = this.#module;
    const [inputCount, outputCount] = this.#scope(() => {
      const out = module.stackAlloc(MIN_BYTES);
      this.#check(module._OrtGetInputOutputCount(session, out, out + 4), "count inputs and outputs");
      return [module.getValue(out, "i32"), module.getValue(out + 4, "i32")] as const;
    });
    const all = Array.from({ length: inputCount + outputCount }, (_, index) => this.#declaredValue(session, index));
    return { inputs: all.slice(0, inputCount), outputs: all.slice(inputCount) };
  }

  #declaredValue(session: number, index: number): NamedValue {
    const module = this.#module;
    return this.#scope(() => {
      const out = module.stackAlloc(MIN_BYTES);
      this.#check(module._OrtGetInputOutputMetadata(session, index, out, out + 4), `describe value ${index}`);
      const nameAddress = module.getValue(out, "*");
      const metadata = module.getValue(out + 4, "*");
      const name = module.UTF8ToString(nameAddress);
      // Layout: element type, rank, then a symbol's address per dimension, then a size per dimension.
      const type = TYPE_NAMES.get(module.getValue(metadata, "i32"));
      const rank = type === undefined ? 0 : module.getValue(metadata + 4, "i32");
      const shape = Array.from({ length: rank }, (_, axis) => {
        const symbol = module.getValue(metadata + 8 + 4 * axis, "*");
        if (symbol !== 0) return module.UTF8ToString(symbol);
        const size = module.getValue(metadata + 8 + 4 * (rank + axis), "i32");
        return size < 0 ? "" : size;
      });
      module._OrtFree(metadata);
      if (type === undefined)
        throw new TutelageError("unsupported", `model value '${name}': only tensors of numbers and bool are handled`);
      return { value: { name, type, shape }, nameAddress };
    });
  }

  /** Copies a tensor of ONNX Runtime's own out of the heap and releases it. */
  takeTensor(handle: number): Tensor {
    const module = this.#module;
    try {
      return this.#scope(() => {
        const out = module.stackAlloc(MIN_BYTES);
        this.#check(module._OrtGetTensorData(handle, out, out + 4, out + 8, out + 12), "read an output");
        const type = TYPE_NAMES.get(module.getValue(out, "i32"));
        const data = module.getValue(out + 4, "*");
        const dims = module.getValue(out + 8, "*");
        const rank = module.getValue(out + 12, "i32");
        const shape = Array.from({ length: rank }, (_, axis) => module.getValue(dims + 4 * axis, "i32"));
        module._OrtFree(dims);
        invariant(type !== undefined, "outputs have the declared type");
        return this.copyOut(type, shape, data);
      });
    } finally {
      module._OrtReleaseTensor(handle);
    }
  }

  /** A copy of the data at an address of the heap. */
  copyOut(type: DataType, shape: readonly number[], pointer: number): Tensor {
    const data = newArray(type, elementCount(shape));
    bytesOf(data).set(this.heap.subarray(pointer, pointer + data.byteLength));
    return { type, shape, data };
  }

  /** @throws Error with ONNX Runtime's message unless `code` is 0. */
  #check(code: number, doing: string): void {
    if (code !== 0) throw this.#lastError(doing);
  }

  #lastError(doing: string): Error {
    return this.#scope(() => lastError(this.#module, doing));
  }

  /** Gives the module's stack back after `body`. */
  #scope<T>(body: () => T): T {
    const stack = this.#module.stackSave();
    try {
      return body();
    } finally {
      this.#module.stackRestore(stack);
    }
  }
}

function lastError(module: OrtWasmModule, doing: string): Error {
  const out = module.stackAlloc(MIN_BYTES);
  module._OrtGetLastError(out, out + 4);
  const message = module.getValue(out + 4, "*");
  return new Error(
    `could not ${doing}: ERROR_CODE: ${module.getValue(out, "i32")}, ${message === 0 ? "no message" : module.UTF8ToString(message)}`,
  );
}

interface NamedValue {
  readonly value: Value;
  readonly nameAddress: number;
}

export class OrtWasmSession {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly #ort: OrtWasm;
  readonly #module: OrtWasmModule;
  readonly #handle: number;
  readonly #names: ReadonlyMap<string, number>;
  readonly #addresses: readonly number[];
  readonly #runOptions: number;

  constructor(ort: OrtWasm, module: OrtWasmModule, handle: number) {
    this.#ort = ort;
    this.#module = module;
    this.#handle = handle;
    const { inputs, outputs } = ort.declaredValues(handle);
    this.inputs = inputs.map(({ value }) => value);
    this.outputs = outputs.map(({ value }) => value);
    // An output may carry the name of an input; either address spells it.
    this.#names = new Map([...inputs, ...outputs].map(({ value, nameAddress }) => [value.name, nameAddress]));
    this.#addresses = [...inputs, ...outputs].map(({ nameAddress }) => nameAddress);
    this.#runOptions = module._OrtCreateRunOptions(LOG_ERRORS, 0, false, 0);
  }

  /**
   * Runs once. `outputs` gives each output's tensor to write, or undefined to have one made.
   * @returns per output the handle that now holds it; those that were made are the caller's. @throws Error with ONNX Runtime's message.
   */
  async run(
    inputs: ReadonlyMap<string, HeapTensor>,
    outputs: ReadonlyMap<string, HeapTensor | undefined>,
  ): Promise<number[]> {
    const module = this.#module;
    const count = inputs.size + outputs.size;
    const block = this.#ort.malloc(8 * count);
    try {
      const values = block + 4 * count;
      let slot = 0;
      const put = (name: string, handle: number): void => {
        const address = this.#names.get(name);
        invariant(address !== undefined, `the session has '${name}'`);
        module.setValue(block + 4 * slot, address, "*");
        module.setValue(values + 4 * slot, handle, "*");
        slot += 1;
      };
      for (const [name, tensor] of inputs) put(name, tensor.handle);
      for (const [name, tensor] of outputs) put(name, tensor?.handle ?? 0);
      const outputNames = block + 4 * inputs.size;
      const outputValues = values + 4 * inputs.size;
      const code = await module._OrtRun(
        this.#handle,
        block,
        values,
        inputs.size,
        outputNames,
        outputs.size,
        outputValues,
        this.#runOptions,
      );
      if (code !== 0) {
        const stack = module.stackSave();
        try {
          throw lastError(module, "run");
        } finally {
          module.stackRestore(stack);
        }
      }
      return Array.from({ length: outputs.size }, (_, index) => module.getValue(outputValues + 4 * index, "*"));
    } finally {
      module._free(block);
    }
  }

  release(): void {
    this.#module._OrtReleaseRunOptions(this.#runOptions);
    for (const address of this.#addresses) this.#module._OrtFree(address);
    const code = this.#module._OrtReleaseSession(this.#handle);
    if (code !== 0) throw new Error("could not release the session");
  }
}
