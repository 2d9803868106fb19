/** @file What every store of runs must do, run against each of them: memory, IndexedDB, folders. Runs in Node and in a browser. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Checkpoint, RunEntry, RunLibrary, RunManifest, RunStore, StoredRun } from "../../src/loop/runStore.ts";
import { closedLoop } from "../../src/loop/closedLoop.ts";
import { comparable, collect, ofType, sumsConfig, sumsDeps } from "./loopRuns.ts";

/** The part of a library the suite uses; folders have no list. */
export type OpenableRuns = Pick<RunLibrary, "open" | "read">;

const config = sumsConfig({ task: { pool: 12, validation: 4, test: 10 }, rounds: 2, querySize: 3, perSeed: 2 });

/** A manifest for run `runId`. */
export function manifestOf(runId: string, createdAt = "2026-01-01T00:00:00.000Z"): RunManifest {
  return {
    schemaVersion: 1,
    runId,
    createdAt,
    version: "0.1.0",
    config,
    engine: { ep: "cpu", version: "test 1", threads: 1 },
    student: { name: "linear", parameters: 40, trainable: 40 },
  };
}

const USAGE = { requests: 2, promptTokens: 10, completionTokens: 12, costUsd: 0.25, durationMs: 3.5 };

/** An example entry with any texts. */
export function exampleEntry(
  id: string,
  question = "What is 1 + 2?",
  answer = "#### 3",
): Extract<RunEntry, { type: "example" }> {
  return {
    type: "example",
    example: {
      id,
      round: 1,
      seedId: "1+1",
      operation: "vary",
      question,
      answer,
      accepted: true,
      verification: "passed",
      reason: "checked",
      usage: USAGE,
    },
  };
}

/** A decision that rejects a pair. */
export function interventionEntry(exampleId: string): Extract<RunEntry, { type: "intervention" }> {
  const at = "2026-01-01T00:00:00.000Z";
  return {
    type: "intervention",
    intervention: { id: `i-${exampleId}`, exampleId, round: 2, at, action: "reject", reason: "rejected by hand" },
  };
}

/** An entry of a run that goes on in less memory. */
export function memoryEntry(round: number): Extract<RunEntry, { type: "memory" }> {
  const from = { batchSize: 16, gradAccum: 1, generationBatchSize: 32, gradientCheckpointing: "auto" as const };
  const to = { batchSize: 8, gradAccum: 2, generationBatchSize: 16, gradientCheckpointing: "on" as const };
  return { type: "memory", change: { round, from, to } };
}

/** A round's summary entry. */
export function roundEntry(round: number, accuracy = 0.5): Extract<RunEntry, { type: "round" }> {
  const evaluation = {
    split: "test" as const,
    n: 10,
    correct: Math.round(accuracy * 10),
    accuracy,
    low: 0.2,
    high: 0.8,
    byLevel: { small: { n: 10, correct: 5 } },
    byTag: {},
  };
  return {
    type: "round",
    summary: {
      round,
      examples: 1,
      accepted: 1,
      rejected: 0,
      outcomes: { passed: 1 },
      refills: 0,
      taught: 1,
      unsound: 0,
      teacher: USAGE,
      evaluation,
      meanLoss: null,
      steps: 0,
      rows: 0,
      poolAccuracy: null,
      stop: null,
      durationMs: 1.25,
    },
  };
}

/** A checkpoint of a round with given parameters. */
export function checkpointOf(round: number, parameters: ReadonlyMap<string, Float32Array>): Checkpoint {
  const steps = [{ step: 1, loss: 0.1, gradNorm: 2, lr: 1e-3, tokens: 7, tokensPerSecond: 70 }];
  return { schemaVersion: 1, round, exampleIds: ["a", "b"], steps, parameters };
}

const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const parameterMaps = fc
  .dictionary(fc.string({ minLength: 1, maxLength: 12 }), fc.array(float32, { maxLength: 20 }), { maxKeys: 5 })
  .map((entries) => new Map(Object.entries(entries).map(([name, values]) => [name, Float32Array.from(values)])));

/** Declares the suite for the store that `makeRuns` makes empty. */
export function runLibrarySuite(name: string, makeRuns: () => Promise<OpenableRuns>): void {
  describe(`runs in ${name}`, () => {
    it("are nothing before they are created", async () => {
      const runs = await makeRuns();
      const store = await runs.open("a");
      expect(store.runId).toBe("a");
      expect(await store.load()).toBeUndefined();
      await store.close();
      expect(await runs.read("a")).toBeUndefined();
    });

    it("come back as they were stored, in order, after being closed and opened again", async () => {
      const runs = await makeRuns();
      const store = await runs.open("a");
      await store.create(manifestOf("a"));
      const entries: RunEntry[] = [
        {
          type: "pool",
          round: 1,
          items: [
            {
              id: "s",
              question: "q",
              answer: "a",
              level: "small",
              ownAnswer: "",
              correct: false,
              ownLoss: 0.1,
              score: 0.1,
            },
          ],
        },
        {
          type: "picks",
          round: 1,
          picks: [
            { seedId: "s", level: "small", score: 0.1, rank: 1 },
            { seedId: "t", level: "carry", score: null, rank: null },
          ],
        },
        {
          type: "reply",
          reply: { round: 1, id: "x", call: "propose", outcome: { ok: true, text: "q", level: "small" }, usage: USAGE },
        },
        {
          type: "reply",
          reply: { round: 1, id: "x", call: "answer", outcome: { ok: false, message: "no" }, usage: USAGE },
        },
        exampleEntry("x"),
        exampleEntry("y"),
        interventionEntry("x"),
        memoryEntry(1),
        roundEntry(0),
        roundEntry(1),
      ];
      for (const entry of entries) await store.append(entry);
      const checkpoint = checkpointOf(
        1,
        new Map([
          ["w", Float32Array.of(1, -0, 3e38)],
          ["empty", new Float32Array(0)],
        ]),
      );
      await store.saveCheckpoint(checkpoint);
      await store.close();
      const stored = await (await runs.open("a")).load();
      expect(stored).toEqual({
        manifest: manifestOf("a"),
        pools: entries.filter(({ type }) => type === "pool"),
        picks: entries.filter(({ type }) => type === "picks"),
        replies: entries.flatMap((entry) => (entry.type === "reply" ? [entry.reply] : [])),
        examples: entries.flatMap((entry) => (entry.type === "example" ? [entry.example] : [])),
        interventions: entries.flatMap((entry) => (entry.type === "intervention" ? [entry.intervention] : [])),
        memoryChanges: entries.flatMap((entry) => (entry.type === "memory" ? [entry.change] : [])),
        rounds: entries.flatMap((entry) => (entry.type === "round" ? [entry.summary] : [])),
        checkpoint,
      });
      expect(await runs.read("a")).toEqual(stored);
    });

    it("are created once", async () => {
      const store = await (await makeRuns()).open("a");
      await store.create(manifestOf("a"));
      await expect(store.create(manifestOf("a"))).rejects.toMatchObject({ code: "bad-input" });
    });

    it("keep any text and any finite numbers exactly", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: "binary" }),
          fc.string({ unit: "grapheme" }),
          parameterMaps,
          async (question, answer, parameters) => {
            const store = await (await makeRuns()).open("a");
            await store.create(manifestOf("a"));
            const entry = exampleEntry("x", question, answer);
            await store.append(entry);
            await store.saveCheckpoint(checkpointOf(1, parameters));
            const stored = await store.load();
            await store.close();
            expect(stored?.examples).toEqual([entry.example]);
            expect([...(stored?.checkpoint?.parameters ?? [])]).toEqual([...parameters]);
          },
        ),
        { numRuns: 25 },
      );
    });

    it("lose nothing when many entries are appended at once", async () => {
      const store = await (await makeRuns()).open("a");
      await store.create(manifestOf("a"));
      const ids = Array.from({ length: 50 }, (_, i) => `e${i}`);
      await Promise.all(ids.map((id) => store.append(exampleEntry(id))));
      expect((await store.load())?.examples.map(({ id }) => id)).toEqual(ids);
    });

    it("hold the last checkpoint whole, and a copy of it", async () => {
      const store = await (await makeRuns()).open("a");
      await store.create(manifestOf("a"));
      await store.saveCheckpoint(checkpointOf(1, new Map([["old", Float32Array.of(1)]])));
      const values = Float32Array.of(1, 2, 3);
      await store.saveCheckpoint(checkpointOf(2, new Map([["w", values]])));
      values.fill(0);
      const stored = await store.load();
      expect(stored?.checkpoint?.round).toBe(2);
      expect([...(stored?.checkpoint?.parameters ?? [])]).toEqual([["w", Float32Array.of(1, 2, 3)]]);
    });

    it("are held by one at a time", async () => {
      const runs = await makeRuns();
      const store = await runs.open("a");
      await store.create(manifestOf("a"));
      await expect(runs.open("a")).rejects.toMatchObject({ code: "bad-input" });
      expect((await runs.read("a"))?.manifest.runId).toBe("a");
      await store.close();
      await store.close();
      const again = await runs.open("a");
      await store.close();
      await expect(runs.open("a")).rejects.toMatchObject({ code: "bad-input" });
      await again.close();
    });

    it("carry a closed loop across an interruption", async () => {
      const whole = await collect(config, await sumsDeps());
      const runs = await makeRuns();
      let store: RunStore = await runs.open("run");
      const records = closedLoop(config, await sumsDeps({ store }));
      for (let told = 0; told < 30; told++) await records.next();
      await records.return();
      await store.close();
      store = await runs.open("run");
      const rest = await collect(config, await sumsDeps({ store, resume: true }));
      await store.close();
      const from = ofType(rest, "run")[0]?.resumedAtRound ?? -1;
      expect(from).toBe(1);
      expect(comparable(rest, from)).toEqual(comparable(whole, from));
      expect((await runs.read("run"))?.rounds).toEqual(ofType(whole, "round").map(({ summary }) => summary));
    });
  });
}

/** The further duties of a whole library. */
export function librarySuite(name: string, makeLibrary: () => Promise<RunLibrary>): void {
  runLibrarySuite(name, makeLibrary);

  describe(`a library in ${name}`, () => {
    async function stored(library: RunLibrary, runId: string, createdAt: string, rounds: number): Promise<void> {
      const store = await library.open(runId);
      await store.create(manifestOf(runId, createdAt));
      for (let round = 0; round < rounds; round++) await store.append(roundEntry(round, round / 10));
      await store.close();
    }

    it("keeps a whole run from elsewhere once, with its label", async () => {
      const library = await makeLibrary();
      const run: StoredRun = {
        manifest: manifestOf("a"),
        pools: [],
        picks: [],
        replies: [],
        examples: [exampleEntry("x").example],
        interventions: [interventionEntry("x").intervention],
        memoryChanges: [memoryEntry(1).change],
        rounds: [roundEntry(0).summary, roundEntry(1, 0.25).summary],
        checkpoint: checkpointOf(1, new Map([["w", Float32Array.of(1, 2, 3)]])),
      };
      await library.add({ run, label: "from a friend" });
      expect(await library.read("a")).toEqual(run);
      expect(await library.read("a", { checkpoint: false })).toEqual({ ...run, checkpoint: undefined });
      expect(await library.list()).toMatchObject([
        { label: "from a friend", lastRound: 1, accuracy: 0.25, checkpointBytes: 12 },
      ]);
      await expect(library.add({ run })).rejects.toMatchObject({ code: "bad-input" });
    });

    it("gives runs names, also ones that are held, and takes them away", async () => {
      const library = await makeLibrary();
      await stored(library, "a", "2026-01-01T00:00:00.000Z", 1);
      const held = await library.open("a");
      await library.label("a", "first try");
      expect((await library.list())[0]?.label).toBe("first try");
      await held.append(roundEntry(1));
      expect((await library.list())[0]).toMatchObject({ label: "first try", lastRound: 1 });
      await library.label("a", "");
      expect((await library.list())[0]).not.toHaveProperty("label");
      await expect(library.label("b", "x")).rejects.toMatchObject({ code: "bad-input" });
      await held.close();
    });

    it("lists runs newest first with how far they are", async () => {
      const library = await makeLibrary();
      await (await library.open("never created")).close();
      await stored(library, "old", "2026-01-01T00:00:00.000Z", 3);
      await stored(library, "new", "2026-02-01T00:00:00.000Z", 0);
      await stored(library, "middle", "2026-01-15T00:00:00.000Z", 1);
      const own = { checkpointBytes: 0, elsewhere: false };
      expect((await library.list()).map(({ manifest, ...rest }) => ({ runId: manifest.runId, ...rest }))).toEqual([
        { ...own, runId: "new", lastRound: -1, accuracy: null, finished: false },
        { ...own, runId: "middle", lastRound: 0, accuracy: 0, finished: false },
        { ...own, runId: "old", lastRound: 2, accuracy: 0.2, finished: true },
      ]);
    });

    it("deletes one run with everything of it, and only that", async () => {
      const library = await makeLibrary();
      await stored(library, "a", "2026-01-01T00:00:00.000Z", 2);
      await stored(library, "b", "2026-01-02T00:00:00.000Z", 2);
      const store = await library.open("a");
      await store.saveCheckpoint(checkpointOf(1, new Map([["w", Float32Array.of(1)]])));
      await expect(library.delete("a")).rejects.toMatchObject({ code: "bad-input" });
      await store.close();
      await library.delete("a");
      await library.delete("never there");
      expect((await library.list()).map(({ manifest }) => manifest.runId)).toEqual(["b"]);
      expect(await library.read("a")).toBeUndefined();
      // A new run of that name starts from nothing.
      await stored(library, "a", "2026-03-01T00:00:00.000Z", 1);
      expect(await library.read("a")).toMatchObject({ rounds: [{ round: 0 }], checkpoint: undefined });
      expect((await library.read("b"))?.rounds).toHaveLength(2);
    });
  });
}
