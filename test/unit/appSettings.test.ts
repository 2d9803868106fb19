/** @file Settings as typed: what is accepted, what is told, and that the page's defaults are the loop's. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { NumberName, NumberSpec } from "../../src/app/choices.ts";
import {
  ACCUMULATIONS,
  BOUNDS,
  BUILTIN_STUDENT_TASKS,
  CHECKERS,
  EXCESS_LENGTHS,
  METHODS,
  MIXTURES,
  PICKERS,
  PRECISIONS,
  REPLY_FORMS,
  RESTARTS,
  SCHEDULERS,
  STRATEGIES,
  STUDENTS,
  TASKS,
  TEACHER_DEVICES,
  TEACHER_DTYPES,
  TEACHERS,
  VERIFICATIONS,
  WEIGHTS,
} from "../../src/app/choices.ts";
import { checkSettings, DEFAULT_DRAFT, emptyMeans, experimentsOf } from "../../src/app/settings.ts";
import { looksLikeKey } from "../../src/app/teacherSettings.ts";
import { draftFromQuery, linkNotice, linkOf, queryFromDraft } from "../../src/app/shareLink.ts";
import type { SettingsDraft } from "../../src/app/settings.ts";
import { DEFAULT_EXPERIMENT } from "../../src/loop/defaults.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { RARE_KINDS } from "../../src/tasks/rareKinds.ts";
import { BUILTIN_STUDENT_TASKS as TASKS_WITH_STUDENT } from "../../src/student/builtinFiles.ts";
import { taskNames } from "../../src/tasks/registry.ts";
import { teacherNames } from "../../src/teacher/registry.ts";

test("the defaults are those of the default experiment", () => {
  const checked = checkSettings(DEFAULT_DRAFT);
  if (!checked.ok) throw new Error("the defaults must be valid");
  const [random, other] = experimentsOf(checked.settings).map((experiment) => parseExperimentConfig(experiment));
  expect(other).toEqual(DEFAULT_EXPERIMENT);
  expect(random).toEqual({ ...DEFAULT_EXPERIMENT, strategy: { ...DEFAULT_EXPERIMENT.strategy, name: "random" } });
});

const number = ({ low, high, whole, above }: NumberSpec): fc.Arbitrary<string> =>
  (whole
    ? fc.integer({ min: low, max: high })
    : fc.double({ min: low, max: high, noNaN: true }).filter((value) => above !== true || value > low)
  ).map((value) => String(Math.abs(value)).replace("e+", "e"));
const someOf = (options: object): fc.Arbitrary<string> => fc.constantFrom(...Object.keys(options));
const numbers = Object.fromEntries(
  Object.entries<NumberSpec>(BOUNDS).map(([name, spec]) => [
    name,
    spec.optional === true ? fc.oneof(fc.constant(""), number(spec)) : number(spec),
  ]),
) as Record<NumberName, fc.Arbitrary<string>>;

test("every experiment the page can ask for is one the loop takes", () => {
  fc.assert(
    fc.property(
      fc.record<SettingsDraft>({
        ...numbers,
        task: someOf(TASKS),
        mixture: someOf(MIXTURES),
        dataName: fc.constant("capitals.csv"),
        dataDigest: fc.constant("0f".repeat(32)),
        dataContext: fc.constantFrom("", "passage"),
        dataQuestion: fc.constant("question"),
        dataOptions: fc.constantFrom("", "choices"),
        dataWorking: fc.constantFrom("", "cot"),
        dataAnswer: fc.constant("answer"),
        dataChecker: someOf(CHECKERS),
        dataPattern: fc.constant("(\\d+)$"),
        excessLength: someOf(EXCESS_LENGTHS),
        student: someOf(STUDENTS),
        model: fc.constantFrom("org/name", "Org-1/na.me@refs/pr/1"),
        folder: fc.constantFrom("SmolLM2", "a folder"),
        adapter: fc.constant(""),
        adapterFolder: fc.constant(""),
        teacher: someOf(TEACHERS),
        verification: someOf(VERIFICATIONS),
        teacherUrl: fc.constantFrom("", "http://localhost:11434/v1"),
        teacherModel: fc.constantFrom("qwen3:8b", "org/model"),
        teacherDtype: fc.constantFrom(...Object.keys(TEACHER_DTYPES)),
        teacherStructured: someOf(REPLY_FORMS),
        teacherDevice: fc.constantFrom(...Object.keys(TEACHER_DEVICES)),
        teacherPromptPrice: fc.constantFrom("0.15", "3"),
        teacherCompletionPrice: fc.constantFrom("0", ".6"),
        teacherBudget: fc.constantFrom("", "1.50"),
        strategyA: someOf(STRATEGIES),
        strategyB: someOf(STRATEGIES),
        strategyC: fc.oneof(fc.constant(""), someOf(STRATEGIES)),
        strategyD: fc.oneof(fc.constant(""), someOf(STRATEGIES)),
        picker: someOf(PICKERS),
        restart: someOf(RESTARTS),
        accumulate: someOf(ACCUMULATIONS),
        method: someOf(METHODS),
        frozenWeights: someOf(WEIGHTS),
        scheduler: someOf(SCHEDULERS),
        precision: someOf(PRECISIONS),
        provider: fc.constantFrom("auto", "webgpu", "wasm"),
      }),
      (draft) => {
        const checked = checkSettings(draft);
        const wrong = [
          ...(Number(draft.querySize) > Number(draft.pool) ? ["querySize"] : []),
          ...(draft.teacher === "solver" && draft.task === "custom" ? ["teacher"] : []),
          ...(draft.mixture === "rare" && !Object.hasOwn(RARE_KINDS, draft.task) ? ["mixture"] : []),
        ];
        expect(checked.ok ? [] : Object.keys(checked.errors).sort()).toEqual(wrong.sort());
        if (!checked.ok) return;
        const configs = experimentsOf(checked.settings).map((experiment) => parseExperimentConfig(experiment));
        expect(configs.map(({ strategy }) => strategy.name)).toEqual(
          [draft.strategyA, draft.strategyB, draft.strategyC, draft.strategyD].filter((name) => name !== ""),
        );
        if (draft.verification === "compare")
          expect(configs.slice(0, 2).map(({ verification }) => verification)).toEqual(["off", "steps"]);
        const rare = draft.mixture === "rare" ? RARE_KINDS[draft.task] : undefined;
        for (const { task } of configs)
          expect([task.mixture, task.poolMixture]).toEqual([rare?.mixture, rare?.poolMixture]);
        // Equal seed and budget: the lanes differ in nothing else.
        const { verification } = configs[1]!;
        for (const other of configs.slice(1))
          expect({ ...configs[0], strategy: null, verification }).toEqual({ ...other, strategy: null });
      },
    ),
  );
});

test("what is written stays of its seed's kind where a rare kind is asked", () => {
  const operationsOf = (change: Partial<SettingsDraft>) => {
    const checked = checkSettings({ ...DEFAULT_DRAFT, ...change });
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
    return experimentsOf(checked.settings).map((experiment) => parseExperimentConfig(experiment).teacher.operations);
  };
  expect(operationsOf({ mixture: "rare" })).toEqual([["vary"], ["vary"]]);
  expect(operationsOf({ mixture: "rare", teacher: "openai", teacherModel: "m" })).toEqual([["vary"], ["vary"]]);
  expect(operationsOf({})[0]!.length).toBeGreaterThan(1);
});

test("ceilings and rates of a teacher are the race's: each lane gets its share", () => {
  const chat = { teacher: "openai", teacherModel: "m", teacherPromptPrice: "1", teacherCompletionPrice: "2" };
  const draft = { ...DEFAULT_DRAFT, ...chat, strategyC: "random" };
  const limits = {
    teacherRequests: "100",
    teacherTokens: "9000",
    teacherBudget: "3",
    teacherRpm: "60",
    teacherTpm: "6000",
  };
  const rest = { teacherMinutes: "5", teacherTimeout: "20", teacherConcurrency: "2", teacherStructured: "prompt" };
  const checked = checkSettings({ ...draft, ...limits, ...rest, teacherReplyTokens: "2048" });
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  for (const experiment of experimentsOf(checked.settings))
    expect(parseExperimentConfig(experiment).teacher.chat).toMatchObject({
      limits: {
        maxRequests: 33,
        maxTokens: 3000,
        maxCostUsd: 1,
        maxMinutes: 5,
        requestsPerMinute: 20,
        tokensPerMinute: 2000,
      },
      timeoutSeconds: 20,
      concurrency: 2,
      structured: "prompt",
      maxOutputTokens: 2048,
    });
  const ending = checkSettings({ ...draft, teacherUrl: "http://localhost:1234/v1/chat/completions" });
  expect(ending.ok ? "" : ending.errors.teacherUrl).toContain("before /chat/completions");
});

test("a number outside its bounds is refused by the page, with them", () => {
  for (const [name, spec] of Object.entries<NumberSpec>(BOUNDS)) {
    const chat = name.startsWith("teacher") ? { teacher: "openai", teacherModel: "m" } : {};
    const lora = name.startsWith("lora") ? { method: "lora" } : {};
    for (const value of [spec.high + 1, spec.above === true ? spec.low : spec.low - 1, "x", "0x10", "1e999"]) {
      const checked = checkSettings({ ...DEFAULT_DRAFT, ...chat, ...lora, [name]: String(value) });
      expect(checked.ok ? name : checked.errors[name as NumberName]).toMatch(/number (from|over) /);
    }
  }
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
  ["pool", "5001"],
  ["heldOut", "0"],
  ["epochs", "0.5"],
  ["strategyA", "toString"],
  ["strategyB", ""],
  ["strategyC", "toString"],
  ["provider", "cuda"],
  ["errorRate", "1.1"],
  ["learningRate", "0"],
  ["verification", "maybe"],
  ["method", "qlora"],
  ["precision", "bfloat16"],
])("%s = %j is refused, and only that field is named", (name, value) => {
  const checked = checkSettings({ ...DEFAULT_DRAFT, [name]: value });
  expect(checked.ok ? [] : Object.keys(checked.errors)).toEqual([name]);
});

test("spaces around a number do not matter", () => {
  expect(checkSettings({ ...DEFAULT_DRAFT, seed: " 7 " })).toMatchObject({ ok: true, settings: { seed: 7 } });
});

test("a draft survives the address, whatever was typed; other parameters stay", () => {
  const text = fc.string({ maxLength: 40, unit: "binary" }).filter((value) => value.isWellFormed());
  const everything = Object.fromEntries(Object.keys(DEFAULT_DRAFT).map((name) => [name, text]));
  fc.assert(
    fc.property(fc.record(everything), (typed) => {
      // A page cannot open a folder by its name, and an address with room for a key is left out.
      const draft = { ...DEFAULT_DRAFT, ...typed, folder: "", adapterFolder: "", teacherUrl: "http://localhost:1/v1" };
      const query = queryFromDraft(draft, "?debug=1");
      expect(draftFromQuery(query)).toEqual(draft);
      expect(new URLSearchParams(query).get("debug")).toBe("1");
    }),
  );
  expect(queryFromDraft(DEFAULT_DRAFT, "?seed=9&v=1")).toBe("");
  expect(linkOf({ ...DEFAULT_DRAFT, seed: "9" }, "https://h.example/a/?debug=1#/data/x")).toBe(
    "https://h.example/a/?seed=9&v=1",
  );
});

test("a link is short, says its version, and cannot make the page take anything", () => {
  expect(queryFromDraft({ ...DEFAULT_DRAFT, rounds: "5", strategyA: "entropy" }, "").length).toBeLessThan(40);
  expect([linkNotice(""), linkNotice("?v=1&seed=2")]).toEqual([undefined, undefined]);
  expect(linkNotice("?v=2")).toMatch(/version 2; this page reads version 1/);
  const hostile = draftFromQuery(
    `?seed=${"9".repeat(5000)}&a=constructor&at=javascript:alert(1)&teacher=openai&says=m&task=__proto__&v=1`,
  );
  expect(hostile.seed.length).toBe(40);
  const checked = checkSettings(hostile);
  expect(checked.ok ? [] : Object.keys(checked.errors).sort()).toEqual(["seed", "strategyA", "task", "teacherUrl"]);
});

test("no link holds a key, wherever one was typed", () => {
  const keys = [
    "sk-proj-abcDEF0123456789abcDEF0123",
    "hf_abcdefghijklmnopqrstuvwxyz0123",
    "AIzaSyA0123456789abcdefghijklmnopqrs",
    "gsk_0123456789abcdefghijABCDEFGHIJ",
  ];
  const places: readonly ((key: string) => Partial<SettingsDraft>)[] = [
    (key) => ({ teacherModel: key }),
    (key) => ({ teacherUrl: `https://api.example/v1?key=${key}` }),
    (key) => ({ teacherUrl: `https://user:${key}@api.example/v1` }),
    (key) => ({ teacherUrl: `https://api.example/${key}/v1` }),
    (key) => ({ teacherUrl: `api.example?x=${key}` }),
    (key) => ({ model: key }),
    (key) => ({ model: `org/${key}` }),
    (key) => ({ adapter: `org/${key}` }),
    (key) => ({ seed: key }),
    (key) => ({ dataPattern: key, dataName: key }),
  ];
  for (const key of keys)
    for (const place of places) {
      const draft = { ...DEFAULT_DRAFT, teacher: "openai", student: "hub", ...place(key) };
      expect(queryFromDraft(draft, "")).not.toContain(key.slice(4, 20));
      expect(linkOf(draft, "https://h.example/")).not.toContain(key.slice(4, 20));
    }
  expect(queryFromDraft({ ...DEFAULT_DRAFT, teacherUrl: "https://h/v1?k=short" }, "")).not.toContain("short");
  for (const plain of [
    "qwen3:8b",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "meta-llama/Llama-3.2-1B",
    "gpt-4o-mini-2024-07-18",
  ])
    expect(looksLikeKey(plain)).toBe(false);
  const checked = checkSettings({ ...DEFAULT_DRAFT, teacher: "openai", teacherModel: keys[0]! });
  expect(checked.ok ? {} : checked.errors).toHaveProperty("teacherModel");
});

test("the page knows which tasks have a built-in student", () => {
  expect(BUILTIN_STUDENT_TASKS).toEqual(TASKS_WITH_STUDENT);
  expect(Object.keys(TASKS)).toEqual(taskNames);
});

test("empty fields mean what the student needs, and say so", () => {
  const settingsOf = (change: Partial<SettingsDraft>) => {
    const draft = { ...DEFAULT_DRAFT, ...change };
    const checked = checkSettings(draft);
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
    return { said: emptyMeans(draft), config: parseExperimentConfig(experimentsOf(checked.settings)[0]) };
  };
  for (const change of [{}, { student: "hub", model: "a/b" }, { method: "lora" }, { method: "lora", loraR: "4" }]) {
    const { said, config } = settingsOf(change);
    expect(String(config.training.learningRate)).toBe(said.learningRate);
    expect(String(config.training.batchSize)).toBe(said.batchSize);
    if (config.training.method.method === "lora")
      expect(config.training.method).toMatchObject({ loraAlpha: Number(said.loraAlpha) });
  }
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
  const lent = { student: "hub", model: "org/name" };
  expect(experimentOf({ ...lent, adapter: "org/lora@v2" })).toMatchObject({ adapter: "hub:org/lora@v2" });
  expect(experimentOf({ ...lent, adapterFolder: "mine" })).toMatchObject({ adapter: "folder:mine" });
  expect(experimentOf(lent)).not.toHaveProperty("adapter");
  // The built-in student is shown without a field for one.
  expect(experimentOf({ adapter: "org/lora" })).not.toHaveProperty("adapter");
  for (const adapter of ["lora", "a/b/c", "https://x/y"])
    expect(experimentOf({ ...lent, adapter })).toEqual({ adapter: expect.stringContaining("org/name") });
  expect(experimentOf({ ...lent, adapter: "org/lora", adapterFolder: "mine" })).toHaveProperty("adapter");
  expect(experimentOf({ ...lent, adapter: "org/lora", loraR: "4", loraAlpha: "8" })).toEqual({
    loraR: expect.stringContaining("keeps its own"),
    loraAlpha: expect.stringContaining("keeps its own"),
  });
  expect(experimentOf({ student: "folder" })).toEqual({ folder: expect.stringContaining("Choose the folder") });
  expect(experimentOf({ student: "best" })).toHaveProperty("student");
});

test("a chat teacher becomes the experiment's, with a half of every ceiling for each lane", () => {
  expect(Object.keys(TEACHERS).sort()).toEqual([...teacherNames].sort());
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

test("without a teacher the picked seeds' own pairs are trained on, each once, also of the user's own data", () => {
  const experimentOf = (change: Partial<SettingsDraft>) => {
    const checked = checkSettings({ ...DEFAULT_DRAFT, teacher: "none", ...change });
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
    return parseExperimentConfig(experimentsOf(checked.settings)[0]);
  };
  const real = { pairs: "seeds", perSeed: 1, query: { repeats: "avoided" }, teacher: { name: "none" } };
  // New questions per seed, and how often a teacher errs, cannot be wrong without one.
  expect(experimentOf({ perSeed: "x", errorRate: "x" })).toMatchObject(real);
  const own = {
    task: "custom",
    dataName: "own.csv",
    dataDigest: "0f".repeat(32),
    dataQuestion: "q",
    dataAnswer: "a",
    dataChecker: "exact",
  };
  expect(experimentOf(own)).toMatchObject({ ...real, task: { name: "custom", data: { digest: own.dataDigest } } });
  expect(checkSettings({ ...DEFAULT_DRAFT, ...own })).toMatchObject({
    ok: false,
    errors: { teacher: expect.stringContaining("none to train on your own pairs") },
  });
});
