/** @file Every store of runs that Node can run, against the same suite. IndexedDB here is an implementation of the standard in JavaScript; the browser's own is in browser/indexedDb. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "fake-indexeddb/auto";
import { IndexedDbLibrary } from "../../src/storage/indexedDb.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { openRunFolder, readRunFolder } from "../../src/storage/node/folderStore.ts";
import { librarySuite, runLibrarySuite } from "../support/runLibrarySuite.ts";

let databases = 0;

librarySuite("memory", async () => new MemoryLibrary());
librarySuite("IndexedDB", async () => new IndexedDbLibrary(`test ${databases++}`));
runLibrarySuite("folders", async () => {
  const parent = await mkdtemp(join(tmpdir(), "tutelage-runs-"));
  return {
    open: (runId) => openRunFolder(join(parent, runId), { runId }),
    read: (runId) => readRunFolder(join(parent, runId)),
  };
});
