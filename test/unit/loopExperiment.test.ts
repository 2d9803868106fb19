/** @file The experiment that command-line options make: every setting of a loop has an option, and none is dropped in silence. */
import { expect, it } from "vitest";
import { experimentOf } from "../../src/cli/loopExperiment.ts";
import { LOOP_OPTIONS } from "../../src/cli/loopOptions.ts";
import { Options } from "../../src/cli/options.ts";
import { DEFAULT_EXPERIMENT } from "../../src/loop/defaults.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";

const of = (line: string, file: unknown = {}, chat: Readonly<Record<string, unknown>> = {}) =>
  experimentOf(file, "experiment", Options.parse("loop", line.split(" ").filter(Boolean), LOOP_OPTIONS, 1), chat);

it("is the default without any, and the file's where they are silent", () => {
  expect(of("")).toEqual(DEFAULT_EXPERIMENT);
  const file = { rounds: 7, strategy: { name: "entropy", answer: "true" }, budget: { examples: 9 } };
  expect(of("--query-size 5", file)).toEqual(parseExperimentConfig({ ...file, querySize: 5 }));
  expect(of("--budget-tokens 50", file).budget).toEqual({ examples: 9, teacherTokens: 50 });
});

it.each([
  ["--scores frozen --repeats avoided", { query: { scores: "frozen", repeats: "avoided" } }],
  [
    "--candidates all --own-temperature 0.7 --own-top-p 0.9",
    { query: { candidates: "all", temperature: 0.7, topP: 0.9 } },
  ],
  ["--pairs seeds --per-seed 1", { pairs: "seeds", perSeed: 1 }],
  ["--verification off --max-rouge-l 0.7", { verification: "off", maxRougeL: 0.7 }],
  ["--strategy lion --balance", { strategy: { name: "lion" }, balance: true }],
  [
    "--warm-up seeds --after-round restart --train-on last --replay all",
    { warmUp: "seeds", restart: true, accumulate: false, replay: "all" },
  ],
  ["--replay 2", { replay: 2 }],
  [
    "--budget-examples 3 --budget-cost 1",
    { budget: { examples: 3, costUsd: 1 } },
    { price: { promptUsd: 1, completionUsd: 2 } },
  ],
  ["--stop-target 0.9 --stop-plateau 3 --stop-min-gain 0.01", { stop: { target: 0.9, plateau: 3, minGain: 0.01 } }],
  ["--score-synthetic", { scoreSynthetic: true }],
  ["--operations vary,simplify", { teacher: { operations: ["vary", "simplify"] } }],
  [
    "--mixture rare --task prontoqa",
    {
      task: { name: "prontoqa", mixture: { clusters: { article: 1 } }, poolMixture: { clusters: { plain: 9 } } },
      teacher: { operations: ["vary"] },
    },
  ],
  ["--mixture rare --operations simplify,vary", { teacher: { operations: ["simplify", "vary"] } }],
  ["--picker above --threshold 0.5", { strategy: { picker: { kind: "above", threshold: 0.5 } } }],
  [
    "--set strategy.reduction=sum,training.warmupSteps=0,name=mine",
    { strategy: { reduction: "sum" }, training: { warmupSteps: 0 }, name: "mine" },
  ],
] satisfies readonly (readonly [string, object, object?])[])(
  "of %s has those settings",
  (line: string, settings: object, chat: Readonly<Record<string, unknown>> = {}) => {
    expect(of(line, {}, chat)).toMatchObject(settings);
  },
);

it("makes the rare kind that of the file's task, and knows none of one's own questions", () => {
  const file = { task: { name: "algebra" }, teacher: { operations: ["vary", "simplify"] } };
  expect(of("--mixture rare", file)).toMatchObject({
    task: { name: "algebra", mixture: { clusters: { "in words": 1 } } },
    teacher: { operations: ["vary", "simplify"] },
  });
  expect(of("--mixture task", file).task).not.toHaveProperty("mixture.clusters");
  expect(() => of("--mixture rare --task custom")).toThrow(
    "--mixture: expected task, or rare with --task word-problems, prontoqa, algebra, game24, got rare with --task custom",
  );
});

it("gives calls and price to the teacher that has them", () => {
  const chat = { calls: "one", price: { promptUsd: 1, completionUsd: 2 } };
  expect(of("", {}, chat).teacher).toMatchObject(chat);
  expect(of("--teacher openai", {}, { ...chat, model: "m" }).teacher.chat).toMatchObject(chat);
});

it("keeps the file's picker, with another setting of its own", () => {
  const file = { strategy: { picker: { kind: "softmax", temperature: 3 } } };
  expect(of("--temperature 0.5", file).strategy.picker).toEqual({ kind: "softmax", temperature: 0.5 });
  expect(of("--strategy entropy", file).strategy.picker).toEqual({ kind: "softmax", temperature: 3 });
  expect(() => of("--exponent 2", file)).toThrow(
    /^--exponent: expected the picker proportional or rank, got the picker softmax$/,
  );
});

it("puts a baseline beside what the others describe, and refuses what contradicts it", () => {
  const file = { rounds: 2, querySize: 10, perSeed: 3, restart: false, replay: 1, task: { pool: 40 } };
  expect(of("--baseline real", file)).toMatchObject({
    baseline: "real",
    querySize: 30,
    perSeed: 1,
    restart: true,
    replay: 0,
  });
  expect(of("--baseline llm2llm --per-seed 2", file)).toMatchObject({
    budget: { examples: 40 },
    perSeed: 1,
    querySize: 40,
  });
  expect(of("--baseline static", { ...file, baseline: "lion", perSeed: 3 }).baseline).toBe("static");
  expect(() => of("--baseline static --after-round continue", file)).toThrow(
    /restart: expected true, as the baseline static has it, got false/,
  );
  expect(() => of("--baseline static --set restart=false", file)).toThrow(/restart: expected true/);
});

it("names what it cannot read", () => {
  expect(() => of("--set reduction")).toThrow(/^--set: expected settings such as strategy\.reduction=sum/);
  expect(() => of("--set training.lr=1")).toThrow(/training\.lr: expected one of the keys method, epochs/);
  expect(() => of("--train-on some")).toThrow(/^--train-on: expected one of all, last, got "some"$/);
});

it("holds an adapter's frozen weights as --weights says, the file's adapter's too, and refuses it without one", () => {
  expect(of("--method lora --weights float16").training.method).toEqual({
    method: "lora",
    r: 8,
    loraAlpha: 16,
    targetModules: "all-linear",
    frozenWeights: "float16",
  });
  const file = { training: { method: { method: "lora", r: 3 } } };
  expect(of("--weights float16", file).training.method).toMatchObject({ r: 3, frozenWeights: "float16" });
  expect(of("", file).training.method).not.toHaveProperty("frozenWeights");
  expect(() => of("--weights float16")).toThrow("--weights: expected --method lora beside it, got full training");
  expect(of("--generation-batch-size 4").generation.batchSize).toBe(4);
});
