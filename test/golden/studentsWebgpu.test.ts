/**
 * @file Students against the float64 PyTorch reference on the WebGPU provider, in Node
 * over Dawn. One Llama and one GPT-2: software WebGPU compiles for half a minute a graph.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { checkGreedy, checkScores, checkTrajectory } from "../support/goldenChecks.ts";
import { loadGolden } from "../support/goldens.ts";
import { withFixture } from "../support/studentFiles.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("webgpu");
});
afterAll(async () => engine.dispose());

test("scores of a Llama match PyTorch", () => checkScores(engine, "llama-gqa-tied"));
test("scores of a GPT-2 match PyTorch", () => checkScores(engine, "gpt2-prefixed"));
test("greedy continuations match PyTorch", () => checkGreedy(engine, "llama-gqa-tied"));

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

for (const [name, method] of [
  ["llama-gqa-tied", "full"],
  ["llama-gqa-tied", "lora"],
  ["gpt2-prefixed", "full"],
] as const) {
  test(`${method} training of ${name} matches PyTorch`, async () => {
    const trajectory = loadGolden(name).trajectories.find((candidate) => candidate.method === method);
    expect(trajectory).toBeDefined();
    if (trajectory) await checkTrajectory(engine, name, trajectory);
  });
}

test("nothing stays on the device", () => {
  expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
});
