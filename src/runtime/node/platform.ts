/** @file The runtime's platform in Node: packages are found by name, WebGPU is Dawn (package `webgpu`). The browser's is `../browser/platform.ts`. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { env } from "onnxruntime-common";
import { messageOf } from "../../core/errors.ts";
import type { OrtWasmModule } from "../ortWasmModule.ts";
import type { OrtNode, OrtWeb, Platform } from "../platform.ts";
import { loadDawn, releaseDawn } from "./dawn.ts";

const AWAKE_MS = 1000;
/**
 * V8 compiles some functions of the WebGPU build for 40 s of processor time once they are
 * warm, and a process that ends waits for that. This many bytes executed (11 times V8's
 * default) leave it to runs that last; measured 47 s of processor time to 5 s for a small graph.
 */
const WASM_TIERING_BUDGET = 20_000_000;

const require = createRequire(import.meta.url);

/** URL of a file of the installed onnxruntime-web. */
function ortFile(name: string): string {
  return pathToFileURL(require.resolve(`onnxruntime-web/${name}`)).href;
}

async function loadFactory(url: string): Promise<(options: { readonly numThreads: number }) => Promise<OrtWasmModule>> {
  const module: unknown = await import(/* @vite-ignore */ url);
  return (module as { readonly default: (options: { readonly numThreads: number }) => Promise<OrtWasmModule> }).default;
}

const KIB = 1024;
const PROCESS_STATUS = "/proc/self/status";

/** On Linux from the kernel's own line: what `maxRSS` counts from there is at least what the process that started this one had. */
function processPeakBytes(): number {
  if (process.platform === "linux" && existsSync(PROCESS_STATUS)) {
    const peak = /^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync(PROCESS_STATUS, "utf8"))?.[1];
    if (peak !== undefined) return KIB * Number(peak);
  }
  return KIB * process.resourceUsage().maxRSS;
}

/** On Linux a driver shows as a device file; elsewhere every machine has a GPU of some kind. */
function hardwareGpu(): Platform["hardwareGpu"] {
  const found = process.platform !== "linux" || existsSync("/dev/nvidia0") || existsSync("/dev/dri/renderD128");
  return found ? { ok: true } : { ok: false, reason: "webgpu not used: no GPU with a driver on this machine" };
}

export const platform: Platform = {
  name: "node",
  ortVersion: env.versions.common,
  cores: availableParallelism(),
  processPeakBytes,
  wasmThreads: { ok: true },
  hardwareGpu: hardwareGpu(),

  async loadOrtNode() {
    // onnxruntime-node wraps the outputs of every run anew, which V8 counts as so much more memory even where the memory was
    // given: it marks the heap in steps, beside the program, more than once in a training step, and takes a core from ORT's
    // threads for it. Marked at once, as here, a step takes 0.8 to 0.9 of the time.
    setFlagsFromString("--no-incremental-marking");
    try {
      const module: unknown = await import("onnxruntime-node");
      // A CommonJS package: its exports may be on `default` only.
      const { default: inner } = module as { readonly default?: OrtNode };
      return inner ?? (module as OrtNode);
    } catch (error) {
      return {
        reason: `onnxruntime-node has no build that loads on ${process.platform} ${process.arch} (${messageOf(error)})`,
      };
    }
  },

  async loadOrtWasm(threads) {
    // The factory makes worker_threads' Worker global for its pool; nothing else here should see it.
    const before = Object.getOwnPropertyDescriptor(globalThis, "Worker");
    try {
      const factory = await loadFactory(ortFile("ort-wasm-simd-threaded.mjs"));
      return await factory({ numThreads: threads });
    } finally {
      if (before === undefined) Reflect.deleteProperty(globalThis, "Worker");
      else Object.defineProperty(globalThis, "Worker", before);
    }
  },

  loadGpu: loadDawn,

  async loadOrtWebgpu() {
    setFlagsFromString(`--wasm-tiering-budget=${WASM_TIERING_BUDGET}`);
    const ort: OrtWeb = await import("onnxruntime-web/webgpu");
    ort.env.wasm.wasmPaths = {
      mjs: ortFile("ort-wasm-simd-threaded.asyncify.mjs"),
      wasm: ortFile("ort-wasm-simd-threaded.asyncify.wasm"),
    };
    return { ort, build: "asyncify" };
  },

  releaseGpu: releaseDawn,

  keepAwake() {
    // With nothing else to do Node waits for all of V8's background compilation before it looks at Dawn again: 30 s in the first run.
    const timer = setInterval(() => {}, AWAKE_MS);
    return () => clearInterval(timer);
  },
};
