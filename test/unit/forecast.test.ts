/** @file What the set-up drawer says of time and memory: from measured rounds and from the student's own graphs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { checkSettings, DEFAULT_DRAFT, experimentsOf } from "../../src/app/settings.ts";
import type { SettingsDraft } from "../../src/app/settings.ts";
import { comparable, paceOf, raceMs } from "../../src/app/views/setUp/forecast.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { DEFAULT_EXPERIMENT } from "../../src/loop/defaults.ts";
import type { RunHeader } from "../../src/loop/runStore.ts";
import { describeStudent } from "../../src/student/student.ts";
import { createTask } from "../../src/tasks/registry.ts";
import { round } from "../support/studyRuns.ts";
import { sumsService } from "../support/sumsService.ts";

function settingsOf(change: Partial<SettingsDraft> = {}) {
  const checked = checkSettings({ ...DEFAULT_DRAFT, ...change });
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  return checked.settings;
}

const header = (
  change: { readonly student?: string; readonly ep?: "wasm" | "webgpu"; readonly lastRound?: number } = {},
): RunHeader => ({
  manifest: {
    schemaVersion: 1,
    runId: "r",
    createdAt: "2026-11-01T00:00:00.000Z",
    version: "0",
    config: { ...DEFAULT_EXPERIMENT, student: change.student ?? "builtin" },
    engine: { ep: change.ep ?? "wasm", version: "1", threads: 1 },
    student: { name: "s", parameters: 1, trainable: 1 },
  },
  lastRound: change.lastRound ?? 3,
  accuracy: 0.5,
  finished: true,
  checkpointBytes: 0,
  elsewhere: false,
});

test("time is that of measured rounds, by questions answered and rows trained on", () => {
  // 200 + 200 questions, 100 rows in 2 epochs: 600 units a round, of 2 lanes.
  const rounds = [0, 1, 2, 3].map((index) => ({
    ...round(index, 10),
    rows: 100,
    durationMs: index === 2 ? 90_000 : 12_000,
  }));
  const pace = paceOf(header(), rounds, 2)!;
  // One round in which somebody pressed Pause does not count.
  expect([pace.msPerUnit, pace.rounds]).toEqual([10, 3]);
  const settings = settingsOf({ rounds: "1", querySize: "10", perSeed: "2", replay: "0", pool: "50", heldOut: "30" });
  // Round 0: 30 questions; round 1: 80 questions and 20 rows twice. Two lanes.
  expect(raceMs(settings, 2, pace)).toBe(2 * 10 * (30 + 80 + 40));
  expect(paceOf(header(), [round(0, 10)], 2)).toBeUndefined();
});

test("only a run of the same student, task and engine is a measure", () => {
  const settings = settingsOf({ provider: "wasm" });
  expect(
    comparable([header({ lastRound: 0 }), header({ ep: "webgpu" }), header({ student: "hub:a/b" })], settings),
  ).toBeUndefined();
  expect(comparable([header({ ep: "webgpu" })], settingsOf())).toBeDefined();
  expect(comparable([header({ student: "hub:a/b@0123" })], settingsOf({ student: "hub", model: "a/b" }))).toBeDefined();
});

test("memory is of the student's own graphs; a student that is not at hand is unknown", async () => {
  const folder = join(ROOT, "public", "student");
  const { service } = sumsService({
    createTask: ({ task }) => createTask(task.name),
    describeStudent: async ({ student, training, seed }) =>
      student === "builtin"
        ? describeStudent({ source: directorySource(folder), method: training.method, seed })
        : undefined,
  });
  const forecast = (change: Partial<SettingsDraft>, ep: "wasm" | "webgpu" = "wasm") =>
    service.forecastMemory(experimentsOf(settingsOf(change))[0], ep);
  const full = (await forecast({}))!;
  // The header of the weights' file says how many there are.
  const file = readFileSync(join(folder, "model.safetensors"));
  const head = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString()) as Record<
    string,
    { shape?: number[] }
  >;
  const parameters = Object.values(head).reduce((sum, { shape }) => sum + (shape ?? [0]).reduce((a, b) => a * b, 1), 0);
  expect(full.parameters).toBe(parameters);
  expect(full.bytes).toMatchObject({ weights: 0, gradients: expect.any(Number) });
  expect(full.bytes.gradients).toBeGreaterThanOrEqual(4 * parameters);
  const { total, ...causes } = full.bytes;
  expect(Object.values(causes).reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
  const lora = (await forecast({ method: "lora", loraR: "4" }))!;
  expect(lora.bytes.gradients).toBeLessThan(full.bytes.gradients / 4);
  // On the GPU a batch is one graph.
  const [smaller, larger] = [
    await forecast({ batchSize: "2" }, "webgpu"),
    await forecast({ batchSize: "16" }, "webgpu"),
  ];
  expect(larger!.bytes.activations).toBeGreaterThan(2 * smaller!.bytes.activations);
  expect(await forecast({ student: "hub", model: "a/b" })).toBeNull();
});
