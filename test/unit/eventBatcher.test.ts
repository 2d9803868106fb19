/** @file Events gathered into few messages. */
import { describe, expect, it } from "vitest";
import { EventBatcher } from "../../src/protocol/eventBatcher.ts";
import type { LoopEvent } from "../../src/protocol/loopService.ts";

const warning = (message: string, lane = 0): LoopEvent => ({
  type: "record",
  lane,
  record: { type: "warning", code: "c", message },
});
const progress = (done: number, lane = 0): LoopEvent => ({
  type: "record",
  lane,
  record: { type: "phase", round: 1, phase: "score", state: "progress", done, total: 9 },
});
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("an event batcher", () => {
  it("sends what comes within the interval as one batch, in order", async () => {
    const batches: (readonly LoopEvent[])[] = [];
    const batcher = new EventBatcher(20);
    batcher.subscribe((batch) => void batches.push(batch));
    batcher.push(warning("a"));
    batcher.push(warning("b"));
    expect(batches).toEqual([]);
    await later(60);
    batcher.push(warning("c"));
    await later(60);
    expect(batches).toEqual([[warning("a"), warning("b")], [warning("c")]]);
  });

  it("sends what comes after a silence at once, without a turn of the event loop that a busy worker does not have", async () => {
    const batches: (readonly LoopEvent[])[] = [];
    const batcher = new EventBatcher(60_000);
    batcher.subscribe((batch) => void batches.push(batch));
    batcher.push(warning("a"));
    for (let turns = 0; turns < 5; turns++) await Promise.resolve();
    expect(batches).toEqual([[warning("a")]]);
    batcher.push(warning("b"));
    for (let turns = 0; turns < 5; turns++) await Promise.resolve();
    expect(batches).toHaveLength(1);
    // What begins something waits for nothing, and takes along what waits.
    const running: LoopEvent = { type: "state", state: "running" };
    batcher.push(running);
    for (let turns = 0; turns < 5; turns++) await Promise.resolve();
    expect(batches).toEqual([[warning("a")], [warning("b"), running]]);
  });

  it("keeps only the newest of progress records in a row, per lane", async () => {
    const batches: (readonly LoopEvent[])[] = [];
    const batcher = new EventBatcher(5);
    batcher.subscribe((batch) => void batches.push(batch));
    for (const event of [progress(1), progress(2), progress(3), progress(1, 1), progress(4), warning("w"), progress(5)])
      batcher.push(event);
    await batcher.flush();
    expect(batches).toEqual([[progress(3), progress(1, 1), progress(4), warning("w"), progress(5)]]);
  });

  it("waits for a slow listener, and sends what has come meanwhile together", async () => {
    const sizes: number[] = [];
    let release = (): void => undefined;
    const batcher = new EventBatcher(1);
    batcher.subscribe((batch) => {
      sizes.push(batch.length);
      return new Promise<void>((resolve) => (release = resolve));
    });
    batcher.push(warning("first"));
    await expect.poll(() => sizes, { timeout: 60_000 }).toEqual([1]);
    for (let i = 0; i < 5; i++) {
      batcher.push(warning(String(i)));
      await later(3);
    }
    expect(sizes).toEqual([1]);
    release();
    await expect.poll(() => sizes, { timeout: 60_000 }).toEqual([1, 5]);
    release();
    await batcher.flush();
    expect(sizes).toEqual([1, 5]);
  });

  it("sends thousands in parts, the next when one is taken, and what comes meanwhile after them", async () => {
    const told: string[] = [];
    let busy = 0;
    const batcher = new EventBatcher(1000);
    batcher.subscribe(async (batch) => {
      if (told.length === 0) batcher.push(warning("meanwhile"));
      told.push(`${batch.length} beside ${busy++}`);
      await later(5);
      busy--;
    });
    for (let i = 0; i < 1200; i++) batcher.push(warning(String(i)));
    await batcher.flush();
    await batcher.flush();
    expect(told).toEqual(["500 beside 0", "500 beside 0", "200 beside 0", "1 beside 0"]);
  });

  it("resolves a flush when everything before it was taken", async () => {
    const taken: LoopEvent[] = [];
    const batcher = new EventBatcher(1000);
    batcher.subscribe(async (batch) => {
      await later(10);
      taken.push(...batch);
    });
    batcher.push(warning("a"));
    const first = batcher.flush();
    batcher.push(warning("b"));
    await Promise.all([first, batcher.flush()]);
    expect(taken).toEqual([warning("a"), warning("b")]);
  });

  it("drops events without a listener, and a listener that throws", async () => {
    const batcher = new EventBatcher(1);
    batcher.push(warning("nobody"));
    await batcher.flush();
    let calls = 0;
    batcher.subscribe(() => {
      calls++;
      throw new Error("gone");
    });
    batcher.push(warning("a"));
    await batcher.flush();
    batcher.push(warning("b"));
    await batcher.flush();
    expect(calls).toBe(1);
  });
});
