/**
 * @file WebGPU for Node: the optional package `webgpu` (Dawn), put where ONNX Runtime
 * looks for it (`navigator.gpu`, `GPUDevice` and its kin on the global object).
 */
import { messageOf } from "../../core/errors.ts";

interface Dawn {
  create(flags: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

const INSTALL = "Install it beside tutelage: npm install webgpu";

/**
 * The first `create`, kept for good: what Dawn has still to report (a lost device, a failed
 * mapping) is fetched in later turns of the event loop through a bare pointer into it, which
 * aborts the process, or locks it for ever, once this has been collected as garbage.
 */
let gpu: GPU | undefined;
let holds = 0;
let ownNavigator = false;
/** Node 20 has no `navigator`. */
const host: { navigator?: object } = globalThis;

/** Dawn's entry point, its classes made global, until `releaseDawn`; or why there is none. */
export async function loadDawn(): Promise<GPU | { readonly reason: string }> {
  let dawn: Dawn;
  try {
    // Named by a variable so that a type check or a bundle does without the package.
    const name = "webgpu";
    dawn = (await import(/* @vite-ignore */ name)) as Dawn;
  } catch (error) {
    const missing =
      messageOf(error).includes("Cannot find") || (error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    return {
      reason: missing
        ? `WebGPU in Node needs the optional package 'webgpu'. ${INSTALL}`
        : `the package 'webgpu' does not load here (${messageOf(error)})`,
    };
  }
  holds += 1;
  if (gpu !== undefined && holds > 1) return gpu;
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  acceptSharedMemory();
  gpu ??= dawn.create([]);
  ownNavigator = host.navigator === undefined;
  if (ownNavigator) Object.defineProperty(host, "navigator", { value: {}, configurable: true, writable: true });
  Object.defineProperty(host.navigator, "gpu", { value: gpu, configurable: true });
  return gpu;
}

/** Ends one hold. The last takes `navigator.gpu` away. */
export function releaseDawn(): void {
  holds -= 1;
  if (holds > 0) return;
  if (host.navigator !== undefined) Reflect.deleteProperty(host.navigator, "gpu");
  if (ownNavigator) Reflect.deleteProperty(host, "navigator");
  ownNavigator = false;
}

const WRAPPED = Symbol("accepts shared memory");

/** Dawn's `writeBuffer` refuses data in a SharedArrayBuffer ("Invalid argument"), where ONNX Runtime's heap lies: copy it first. */
function acceptSharedMemory(): void {
  const prototype = GPUQueue.prototype as { writeBuffer: GPUQueue["writeBuffer"]; [WRAPPED]?: true };
  if (prototype[WRAPPED]) return;
  const original = prototype.writeBuffer;
  prototype.writeBuffer = function (
    this: GPUQueue,
    buffer: GPUBuffer,
    offset: number,
    data: ArrayBufferView | ArrayBufferLike,
    dataOffset?: number,
    size?: number,
  ) {
    const source = unshared(data);
    if (dataOffset === undefined) return original.call(this, buffer, offset, source);
    if (size === undefined) return original.call(this, buffer, offset, source, dataOffset);
    return original.call(this, buffer, offset, source, dataOffset, size);
  };
  prototype[WRAPPED] = true;
}

function unshared(data: ArrayBufferView | ArrayBufferLike): GPUAllowSharedBufferSource {
  if (!ArrayBuffer.isView(data)) return data instanceof ArrayBuffer ? data : new Uint8Array(data).slice().buffer;
  if (data.buffer instanceof ArrayBuffer) return data as ArrayBufferView<ArrayBuffer>;
  // Offsets and sizes count elements of the view: keep its kind.
  const view = data as Uint8Array;
  return view.slice();
}
