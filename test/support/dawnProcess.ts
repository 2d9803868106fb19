/**
 * @file A whole process that lets go of WebGPU while Dawn has something left to report,
 * collects garbage at once and must then end by itself. Needs `--expose-gc`.
 */
import { setTimeout } from "node:timers/promises";
import { platform } from "#platform";
import { findAdapter, openDevice } from "../../src/runtime/gpuDevice.ts";

/** What comes of a mapping whose device is destroyed before Dawn has got to it. */
async function leaveMapping(): Promise<void> {
  const gpu = await platform.loadGpu();
  if ("reason" in gpu) throw new Error(gpu.reason);
  const found = await findAdapter(gpu);
  if ("reason" in found) throw new Error(found.reason);
  const { device } = await openDevice(found.adapter);
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  buffer.mapAsync(GPUMapMode.READ).then(
    () => process.stdout.write("mapped\n"),
    () => process.stdout.write("not mapped\n"),
  );
  device.destroy();
  platform.releaseGpu();
}

await leaveMapping();
for (let turn = 0; turn < 20; turn += 1) {
  globalThis.gc!();
  await setTimeout(5);
}
process.stdout.write("end\n");
