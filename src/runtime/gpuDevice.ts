/** @file Asks WebGPU for an adapter and for a device with everything the adapter can give that the engine uses. */
import { messageOf } from "../core/errors.ts";

/** Limits that default to the specification's minimum unless asked for. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxBindGroups",
  "maxBindingsPerBindGroup",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Features for which ONNX Runtime has faster kernels. */
const FEATURES = ["shader-f16", "subgroups"] as const satisfies readonly GPUFeatureName[];

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;

export interface Adapter {
  readonly adapter: GPUAdapter;
  /** Vendor, architecture and description in one line. */
  readonly description: string;
  /** Drawn by the processor: right, but slower than the WASM provider. */
  readonly software: boolean;
}

export interface Device {
  readonly device: GPUDevice;
  readonly buffers: BufferCount;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

/** The best adapter, or why there is none. */
export async function findAdapter(gpu: GPU): Promise<Adapter | { readonly reason: string }> {
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    return { reason: `WebGPU gives no adapter (${messageOf(error)})` };
  }
  if (adapter === null) return { reason: "WebGPU gives no adapter: no GPU with a driver that it accepts" };
  const { vendor, architecture, device, description } = adapter.info;
  const words = [vendor, architecture, device, description].filter(
    (word, index, all) => word !== "" && all.indexOf(word) === index,
  );
  const text = words.join(" ") || "unknown adapter";
  const fallback =
    (adapter.info as { readonly isFallbackAdapter?: boolean }).isFallbackAdapter ??
    (adapter as { readonly isFallbackAdapter?: boolean }).isFallbackAdapter;
  return { adapter, description: text, software: fallback === true || SOFTWARE.test(text) };
}

/** A device with the adapter's own limits and the features we use. @throws what `requestDevice` throws. */
export async function openDevice(adapter: GPUAdapter): Promise<Device> {
  const wanted: Record<string, number> = {};
  for (const name of LIMITS) {
    const limit: unknown = adapter.limits[name];
    if (typeof limit === "number") wanted[name] = limit;
  }
  const features = FEATURES.filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ label: "tutelage", requiredLimits: wanted, requiredFeatures: features });
  const limits: Record<string, number> = {};
  for (const name of Object.keys(wanted)) limits[name] = device.limits[name as (typeof LIMITS)[number]];
  return { device, buffers: countBuffers(device), limits, features: [...device.features].sort() };
}

/** Bytes of all buffers of a device, whoever made them. */
export interface BufferCount {
  readonly bytes: number;
  readonly peakBytes: number;
}

/** Counts the buffers of `device` from here on: those that were destroyed, or collected as garbage, no longer count. */
export function countBuffers(device: GPUDevice): BufferCount {
  let [bytes, peakBytes] = [0, 0];
  const collected = new FinalizationRegistry((size: number) => (bytes -= size));
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    bytes += descriptor.size;
    peakBytes = Math.max(peakBytes, bytes);
    const token = {};
    collected.register(buffer, descriptor.size, token);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      if (collected.unregister(token)) bytes -= descriptor.size;
      return destroy();
    };
    return buffer;
  };
  return {
    get bytes() {
      return bytes;
    },
    get peakBytes() {
      return peakBytes;
    },
  };
}
