/**
 * @file The C interface of ONNX Runtime's WebAssembly build as its Emscripten module exposes
 * it: the functions that onnxruntime-web's own glue calls (lib/wasm/wasm-types.ts of 1.30), as
 * far as `ortWasm.ts` uses them. Types only; addresses and handles are numbers.
 */

/** What the Emscripten factory of `ort-wasm-simd-threaded.mjs` resolves to, as far as we use it. */
export interface OrtWasmModule {
  readonly HEAPU8: Uint8Array;
  readonly PTR_SIZE: 4 | 8;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  stackSave(): number;
  stackRestore(stack: number): void;
  stackAlloc(bytes: number): number;
  getValue(pointer: number, type: "i8" | "i32" | "*"): number;
  setValue(pointer: number, value: number, type: "i32" | "*"): void;
  UTF8ToString(pointer: number): string;
  _OrtInit(threads: number, logLevel: number): number;
  _OrtGetLastError(codeOut: number, messageOut: number): number;
  _OrtCreateSessionOptions(
    optimization: number,
    memoryArena: boolean,
    memoryPattern: boolean,
    executionMode: number,
    profiling: boolean,
    profilePrefix: number,
    logId: number,
    logSeverity: number,
    logVerbosity: number,
    optimizedModelPath: number,
  ): number;
  _OrtReleaseSessionOptions(options: number): number;
  _OrtCreateSession(model: number, bytes: number, options: number): number | Promise<number>;
  _OrtReleaseSession(session: number): number;
  _OrtGetInputOutputCount(session: number, inputsOut: number, outputsOut: number): number;
  _OrtGetInputOutputMetadata(session: number, index: number, nameOut: number, metadataOut: number): number;
  _OrtFree(pointer: number): number;
  _OrtCreateTensor(type: number, data: number, bytes: number, dims: number, rank: number, location: number): number;
  _OrtGetTensorData(tensor: number, typeOut: number, dataOut: number, dimsOut: number, rankOut: number): number;
  _OrtReleaseTensor(tensor: number): number;
  _OrtCreateRunOptions(logSeverity: number, logVerbosity: number, terminate: boolean, tag: number): number;
  _OrtReleaseRunOptions(options: number): number;
  _OrtRun(
    session: number,
    inputNames: number,
    inputs: number,
    inputCount: number,
    outputNames: number,
    outputCount: number,
    outputs: number,
    options: number,
  ): number | Promise<number>;
}
