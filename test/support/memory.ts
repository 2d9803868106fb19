/** @file The JavaScript heap after a full collection, for tests that look for growth. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in use after everything unreachable is gone: objects, and array buffers beside them. */
export async function heapAfterCollection(): Promise<{ readonly objects: number; readonly buffers: number }> {
  // Finalizers of one collection free what only the next one sees.
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { objects: heapUsed, buffers: arrayBuffers };
}
