/**
 * @file A teacher's replies kept in IndexedDB, shared by all runs of the browser: what was
 * asked once is not asked again. A database of its own, so that deleting it harms no run.
 */
import { openDB } from "idb";
import type { DBSchema, IDBPDatabase } from "idb";
import type { CachedReply, ReplyCache } from "../teacher/types.ts";

interface Database extends DBSchema {
  replies: { key: string; value: CachedReply };
}

const VERSION = 1;

/** The cache in database `name`; opened at first use. A store that cannot be read or written (full, private mode) only costs requests. */
export function indexedDbReplyCache(name = "tutelage-replies"): ReplyCache {
  let db: Promise<IDBPDatabase<Database>> | undefined;
  const open = (): Promise<IDBPDatabase<Database>> => {
    const forget = (): void => {
      db = undefined;
    };
    db ??= openDB<Database>(name, VERSION, {
      upgrade: (database) => void database.createObjectStore("replies"),
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase).close();
        forget();
      },
      terminated: forget,
    });
    db.catch(forget);
    return db;
  };
  return {
    async get(key) {
      try {
        return await (await open()).get("replies", key);
      } catch {
        return undefined;
      }
    },
    async put(key, reply) {
      try {
        await (await open()).put("replies", reply, key);
      } catch {
        // The run keeps the reply itself; only a later run asks again.
      }
    },
  };
}
