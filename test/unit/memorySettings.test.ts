/** @file Going on in less memory: which settings come next, what a resumed run accepts, and that its rounds are those of a run that never stopped. */
import { expect, test } from "vitest";
import { closedLoop } from "../../src/loop/closedLoop.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import { TutelageError } from "../../src/core/errors.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { describeMemoryChange, halfBatch, lessMemory, type MemorySettings } from "../../src/student/memorySettings.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";

const NOW: MemorySettings = {
  batchSize: 16,
  gradAccum: 1,
  generationBatchSize: 32,
  gradientCheckpointing: "auto",
};

test("half a batch keeps the rows of a step, whatever divides them", () => {
  const half = (batchSize: number, gradAccum: number): unknown => halfBatch({ batchSize, gradAccum });
  expect(half(16, 1)).toEqual({ batchSize: 8, gradAccum: 2 });
  expect(half(6, 2)).toEqual({ batchSize: 3, gradAccum: 4 });
  expect(half(7, 1)).toEqual({ batchSize: 1, gradAccum: 7 });
  expect(half(5, 2)).toEqual({ batchSize: 2, gradAccum: 5 });
  expect(half(1, 8)).toBeUndefined();
});

test("less memory comes in steps for the phase that ran out of it, and ends", () => {
  const trained = lessMemory(NOW, "train");
  expect(trained).toEqual({ ...NOW, batchSize: 8, gradAccum: 2, gradientCheckpointing: "on" });
  expect(lessMemory(NOW, "score")).toEqual({ ...NOW, generationBatchSize: 16 });
  expect(lessMemory(NOW)).toEqual({ ...trained, generationBatchSize: 16 });
  const seen: MemorySettings[] = [];
  for (let now: MemorySettings | undefined = NOW; now !== undefined; now = lessMemory(now)) seen.push(now);
  expect(seen.at(-1)).toEqual({
    batchSize: 1,
    gradAccum: 16,
    generationBatchSize: 1,
    gradientCheckpointing: "on",
  });
  expect(seen.every(({ batchSize, gradAccum }) => batchSize * gradAccum === 16)).toBe(true);
  expect(describeMemoryChange(NOW, lessMemory(NOW)!)).toBe(
    "training in batches of 8 × 2 accumulated instead of 16 × 1, gradient checkpointing, which takes about a third more time, scores and answers for 16 rows at a time instead of 32",
  );
  expect(describeMemoryChange(NOW, { ...NOW })).toBe("");
});

test("a loop whose training runs out of memory goes on in less, and no teacher call or round is lost", async () => {
  const config = sumsConfig();
  const whole = await collect(config, await sumsDeps());
  const store = await new MemoryLibrary().open("run");
  // Batches of 4 find no room once it is round 2's turn.
  let full = false;
  const student = new LinearStudent({
    onWork: (what) => {
      if (full && what === "train") throw new TutelageError("out-of-memory", "training: not enough memory");
    },
  });
  const first: LoopRecord[] = [];
  const stopped = (async () => {
    for await (const record of closedLoop(config, await sumsDeps({ store, student }))) {
      first.push(record);
      if (record.type === "round" && record.summary.round === 1) full = true;
    }
  })();
  await expect(stopped).rejects.toMatchObject({ code: "out-of-memory" });
  const answered = new Set((await store.load())!.replies.map(({ id }) => id));
  expect(ofType(first, "round").map(({ summary }) => summary.round)).toEqual([0, 1]);

  const memory = lessMemory({ ...NOW, batchSize: 4, generationBatchSize: 16 }, "train")!;
  const asked: string[] = [];
  const { teacher, ...deps } = await sumsDeps({ store, resume: true, memory });
  const rest = await collect(config, {
    ...deps,
    teacher: {
      ...teacher,
      propose: (item, ...more) => {
        asked.push(item.id);
        return teacher.propose(item, ...more);
      },
    },
  });
  const change = { round: 2, from: { ...NOW, batchSize: 4, generationBatchSize: 16 }, to: memory };
  expect(ofType(rest, "memory")).toEqual([{ type: "memory", change }]);
  expect((await store.load())!.memoryChanges).toEqual([change]);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter((id) => answered.has(id))).toEqual([]);
  expect(ofType(rest, "round").map(({ summary }) => summary.round)).toEqual([2, 3]);
  // What comes before a training with the other batches is the same to the bit.
  for (const picks of [ofType(first, "picks"), ofType(rest, "picks").slice(0, 1)])
    expect(ofType(whole, "picks")).toEqual(expect.arrayContaining(picks));

  // Resumed once more it keeps what it was told, and says nothing of it.
  const again = await collect(config, await sumsDeps({ store, resume: true }));
  expect(ofType(again, "memory")).toEqual([]);
});

test("settings that would make other steps are refused", async () => {
  const config = sumsConfig({ rounds: 1 });
  const store = await new MemoryLibrary().open("run");
  await collect(config, await sumsDeps({ store }));
  const resume = async (memory: MemorySettings): Promise<unknown> =>
    collect(config, await sumsDeps({ store, resume: true, memory }));
  await expect(resume({ ...NOW, batchSize: 2, gradAccum: 3 })).rejects.toThrow(
    "memory settings, batch size × accumulation: expected 4 rows a step as the run began, got 2 × 3",
  );
  await expect(resume({ ...NOW, batchSize: 8, gradAccum: 0.5 })).rejects.toThrow(/gradAccum: expected a whole number/);
  expect((await store.load())!.memoryChanges).toEqual([]);
});
