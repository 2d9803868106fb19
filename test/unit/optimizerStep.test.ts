/** @file One optimizer step of a student with more parameters than a piece: in pieces as in one graph, with and without clipping. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { NO_LORA } from "../../src/nn/lora.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { DeviceTensor, Engine } from "../../src/runtime/types.ts";
import { inPieces, optimizerStep, type OptimizerBuffers } from "../../src/student/optimizerStep.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { PIECE_ELEMENTS, SessionCache } from "../../src/student/sessionCache.ts";

const decoder = parseDecoder({
  model_type: "llama",
  hidden_size: 128,
  intermediate_size: 640,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  vocab_size: 300,
  max_position_embeddings: 16,
  tie_word_embeddings: true,
});
const layout = layoutParameters(decoder, NO_LORA, "full");

test("only a group of more than a piece, on cpu, is taken in pieces", () => {
  expect(layout.groups.map(({ size }) => size > PIECE_ELEMENTS)).toEqual([true, false]);
  expect(inPieces("cpu", layout.groups)).toBe(true);
  expect(inPieces("cpu", [{ size: PIECE_ELEMENTS }])).toBe(false);
  expect((["wasm", "webgpu"] as const).map((ep) => inPieces(ep, layout.groups))).toEqual([false, false]);
});

/** Largest difference, relative to 1 + |expected|; a plain loop, because half a million expectations take seconds. */
function worstOf(actual: readonly Float32Array[], expected: readonly Float32Array[]): number {
  let worst = actual.length === expected.length ? 0 : Infinity;
  expected.forEach((values, k) => {
    const own = actual[k]!;
    if (own.length !== values.length) worst = Infinity;
    for (let i = 0; i < values.length; i++) {
      const difference = Math.abs(own[i]! - values[i]!) / (1 + Math.abs(values[i]!));
      worst = difference <= worst ? worst : Number.isNaN(difference) ? Infinity : difference;
    }
  });
  return worst;
}

describe("a step on cpu", () => {
  let engine: Engine;
  let sessions: SessionCache;
  beforeAll(async () => {
    engine = await createEngine("cpu");
    sessions = new SessionCache(engine, { decoder, lora: NO_LORA, layout });
  });
  afterAll(async () => {
    await sessions.dispose();
    await engine.dispose();
  });

  function buffers(spoiled = false): OptimizerBuffers[] {
    return layout.groups.map((group) => {
      const rng = new Rng(1).fork(group.name);
      const vector = (draw: (i: number) => number): DeviceTensor =>
        engine.upload({
          type: "float32",
          shape: [group.size],
          data: Float32Array.from({ length: group.size }, (_, i) => draw(i)),
        });
      return {
        ...group,
        param: vector(() => rng.normal()),
        grad: vector((i) => (spoiled && i === group.size - 1 ? NaN : rng.normal())),
        expAvg: vector(() => 0.1 * rng.normal()),
        expAvgSq: vector(() => 0.01 * rng.uniform()),
        paramSpare: vector(() => 0),
        expAvgSpare: vector(() => 0),
        expAvgSqSpare: vector(() => 0),
      };
    });
  }

  const SPARE = ["paramSpare", "expAvgSpare", "expAvgSqSpare"] as const;
  async function take(ep: "cpu" | "wasm", groups: readonly OptimizerBuffers[], maxGradNorm: number) {
    const gradNorm = await optimizerStep(
      ep,
      sessions,
      groups,
      { weightDecay: 0.1, maxGradNorm },
      { t: 3, lr: 0.01, divisor: 7 },
    );
    const values: Float32Array[] = [];
    for (const group of groups)
      for (const key of SPARE) values.push((await engine.read(group[key])).data as Float32Array);
    for (const group of groups)
      for (const key of ["param", "grad", "expAvg", "expAvgSq", ...SPARE] as const) group[key].dispose();
    return { gradNorm, values };
  }

  test.each([0, 1, 1e6])("with gradients clipped to %f", async (maxGradNorm) => {
    const [pieces, whole] = [await take("cpu", buffers(), maxGradNorm), await take("wasm", buffers(), maxGradNorm)];
    // One float32 sum over the whole group rounds more than sums of pieces.
    expect(Math.abs(pieces.gradNorm / whole.gradNorm - 1)).toBeLessThan(2e-6);
    expect(worstOf(pieces.values, whole.values)).toBeLessThan(2e-6);
    const again = await take("cpu", buffers(), maxGradNorm);
    expect(again.gradNorm).toBe(pieces.gradNorm);
    expect(worstOf(again.values, pieces.values)).toBe(0);
  });

  test("a gradient that is not a number shows in the norm, and nothing is written", async () => {
    const { gradNorm, values } = await take("cpu", buffers(true), 1);
    expect(gradNorm).toBeNaN();
    expect(values.every((own) => own.every((value) => value === 0))).toBe(true);
  });
});
