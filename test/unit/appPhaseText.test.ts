/** @file The phase strip and its sentence, along a real closed loop. */
import { expect, test } from "vitest";
import { EMPTY_LANE, reduceRecords } from "../../src/app/laneState.ts";
import type { LaneState } from "../../src/app/laneState.ts";
import { nextPhase, PHASES, phaseFraction, phaseMarks, phaseSentence, roundLabel } from "../../src/app/phaseText.ts";
import type { LoopRecord, Phase } from "../../src/loop/records.ts";
import { PHASES as LOOP_PHASES } from "../../src/loop/records.ts";
import { collect, sumsConfig, sumsDeps } from "../support/loopRuns.ts";

const records = await collect(
  sumsConfig({ rounds: 1, strategy: { name: "own-loss" } }),
  await sumsDeps({ showPool: true }),
);

/** The lane when `record` of this phase and state has just come in. */
function laneAt(phase: Phase, state: "start" | "progress" | "end", round = 1): LaneState {
  const index = records.findLastIndex(
    (record: LoopRecord) =>
      record.type === "phase" && record.phase === phase && record.state === state && record.round === round,
  );
  if (index < 0) throw new Error(`no ${state} of ${phase}`);
  return reduceRecords(EMPTY_LANE, records.slice(0, index + 1));
}

test("the phases are the loop's, in its order", () => {
  expect(PHASES).toEqual(LOOP_PHASES);
});

test.each([
  ["score", "progress", /^The student answers the 30 seed questions and its loss on each is measured: \d+ %\.$/],
  [
    "score",
    "end",
    /^The student answered \d+ of 30 seed questions right; mean loss of its answers [\d.]+ nats per token\.$/,
  ],
  ["select", "start", /^own-loss picks 6 of 30 seeds\.$/],
  ["select", "end", /^own-loss picked 6 of 30 seeds\.$/],
  ["teach", "progress", /^The teacher writes a new question like each picked seed and answers it: \d+ of 12\.$/],
  ["teach", "end", /^The teacher wrote and answered 12 new questions like the picked seeds\.$/],
  ["verify", "end", /^Each new pair is solved independently: 12 of 12; \d+ accepted, \d+ rejected\.$/],
  ["train", "start", /^The student trains on \d+ accepted pairs: 0 of \d+\.$/],
  ["train", "end", /^The student trained on \d+ accepted pairs: \d+ steps, last loss [\d.]+ nats per token\.$/],
  ["evaluate", "progress", /^The student answers the held-out questions: \d+ of 40\.$/],
] as const)("%s, %s", (phase, state, sentence) => {
  expect(phaseSentence(laneAt(phase, state))).toMatch(sentence);
});

test("before, at round 0 and after the end", () => {
  expect(phaseSentence(EMPTY_LANE)).toBe("Waiting for Start: the student is untouched.");
  const zero = laneAt("evaluate", "start", 0);
  expect(phaseSentence(zero)).toBe("The untouched student answers the held-out questions: 0 of 40.");
  expect(phaseMarks(zero)).toEqual(["waiting", "waiting", "waiting", "waiting", "waiting", "active"]);
  expect(roundLabel(zero)).toBe("Round 0 of 1: before training");
  expect(phaseSentence(reduceRecords(EMPTY_LANE, records))).toMatch(/^Finished: 1 round, \d+ accepted pairs?\.$/);
});

test("marks light up one after another and none goes out within a round", () => {
  const marks = PHASES.map((phase) => phaseMarks(laneAt(phase, "end")));
  expect(marks.map((at) => at.filter((mark) => mark === "done").length)).toEqual([0, 1, 2, 3, 4, 5]);
  // Where a lane waits between two phases is seen, and what comes next is said.
  expect(marks.map((at) => at.indexOf("here"))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(PHASES.map((phase) => nextPhase(laneAt(phase, "end")))).toEqual([...PHASES.slice(1), undefined]);
  expect(nextPhase(laneAt("evaluate", "end", 0))).toBe("score");
  expect(nextPhase(laneAt("teach", "start"))).toBeUndefined();
  expect(phaseMarks(laneAt("teach", "start"))).toEqual(["done", "done", "active", "waiting", "waiting", "waiting"]);
});

test("the share done never leaves 0 to 1, and is unknown where the size is", () => {
  let lane = EMPTY_LANE;
  for (const record of records) {
    lane = reduceRecords(lane, [record]);
    const fraction = phaseFraction(lane);
    if (fraction !== undefined) expect(fraction >= 0 && fraction <= 1).toBe(true);
  }
  const odd = reduceRecords(EMPTY_LANE, [
    { type: "phase", round: 1, phase: "score", state: "progress", done: 7, total: 3 },
  ]);
  expect(phaseFraction(odd)).toBe(1);
  expect(
    phaseFraction(
      reduceRecords(EMPTY_LANE, [{ type: "phase", round: 1, phase: "score", state: "start", done: 0, total: 0 }]),
    ),
  ).toBeUndefined();
});

test("the bar of training grows with its steps", () => {
  const fractions: number[] = [];
  let lane = EMPTY_LANE;
  for (const record of records) {
    lane = reduceRecords(lane, [record]);
    if (record.type === "step") fractions.push(phaseFraction(lane) ?? Number.NaN);
  }
  expect(fractions.length).toBeGreaterThan(2);
  expect(fractions).toEqual(fractions.map((_, i) => (i + 1) / fractions.length));
});
