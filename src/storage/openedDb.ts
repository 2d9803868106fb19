/**
 * @file A database of one store, opened at first use and again after the browser closed it. For
 * what runs share; the runs' own database has a schema of its own (`indexedDb.ts`).
 */
import { openDB } from "idb";
import type { DBSchema, IDBPDatabase, StoreNames } from "idb";

const VERSION = 1;

/** Opens database `name`, with the one object store `store`; later calls return the same, until another tab or the browser closed it. */
export function openedDb<Schema extends DBSchema>(
  name: string,
  store: StoreNames<Schema>,
): () => Promise<IDBPDatabase<Schema>> {
  let db: Promise<IDBPDatabase<Schema>> | undefined;
  const forget = (): void => {
    db = undefined;
  };
  return () => {
    db ??= openDB<Schema>(name, VERSION, {
      upgrade: (database) => void database.createObjectStore(store),
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase).close();
        forget();
      },
      terminated: forget,
    });
    db.catch(forget);
    return db;
  };
}
