/**
 * @file Events gathered into few messages: the page draws at most once a frame, and a
 * message per optimizer step would keep it busy. What comes after a silence is sent at once, and so is
 * what begins something: the worker may compute for seconds before its timers run again. One batch is in flight at a time,
 * so that a slow page makes batches longer, not more.
 */
import type { LoopEvent } from "./loopService.ts";

/** About 20 messages a second. */
const INTERVAL_MS = 50;

/** More in one message would keep the page busy for longer than a frame: a stored run is told in thousands. */
const MOST_AT_ONCE = 500;

/** Takes a batch; a returned promise is waited for. Comlink's proxies of callbacks are such. */
export type EventListener = (batch: readonly LoopEvent[]) => void | Promise<void>;

/** Gathers events for one listener, which may be missing (events are then dropped). */
export class EventBatcher {
  readonly #intervalMs: number;
  #listener: EventListener | undefined;
  #waiting: LoopEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** A batch is about to be sent, after the one in flight; it takes along what comes until then. */
  #queued = false;
  #sentMs = -Infinity;
  #sending: Promise<void> = Promise.resolve();

  constructor(intervalMs = INTERVAL_MS) {
    this.#intervalMs = intervalMs;
  }

  /** Sends to `listener` from now on. */
  subscribe(listener: EventListener): void {
    this.#listener = listener;
    this.#waiting = [];
  }

  push(event: LoopEvent): void {
    if (this.#listener === undefined) return;
    const last = this.#waiting.at(-1);
    if (last !== undefined && supersedes(event, last)) this.#waiting.pop();
    this.#waiting.push(event);
    if (this.#queued) return;
    const waitMs = begins(event) ? 0 : this.#sentMs + this.#intervalMs - performance.now();
    if (waitMs <= 0) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), waitMs);
  }

  /** Resolves when everything pushed so far has been taken. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queued = true;
    this.#sending = this.#sending.then(() => this.#send());
    await this.#sending;
  }

  async #send(): Promise<void> {
    const listener = this.#listener;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#queued = false;
    if (batch.length > 0) this.#sentMs = performance.now();
    try {
      for (let from = 0; from < batch.length && this.#listener === listener; from += MOST_AT_ONCE)
        await listener?.(batch.slice(from, from + MOST_AT_ONCE));
    } catch {
      // A listener that throws is gone or broken; the loop does not depend on being watched.
      if (this.#listener === listener) this.#listener = undefined;
    }
  }
}

/** The race's state, or a phase that begins: what the user waits to see before the worker computes. */
function begins(event: LoopEvent): boolean {
  return (
    event.type === "state" ||
    (event.type === "record" && event.record.type === "phase" && event.record.state === "start")
  );
}

/** Progress of the same phase: only the newest counts. */
function supersedes(event: LoopEvent, last: LoopEvent): boolean {
  if (event.type !== "record" || last.type !== "record" || event.lane !== last.lane) return false;
  const [a, b] = [event.record, last.record];
  return (
    a.type === "phase" &&
    b.type === "phase" &&
    a.state === "progress" &&
    b.state === "progress" &&
    a.phase === b.phase &&
    a.round === b.round
  );
}
