/** @file A study file becomes the right experiments, wrong ones are refused before anything runs, and shards are a fair division. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeSettings, planStudy } from "../../src/loop/study/planStudy.ts";
import { cellsOfShard, estimateWork, parseShard } from "../../src/loop/study/shards.ts";
import { cosineOfMeans, dispersionOf } from "../../src/loop/study/measureRun.ts";

const STUDY = {
  name: "s",
  experiment: { rounds: 2, querySize: 10, training: { epochs: 1 } },
  tasks: ["word-problems", { label: "hard", task: { name: "algebra", pool: 50 }, training: { learningRate: 0.001 } }],
  strategies: [
    "random",
    { label: "soft", strategy: { name: "own-loss", picker: { kind: "softmax" } } },
    "baseline:static",
  ],
  seeds: [3, 1],
  quick: { experiment: { rounds: 1 }, seeds: [7] },
};
const plan = (value: unknown, options = {}) => planStudy(value, "s.json", options).plan;
const refusal = (change: object): string => {
  try {
    plan({ ...STUDY, ...change });
  } catch (error) {
    return (error as Error).message;
  }
  return "taken";
};

test("the grid is tasks × seeds × strategies, later layers over earlier ones", () => {
  const { cells, strategies, reference } = plan(STUDY);
  expect(cells).toHaveLength(2 * 3 * 2);
  expect(cells[0]?.id).toBe("word-problems.random.seed3");
  expect(cells[7]?.id).toBe("hard.soft.seed3");
  expect(cells[7]?.config).toMatchObject({
    name: "hard.soft.seed3",
    seed: 3,
    rounds: 2,
    querySize: 10,
    task: { name: "algebra", pool: 50 },
    strategy: { name: "own-loss", picker: { kind: "softmax", temperature: 1 } },
    training: { epochs: 1, learningRate: 0.001 },
  });
  expect(cells[2]?.config.baseline).toBe("static");
  expect([strategies, reference]).toEqual([["random", "soft", "baseline:static"], "random"]);
});

test("runs of one task and seed differ in what the strategy sets alone", () => {
  const { cells } = plan(STUDY);
  const [random, soft] = cells;
  expect({ ...soft?.config, name: "", strategy: "" }).toEqual({ ...random?.config, name: "", strategy: "" });
});

test("options are an axis of their own, and --quick replaces what it names", () => {
  const variants = plan({ ...STUDY, options: [{ label: "go on" }, { label: "restart", restart: true }] });
  expect(variants.cells).toHaveLength(24);
  expect(variants.cells.map(({ id }) => id)).toContain("hard.restart.soft.seed1");
  for (const { option, strategy, config } of variants.cells)
    expect(config.restart).toBe(option === "restart" || strategy === "baseline:static");
  const quick = plan(STUDY, { quick: true });
  expect([quick.name, quick.seeds, quick.cells.length]).toEqual(["s-quick", [7], 6]);
  expect(quick.cells[0]?.config).toMatchObject({ rounds: 1, querySize: 10 });
  const { quick: _, ...whole } = STUDY;
  expect(() => plan(whole, { quick: true })).toThrow("s.json.quick: expected what --quick changes, got nothing");
});

test("a complete baseline stands beside the experiment, with its own rounds and what its entry says itself", () => {
  const { cells } = plan({
    ...STUDY,
    experiment: { rounds: 4, querySize: 10, restart: false, replay: 0.5 },
    tasks: ["word-problems"],
    seeds: [1],
    strategies: [
      "random",
      "baseline:base",
      "baseline:llm2llm",
      { label: "loose", baseline: "llm2llm", maxRougeL: 0.99 },
    ],
  });
  const [, base, llm2llm, loose] = cells.map(({ config }) => config);
  expect(base).toMatchObject({ baseline: "base", rounds: 0 });
  expect(llm2llm).toMatchObject({ restart: true, replay: "all", maxRougeL: 0.95, budget: { examples: 160 } });
  expect(loose).toEqual({ ...llm2llm, name: loose?.name, maxRougeL: 0.99 });
  expect(refusal({ strategies: [{ baseline: "llm2llm", restart: false }] })).toMatch(
    /run word-problems\.baseline-llm2llm\.seed3\.restart: expected true, as the baseline llm2llm has it, got false/,
  );
});

test("a strategy, a picker and a method are replaced whole", () => {
  expect(
    mergeSettings(
      { strategy: { name: "a", share: 1 }, task: { pool: 1 } },
      { strategy: { name: "b" }, task: { test: 2 } },
    ),
  ).toEqual({
    strategy: { name: "b" },
    task: { pool: 1, test: 2 },
  });
});

test.each([
  [
    "an unknown strategy",
    { strategies: ["randm"] },
    /^s\.json\.strategies\.0: expected a strategy's name \(.*"own-loss".*"baseline:lion".*got "randm"/,
  ],
  [
    "an unknown strategy in settings",
    { strategies: [{ strategy: { name: "x" } }] },
    /^s\.json\.strategies\.0: expected strategy\.name to be one of "random", /,
  ],
  [
    "an unknown task",
    { tasks: ["maths"] },
    /^s\.json\.tasks\.0: expected a task's name \("word-problems", .*got "maths"/,
  ],
  [
    "a strategy that changes the task",
    { strategies: [{ strategy: { name: "random" }, task: { pool: 3 } }] },
    /^s\.json\.strategies\.0: expected .*one of the keys/,
  ],
  [
    "a seed in an option",
    { options: [{ label: "a", seed: 4 }] },
    /^s\.json\.options\.0\.seed: expected one of the keys/,
  ],
  ["equal seeds", { seeds: [1, 1] }, /^s\.json\.seeds: expected each seed once, got \[1, 1\]/],
  ["no seeds", { seeds: [] }, /^s\.json\.seeds: expected at least one of seeds/],
  [
    "equal labels",
    { strategies: ["random", "random"] },
    /^s\.json\.strategies\.1: expected a label unlike the others .* got "random" twice/,
  ],
  ["labels that make one folder", { options: [{ label: "a b" }, { label: "a/b" }] }, /too like "a b"/],
  [
    "a misspelt setting",
    { experiment: { querysize: 3 } },
    /^s\.json\.experiment\.querysize: expected one of the keys .*querySize/,
  ],
  [
    "a query size over the pool",
    { experiment: { querySize: 500 } },
    /^s\.json, run word-problems\.random\.seed3\.querySize: expected at most task\.pool = 200, got 500/,
  ],
  [
    "an empty pool",
    { experiment: { task: { pool: 0 } } },
    /^s\.json\.experiment\.task\.pool: expected a whole number from 1 /,
  ],
  [
    "a budget of nothing",
    { experiment: { budget: { examples: 0 } } },
    /^s\.json\.experiment\.budget\.examples: expected a whole number from 1 /,
  ],
  [
    "a budget that no round can fill",
    { experiment: { budget: { examples: 601 } } },
    /^s\.json, run word-problems\.random\.seed3\.budget\.examples: expected at most rounds × querySize × perSeed = 3 × 50 × 4 = 600, got 601/,
  ],
  [
    "money without a price",
    { experiment: { budget: { costUsd: 1 } } },
    /\.budget\.costUsd: expected a price to count with/,
  ],
  [
    "an unknown reference",
    { analysis: { reference: "none" } },
    /^s\.json\.analysis\.reference: expected one of the strategies "random", "soft", "baseline:static", got "none"/,
  ],
  ["a list", { tasks: "word-problems" }, /^s\.json\.tasks: expected a list of tasks, got "word-problems"/],
])("%s is refused, naming the field and what is allowed", (_, change, message) => {
  expect(refusal(change)).toMatch(message);
});

test("shards are disjoint, whole, the same for everyone, and balanced to one run", () => {
  const { cells } = plan({ ...STUDY, seeds: [1, 2, 3, 4, 5] });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
      const shards = Array.from({ length: count }, (_, i) => cellsOfShard(cells, { index: i + 1, count }));
      expect(
        shards
          .flat()
          .map(({ id }) => id)
          .sort(),
      ).toEqual(cells.map(({ id }) => id).sort());
      const loads = shards.map((shard) => shard.reduce((sum, { config }) => sum + estimateWork(config), 0));
      const largest = Math.max(...cells.map(({ config }) => estimateWork(config)));
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(largest);
      expect(cellsOfShard([...cells], { index: 1, count })).toEqual(shards[0]);
    }),
    { numRuns: 20 },
  );
  expect(parseShard("2/4")).toEqual({ index: 2, count: 4 });
  for (const text of ["0/4", "5/4", "1", "a/b", "1/0"])
    expect(() => parseShard(text)).toThrow("--shard: expected i/n with i from 1 to n");
});

test("work follows what is generated, scored and trained on; a ceiling ends it", () => {
  const config = plan({ ...STUDY, tasks: ["word-problems"] }).cells[0]?.config;
  if (config === undefined) throw new Error("a first cell");
  const task = { ...config.task, pool: 100, test: 50 };
  const base = { ...config, task, rounds: 2, querySize: 10, perSeed: 1, replay: 0, accumulate: true };
  // Three evaluations; 10 and then 20 rows.
  expect(estimateWork(base)).toBe(150 + 30);
  expect(estimateWork({ ...base, strategy: { ...base.strategy, name: "own-loss" } })).toBe(150 + 30 + 400);
  expect(estimateWork({ ...base, accumulate: false, replay: 1 })).toBe(150 + 40);
  expect(estimateWork({ ...base, rounds: 9, budget: { examples: 20 } })).toBe(estimateWork(base));
  expect(estimateWork({ ...base, replay: "all" })).toBe(150 + 30 + 200);
  expect(estimateWork({ ...base, rounds: 0 })).toBe(50);
});

test("dispersion and the cosine of means are those of the vectors behind the products", () => {
  const products = (rows: readonly (readonly number[])[]) =>
    rows.flatMap((a) => rows.map((b) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)));
  // Mean (1, 1), mean square 3: variance 1.
  expect(
    dispersionOf(
      products([
        [2, 1],
        [0, 1],
      ]),
      2,
    ),
  ).toBeCloseTo(1 / 3, 12);
  expect(
    dispersionOf(
      products([
        [1, 1],
        [1, 1],
      ]),
      2,
    ),
  ).toBe(0);
  expect(dispersionOf([0, 0, 0, 0], 2)).toBeNull();
  // Means (1, 0) and (1, 1).
  expect(
    cosineOfMeans(
      products([
        [1, 1],
        [1, -1],
        [1, 1],
      ]),
      2,
      1,
    ),
  ).toBeCloseTo(Math.SQRT1_2, 12);
  expect(
    cosineOfMeans(
      products([
        [1, 1],
        [-1, -1],
        [1, 1],
      ]),
      2,
      1,
    ),
  ).toBeNull();
});
