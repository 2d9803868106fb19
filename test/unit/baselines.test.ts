/** @file The complete baselines: each does what its paper says, round by round, and an experiment cannot contradict the baseline it names. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { BASELINES, baselineNames, experimentOfBaseline } from "../../src/loop/baselines.ts";
import type { BaselineName, ExperimentConfig } from "../../src/loop/config.ts";
import { parseBaseline, parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { GenerateOptions, Generation, PromptCompletion } from "../../src/student/types.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { NotingStudent } from "../support/notingStudent.ts";
import { runCli } from "../support/runCli.ts";
import { sumsTask, sumsTeacher } from "../support/sums.ts";

/** Also notes how each list of prompts was answered. */
class Student extends NotingStudent {
  readonly answered: { readonly prompts: number; readonly options: GenerateOptions }[] = [];
  override generate(prompts: readonly string[], options: GenerateOptions): Promise<Generation[]> {
    this.answered.push({ prompts: prompts.length, options });
    return super.generate(prompts, options);
  }
}

const BESIDE = sumsConfig({
  task: { pool: 20, validation: 5, test: 12 },
  rounds: 3,
  querySize: 4,
  perSeed: 2,
  replay: 0.5,
  generation: { maxNewTokens: 40, batchSize: 64 },
});
const SEEDS = sumsTask().splits(BESIDE.task, new Rng(BESIDE.seed).fork("splits")).pool;
const SEED_IDS = SEEDS.map(({ id }) => id);

interface Told {
  readonly config: ExperimentConfig;
  readonly records: readonly LoopRecord[];
  readonly student: Student;
  readonly calls: readonly string[];
}

async function run(name: BaselineName, change: Parameters<typeof sumsConfig>[0] = {}): Promise<Told> {
  const config = experimentOfBaseline(name, { ...BESIDE, ...change } as ExperimentConfig);
  const student = new Student();
  const teacher = sumsTeacher();
  const records = await collect(config, await sumsDeps({ student, teacher }));
  return { config, records, student, calls: teacher.calls };
}

const idsOf = (rows: readonly PromptCompletion[] | undefined): string[] => (rows ?? []).map(({ id = "" }) => id);
const acceptedOf = ({ records }: Told, until: number, from = 0): string[] =>
  ofType(records, "example")
    .map(({ example }) => example)
    .filter(({ accepted, round }) => accepted && round <= until && round >= from)
    .map(({ id }) => id);
const picksOf = ({ records }: Told): string[][] =>
  ofType(records, "picks").map(({ picks }) => picks.map(({ seedId }) => seedId));
const roundsOf = ({ records }: Told) => ofType(records, "round").map(({ summary }) => summary);
const examplesOf = ({ records }: Told) => ofType(records, "example").map(({ example }) => example);

describe("llm2llm", () => {
  it("asks once about every seed answered wrongly, and starts again from the base weights on seeds and all pairs", async () => {
    const told = await run("llm2llm");
    const { records, student, calls } = told;
    // Round 1 finetunes on the seeds: the first student that answers them knows them.
    expect(idsOf(student.trained[0])).toEqual(SEED_IDS);
    expect(roundsOf(told)[1]).toMatchObject({ examples: 0, rows: 20, poolAccuracy: null, stop: null });
    const pools = ofType(records, "pool");
    const picks = ofType(records, "picks");
    expect(pools.map(({ round }) => round)).toEqual(picks.map(({ round }) => round));
    expect(pools[0]?.round).toBe(2);
    for (const [i, pool] of pools.entries()) {
      const wrong = pool.items.filter(({ correct }) => correct === false).map(({ id }) => id);
      expect(pool.items.map(({ id }) => id)).toEqual(SEED_IDS);
      const picked = picks[i]?.picks.map(({ seedId }) => seedId) ?? [];
      for (const id of picked) expect(wrong).toContain(id);
      expect(new Set(picked).size).toBe(Math.min(wrong.length, 24 - acceptedOf(told, pool.round - 1).length));
    }
    for (const example of examplesOf(told)) {
      expect(SEED_IDS).toContain(example.seedId);
      expect([example.operation, example.usage.requests]).toEqual(["vary", 1]);
      expect(example.verification).not.toBe("failed");
    }
    expect(calls.filter((call) => call.startsWith("propose"))).toHaveLength(examplesOf(told).length);
    // As many pairs as the strategies beside it give at most.
    expect(roundsOf(told).at(-1)).toMatchObject({ examples: 24, stop: "budget" });
    student.trained.forEach((rows, i) => expect(idsOf(rows)).toEqual([...acceptedOf(told, i + 1), ...SEED_IDS]));
    expect(student.resets).toBe(1 + student.trained.length);
  });

  it("samples the answers to the seeds as its paper does, and evaluates greedily", async () => {
    const { student } = await run("llm2llm");
    const pool = student.answered.filter(({ prompts }) => prompts === 20);
    const test = student.answered.filter(({ prompts }) => prompts === 12);
    expect(pool.length).toBeGreaterThan(0);
    for (const { options } of pool)
      expect(options).toMatchObject({ temperature: 0.7, topP: 0.9, rng: expect.any(Rng) });
    for (const { options } of test) expect(options.temperature ?? 0).toBe(0);
  });

  it("drops questions that are too like a known one", async () => {
    const told = await run("llm2llm");
    const strict = experimentOfBaseline("llm2llm", BESIDE);
    const records = await collect({ ...strict, maxRougeL: 0.7 }, await sumsDeps({ student: new Student() }));
    const near = ofType(records, "example").filter(({ example }) => example.verification === "near-duplicate");
    expect(near.length).toBeGreaterThan(0);
    for (const { example } of near)
      expect(example.reason).toMatch(/^ROUGE-L (0\.[789]|1\.0)\d*, over 0\.7, with: What is/);
    expect(examplesOf(told).some(({ verification }) => verification === "near-duplicate")).toBe(false);
  });
});

describe("lion", () => {
  it("imitates the last pairs alone, judges all questions so far, and asks as many from hard as from easy ones", async () => {
    const told = await run("lion", { querySize: 8 });
    const { records, student } = told;
    expect(idsOf(student.trained[0])).toEqual(SEED_IDS);
    student.trained.slice(1).forEach((rows, i) => expect(idsOf(rows)).toEqual(acceptedOf(told, i + 2, i + 2)));
    // Only the reset that opens the run.
    expect(student.resets).toBe(1);
    const pools = ofType(records, "pool");
    expect(pools.length).toBeGreaterThan(1);
    for (const pool of pools)
      expect(pool.items.map(({ id }) => id)).toEqual([...SEED_IDS, ...acceptedOf(told, pool.round - 1)]);
    for (const { operation, seedScore = 0 } of examplesOf(told))
      expect(operation).toBe(seedScore >= 1 ? "vary" : "rarer");
    expect(new Set(examplesOf(told).map(({ operation }) => operation))).toEqual(new Set(["vary", "rarer"]));
    let mixed = 0;
    for (const { round, picks } of ofType(records, "picks")) {
      const asked = examplesOf(told).filter((example) => example.round === round);
      const hard = asked.filter(({ seedScore = 0 }) => seedScore >= 1).length;
      const bothKinds = picks.some(({ score }) => (score ?? 0) >= 1) && picks.some(({ score }) => (score ?? 0) < 1);
      if (!bothKinds) continue;
      mixed++;
      expect(Math.abs(2 * hard - asked.length)).toBeLessThanOrEqual(1);
    }
    expect(mixed).toBeGreaterThan(0);
    const judged = roundsOf(told).filter(({ round }) => round > 1);
    for (const { teacher, taught } of judged) expect(teacher.requests).toBeGreaterThan(2 * taught);
  });
});

describe("static", () => {
  it("picks whatever the student does, no seed twice before all were, and trains from the base weights at each point", async () => {
    const told = await run("static");
    const slow = await run("static", { training: { ...BESIDE.training, learningRate: 0.001 } });
    expect(picksOf(told)).toEqual(picksOf(slow));
    expect(picksOf(told).map((picks) => picks.length)).toEqual([4, 4, 4]);
    expect(new Set(picksOf(told).flat()).size).toBe(12);
    expect(examplesOf(told)).toHaveLength(24);
    expect(told.student.resets).toBe(1 + 3);
    told.student.trained.forEach((rows, i) =>
      expect(idsOf(rows).slice(0, acceptedOf(told, i + 1).length)).toEqual(acceptedOf(told, i + 1)),
    );
  });

  it("begins the pool again when it has used it up", async () => {
    const told = await run("static", { querySize: 15 });
    const [first = [], second = [], third = []] = picksOf(told);
    expect(new Set([...first, ...second.slice(0, 5)])).toEqual(new Set(SEED_IDS));
    expect(new Set([...second.slice(5), ...third.slice(0, 10)]).size).toBe(20);
    for (const picks of [first, second, third]) expect(new Set(picks).size).toBe(15);
  });
});

describe("frozen", () => {
  it("keeps the scores of the base student, whom it asks once", async () => {
    const strategy = { name: "true-loss", picker: { kind: "argmax" } } as const;
    const told = await run("frozen", { strategy });
    const pools = ofType(told.records, "pool");
    expect(pools.map(({ round }) => round)).toEqual([1, 2, 3]);
    for (const pool of pools) expect(pool.items).toEqual(pools[0]?.items);
    expect(told.student.scored).toHaveLength(20);
    const scores = ofType(told.records, "picks").map(({ picks }) => picks.map(({ score }) => score));
    expect(scores).toEqual([scores[0], scores[0], scores[0]]);
    const fresh = ofType(await collect({ ...BESIDE, strategy }, await sumsDeps()), "pool");
    expect(fresh[0]?.items).toEqual(pools[0]?.items);
    expect(fresh[1]?.items).not.toEqual(pools[0]?.items);
  });

  it("says nothing of how the pool is answered later", async () => {
    const told = await run("frozen");
    expect(told.student.answered.filter(({ prompts }) => prompts === 20)).toHaveLength(1);
    expect(roundsOf(told).map(({ poolAccuracy }) => poolAccuracy)).toEqual([null, expect.any(Number), null, null]);
  });

  it("compares seeds by the base student's embeddings, which a student that never learns has in every round", async () => {
    class Still extends Student {
      override async *train(): ReturnType<NotingStudent["train"]> {}
    }
    const strategy = { name: "badge", picker: { kind: "argmax" } } as const;
    const told = await run("frozen", { strategy });
    const picksWith = async (student: Student) => {
      const records = await collect({ ...BESIDE, strategy }, await sumsDeps({ student }));
      return picksOf({ ...told, records });
    };
    expect(picksOf(told)).toEqual(await picksWith(new Still()));
    expect(picksOf(told)).not.toEqual(await picksWith(new Student()));
    // It learned all the same.
    expect(roundsOf(told)[3]?.meanLoss).toBeLessThan(roundsOf(told)[1]?.meanLoss ?? 0);
  });
});

describe("real", () => {
  it("trains on seeds with their own answers, as many as the strategies have pairs, until there are none", async () => {
    const told = await run("real");
    expect(told.config).toMatchObject({ querySize: 8, perSeed: 1 });
    expect(roundsOf(told).map(({ examples, rows, stop }) => [examples, rows, stop])).toEqual([
      [0, 0, null],
      [8, 8, null],
      [16, 16, null],
      [20, 20, "used-up"],
    ]);
    expect(told.calls).toEqual([]);
    const answers = new Map(SEEDS.map(({ id, question, answer }) => [id, { question, answer }]));
    for (const example of examplesOf(told)) {
      if (!example.accepted) continue;
      expect(example).toMatchObject({ operation: "copy", ...answers.get(example.seedId) });
    }
    const rows = told.student.trained[1] ?? [];
    expect(rows).toHaveLength(16);
    expect(new Set(rows.map(({ completion }) => completion)).size).toBeGreaterThan(8);
    expect(told.student.resets).toBe(1 + 3);
  });
});

it("all-seeds trains once on the seeds, base on nothing", async () => {
  const all = await run("all-seeds");
  expect(roundsOf(all).map(({ rows, examples }) => [rows, examples])).toEqual([
    [0, 0],
    [20, 0],
  ]);
  expect(idsOf(all.student.trained[0])).toEqual(SEED_IDS);
  const base = await run("base");
  expect(roundsOf(base).map(({ round, stop }) => [round, stop])).toEqual([[0, "rounds"]]);
  expect([...all.calls, ...base.calls, ...base.student.trained]).toEqual([]);
});

describe("an experiment that names a baseline", () => {
  it.each(baselineNames)("%s has its settings, and reads as the same again", (baseline) => {
    const config = parseExperimentConfig({ baseline });
    expect(parseExperimentConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    const beside = parseBaseline(baseline, { rounds: 2, querySize: 10, perSeed: 3 }, {}, "experiment");
    expect(parseExperimentConfig(JSON.parse(JSON.stringify(beside)))).toEqual(beside);
    expect(beside.baseline).toBe(baseline);
  });

  it("is fitted to the experiment it is put beside", () => {
    const beside = { rounds: 2, querySize: 10, perSeed: 3, task: { pool: 25 } };
    const of = (name: BaselineName, own: object = {}) => parseBaseline(name, beside, own, "experiment");
    expect(of("real")).toMatchObject({ querySize: 25, perSeed: 1, rounds: 2 });
    expect(of("static")).toMatchObject({ querySize: 10, perSeed: 3, rounds: 2, restart: true });
    expect(of("llm2llm")).toMatchObject({ querySize: 25, rounds: 10, budget: { examples: 60 }, maxRougeL: 0.95 });
    expect(of("lion")).toMatchObject({ querySize: 10, rounds: 3, budget: { examples: 60 }, maxRougeL: 0.7 });
    expect(of("lion", { maxRougeL: 0.9, querySize: 5 })).toMatchObject({ querySize: 5, maxRougeL: 0.9 });
    expect(of("llm2llm").teacher).toMatchObject({ calls: "one", operations: ["vary"] });
  });

  it("keeps the sizes and thresholds that are given", () => {
    expect(parseExperimentConfig({ baseline: "llm2llm", querySize: 7, query: { topP: 0.5 }, rounds: 4 })).toMatchObject(
      {
        querySize: 7,
        rounds: 4,
        query: { temperature: 0.7, topP: 0.5 },
      },
    );
  });

  it("asks a chat teacher as the baseline does", () => {
    const teacher = { name: "openai", chat: { model: "m" } };
    const config = parseExperimentConfig({ baseline: "llm2llm", teacher });
    expect(config.teacher).toMatchObject({ chat: { calls: "one", model: "m" }, operations: ["vary"] });
    expect(config.teacher.calls).toBeUndefined();
  });

  it.each([
    [
      { baseline: "llm2llm", restart: false },
      /^experiment\.restart: expected true, as the baseline llm2llm has it, got false\. Leave it out/,
    ],
    [{ baseline: "llm2llm", strategy: { name: "random" } }, /strategy\.name: expected "incorrect", .* got "random"/],
    [{ baseline: "lion", strategy: { answer: "own" } }, /strategy\.answer: expected no such setting, .* got "own"/],
    [{ baseline: "frozen", query: { scores: "fresh" } }, /query\.scores: expected "frozen", .* got "fresh"/],
    [{ baseline: "base", rounds: 2 }, /rounds: expected 0, as the baseline base has it, got 2/],
    [{ baseline: "lion", teacher: { operations: ["simplify"] } }, /teacher\.operations: expected \["vary"\]/],
    [
      { strategy: { name: "random" }, teacher: { easyOperations: ["rarer"] } },
      /teacher\.easyOperations: expected none with the strategy random, which tells no hard picks from easy ones/,
    ],
    [{ baseline: "best" }, /baseline: expected one of "base", "real", .*"lion", got "best"/],
  ])("refuses %j", (value, message) => {
    expect(() => parseExperimentConfig(value)).toThrow(message);
  });
});

it("docs/strategies.md and --help list every baseline with its sentence", async () => {
  const page = await readFile(new URL("../../docs/strategies.md", import.meta.url), "utf8");
  const { out } = await runCli(["loop", "--help"]);
  for (const name of baselineNames) {
    expect(page).toContain(`\n| \`${name}\` | ${BASELINES[name].description} |\n`);
    expect(out).toContain(`  ${name.padEnd(10)}${BASELINES[name].description}\n`);
  }
});
