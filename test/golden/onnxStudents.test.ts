/**
 * @file Students made of ONNX models that transformers and PyTorch exported, against the
 * float64 PyTorch reference: scores, generation, LoRA and full training as if they came
 * from safetensors.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import type { ParameterSpec } from "../../src/nn/family.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent } from "../../src/student/student.ts";
import { checkGreedy, checkScores, checkTrajectory } from "../support/goldenChecks.ts";
import { goldenRows, loadGolden, studentDirectory, TOLERANCES, type GoldenTrajectory } from "../support/goldens.ts";
import { EXPORTED_BY_PYTORCH, onnxStudentSource, pytorchExport } from "../support/onnxStudents.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu");
});
afterAll(async () => engine.dispose());

/** The exporter rounded the constants of the float16 model to 11 bits, such as those of attention: 1e-3 nats measured. */
const FLOAT16 = { score: 3e-3, loss: 5e-4, gradNorm: 5e-3, update: 2e-2 };

/**
 * The bias of GPT-2's keys has no effect: its gradient is rounding noise, which AdamW
 * scales to whole steps. Our own graph leaves it out, a graph of a file has it.
 */
function comparable(trajectory: GoldenTrajectory): GoldenTrajectory {
  const { tensors, norm } = trajectory.update;
  const kept = Object.entries(tensors).filter(([name]) => !name.endsWith("attn.c_attn.bias"));
  return { ...trajectory, update: { norm, tensors: Object.fromEntries(kept) } };
}

describe.each(EXPORTED_BY_PYTORCH)("%s exported by PyTorch", (name) => {
  const source = onnxStudentSource(name, pytorchExport(name));
  const tolerance = name === "qwen2-tied-f16" ? FLOAT16 : TOLERANCES.host;

  test("scores match PyTorch", () => checkScores(engine, name, source, tolerance));
  test("greedy continuations match PyTorch", () => checkGreedy(engine, name, source));
  const { trajectories } = loadGolden(name);
  for (const method of ["full", "lora"]) {
    const trajectory = trajectories.find((candidate) => candidate.method === method)!;
    test(`training matches PyTorch: ${trajectory.name}`, () =>
      checkTrajectory(engine, name, comparable(trajectory), source, tolerance));
  }

  test("gradient norms of single rows are those of the student in safetensors", async () => {
    const norms: number[][] = [];
    for (const from of [source, directorySource(studentDirectory(name))]) {
      const student = await openStudent(engine, { source: from });
      const rows = await student.score(goldenRows({ rows: "fixtures.jsonl" }), ["gradNorm"]);
      norms.push(rows.map((row) => row.gradNorm!));
      await student.dispose();
    }
    norms[1]!.forEach((wanted, i) =>
      expect(Math.abs(norms[0]![i]! / wanted - 1)).toBeLessThan(tolerance === FLOAT16 ? 2e-2 : 1e-5),
    );
  });

  test("has the family's parameters under their names, and its cache where it takes one", async () => {
    const imported = await openStudent(engine, { source });
    try {
      const { decoder, configText } = imported.model;
      const describeSpec = ({ name: key, decay, linear }: ParameterSpec): string =>
        `${key} ${decay} ${linear?.module ?? ""}`;
      expect(decoder.parameters.map(describeSpec).sort()).toEqual(
        parseDecoder(JSON.parse(configText)).parameters.map(describeSpec).sort(),
      );
      expect(decoder.imported?.cached).toBe(name !== "gpt2-prefixed");
    } finally {
      await imported.dispose();
    }
  });
});
