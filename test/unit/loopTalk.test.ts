/** @file Talking to students: who answers, that a race is none the wiser, stopping, and answers that are checked. */
import { describe, expect, it } from "vitest";
import type { TalkEvent, TalkRequest } from "../../src/protocol/loopService.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, comparable, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { listenTo, sumsService, twoLanes, untilState } from "../support/sumsService.ts";
import { sumsTask } from "../support/sums.ts";

const config = sumsConfig({ task: { pool: 20, validation: 5, test: 20 }, rounds: 2, querySize: 4, perSeed: 2 });
const lanes = twoLanes(config);
const auto = { ep: "auto", showPool: false } as const;
const [seed] = sumsTask().splits({ pool: 1, validation: 0, test: 0 }, { shuffle: (x: unknown[]) => x } as never).pool;

function ask(change: Partial<TalkRequest> = {}): TalkRequest {
  return { id: 1, ep: "auto", partners: { of: "race" }, question: "What is 3 + 4?", ...change };
}

/** Events of talk `id`. */
function heardOf(heard: ReturnType<typeof listenTo>, id = 1): TalkEvent[] {
  return heard.events.flatMap((event) => (event.type === "talk" && event.id === id ? [event.event] : []));
}

describe("a stored run's student", () => {
  it("is packed as the run left it, in a race and without one", async () => {
    const library = new MemoryLibrary();
    const withPack = () =>
      sumsService({
        library,
        openStudent: async () => {
          const student = new LinearStudent();
          const pack = async () => new Uint8Array((await student.snapshot()).get("u")!.slice().buffer);
          return { student, name: "linear", pack };
        },
      });
    const { service } = withPack();
    const heard = listenTo(service);
    const { lanes: infos } = await service.createRace({ lanes, ...auto });
    await service.start();
    await untilState(heard, "done");
    const packed = (of: typeof service) =>
      Promise.all(infos.map(({ runId }) => of.packRun({ runId, format: "onnx", ep: "auto" })));
    const inRace = await packed(service);
    expect(inRace[0]).not.toEqual(inRace[1]);
    await service.stop();
    const second = withPack();
    expect(await packed(second.service)).toEqual(inRace);
    await second.service.stop();
    expect(second.open.engines).toBe(0);
  });
});

describe("a talk", () => {
  it("hears the untouched student first, then every lane, token by token", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    await service.start();
    await untilState(heard, "done");
    const answers = await service.talk(ask());
    const events = heardOf(heard);
    expect(events[0]).toEqual({
      kind: "speakers",
      speakers: [
        { rounds: 0 },
        { lane: 0, runId: expect.any(String), strategy: "random", rounds: 2 },
        { lane: 1, runId: expect.any(String), strategy: "own-loss", rounds: 2 },
      ],
    });
    expect(events.some(({ kind }) => kind === "waiting")).toBe(false);
    expect(answers).toHaveLength(3);
    // Nobody taught the first: it predicts 0.
    expect(answers[0]?.completion).toContain("#### 0");
    // This lane's training touched both terms.
    expect(answers[2]?.completion).not.toBe(answers[0]?.completion);
    for (const [speaker, { completion }] of answers.entries()) {
      const told = events.flatMap((event) =>
        event.kind === "token" && event.speaker === speaker && !event.token.end ? [event.token.text] : [],
      );
      expect(told.join("")).toBe(completion);
    }
    await service.stop();
  });

  it("changes nothing of the race it interrupts, in whatever phase", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    let id = 0;
    for (let phase = 0; phase < 16; phase++) {
      await service.step("phase");
      await service.talk(ask({ id: ++id }));
    }
    await service.start();
    for (let i = 0; i < 5; i++) await service.talk(ask({ id: ++id }));
    await untilState(heard, "done");
    for (const [i, lane] of lanes.entries())
      expect(comparable(heard.of(i))).toEqual(comparable(await collect(lane, await sumsDeps())));
    await service.stop();
  });

  it("waits for its turn while a race runs, and says so", async () => {
    let talking: Promise<unknown> | undefined;
    const { service } = sumsService({
      openStudent: async () => {
        const onWork = (what: string): void => {
          if (what === "train") talking ??= service.talk(ask());
        };
        return { student: new LinearStudent({ onWork }), name: "linear" };
      },
    });
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    await service.start();
    await untilState(heard, "done");
    await talking;
    expect(
      heardOf(heard)
        .slice(0, 3)
        .map(({ kind }) => kind),
    ).toEqual(["speakers", "waiting", "begins"]);
    expect(heardOf(heard)[0]).toMatchObject({ speakers: [{ rounds: 0 }, { phase: "train" }, {}] });
    expect(heard.events.filter(({ type }) => type === "lane-failed")).toEqual([]);
    await service.stop();
  });

  it("is stopped between two tokens and keeps what was said", async () => {
    const { service } = sumsService();
    const heard = listenTo(service);
    await service.createRace({ lanes, ...auto });
    let stopping: Promise<void> | undefined;
    await service.subscribe((batch) => {
      heard.events.push(...batch);
      if (batch.some((event) => event.type === "talk" && event.event.kind === "begins"))
        stopping ??= service.stopTalk();
    });
    const student = service.talk(ask({ maxNewTokens: 1 }));
    await service.stopTalk();
    expect(await student.catch((error: unknown) => error)).toSatisfy(
      (said) => (Array.isArray(said) && said.length < 3) || (said as { code?: string }).code === "aborted",
    );
    await stopping;
    await service.stop();
  });

  it("needs no race: an experiment's untouched student, or those of stored runs", async () => {
    const library = new MemoryLibrary();
    const first = sumsService({ library });
    const heard = listenTo(first.service);
    const { lanes: infos } = await first.service.createRace({ lanes, ...auto });
    await first.service.start();
    await untilState(heard, "done");
    const inRace = await first.service.talk(ask());
    await first.service.stop();

    const { service, open } = sumsService({ library });
    const [untaught] = await service.talk(ask({ partners: { of: "experiment", experiment: config } }));
    expect(untaught).toEqual(inRace[0]);
    expect(open).toEqual({ students: 1, engines: 1 });
    const runIds = infos.map(({ runId }) => runId);
    expect(await service.talk(ask({ partners: { of: "runs", runIds } }))).toEqual(inRace);
    expect(open).toEqual({ students: 1, engines: 1 });
    await service.createRace({ lanes, ...auto });
    expect(open).toEqual({ students: 2, engines: 1 });
    await expect(service.talk(ask({ partners: { of: "runs", runIds } }))).rejects.toThrow(/End the race first/);
    await service.stop();
    expect(open).toEqual({ students: 0, engines: 0 });
    expect(await library.list()).toHaveLength(4);
  });

  it("is checked by the data where the task cannot solve, and not at all where nothing is known", async () => {
    const { service } = sumsService();
    await service.createRace({ lanes, ...auto });
    const question = (await service.sampleQuestions(config, 3))[0]!.question;
    const [known] = await service.talk(ask({ question }));
    expect(known?.verdict).toMatchObject({ source: "data", expected: expect.stringMatching(/^\d+$/), got: "0" });
    const [unknown] = await service.talk(ask({ question: "Who are you?" }));
    expect(unknown?.verdict).toBeNull();
    await service.stop();
  });

  it("is checked by the task's own solution of a question of the user's", async () => {
    const task = sumsTask();
    const solve = (question: string): string | undefined => (question === seed?.question ? seed.answer : undefined);
    const { service } = sumsService({ createTask: () => ({ ...task, author: { solve } as never }) });
    await service.createRace({ lanes, ...auto });
    const [answer] = await service.talk(ask({ question: `  ${seed?.question ?? ""}\n` }));
    // 0 + 0: the untouched student is right.
    expect(answer?.verdict).toMatchObject({ source: "solver", correct: true, expected: "0", got: "0" });
    await service.stop();
  });

  it.each([
    [{ question: "  " }, /question: expected a text/],
    [{ question: "x".repeat(8_001) }, /at most 8000 characters/],
    [{ temperature: -1 }, /temperature/],
    [{ maxNewTokens: 0 }, /maxNewTokens/],
  ] as const)("refuses %o", async (change, message) => {
    const { service } = sumsService();
    await service.createRace({ lanes, ...auto });
    await expect(service.talk(ask(change as Partial<TalkRequest>))).rejects.toThrow(message);
    await service.stop();
  });
});
