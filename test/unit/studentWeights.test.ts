/**
 * @file A student whose base weights are read from their source each time, and one whose
 * frozen weights the device holds in float16, do what the plain ones do.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memorySink } from "../../src/formats/fileSource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { saveStudent } from "../../src/student/save.ts";
import { openStudent, type LanguageModel, type OpenStudentOptions } from "../../src/student/student.ts";
import { identifyTraining } from "../../src/student/trainingState.ts";
import {
  LORA,
  ROWS,
  TRAIN_OPTIONS,
  changeTensors,
  sourceOf,
  studentFiles,
  withFixture,
} from "../support/studentFiles.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => {
  expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
  await engine.dispose();
});

async function losses(student: LanguageModel, checkpointing = false): Promise<number[]> {
  const found: number[] = [];
  for await (const { loss } of student.train(ROWS, { ...TRAIN_OPTIONS, gradientCheckpointing: checkpointing }))
    found.push(loss);
  return found;
}

/** Losses of a training, of a second one after a reset, the saved files, and what a training state would belong to. */
async function lifeOf(name: string, options: Omit<OpenStudentOptions, "source">) {
  return withFixture(engine, name, options, async (student) => {
    const first = await losses(student);
    let files: ReadonlyMap<string, Uint8Array> = new Map();
    const sink = memorySink((written) => (files = written));
    await saveStudent(student, sink);
    await sink.commit();
    await student.reset();
    const identity = await identifyTraining(student, student.encodeAll(ROWS), TRAIN_OPTIONS, 5);
    return {
      first,
      second: await losses(student),
      identity,
      weights: Buffer.from(files.get("model.safetensors")!).toString("base64"),
    };
  });
}

describe.each([
  ["full", {}],
  ["adapter", { method: LORA }],
] as const)("weights that are read when needed: %s", (_name, open) => {
  test.each(["llama-gqa-tied", "llama3-scaling-sharded"])("%s", async (name) => {
    const kept = await lifeOf(name, open);
    const read = await lifeOf(name, { ...open, keptBytes: 0 });
    expect(read.first).toEqual(kept.first);
    expect(read.second).toEqual(kept.first);
    expect(read.identity).toEqual(kept.identity);
    expect(read.weights === kept.weights).toBe(true);
  });
});

describe("frozen weights in float16", () => {
  test("take half the room of linear layers and change nothing where the checkpoint is in float16", async () => {
    const bytesOf = (options: Omit<OpenStudentOptions, "source">) =>
      withFixture(engine, "qwen2-tied-f16", { method: LORA, ...options }, async (student) => ({
        bytes: engine.live.bytes,
        plain: await losses(student),
        again: (await student.reset(), await losses(student, true)),
        linear: student.model.decoder.parameters.reduce(
          (sum, { linear, shape }) => sum + (linear === undefined ? 0 : 4 * shape.reduce((a, b) => a * b, 1)),
          0,
        ),
      }));
    const whole = await bytesOf({});
    const half = await bytesOf({ frozenWeights: "float16" });
    expect(whole.bytes - half.bytes).toBe(whole.linear / 2);
    // As an experiment says it.
    const named = await bytesOf({ method: { ...LORA, frozenWeights: "float16" } });
    expect(named.bytes).toBe(half.bytes);
    expect(half.plain).toEqual(whole.plain);
    half.again.forEach((loss, i) => expect(loss).toBeCloseTo(whole.plain[i]!, 5));
  });

  test("are refused where float16 cannot hold them", async () => {
    const files = changeTensors(studentFiles("llama-gqa-tied"), "model.safetensors", (tensors) => {
      const name = "model.layers.0.mlp.up_proj.weight";
      const tensor = tensors.get(name)!;
      const data = (tensor.data as Float32Array).slice();
      data[5] = 7e4;
      return tensors.set(name, { ...tensor, data });
    });
    await expect(
      openStudent(engine, { source: sourceOf(files), method: LORA, frozenWeights: "float16" }),
    ).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/up_proj.*70000 at index 5/) as string,
    });
  });
});
