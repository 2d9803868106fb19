/** @file Memory before a training: the order of nodes, the buffers they share, the estimate, and what is chosen, refused and advised. */
import { describe, expect, test } from "vitest";
import { parseDecoder } from "../../src/nn/families.ts";
import { NO_LORA, resolveLora } from "../../src/nn/lora.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { executionOrder, peakOf, planBuffers } from "../../src/onnx/liveness.ts";
import { estimateTraining, formatBytes } from "../../src/student/memoryEstimate.ts";
import { checkWeightsFit, chooseMemory, largestShapes, WASM_LIMIT_BYTES } from "../../src/student/memoryPlan.ts";
import { outOfMemory } from "../../src/runtime/runtimeErrors.ts";
import { answersOutOfMemory, trainingOutOfMemory } from "../../src/student/memoryAdvice.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { openStudent } from "../../src/student/student.ts";
import { trainingNeeds } from "../../src/student/trainingNeeds.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import type { StudentBlueprint } from "../../src/student/graphs.ts";
import type { EncodedRow, TrainOptions } from "../../src/student/types.ts";
import { TRAIN_OPTIONS } from "../support/studentFiles.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

describe("a run of a graph", () => {
  test("takes the operand first that stands last in the file, and depth first", () => {
    const g = new GraphBuilder("g");
    const x = g.input("x", "float32", [4]);
    const [a, b] = [g.exp(x), g.sqrt(x)];
    const c = g.log(b);
    g.output(g.add(a, c));
    expect(executionOrder(g.build()).map(({ opType }) => opType)).toEqual(["Sqrt", "Log", "Exp", "Add"]);
  });

  test("keeps views in place, reuses free buffers of the same shape, and does not count outputs", () => {
    const g = new GraphBuilder("g");
    const x = g.input("x", "float32", [8, 4]);
    const a = g.softmax(g.transpose(x, [1, 0])); // transpose 128 bytes, softmax 128
    const view = g.reshape(a, [32]);
    const b = g.transpose(g.reshape(g.mul(view, view), [4, 8]), [1, 0]);
    g.output(b);
    const buffers = planBuffers(g.build());
    expect(buffers.map(({ bytes }) => bytes)).toEqual([128, 128, 128]);
    expect(peakOf(buffers).bytes).toBe(256);
  });
});

const SMOLLM2 = {
  model_type: "llama",
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
};

function adapted(config: object): StudentBlueprint {
  const decoder = parseDecoder(config);
  const lora = resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 8, scaling: 2 }));
  return { decoder, lora, layout: layoutParameters(decoder, lora, "lora") };
}

const row = (length: number, completionTokens: number): EncodedRow => ({
  id: "r",
  ids: new Int32Array(length + 1),
  completionTokens,
});

describe("135 million parameters with an adapter, 4 rows of 256 tokens that all carry loss", () => {
  const blueprint = adapted(SMOLLM2);
  const plan = { ...TRAIN_OPTIONS, shapes: [{ batch: 4, length: 256 }] };

  test("fit 2.5 GB of GPU memory and a WebAssembly heap, with and without gradient checkpointing", () => {
    for (const ep of ["webgpu", "wasm"] as const) {
      const kept = estimateTraining(blueprint, { ...plan, gradientCheckpointing: false }, ep);
      const twice = estimateTraining(blueprint, { ...plan, gradientCheckpointing: true }, ep);
      expect(kept.total).toBeLessThan(2.5e9);
      expect(twice.total).toBeLessThan(1.2e9);
      expect(kept.activations).toBeGreaterThan(5 * twice.activations);
      const { total, ...causes } = twice;
      expect(Object.values(causes).reduce((a, b) => a + b, 0)).toBeCloseTo(total, 0);
      expect(twice.weights).toBe(4 * 134_515_008);
    }
  });
});

describe("choosing", () => {
  const blueprint = adapted({
    ...SMOLLM2,
    num_hidden_layers: 4,
    hidden_size: 144,
    intermediate_size: 384,
    vocab_size: 4096,
  });
  const rows = [row(200, 20), row(255, 10), row(90, 90), row(17, 2)];
  const options: TrainOptions = { ...TRAIN_OPTIONS, steps: 2, batchSize: 4, shuffle: false };
  const choose = (limitBytes: number | undefined, checkpointing: "auto" | "on" | "off" = "auto") =>
    chooseMemory(blueprint, rows, options, "webgpu", { checkpointing, limitBytes });
  const kept = choose(undefined).estimate.total;
  const twice = choose(undefined, "on").estimate.total;

  test("needs for people are the estimate of the plan, and count the nodes of every micro-batch and the optimizer", () => {
    const plan = { ...options, gradAccum: 1, gradientCheckpointing: false };
    const needs = trainingNeeds(blueprint, rows, plan, "cpu");
    const shapes = largestShapes(rows, plan, blueprint.decoder, "cpu");
    expect(needs.bytes).toEqual({ ...estimateTraining(blueprint, { ...plan, shapes }, "cpu") });
    expect(shapes).toContainEqual(expect.objectContaining({ batch: needs.batch, length: needs.length }));
    const twice = trainingNeeds(blueprint, rows, { ...plan, gradAccum: 2 }, "cpu");
    expect(needs.nodesPerStep).toBeGreaterThan(100);
    expect(twice.nodesPerStep).toBeGreaterThan(1.8 * needs.nodesPerStep);
    expect(twice.nodesPerStep).toBeLessThan(2.2 * needs.nodesPerStep);
  });

  test("only shapes that no other covers count", () => {
    const shapes = (batchSize: number, ep: "webgpu" | "wasm") =>
      largestShapes(rows, { ...options, batchSize }, blueprint.decoder, ep);
    expect(shapes(4, "webgpu")).toEqual([{ batch: 4, length: 256, lossPositions: 256 }]);
    expect(shapes(2, "webgpu")).toEqual([{ batch: 2, length: 256, lossPositions: undefined }]);
    // One graph takes any shape there, and rows of such different lengths go through it one by one.
    for (const batchSize of [4, 2])
      expect(shapes(batchSize, "wasm")).toEqual(
        expect.arrayContaining([
          { batch: 1, length: 256, lossPositions: 16 },
          { batch: 1, length: 96, lossPositions: 96 },
        ]),
      );
  });

  test("activations are computed twice only where that is needed", () => {
    expect(twice).toBeLessThan(kept);
    expect(choose(undefined).gradientCheckpointing).toBe(false);
    expect(choose(kept).gradientCheckpointing).toBe(false);
    expect(choose(kept - 1).gradientCheckpointing).toBe(true);
    expect(choose(undefined, "on").gradientCheckpointing).toBe(true);
  });

  test("what cannot fit is refused with the causes and with what would fit", () => {
    const refusal = (limitBytes: number, checkpointing: "auto" | "off" = "auto"): unknown => {
      try {
        choose(limitBytes, checkpointing);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    expect(refusal(kept - 1, "off")).toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(/Gradient checkpointing would fit/) as string,
    });
    expect(refusal(0.7 * twice)).toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(/weights .* (batch size of \d|Rows of at most \d+ tokens)/s) as string,
      details: { limitBytes: 0.7 * twice },
    });
    expect(refusal(1000)).toMatchObject({ message: expect.stringMatching(/Take a smaller student/) as string });
  });

  test("what does not fit in full is told which adapter would", () => {
    const decoder = parseDecoder(SMOLLM2);
    const full: StudentBlueprint = { decoder, lora: NO_LORA, layout: layoutParameters(decoder, NO_LORA, "full") };
    const rows = Array.from({ length: 4 }, () => row(256, 256));
    const options = { ...TRAIN_OPTIONS, steps: 1, batchSize: 4 };
    const advice = (limitBytes: number): unknown => {
      try {
        return chooseMemory(full, rows, options, "wasm", { checkpointing: "auto", limitBytes });
      } catch (error) {
        return error;
      }
    };
    expect(advice(4e9)).toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(/moments 2.15 GB.*LoRA of rank 8 would fit/s) as string,
    });
    expect(advice(0.9e9)).toMatchObject({
      message: expect.stringMatching(/With LoRA of rank 8: .* would fit/) as string,
    });
    // Not even its weights.
    expect(advice(2e8)).toMatchObject({ message: expect.stringMatching(/Take a smaller student/) as string });
  });
});

describe("a training that ran out of memory is told what needs less, the most helpful first", () => {
  const decoder = parseDecoder({ ...SMOLLM2, num_hidden_layers: 6, vocab_size: 4096 });
  const layout = layoutParameters(decoder, NO_LORA, "full");
  const full: StudentBlueprint = { decoder, lora: NO_LORA, layout };
  const lora = resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 8, scaling: 2 }));
  const adapted: StudentBlueprint = { decoder, lora, layout: layoutParameters(decoder, lora, "lora") };
  const thrown = outOfMemory("session 'train'", new Error("std::bad_alloc"));
  const advice = (blueprint: StudentBlueprint, batchSize: number, gradientCheckpointing: boolean): string => {
    const options = { ...TRAIN_OPTIONS, steps: 1, batchSize, gradAccum: 2, gradientCheckpointing };
    const rows = Array.from({ length: batchSize }, () => row(256, 256));
    const shapes = largestShapes(rows, options, decoder, "webgpu");
    const error = trainingOutOfMemory(thrown, blueprint, { ...options, shapes }, "webgpu", 0);
    expect(error).toMatchObject({ code: "out-of-memory", cause: thrown });
    return (error as Error).message;
  };
  const bytesIn = (text: string): number[] =>
    [...text.matchAll(/\(about ([\d.]+) (GB|MB)\)/g)].map(
      ([, size, unit]) => Number(size) * (unit === "GB" ? 1000 : 1),
    );

  test("a batch of several rows: halves and checkpointing keep the training", () => {
    const [, same = "", others = ""] =
      /The same training in less: (.*)\. Another .* less: (.*)$/.exec(advice(adapted, 8, false)) ?? [];
    expect(same).toMatch(/^both \(/);
    for (const way of ["gradient checkpointing (", "batches of 4 with 4 accumulated ("]) expect(same).toContain(way);
    expect(advice(adapted, 1, true)).toMatch(/frozen weights in float16, if the GPU has shader-f16 \(/);
    expect(others).toMatch(/rows of at most 128 tokens instead of 256/);
    expect(others).toMatch(/, a smaller student$/);
    const sizes = bytesIn(same);
    expect(sizes).toHaveLength(3);
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  });

  test("a single row is never told to be halved", () => {
    expect(advice(full, 1, false)).not.toMatch(/batches of/);
    const least = advice(full, 1, true);
    expect(least).not.toMatch(/The same training/);
    // Of a student in full, moments weigh more than anything an answer could be shortened by.
    expect(least).toMatch(/Another training that needs less: LoRA \(about .* a smaller student$/);
  });

  test("scoring and generation are told of nothing that belongs to training", () => {
    const message = (batchSize: number): string => (answersOutOfMemory(thrown, "scoring", batchSize) as Error).message;
    expect(message(4)).toBe(
      "scoring in batches of up to 4 rows: not enough memory (std::bad_alloc). Smaller batches, shorter rows, or a smaller student would need less",
    );
    expect(message(1)).toMatch(/^scoring row by row: .*\. Shorter rows, or a smaller student would need less$/);
    const other = new Error("other");
    expect(answersOutOfMemory(other, "generation", 2)).toBe(other);
  });

  test("anything else is passed on as it is", () => {
    const plan = { ...TRAIN_OPTIONS, gradientCheckpointing: true, shapes: [] };
    for (const error of [new Error("other"), trainingOutOfMemory(new Error("x"), full, plan, "wasm", 0)])
      expect(trainingOutOfMemory(error, full, plan, "wasm", 0)).toBe(error);
  });
});

test("sizes are told in decimal units", () => {
  expect([1, 1e6, 999e6, 1.234e9].map(formatBytes)).toEqual(["1 MB", "1 MB", "999 MB", "1.23 GB"]);
});

test("weights that WebAssembly cannot address are refused before any is read, with what would fit", () => {
  const decoder = parseDecoder({ ...SMOLLM2, hidden_size: 2304, num_hidden_layers: 64 });
  const all = resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 8, scaling: 2 }));
  const full: StudentBlueprint = { decoder, lora: NO_LORA, layout: layoutParameters(decoder, NO_LORA, "full") };
  const adapted: StudentBlueprint = { decoder, lora: all, layout: layoutParameters(decoder, all, "lora") };
  const numbers = decoder.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  expect(4 * numbers).toBeGreaterThan(WASM_LIMIT_BYTES);
  expect(() => checkWeightsFit(full, "big", "wasm")).toThrowError(
    expect.objectContaining({
      code: "out-of-memory",
      message: expect.stringMatching(
        `student big: .*got ${formatBytes(4 * numbers)}\\. A student of at most 1073 million parameters would fit`,
      ) as string,
    }),
  );
  expect(() => checkWeightsFit(adapted, "big", "wasm")).toThrow(/Frozen weights in float16 would fit/);
  for (const ep of ["cpu", "webgpu"] as const) checkWeightsFit(full, "big", ep);
});

test("a small student looks at memory where rows are long, and says how long they may be", async () => {
  const source = await tinyStudentSource(16_384);
  const engine = await createEngine("wasm", { threads: 1 });
  const student = await openStudent(engine, { source });
  try {
    const rows = [{ prompt: "Tom", completion: "three apples ".repeat(1000) }];
    await expect(student.train(rows, { ...TRAIN_OPTIONS, steps: 1, batchSize: 1 }).next()).rejects.toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(/Rows of at most \d+ tokens in batches of 1 would fit/) as string,
    });
    // Nothing is broken by that: less works, on the same student.
    const less = [{ prompt: "Tom", completion: "three apples" }];
    const { value } = await student.train(less, { ...TRAIN_OPTIONS, steps: 1, batchSize: 1 }).next();
    expect(value).toMatchObject({ step: 1, tokens: 13 });
  } finally {
    await student.dispose();
    await engine.dispose();
  }
});
