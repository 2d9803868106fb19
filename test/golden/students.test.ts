/** @file Students of every family against the float64 PyTorch reference, on ONNX Runtime's CPU and WASM providers. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { hostTrajectories } from "../support/familyCases.ts";
import { checkGreedy, checkScores, checkTrajectory } from "../support/goldenChecks.ts";
import { fixtureNames, SHARED_STUDENTS } from "../support/goldens.ts";
import { describeWithShared } from "../support/shared.ts";

describe.each(["cpu", "wasm"] as const)("on %s", (ep) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(ep);
  });
  afterAll(async () => engine.dispose());

  function suite(name: string): void {
    test("scores match PyTorch", () => checkScores(engine, name));
    test("greedy continuations match PyTorch", () => checkGreedy(engine, name));
    for (const trajectory of hostTrajectories(name)) {
      test(`training matches PyTorch: ${trajectory.name}`, () => checkTrajectory(engine, name, trajectory));
    }
  }

  for (const name of fixtureNames()) describe(name, () => suite(name));
  for (const name of SHARED_STUDENTS) describeWithShared(name, ["students", name], () => suite(name));
});
