/**
 * @file What must come out when WebGPU fails: a device taken away before, between and
 * during calls, memory that is not there, errors that the device reports late. Run in
 * Node (Dawn) and in Chromium.
 */
import { platform } from "#platform";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/onnx/types.ts";
import { EngineCore } from "../../src/runtime/engineCore.ts";
import { findAdapter, openDevice } from "../../src/runtime/gpuDevice.ts";
import { WebgpuBackend, type GpuStorage } from "../../src/runtime/webgpuBackend.ts";
import { descentModel, float32 } from "./engineSuite.ts";

/** An engine with its device in reach. */
async function openWithDevice(): Promise<{ engine: EngineCore<GpuStorage>; device: GPUDevice }> {
  const gpu = await platform.loadGpu();
  if ("reason" in gpu) throw new Error(gpu.reason);
  const adapter = await findAdapter(gpu);
  if ("reason" in adapter) throw new Error(adapter.reason);
  const opened = await openDevice(adapter.adapter);
  return {
    engine: new EngineCore(new WebgpuBackend(platform, await platform.loadOrtWebgpu(), adapter, opened)),
    device: opened.device,
  };
}

const FEEDS: Readonly<Record<string, Tensor>> = {
  p: float32([4], () => 1),
  grad: float32([4], () => 1),
  rate: float32([], [1]),
};

export function gpuFaultSuite(): void {
  describe("a WebGPU device that is lost", () => {
    test("rejects the call it interrupts and every later one, and aborts `lost`", async () => {
      const { engine, device } = await openWithDevice();
      const session = await engine.createSession(descentModel(4), { name: "descent" });
      const tensor = engine.zeros("float32", [4]);
      await session.run(FEEDS, { norm: "host" });
      const lost = new Promise((resolve) => engine.lost.addEventListener("abort", resolve, { once: true }));

      const interrupted = session.run(FEEDS, { norm: "host" });
      const queued = engine.read(tensor);
      device.destroy();
      await expect(interrupted).rejects.toMatchObject({ code: "device-lost" });
      await expect(queued).rejects.toMatchObject({ code: "device-lost" });
      await lost;
      expect(engine.lost.reason).toMatchObject({
        code: "device-lost",
        message: expect.stringContaining("device was lost"),
      });
      await expect(session.run(FEEDS, { norm: "host" })).rejects.toMatchObject({ code: "device-lost" });
      await expect(engine.createSession(descentModel(4), { name: "late" })).rejects.toMatchObject({
        code: "device-lost",
      });
      expect(() => engine.upload(float32([1], [0]))).toThrowError(expect.objectContaining({ code: "device-lost" }));

      await session.dispose();
      tensor.dispose();
      expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
      await engine.dispose();
    });

    test("does not keep a new engine from working", async () => {
      const first = await openWithDevice();
      first.device.destroy();
      await first.device.lost;
      const { engine } = await openWithDevice();
      const session = await engine.createSession(descentModel(4), { name: "descent" });
      expect((await session.run(FEEDS, { norm: "host" })).host("norm").data[0]).toBe(4);
      await engine.dispose();
      await first.engine.dispose();
    });
  });

  describe("a WebGPU device without enough memory", () => {
    test("refuses one tensor over the device's limit at once", async () => {
      const { engine, device } = await openWithDevice();
      const elements = device.limits.maxBufferSize / 4 + 1024;
      expect(() => engine.zeros("float32", [elements])).toThrowError(
        expect.objectContaining({ code: "out-of-memory", message: expect.stringContaining("the adapter allows") }),
      );
      expect(engine.live.tensors).toBe(0);
      expect(engine.memory.gpuBytes).toBe(0);
      await engine.dispose();
    });

    test("rejects the next call when an allocation failed, then goes on", async () => {
      const { engine, device } = await openWithDevice();
      const session = await engine.createSession(descentModel(4), { name: "descent" });
      // The device answers as it does when memory is short: an error scope that holds an error.
      const original = device.popErrorScope.bind(device);
      let failures = 1;
      device.popErrorScope = async () => {
        const error = await original();
        return failures-- > 0 ? new GPUOutOfMemoryError("no memory left") : error;
      };
      const tensor = engine.zeros("float32", [4]);
      await expect(session.run(FEEDS, { norm: "host" })).rejects.toMatchObject({
        code: "out-of-memory",
        message: expect.stringContaining("no memory left"),
      });
      tensor.dispose();
      expect((await session.run(FEEDS, { norm: "host" })).host("norm").data[0]).toBe(4);
      await engine.dispose();
    });

    test("passes on an error that the device reports outside of any call", async () => {
      const { engine, device } = await openWithDevice();
      const tensor = engine.upload(float32([4], () => 2));
      const reported = new Promise((resolve) => device.addEventListener("uncapturederror", resolve, { once: true }));
      // A real validation error: storage buffers cannot be mapped.
      device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.MAP_READ });
      await device.queue.onSubmittedWorkDone();
      await reported;
      await expect(engine.read(tensor)).rejects.toMatchObject({
        code: "internal",
        message: expect.stringContaining("the device reported"),
      });
      expect([...(await engine.read(tensor)).data]).toEqual([2, 2, 2, 2]);
      await engine.dispose();
    });
  });
}
