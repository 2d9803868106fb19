/** @file Decisions of people about pairs: what is allowed, that training honours them, and that a resumed run does too. */
import { describe, expect, it } from "vitest";
import { applyInterventions, Interventions } from "../../src/loop/interventions.ts";
import type { SyntheticExample } from "../../src/loop/records.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { comparable, ofType, sumsConfig } from "../support/loopRuns.ts";
import { exampleEntry } from "../support/runLibrarySuite.ts";
import { listenTo, sumsService, untilState } from "../support/sumsService.ts";

const config = sumsConfig({ task: { pool: 20, validation: 5, test: 20 }, rounds: 3, querySize: 4, perSeed: 2 });
const auto = { ep: "auto", showPool: true } as const;

/** A run stepped to the end of its first round, and its accepted pairs. */
async function afterOneRound(library = new MemoryLibrary()) {
  const trained: string[][] = [];
  const made = sumsService({
    library,
    openStudent: async () => {
      const student = new LinearStudent();
      const train = student.train.bind(student);
      student.train = (rows, options) => {
        trained.push(rows.map(({ completion }) => completion));
        return train(rows, options);
      };
      return { student, name: "linear" };
    },
  });
  const heard = listenTo(made.service);
  const race = await made.service.createRace({ lanes: [config], ...auto });
  await made.service.step("round");
  await made.service.step("round");
  const runId = race.lanes[0]!.runId;
  const pairs = (await made.service.runPairs(runId)).filter(({ now }) => now.accepted);
  expect(pairs.length).toBeGreaterThan(2);
  return { ...made, heard, runId, pairs, trained };
}

describe("a decision about a pair", () => {
  it("keeps a rejected pair out of every later training, and says so in rows, records and summary", async () => {
    const { service, heard, runId, pairs, trained } = await afterOneRound();
    const [pair] = pairs;
    const decision = await service.changePair(runId, pair!.made.id, { action: "reject", reason: "too easy" });
    expect(decision).toMatchObject({ round: 2, action: "reject", reason: "rejected by hand: too easy" });
    expect(ofType(heard.of(0), "intervention")).toEqual([{ type: "intervention", intervention: decision }]);
    const [row] = (await service.runPairs(runId)).filter(({ made }) => made.id === pair!.made.id);
    expect(row).toMatchObject({ made: { accepted: true }, now: { accepted: false }, intervention: decision });
    expect(trained[0]).toContain(pair!.made.answer);
    await service.start();
    await untilState(heard, "done");
    const summaries = ofType(heard.of(0), "round").map(({ summary }) => summary);
    expect(trained[1]).not.toContain(pair!.made.answer);
    expect(trained[1]).toHaveLength(trained[0]!.length + summaries[2]!.accepted - 1);
    expect(summaries[2]!.examples).toBe(summaries[1]!.examples + summaries[2]!.accepted - 1);
    expect(JSON.parse(await service.runManifest(runId))).toMatchObject({ runId, interventions: [decision] });
    await service.stop();
  });

  it("trains on an edited pair as edited, until it is restored", async () => {
    const { service, heard, runId, pairs, trained } = await afterOneRound();
    const { id, question } = pairs[0]!.made;
    const answer = `${pairs[0]!.made.answer.split("\n")[0]}, as everyone knows\n${pairs[0]!.made.answer.split("\n")[1]}`;
    await service.changePair(runId, id, { action: "edit", question, answer });
    await service.step("round");
    expect(trained[1]).toContain(answer);
    expect(trained[1]).not.toContain(pairs[0]!.made.answer);
    await service.changePair(runId, id, { action: "restore" });
    await service.start();
    await untilState(heard, "done");
    expect(trained[2]).toContain(pairs[0]!.made.answer);
    expect(trained[2]).not.toContain(answer);
    await service.stop();
  });

  it("holds in a run that is resumed elsewhere, with the very same training", async () => {
    const library = new MemoryLibrary();
    const { service, heard, runId, pairs } = await afterOneRound(library);
    const loopOnly = (records: readonly unknown[]) =>
      records.filter((record) => (record as { readonly type: string }).type !== "intervention");
    await service.changePair(runId, pairs[1]!.made.id, { action: "reject" });
    // A copy as it is now goes on in another place.
    const copy = new MemoryLibrary();
    await copy.add({ run: (await library.read(runId))! });
    await service.start();
    await untilState(heard, "done");
    const second = sumsService({ library: copy });
    const again = listenTo(second.service);
    await second.service.resumeRace([runId], auto);
    await second.service.start();
    await untilState(again, "done");
    expect(loopOnly(comparable(again.of(0), 2))).toEqual(loopOnly(comparable(heard.of(0), 2)));
    expect(ofType(again.of(0), "intervention")).toHaveLength(1);
    await service.stop();
    await second.service.stop();
  });

  it("made while a training is under way holds from the next one on", async () => {
    const { service, runId, pairs } = await afterOneRound();
    for (let phase = 0; phase < 4; phase++) await service.step("phase");
    const before = await service.changePair(runId, pairs[0]!.made.id, { action: "reject" });
    await service.step("phase");
    const after = await service.changePair(runId, pairs[1]!.made.id, { action: "reject" });
    expect([before.round, after.round]).toEqual([2, 3]);
    await service.stop();
    // Also of a run that is not open.
    const closed = await service.changePair(runId, pairs[2]!.made.id, { action: "reject" });
    expect(closed.round).toBe(3);
  });

  it("is refused where it would let a wrong, reserved, repeated or endless pair in, or changes nothing", async () => {
    const { service, runId, pairs } = await afterOneRound();
    const { id, question, answer } = pairs[0]!.made;
    const edit = (change: { question?: string; answer?: string }) =>
      service.changePair(runId, id, { action: "edit", question, answer, ...change });
    await expect(edit({})).rejects.toThrow(/another question or answer/);
    await expect(edit({ answer: "#### -1" })).rejects.toThrow(/passes the task's own check/);
    const [held] = await service.sampleQuestions(config, 1);
    await expect(edit(held!)).rejects.toThrow(/one of the validation questions/);
    await expect(edit(pairs[1]!.made)).rejects.toThrow(/accepted pair/);
    await expect(edit({ answer: "x".repeat(20_001) })).rejects.toThrow(/20000 characters/);
    await expect(edit({ answer: `${" . ".repeat(100)}${answer}` })).rejects.toThrow(/context/);
    await expect(service.changePair(runId, "none", { action: "reject" })).rejects.toThrow(/synthetic pairs/);
    await expect(service.changePair(runId, id, { action: "restore" })).rejects.toThrow(/changed by hand/);
    expect((await service.runPairs(runId)).some(({ intervention }) => intervention !== undefined)).toBe(false);
    await service.stop();
  });
});

describe("pairs after decisions", () => {
  const examples: readonly SyntheticExample[] = ["a", "b"].map((id) => exampleEntry(id).example);
  const decided = (exampleId: string, round: number, action: "reject" | "restore") =>
    ({ id: `${exampleId}${round}`, exampleId, round, at: "", action, reason: action }) as const;

  it("obey the last decision about each, and those of their round alone", () => {
    const inbox = new Interventions();
    inbox.load({
      interventions: [decided("a", 1, "reject"), decided("b", 2, "reject"), decided("a", 3, "restore")],
      checkpoint: undefined,
    });
    const accepted = (round: number) => inbox.applyTo(examples, round).map((pair) => pair.accepted);
    expect([0, 1, 2, 3].map(accepted)).toEqual([
      [true, true],
      [false, true],
      [false, false],
      [true, false],
    ]);
    expect(applyInterventions(examples, [])).toBe(examples);
  });

  it("see a new round only when its training has begun", () => {
    const inbox = new Interventions();
    expect(inbox.nextRound).toBe(1);
    inbox.begin(2);
    inbox.begin(1);
    expect(inbox.nextRound).toBe(3);
  });
});
