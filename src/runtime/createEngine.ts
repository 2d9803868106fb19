/**
 * @file Opens an engine on a provider by name, or on the best there is, and says what
 * can be used here. A provider is never changed in silence: the reason is in
 * `info.fallbackReason` and in an event.
 */
import { platform } from "#platform";
import { TutelageError, badInput, messageOf, throwIfAborted } from "../core/errors.ts";
import { CpuBackend } from "./cpuBackend.ts";
import { EngineCore } from "./engineCore.ts";
import { findAdapter, openDevice, type Adapter } from "./gpuDevice.ts";
import type { Engine, EngineInfo, ExecutionProvider } from "./types.ts";
import type { LoadOptions } from "./platform.ts";
import { openWasmBackend } from "./wasmBackend.ts";
import { WebgpuBackend } from "./webgpuBackend.ts";

/** More threads than this gain little on graphs of a small model and cost memory each. */
const MAX_WASM_THREADS = 8;

/** What opening an engine tells while it goes on. */
export type EngineEvent =
  | { readonly type: "loading"; readonly ep: ExecutionProvider }
  /** In a browser: bytes of ONNX Runtime's file that have come, of all. */
  | {
      readonly type: "download";
      readonly ep: ExecutionProvider;
      readonly file: string;
      readonly loadedBytes: number;
      readonly totalBytes: number;
    }
  | { readonly type: "fallback"; readonly ep: ExecutionProvider; readonly reason: string }
  | { readonly type: "self-test"; readonly ep: ExecutionProvider; readonly result: string };

export interface EngineOptions {
  /** Threads of the CPU pool (cpu, wasm); the processor's by default, on wasm `defaultWasmThreads`. */
  readonly threads?: number;
  readonly onEvent?: (event: EngineEvent) => void;
  /** Ends the fetching of ONNX Runtime's files. */
  readonly signal?: AbortSignal;
  /**
   * Tries a WebGPU engine against a WASM engine before it is trusted; returns a sentence
   * with what it measured, throws `device-refused` when they disagree. Borrows both.
   */
  readonly selfTest?: (candidate: Engine, reference: Engine) => Promise<string>;
}

export type Availability = { readonly ep: ExecutionProvider } & (
  | { readonly available: true; readonly note?: string }
  | { readonly available: false; readonly reason: string }
);

/** Which providers can be used here, best first, and why not the others. Opens none. */
export async function availableProviders(): Promise<Availability[]> {
  const adapter = await adapterHere();
  const webgpu: Availability =
    "reason" in adapter
      ? { ep: "webgpu", available: false, reason: adapter.reason }
      : {
          ep: "webgpu",
          available: true,
          note: adapter.software ? `${adapter.description} (software, slower than wasm)` : adapter.description,
        };
  if (!("reason" in adapter)) platform.releaseGpu();
  const node = await platform.loadOrtNode();
  const cpu: Availability =
    "reason" in node ? { ep: "cpu", available: false, reason: node.reason } : { ep: "cpu", available: true };
  const { wasmThreads } = platform;
  const wasm: Availability = !("WebAssembly" in globalThis)
    ? { ep: "wasm", available: false, reason: "no WebAssembly here" }
    : { ep: "wasm", available: true, ...(wasmThreads.ok ? {} : { note: wasmThreads.reason }) };
  return [webgpu, cpu, wasm];
}

/**
 * An engine on provider `ep`, owned by the caller. "auto" takes webgpu where a hardware
 * adapter exists and passes the self-test, then cpu (Node), then wasm.
 * @throws BadInputError when `ep` cannot be used here, naming what can; TutelageError device-refused (self-test, `ep` by name).
 */
export async function createEngine(ep: ExecutionProvider | "auto", options: EngineOptions = {}): Promise<Engine> {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    badInput("createEngine", "a whole number of threads ≥ 1", String(threads));
  switch (ep) {
    case "webgpu":
      return openWebgpu(await requireAdapter(), options);
    case "cpu":
      return openCpu(options);
    case "wasm":
      return openWasm(options);
    case "auto":
      return openBest(options);
    default:
      badInput("createEngine", "cpu, wasm, webgpu or auto", String(ep satisfies never));
  }
}

async function openBest(options: EngineOptions): Promise<Engine> {
  const adapter = platform.hardwareGpu.ok ? await adapterHere() : platform.hardwareGpu;
  let reason: string;
  if ("reason" in adapter) {
    reason = adapter.reason;
  } else if (adapter.software) {
    reason = `webgpu not used: its adapter is software (${adapter.description})`;
    platform.releaseGpu();
  } else {
    try {
      return await openWebgpu(adapter, options);
    } catch (error) {
      reason = `webgpu not used: ${messageOf(error)}`;
    }
  }
  const node = await platform.loadOrtNode();
  if ("reason" in node) {
    const both = platform.name === "node" ? `${reason}; ${node.reason}` : reason;
    options.onEvent?.({ type: "fallback", ep: "wasm", reason: both });
    return openWasm(options, both);
  }
  options.onEvent?.({ type: "fallback", ep: "cpu", reason });
  return openCpu(options, reason);
}

async function openCpu(options: EngineOptions, fallbackReason?: string): Promise<Engine> {
  const ort = await platform.loadOrtNode();
  if ("reason" in ort) return refuse("cpu", ort.reason);
  options.onEvent?.({ type: "loading", ep: "cpu" });
  const backend = new CpuBackend(
    ort,
    platform.ortVersion,
    options.threads ?? platform.cores,
    platform.processPeakBytes,
  );
  return new EngineCore(backend, withReason(backend.info, fallbackReason));
}

function loadOptions(ep: ExecutionProvider, { onEvent, signal }: EngineOptions): LoadOptions {
  return {
    onProgress: (file, loadedBytes, totalBytes) => onEvent?.({ type: "download", ep, file, loadedBytes, totalBytes }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** At most 8. In a browser one core is the page's where there are more than two: its frames must not wait for training. */
export function defaultWasmThreads(where: typeof platform.name, cores: number): number {
  return Math.min(where === "browser" && cores > 2 ? cores - 1 : cores, MAX_WASM_THREADS);
}

async function openWasm(options: EngineOptions, fallbackReason?: string): Promise<Engine> {
  options.onEvent?.({ type: "loading", ep: "wasm" });
  const { wasmThreads } = platform;
  const wanted = options.threads ?? defaultWasmThreads(platform.name, platform.cores);
  const threads = wasmThreads.ok ? wanted : 1;
  const held = wasmThreads.ok || wanted === 1 ? undefined : wasmThreads.reason;
  if (held !== undefined) options.onEvent?.({ type: "fallback", ep: "wasm", reason: held });
  let backend;
  try {
    backend = await openWasmBackend(platform, threads, loadOptions("wasm", options));
  } catch (error) {
    throwIfAborted(options.signal, "createEngine");
    throw new TutelageError(
      "unsupported",
      `wasm: ONNX Runtime's WebAssembly could not be loaded: ${messageOf(error)}`,
      { cause: error },
    );
  }
  const reasons = [fallbackReason, held].filter((reason) => reason !== undefined);
  return new EngineCore(backend, withReason(backend.info, reasons.length > 0 ? reasons.join("; ") : undefined));
}

/** Takes over the adapter's hold on the GPU entry point: the engine, or a failure, lets go of it. */
async function openWebgpu(found: Adapter, options: EngineOptions): Promise<Engine> {
  options.onEvent?.({ type: "loading", ep: "webgpu" });
  let backend: WebgpuBackend;
  try {
    const ort = await platform.loadOrtWebgpu(loadOptions("webgpu", options));
    backend = new WebgpuBackend(platform, ort, found, await openDevice(found.adapter));
  } catch (error) {
    platform.releaseGpu();
    throwIfAborted(options.signal, "createEngine");
    throw new TutelageError("device-refused", `webgpu: the device could not be opened: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const info: { -readonly [K in keyof EngineInfo]: EngineInfo[K] } = { ...backend.info };
  const engine = new EngineCore(backend, info);
  if (options.selfTest === undefined) return engine;
  try {
    info.selfTest = await tryAgainstWasm(engine, options.selfTest, options);
    options.onEvent?.({ type: "self-test", ep: "webgpu", result: info.selfTest });
    return engine;
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

async function tryAgainstWasm(
  candidate: Engine,
  selfTest: NonNullable<EngineOptions["selfTest"]>,
  { onEvent, signal }: EngineOptions,
): Promise<string> {
  const told: EngineOptions["onEvent"] = (event) => event.type === "download" && onEvent?.(event);
  const reference = await openWasm({ onEvent: told, ...(signal === undefined ? {} : { signal }) });
  try {
    return await selfTest(candidate, reference);
  } finally {
    await reference.dispose();
  }
}

/** The best adapter, with a hold on the GPU entry point; or why there is none. */
async function adapterHere(): Promise<Adapter | { readonly reason: string }> {
  const gpu = await platform.loadGpu();
  if ("reason" in gpu) return gpu;
  const adapter = await findAdapter(gpu);
  if ("reason" in adapter) platform.releaseGpu();
  return adapter;
}

async function requireAdapter(): Promise<Adapter> {
  const adapter = await adapterHere();
  return "reason" in adapter ? refuse("webgpu", adapter.reason) : adapter;
}

async function refuse(ep: ExecutionProvider, reason: string): Promise<never> {
  const others = (await availableProviders())
    .filter((other) => other.available && other.ep !== ep)
    .map((other) => other.ep);
  badInput(`provider '${ep}'`, `one that can be used here (${others.join(", ")})`, reason);
}

function withReason(info: EngineInfo, fallbackReason: string | undefined): EngineInfo {
  return fallbackReason === undefined ? info : { ...info, fallbackReason };
}
