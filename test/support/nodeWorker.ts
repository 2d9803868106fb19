/** @file Node's worker threads with the face of a web worker, for code that only knows the latter. */
import { Worker } from "node:worker_threads";
import type { WorkerLike } from "../../src/protocol/client.ts";

/** Starts a TypeScript file as a worker thread. `exited` resolves when it is gone. */
export function startNodeWorker(
  script: URL,
  workerData: unknown = {},
): WorkerLike & { readonly exited: Promise<void> } {
  // Node 20 does not apply `--import` to a worker's own script.
  const boot = `import("tsx/esm/api").then(({ register }) => (register(), import(${JSON.stringify(script.href)})));`;
  const worker = new Worker(boot, { eval: true, workerData });
  const target = new EventTarget();
  worker.on("message", (data) => target.dispatchEvent(new MessageEvent("message", { data })));
  worker.on("messageerror", () => target.dispatchEvent(new Event("messageerror")));
  worker.on("error", (error) =>
    target.dispatchEvent(Object.assign(new Event("error"), { message: error.message, error })),
  );
  const exited = new Promise<void>((resolve) => void worker.on("exit", () => resolve()));
  return {
    exited,
    postMessage: (message: unknown, transfer: Transferable[] = []) => worker.postMessage(message, transfer as never),
    addEventListener: (type: string, listener: EventListenerOrEventListenerObject) =>
      target.addEventListener(type, listener),
    removeEventListener: (type: string, listener: EventListenerOrEventListenerObject) =>
      target.removeEventListener(type, listener),
    terminate: () => void worker.terminate(),
  };
}
