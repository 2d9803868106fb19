/**
 * @file The page on the linear race, for tests and screenshots without an engine:
 * `?pauseMs=20` sets its pace, `?database=name` where its runs are kept, and
 * `crashWorker()` on the window ends its service as a dead worker would. Never shipped.
 */
import { TutelageError } from "../../../src/core/errors.ts";
import { mountPage } from "../../../src/app/mountPage.tsx";
import { IndexedDbLibrary } from "../../../src/storage/indexedDb.ts";
import { linearRace } from "../linearRace.ts";

const query = new URLSearchParams(location.search);
const pauseMs = Number(query.get("pauseMs") ?? "0");
const database = query.get("database") ?? "page-under-test";
const root = document.getElementById("app");
if (root === null) throw new Error("no #app");

mountPage(root, (onCrash) => {
  const onWork = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs));
  const service = linearRace(new IndexedDbLibrary(database), { onWork });
  Object.assign(globalThis, {
    crashWorker: async () => {
      await service.stop();
      onCrash(new TutelageError("worker-crashed", "loop worker: crashed: RangeError: out of memory"));
    },
  });
  return { service, close: () => void service.stop() };
});
