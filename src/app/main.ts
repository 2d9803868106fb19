/** @file The page's entry: the loop worker behind `protocol/client.ts`, in a frame that limits what it may connect to, drawn into `#app`. The engine runs in that worker and is never imported here. */
import loopWorkerUrl from "../../workers/loop.worker.ts?worker&url";
import { connectLoopWorker } from "../protocol/client.ts";
import { mountPage } from "./mountPage.tsx";
import { openFramedWorker } from "./workerFrame.ts";

const root = document.getElementById("app");
if (root === null) throw new Error('page: expected an element with id "app" in index.html, got none');

mountPage(root, async (onCrash, origins) => {
  const framed = await openFramedWorker(loopWorkerUrl, origins);
  const connection = connectLoopWorker(framed.worker, onCrash);
  return {
    service: connection.service,
    close() {
      connection.close();
      framed.close();
    },
  };
});
