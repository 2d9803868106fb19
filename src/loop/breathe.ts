/** @file Lets messages in. A WASM run is synchronous and awaits are microtasks, so a busy worker would never hear "pause". */

/** Turns of the event loop at most this far apart. */
const INTERVAL_MS = 10;

/** Returns a function that, when the last turn is `intervalMs` ago, resolves in a later turn of the event loop. */
export function breather(intervalMs = INTERVAL_MS): () => Promise<void> {
  let lastMs = performance.now();
  return async () => {
    if (performance.now() - lastMs < intervalMs) return;
    await nextTurn();
    lastMs = performance.now();
  };
}

/** A timer would wait 4 ms and more; a message does not. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
