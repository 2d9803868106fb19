/** @file Runs with the loop's options, and complete baselines, that die at any moment and are resumed give what the uninterrupted run gives. */
import { describe, expect, it } from "vitest";
import { experimentOfBaseline } from "../../src/loop/baselines.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { CrashingStore } from "../support/crashingStore.ts";
import { remains, runUntilDeath } from "../support/deaths.ts";
import { collect, comparable, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTeacher } from "../support/sums.ts";

const SMALL = {
  task: { pool: 10, validation: 4, test: 6 },
  rounds: 2,
  querySize: 3,
  perSeed: 1,
  replay: 0,
  training: { epochs: 1, batchSize: 8, learningRate: 0.1 },
} as const;

const LAZY = { temperature: 0.7, topP: 0.9 } as const;

const CONFIGS: readonly (readonly [string, ExperimentConfig])[] = [
  ["llm2llm", { ...experimentOfBaseline("llm2llm", sumsConfig(SMALL)), querySize: 3, rounds: 3 }],
  ["lion", experimentOfBaseline("lion", sumsConfig(SMALL))],
  [
    "frozen embeddings, no repeats",
    sumsConfig({
      ...SMALL,
      strategy: { name: "badge", picker: { kind: "argmax" } },
      query: { scores: "frozen", repeats: "avoided" },
    }),
  ],
  [
    "real pairs until a plateau",
    { ...experimentOfBaseline("real", sumsConfig(SMALL)), rounds: 4, stop: { plateau: 2, minGain: 0 } },
  ],
  [
    "a ceiling of tokens over judgements and pairs in one call",
    sumsConfig({
      ...SMALL,
      strategy: { name: "judge", picker: { kind: "argmax" } },
      teacher: { calls: "one" },
      budget: { teacherTokens: 300 },
    }),
  ],
  [
    "scored pairs, holdout losses of all candidates, near-duplicates",
    sumsConfig({
      ...SMALL,
      strategy: { name: "rho-loss", picker: { kind: "softmax", temperature: 0.5 }, holdout: "linear" },
      query: { candidates: "all", ...LAZY },
      maxRougeL: 0.75,
      budget: { examples: 5 },
      scoreSynthetic: true,
    }),
  ],
];

describe.each(CONFIGS)("a run (%s) that dies", (_name, config) => {
  async function uninterrupted() {
    const inner = await new MemoryLibrary().open("run");
    const store = new CrashingStore(inner);
    const records = await collect(config, await sumsDeps({ store, teacher: sumsTeacher({ errorRate: 0.2 }) }));
    return { records, remains: remains(await inner.load()), writes: store.writes };
  }

  it.each(["before", "after"] as const)("just %s any write goes on as if nothing had happened", async (when) => {
    const whole = await uninterrupted();
    expect(ofType(whole.records, "step").length).toBeGreaterThan(0);
    for (let atWrite = 0; atWrite < whole.writes; atWrite++) {
      const store = await new MemoryLibrary().open("run");
      await runUntilDeath(config, store, { atWrite, when }, sumsTeacher({ errorRate: 0.2 }), false);
      const resume = (await store.load()) !== undefined;
      const teacher = sumsTeacher({ errorRate: 0.2 });
      const records = await collect(config, await sumsDeps({ store, teacher, resume }));
      const from = ofType(records, "run")[0]?.resumedAtRound ?? -1;
      expect(comparable(records, from)).toEqual(comparable(whole.records, from));
      expect(remains(await store.load())).toEqual(whole.remains);
    }
  });
});
