/**
 * @file The runtime's platform in a browser, page or worker. ONNX Runtime's glue and
 * binaries are assets of their own (`?url`), loaded only when a provider needs them.
 * Node's is `../node/platform.ts`.
 */
import asyncifyGlue from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import asyncifyBinary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import jspiGlue from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import jspiBinary from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url";
import wasmGlue from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasmBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { env } from "onnxruntime-common";
import type { OrtWasmModule } from "../ortWasmModule.ts";
import type { OrtWeb, Platform } from "../platform.ts";

interface FactoryOptions {
  readonly numThreads: number;
  readonly locateFile: () => string;
}

/** An asset's address as an absolute URL. Not relative to `location`: a worker's may be that of a blob. */
function absolute(url: string): string {
  return new URL(url, import.meta.url).href;
}

function wasmThreads(): Platform["wasmThreads"] {
  if (typeof SharedArrayBuffer === "undefined" || !globalThis.crossOriginIsolated) {
    return {
      ok: false,
      reason:
        "one thread: the page is not cross-origin isolated (headers Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy)",
    };
  }
  return { ok: true };
}

export const platform: Platform = {
  name: "browser",
  ortVersion: env.versions.common,
  cores: globalThis.navigator.hardwareConcurrency || 1,
  processPeakBytes: () => undefined,
  wasmThreads: wasmThreads(),
  hardwareGpu: { ok: true },

  async loadOrtNode() {
    return { reason: "provider cpu is ONNX Runtime's native build, for Node only" };
  },

  async loadOrtWasm(threads) {
    const module: unknown = await import(/* @vite-ignore */ absolute(wasmGlue));
    const factory = (module as { readonly default: (options: FactoryOptions) => Promise<OrtWasmModule> }).default;
    return factory({ numThreads: threads, locateFile: () => absolute(wasmBinary) });
  },

  async loadGpu() {
    const { gpu } = globalThis.navigator as { readonly gpu?: GPU };
    if (gpu === undefined) {
      return {
        reason: globalThis.isSecureContext
          ? "this browser has no WebGPU"
          : "WebGPU needs a secure context (https or localhost)",
      };
    }
    return gpu;
  },

  async loadOrtWebgpu() {
    if ("Suspending" in WebAssembly) {
      const ort: OrtWeb = await import("onnxruntime-web/jspi");
      ort.env.wasm.wasmPaths = { mjs: absolute(jspiGlue), wasm: absolute(jspiBinary) };
      return { ort, build: "jspi" };
    }
    const ort: OrtWeb = await import("onnxruntime-web/webgpu");
    ort.env.wasm.wasmPaths = { mjs: absolute(asyncifyGlue), wasm: absolute(asyncifyBinary) };
    return { ort, build: "asyncify" };
  },

  releaseGpu() {
    // The browser's own.
  },

  keepAwake() {
    return () => {};
  },
};
