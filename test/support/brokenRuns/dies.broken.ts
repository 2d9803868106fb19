/** @file Its process dies in the second of its tests. */
import { setTimeout } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";

// As in endless.broken.ts.
beforeEach(() => setTimeout(300));

test("passes", () => expect(1 + 1).toBe(2));

test("dies", async () => {
  // The worker says which test it is in before it is gone.
  await setTimeout(1000);
  process.abort();
});

test("is never reached", () => {});

test.skip("is skipped", () => {});
