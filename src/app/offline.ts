/**
 * @file The page without a network: registers the service worker of the built page
 * (`public/serviceWorker.js`), has it keep what the first visit did not need, and tells
 * when a newer version waits. Nothing here is needed for the page to work.
 */
import type { ExecutionProvider } from "../runtime/types.ts";
import { defineSlice } from "./slice.ts";
import type { Sliced } from "./slice.ts";
import type { Store } from "./store.ts";

export interface OfflineState {
  /** Everything but the engine is kept. */
  readonly pageKept: boolean;
  /** The engine's plain build, for every browser; kept when it is first used, or when asked for. */
  readonly engine: "unknown" | "keeping" | "kept" | "failed";
  /** A newer version waits for the page to be loaded again. */
  readonly updateWaits: boolean;
}

/** The page's part of the state. */
export const OFFLINE = defineSlice<OfflineState>({ pageKept: false, engine: "unknown", updateWaits: false });

export interface OfflineActions {
  /** Registers the service worker and has it keep the page. */
  begin(): void;
  /** Keeps the engine's plain build, for every browser; fetched now if it was not yet. */
  keepEngine(): void;
  /** Keeps what a run has just used. A worker begun before the service worker is not seen by it. */
  keepUsed(ep: ExecutionProvider): void;
  /** Loads the newer version. */
  update(): void;
}

/** The actions over `store`. Only the built page has a service worker; what fails there costs only the offline copy. */
export function offlineActions<P extends Sliced>(store: Store<P>): OfflineActions {
  const change = (part: Partial<OfflineState>): void => OFFLINE.change(store, (state) => ({ ...state, ...part }));
  // Browsers have none on pages that are not secure.
  const container: ServiceWorkerContainer | undefined = globalThis.navigator?.serviceWorker;
  let waiting: ServiceWorker | null = null;
  const ask = async (what: "rest" | "engine" | "webgpu"): Promise<boolean> => {
    const active = (await container?.ready)?.active;
    if (active === null || active === undefined) return false;
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data === true);
      active.postMessage(what, [port2]);
    });
  };
  const register = async (): Promise<void> => {
    const registration = await container?.register("serviceWorker.js");
    if (registration === undefined) return;
    const meet = (worker: ServiceWorker | null): void => {
      if (worker === null || (container?.controller ?? null) === null) return;
      waiting = worker;
      change({ updateWaits: true });
    };
    const follow = (worker: ServiceWorker | null): void =>
      worker?.addEventListener("statechange", () => {
        if (worker.state === "installed") meet(worker);
      });
    meet(registration.waiting);
    // Loading the page looks for a newer version too, and may have found one already.
    follow(registration.installing);
    registration.addEventListener("updatefound", () => follow(registration.installing));
    if (await ask("rest")) change({ pageKept: true });
  };
  return {
    begin() {
      if (import.meta.env.MODE === "production") void register().catch(() => undefined);
    },
    keepEngine() {
      change({ engine: "keeping" });
      void ask("engine").then(
        (kept) => change({ engine: kept ? "kept" : "failed" }),
        () => change({ engine: "failed" }),
      );
    },
    keepUsed(ep) {
      if (import.meta.env.MODE !== "production") return;
      void ask(ep === "webgpu" ? "webgpu" : "engine").then(
        (kept) => kept && ep !== "webgpu" && change({ engine: "kept" }),
        () => undefined,
      );
    },
    update() {
      container?.addEventListener("controllerchange", () => location.reload(), { once: true });
      waiting?.postMessage("update", []);
    },
  };
}
