/**
 * @file The page's end of the boundary. A worker that crashes, sends what cannot be
 * read, or stops answering rejects every pending call with `worker-crashed`: comlink
 * alone would leave them pending for ever. The caller then starts a new worker and
 * resumes the run from storage.
 */
import { proxy, wrap } from "comlink";
import type { Endpoint } from "comlink";
import { TutelageError } from "../core/errors.ts";
import { installErrorTransfer } from "./errors.ts";
import { LOOP_SERVICE_METHODS } from "./loopService.ts";
import type { LoopService } from "./loopService.ts";

/** How often a sign of life is asked for. */
const HEARTBEAT_MS = 5_000;
/** One WASM call (a session being built, a step of a large student) blocks its worker; a false alarm would end a good run. */
const SILENCE_MS = 120_000;

/** What of a `Worker` is used. */
export interface WorkerLike extends Endpoint {
  terminate(): void;
}

export interface LoopConnection {
  readonly service: LoopService;
  /** Ends the worker; every pending and later call rejects. Idempotent. */
  close(): void;
}

export interface ConnectOptions {
  readonly heartbeatMs?: number;
  /** Silence after which the worker counts as hung. */
  readonly silenceMs?: number;
}

/** Connects to a worker that runs `exposeLoopService`. Owns the worker. `onCrash` is called at most once, never after `close`. */
export function connectLoopWorker(
  worker: WorkerLike,
  onCrash: (error: TutelageError) => void,
  options: ConnectOptions = {},
): LoopConnection {
  installErrorTransfer();
  const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
  const silenceMs = options.silenceMs ?? SILENCE_MS;
  const remote = wrap<LoopService>(worker);
  const pending = new Set<(error: TutelageError) => void>();
  let ended: TutelageError | undefined;

  const end = (error: TutelageError): void => {
    ended = error;
    clearInterval(heartbeat);
    worker.removeEventListener("error", onError);
    worker.removeEventListener("messageerror", onMessageError);
    worker.terminate();
    for (const reject of pending) reject(error);
    pending.clear();
  };
  const crash = (message: string, cause?: unknown): void => {
    if (ended !== undefined) return;
    const error = new TutelageError(
      "worker-crashed",
      `loop worker: ${message}. Start a new worker and resume the run`,
      { cause },
    );
    end(error);
    onCrash(error);
  };
  const onError = (event: unknown): void =>
    crash(`crashed: ${describe(event)}`, event instanceof ErrorEventLike ? event.error : undefined);
  const onMessageError = (): void => crash("sent a message that cannot be read");
  worker.addEventListener("error", onError);
  worker.addEventListener("messageerror", onMessageError);

  /** The call's own outcome, or the end of the worker, whichever comes first. */
  const guard = (call: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      pending.add(reject);
      call()
        .then(resolve, reject)
        .finally(() => pending.delete(reject));
    });

  let lastTickMs = performance.now();
  let silentMs = 0;
  let asked = false;
  const heartbeat = setInterval(() => {
    const nowMs = performance.now();
    // A page that slept is not a worker that hung: a late tick counts as two.
    silentMs += asked ? Math.min(nowMs - lastTickMs, 2 * heartbeatMs) : 0;
    lastTickMs = nowMs;
    if (silentMs >= silenceMs) return crash(`has not answered for ${Math.round(silentMs / 1000)} s`);
    if (asked) return;
    asked = true;
    silentMs = 0;
    // A rejection means that the worker ended, which is told elsewhere.
    void guard(() => remote.ping())
      .then(() => (asked = false))
      .catch(() => undefined);
  }, heartbeatMs);

  const service: Partial<Record<keyof LoopService, unknown>> = {};
  for (const name of LOOP_SERVICE_METHODS) {
    const method = remote[name] as unknown as (...args: unknown[]) => Promise<unknown>;
    service[name] = (...args: unknown[]) =>
      guard(() => method(...args.map((arg) => (typeof arg === "function" ? proxy(arg) : arg))));
  }
  return {
    // Every method of the interface is set above; the list is checked against it in loopService.ts.
    service: service as unknown as LoopService,
    close() {
      if (ended === undefined)
        end(new TutelageError("aborted", "loop worker: the connection was closed by the caller"));
    },
  };
}

/** `ErrorEvent` where there is one (not in Node). */
const ErrorEventLike =
  (globalThis as { readonly ErrorEvent?: typeof ErrorEvent }).ErrorEvent ??
  class {
    readonly error: unknown = undefined;
  };

function describe(event: unknown): string {
  if (typeof event !== "object" || event === null) return String(event);
  const { message, filename, lineno } = event as {
    readonly message?: unknown;
    readonly filename?: unknown;
    readonly lineno?: unknown;
  };
  const place = typeof filename === "string" && filename !== "" ? ` (${filename}:${String(lineno)})` : "";
  return typeof message === "string" && message !== "" ? `${message}${place}` : "its script could not be loaded";
}
