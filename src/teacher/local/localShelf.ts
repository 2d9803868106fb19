/**
 * @file Local models that are in use: one instance for all lanes that ask for the same,
 * loaded once, asked by one at a time, freed when the last one lets go.
 */
import { throwIfAborted } from "../../core/errors.ts";
import type { ModelDescription } from "../types.ts";
import type { LoadProgress, LocalHost, LocalReply, LocalRequest, LocalSettings } from "./types.ts";

interface Entry {
  readonly host: LocalHost;
  readonly listeners: Set<(progress: LoadProgress) => void>;
  loading: Promise<ModelDescription> | undefined;
  /** Of the requests; never rejects. */
  tail: Promise<void>;
  holders: number;
}

/** One holder's hand on a model. */
export interface HeldModel {
  /** Loads the model unless it is loaded. @throws TeacherError; `aborted`, which frees it if nobody else waits. */
  prepare(onProgress: (progress: LoadProgress) => void, signal?: AbortSignal): Promise<ModelDescription>;
  /** Waits for its turn. */
  generate(request: LocalRequest, signal: AbortSignal): Promise<LocalReply>;
  /** Idempotent. */
  release(): void;
}

export class LocalShelf {
  readonly #start: () => LocalHost;
  readonly #entries = new Map<string, Entry>();

  /** `start` makes a place for one model, such as a worker. */
  constructor(start: () => LocalHost) {
    this.#start = start;
  }

  hold(settings: LocalSettings): HeldModel {
    const name = JSON.stringify([settings.model, settings.dtype, settings.device, settings.host ?? null]);
    let entry: Entry | undefined;
    const enter = (): Entry => {
      if (entry !== undefined) return entry;
      entry = this.#entries.get(name);
      if (entry === undefined) {
        entry = { host: this.#start(), listeners: new Set(), loading: undefined, tail: Promise.resolve(), holders: 0 };
        this.#entries.set(name, entry);
      }
      entry.holders++;
      return entry;
    };
    const release = (): void => {
      if (entry === undefined) return;
      const own = entry;
      entry = undefined;
      if (--own.holders > 0) return;
      if (this.#entries.get(name) === own) this.#entries.delete(name);
      own.host.close();
    };
    const prepare: HeldModel["prepare"] = async (onProgress, signal) => {
      throwIfAborted(signal, "teacher");
      const own = enter();
      own.listeners.add(onProgress);
      signal?.addEventListener("abort", release);
      try {
        own.loading ??= own.host.open(settings, (progress) => {
          for (const listener of own.listeners) listener(progress);
        });
        return await own.loading;
      } catch (error) {
        // A later attempt starts anew.
        release();
        throwIfAborted(signal, "teacher");
        throw error;
      } finally {
        signal?.removeEventListener("abort", release);
        own.listeners.delete(onProgress);
      }
    };
    return {
      prepare,
      async generate(request, signal) {
        await prepare(() => undefined, signal);
        const own = enter();
        const turn = own.tail.then(() => {
          throwIfAborted(signal, "teacher");
          return own.host.generate(request, signal);
        });
        own.tail = turn.then(
          () => undefined,
          () => undefined,
        );
        return aborting(turn, signal);
      },
      release,
    };
  }
}

/** `work`, or the signal's reason as soon as it fires; the work then ends by itself. */
async function aborting<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
