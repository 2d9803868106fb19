/** @file The time left follows from the work done, not from the number of jobs. */
import { expect, test } from "vitest";
import { WorkClock } from "../../src/cli/study/workClock.ts";

test("a quarter of the work in a minute leaves three", () => {
  let nowMs = 0;
  const clock = new WorkClock([10, 20, 10], () => nowMs);
  expect(clock.timeLeft()).toBe("");
  nowMs = 60_000;
  clock.finishCell();
  expect(clock.timeLeft()).toBe("; about 3 min left");
  clock.advance(0.5);
  expect(clock.timeLeft()).toBe("; about 60 s left");
  // A job's progress never goes back.
  clock.advance(0.1);
  expect(clock.timeLeft()).toBe("; about 60 s left");
  nowMs = 62_340;
  expect(clock.cellSeconds()).toBe(2.3);
  clock.finishCell();
  clock.finishCell();
  expect(clock.timeLeft()).toBe("");
});

test("hours are told as such", () => {
  let nowMs = 0;
  const clock = new WorkClock([1, 99], () => nowMs);
  nowMs = 120_000;
  clock.finishCell();
  expect(clock.timeLeft()).toBe("; about 3 h 18 min left");
});
