/**
 * @file What the runtime needs to know about where it runs. Two modules implement it,
 * `browser/platform.ts` and `node/platform.ts`; the import map of package.json
 * (`#platform`) picks one, so that neither side loads, or bundles, the other's code.
 */
import type { OrtWasmModule } from "./ortWasmModule.ts";

/** The part of the WebGPU build's JavaScript API that we use; both its builds have it. */
export type OrtWeb = typeof import("onnxruntime-common");
export type OrtNode = typeof import("onnxruntime-common");

/** How ONNX Runtime's WebGPU build waits for the GPU: by the engine's stack switching, or by rewriting the code. */
export type AsyncBuild = "jspi" | "asyncify";

/** How the files of a build are had. */
export interface LoadOptions {
  /** Bytes of the WebAssembly file that have come, of all; in a browser, where it is fetched. */
  readonly onProgress?: (file: string, loadedBytes: number, totalBytes: number) => void;
  /** Ends the fetching. */
  readonly signal?: AbortSignal;
}

export interface Platform {
  readonly name: "browser" | "node";
  /** Version of ONNX Runtime's JavaScript packages, all pinned to the same. */
  readonly ortVersion: string;
  /** Logical processors. */
  readonly cores: number;
  /** The most memory that the process ever had resident; undefined where nobody says. */
  readonly processPeakBytes: () => number | undefined;
  /** Whether WebAssembly threads can be had, and if not why. */
  readonly wasmThreads: { readonly ok: true } | { readonly ok: false; readonly reason: string };
  /** onnxruntime-node, or why it cannot be used here. */
  loadOrtNode(): Promise<OrtNode | { readonly reason: string }>;
  /** A new instance of onnxruntime-web's WASM build with its own memory. */
  loadOrtWasm(threads: number, options?: LoadOptions): Promise<OrtWasmModule>;
  /** Whether looking for a GPU unasked can find one; asking WebGPU for it is slow and noisy in Node. */
  readonly hardwareGpu: { readonly ok: true } | { readonly ok: false; readonly reason: string };
  /** The WebGPU entry point, held until `releaseGpu`; or why there is none. */
  loadGpu(): Promise<GPU | { readonly reason: string }>;
  /** onnxruntime-web's WebGPU build; after `loadGpu`. */
  loadOrtWebgpu(options?: LoadOptions): Promise<{ readonly ort: OrtWeb; readonly build: AsyncBuild }>;
  /** Ends one hold of `loadGpu`. */
  releaseGpu(): void;
  /** Holds the process awake until the returned function is called. */
  keepAwake(): () => void;
}
