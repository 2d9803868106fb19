/**
 * @file Runs a graph once on one of ONNX Runtime's providers, from Node, with
 * nothing of ours in between: what gradient checks compare with. The engine that
 * the product uses is `src/runtime`.
 */
import { existsSync } from "node:fs";
import { constants } from "node:os";
import type * as Ort from "onnxruntime-common";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import { fromTensor } from "./float64Evaluator.ts";
import type { NdArray } from "./ndarray.ts";

export type Provider = "cpu" | "wasm" | "webgpu";

export interface RunOptions {
  /** Threads of the CPU and WASM pools. */
  readonly threads?: number;
  /** Refuse a graph of which a node would run on the CPU (webgpu). */
  readonly disableCpuFallback?: boolean;
}

/** A loaded graph on one provider. */
export interface ProviderSession {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Map<string, NdArray>>;
  release(): Promise<void>;
}

type OrtModule = typeof Ort;

async function load(provider: Provider, threads: number): Promise<OrtModule> {
  if (provider === "cpu") return (await import("onnxruntime-node")) as unknown as OrtModule;
  if (provider === "webgpu") await provideWebGpu();
  // The package's Node build of the WASM provider: the same binary, with threads.
  const web = (provider === "wasm" ? await import("onnxruntime-web") : await import("onnxruntime-web/webgpu")) as unknown as OrtModule;
  web.env.logLevel = "error";
  web.env.wasm.numThreads = threads;
  return web;
}

/** Opens a graph on a provider; the caller releases it. */
export async function openOnProvider(provider: Provider, graph: Graph, options: RunOptions = {}): Promise<ProviderSession> {
  const threads = options.threads ?? 1;
  const ort = await load(provider, threads);
  const session = await ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: [provider],
    logSeverityLevel: 4,
    ...(provider === "cpu" ? { intraOpNumThreads: threads } : {}),
    ...(options.disableCpuFallback ? { extra: { session: { disable_cpu_ep_fallback: "1" } } } : {}),
  });
  return {
    async run(feeds) {
      const given = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, new ort.Tensor(tensor.type as "float32", tensor.data as Float32Array, [...tensor.shape])]));
      const results = await session.run(given);
      return new Map(graph.outputs.map(({ name, type }) => {
        const out = results[name]!;
        return [name, fromTensor({ type, shape: out.dims, data: out.data as Float32Array })];
      }));
    },
    release: () => session.release(),
  };
}

/** Opens, runs once and releases. */
export async function runOnProvider(provider: Provider, graph: Graph, feeds: Readonly<Record<string, Tensor>>, options: RunOptions = {}): Promise<Map<string, NdArray>> {
  const session = await openOnProvider(provider, graph, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

const RTLD_NODELETE = 0x1000;

/** Dawn as `navigator.gpu`, on the system's Vulkan loader or the one that Debian's Chromium brings. */
async function provideWebGpu(): Promise<void> {
  const scope = globalThis as unknown as { navigator: { gpu?: unknown }; GPUQueue?: { prototype: GPUQueue } };
  if (scope.navigator?.gpu !== undefined) return;
  const loader = "/usr/lib/chromium/libvulkan.so.1";
  if (existsSync(loader)) {
    try {
      // Not an addon: loading it fails on purpose, but the library stays and Dawn finds it by name.
      process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_LAZY | RTLD_NODELETE);
    } catch (error) {
      if (!String(error).includes("self-register")) throw error;
    }
  }
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  Object.defineProperty((scope.navigator ??= {}), "gpu", { value: create([]), configurable: true });
  // Dawn's binding refuses data in shared memory, which ONNX Runtime's heap is.
  const queue = scope.GPUQueue!.prototype;
  const writeBuffer = queue.writeBuffer;
  queue.writeBuffer = function (this: GPUQueue, buffer, offset, data, dataOffset, size) {
    const view = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data as ArrayBuffer);
    const copy = new Uint8Array(view);
    const scale = ArrayBuffer.isView(data) && "BYTES_PER_ELEMENT" in data ? (data.BYTES_PER_ELEMENT as number) : 1;
    return writeBuffer.call(this, buffer, offset, copy, (dataOffset ?? 0) * scale, size === undefined ? undefined : size * scale);
  };
}
