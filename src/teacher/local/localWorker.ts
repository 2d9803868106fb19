/**
 * @file A local model behind a worker: the messages that cross, the worker's side and the
 * other one. A worker that dies rejects what it was asked for. Being stopped is told
 * through shared memory where there is some: a worker that computes reads no messages.
 */
import { throwIfAborted } from "../../core/errors.ts";
import { TeacherError } from "../teacherError.ts";
import type { TeacherErrorKind } from "../teacherError.ts";
import type { ModelDescription } from "../types.ts";
import type { LoadProgress, LocalHost, LocalModel, LocalReply, LocalRequest, LocalSettings } from "./types.ts";

type ToWorker =
  | { readonly type: "open"; readonly id: number; readonly settings: LocalSettings }
  | {
      readonly type: "generate";
      readonly id: number;
      readonly request: LocalRequest;
      readonly stop: Int32Array | undefined;
    }
  | { readonly type: "stop"; readonly id: number };

type FromWorker =
  | { readonly type: "progress"; readonly id: number; readonly progress: LoadProgress }
  | { readonly type: "done"; readonly id: number; readonly value: unknown }
  | { readonly type: "failed"; readonly id: number; readonly kind: TeacherErrorKind; readonly message: string };

/** What of a worker, or of its own scope, is used. */
export interface MessageEnd {
  postMessage(message: unknown): void;
  addEventListener(type: "message" | "error" | "messageerror", listener: (event: unknown) => void): void;
}

/** Answers the messages that arrive at `scope` with the model that `open` loads. */
export function serveLocalModel(
  scope: MessageEnd,
  open: (settings: LocalSettings, onProgress: (progress: LoadProgress) => void) => Promise<LocalModel>,
): void {
  const post = (message: FromWorker): void => scope.postMessage(message);
  const stopped = new Set<number>();
  let model: LocalModel | undefined;
  const answer = async (message: Exclude<ToWorker, { readonly type: "stop" }>): Promise<unknown> => {
    if (message.type === "open") {
      model = await open(message.settings, (progress) => post({ type: "progress", id: message.id, progress }));
      return model.about;
    }
    if (model === undefined) throw new TeacherError("unavailable", "no model is loaded");
    const { id, request, stop } = message;
    return model.generate(request, () => stopped.has(id) || (stop !== undefined && Atomics.load(stop, 0) !== 0));
  };
  scope.addEventListener("message", (event) => {
    const message = (event as { readonly data: ToWorker }).data;
    const { id } = message;
    if (message.type === "stop") return void stopped.add(id);
    answer(message)
      .then(
        (value) => post({ type: "done", id, value }),
        (error: unknown) => {
          const kind = error instanceof TeacherError ? error.kind : "unavailable";
          post({ type: "failed", id, kind, message: error instanceof Error ? error.message : String(error) });
        },
      )
      .finally(() => stopped.delete(id));
  });
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: (progress: LoadProgress) => void;
}

/** The model behind `worker`, which is owned. */
export function connectLocalModel(worker: MessageEnd & { terminate(): void }): LocalHost {
  const pending = new Map<number, Pending>();
  let ended: TeacherError | undefined;
  let count = 0;
  const end = (message: string): void => {
    if (ended !== undefined) return;
    ended = new TeacherError("unavailable", message);
    worker.terminate();
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
  };
  worker.addEventListener("error", (event) => {
    const { message } = event as { readonly message?: unknown };
    end(`the model's worker crashed: ${typeof message === "string" && message !== "" ? message : "no reason given"}`);
  });
  worker.addEventListener("messageerror", () => end("the model's worker sent what cannot be read"));
  worker.addEventListener("message", (event) => {
    const message = (event as { readonly data: FromWorker }).data;
    const waiting = pending.get(message.id);
    if (waiting === undefined) return;
    if (message.type === "progress") return waiting.onProgress(message.progress);
    pending.delete(message.id);
    if (message.type === "done") waiting.resolve(message.value);
    else waiting.reject(new TeacherError(message.kind, message.message));
  });
  const call = <T>(
    message: (id: number) => ToWorker,
    onProgress: Pending["onProgress"] = () => undefined,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      const id = count++;
      pending.set(id, { resolve: resolve as (value: unknown) => void, reject, onProgress });
      worker.postMessage(message(id));
    });
  return {
    open: (settings, onProgress) => call<ModelDescription>((id) => ({ type: "open", id, settings }), onProgress),
    async generate(request, signal) {
      throwIfAborted(signal, "teacher");
      const shared = typeof SharedArrayBuffer === "undefined" ? undefined : new Int32Array(new SharedArrayBuffer(4));
      let own = -1;
      const stop = (): void => {
        if (shared !== undefined) Atomics.store(shared, 0, 1);
        worker.postMessage({ type: "stop", id: own } satisfies ToWorker);
      };
      signal.addEventListener("abort", stop, { once: true });
      try {
        return await call<LocalReply>((id) => {
          own = id;
          return { type: "generate", id, request, stop: shared };
        });
      } finally {
        signal.removeEventListener("abort", stop);
      }
    },
    close: () => end("the model was put away"),
  };
}
