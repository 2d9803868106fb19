/** @file Runs in the browser's own IndexedDB: the suite of every store, versions, other tabs. Its quota: indexedDbQuota. */
import { openDB } from "idb";
import { describe, expect, it, vi } from "vitest";
import { IndexedDbLibrary } from "../../src/storage/indexedDb.ts";
import { librarySuite, manifestOf, roundEntry } from "../support/runLibrarySuite.ts";

const eventuallyAsync = (holds: () => Promise<void>): Promise<void> => vi.waitFor(holds, { timeout: 60_000 });

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

  it("knows which runs another tab holds", async () => {
    const name = freshName();
    const library = new IndexedDbLibrary(name);
    for (const runId of ["a", "b"]) {
      const store = await library.open(runId);
      await store.create(manifestOf(runId));
      await store.close();
    }
    const own = await library.open("a");
    let release = (): void => undefined;
    const held = new Promise<void>((taken) => {
      // As another tab would: past this realm's own book.
      const whileHeld = (): Promise<void> => {
        taken();
        return new Promise((done) => (release = done));
      };
      void navigator.locks.request(`${name} run b`, whileHeld);
    });
    await held;
    const elsewhere = async () =>
      Object.fromEntries((await library.list()).map((run) => [run.manifest.runId, run.elsewhere]));
    expect(await elsewhere()).toEqual({ a: false, b: true });
    release();
    await eventuallyAsync(async () => expect(await elsewhere()).toEqual({ a: false, b: false }));
    await own.close();
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
