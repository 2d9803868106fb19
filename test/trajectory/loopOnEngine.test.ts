/** @file The loop over a real language model on ONNX Runtime: two lanes on one engine, and a run resumed after each phase, give what the loop alone gives. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closedLoop } from "../../src/loop/closedLoop.ts";
import type { ClosedLoopDeps } from "../../src/loop/closedLoop.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { PHASES } from "../../src/loop/records.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import { lessMemory, memorySettingsOf } from "../../src/student/memorySettings.ts";
import { LoopServiceImpl } from "../../src/loop/service.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { openStudent } from "../../src/student/student.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import { createTask } from "../../src/tasks/registry.ts";
import { createTeacher } from "../../src/teacher/registry.ts";
import { collect, comparable, ofType } from "../support/loopRuns.ts";
import { listenTo, untilState } from "../support/sumsService.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

/** Small in everything. The engine has one thread: sums of several may differ in their last bits from run to run. */
const config = (strategy: "random" | "own-loss", method: object): ExperimentConfig =>
  parseExperimentConfig({
    seed: 3,
    task: { pool: 8, validation: 0, test: 4 },
    strategy: { name: strategy },
    rounds: 2,
    querySize: 3,
    perSeed: 1,
    restart: strategy === "random",
    training: { method, epochs: 1, batchSize: 2, learningRate: 1e-2, warmupSteps: 1 },
    generation: { maxNewTokens: 6, batchSize: 4 },
  });
const lanes = [config("random", { method: "full" }), config("own-loss", { method: "lora", r: 2, loraAlpha: 4 })];

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(() => engine.dispose());

async function withStudent<R>(
  lane: ExperimentConfig,
  work: (deps: ClosedLoopDeps & { readonly student: LanguageModel }) => Promise<R>,
): Promise<R> {
  const student = await openStudent(engine, {
    source: await tinyStudentSource(),
    method: lane.training.method,
    seed: lane.seed,
  });
  try {
    const task = createTask(lane.task.name);
    return await work({
      student,
      task,
      teacher: await createTeacher(lane.teacher, task),
      store: await new MemoryLibrary().open("run"),
      showPool: true,
    });
  } finally {
    await student.dispose();
  }
}

describe("a loop over a language model", () => {
  it("is the same alone and as a lane of a race on one engine, and leaves nothing on the engine", async () => {
    const before = engine.live;
    const alone: unknown[][] = [];
    for (const lane of lanes)
      alone.push(await withStudent(lane, async (deps) => comparable(await collect(lane, deps))));
    expect(
      alone.every((records) => records.filter((record) => (record as LoopRecord).type === "step").length > 2),
    ).toBe(true);
    expect(engine.live).toEqual(before);

    const service = new LoopServiceImpl({
      library: new MemoryLibrary(),
      providers: async () => [],
      openEngine: async () => ({ info: engine.info, dispose: async () => undefined }),
      openStudent: async (_engine, { training, seed }) => ({
        student: await openStudent(engine, { source: await tinyStudentSource(), method: training.method, seed }),
        name: "tiny",
      }),
      createTask: ({ task }) => createTask(task.name),
      createTeacher: ({ teacher }, task) => createTeacher(teacher, task),
    });
    const heard = listenTo(service);
    await service.createRace({ lanes, ep: "cpu", showPool: true });
    await service.start();
    await untilState(heard, "done");
    expect(heard.events.filter(({ type }) => type === "lane-failed")).toEqual([]);
    expect(lanes.map((_, lane) => comparable(heard.of(lane)))).toEqual(alone);
    await service.stop();
    expect(engine.live).toEqual(before);
  });

  it.each(lanes.map((lane) => [`${lane.strategy.name}, ${lane.training.method.method}`, lane] as const))(
    "(%s) resumed after any phase ends with the same rounds, pairs and weights",
    async (_name, lane) => {
      const whole = await withStudent(lane, async (deps) => ({
        records: await collect(lane, deps),
        weights: [...(await deps.student.snapshot())],
      }));
      expect(ofType(whole.records, "round").some(({ summary }) => summary.steps > 0)).toBe(true);
      for (const phase of PHASES) {
        const store = await new MemoryLibrary().open("run");
        await withStudent(lane, async (deps) => {
          const records = closedLoop(lane, { ...deps, store });
          for (let next = await records.next(); next.done !== true; next = await records.next()) {
            const { value } = next;
            if (value.type === "phase" && value.round === 2 && value.phase === phase && value.state === "end") break;
          }
        });
        const resumed = await withStudent(lane, async (deps) => ({
          records: await collect(lane, { ...deps, store, resume: true }),
          weights: [...(await deps.student.snapshot())],
        }));
        expect(ofType(resumed.records, "run")[0]?.resumedAtRound).toBe(2);
        expect(comparable(resumed.records, 2)).toEqual(comparable(whole.records, 2));
        expect(resumed.weights).toEqual(whole.weights);
      }
    },
  );

  it.each(lanes.map((lane) => [`${lane.strategy.name}, ${lane.training.method.method}`, lane] as const))(
    "(%s) resumed in less memory makes the same picks and pairs, and takes the same steps up to rounding",
    async (_name, lane) => {
      const sampled = { ...lane, query: { ...lane.query, temperature: 0.7 } };
      const whole = await withStudent(sampled, async (deps) => collect(sampled, deps));
      const store = await new MemoryLibrary().open("run");
      await withStudent(sampled, async (deps) => {
        for await (const record of closedLoop(sampled, { ...deps, store }))
          if (record.type === "round" && record.summary.round === 1) break;
      });
      const memory = lessMemory(memorySettingsOf(sampled));
      expect(memory).toEqual({ batchSize: 1, gradAccum: 2, generationBatchSize: 2, gradientCheckpointing: "on" });
      const rest = await withStudent(sampled, async (deps) =>
        collect(sampled, { ...deps, store, resume: true, memory }),
      );
      const ofRound2 = (records: readonly LoopRecord[]) => ({
        pool: ofType(records, "pool").filter(({ round }) => round === 2),
        picks: ofType(records, "picks").filter(({ round }) => round === 2),
        pairs: ofType(records, "example").filter(({ example }) => example.round === 2),
        steps: ofType(records, "step").filter(({ round }) => round === 2),
      });
      const [before, after] = [ofRound2(whole), ofRound2(rest)];
      expect(after.picks.map(({ picks }) => picks.map(({ seedId }) => seedId))).toEqual(
        before.picks.map(({ picks }) => picks.map(({ seedId }) => seedId)),
      );
      // Sampled answers too: draws are named by batch and row, whatever the batch is computed in.
      const answers = (part: typeof before) =>
        part.pool.flatMap(({ items }) => items.map(({ ownAnswer }) => ownAnswer));
      expect(answers(after)).toEqual(answers(before));
      expect(answers(after).filter((answer) => (answer ?? "") !== "").length).toBeGreaterThan(0);
      expect(after.pairs.map(({ example }) => example.answer)).toEqual(
        before.pairs.map(({ example }) => example.answer),
      );
      expect(after.steps.length).toBeGreaterThan(0);
      expect(after.steps.length).toBe(before.steps.length);
      after.steps.forEach((step, i) => {
        const expected = before.steps[i]!;
        expect([step.step, step.tokens, step.lr]).toEqual([expected.step, expected.tokens, expected.lr]);
        expect(Math.abs(step.loss - expected.loss)).toBeLessThan(1e-5 * expected.loss);
        expect(Math.abs(step.gradNorm - expected.gradNorm)).toBeLessThan(1e-4 * expected.gradNorm);
      });
    },
  );
});
