/** @file Runs in the browser's own IndexedDB: the suite of every store, versions, other tabs. Its quota: indexedDbQuota. */
import { openDB } from "idb";
import { describe, expect, it } from "vitest";
import { IndexedDbLibrary } from "../../src/storage/indexedDb.ts";
import { librarySuite, manifestOf, roundEntry } from "../support/runLibrarySuite.ts";

let databases = 0;
const freshName = (): string => `test ${Date.now()} ${databases++}`;

librarySuite("the browser's IndexedDB", async () => new IndexedDbLibrary(freshName()));

describe("the browser's IndexedDB", () => {
  it("refuses a database of a newer version, and makes room for one that comes", async () => {
    const name = freshName();
    const library = new IndexedDbLibrary(name);
    await library.list();
    // Upgrading waits until every older connection is closed: the library closes its own.
    const newer = await openDB(name, 2, { upgrade: () => undefined });
    await expect(library.list()).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("newer version of Tutelage"),
    });
    newer.close();
  });

  it("is one place for all connections, each run held by one of them", async () => {
    const name = freshName();
    const [here, there] = [new IndexedDbLibrary(name), new IndexedDbLibrary(name)];
    const store = await here.open("a");
    await store.create(manifestOf("a"));
    expect(await there.list()).toHaveLength(1);
    await expect(there.open("a")).rejects.toMatchObject({ code: "bad-input" });
    await store.close();
    await (await there.open("a")).close();
  });

  it("opens again after its connection was closed", async () => {
    const library = new IndexedDbLibrary(freshName());
    const store = await library.open("a");
    await store.create(manifestOf("a"));
    await library.close();
    await store.append(roundEntry(0));
    expect((await library.list())[0]?.lastRound).toBe(0);
    await store.close();
  });
});
