/** @file The lessons on real runs: steps follow what the run does, every sentence has its numbers, answers are judged by the records. */
import { expect, test } from "vitest";
import { EMPTY_LANE, reduceRecords } from "../../src/app/laneState.ts";
import type { LaneState } from "../../src/app/laneState.ts";
import { applyPreset } from "../../src/app/presets.ts";
import { checkSettings, DEFAULT_DRAFT, experimentsOf } from "../../src/app/settings.ts";
import type { SettingsDraft } from "../../src/app/settings.ts";
import { rejections } from "../../src/app/views/lessons/facts.ts";
import { isAnswerable, judgeAnswer, passedSteps, runsWith } from "../../src/app/views/lessons/lesson.ts";
import { LESSONS } from "../../src/app/views/lessons/lessons.ts";
import { advance, mayAnswer } from "../../src/app/views/lessons/progress.ts";
import { readProse } from "../../src/app/views/lessons/prose.tsx";
import type { LoopService } from "../../src/protocol/loopService.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { linearRace } from "../support/linearRace.ts";

type Lanes = readonly LaneState[];

/** Every state of the lanes of a run with these settings, phase by phase. */
async function statesOf(change: Partial<SettingsDraft>): Promise<Lanes[]> {
  const checked = checkSettings(applyPreset(change, DEFAULT_DRAFT));
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  const service: LoopService = linearRace(new MemoryLibrary(), { errorRate: Number(change.errorRate ?? 0.1) });
  let lanes: Lanes = [EMPTY_LANE, EMPTY_LANE];
  await service.subscribe((batch) => {
    for (const event of batch)
      if (event.type === "record")
        lanes = lanes.map((lane, index) => (index === event.lane ? reduceRecords(lane, [event.record]) : lane));
  });
  const states = [lanes];
  await service.createRace({ lanes: experimentsOf(checked.settings), ep: "cpu", showPool: true });
  while (!lanes.every(({ done }) => done)) {
    await service.step("phase");
    states.push(lanes);
  }
  await service.stop();
  return states;
}

test.each(LESSONS.map((lesson) => [lesson.id, lesson] as const))(
  "lesson %s: its steps are passed one after another by its run",
  async (_id, lesson) => {
    const states = await statesOf(lesson.settings);
    const passed = states.map((lanes) => passedSteps(lesson, lanes));
    expect(passed[0]).toBe(0);
    expect(passed.at(-1)).toBe(lesson.steps.length);
    expect([...passed].sort((a, b) => a - b)).toEqual(passed);
    // Pressing on without a look passes no step that the run has not reached.
    expect(new Set(passed).size).toBeGreaterThan(2);

    const progress = states.reduce((now, lanes) => advance(now, lesson, lanes), {});
    const { shown } = (progress as Readonly<Record<string, { readonly shown: readonly string[] }>>)[lesson.id]!;
    for (const [index, text] of shown.entries()) {
      expect(text).not.toMatch(/NaN|undefined|null|\?|not tested/);
      if (index === 0) expect(text).toMatch(/\d+ of \d+ right \(\d+\.\d\s%\)/);
    }
    const end = states.at(-1)!;
    // What was shown stays when the next run begins.
    expect(advance(progress, lesson, [EMPTY_LANE, EMPTY_LANE])).toBe(progress);
    expect(mayAnswer(progress, lesson, end)).toBe(false);

    const asked = await statesOf({ ...lesson.settings, ...lesson.question.change });
    expect(passedSteps(lesson, asked.at(-1)!) > 0).toBe(lesson.slider !== undefined);
    expect(isAnswerable(lesson, asked[0]!)).toBe(false);
    const last = asked.at(-1)!;
    expect(mayAnswer(progress, lesson, last)).toBe(true);
    expect(lesson.question.explained(last)).not.toMatch(/NaN|undefined|null|\?/);
    const { answer } = lesson.question;
    if (answer.kind === "choice") {
      const right = Object.keys(answer.options).filter((option) => judgeAnswer(answer, option, last));
      expect(right).toEqual([answer.of(last)]);
      expect(judgeAnswer(answer, "", last)).toBeUndefined();
    } else {
      const value = answer.of(last);
      expect(judgeAnswer(answer, `${value.toFixed(1).replace(".", ",")} %`, last)).toBe(true);
      expect(judgeAnswer(answer, String(value + 5), last)).toBe(false);
      expect(judgeAnswer(answer, "many", last)).toBeUndefined();
    }
  },
);

test("another run does not pass for the lesson's", async () => {
  const [lesson] = LESSONS;
  const other = (await statesOf({ ...lesson!.settings, querySize: "14" })).at(-1)!;
  expect(runsWith(other, lesson!.settings)).toBe(false);
  expect(passedSteps(lesson!, other)).toBe(0);
});

test("the noisy lesson's checked lane turns away about as much as the teacher errs", async () => {
  const lesson = LESSONS.find(({ id }) => id === "noise")!;
  const lanes = (await statesOf(lesson.settings)).at(-1)!;
  const { percent, written } = rejections(lanes[1]!);
  expect(written).toBe(200);
  expect(Math.abs(percent - 40)).toBeLessThan(15);
  expect(rejections(lanes[0]!).percent).toBeLessThan(percent);
});

test("every sentence reads, and names terms that exist", () => {
  for (const { steps, question } of LESSONS)
    for (const prose of [...steps.flatMap(({ text, todo }) => [text, todo]), question.text, question.todo])
      expect(
        readProse(prose)
          .map(({ text }) => text)
          .join(""),
      ).not.toMatch(/\[\[|\]\]/);
  expect(readProse("A [[loss|loss]] of 0.")).toEqual([
    { text: "A " },
    { text: "loss", term: "loss" },
    { text: " of 0." },
  ]);
  expect(() => readProse("[[nothing|x]]")).toThrow(/got nothing/);
});
