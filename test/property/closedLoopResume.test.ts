/** @file A run that dies at any moment and is resumed gives what the uninterrupted run gives, and asks no answered question again. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { RunStore, StoredReply } from "../../src/loop/runStore.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import type { Teacher, TeacherCall } from "../../src/teacher/types.ts";
import { CrashingStore } from "../support/crashingStore.ts";
import { remains, runUntilDeath } from "../support/deaths.ts";
import { collect, comparable, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTeacher } from "../support/sums.ts";

const SMALL = {
  task: { pool: 12, validation: 4, test: 10 },
  rounds: 2,
  querySize: 3,
  perSeed: 2,
  training: { epochs: 2, batchSize: 4, learningRate: 0.1 },
} as const;

const CONFIGS: readonly (readonly [string, ExperimentConfig])[] = [
  [
    "own loss, restart, replay",
    sumsConfig({
      ...SMALL,
      strategy: { name: "own-loss", picker: { kind: "softmax", temperature: 0.5 } },
      replay: 0.5,
    }),
  ],
  [
    "random, continue",
    sumsConfig({ ...SMALL, strategy: { name: "random", picker: { kind: "uniform" } }, restart: false }),
  ],
  ["judged answers", sumsConfig({ ...SMALL, strategy: { name: "lion", picker: { kind: "uniform" } } })],
  ["distances", sumsConfig({ ...SMALL, strategy: { name: "badge", picker: { kind: "uniform" } } })],
];

/** What identifies a call to the teacher: the seed of its random stream, which is forked by round, item and call. */
const keyOf = (rng: Rng): number => rng.state.seed;
const keyOfReply = (config: ExperimentConfig, { round, id, call }: StoredReply): number =>
  keyOf(
    new Rng(config.seed)
      .fork(`round ${round}`)
      .fork(call === "judge" ? "judge" : "teach")
      .fork(id)
      .fork(call),
  );

/** A teacher that answers out of order, fails on sevens, errs now and then, and notes every call it gets. */
function unevenTeacher(asked: number[]): Teacher {
  let turn = 0;
  const inner = sumsTeacher({
    errorRate: 0.2,
    before: async (call, text) => {
      const waits = (++turn * 7) % 5;
      for (let i = 0; i < waits; i++) await Promise.resolve();
      if (call === "propose" && text.includes("7")) throw new Error("no sevens today");
    },
  });
  const note = (call: TeacherCall): TeacherCall => {
    asked.push(keyOf(call.rng));
    return call;
  };
  return {
    name: "uneven",
    propose: (seed, operation, call) => inner.propose(seed, operation, note(call)),
    answer: (question, call) => inner.answer(question, note(call)),
    judge: (question, answers, call) => inner.judge(question, answers, note(call)),
  };
}

describe.each(CONFIGS)("a run (%s) that dies", (_name, config) => {
  async function uninterrupted(): Promise<{
    records: LoopRecord[];
    asked: number[];
    remains: unknown;
    writes: number;
  }> {
    const asked: number[] = [];
    const inner = await new MemoryLibrary().open("run");
    const store = new CrashingStore(inner);
    const records = await collect(config, await sumsDeps({ store, teacher: unevenTeacher(asked) }));
    return { records, asked, remains: remains(await inner.load()), writes: store.writes };
  }

  /** Resumes (or starts, when nothing was stored) and holds the result against the uninterrupted run. */
  async function expectResumed(store: RunStore, whole: Awaited<ReturnType<typeof uninterrupted>>): Promise<void> {
    const found = await store.load();
    const answered = new Set((found?.replies ?? []).map((reply) => keyOfReply(config, reply)));
    const asked: number[] = [];
    const records = await collect(
      config,
      await sumsDeps({ store, teacher: unevenTeacher(asked), resume: found !== undefined }),
    );
    const [run] = ofType(records, "run");
    const from = run?.resumedAtRound ?? -1;
    expect(from).toBe(found?.rounds.length ?? 0);
    expect(comparable(records, from)).toEqual(comparable(whole.records, from));
    expect(remains(await store.load())).toEqual(whole.remains);
    expect(asked.filter((key) => answered.has(key))).toEqual([]);
    expect(new Set(asked).size).toBe(asked.length);
    expect(new Set([...answered, ...asked])).toEqual(new Set(whole.asked));
  }

  it("is the uninterrupted run when run whole twice", async () => {
    const [a, b] = [await uninterrupted(), await uninterrupted()];
    expect(a.remains).toEqual(b.remains);
    expect(comparable(a.records)).toEqual(comparable(b.records));
    // The scenario is worth something: pairs accepted, rejected and failed, and weights that moved.
    const reasons = new Set(ofType(a.records, "example").map(({ example }) => example.verification));
    expect([...reasons]).toEqual(expect.arrayContaining(["passed", "failed"]));
    expect(ofType(a.records, "step").length).toBeGreaterThan(0);
  });

  it("after any record goes on as if nothing had happened", async () => {
    const whole = await uninterrupted();
    for (let afterRecords = 0; afterRecords <= whole.records.length; afterRecords++) {
      const inner = await new MemoryLibrary().open("run");
      await runUntilDeath(config, inner, { afterRecords }, unevenTeacher([]), false);
      await expectResumed(inner, whole);
    }
  });

  it.each(["before", "after"] as const)("just %s any write goes on as if nothing had happened", async (when) => {
    const whole = await uninterrupted();
    for (let atWrite = 0; atWrite < whole.writes; atWrite++) {
      const inner = await new MemoryLibrary().open("run");
      await runUntilDeath(config, inner, { atWrite, when }, unevenTeacher([]), false);
      await expectResumed(inner, whole);
    }
  });

  it("again and again, every few writes, still ends the same", async () => {
    const whole = await uninterrupted();
    const inner = await new MemoryLibrary().open("run");
    const asked: number[] = [];
    let deaths = 0;
    for (;;) {
      const found = await inner.load();
      if ((found?.rounds.length ?? 0) > config.rounds) break;
      await runUntilDeath(config, inner, { atWrite: 3, when: "after" }, unevenTeacher(asked), found !== undefined);
      expect(++deaths, "sessions without end").toBeLessThan(500);
    }
    expect(deaths).toBeGreaterThan(8);
    await expectResumed(inner, { ...whole, asked: [...new Set(asked)] });
    expect(new Set(asked)).toEqual(new Set(whole.asked));
  });
});
