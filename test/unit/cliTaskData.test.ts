/** @file `tutelage loop` on data files of the user's own: found, evaluated, resumed, refused. */
import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { parseColumns } from "../../src/cli/taskData.ts";
import { CPU, Workspace, runCli } from "../support/runCli.ts";

const files = new Workspace();
afterAll(() => files.remove());

const sumRow = (i: number) => ({ question: `What is ${i} + 2?`, answer: `${i} + 2 = ${i + 2}\n#### ${i + 2}` });
const sums = files.rows(
  "sums.jsonl",
  Array.from({ length: 60 }, (_, i) => sumRow(i)),
);
const csv = files.write(
  "capitals.csv",
  "land,city\nFrance,Paris\nItaly,Rome\nSpain,Madrid\nPeru,Lima\nChad,N'Djamena\nCuba,Havana\n",
);
const EVALUATE = ["--teacher", "none", "--rounds", "0", "--max-new-tokens", "8", ...CPU];
const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(files.in(folder, "manifest.json"), "utf8")) as {
    config: { task: { name: string; pool: number; test: number; data: Record<string, unknown> } };
  };

describe("a loop on the user's own data", () => {
  it("finds columns and checker, takes what there is, evaluates without a teacher, and keeps all of it", async () => {
    const { status, err, records } = await runCli(["loop", "--task-data", sums, ...EVALUATE, "--out", files.in("a")]);
    expect(err).toMatch(/task data: question = question, answer = answer, checker ####; \d+ for pool/);
    expect([status, records.length]).toEqual([0, 1]);
    const { task } = manifestOf("a").config;
    expect(task).toMatchObject({ name: "custom", data: { pool: sums, checker: "####", splitSeed: 0 } });
    expect(task.pool + task.test).toBeLessThan(60);
    expect(records[0]).toMatchObject({ round: 0, evaluation: { split: "test", n: task.test } });
  });

  it("goes on with the same files, and refuses changed ones", async () => {
    const copy = files.write("copy.jsonl", readFileSync(sums));
    const first = await runCli(["loop", "--task-data", copy, ...EVALUATE, "--out", files.in("b")]);
    expect(first.status).toBe(0);
    expect((await runCli(["loop", "--resume", files.in("b"), ...CPU])).status).toBe(0);
    files.write("copy.jsonl", `${readFileSync(sums, "utf8")}{"question":"new","answer":"#### 1"}\n`);
    const changed = await runCli(["loop", "--resume", files.in("b"), ...CPU]);
    expect(changed.status).toBe(2);
    expect(changed.err).toMatch(/task\.data: expected the files that the run began with .*, got other content/);
  });

  it("names rows that are too long for the student before anything runs, in a loop and in a study", async () => {
    const long = { question: `Say ${"more ".repeat(300)}`, answer: "#### 1" };
    const pool = files.rows("long.jsonl", [long, ...Array.from({ length: 8 }, (_, i) => sumRow(i))]);
    const test = files.rows("short.jsonl", [sumRow(90), sumRow(91)]);
    const task = { name: "custom", data: { pool, test, validation: test.replace("short", "none") } };
    files.rows("none.jsonl", [sumRow(95)]);
    const experiment = { teacher: { name: "none" }, pairs: "seeds", rounds: 1, querySize: 3, task };
    const message =
      /task "custom": expected prompts of at most 128 tokens \(the student's context of 256 less generation\.maxNewTokens = 128\), got 1 longer: pool-\d \(longer than the context: "Say more more .*…"\)\. Leave them out with task\.excessLength drop/;
    const file = files.write("long.json", JSON.stringify(experiment));
    const loop = await runCli(["loop", file, ...CPU, "--out", files.in("long")]);
    expect([loop.status, loop.err]).toEqual([2, expect.stringMatching(message)]);
    const study = { name: "long", experiment, tasks: [{ label: "mine", task }], strategies: ["random"], seeds: [1] };
    const grid = await runCli(["study", files.write("grid.json", JSON.stringify(study)), "--out", files.in("grid")]);
    expect([grid.status, grid.err]).toEqual([2, expect.stringMatching(message)]);
    expect(grid.err).toContain("grid.json, run mine.random.seed1: ");
    for (const folder of ["long", "grid"]) expect(existsSync(files.in(folder))).toBe(false);
    const dropping = await runCli(["loop", file, ...CPU, "--excess-length", "drop", "--out", files.in("dropping")]);
    expect(dropping.status).toBe(0);
    expect(dropping.err).toContain(
      'left out, as task.excessLength "drop" says: 1 of the pool, 0 of validation, 0 of test',
    );
    const { dropped } = JSON.parse(readFileSync(files.in("dropping", "manifest.json"), "utf8")) as {
      dropped: { pool: string[] };
    };
    expect(dropped.pool).toHaveLength(1);
  });

  it("reads an experiment file's data from beside it, with options over them", async () => {
    const experiment = files.write(
      "e.json",
      JSON.stringify({
        rounds: 0,
        teacher: { name: "none" },
        task: {
          name: "custom",
          test: 2,
          data: { pool: "capitals.csv", columns: { question: "land", answer: "city" } },
        },
      }),
    );
    const args = ["loop", experiment, "--checker", "exact", "--task-test", csv, "--max-new-tokens", "8", ...CPU];
    const both = await runCli([...args, "--out", files.in("c")]);
    expect(both.err).toMatch(/a question that is in no other split/);
    const test = files.write("test.csv", "land,city\nGhana,Accra\nKenya,Nairobi\n");
    const apart = await runCli([
      "loop",
      experiment,
      "--checker",
      "exact",
      "--task-test",
      test,
      "--max-new-tokens",
      "8",
      ...CPU,
      "--out",
      files.in("d"),
    ]);
    expect(apart.err).toMatch(
      /question = land, answer = city, checker exact; \d for pool, \d for validation, 2 for test/,
    );
    expect(apart.status).toBe(0);
    expect(manifestOf("d").config.task.data).toMatchObject({ pool: csv, test, checker: "exact" });
  });

  it.each([
    [
      "the built-in teacher",
      ["--task-data", sums, "--query-size", "1"],
      /teacher solver: expected a task with a built-in author/,
    ],
    [
      "answers without a checker",
      ["--task-data", csv, "--columns", "question=land,answer=city"],
      /expected the name of a checker/,
    ],
    ["columns that are not there", ["--task-data", csv], /a question column, called one of question, .*"land", "city"/],
    [
      "more than there is",
      ["--task-data", sums, "--test", "100", ...EVALUATE],
      /custom: test: expected at most \d+ questions/,
    ],
    ["a file that is missing", ["--task-data", files.in("none.csv")], /none\.csv: expected a readable file/],
    [
      "data for another task",
      ["--task", "game24", "--task-data", sums],
      /data files for the task "custom", and for no other/,
    ],
    ["the task without data", ["--task", "custom"], /task\.data: expected data files/],
    ["a mapping that is none", ["--task-data", csv, "--columns", "land"], /--columns: expected question=NAME/],
  ])("refuses %s", async (_what, args, message) => {
    const { status, err } = await runCli(["loop", ...args, "--out", files.in("refused"), ...CPU]);
    expect(err).toMatch(message);
    expect(status).toBe(2);
  });
});

describe("--columns", () => {
  it("maps several columns to one part", () => {
    expect(parseColumns("question=context + question,answer=explanation+answer,options=options,level=hops")).toEqual({
      question: ["context", "question"],
      answer: ["explanation", "answer"],
      options: "options",
      level: "hops",
    });
    expect(parseColumns("question=Puzzles")).toEqual({ question: ["Puzzles"], answer: [] });
  });
  it.each([
    "",
    "answer=a",
    "question",
    "question=",
    "question=a+",
    "question=a,question=b",
    "other=a",
    "question=a=b",
    "question=a,options=b+c",
  ])("refuses %j", (text) => expect(() => parseColumns(text)).toThrow(/--columns: expected question=NAME/));
});
