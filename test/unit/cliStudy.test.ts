/** @file `tutelage study`: the same bytes again, whatever interrupted or divided it; failures kept and tried again; bad input refused before anything is written. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { CPU, runCli, Workspace, type CliResult } from "../support/runCli.ts";

const space = new Workspace();
afterAll(() => space.remove());

const SMALL = {
  task: { pool: 6, validation: 4, test: 4 },
  rounds: 1,
  querySize: 2,
  perSeed: 1,
  training: { epochs: 1 },
  generation: { maxNewTokens: 24 },
};
const STUDY = {
  name: "tiny",
  experiment: { ...SMALL, scoreSynthetic: true },
  tasks: ["word-problems"],
  strategies: ["random", "own-loss"],
  seeds: [1, 2],
};
const RUNS = [1, 2].flatMap((seed) => STUDY.strategies.map((name) => `word-problems.${name}.seed${seed}`));
const file = space.write("study.json", JSON.stringify(STUDY));
const study = (...args: readonly string[]): Promise<CliResult> => runCli(["study", ...args, ...CPU]);
/** Runs the study in a process of its own and kills it when a run of it has a round, or is over. */
async function killAfterRound(out: string, id: string): Promise<void> {
  const args = [join(ROOT, "scripts", "tutelage.mjs"), "study", file, "--out", out, ...CPU];
  const child = spawn(process.execPath, args, { stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("close", resolve));
  const looking = setInterval(() => {
    if (existsSync(join(out, "runs", id, "rounds.jsonl"))) child.kill("SIGKILL");
  }, 5);
  await ended;
  clearInterval(looking);
}
/** Every run's `rounds.jsonl`, by run. */
const rounds = (folder: string): Record<string, string> =>
  Object.fromEntries(
    space.list(folder, "runs").map((id) => [id, readFileSync(space.in(folder, "runs", id, "rounds.jsonl"), "utf8")]),
  );
const reportOf = (folder: string) =>
  JSON.parse(readFileSync(space.in(folder, "report.json"), "utf8")) as {
    runs: { finished: number; others: unknown[] };
    comparisons: { strategies: { curve: unknown[]; diagnostics: Record<string, unknown> }[] }[];
  };

test(
  "a study runs whole, again, interrupted, and in shards to the same bytes; a finished one runs nothing",
  { timeout: 300_000 },
  async () => {
    const whole = await study(file, "--out", space.in("whole"));
    expect([whole.status, whole.records.map(({ state }) => state)]).toEqual([0, Array(4).fill("finished")]);
    expect(Object.keys(rounds("whole"))).toEqual([...RUNS].sort());
    expect(space.list("whole")).toEqual(["report.html", "report.json", "runs", "study.json"]);
    expect(space.list("whole", "runs", "word-problems.random.seed1")).toEqual([
      "examples.jsonl",
      "journal.jsonl",
      "manifest.json",
      "measures.json",
      "rounds.jsonl",
      "timings.jsonl",
    ]);
    const report = reportOf("whole");
    expect(report.runs).toMatchObject({ finished: 4, others: [] });
    expect(report.comparisons[0]?.strategies.map(({ curve }) => curve.length)).toEqual([2, 2]);
    for (const { diagnostics } of report.comparisons[0]?.strategies ?? [])
      expect(Object.keys(diagnostics)).toEqual(
        expect.arrayContaining(["coverage", "pickedBaseAccuracy", "dispersion", "influence", "verificationYield"]),
      );

    const finished = await study(file, "--out", space.in("whole"));
    expect([finished.status, finished.out]).toEqual([0, ""]);
    expect(finished.err).toContain("4 of 4 runs are finished\n");

    const stopped = await runCli(["study", file, "--out", space.in("parts"), ...CPU], {
      onOut: (text) => {
        if (text.includes(`${RUNS[0]}"`)) process.emit("SIGINT");
      },
    });
    expect(stopped.status).toBe(1);
    expect(stopped.err).toContain("stopped; the same command goes on\n");
    const rest = await study(file, "--out", space.in("parts"));
    expect([rest.status, rest.records.length]).toEqual([0, 3]);
    expect(rounds("parts")).toEqual(rounds("whole"));

    await killAfterRound(space.in("killed"), RUNS[1] ?? "");
    const revived = await study(file, "--out", space.in("killed"));
    expect(revived.status).toBe(0);
    expect(rounds("killed")).toEqual(rounds("whole"));

    for (const index of [1, 2]) {
      const shard = await study(file, "--shard", `${index}/2`, "--out", space.in(`shard${index}`));
      expect(shard.status).toBe(0);
      expect(existsSync(space.in(`shard${index}`, "report.json"))).toBe(false);
    }
    const parts = [1, 2].map((index) => space.in(`shard${index}`));
    const early = await study("merge", ...parts.slice(0, 1), "--out", space.in("merged"));
    expect(early.records[0]).toMatchObject({ planned: 4, finished: 2 });
    const merged = await study("merge", ...parts, "--out", space.in("merged"));
    expect(merged.records[0]).toMatchObject({ planned: 4, finished: 4 });
    expect(rounds("merged")).toEqual(rounds("whole"));

    const other = space.in("whole", "runs", "word-problems.random.seed1", "rounds.jsonl");
    writeFileSync(other, readFileSync(other, "utf8").replace('"correct":', '"correct": '));
    const unequal = await study("merge", space.in("merged"), space.in("whole"), "--out", space.in("both"));
    expect([unequal.status, unequal.err]).toEqual([
      2,
      expect.stringContaining(
        "run word-problems.random.seed1: expected the numbers that another folder has, got others",
      ),
    ]);
  },
);

test(
  "a run that fails is recorded, the others go on, and the next call tries it again",
  { timeout: 120_000 },
  async () => {
    // Such steps carry the weights out of all numbers.
    const wild = space.write(
      "failing.json",
      JSON.stringify({
        ...STUDY,
        name: "failing",
        seeds: [1],
        strategies: ["random"],
        options: [
          { label: "good" },
          { label: "wild", training: { learningRate: 10, weightDecay: 100, warmupSteps: 0, epochs: 40 } },
        ],
      }),
    );
    const result = await study(wild, "--out", space.in("failing"));
    expect(result.status).toBe(1);
    expect(result.err).toContain(
      "1 of 2 runs failed (word-problems.wild.random.seed1); the same command tries them again",
    );
    expect(result.records.map(({ state }) => state)).toEqual(["finished", "failed"]);
    expect(space.list("failing", "failures")).toEqual(["word-problems.wild.random.seed1.json"]);
    expect(reportOf("failing").runs).toMatchObject({
      finished: 1,
      others: [{ state: "failed", message: expect.stringContaining("finite") as unknown }],
    });
    const again = await study(wild, "--out", space.in("failing"));
    expect(again.records.map(({ cell, state }) => [cell, state])).toEqual([
      ["word-problems.wild.random.seed1", "failed"],
    ]);
    const told = await study("report", space.in("failing"));
    expect([told.status, told.records[0]]).toMatchObject([0, { planned: 2, finished: 1 }]);
  },
);

test(
  "a run that a machine left locked is let alone, until nobody else is said to work there",
  { timeout: 120_000 },
  async () => {
    const value = { ...STUDY, name: "locked", seeds: [1], strategies: ["random"], experiment: { ...SMALL, rounds: 0 } };
    const path = space.write("locked.json", JSON.stringify(value));
    const [id = ""] = RUNS;
    mkdirSync(space.in("locked", "runs", id), { recursive: true });
    writeFileSync(space.in("locked", "runs", id, "lock"), "1 another-machine\n");
    const refused = await study(path, "--out", space.in("locked"));
    expect(refused.status).toBe(2);
    expect(refused.err).toContain("expected an empty folder or one of this study, got one with runs");
    writeFileSync(space.in("locked", "study.json"), readFileSync(await planOf(path)));
    const held = await study(path, "--out", space.in("locked"));
    expect([held.status, held.records.map(({ state }) => state)]).toEqual([1, ["failed"]]);
    expect(held.err).toContain("one that process 1 another-machine works in");
    expect(existsSync(space.in("locked", "failures"))).toBe(false);
    const taken = await study(path, "--out", space.in("locked"), "--take-over");
    expect([taken.status, taken.records.map(({ state }) => state)]).toEqual([0, ["finished"]]);
  },
);

/** The `study.json` that a study writes, without running anything of it. */
async function planOf(path: string): Promise<string> {
  await study(path, "--out", space.in("plan"), "--shard", "2/2");
  return space.in("plan", "study.json");
}

test("--dry-run checks and lists, and leaves nothing", async () => {
  const result = await study(file, "--dry-run", "--shard", "1/2");
  expect([result.status, result.records.length]).toEqual([0, 2]);
  expect(readdirSync(space.path)).not.toContain("dry");
});

test("--dry-run says what a chat teacher would be asked, refills as a bound", async () => {
  const chat = { url: "http://127.0.0.1:9/v1", model: "m" };
  const asking = { ...SMALL, refills: 1, teacher: { name: "openai", chat } };
  const path = space.write("asking.json", JSON.stringify({ ...STUDY, experiment: asking, seeds: [1] }));
  const { status, records, err } = await study(path, "--dry-run");
  expect([status, records.length]).toEqual([0, 2]);
  // Two pairs of two calls each, and as many again.
  for (const record of records) expect(record).toMatchObject({ teacher: { requests: 4, atMost: { requests: 8 } } });
  expect(err).toContain("teacher: 8 requests (at most 16 where rejected pairs are asked for again)");
});

const rows = (name: string, values: readonly object[]): string => space.rows(name, values);
const pairs = Array.from({ length: 40 }, (_, i) => ({
  id: `q${i}`,
  question: `What is ${i} + 1?`,
  answer: `#### ${i + 1}`,
}));
const custom = (pool: string, data: object = {}, task: object = {}) => ({
  ...STUDY,
  experiment: { ...SMALL, rounds: 0, teacher: { name: "none" } },
  tasks: [{ task: { name: "custom", pool: 4, validation: 1, test: 2, data: { pool, ...data }, ...task } }],
});

test.each([
  [
    "an unknown strategy",
    { ...STUDY, strategies: ["nonsense"] },
    /strategies\.0: expected a strategy's name \("random", .*got "nonsense"/,
  ],
  [
    "a missing column",
    custom(rows("a.jsonl", pairs), { columns: { question: "problem", answer: "answer" } }),
    /run custom\.random\.seed1: .*problem/,
  ],
  [
    "duplicate ids",
    custom(rows("b.jsonl", [...pairs, { ...pairs[3], question: "What is 99 + 1?" }])),
    /b\.jsonl.*: expected an id of its own, got "q3" again/,
  ],
  ["an empty pool", custom(rows("c.jsonl", [])), /c\.jsonl/],
  [
    "a pool larger than the data",
    custom(rows("d.jsonl", pairs), {}, { pool: 400 }),
    /run custom\.random\.seed1: .*400/,
  ],
  [
    "a task with too few questions",
    { ...STUDY, tasks: [{ task: { name: "game24", pool: 1300 } }] },
    /run game24\.random\.seed1: .*game24.*pool/,
  ],
  [
    "a teacher that cannot write",
    { ...custom(rows("e.jsonl", pairs)), experiment: SMALL },
    /run custom\.random\.seed1: .*teacher solver: expected a task with a built-in author/,
  ],
  [
    "a holdout student that reads other tokens",
    {
      ...STUDY,
      tasks: ["algebra"],
      strategies: [{ strategy: { name: "rho-loss", holdout: "builtin:word-problems" } }],
    },
    /run algebra\.rho-loss\.seed1: strategy\.holdout: expected a student with the same tokenizer .*got one that reads question pool-1/,
  ],
  [
    "a ceiling without room for a pair",
    { ...STUDY, experiment: { ...SMALL, budget: { teacherTokens: 5 } } },
    /run word-problems\.random\.seed1: budget\.teacherTokens: expected at least \d+, what the first pair can take, got 5/,
  ],
  [
    "answers longer than the context",
    { ...STUDY, experiment: { ...SMALL, generation: { maxNewTokens: 256 } } },
    /seed1: task "word-problems": expected prompts of at most 0 tokens .*got 10 longer: pool-1 \(/,
  ],
  [
    "a query size over the pool",
    { ...STUDY, experiment: { ...SMALL, querySize: 7 } },
    /run word-problems\.random\.seed1\.querySize: expected at most task\.pool = 6, got 7/,
  ],
  ["a student that is not there", { ...STUDY, experiment: { ...SMALL, student: "./nowhere" } }, /nowhere/],
])("%s is refused before anything is written", async (_, value, message) => {
  const path = space.write("bad.json", JSON.stringify(value));
  const result = await study(path, "--out", space.in("bad"));
  expect([result.status, result.out]).toEqual([2, ""]);
  expect(result.err).toMatch(message);
  expect(existsSync(space.in("bad"))).toBe(false);
});

test("a folder of another study, bad options and missing arguments are refused", async () => {
  const foreign = space.write("other.json", JSON.stringify({ ...STUDY, seeds: [9] }));
  await study(file, "--shard", "4/4", "--out", space.in("claimed"), "--ep", "nonsense");
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[foreign, "--out", space.in("merged")], ", cells.0.config.name: expected"],
    [["merge", space.in("merged")], "--out: expected a value (DIR), got none"],
    [
      [file, "--out", space.in("x"), "--shard", "0/2"],
      '--shard: expected i/n with i from 1 to n, such as 1/4, got "0/2"',
    ],
    [[file, "--out", space.in("x"), "--quick"], "quick: expected what --quick changes, got nothing"],
    [[file, "--out", space.in("x"), "--seed", "3"], "--seed: expected no such option here"],
    [[], "expected a study file, merge or report, got nothing"],
    [["report", space.in("nowhere")], "expected a folder of a study (with study.json), got none"],
    [["merge", "--out", space.in("x")], "expected one folder or more, got none"],
  ];
  for (const [args, message] of cases) {
    const result = await study(...args);
    expect([result.status, result.err], args.join(" ")).toEqual([2, expect.stringContaining(message)]);
  }
});
