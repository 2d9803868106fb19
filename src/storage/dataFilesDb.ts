/** @file Data files of the user's own, kept in IndexedDB by the hash of their content. A database of its own: runs only name the hash. */
import type { DBSchema } from "idb";
import { TutelageError, messageOf } from "../core/errors.ts";
import type { DataFiles, DataStore } from "../loop/runStore.ts";
import { openedDb } from "./openedDb.ts";

interface Database extends DBSchema {
  files: { key: string; value: DataFiles };
}

/** The store in database `name`; opened at first use. @throws TutelageError quota when the browser's storage is full. */
export function indexedDbDataFiles(name = "tutelage-data"): DataStore {
  const open = openedDb<Database>(name, "files");
  return {
    get: async (digest) => (await open()).get("files", digest),
    async put(digest, files) {
      try {
        await (await open()).put("files", files, digest);
      } catch (error) {
        const full = error instanceof DOMException && error.name === "QuotaExceededError";
        throw new TutelageError(
          full ? "quota" : "internal",
          full
            ? "data files: the browser's storage quota is used up. Delete old runs or free disk space, then choose the file again"
            : `data files: ${messageOf(error)}`,
          { cause: error },
        );
      }
    },
    delete: async (digest) => (await open()).delete("files", digest),
  };
}

/** A store in memory, for tests. */
export function memoryDataFiles(): DataStore {
  const kept = new Map<string, DataFiles>();
  return {
    get: (digest) => Promise.resolve(kept.get(digest)),
    put: (digest, files) => Promise.resolve(void kept.set(digest, structuredClone(files))),
    delete: (digest) => Promise.resolve(void kept.delete(digest)),
  };
}
