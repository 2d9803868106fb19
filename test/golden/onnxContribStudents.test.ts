/**
 * @file Students written in ONNX Runtime's fused operators, which have no gradient rules
 * and are written out in operators that have: against the float64 PyTorch reference, as
 * are the fused kernels themselves.
 */
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { decodeModel } from "../../src/onnx/model.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent } from "../../src/student/student.ts";
import { fusedGpt2, genaiLlama } from "../support/contribDecoders.ts";
import { checkGreedy, checkScores, checkTrajectory } from "../support/goldenChecks.ts";
import { loadGolden } from "../support/goldens.ts";
import { onnxStudentSource } from "../support/onnxStudents.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu");
});
afterAll(async () => engine.dispose());

const int64 = (values: readonly number[]): OrtTensor =>
  new OrtTensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);

/** Logits after the last of `ids`, from the model as it is. */
async function fusedLogits(model: Uint8Array, ids: readonly number[]): Promise<Float32Array> {
  const session = await InferenceSession.create(model, { logSeverityLevel: 3 });
  try {
    const feeds: Record<string, OrtTensor> = { input_ids: int64(ids), attention_mask: int64(ids.map(() => 1)) };
    for (const { name, shape } of decodeModel(model).inputs) {
      if (name === "position_ids") feeds[name] = int64(ids.map((_, i) => i));
      else if (name.startsWith("past"))
        feeds[name] = new OrtTensor("float32", new Float32Array(0), [1, Number(shape[1]), 0, Number(shape[3])]);
    }
    const { logits } = await session.run(feeds);
    return (logits!.data as Float32Array).slice(-logits!.dims[2]!);
  } finally {
    await session.release();
  }
}

describe.each([
  { name: "llama3-scaling-sharded", write: genaiLlama, cached: true },
  { name: "gpt2-prefixed", write: fusedGpt2, cached: false },
])("$name in fused operators", ({ name, write, cached }) => {
  const golden = loadGolden(name);

  test("the fused kernels give PyTorch's logits: the model is the student", async () => {
    const row = golden.scores.find(({ id }) => id === golden.lastLogits.id)!;
    const logits = await fusedLogits(await write(), row.ids);
    golden.lastLogits.values.forEach((value, i) => expect(Math.abs(logits[i]! - value)).toBeLessThan(1e-4));
  });

  test("scores match PyTorch", async () => checkScores(engine, name, onnxStudentSource(name, await write())));

  test("greedy continuations of prompts of many lengths match PyTorch", async () => {
    const source = onnxStudentSource(name, await write(), "model.onnx");
    const student = await openStudent(engine, { source });
    expect(student.model.decoder.imported?.cached).toBe(cached);
    await student.dispose();
    await checkGreedy(engine, name, source);
  });

  for (const method of ["full", "lora"]) {
    const trajectory = golden.trajectories.find((candidate) => candidate.method === method)!;
    test(`training matches PyTorch: ${trajectory.name}`, async () => {
      const { tensors, norm } = trajectory.update;
      // Noise of a bias without effect: see `onnxStudents.test.ts`.
      const kept = Object.entries(tensors).filter(([key]) => !key.endsWith("attn.c_attn.bias"));
      const update = { norm, tensors: Object.fromEntries(kept) };
      await checkTrajectory(engine, name, { ...trajectory, update }, onnxStudentSource(name, await write()));
    });
  }
});
