/** @file Settings as typed: what is accepted, what is told, and that the page's defaults are the loop's. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  BOUNDS,
  checkSettings,
  DEFAULT_DRAFT,
  draftFromQuery,
  estimateTeacher,
  experimentsOf,
  queryFromDraft,
  STRATEGIES,
  STUDENTS,
  TEACHERS,
} from "../../src/app/settings.ts";
import type { SettingsDraft } from "../../src/app/settings.ts";
import { DEFAULT_EXPERIMENT } from "../../src/loop/defaults.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { teacherNames } from "../../src/teacher/registry.ts";

test("the defaults are those of the default experiment", () => {
  const checked = checkSettings(DEFAULT_DRAFT);
  if (!checked.ok) throw new Error("the defaults must be valid");
  const [random, other] = experimentsOf(checked.settings).map((experiment) => parseExperimentConfig(experiment));
  expect(other).toEqual(DEFAULT_EXPERIMENT);
  expect(random).toEqual({ ...DEFAULT_EXPERIMENT, strategy: { ...DEFAULT_EXPERIMENT.strategy, name: "random" } });
});

test("every experiment the page can ask for is one the loop takes", () => {
  const strategies = Object.keys(STRATEGIES);
  const whole = ({ low, high }: { readonly low: number; readonly high: number }): fc.Arbitrary<string> =>
    fc.integer({ min: low, max: high }).map(String);
  fc.assert(
    fc.property(
      fc.record({
        student: fc.constantFrom(...Object.keys(STUDENTS)),
        model: fc.constantFrom("org/name", "Org-1/na.me@refs/pr/1"),
        folder: fc.constantFrom("SmolLM2", "a folder"),
        teacher: fc.constantFrom(...Object.keys(TEACHERS)),
        teacherUrl: fc.constantFrom("", "http://localhost:11434/v1"),
        teacherModel: fc.constantFrom("qwen3:8b", "org/model"),
        teacherRequests: whole(BOUNDS.teacherRequests),
        teacherPromptPrice: fc.constantFrom("0.15", "3"),
        teacherCompletionPrice: fc.constantFrom("0", ".6"),
        teacherBudget: fc.constantFrom("", "1.50"),
        seed: whole(BOUNDS.seed),
        rounds: whole(BOUNDS.rounds),
        querySize: whole(BOUNDS.querySize),
        perSeed: whole(BOUNDS.perSeed),
        pool: whole(BOUNDS.pool),
        heldOut: whole(BOUNDS.heldOut),
        epochs: whole(BOUNDS.epochs),
        strategyA: fc.constantFrom(...strategies),
        strategyB: fc.constantFrom(...strategies),
        provider: fc.constantFrom("auto", "webgpu", "wasm"),
      }),
      (draft) => {
        const checked = checkSettings(draft);
        expect(checked.ok).toBe(Number(draft.querySize) <= Number(draft.pool));
        if (!checked.ok) return;
        const configs = experimentsOf(checked.settings).map((experiment) => parseExperimentConfig(experiment));
        expect(configs.map(({ strategy }) => strategy.name)).toEqual([draft.strategyA, draft.strategyB]);
        // Equal seed and budget: the lanes differ in nothing else.
        expect({ ...configs[0], strategy: null }).toEqual({ ...configs[1], strategy: null });
      },
    ),
  );
});

test.each<[keyof SettingsDraft, string]>([
  ["seed", ""],
  ["seed", "-1"],
  ["seed", "1.5"],
  ["seed", "1e3"],
  ["seed", "2147483648"],
  ["seed", "٣"],
  ["rounds", "0"],
  ["rounds", "101"],
  ["querySize", String(DEFAULT_EXPERIMENT.task.pool + 1)],
  ["querySize", "many"],
  ["perSeed", "0"],
  ["pool", "1001"],
  ["heldOut", "0"],
  ["epochs", "0.5"],
  ["strategyA", "toString"],
  ["strategyB", ""],
  ["provider", "cuda"],
])("%s = %j is refused, and only that field is named", (name, value) => {
  const checked = checkSettings({ ...DEFAULT_DRAFT, [name]: value });
  expect(checked.ok ? [] : Object.keys(checked.errors)).toEqual([name]);
});

test("spaces around a number do not matter", () => {
  expect(checkSettings({ ...DEFAULT_DRAFT, seed: " 7 " })).toMatchObject({ ok: true, settings: { seed: 7 } });
});

test("a draft survives the address, whatever was typed; other parameters stay", () => {
  const text = fc.string({ maxLength: 40, unit: "binary" }).filter((value) => value.isWellFormed());
  fc.assert(
    fc.property(
      fc.record({
        student: text,
        model: text,
        // A page cannot open a folder by its name.
        folder: fc.constant(""),
        teacher: text,
        teacherUrl: text,
        teacherModel: text,
        teacherRequests: text,
        teacherPromptPrice: text,
        teacherCompletionPrice: text,
        teacherBudget: text,
        seed: text,
        rounds: text,
        querySize: text,
        perSeed: text,
        pool: text,
        heldOut: text,
        epochs: text,
        strategyA: text,
        strategyB: text,
        provider: text,
      }),
      (draft) => {
        const query = queryFromDraft(draft, "?debug=1");
        expect(draftFromQuery(query)).toEqual(draft);
        expect(new URLSearchParams(query).get("debug")).toBe("1");
      },
    ),
  );
  expect(queryFromDraft(DEFAULT_DRAFT, "?seed=9")).toBe("");
});

test("a student from the hub or a folder is named as the loop knows it, and trained by an adapter", () => {
  const experimentOf = (change: Partial<SettingsDraft>) => {
    const checked = checkSettings({ ...DEFAULT_DRAFT, ...change });
    return checked.ok ? parseExperimentConfig(experimentsOf(checked.settings)[0]) : checked.errors;
  };
  expect(experimentOf({ student: "hub", model: " org/name@v1 " })).toMatchObject({
    student: "hub:org/name@v1",
    training: { method: { method: "lora" } },
  });
  expect(experimentOf({ student: "folder", folder: "SmolLM2" })).toMatchObject({ student: "folder:SmolLM2" });
  for (const model of ["", "name", "a/b/c", "org/na me", "https://x/y"])
    expect(experimentOf({ student: "hub", model })).toEqual({ model: expect.stringContaining("org/name") });
  expect(experimentOf({ student: "folder" })).toEqual({ folder: expect.stringContaining("Choose the folder") });
  expect(experimentOf({ student: "best" })).toHaveProperty("student");
});

test("a chat teacher becomes the experiment's, with a half of every ceiling for each lane", () => {
  expect(Object.keys(TEACHERS)).toEqual(teacherNames.filter((name) => name !== "none"));
  const chat = {
    teacher: "openai",
    teacherUrl: " http://localhost:11434/v1 ",
    teacherModel: "qwen3:8b",
    teacherRequests: "101",
    teacherPromptPrice: "1",
    teacherCompletionPrice: "2",
    teacherBudget: "3",
  };
  const checked = checkSettings({ ...DEFAULT_DRAFT, ...chat });
  if (!checked.ok) throw new Error("these settings must be valid");
  for (const experiment of experimentsOf(checked.settings))
    expect(parseExperimentConfig(experiment).teacher).toMatchObject({
      name: "openai",
      chat: {
        url: "http://localhost:11434/v1",
        model: "qwen3:8b",
        limits: { maxRequests: 50, maxCostUsd: 1.5 },
        price: { promptUsd: 1, completionUsd: 2 },
      },
    });
  const { requests, costUsd } = estimateTeacher(checked.settings);
  const { rounds, querySize, perSeed } = DEFAULT_EXPERIMENT;
  expect(requests).toBe(2 * rounds * querySize * perSeed * 2);
  // A call takes more than a hundred tokens and fewer than a thousand.
  expect((costUsd ?? 0) / requests).toBeGreaterThan(0.0001);
  expect((costUsd ?? 0) / requests).toBeLessThan(0.002);
  const errorsOf = (change: Partial<SettingsDraft>): string[] => {
    const result = checkSettings({ ...DEFAULT_DRAFT, ...chat, ...change });
    return result.ok ? [] : Object.keys(result.errors);
  };
  expect(errorsOf({ teacherModel: " " })).toEqual(["teacherModel"]);
  for (const teacherUrl of [
    "localhost:11434",
    "ftp://h/",
    "http://u:p@h/v1",
    "https://h/v1?key=abc",
    "https://h/#abc",
    "x",
  ])
    expect(errorsOf({ teacherUrl })).toEqual(["teacherUrl"]);
  expect(errorsOf({ teacherBudget: "-1" })).toEqual(["teacherBudget"]);
  expect(errorsOf({ teacherPromptPrice: "" })).toEqual(["teacherBudget"]);
  expect(errorsOf({ teacherPromptPrice: "cheap" })).toEqual(["teacherPromptPrice"]);
  expect(errorsOf({ teacherRequests: "1" })).toEqual(["teacherRequests"]);
  expect(errorsOf({ teacher: "toString" })).toEqual(["teacher"]);
  // What a built-in teacher does not use cannot be wrong.
  expect(errorsOf({ teacher: "solver", teacherModel: "", teacherUrl: "x" })).toEqual([]);
});
