/** @file Bounded concurrency that the consumer paces. */
import { describe, expect, it } from "vitest";
import { inParallel } from "../../src/loop/inParallel.ts";

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function drain<R>(work: AsyncGenerator<number, R, void>): Promise<{ counts: number[]; result: R }> {
  const counts: number[] = [];
  for (;;) {
    const next = await work.next();
    if (next.done === true) return { counts, result: next.value };
    counts.push(next.value);
  }
}

describe("inParallel", () => {
  it("returns results in the order of the items, whatever order they end in", async () => {
    const { counts, result } = await drain(inParallel([30, 1, 15, 2], 4, async (ms) => (await later(ms), ms * 10)));
    expect(result).toEqual([300, 10, 150, 20]);
    expect(counts).toEqual([1, 2, 3, 4]);
  });

  it("never has more in flight than allowed", async () => {
    let inFlight = 0;
    let most = 0;
    await drain(
      inParallel(
        Array.from({ length: 20 }, (_, i) => i),
        3,
        async (i) => {
          most = Math.max(most, ++inFlight);
          await later(i % 4);
          inFlight--;
        },
      ),
    );
    expect(most).toBe(3);
  });

  it("starts nothing new while nobody pulls", async () => {
    let started = 0;
    const work = inParallel([1, 2, 3, 4, 5], 2, async () => void started++);
    await work.next();
    await later(10);
    expect(started).toBe(2);
    await work.return([]);
    expect(started).toBe(2);
  });

  it("throws the first failure after what is in flight has settled, and starts nothing more", async () => {
    const settled: number[] = [];
    const work = inParallel([1, 2, 3, 4], 2, async (i) => {
      if (i === 1) throw new Error("first");
      await later(10);
      settled.push(i);
    });
    await expect(drain(work)).rejects.toThrow("first");
    expect(settled).toEqual([2]);
  });

  it("is done at once without items", async () => {
    expect(await drain(inParallel([], 4, async () => 1))).toEqual({ counts: [], result: [] });
  });
});
