/**
 * @file Students against the float64 PyTorch reference on the WebGPU provider, in Node
 * over Dawn. Software WebGPU compiles for half a minute a graph: of most families little
 * is compared unless TUTELAGE_FAMILIES=all (`test/support/familyCases.ts`).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { ALL_FAMILIES, OPERATIONS, WEBGPU_STUDENTS, webgpuTrajectory, type Operation } from "../support/familyCases.ts";
import { checkGreedy, checkScores, checkTrajectory } from "../support/goldenChecks.ts";
import { withFixture } from "../support/studentFiles.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("webgpu");
});
afterAll(async () => engine.dispose());

async function checkOperation(name: string, operation: Operation): Promise<void> {
  if (operation === "score") await checkScores(engine, name);
  else if (operation === "generate") await checkGreedy(engine, name);
  else await checkTrajectory(engine, name, webgpuTrajectory(name, operation === "full" ? "full" : "lora"));
}

describe("on webgpu", () => {
  for (const [name, { always, onRequest }] of Object.entries(WEBGPU_STUDENTS)) {
    const operations = [...always, ...(ALL_FAMILIES ? onRequest : [])];
    if (operations.length === 0) continue;
    describe(name, () => {
      for (const operation of operations) test(OPERATIONS[operation], () => checkOperation(name, operation));
    });
  }
});

test("sampled continuations are the host's for the same seed", async () => {
  const sample = (on: Engine) =>
    withFixture(on, "llama-gqa-tied", {}, async (student) => {
      const options = { maxNewTokens: 6, temperature: 0.7, rng: new Rng(5) };
      return (await student.generate(["Tom has", "One red hen"], options)).map(({ ids }) => [...ids]);
    });
  const host = await createEngine("cpu", { threads: 1 });
  const expected = await sample(host);
  await host.dispose();
  expect(expected.flat().length).toBeGreaterThan(4);
  expect(await sample(engine)).toEqual(expected);
});

test("nothing stays on the device", () => {
  expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
});
