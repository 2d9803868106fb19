/** @file The page on a scripted service, for screenshots and tests: `?pauseMs=20` sets its pace, `crashWorker()` kills its worker, `failLane()` one lane. Never shipped. */
import { TutelageError } from "../../../src/core/errors.ts";
import { mountPage } from "../../../src/app/mountPage.tsx";
import type { ScriptedRun } from "../scriptedService.ts";
import { ScriptedService } from "../scriptedService.ts";

const KEY = "scripted-runs";
const storage = {
  load: (): ScriptedRun[] => JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as ScriptedRun[],
  save: (runs: readonly ScriptedRun[]): void => sessionStorage.setItem(KEY, JSON.stringify(runs)),
};
const pauseMs = Number(new URLSearchParams(location.search).get("pauseMs") ?? "0");
const root = document.getElementById("app");
if (root === null) throw new Error("no #app");
mountPage(root, (onCrash) => {
  const service = new ScriptedService(storage, pauseMs);
  Object.assign(globalThis, {
    crashWorker: () => {
      service.kill();
      onCrash(new TutelageError("worker-crashed", "loop worker: RangeError: out of memory"));
    },
    failLane: (lane: number, message: string) => service.failLane(lane, message),
  });
  return { service, close: () => service.kill() };
});
