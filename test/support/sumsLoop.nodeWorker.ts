/** @file A Node worker with the loop service over sums. `workerData.misbehave` makes it crash or hang when a run's teacher is first asked. */
import { parentPort, workerData } from "node:worker_threads";
import { exposeLoopService } from "../../src/protocol/expose.ts";
import { sumsTeacher } from "./sums.ts";
import { sumsService } from "./sumsService.ts";

const { misbehave } = workerData as { misbehave?: "throw" | "exit" | "hang" };

function before(): Promise<void> | void {
  if (misbehave === "exit") process.exit(3);
  if (misbehave === "hang") for (;;);
  if (misbehave !== "throw") return;
  setTimeout(() => {
    throw new RangeError("the worker broke");
  });
  return new Promise(() => undefined);
}

if (parentPort === null) throw new Error("this file runs as a worker");
const { service } = sumsService({ createTeacher: () => sumsTeacher({ before }) });
// Node's ports are event targets, as the web's.
exposeLoopService(service, parentPort as unknown as MessagePort);
