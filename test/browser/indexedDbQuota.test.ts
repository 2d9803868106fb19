/**
 * @file A full disk in the browser's own IndexedDB. A file of its own: Chromium asks
 * for the quota anew only when an origin's databases were closed, or after 30 s.
 */
import { afterAll, describe, expect, it } from "vitest";
import { cdp } from "vitest/browser";
import type { RunStore } from "../../src/loop/runStore.ts";
import { IndexedDbLibrary } from "../../src/storage/indexedDb.ts";
import { checkpointOf, exampleEntry, manifestOf, roundEntry } from "../support/runLibrarySuite.ts";

const session = cdp() as unknown as { send(method: string, params: object): Promise<unknown> };
const setQuota = (quota: { quotaSize?: number }): Promise<unknown> =>
  session.send("Storage.overrideQuotaForOrigin", { origin: location.origin, ...quota });
afterAll(() => setQuota({}));

/** Appends small entries for up to 40 s. */
async function appendUntilRefused(store: RunStore): Promise<{ readonly kept: number; readonly refusal: unknown }> {
  for (let kept = 0; kept < 130; kept++) {
    try {
      await store.append(exampleEntry(String(kept)));
    } catch (refusal) {
      return { kept, refusal };
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return { kept: 130, refusal: undefined };
}

describe("a full IndexedDB", () => {
  it("is told as such, keeps what was stored, and goes on when there is room again", async () => {
    const library = new IndexedDbLibrary(`quota ${Date.now()}`);
    const store = await library.open("a");
    await store.create(manifestOf("a"));
    await store.append(roundEntry(0));
    await store.saveCheckpoint(checkpointOf(1, new Map([["w", Float32Array.of(1)]])));

    await setQuota({ quotaSize: 1 });
    const { kept, refusal } = await appendUntilRefused(store);
    const quota = { code: "quota", message: expect.stringContaining("storage quota is used up") };
    expect(refusal).toMatchObject(quota);
    await expect(store.append(roundEntry(1))).rejects.toMatchObject(quota);
    await expect(
      store.saveCheckpoint(checkpointOf(2, new Map([["w", new Float32Array(100_000)]]))),
    ).rejects.toMatchObject(quota);
    // A run from a file is kept whole or not at all.
    const whole = {
      manifest: manifestOf("b"),
      pools: [],
      picks: [],
      replies: [],
      examples: [],
      interventions: [],
      memoryChanges: [],
      rounds: [],
      checkpoint: checkpointOf(1, new Map([["w", new Float32Array(100_000)]])),
    };
    await expect(library.add({ run: whole })).rejects.toMatchObject(quota);
    expect(await library.read("b")).toBeUndefined();
    const stored = await library.read("a");
    expect([stored?.examples.length, stored?.rounds.length, (await library.list())[0]?.lastRound]).toEqual([
      kept,
      1,
      0,
    ]);
    expect([...(stored?.checkpoint?.parameters ?? [])]).toEqual([["w", Float32Array.of(1)]]);

    await setQuota({});
    await store.saveCheckpoint(checkpointOf(2, new Map([["w", new Float32Array(100_000)]])));
    await store.append(exampleEntry("last"));
    expect(await library.read("a")).toMatchObject({ checkpoint: { round: 2 }, examples: { length: kept + 1 } });
    await store.close();
    await library.delete("a");
    await library.close();
  });
});
