/** @file Everything that the origin of a built page keeps, as one text: storage of every kind, bytes included, and the page itself. */
import type { Page } from "playwright-core";

/** What of a page's origin may be left out. */
export interface KeptOptions {
  /** Without `localStorage`. */
  readonly withoutLocal?: boolean;
}

/** Cookies, storages, address, document, every database, the service worker's caches and the private file system. Bytes stand as one letter each. */
export function keptByPage(page: Page, { withoutLocal = false }: KeptOptions = {}): Promise<string> {
  return page.evaluate(async (without) => {
    const done = async <T>(request: IDBRequest<T>): Promise<T> => {
      await new Promise((resolve, reject) => {
        request.onsuccess = resolve;
        request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
      });
      return request.result;
    };
    const letters = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);
    const plain = async (value: unknown): Promise<unknown> => {
      if (value instanceof Blob) return letters(new Uint8Array(await value.arrayBuffer()));
      if (value instanceof ArrayBuffer) return letters(new Uint8Array(value));
      if (ArrayBuffer.isView(value)) return letters(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      if (value instanceof Map || value instanceof Set) return plain([...value]);
      if (Array.isArray(value)) return Promise.all(value.map(plain));
      if (typeof value !== "object" || value === null) return value;
      const entries = Object.entries(value).map(async ([name, entry]) => [name, await plain(entry)] as const);
      return Object.fromEntries(await Promise.all(entries));
    };
    const kept: unknown[] = [
      document.cookie,
      without ? [] : Object.entries(localStorage),
      Object.entries(sessionStorage),
      location.href,
      document.documentElement.outerHTML,
    ];
    for (const { name } of await indexedDB.databases()) {
      const db = await done(indexedDB.open(name ?? ""));
      for (const store of db.objectStoreNames) {
        const all = db.transaction(store).objectStore(store);
        kept.push(name, store, await plain(await done(all.getAllKeys())), await plain(await done(all.getAll())));
      }
      db.close();
    }
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const reply = await cache.match(request);
        const type = reply?.headers.get("content-type") ?? "";
        // Of the built files: those were made before there was a key.
        const large = /wasm|javascript|octet-stream/.test(type);
        kept.push(request.url, [...request.headers], [...(reply?.headers ?? [])], large ? "" : await reply?.text());
      }
    }
    const walk = async (folder: FileSystemDirectoryHandle): Promise<void> => {
      for await (const [name, handle] of folder as unknown as AsyncIterable<[string, FileSystemHandle]>) {
        kept.push(name);
        if (handle.kind === "directory") await walk(handle as FileSystemDirectoryHandle);
        else kept.push(await plain(await (handle as FileSystemFileHandle).getFile()));
      }
    };
    await walk(await navigator.storage.getDirectory());
    return JSON.stringify(kept);
  }, withoutLocal);
}
