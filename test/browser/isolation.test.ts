/** @file What every other browser test stands on: a page with threads and a WebGPU adapter. */
import { expect, test } from "vitest";

test("the test page is cross-origin isolated, so that WASM threads can be used", () => {
  expect(globalThis.crossOriginIsolated).toBe(true);
  expect(new SharedArrayBuffer(8).byteLength).toBe(8);
});

test("WebGPU gives an adapter and a device", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter, "no WebGPU adapter: browser tests never skip it").not.toBeNull();
  const device = await adapter!.requestDevice();
  expect(device.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
  device.destroy();
});

test("a module worker of the page is isolated too", async () => {
  const source = "postMessage([crossOriginIsolated, 'gpu' in navigator])";
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
  const answer = await new Promise((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = reject;
  });
  worker.terminate();
  expect(answer).toEqual([true, true]);
});
