/** @file The loop over a real language model on ONNX Runtime: two lanes on one engine, and a run resumed after each phase, give what the loop alone gives. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closedLoop } from "../../src/loop/closedLoop.ts";
import type { ClosedLoopDeps } from "../../src/loop/closedLoop.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { PHASES } from "../../src/loop/records.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
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
});
