/** @file The service that races lanes: pace, pausing, stepping, failures, resuming, releasing. Across a worker: trajectory/workerLoop. */
import { describe, expect, it } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { PHASES } from "../../src/loop/records.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, comparable, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { listenTo, recordsOf, sumsService, twoLanes, until, untilState } from "../support/sumsService.ts";
import { sumsTask, sumsTeacher } from "../support/sums.ts";

const config = sumsConfig({ task: { pool: 20, validation: 5, test: 20 }, rounds: 2, querySize: 4, perSeed: 2 });
const lanes = twoLanes(config);
const auto = { ep: "auto", showPool: false } as const;

/** Round and phase of a record, on one axis. */
function placeOf(record: LoopRecord): number | undefined {
  if (record.type === "phase") return record.round * PHASES.length + PHASES.indexOf(record.phase);
  return record.type === "step" ? record.round * PHASES.length + PHASES.indexOf("train") : undefined;
}

describe("a race", () => {
  it("gives each lane what it would have alone", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    const race = await service.createRace({ lanes, ...auto });
    expect(race.lanes.map(({ lane, resumedAtRound }) => [lane, resumedAtRound])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    await service.start();
    await untilState(heard, "done");
    for (const [i, lane] of lanes.entries()) {
      expect(comparable(heard.of(i))).toEqual(comparable(await collect(lane, await sumsDeps())));
    }
    expect(heard.states()).toEqual(["idle", "ready", "running", "done"]);
    await service.stop();
  });

  it("advances its lanes together though one has more to do", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    await service.start();
    await untilState(heard, "done");
    const first = PHASES.indexOf("evaluate");
    const places = [first, first];
    for (const event of heard.events) {
      const place = event.type === "record" ? placeOf(event.record) : undefined;
      if (event.type !== "record" || place === undefined) continue;
      places[event.lane] = place;
      expect(Math.abs((places[0] ?? 0) - (places[1] ?? 0))).toBeLessThanOrEqual(1);
    }
    await service.stop();
  });

  it("steps every lane by one phase, or one round", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    const ended = (lane: number): string[] =>
      ofType(heard.of(lane), "phase")
        .filter(({ state }) => state === "end")
        .map(({ round, phase }) => `${round} ${phase}`);
    for (const steps of [1, 2, 3]) {
      await service.step("phase");
      const expected = ["0 evaluate", "1 score", "1 select"].slice(0, steps);
      expect([ended(0), ended(1)]).toEqual([expected, expected]);
    }
    await service.step("round");
    expect([0, 1].map((lane) => ofType(heard.of(lane), "round").at(-1)?.summary.round)).toEqual([1, 1]);
    expect(heard.states().at(-1)).toBe("paused");
    // The last round's end is the end of the run: no step more is needed to see it.
    for (let round = 2; round <= config.rounds; round++) await service.step("round");
    expect([0, 1].map((lane) => ofType(heard.of(lane), "done").length)).toEqual([1, 1]);
    expect(heard.states().at(-1)).toBe("done");
    await service.stop();
  });

  it("a step through round 0 ends with its summary", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    await service.step("phase");
    expect([0, 1].map((lane) => heard.of(lane).at(-1)?.type)).toEqual(["round", "round"]);
    await service.stop();
  });

  it("packs a lane's student as it is, and says why where it cannot", async () => {
    const { service } = sumsService({
      openStudent: async (_engine, { seed }) => ({
        student: new LinearStudent(),
        name: "linear",
        ...(seed === lanes[0]!.seed ? { pack: async (format: string) => new TextEncoder().encode(format) } : {}),
      }),
    });
    await service.createRace({ lanes: [lanes[0]!, { ...lanes[1]!, seed: lanes[0]!.seed + 1 }], ...auto });
    expect(new TextDecoder().decode(await service.packStudent(0, "onnx"))).toBe("onnx");
    await expect(service.packStudent(1, "onnx")).rejects.toThrow(/expected a student made of files/);
    await expect(service.packStudent(2, "onnx")).rejects.toThrow(
      /packStudent\.lane: expected a lane from 0 to 1, got 2/,
    );
    await service.stop();
    await expect(service.packStudent(0, "onnx")).rejects.toThrow(/expected a race/);
  });

  it("pauses: nothing is computed until it goes on", async () => {
    let work = 0;
    // Asked for from inside the work: a race this small may end before a timer fires.
    let pausing: Promise<void> | undefined;
    const onWork = (): void => {
      if (++work === 5) pausing = service.pause();
    };
    const { service } = sumsService({
      openStudent: async () => ({ student: new LinearStudent({ onWork }), name: "linear" }),
    });
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    await service.start();
    await until(() => pausing !== undefined);
    await pausing;
    const atPause = work;
    const told = heard.events.length;
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(work).toBe(atPause);
    expect(heard.events.length).toBe(told);
    expect(heard.states().at(-1)).toBe("paused");
    await service.start();
    await untilState(heard, "done");
    expect(comparable(heard.of(0))).toEqual(comparable(await collect(lanes[0]!, await sumsDeps())));
    await service.stop();
  });

  it("goes on with the other lanes when one fails", async () => {
    let opened = 0;
    const { service } = sumsService({
      openStudent: async () => {
        const broken = opened++ === 0;
        const onWork = (what: string): void => {
          if (broken && what === "train")
            throw new TutelageError("non-finite", "the loss is NaN", { details: { step: 3 } });
        };
        return { student: new LinearStudent({ onWork }), name: "linear" };
      },
    });
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    await service.start();
    await untilState(heard, "done");
    expect(heard.events.filter(({ type }) => type === "lane-failed")).toEqual([
      {
        type: "lane-failed",
        lane: 0,
        error: expect.objectContaining({ code: "non-finite", message: "the loss is NaN", details: { step: 3 } }),
      },
    ]);
    expect(heard.of(1).at(-1)).toEqual({ type: "done", rounds: 2, reason: "rounds" });
    await service.stop();
  });

  it("is stopped in the middle of work, lets go of everything, and is no failure", async () => {
    const { service, open, library } = sumsService({
      createTeacher: () => sumsTeacher({ before: () => new Promise((resolve) => setTimeout(resolve, 5)) }),
    });
    const heard = listenTo(service);
    const { lanes: infos } = await service.createRace({ lanes, ...auto });
    expect(open).toEqual({ students: 2, engines: 1 });
    await service.start();
    await until(() => ofType(heard.of(1), "picks").length > 0);
    await service.stop();
    expect(open).toEqual({ students: 0, engines: 0 });
    expect(heard.events.filter(({ type }) => type === "lane-failed")).toEqual([]);
    expect(heard.states().at(-1)).toBe("idle");
    await expect(service.start()).rejects.toMatchObject({ code: "bad-input" });
    // The stores are free again.
    for (const { runId } of infos) await (await library.open(runId)).close();
  });

  it("is resumed by another service from where it was stored, telling its history first", async () => {
    const library = new MemoryLibrary();
    const first = sumsService({ library });
    const heardFirst = listenTo(first.service);
    const created = await first.service.createRace({ lanes, ...auto });
    await first.service.step("round");
    await first.service.step("round");
    await first.service.step("phase");
    await first.service.stop();
    expect(ofType(heardFirst.of(0), "round")).toHaveLength(2);

    const second = sumsService({ library });
    const heard = listenTo(second.service);
    const runIds = created.lanes.map(({ runId }) => runId);
    const resumed = await second.service.resumeRace(runIds, auto);
    expect(resumed.raceId).toBe(created.raceId);
    expect(resumed.lanes.map(({ resumedAtRound }) => resumedAtRound)).toEqual([2, 2]);
    expect(ofType(heard.of(0), "round").map(({ summary }) => summary.round)).toEqual([0, 1]);
    await second.service.start();
    await untilState(heard, "done");
    for (const [i, lane] of lanes.entries()) {
      const whole = await collect(lane, await sumsDeps());
      expect(ofType(heard.of(i), "round")).toEqual(ofType(whole, "round"));
      expect(ofType(heard.of(i), "example")).toEqual(ofType(whole, "example"));
    }
    expect((await second.service.runs()).map(({ finished }) => finished)).toEqual([true, true]);
    await second.service.stop();
    const told = await recordsOf(second.service, runIds[1] ?? "");
    expect(ofType(told, "round")).toEqual(ofType(heard.of(1), "round"));
    expect([told[0]?.type, told.at(-1)?.type]).toEqual(["run", "done"]);
  });

  it("keeps the race it has when a new one is refused", async () => {
    const { service, open } = sumsService();
    await service.createRace({ lanes, ...auto });
    await expect(service.createRace({ lanes: [{ rounds: -1 }, {}], ...auto })).rejects.toThrow(
      /^lane 1\.rounds: expected/,
    );
    await expect(service.createRace({ lanes: [], ...auto })).rejects.toMatchObject({ code: "bad-input" });
    await expect(service.resumeRace(["nowhere"], auto)).rejects.toThrow(/expected a stored run, got nowhere/);
    expect(open).toEqual({ students: 2, engines: 1 });
    await service.step("phase");
    await service.stop();
  });

  it("lets go of what it opened when the rest cannot be opened", async () => {
    let disposed = 0;
    let opened = 0;
    const { service, open } = sumsService({
      openStudent: async () => {
        if (opened++ === 1) throw new TutelageError("out-of-memory", "no room for a second student");
        const student = new LinearStudent();
        student.dispose = async () => void disposed++;
        return { student, name: "linear" };
      },
    });
    await expect(service.createRace({ lanes, ...auto })).rejects.toMatchObject({ code: "out-of-memory" });
    expect([disposed, open.engines]).toEqual([1, 0]);
    // Nor is the first lane's run left to be resumed without the other.
    expect(await service.runs()).toEqual([]);
    await expect(service.start()).rejects.toThrow(/expected a race that was created or resumed/);
  });

  it("shows the pool of a strategy that needs none, when asked", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ep: "auto", showPool: true });
    await service.step("round");
    await service.step("round");
    expect(ofType(heard.of(0), "pool")[0]?.items[0]).toMatchObject({
      ownAnswer: expect.any(String),
      ownLoss: expect.any(Number),
      trueLoss: expect.any(Number),
    });
    await service.stop();
  });

  it("names the engine's reason for falling back", async () => {
    const { service } = sumsService();
    expect((await service.createRace({ lanes, ep: "webgpu", showPool: false })).engine.fallbackReason).toBe(
      "sums need no GPU",
    );
    expect(await service.providers()).toHaveLength(2);
    await service.stop();
  });
});

describe("asking a lane's student", () => {
  it("answers as the student is now, also while the race runs, and changes nothing", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    const before = await service.ask({ lane: 1, question: "What is 3 + 4?" });
    expect(before).toEqual({
      prompt: "Q: What is 3 + 4?\nA: ",
      completion: "3 + -3 = 0\n#### 0",
      tokens: 18,
      finishReason: "stop",
    });
    await service.start();
    const during = await Promise.all(
      Array.from({ length: 5 }, () => service.ask({ lane: 0, question: "What is 1 + 1?" })),
    );
    expect(during).toHaveLength(5);
    await untilState(heard, "done");
    const after = await service.ask({ lane: 1, question: "What is 3 + 4?" });
    expect(after.completion).not.toBe(before.completion);
    expect(comparable(heard.of(1))).toEqual(comparable(await collect(lanes[1]!, await sumsDeps({ task: sumsTask() }))));
    await expect(service.ask({ lane: 2, question: "?" })).rejects.toThrow(
      /ask\.lane: expected a lane from 0 to 1, got 2/,
    );
    await service.stop();
    await expect(service.ask({ lane: 0, question: "?" })).rejects.toMatchObject({ code: "bad-input" });
  });
});

describe("stored runs", () => {
  it("are told in parts, the next when one was taken", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    const { lanes: infos } = await service.createRace({ lanes: [{ ...lanes[0], rounds: 60 }], ...auto });
    await service.start();
    await untilState(heard, "done");
    await service.stop();
    const sizes: number[] = [];
    const records: LoopRecord[] = [];
    let taking = false;
    await service.tellRecords(infos[0]?.runId ?? "", async (some) => {
      expect(taking).toBe(false);
      taking = true;
      await new Promise((resolve) => setTimeout(resolve, 2));
      taking = false;
      sizes.push(some.length);
      records.push(...some);
    });
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    expect(ofType(records, "round").map(({ summary }) => summary.round)).toEqual([...Array(61).keys()]);
    expect([records[0]?.type, records.at(-1)?.type]).toEqual(["run", "done"]);
  });

  it("are listed, told and deleted without an engine; a running one is not deleted", async () => {
    const { service, open } = sumsService();
    const { lanes: infos } = await service.createRace({ lanes: [lanes[0]], ...auto });
    const runId = infos[0]?.runId ?? "";
    await service.step("round");
    await expect(service.deleteRun(runId)).rejects.toMatchObject({ code: "bad-input" });
    expect(ofType(await recordsOf(service, runId), "round")).toHaveLength(1);
    await service.stop();
    expect(open.engines).toBe(0);
    expect((await service.runs()).map(({ manifest, lastRound }) => [manifest.runId, lastRound])).toEqual([[runId, 0]]);
    await service.deleteRun(runId);
    expect(await service.runs()).toEqual([]);
    await expect(recordsOf(service, runId)).rejects.toMatchObject({ code: "bad-input" });
  });
});

describe("a student's warnings", () => {
  it("are told as records of its lane, those of opening after the run line", async () => {
    let warnLater: (message: string) => void = () => undefined;
    const { service } = sumsService({
      openStudent: async (_engine, _config, warn) => {
        warn("an odd tokenizer");
        warnLater = warn;
        return { student: new LinearStudent(), name: "linear" };
      },
    });
    const heard = listenTo(service);
    await service.createRace({ lanes: [lanes[0]], ...auto });
    expect(heard.of(0).map(({ type }) => type)).toEqual(["run", "warning"]);
    warnLater("a long row");
    await service.step("phase");
    expect(ofType(heard.of(0), "warning")).toEqual([
      { type: "warning", code: "student", message: "an odd tokenizer" },
      { type: "warning", code: "student", message: "a long row" },
    ]);
    await service.stop();
  });
});

describe("students that have to be fetched", () => {
  const fetched = lanes.map((lane) => ({ ...lane, student: "hub:org/name" }));

  it("are prepared once for all lanes, told, and named for ever; the token is not kept", async () => {
    const prepared: (string | undefined)[] = [];
    const { service, library } = sumsService({
      students: {
        prepare: async (name, { hubToken, onProgress }) => {
          prepared.push(name, hubToken);
          onProgress({ id: "org/name", path: "config.json", loadedBytes: 1, totalBytes: 2, bytesPerSecond: 3 });
          return "hub:org/name@abc";
        },
        list: async () => [
          { id: "org/name", commit: "abc", revisions: [], bytes: 2, complete: true, kinds: ["student"] },
        ],
        delete: async () => undefined,
      },
    });
    const heard = listenTo(service);
    const race = await service.createRace({ lanes: fetched, ...auto, hubToken: "hf_secret" });
    expect(prepared).toEqual(["hub:org/name", "hf_secret"]);
    expect(race.lanes.map((lane) => lane.config.student)).toEqual(["hub:org/name@abc", "hub:org/name@abc"]);
    expect(heard.events).toContainEqual({
      type: "download",
      progress: { id: "org/name", path: "config.json", loadedBytes: 1, totalBytes: 2, bytesPerSecond: 3 },
    });
    expect(await service.models()).toMatchObject([{ id: "org/name", bytes: 2 }]);
    await service.step("round");
    await service.stop();
    const runs = await library.list();
    expect(runs.map(({ manifest }) => manifest.config.student)).toEqual(["hub:org/name@abc", "hub:org/name@abc"]);
    expect(JSON.stringify(runs)).not.toContain("hf_secret");
  });

  it("are not waited for when the race is stopped", async () => {
    const { service, open } = sumsService({
      students: {
        prepare: (_name, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new TutelageError("aborted", "download: stopped")));
          }),
        list: async () => [],
        delete: async () => undefined,
      },
    });
    const refused = service.createRace({ lanes: fetched, ...auto }).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await service.stop();
    expect(await refused).toMatchObject({ code: "aborted" });
    expect(open).toEqual({ students: 0, engines: 0 });
  });
});

describe("what people look at", () => {
  it("waits between phases at a slow pace, goes on at once when told to hurry, and computes the same", async () => {
    const fast = sumsService();
    const expected = listenTo(fast.service);
    await fast.service.createRace({ lanes, ...auto });
    await fast.service.start();
    await untilState(expected, "done");
    await fast.service.stop();

    const { service } = sumsService();
    const heard = listenTo(service);
    await expect(service.setPace(-1)).rejects.toMatchObject({ code: "bad-input" });
    await service.setPace(60_000);
    await service.createRace({ lanes, ...auto });
    await service.start();
    // Round 0 is one phase: both lanes end it, and then nothing comes for a minute.
    await until(
      () => heard.events.filter((event) => event.type === "record" && event.record.type === "round").length === 2,
    );
    expect(heard.states().at(-1)).toBe("running");
    await service.pause();
    expect(heard.states().at(-1)).toBe("paused");
    await service.start();
    await service.setPace(0);
    await untilState(heard, "done");
    for (const lane of [0, 1]) expect(comparable(heard.of(lane))).toEqual(comparable(expected.of(lane)));
    await service.stop();
  });

  it("tells losses of tokens whose mean is the row's loss, and places of seeds on axes that stay", async () => {
    const { service } = sumsService();
    await expect(service.tokenLosses({ lane: 0, question: "1 + 2 = ?", answer: "3" })).rejects.toMatchObject({
      code: "bad-input",
    });
    await service.createRace({ lanes, ...auto });
    const student = new LinearStudent({});
    const task = sumsTask();
    const [question, answer] = ["3 + 4", "#### 7"];
    const tokens = await service.tokenLosses({ lane: 0, question, answer });
    const [row] = await student.score([{ prompt: task.prompt(question), completion: answer }], ["loss"]);
    expect(tokens.reduce((sum, { lossNats }) => sum + lossNats, 0) / tokens.length).toBeCloseTo(row?.loss ?? NaN, 6);

    const rows = [1, 2, 3, 4].map((n) => ({ id: `${n}`, question: `${n} + ${2 * n * n}`, answer: "#### 1" }));
    await expect(service.mapPool({ lane: 0, rows: rows.slice(1, 3) })).rejects.toMatchObject({ code: "bad-input" });
    const first = await service.mapPool({ lane: 0, rows });
    expect(first.places.map(({ id }) => id)).toEqual(["1", "2", "3", "4"]);
    // The same students and axes: the same places, in the other lane and for fewer rows.
    const fewer = await service.mapPool({ lane: 1, rows: rows.slice(1) });
    expect(fewer.places).toEqual(first.places.slice(1));
    await service.stop();
  });
});

describe("the engine's status", () => {
  it("names the providers without a race, and the engine, what it holds and a training's needs with one", async () => {
    const needs = {
      ep: "cpu",
      batch: 4,
      length: 16,
      gradientCheckpointing: false,
      nodesPerStep: 10,
      bytes: { total: 1 },
    } as const;
    let asked = 0;
    const { service } = sumsService({
      openStudent: async () => ({
        student: new LinearStudent({}),
        name: "linear",
        needs: (rows, options) => {
          asked++;
          expect(rows).toHaveLength(config.task.pool);
          expect(options.batchSize).toBe(config.training.batchSize);
          return needs;
        },
      }),
    });
    expect(await service.engineStatus()).toEqual({ providers: await service.providers(), queue: 0 });
    await service.createRace({ lanes, ...auto });
    expect(await service.engineStatus()).toMatchObject({ engine: { version: "linear 1" }, queue: 0, needs });
    await service.engineStatus();
    expect(asked).toBe(1);
    await service.stop();
  });
});
