/** @file Questions of the user's own: columns, checkers, splits, and what a task without a solver refuses. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { parseTable } from "../../src/formats/table.ts";
import { createChecker } from "../../src/tasks/custom/checkers.ts";
import type { FinalCheckerName } from "../../src/tasks/custom/checkers.ts";
import { availableQuestions, customTask } from "../../src/tasks/custom/custom.ts";
import type { CustomOptions } from "../../src/tasks/custom/custom.ts";
import { resolveSettings } from "../../src/tasks/custom/resolve.ts";
import { createSolverTeacher } from "../../src/teacher/solverTeacher.ts";
import { expectNoComplaint } from "../support/complaints.ts";
import { sharedPath, testWithShared } from "../support/shared.ts";

const table = (rows: readonly object[], name = "d") =>
  parseTable(rows.map((row) => `${JSON.stringify(row)}\n`).join(""), name);
const sums = (from: number, to: number, name?: string) =>
  table(
    Array.from({ length: to - from }, (_, i) => ({
      question: `What is ${from + i} + 1?`,
      answer: `#### ${from + i + 1}`,
    })),
    name,
  );
const custom = (pool: ReturnType<typeof table>, more: Omit<CustomOptions, "tables"> = {}) =>
  customTask({ tables: { pool }, ...more });
const SIZES = { pool: 0, validation: 0, test: 0 };

describe("the splits of one file", () => {
  const task = custom(sums(0, 2000));
  const sizes = availableQuestions({ tables: { pool: sums(0, 2000) } });

  it("divide it by hash, whatever the run's seed, and never share a question", () => {
    expect(sizes.pool + sizes.validation + sizes.test).toBe(2000);
    expect(Math.abs(sizes.pool - 1200)).toBeLessThan(110);
    expect(Math.abs(sizes.test - 500)).toBeLessThan(100);
    const owner = new Map<string, string>();
    const shared: string[] = [];
    for (let seed = 0; seed < 5; seed++) {
      const splits = task.splits({ ...sizes, pool: sizes.pool - 300, test: sizes.test - 100 }, new Rng(seed));
      for (const split of ["pool", "validation", "test"] as const)
        for (const { question } of splits[split]) {
          const form = task.canonical(question);
          if ((owner.get(form) ?? split) !== split) shared.push(question);
          owner.set(form, split);
        }
    }
    expect(shared).toEqual([]);
  });

  it("are others with another split seed, and the same whatever the rows' order", () => {
    const of = (options: Partial<CustomOptions>, pool = sums(0, 300)) =>
      new Set(
        custom(pool, options)
          .splits({ ...SIZES, test: 50 }, new Rng(1))
          .test.map((q) => q.question),
      );
    const all = (options: Partial<CustomOptions>, pool = sums(0, 300)) => {
      const { test } = availableQuestions({ tables: { pool }, ...options });
      return new Set(
        custom(pool, options)
          .splits({ ...SIZES, test }, new Rng(1))
          .test.map((q) => q.question),
      );
    };
    expect(of({ splitSeed: 1 })).not.toEqual(of({ splitSeed: 2 }));
    const turned = sums(0, 300);
    expect(all({}, { ...turned, rows: turned.rows.toReversed() })).toEqual(all({}));
  });

  it("refuse sizes over what there is, with the numbers", () => {
    expect(() => custom(sums(0, 100)).splits({ pool: 200, validation: 1, test: 1 }, new Rng(1))).toThrow(
      /custom: pool: expected at most \d+ questions, all that the data hold for it, got 200. There are \d+ for pool, \d+ for validation, \d+ for test; .* Lower --pool, or give a file for it/,
    );
  });
});

describe("given split files", () => {
  it("are kept apart as they are; a split without one is taken from the pool's", () => {
    const tables = { pool: sums(0, 500), test: sums(500, 520, "test") };
    const { pool, validation, test } = availableQuestions({ tables });
    expect(test).toBe(20);
    expect(pool + validation).toBe(500);
    expect(Math.abs(validation - 75)).toBeLessThan(40);
    const splits = customTask({ tables }).splits({ pool, validation, test }, new Rng(1));
    expect(splits.test.every((q) => /What is 5[01]\d/.test(q.question))).toBe(true);
    expect(availableQuestions({ tables: { ...tables, validation: sums(600, 610, "validation") } })).toEqual({
      pool: 500,
      validation: 10,
      test: 20,
    });
  });

  it("that share a question are refused, both places named", () => {
    expect(() => customTask({ tables: { pool: sums(0, 50, "pool"), test: sums(49, 60, "test") } })).toThrow(
      /pool:50: expected a question that is in no other split, got that of test:1/,
    );
  });
});

describe("rows", () => {
  it("with the same question count once; with another answer they are refused", () => {
    const row = { question: "What is 1 + 1?", answer: "#### 2" };
    const spaced = { question: " what is  1 + 1? ", answer: "one and one\n#### 2.0" };
    expect(Object.values(availableQuestions({ tables: { pool: table([row, spaced]) } }))).toContain(1);
    expect(() => custom(table([row, { ...spaced, answer: "#### 3" }]))).toThrow(/d:2: expected the answer of d:1/);
  });

  it("join columns, a line each, and lists; levels come from theirs", () => {
    const task = custom(
      table([
        {
          ctx: "Max is a cat.",
          ask: "Is Max a cat?",
          picks: ["A) yes", "B) no"],
          why: ["So.", "Yes."],
          key: "A",
          hard: 2,
        },
      ]),
      {
        columns: { question: ["ctx", "ask"], answer: ["why", "key"], options: "picks", level: "hard" },
        checker: "choice",
      },
    );
    expect(task.levels).toEqual(["2"]);
    const all = (["pool", "validation", "test"] as const).flatMap((split) => {
      try {
        return task.splits({ ...SIZES, [split]: 1 }, new Rng(1))[split];
      } catch {
        return [];
      }
    });
    expect(all).toMatchObject([
      { question: "Max is a cat.\nIs Max a cat?\nA) yes\nB) no", answer: "So. Yes.\nAnswer: A", level: "2" },
    ]);
    expect(task.check(all[0]!, "I think\nAnswer: yes").correct).toBe(true);
    expect(task.prompt(all[0]!.question)).toBe(`${all[0]!.question}\n`);
  });

  it.each([
    [
      "no question column",
      [{ q: "a", a: "b" }],
      {},
      /columns: expected a question column, called one of question, .*got the columns "q", "a"/,
    ],
    [
      "a column that is not there",
      [{ question: "a" }],
      { columns: { question: ["ask"], answer: [] } },
      /column "ask": expected one of "question", got no such column/,
    ],
    [
      "no answer column",
      [{ question: "a" }],
      { checker: "exact" },
      /expected an answer column for the checker "exact"/,
    ],
    [
      "answers of no known form",
      [{ question: "a", answer: "b" }],
      {},
      /d: checker: expected the name of a checker, because the answers show none/,
    ],
    [
      "an answer the checker cannot read",
      [{ question: "a", answer: "b" }],
      { checker: "####" },
      /d:1: answer: expected a line "#### number", got "b"/,
    ],
    [
      "an empty question",
      [{ question: " ", answer: "1" }],
      { checker: "numeric" },
      /d:1: question: expected a question, got an empty text/,
    ],
    [
      "an object in a cell",
      [{ question: { a: 1 }, answer: "1" }],
      { checker: "exact" },
      /d:1: question: expected a text, a number/,
    ],
    [
      "a missing cell",
      [{ question: "a", answer: "1" }, { question: "b" }],
      { checker: "exact" },
      /d:2: answer: .*got nothing/,
    ],
    ["an unsolvable puzzle", [{ puzzle: "1 1 1 1" }], {}, /d:1: expected a puzzle that makes 24/],
    [
      "a pattern without its checker",
      [{ question: "a", answer: "1" }],
      { checker: "exact", pattern: "x" },
      /pattern with the checker "regex", and with no other, got exact/,
    ],
    [
      "a regex without a pattern",
      [{ question: "a", answer: "1" }],
      { checker: "regex" },
      /pattern with the checker "regex"/,
    ],
  ] as const)("are refused: %s", (_what, rows, options, message) => {
    expect(() => custom(table(rows), options as Omit<CustomOptions, "tables">)).toThrow(message);
  });
});

describe("an answer with its working", () => {
  const only = (rows: readonly object[], options: Omit<CustomOptions, "tables"> = {}) => {
    const pool = table(rows);
    const sizes = availableQuestions({ tables: { pool }, ...options });
    const { pool: a, validation: b, test: c } = customTask({ tables: { pool }, ...options }).splits(sizes, new Rng(1));
    return [...a, ...b, ...c];
  };
  it("gets the mark that the checker looks for", () => {
    const row = { question: "Where?", explanation: "In France.", answer: "Paris" };
    expect(only([row], { checker: "exact" })).toMatchObject([{ answer: "In France.\nAnswer: Paris" }]);
    expect(only([{ ...row, answer: 7 }], { checker: "####" })).toMatchObject([{ answer: "In France.\n#### 7" }]);
    expect(only([{ ...row, answer: "1/2" }], { checker: "boxed" })).toMatchObject([
      { answer: "In France.\n\\boxed{1/2}" },
    ]);
    expect(only([{ question: "Where?", answer: "Paris" }], { checker: "exact" })).toMatchObject([{ answer: "Paris" }]);
  });
  it("with choices that have no letters gets letters", () => {
    const row = { question: "True?", choices: ["yes", "no"], answer: "no" };
    expect(only([row])).toMatchObject([{ question: "True?\nA) yes\nB) no", answer: "Answer: no" }]);
    const task = custom(table([row]));
    const [q] = only([row]);
    expect(task.check(q!, "Answer: B").correct).toBe(true);
    expect(task.check(q!, "Answer: A").correct).toBe(false);
    expect(() => only([{ ...row, answer: 1 }])).toThrow(/d:1: answer: expected a letter, .*got "1"/);
  });
});

describe("a task without a solver", () => {
  it("has no author: the solver teacher refuses it and says what to do", () => {
    expect(() => createSolverTeacher(custom(sums(0, 10)))).toThrow(
      /expected a task with a built-in author, got the task "custom", which has none. Choose another teacher/,
    );
  });
  it("verifies the form of a pair alone", () => {
    const task = custom(sums(0, 10));
    expect(task.verify({ question: "What is 2 + 2?", answer: "#### 5" })).toMatchObject({ correct: true });
    expect(task.verify({ question: "What is 2 + 2?", answer: "four" })).toMatchObject({ correct: false });
    expect(task.verify({ question: " ", answer: "#### 5" })).toMatchObject({ correct: false });
  });
  it("needs data", () => expect(() => customTask(undefined)).toThrow(/task custom: expected data, got none/));
});

describe("checkers", () => {
  const same = (name: FinalCheckerName, gold: string, completion: string, question = "", pattern?: string) => {
    const checker = createChecker(name, pattern);
    const [a, b] = [checker.final(checker.compose(gold, false), question), checker.final(completion, question)];
    expect(a, gold).toBeDefined();
    return b !== undefined && checker.same(b, a!);
  };
  const options = "Which?\nA) True\nB) False";
  it.each([
    ["exact", "Paris", " Paris\n"],
    ["exact", "New  York", "New York"],
    ["exact", "Paris", "It is in France.\nAnswer: Paris"],
    ["numeric", "7", "Answer: 7\nThat took 3 steps."],
    ["numeric", "7.5", "it is 7.50"],
    ["numeric", "1,200", "first 3, then 1200."],
    ["numeric", "1/2", "half, that is 0.5"],
    ["numeric", "-3", "x = −3"],
    ["####", "72", "a\n#### 72"],
    ["####", "so\n#### 1,072", "#### 1072.0"],
    ["boxed", "\\frac{1}{2}", "so \\boxed{0.5}"],
    ["choice", "B", "Because.\nAnswer: B"],
    ["choice", "B", "(B)"],
    ["choice", "b)", "Answer: False."],
    ["choice", "False", "Answer: B) False"],
  ] as const)("%s: gold %j takes %j", (name, gold, completion) =>
    expect(same(name, gold, completion, name === "choice" ? options : "")).toBe(true),
  );
  it.each([
    ["exact", "Paris", "paris"],
    ["exact", "Paris", "Paris, of course"],
    ["numeric", "7.5", "7.51"],
    ["numeric", "7", "seven"],
    ["numeric", "1", "1/0"],
    ["####", "72", "72"],
    ["####", "72", "#### 73"],
    ["boxed", "3", "3"],
    ["choice", "B", "Answer: A"],
    ["choice", "B", "Answer: C"],
    ["choice", "B", "Answer: Both"],
    ["choice", "A", "A dog, I think."],
    ["choice", "B", ""],
  ] as const)("%s: gold %j refuses %j", (name, gold, completion) =>
    expect(same(name, gold, completion, name === "choice" ? options : "")).toBe(false),
  );

  it("regex takes the last match, its first group where it has one", () => {
    expect(same("regex", "Total: 5 apples", "Total: 4\nTotal: 5", "", "Total: (\\d+)")).toBe(true);
    expect(same("regex", "code AB12", "AB12", "", "[A-Z]{2}\\d{2}")).toBe(true);
    expect(same("regex", "code AB12", "AB13", "", "[A-Z]{2}\\d{2}")).toBe(false);
    expect(() => createChecker("regex", "(?=x)y\\1")).toThrow(/pattern: expected a regular expression in RE2's syntax/);
    expect(() => createChecker("regex", "x".repeat(501))).toThrow(/at most 500 characters/);
    expect(() => createChecker("regex", "((a{0,30}){0,30})$")).toThrow(/pattern: expected at most 500 states, got \d+/);
    expect(() => createChecker("regex", undefined)).toThrow(/expected a pattern/);
  });

  it.each(["(a+)+$", "^(a|a)*$", "(.*)*x", "(a{0,15}){0,15}$", "a.*x|a", "(\\w+\\s?)*$"])(
    "regex stays fast with the pattern %s, which stops others for ever",
    (pattern) => {
      const startedMs = performance.now();
      createChecker("regex", pattern).final(`${"a".repeat(100_000)}!`, "");
      expect(performance.now() - startedMs).toBeLessThan(5000);
    },
  );

  const HOSTILE = [
    "",
    "9".repeat(10_000_000),
    "#### ".repeat(2_000_000),
    "\\boxed{".repeat(1_000_000),
    "A) ".repeat(3_000_000),
    "\ud800 \u0000",
    "-1/".repeat(3_000_000),
  ];
  it.each(["exact", "numeric", "####", "boxed", "choice"] as const)("%s is total and fast on hostile texts", (name) => {
    const checker = createChecker(name, undefined);
    for (const text of HOSTILE) {
      const startedMs = performance.now();
      const got = checker.final(text, text);
      expect(got === undefined || !checker.same(got, checker.final(checker.compose("7", false), "")!)).toBe(true);
      expect(performance.now() - startedMs).toBeLessThan(1000);
    }
  });
});

describe("published files, as they are", () => {
  const read = (...parts: readonly string[]) =>
    parseTable(readFileSync(sharedPath("data", ...parts), "utf8"), parts.at(-1)!);

  testWithShared("GSM8K: every gold answer is found, and passes for itself", ["data", "gsm8k", "train.jsonl"], () => {
    const tables = { pool: read("gsm8k", "train.jsonl"), test: read("gsm8k", "test500.jsonl") };
    expect(resolveSettings(tables.pool, {})).toMatchObject({
      columns: { question: ["question"], answer: ["answer"] },
      checker: "####",
    });
    const sizes = availableQuestions({ tables });
    expect(sizes.pool + sizes.validation).toBe(7473);
    expect(sizes.test).toBe(500);
    const task = customTask({ tables });
    const { pool, test } = task.splits(sizes, new Rng(1));
    expectNoComplaint([...pool, ...test], (q) =>
      task.check(q, q.answer).correct && !task.check(q, q.answer.replace(/#### .*/, "#### 123456789")).correct
        ? undefined
        : q.question,
    );
  });

  testWithShared("ProntoQA of Logic-LM: context, options and proof", ["data", "prontoqa", "prontoqa250.jsonl"], () => {
    const pool = read("prontoqa", "prontoqa250.jsonl");
    expect(resolveSettings(pool, {})).toMatchObject({
      columns: { question: ["context", "question"], answer: ["explanation", "answer"], options: "options" },
      checker: "choice",
    });
    const sizes = availableQuestions({ tables: { pool } });
    expect(sizes.pool + sizes.validation + sizes.test).toBe(250);
    const task = customTask({ tables: { pool } });
    for (const q of task.splits(sizes, new Rng(1)).pool) {
      expect(q.question).toMatch(/\nA\) True\nB\) False$/);
      expect(q.answer).toMatch(/\nAnswer: [AB]$/);
      expect(task.check(q, `Answer: ${q.answer.endsWith("A") ? "True" : "False"}`).correct).toBe(true);
      expect(task.check(q, `Answer: ${q.answer.endsWith("A") ? "B" : "A"}`).correct).toBe(false);
    }
  });

  testWithShared("the list of 24: puzzles without answers are solved", ["data", "game24", "24.csv"], () => {
    const pool = read("game24", "24.csv");
    expect(resolveSettings(pool, {})).toMatchObject({
      columns: { question: ["Puzzles"], answer: [] },
      checker: "game24",
    });
    const task = customTask({ tables: { pool } });
    const { test } = task.splits({ ...SIZES, test: 200 }, new Rng(1));
    for (const q of test) expect(task.check(q, q.answer), q.question).toMatchObject({ correct: true });
    expect(task.canonical("6 4 1 1")).toBe(task.canonical("1 1 4 6"));
  });
});
