/** @file From unknown JSON to an experiment: defaults, and errors that name field, expectation and value. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { BadInputError } from "../../src/core/errors.ts";
import { DEFAULT_EXPERIMENT, TASK_DEFAULTS } from "../../src/loop/defaults.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { VERSION } from "../../src/loop/version.ts";
import { answerTokens, taskNames } from "../../src/tasks/registry.ts";

/** What `work` returns, or the `BadInputError` it throws; any other error is thrown on. */
function attempt<R>(work: () => R): R | BadInputError {
  try {
    return work();
  } catch (error) {
    if (error instanceof BadInputError) return error;
    throw error;
  }
}

describe("parseExperimentConfig", () => {
  it("gives the default experiment for an empty object", () => {
    expect(parseExperimentConfig({})).toEqual(DEFAULT_EXPERIMENT);
  });

  it("reads its own output as the same experiment", () => {
    expect(parseExperimentConfig(JSON.parse(JSON.stringify(DEFAULT_EXPERIMENT)))).toEqual(DEFAULT_EXPERIMENT);
  });

  it("fills what is missing in a group and keeps what is there", () => {
    const config = parseExperimentConfig({
      rounds: 7,
      training: { learningRate: 0.01, method: { method: "lora", r: 4 } },
      strategy: { name: "random" },
    });
    expect(config.rounds).toBe(7);
    expect(config.training).toEqual({
      ...DEFAULT_EXPERIMENT.training,
      learningRate: 0.01,
      method: { method: "lora", r: 4, loraAlpha: 16, targetModules: "all-linear" },
    });
    expect(config.strategy).toEqual({ name: "random", picker: DEFAULT_EXPERIMENT.strategy.picker });
  });

  it("fills what is missing with the defaults of the task it names, where it has some", () => {
    const { task: sizes, training, generation, ...rest } = DEFAULT_EXPERIMENT;
    expect(Object.keys(TASK_DEFAULTS).filter((name) => !taskNames.includes(name))).toEqual([]);
    for (const [name, own] of Object.entries(TASK_DEFAULTS)) {
      const asked = { task: { name }, training: { epochs: 7 } };
      expect(parseExperimentConfig(asked)).toEqual({
        ...rest,
        ...own,
        task: { ...sizes, ...own.task, name },
        training: { ...training, ...own.training, epochs: 7 },
        generation: { ...generation, maxNewTokens: answerTokens(name) },
      });
      expect(parseExperimentConfig({ ...asked, perSeed: 2, training: { learningRate: 0.1 } })).toMatchObject({
        perSeed: 2,
        training: { learningRate: 0.1 },
      });
    }
    expect(parseExperimentConfig({ task: { name: "prontoqa" } }).training).toEqual(training);
    // What is no group stays as it is, to be refused by name.
    expect(() => parseExperimentConfig({ task: { name: "algebra" }, training: 3 })).toThrow(/experiment\.training/);
  });

  it("takes a strategy's own settings, and every picker", () => {
    const strategy = { name: "entropy", picker: { kind: "rank" }, answer: "true", reduction: "sum" } as const;
    expect(parseExperimentConfig({ strategy }).strategy).toEqual({
      ...strategy,
      picker: { kind: "rank", exponent: 1 },
    });
    const proportional = { kind: "proportional", exponent: 0.6 };
    expect(parseExperimentConfig({ strategy: { picker: proportional } }).strategy.picker).toEqual(proportional);
  });

  it("gives an answer as much room as the task needs, unless it is told how much", () => {
    const room = (value: unknown) => parseExperimentConfig(value).generation.maxNewTokens;
    const task = (name: string) => (name === "custom" ? { name, data: { pool: "rows.csv" } } : { name });
    expect(taskNames.map((name) => room({ task: task(name) }))).toEqual(taskNames.map(answerTokens));
    expect(room({ task: { name: "game24" } })).toBeGreaterThan(room({}));
    expect(room({ task: { name: "game24" }, generation: { maxNewTokens: 7 } })).toBe(7);
  });

  it("reads what is said about data of the user's own", () => {
    const data = {
      pool: "a.csv",
      test: "b.csv",
      checker: "choice",
      columns: { question: "q", answer: ["why", "key"] },
    };
    const { task } = parseExperimentConfig({ task: { name: "custom", data } });
    expect(task.data).toEqual({ ...data, columns: { question: ["q"], answer: ["why", "key"] } });
  });

  it("hands the budget to a chat teacher's own ceilings, which count requests in flight, where it is the lower", () => {
    const limitsOf = (budget: object, limits: object) =>
      parseExperimentConfig({
        budget,
        teacher: { name: "openai", chat: { model: "m", price: { promptUsd: 1, completionUsd: 2 }, limits } },
      }).teacher.chat?.limits;
    expect(limitsOf({ teacherTokens: 5000, costUsd: 2 }, { maxRequests: 9 })).toEqual({
      maxRequests: 9,
      maxTokens: 5000,
      maxCostUsd: 2,
    });
    expect(limitsOf({ teacherTokens: 5000 }, { maxTokens: 100 })).toEqual({ maxTokens: 100 });
    expect(limitsOf({ examples: 5 }, {})).toEqual({});
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["no object", 7, /^experiment: expected an object with keys among schemaVersion, .*, got 7$/],
    ["null", null, /^experiment: expected an object with keys among .*, got null$/],
    ["a list", [], /^experiment: expected an object, got a list$/],
    ["a list for a group", { task: [] }, /^experiment\.task: expected an object or a single value, got a list$/],
    [
      "an unknown key",
      { querysize: 3 },
      /^experiment\.querysize: expected one of the keys .*querySize.*, got "querysize"$/,
    ],
    [
      "an unknown key in a group",
      { training: { lr: 1 } },
      /^experiment\.training\.lr: expected one of the keys method, epochs, .*, got "lr"$/,
    ],
    ["a text for a number", { rounds: "3" }, /^experiment\.rounds: expected a whole number from 0 to 1000, got "3"$/],
    [
      "a setting that the strategy does not have",
      { strategy: { name: "own-loss", answer: "own" } },
      /^experiment\.strategy\.answer: expected one of the settings of own-loss: reduction, got "own"\. Leave it out$/,
    ],
    ["a fraction", { querySize: 1.5 }, /^experiment\.querySize: expected a whole number from 1 to 1000000, got 1\.5$/],
    ["null for a number", { seed: null }, /^experiment\.seed: expected a whole number from 0 to 2147483647, got null$/],
    ["not a number", { replay: NaN }, /^experiment\.replay: expected a number from 0 to 100, or "all", got NaN$/],
    [
      "an infinite number",
      { training: { epochs: Infinity } },
      /^experiment\.training\.epochs: expected a number over 0, at most 10000, got Infinity$/,
    ],
    ["a learning rate of zero", { training: { learningRate: 0 } }, /learningRate: expected a number over 0/],
    [
      "an unknown strategy",
      { strategy: { name: "best" } },
      /^experiment\.strategy\.name: expected one of "random", "own-loss", "true-loss", .*, got "best"$/,
    ],
    [
      "an unknown task",
      { task: { name: "chess" } },
      /^experiment\.task\.name: expected one of "word-problems".*, got "chess"$/,
    ],
    [
      "an unknown picker",
      { strategy: { picker: { kind: "best" } } },
      /picker\.kind: expected a picker with kind "argmax", "softmax", .*"above", got "best"$/,
    ],
    [
      "a picker's misplaced setting",
      { strategy: { picker: { kind: "argmax", temperature: 1 } } },
      /picker\.temperature: expected one of the keys kind, got "temperature"$/,
    ],
    [
      "a method by name alone",
      { training: { method: "lora" } },
      /training\.method: expected a method with method "full" or "lora", got "lora"$/,
    ],
    [
      "no targets",
      { training: { method: { method: "lora", targetModules: [] } } },
      /targetModules: expected "all-linear" or a list of at least one module name, got 0$/,
    ],
    ["no operation", { teacher: { operations: [] } }, /operations: expected at least one operation, got 0$/],
    ["an operation twice", { teacher: { operations: ["vary", "vary"] } }, /operations: expected each operation once/],
    [
      "a newer schema",
      { schemaVersion: 2 },
      /^experiment\.schemaVersion: expected 1, the version this build reads, got 2$/,
    ],
    [
      "more picks than seeds",
      { task: { pool: 5 }, querySize: 6 },
      /^experiment\.querySize: expected at most task\.pool = 5, got 6\. Picks of a round are distinct/,
    ],
    [
      "nothing to evaluate on",
      { task: { test: 0 } },
      /^experiment\.task\.test: expected at least 1, because task\.evaluateOn names it, got 0$/,
    ],
    [
      "the user's own task without data",
      { task: { name: "custom" } },
      /task\.data: expected data files for the task "custom"/,
    ],
    [
      "data for a task that makes its own",
      { task: { name: "game24", data: { pool: "x" } } },
      /task\.data: .*got some for the task "game24"/,
    ],
    ["data without a file", { task: { name: "custom", data: {} } }, /task\.data\.pool: expected a value, got nothing/],
    [
      "an unknown checker",
      { task: { name: "custom", data: { pool: "x", checker: "vibes" } } },
      /task\.data\.checker: expected one of "exact", "numeric", .*got "vibes"/,
    ],
    [
      "columns that are none",
      { task: { name: "custom", data: { pool: "x", columns: { question: 3 } } } },
      /columns\.question: expected a column name or a list of them, got 3/,
    ],
    [
      "no teacher for rounds",
      { teacher: { name: "none" } },
      /rounds: expected rounds 0 with the teacher "none", who writes nothing, got 3/,
    ],
    [
      "a budget of money that nothing is counted with",
      { budget: { costUsd: 1 } },
      /budget\.costUsd: expected a price to count with \(teacher\.price\), got none/,
    ],
    ["a budget of nothing", { budget: { examples: 0 } }, /budget\.examples: expected a whole number from 1 to/],
    [
      "stopping by questions that are not there",
      { stop: { target: 0.9 }, task: { validation: 0 } },
      /task\.validation: expected at least 1, because stop\.target and stop\.plateau look at it, got 0/,
    ],
    [
      "frozen scores of candidates that come later",
      { query: { scores: "frozen", candidates: "all" } },
      /query\.candidates: expected "seeds" with frozen scores/,
    ],
    [
      "frozen scores of a student that was finetuned",
      { query: { scores: "frozen" }, warmUp: "seeds" },
      /warmUp: expected "none" with frozen scores/,
    ],
    ["balance without two kinds", { balance: true }, /balance: expected false with the strategy own-loss/],
    [
      "calls of a chat teacher in the wrong place",
      { teacher: { name: "openai", calls: "one", chat: { model: "m" } } },
      /teacher\.calls: expected none with a chat teacher, which has teacher\.chat\.calls/,
    ],
    ["replay of nothing known", { replay: "some" }, /replay: expected a number from 0 to 100, or "all", got "some"/],
    ["a key that objects inherit", { constructor: 1 }, /^experiment\.constructor: expected one of the keys/],
  ];
  it.each(wrong)("refuses %s", (_what, value, message) => {
    expect(() => parseExperimentConfig(value)).toThrow(BadInputError);
    expect(() => parseExperimentConfig(value)).toThrow(message);
  });

  it("names every wrong field, up to five, and counts the rest", () => {
    const many = { rounds: -1, querySize: 0, perSeed: 0, restart: 1, accumulate: "yes", replay: -1, seed: -1 };
    expect(() => parseExperimentConfig(many)).toThrow(
      /seed: .*; .*rounds: .*; .*querySize: .*; .*perSeed: .*; .*restart: expected true or false, got 1; and 2 more$/,
    );
  });

  it("says where the experiment came from", () => {
    expect(() => parseExperimentConfig({ rounds: -1 }, "exp.json")).toThrow(/^exp\.json\.rounds: /);
  });

  it("either parses to a fixed point or throws bad input, whatever JSON it gets", () => {
    const keys = ["rounds", "task", "pool", "strategy", "picker", "kind", "training", "method", "teacher", "seed", "x"];
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(0, 1, 2.5, -1, null, "lora", "argmax", true),
        fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 4 }),
        fc.array(tie("value"), { maxLength: 2 }),
      ),
    }));
    fc.assert(
      fc.property(value, (json) => {
        const parsed = attempt(() => parseExperimentConfig(json));
        const again = attempt(() => (parsed instanceof BadInputError ? parsed : parseExperimentConfig(parsed)));
        expect(again).toEqual(parsed);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the version in manifests", () => {
  it("is that of package.json", () => {
    expect(VERSION).toBe(packageJson.version);
  });
});
