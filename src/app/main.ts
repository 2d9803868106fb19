/** @file The page's entry: the loop worker behind `protocol/client.ts`, drawn into `#app`. The engine runs in that worker and is never imported here. */
import { connectLoopWorker } from "../protocol/client.ts";
import { mountPage } from "./mountPage.tsx";

const root = document.getElementById("app");
if (root === null) throw new Error('page: expected an element with id "app" in index.html, got none');

mountPage(root, (onCrash) =>
  connectLoopWorker(
    new Worker(new URL("../../workers/loop.worker.ts", import.meta.url), { type: "module", name: "loop" }),
    onCrash,
  ),
);
