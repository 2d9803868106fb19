/** @file Never ends: its thread is stuck, so no time limit of the test can end it. */
import { setTimeout } from "node:timers/promises";
import { beforeEach, test } from "vitest";

// Vitest collects what it tells for 100 ms and may then forget to send it; what ends later than that is told at once, with all before it.
beforeEach(() => setTimeout(300));

test("counts for ever", async () => {
  // The worker says which test it is in before it is stuck.
  await setTimeout(1000);
  for (let count = 0; ; count += 1) if (count < 0) throw new Error("a count below zero");
});
