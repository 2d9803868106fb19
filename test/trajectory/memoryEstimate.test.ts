/**
 * @file What is said before a training of its memory is what the training then takes: the
 * WebAssembly heap and the GPU buffers, within 15 %, with adapters and in full, with and
 * without gradient checkpointing. Sizes at which ONNX Runtime itself does not hide the rest.
 * Of what is held between runs, each cause to the byte. On the cpu provider, of which the
 * whole process is measured, not twice as much.
 */
import { expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { initializeLora, NO_LORA, resolveLora } from "../../src/nn/lora.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { weightsInMemory } from "../../src/student/baseWeights.ts";
import { estimateTraining, type MemoryEstimate } from "../../src/student/memoryEstimate.ts";
import { measuredMemory, type MeasuredMemory } from "../../src/student/measuredMemory.ts";
import { largestShapes } from "../../src/student/memoryPlan.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { ParameterStore } from "../../src/student/parameterStore.ts";
import { SessionCache } from "../../src/student/sessionCache.ts";
import { Trainer } from "../../src/student/trainer.ts";
import type { EncodedRow, TrainOptions } from "../../src/student/types.ts";

interface Size {
  readonly width: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly batch: number;
  readonly length: number;
}

const SMALL: Size = { width: 96, layers: 4, vocabulary: 4096, batch: 4, length: 128 };
const TOLERANCE = 0.15;

/** Trains two steps on random rows of which the last quarter carries loss; the estimate, made before. */
async function trainTwoSteps(
  engine: Engine,
  { width, layers, vocabulary, batch, length }: Size,
  method: "full" | "lora",
  gradientCheckpointing: boolean,
): Promise<Taken> {
  const decoder = parseDecoder({
    model_type: "llama",
    hidden_size: width,
    intermediate_size: (8 * width) / 3,
    num_hidden_layers: layers,
    num_attention_heads: 3,
    num_key_value_heads: 1,
    vocab_size: vocabulary,
    max_position_embeddings: length,
    tie_word_embeddings: true,
  });
  const lora = method === "full" ? NO_LORA : resolveLora(decoder, () => ({ r: 8, scaling: 2 }));
  const layout = layoutParameters(decoder, lora, method);
  const rng = new Rng(1);
  const weights = new Map(
    decoder.parameters.map(({ name, shape }) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.02 * rng.normal());
      return [name, { type: "float32" as const, shape, data }];
    }),
  );
  const rows: EncodedRow[] = Array.from({ length: batch }, (_, i) => ({
    id: String(i),
    ids: Int32Array.from({ length: length + 1 }, () => rng.integer(0, vocabulary - 1)),
    completionTokens: length / 4,
  }));
  const options: TrainOptions = {
    steps: 2,
    batchSize: batch,
    gradAccum: 1,
    learningRate: 1e-3,
    scheduler: "constant",
    warmupSteps: 0,
    weightDecay: 0.1,
    maxGradNorm: 1,
    shuffle: false,
    seed: 0,
    gradientCheckpointing,
  };
  const shapes = largestShapes(rows, options, decoder, engine.ep);
  const estimate = estimateTraining(
    { decoder, lora, layout },
    { ...options, gradientCheckpointing, shapes },
    engine.ep,
  );
  const store = await ParameterStore.create(
    engine,
    layout,
    weightsInMemory(weights),
    method === "full" ? undefined : initializeLora(lora, rng),
  );
  const sessions = new SessionCache(engine, { decoder, lora, layout });
  const trainer = new Trainer({ engine, store, sessions, maxPositions: length }, rows, options);
  for (let step = 0; step < options.steps!; step++) await trainer.next();
  const measured = measuredMemory(engine.memory)!;
  trainer.dispose();
  await sessions.dispose();
  store.dispose();
  expect(Object.values(engine.memory.tensorBytes)).toEqual([0, 0, 0, 0, 0]);
  return { estimate, measured };
}

interface Taken {
  readonly estimate: MemoryEstimate;
  readonly measured: MeasuredMemory;
}

function expectNear({ estimate, measured }: Taken): void {
  const { weights, trainable, moments, gradients, total } = measured;
  expect({ weights, trainable, moments, gradients }).toEqual({
    weights: estimate.weights,
    trainable: estimate.trainable,
    moments: estimate.moments,
    gradients: estimate.gradients,
  });
  expect(total / estimate.total).toBeGreaterThan(1 - TOLERANCE);
  expect(total / estimate.total).toBeLessThan(1 + TOLERANCE);
}

// First in this file: what a process had resident at most never goes back.
test("of a process: what the cpu provider takes is not far above what its graphs use", async () => {
  const engine = await createEngine("cpu", { threads: 1 });
  const before = process.memoryUsage.rss();
  // Rows of this length times this vocabulary are too many logits for a graph that takes any size.
  const size = { width: 192, layers: 10, vocabulary: 8192, batch: 8, length: 256 };
  const { estimate, measured } = await trainTwoSteps(engine, size, "lora", false);
  expect(measured.of).toBe("process");
  expect((measured.total - before) / estimate.total).toBeLessThan(1.7);
  await engine.dispose();
});

test.each([
  // An engine with another number of threads has a fresh heap.
  [1, "lora", false, SMALL],
  [2, "lora", true, { ...SMALL, batch: 8 }],
  [3, "full", true, SMALL],
] as const)(
  "of the WebAssembly heap: %i threads, %s, gradient checkpointing %s",
  async (threads, method, twice, size) => {
    const engine = await createEngine("wasm", { threads });
    const taken = await trainTwoSteps(engine, size, method, twice);
    expect(taken.estimate.total).toBeGreaterThan(2 * taken.estimate.runtime);
    expect([taken.measured.of, taken.measured.total]).toEqual(["heap", engine.memory.wasmHeapBytes]);
    expectNear(taken);
    await engine.dispose();
  },
);

test("of GPU buffers", async () => {
  const engine = await createEngine("webgpu");
  const taken = await trainTwoSteps(
    engine,
    { width: 48, layers: 2, vocabulary: 1024, batch: 2, length: 64 },
    "lora",
    false,
  );
  expect([taken.measured.of, taken.measured.total]).toEqual(["gpu", engine.memory.gpuPeakBytes]);
  expectNear(taken);
  await engine.dispose();
  expect(engine.memory.gpuBytes).toBe(0);
});
