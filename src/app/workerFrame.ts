/**
 * @file Starts a worker that the browser lets connect to nothing but this page's own
 * origin and the origins it is given. A worker takes its content security policy over
 * from the document that starts it, if its script is a blob; so it is started by an
 * empty frame (`public/worker.html`) into which the policy is written first. The page
 * itself may connect to its own origin alone (`index.html`). Policies can only be made
 * stricter: other origins need another frame, and so another worker.
 */

/** Parts of a policy's source list that need no quoting: an origin, its host perhaps with a wildcard. */
const ORIGIN = /^https?:\/\/(\*\.)?[\w.-]+(:\d+)?$|^https?:\/\/\[[0-9a-f:]+\](:\d+)?$/i;

const FRAME = "worker.html";

export interface FramedWorker {
  readonly worker: Worker;
  /** Ends the worker with its frame. Idempotent. */
  close(): void;
}

/** The policy for `origins`. @throws Error for what is no origin: it could widen the policy. */
export function connectPolicy(origins: readonly string[]): string {
  for (const origin of origins)
    if (!ORIGIN.test(origin)) throw new Error(`worker: expected an origin, got ${JSON.stringify(origin)}`);
  const connect = ["'self'", "blob:", ...origins].join(" ");
  return `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src ${connect}; base-uri 'none'; form-action 'none'`;
}

/** A module worker of the script at `url`. @throws Error when the frame cannot be loaded. */
export async function openFramedWorker(url: string, origins: readonly string[]): Promise<FramedWorker> {
  const policy = connectPolicy(origins);
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.title = "worker";
  frame.src = new URL(FRAME, document.baseURI).href;
  await new Promise<void>((resolve) => {
    frame.addEventListener("load", () => resolve(), { once: true });
    document.body.append(frame);
  });
  // Of the frame's own window: what it makes is under its policy.
  const inside = frame.contentWindow as (Window & typeof globalThis) | null;
  const head = frame.contentDocument?.querySelector("head");
  if (inside === null || head === null || head === undefined || !inside.location.pathname.endsWith(`/${FRAME}`)) {
    frame.remove();
    throw new Error(`page: expected the file ${FRAME} beside the page, in a frame; does the host forbid frames?`);
  }
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = policy;
  head.append(meta);
  const script = `import ${JSON.stringify(new URL(url, document.baseURI).href)};`;
  const address = inside.URL.createObjectURL(new inside.Blob([script], { type: "text/javascript" }));
  const worker = new inside.Worker(address, { type: "module", name: "loop" });
  return {
    worker,
    close() {
      worker.terminate();
      frame.remove();
    },
  };
}
