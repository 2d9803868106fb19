/** @file The training state on disk: exact values, and refusal of everything it does not belong to. */
import type { BaseWeights } from "../../src/student/baseWeights.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memorySink } from "../../src/formats/fileSource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import {
  identifyTraining,
  loadTrainingState,
  saveTrainingState,
  TRAINING_STATE_FILES,
} from "../../src/student/trainingState.ts";
import type { TrainerState } from "../../src/student/trainer.ts";
import type { ExampleRow, TrainOptions } from "../../src/student/types.ts";
import {
  changeJson,
  changeTensors,
  LORA,
  ROWS,
  sourceOf,
  TRAIN_OPTIONS,
  withFixture,
  type Files,
} from "../support/studentFiles.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => {
  expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
  await engine.dispose();
});

const identify = (
  student: LanguageModel,
  over: {
    readonly rows?: readonly ExampleRow[];
    readonly options?: Partial<TrainOptions>;
    readonly totalSteps?: number;
  } = {},
) =>
  identifyTraining(
    student,
    student.encodeAll(over.rows ?? ROWS),
    { ...TRAIN_OPTIONS, ...over.options },
    over.totalSteps ?? 5,
  );

async function stateAfter(student: LanguageModel, steps: number): Promise<TrainerState> {
  const trainer = student.trainer(student.encodeAll(ROWS), TRAIN_OPTIONS);
  try {
    for (let i = 0; i < steps; i++) await trainer.next();
    return await trainer.state();
  } finally {
    trainer.dispose();
  }
}

async function write(
  student: LanguageModel,
  state: TrainerState,
  over: Parameters<typeof identify>[1] = {},
): Promise<Files> {
  let files: Files = new Map();
  const sink = memorySink((written) => (files = new Map(written)));
  await saveTrainingState(sink, state, await identify(student, over));
  await sink.commit();
  return files;
}

describe.each([
  ["full", {}],
  ["lora", { method: LORA }],
] as const)("%s", (method, open) => {
  test("is written and read back value by value", async () => {
    await withFixture(engine, "llama-gqa-tied", open, async (student) => {
      const state = await stateAfter(student, 3);
      const files = await write(student, state);
      expect([...files.keys()].sort()).toEqual([...TRAINING_STATE_FILES].sort());
      const json = JSON.parse(new TextDecoder().decode(files.get("training_state.json") as Uint8Array)) as Record<
        string,
        unknown
      >;
      expect(json).toMatchObject({ schemaVersion: 1, step: 3, method, rows: ROWS.length, totalSteps: 5 });
      expect(await loadTrainingState(sourceOf(files, "state"), await identify(student))).toEqual(state);
    });
  });
});

/** Loading must fail for a training that differs by `over` from the one that was saved. */
async function expectRefused(
  message: RegExp,
  over: Parameters<typeof identify>[1] = {},
  damage: (files: Files) => unknown = () => undefined,
): Promise<void> {
  await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
    const files = await write(student, await stateAfter(student, 1));
    damage(files);
    await expect(loadTrainingState(sourceOf(files, "state"), await identify(student, over))).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(message) as string,
    });
  });
}

describe("of another training is refused, naming what differs", () => {
  test.each<[string, Partial<TrainOptions>, RegExp]>([
    [
      "learning rate",
      { learningRate: 0.5 },
      /learningRate number 0.001, with which the state was saved, got number 0.5/,
    ],
    ["batch size", { batchSize: 2 }, /rows per step \(batch size × accumulation\) number 4.*number 2/],
    ["accumulation", { gradAccum: 2 }, /rows per step \(batch size × accumulation\) number 4.*number 8/],
    ["schedule", { scheduler: "cosine" }, /scheduler string "linear"/],
    ["warm-up", { warmupSteps: 0 }, /warmupSteps number 1/],
    ["decay", { weightDecay: 0 }, /weightDecay number 0.01/],
    ["clipping", { maxGradNorm: 0 }, /maxGradNorm number 1/],
    ["shuffling", { shuffle: false }, /shuffle boolean true/],
    ["seed", { seed: 4 }, /seed number 3/],
  ])("%s", async (_name, options, message) => expectRefused(message, { options }));

  test("a number of steps that changes the schedule", () =>
    expectRefused(/totalSteps number 5.*The linear schedule depends on the number of all steps/, { totalSteps: 6 }));

  test("other rows, or the same in another order", async () => {
    await expectRefused(/the number 10 rows.*Give the same --data/, { rows: ROWS.slice(1) });
    await expectRefused(/rows/, { rows: [...ROWS].reverse() });
  });

  test("another student, another adapter, another method", async () => {
    const files = await withFixture(engine, "llama-gqa-tied", { method: LORA }, async (student) =>
      write(student, await stateAfter(student, 1)),
    );
    const load = (name: string, open: Parameters<typeof withFixture>[2]) =>
      withFixture(engine, name, open, async (student) => {
        await expect(loadTrainingState(sourceOf(files, "state"), await identify(student))).rejects.toMatchObject({
          code: "bad-input",
          message: expect.stringMatching(/student|method|data/) as string,
        });
      });
    await load("llama-gqa-tied", { method: { ...LORA, r: 2 } });
    await load("llama-gqa-tied", { method: { ...LORA, loraAlpha: 1 } });
    await load("llama-gqa-tied", { method: { ...LORA, targetModules: ["q_proj"] } });
    await load("llama-gqa-tied", {});
    await load("llama-untied", { method: LORA });
  });

  test("weights that differ in one bit", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const files = await write(student, await stateAfter(student, 1));
      const changed: BaseWeights = {
        read: (body) =>
          student.model.weights.read((read) =>
            body(async (name) => {
              const tensor = await read(name);
              if (name !== "model.norm.weight") return tensor;
              const bits = new Uint32Array((tensor.data as Float32Array).slice().buffer);
              bits[3]! ^= 1;
              return { ...tensor, data: new Float32Array(bits.buffer) };
            }),
          ),
      };
      const other = Object.create(student, {
        model: { value: { ...student.model, weights: changed } },
      }) as LanguageModel;
      const identity = await identifyTraining(other, student.encodeAll(ROWS), TRAIN_OPTIONS, 5);
      await expect(loadTrainingState(sourceOf(files, "state"), identity)).rejects.toThrow(
        /other weights or adapter settings/,
      );
    });
  });
});

test("a constant schedule may become longer", async () => {
  await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
    const options = { scheduler: "constant" } as const;
    const state = await stateAfter(student, 2);
    const files = await write(student, state, { options });
    expect(
      await loadTrainingState(sourceOf(files, "state"), await identify(student, { options, totalSteps: 50 })),
    ).toEqual(state);
  });
});

describe("damage is refused", () => {
  test.each<[string, RegExp, (files: Files) => unknown]>([
    ["an empty directory", /state: expected a training state .*got no training_state.json/, (files) => files.clear()],
    ["no tensors", /training_state.safetensors/, (files) => files.delete("training_state.safetensors")],
    [
      "another version",
      /schemaVersion: expected 1, got number 2/,
      (files) => changeJson(files, "training_state.json", (json) => ({ ...json, schemaVersion: 2 })),
    ],
    [
      "a step that is none",
      /step: expected the number of steps done, got string "1"/,
      (files) => changeJson(files, "training_state.json", (json) => ({ ...json, step: "1" })),
    ],
    [
      "no options",
      /options: expected an object/,
      (files) => changeJson(files, "training_state.json", ({ options: _, ...json }) => json),
    ],
    ["no JSON", /expected valid JSON/, (files) => files.set("training_state.json", "{")],
    [
      "tensors cut off",
      /training_state.safetensors/,
      (files) =>
        files.set("training_state.safetensors", (files.get("training_state.safetensors") as Uint8Array).slice(0, -4)),
    ],
    [
      "tensors of something else",
      /a name that begins with parameters, expAvg, expAvgSq/,
      (files) =>
        changeTensors(files, "training_state.safetensors", (tensors) =>
          tensors.set("other", { type: "float32", shape: [1], data: new Float32Array(1) }),
        ),
    ],
  ])("%s", async (_name, message, damage) => expectRefused(message, {}, damage));
});

describe("a trainer takes only a state that fits, and changes nothing otherwise", () => {
  test.each<[string, (state: TrainerState) => TrainerState, RegExp]>([
    ["a step beyond the end", (state) => ({ ...state, step: 6 }), /a step from 0 to 5, got 6/],
    ["a negative step", (state) => ({ ...state, step: -1 }), /a step from 0 to 5/],
    [
      "a moment missing",
      (state) => ({ ...state, expAvg: new Map() }),
      /training state 'decay0': expected .* values, got none/,
    ],
    [
      "a moment of another size",
      (state) => ({ ...state, expAvgSq: new Map(state.expAvgSq).set("decay0", new Float32Array(3)) }),
      /training state 'decay0'.*got 3/,
    ],
    ["a parameter missing", (state) => ({ ...state, parameters: new Map() }), /a value for/],
  ])("%s", async (_name, change, message) => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const state = await stateAfter(student, 1);
      await student.reset();
      const before = await student.snapshot();
      const live = engine.live;
      expect(() => student.trainer(student.encodeAll(ROWS), TRAIN_OPTIONS, change(state))).toThrow(message);
      expect(engine.live).toEqual(live);
      expect(await student.snapshot()).toEqual(before);
    });
  });
});
