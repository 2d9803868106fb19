/**
 * @file The runtime's platform in a browser, page or worker. ONNX Runtime's glue (`?url`) and
 * binaries (`?engine`) are assets of their own, loaded only when a provider needs them.
 * Node's is `../node/platform.ts`.
 */
import asyncifyGlue from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import asyncifyBinary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?engine";
import jspiGlue from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import jspiBinary from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?engine";
import wasmGlue from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasmBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?engine";
import { env } from "onnxruntime-common";
import type { OrtWasmModule } from "../ortWasmModule.ts";
import type { AsyncBuild, LoadOptions, OrtWeb, Platform } from "../platform.ts";
import { fetchBinary, type BinaryAsset } from "./binary.ts";

interface FactoryOptions {
  readonly numThreads: number;
  readonly wasmBinary: Uint8Array;
}

/** An asset's address as an absolute URL. Not relative to `location`: a worker's may be that of a blob. */
function absolute(url: string): string {
  return new URL(url, import.meta.url).href;
}

/** The file's name in its address, without the build's hash. */
const nameOf = (url: string): string => /([\w.-]+?)(?:\.wasm|-[\w-]{8}\.bin)/u.exec(url)?.[1] ?? url;

function fetchFile({ url, bytes }: BinaryAsset, { onProgress, signal }: LoadOptions): Promise<Uint8Array<ArrayBuffer>> {
  return fetchBinary(
    { url: absolute(url), bytes },
    {
      onProgress: (loadedBytes, totalBytes) => onProgress?.(nameOf(url), loadedBytes, totalBytes),
      ...(signal === undefined ? {} : { signal }),
    },
  );
}

/** ONNX Runtime's WebGPU build starts with its first session, and once: what it starts from is fetched once. */
async function loadWebgpu(
  ort: OrtWeb,
  build: AsyncBuild,
  glue: string,
  binary: BinaryAsset,
  options: LoadOptions,
): Promise<{ readonly ort: OrtWeb; readonly build: AsyncBuild }> {
  const { wasm } = ort.env;
  wasm.wasmPaths = { mjs: absolute(glue) };
  wasm.wasmBinary ??= await fetchFile(binary, options);
  return { ort, build };
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

  async loadOrtWasm(threads, options = {}) {
    const [module, binary] = await Promise.all([
      import(/* @vite-ignore */ absolute(wasmGlue)) as Promise<unknown>,
      fetchFile(wasmBinary, options),
    ]);
    const factory = (module as { readonly default: (options: FactoryOptions) => Promise<OrtWasmModule> }).default;
    return factory({ numThreads: threads, wasmBinary: binary });
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

  async loadOrtWebgpu(options = {}) {
    return "Suspending" in WebAssembly
      ? loadWebgpu(await import("onnxruntime-web/jspi"), "jspi", jspiGlue, jspiBinary, options)
      : loadWebgpu(await import("onnxruntime-web/webgpu"), "asyncify", asyncifyGlue, asyncifyBinary, options);
  },

  releaseGpu() {
    // The browser's own.
  },

  keepAwake() {
    return () => {};
  },
};
