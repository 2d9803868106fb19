/**
 * @file Runs a graph once on one of ONNX Runtime's providers, from Node: what
 * gradient checks compare with. CPU and WASM are the packages themselves, with
 * nothing of ours in between; WebGPU is the product's engine.
 */
import type * as Ort from "onnxruntime-common";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { fromTensor } from "./float64Evaluator.ts";
import type { NdArray } from "./ndarray.ts";

export type Provider = "cpu" | "wasm" | "webgpu";

export interface RunOptions {
  /** Threads of the CPU and WASM pools. */
  readonly threads?: number;
  /** Off: run the nodes as they are, without ONNX Runtime's fusions (cpu, wasm). */
  readonly optimize?: boolean;
  /** Refuse a graph of which a node would run on the CPU (webgpu). */
  readonly disableCpuFallback?: boolean;
}

/** A loaded graph on one provider. */
export interface ProviderSession {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Map<string, NdArray>>;
  release(): Promise<void>;
}

type OrtModule = typeof Ort;

let webgpu: Promise<Engine> | undefined;

/** Closes what stays open between runs (the WebGPU device); call it after the last run of a file. */
export async function closeProviders(): Promise<void> {
  const engine = await webgpu;
  webgpu = undefined;
  await engine?.dispose();
}

async function openOnWebgpu(graph: Graph, options: RunOptions): Promise<ProviderSession> {
  webgpu ??= createEngine("webgpu");
  const engine = await webgpu;
  const session = await engine.createSession(encodeModel(graph), {
    name: graph.name,
    disableCpuFallback: options.disableCpuFallback ?? false,
  });
  return {
    async run(feeds) {
      const result = await session.run(feeds, Object.fromEntries(graph.outputs.map(({ name }) => [name, "host"])));
      return new Map(graph.outputs.map(({ name }) => [name, fromTensor(result.host(name))]));
    },
    release: () => session.dispose(),
  };
}

async function loadOrt(provider: "cpu" | "wasm", threads: number): Promise<OrtModule> {
  if (provider === "cpu") return import("onnxruntime-node");
  // The package's Node build of the WASM provider: the browser's binary, with threads.
  const web = (await import("onnxruntime-web")) as unknown as OrtModule;
  web.env.logLevel = "error";
  web.env.wasm.numThreads = threads;
  return web;
}

/** Opens a graph on a provider; the caller releases it. */
export async function openOnProvider(
  provider: Provider,
  graph: Graph,
  options: RunOptions = {},
): Promise<ProviderSession> {
  if (provider === "webgpu") return openOnWebgpu(graph, options);
  const threads = options.threads ?? 1;
  const ort = await loadOrt(provider, threads);
  const session = await ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: [provider],
    logSeverityLevel: 4,
    ...(options.optimize === false ? { graphOptimizationLevel: "disabled" as const } : {}),
    ...(provider === "cpu" ? { intraOpNumThreads: threads } : {}),
  });
  return {
    async run(feeds) {
      const given = Object.fromEntries(
        Object.entries(feeds).map(([name, { type, shape, data }]) => [
          name,
          new ort.Tensor(type as "float32", data as Float32Array, [...shape]),
        ]),
      );
      const results = await session.run(given);
      return new Map(
        graph.outputs.map(({ name, type }) => {
          const out = results[name]!;
          return [name, fromTensor({ type, shape: out.dims, data: out.data as Float32Array })];
        }),
      );
    },
    release: () => session.release(),
  };
}

/** Opens, runs once and releases. */
export async function runOnProvider(
  provider: Provider,
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  options: RunOptions = {},
): Promise<Map<string, NdArray>> {
  const session = await openOnProvider(provider, graph, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
