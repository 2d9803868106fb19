/**
 * @file The page's one hold on the loop worker: starting it, one piece of work at a
 * time with what the page waits for, failures told as problems, word of a crash. What
 * is asked of the worker stands with the actions of each view.
 */
import { TutelageError } from "../core/errors.ts";
import type { LoopEvent, LoopService } from "../protocol/loopService.ts";
import type { AppState, Pending } from "./appState.ts";
import type { Connect, Connection } from "./connection.ts";
import type { Problem } from "./problem.ts";
import { problemOf } from "./problem.ts";
import type { Store } from "./store.ts";

/** Hears every batch of events of the present worker. */
export type BatchListener = (batch: readonly LoopEvent[]) => void;

export class WorkerLink {
  readonly #store: Store<AppState>;
  readonly #connect: Connect;
  readonly #listeners = new Set<BatchListener>();
  #connection: Connection | undefined;
  /** The service of a worker beside the present one, while there is one. */
  #beside: LoopService | undefined;
  /** Besides the page's own, where the worker may connect to. */
  #origins: readonly string[] = [];
  /** Number of the latest piece of work: an older one that ends late changes nothing. */
  #attempts = 0;
  /** The user ended what is under way: its failure is no problem. */
  #cancelled = false;

  constructor(store: Store<AppState>, connect: Connect) {
    this.#store = store;
    this.#connect = connect;
  }

  /** The service of the present worker; undefined before one was started. Calls may be made beside the work of `attempt`. */
  get service(): LoopService | undefined {
    return this.#connection?.service;
  }

  /** Tells `listener` every event from now on; returns how to stop that. */
  listen(listener: BatchListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts a worker that may connect to `origins` (those of the one before by default) and subscribes to its events; ends the one before. */
  async open(origins: readonly string[] = this.#origins): Promise<LoopService> {
    this.close();
    const own: { connection?: Connection } = {};
    const connection = await this.#connect((error) => {
      if (own.connection === undefined || this.#connection !== own.connection) return;
      this.set({ crash: problemOf(error), pending: null, raceState: "idle" });
    }, origins);
    own.connection = connection;
    this.#connection = connection;
    this.#origins = origins;
    await connection.service.subscribe((batch) => {
      if (this.#connection !== connection) return;
      for (const listener of this.#listeners) listener(batch);
    });
    return connection.service;
  }

  /** The service of a worker that may connect to `origins` and nothing else: the present one, or a new one in its place. */
  async reach(origins: readonly string[]): Promise<LoopService> {
    const { service } = this;
    return service !== undefined && sameOrigins(origins, this.#origins) ? service : this.open(origins);
  }

  /** Does `work` in a worker that may connect to `origins`: the present one, or one beside it that is ended afterwards. */
  async aside<R>(origins: readonly string[], work: (service: LoopService) => Promise<R>): Promise<R> {
    const { service } = this;
    if (service !== undefined && sameOrigins(origins, this.#origins)) return work(service);
    const connection = await this.#connect(() => undefined, origins);
    this.#beside = connection.service;
    try {
      // Of a worker without a race: how far a download is.
      await connection.service.subscribe((batch) => {
        const told = batch.filter(({ type }) => type === "download");
        if (told.length > 0) for (const listener of this.#listeners) listener(told);
      });
      return await work(connection.service);
    } finally {
      this.#beside = undefined;
      connection.close();
    }
  }

  /** Does `work` in a worker of its own that may connect to `origins`, and ends it; rejects when it crashes. */
  async beside<R>(origins: readonly string[], work: (service: LoopService) => Promise<R>): Promise<R> {
    let crash: (error: Error) => void = () => undefined;
    const crashed = new Promise<never>((_, reject) => {
      crash = reject;
    });
    crashed.catch(() => undefined);
    const connection = await this.#connect((error) => crash(error), origins);
    try {
      return await Promise.race([work(connection.service), crashed]);
    } finally {
      connection.close();
    }
  }

  /** Ends the worker. */
  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Runs `work` with the page waiting for `pending`, unless it waits already; a failure becomes the page's problem. */
  async attempt(pending: Pending, work: (service: LoopService) => Promise<void>): Promise<void> {
    const connection = this.#connection;
    if (this.#store.state.pending !== null) return;
    if (connection === undefined) return this.set({ problem: problemOf(new Error("The worker is not running.")) });
    await this.guard(pending, () => work(connection.service));
  }

  /** Runs `work` in place of whatever the page waited for. Never rejects. */
  async guard(pending: Pending, work: () => Promise<void>): Promise<void> {
    const attempt = ++this.#attempts;
    this.#cancelled = false;
    this.set({ pending, problem: null });
    let problem: Problem | null = null;
    try {
      await work();
    } catch (error) {
      const cancelled = this.#cancelled && error instanceof TutelageError && error.code === "aborted";
      problem = cancelled ? null : problemOf(error);
    }
    // Calls of a worker that was replaced meanwhile reject too: they have nothing to say any more.
    if (attempt !== this.#attempts) return;
    // After a crash its banner says it all.
    this.set({ pending: null, download: null, problem: this.#store.state.crash === null ? problem : null });
  }

  /** Makes a call beside the work of `attempt`; a failure becomes the page's problem. */
  tell(call: Promise<void>): void {
    call.catch((error: unknown) => this.set({ problem: problemOf(error) }));
  }

  /** Ends what is under way without calling it a failure. */
  cancel(): void {
    this.#cancelled = true;
    void (this.#beside ?? this.service)?.stop().catch(() => undefined);
  }

  /** Changes the page's state. */
  set(change: Partial<AppState>): void {
    this.#store.update((state) => ({ ...state, ...change }));
  }
}

function sameOrigins(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((origin, i) => origin === b[i]);
}
