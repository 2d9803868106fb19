/** @file A contender's page: passes requests to its worker and hands the answers back. */
import type { Reply, Request } from "../service.ts";

declare global {
  var ask: ((request: Request) => Promise<Reply>) | undefined;
}

const worker = new Worker(new URL("./contender.worker.ts", import.meta.url), { type: "module" });
globalThis.ask = (request) =>
  new Promise((resolve) => {
    worker.onmessage = (event: MessageEvent<Reply>) => resolve(event.data);
    worker.onerror = (event) => resolve({ type: "failed", message: event.message || "the worker could not be loaded" });
    worker.postMessage(request, { transfer: [] });
  });
