import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { game24Task, pretrainingSlice } from "../../src/tasks/game24/game24.ts";
import {
  LEVELS,
  allPuzzles,
  canonicalForm,
  clusterOf,
  levelOf,
  puzzleKey,
  readPuzzle,
  tellPuzzle,
} from "../../src/tasks/game24/puzzle.ts";
import { expressionText, solutions } from "../../src/tasks/game24/solve.ts";
import { workedAnswer } from "../../src/tasks/game24/workedAnswer.ts";
import { OPERATIONS } from "../../src/teacher/types.ts";
import { expectNoComplaint } from "../support/complaints.ts";
import { calculate, canMake24, wrongAnswer24 } from "../support/game24Referee.ts";
import { sharedPath, testWithShared } from "../support/shared.ts";

const task = game24Task();
const check = (question: string, completion: string) => task.check({ question, answer: "" }, completion);

describe("a puzzle told in brackets", () => {
  const { pool } = game24Task({ clusters: { "in brackets": 1 } }).splits(
    { pool: 300, validation: 0, test: 0 },
    new Rng(2),
  );

  it("is the same puzzle with the same worked answer", () => {
    const plain = new Map(task.splits({ pool: 300, validation: 0, test: 0 }, new Rng(2)).pool.map((q) => [q.id, q]));
    for (const { id, question, answer, tags } of pool) {
      const other = plain.get(id)!;
      expect(answer).toBe(other.answer);
      expect(task.canonical(question)).toBe(task.canonical(other.question));
      expect(question.match(/\[\d+\]/g)).toHaveLength(4);
      expect(question.replaceAll(/[[\]]/g, "")).toBe(other.question);
      expect(tags?.["cluster"]).toBe("in brackets");
      expect(task.verify({ question, answer }).correct).toBe(true);
    }
  });

  it("is what the author writes from such a seed, and from no other", () => {
    expect(clusterOf("Make 24 from [4] [9] [10] [13].")).toBe("in brackets");
    for (const text of ["Make 24 from 4 9 10 13.", "Make 24 from [4] 9 10 [13].", "24?"])
      expect(clusterOf(text)).toBe("plain");
    for (const [i, { question, tags }] of pool.slice(0, 60).entries())
      for (const operation of OPERATIONS) {
        const written = task.author!.write(question, operation, new Rng(i));
        if (written === undefined) continue;
        expect(clusterOf(written.question), `${operation} ${question}`).toBe(tags!["cluster"]);
        expect(written.tags).toMatchObject({ cluster: tags!["cluster"]! });
      }
  });
});

describe("the puzzles", () => {
  it("are exactly the 1,362 that another search finds solvable", () => {
    const found: string[] = [];
    for (let a = 1; a <= 13; a++)
      for (let b = a; b <= 13; b++)
        for (let c = b; c <= 13; c++)
          for (let d = c; d <= 13; d++) if (canMake24([a, b, c, d])) found.push(puzzleKey([a, b, c, d]));
    expect(found).toHaveLength(1362);
    expect(allPuzzles().map((puzzle) => puzzleKey(puzzle.numbers))).toEqual(found);
  });

  it("have worked answers that another calculator accepts, for 10,000 of numbers up to 24", () => {
    const puzzles = [];
    for (let a = 1; a <= 24; a++)
      for (let b = a; b <= 24; b++)
        for (let c = b; c <= 24; c++)
          for (let d = c; d <= 24 && puzzles.length < 10_000; d++) {
            const numbers = [a, b, c, d];
            const [best] = solutions(numbers);
            if (best !== undefined) puzzles.push({ numbers, answer: workedAnswer(numbers, best) });
          }
    expect(puzzles).toHaveLength(10_000);
    expectNoComplaint(puzzles, ({ numbers, answer }) => {
      const wrong = wrongAnswer24(numbers, answer);
      if (wrong !== undefined) return `${wrong}: ${answer}`;
      return task.verify({ question: tellPuzzle(numbers), answer }).correct ? undefined : `not verified: ${answer}`;
    });
  });

  it("would not pass that calculator with a slip", () => {
    const answer =
      "10 - 4 = 6 (left: 6 9 13)\n13 - 9 = 4 (left: 4 6)\n6 * 4 = 24 (left: 24)\nAnswer: (10 - 4) * (13 - 9) = 24";
    expect(wrongAnswer24([4, 9, 10, 13], answer)).toBeUndefined();
    expect(wrongAnswer24([4, 9, 10, 12], answer)).toMatch(/uses/);
    expect(wrongAnswer24([4, 9, 10, 13], answer.replace("= 6", "= 7"))).toMatch(/10 - 4/);
    expect(wrongAnswer24([4, 9, 10, 13], answer.replace("6 9 13", "6 9 12"))).toMatch(/10 - 4/);
    expect(calculate("8 / (3 - (8 / 3))").value).toBe("24/1");
    expect(canMake24([1, 1, 1, 1])).toBe(false);
  });

  it("fill the regions to the letter, every level in each", () => {
    const count = (region: string, level?: string) =>
      allPuzzles().filter((p) => p.region === region && (level === undefined || p.level === level)).length;
    expect(["test", "validation", "pool", "pretraining"].map((region) => count(region))).toEqual([300, 200, 470, 392]);
    for (const region of ["test", "validation", "pool", "pretraining"])
      for (const level of LEVELS) expect(count(region, level), `${region} ${level}`).toBeGreaterThan(40);
  });

  testWithShared(
    "are the set of the published list, whose people find the levels harder in their order",
    ["data", "game24", "24.csv"],
    () => {
      const rows = readFileSync(sharedPath("data", "game24", "24.csv"), "utf8")
        .trim()
        .split("\n")
        .slice(1);
      const listed = rows.map((row) => row.split(","));
      expect(new Set(listed.map((cells) => canonicalForm(cells[1]!)))).toEqual(
        new Set(allPuzzles().map((puzzle) => puzzleKey(puzzle.numbers))),
      );
      const rates = LEVELS.map((level) => {
        const own = listed.filter((cells) => levelOf(solutions(readPuzzle(cells[1]!)!)) === level);
        return own.reduce((sum, cells) => sum + Number.parseFloat(cells[3]!), 0) / own.length;
      });
      expect(rates[0]).toBeGreaterThan(rates[1]! + 3);
      expect(rates[1]).toBeGreaterThan(rates[2]! + 3);
    },
  );
});

describe("the budgets", () => {
  it("of finite splits are clear errors", () => {
    const sizes = { pool: 10, validation: 10, test: 10 };
    expect(() => task.splits({ ...sizes, test: 301 }, new Rng(1))).toThrow(
      "game24: test: expected at most 300 puzzles, all that this split can hold of the 1,362 there are, got 301. Lower the size of the test split",
    );
    expect(() => task.splits({ ...sizes, pool: 471 }, new Rng(1))).toThrow(/pool: expected at most 470 puzzles/);
    expect(() => game24Task({ levels: { "1 way": 1 } }).splits({ ...sizes, pool: 470 }, new Rng(1))).toThrow(
      /at most \d+ puzzles of level "1 way"/,
    );
    expect(() => game24Task({ levels: { hard: 1 } as never })).toThrow(/names among 3 ways or more, 2 ways, 1 way/);
    expect(() => pretrainingSlice(new Rng(1), 9000)).toThrow(/pretraining: expected 9000 different questions/);
  });

  it("can be used up to the last puzzle, each level in its share", () => {
    const all = task.splits({ pool: 470, validation: 200, test: 300 }, new Rng(3));
    expect(new Set(all.test.map((q) => q.question)).size).toBe(300);
    const { pool } = game24Task({ levels: { "1 way": 3, "2 ways": 1 } }).splits(
      { pool: 40, validation: 0, test: 0 },
      new Rng(1),
    );
    expect(pool.filter((q) => q.level === "1 way")).toHaveLength(30);
    expect(pool.filter((q) => q.level === "2 ways")).toHaveLength(10);
  });
});

describe("reading a puzzle", () => {
  it.each([
    "Make 24 from 4 9 10 13.",
    "4 9 10 13",
    "13 10, 9 and 4",
    " make 24 with 9 4 13 10 ",
    "Make 24 using: 4, 9, 10, 13",
    "Make 24 from [4] [9] [10] [13].",
    "[4], [9], 10 and [13]",
  ])("takes %s", (text) => expect(readPuzzle(text)).toEqual([4, 9, 10, 13]));
  it.each([
    "",
    "4 9 10",
    "4 9 10 13 2",
    "4 9 10 0",
    "4 9 10 100",
    "4 9 10 -13",
    "4 9 10 1.3",
    "Make 25 from 4 9 10 13.",
    "[4 9 10 13]",
    "[4] [9] [10] [13",
  ])("refuses %j", (text) => expect(readPuzzle(text)).toBeUndefined());
});

describe("checking an expression", () => {
  const question = "Make 24 from 3 3 8 8.";
  it.each([
    "Answer: 8 / (3 - (8 / 3)) = 24",
    "answer: 8/(3-8/3)",
    "steps of any kind\nAnswer: 8 ÷ (3 − 8 ÷ 3) = 24.",
    "Answer: ((8)) / (3 - (8 / 3)) = 24\nMake 24 from 1 1 1 1.\nAnswer: 1",
  ])("accepts %j", (completion) => expect(check(question, completion)).toMatchObject({ correct: true }));
  it.each([
    ["8 / (3 - (8 / 3)) = 24", /no line "Answer/],
    ["Answer: 8 / (3 - 8 / 3) = 25", /behind the equals sign/],
    ["Answer: 24", /uses 24, not each of 3 3 8 8/],
    ["Answer: 3 * 8", /uses 3 8, not/],
    ["Answer: 3 * 8 * 8 / 8", /uses 3 8 8 8/],
    ["Answer: 8 * 3 + (8 - 3)", /makes 29/],
    ["Answer: 8 / (3 - 3) * 8", /cannot be read, or divides by zero/],
    ["Answer: 8 / (3 - (8 / 3)", /cannot be read/],
    ["Answer: 8 / 0.333333333333 = 24", /makes/],
    ["Answer: 8 + 8 + 3 + 3 = 24 = 24", /cannot be read/],
    ["Answer:", /cannot be read/],
    ["Answer: 8 / (3 - 8 / 3) + 0", /uses 0 3 3 8 8/],
  ])("rejects %j", (completion, reason) => {
    const verdict = check(question, completion);
    expect(verdict.correct).toBe(false);
    expect(verdict.reason).toMatch(reason);
  });
  it("needs a puzzle to judge by", () => expect(check("4 9", "Answer: 24").correct).toBe(false));
});

describe("verifying a pair", () => {
  const question = "Make 24 from 4 9 10 13.";
  const good =
    "10 - 4 = 6 (left: 6 9 13)\n13 - 9 = 4 (left: 4 6)\n6 * 4 = 24 (left: 24)\nAnswer: (10 - 4) * (13 - 9) = 24";
  const verdict = (answer: string, asked = question) => task.verify({ question: asked, answer });

  it("accepts any right way, spelled a little differently", () => {
    expect(verdict(good).correct).toBe(true);
    expect(verdict(good.replaceAll("*", "×").replaceAll(" (left: 6 9 13)", " (left: 13, 9, 6)")).correct).toBe(true);
    expect(solutions([4, 9, 10, 13]).map(expressionText)).toContain("(10 - 4) * (13 - 9)");
    const fractions =
      "8 / 3 = 8/3 (left: 8/3 3 8)\n3 - (8/3) = 1/3 (left: 1/3 8)\n8 / 1/3 = 24 (left: 24)\nAnswer: 8 / (3 - 8 / 3) = 24";
    expect(verdict(fractions, "Make 24 from 3 3 8 8.").correct).toBe(true);
  });

  it.each([
    ["a wrong result", good.replace("= 6 (", "= 7 ("), /step .* is wrong/],
    ["a wrong count", good.replace("6 9 13", "6 9"), /miscounts/],
    ["a number that is gone", good.replace("13 - 9 = 4 (left: 4 6)", "13 - 4 = 9 (left: 6 9)"), /not left/],
    ["a missing step", good.replace("13 - 9 = 4 (left: 4 6)\n", ""), /not left/],
    ["no step", "Answer: (10 - 4) * (13 - 9) = 24", /do not end at 24/],
    ["a step in words", good.replace("13 - 9", "thirteen - 9"), /cannot be read/],
    ["another expression", good.replace("(13 - 9)", "(13 - 8)"), /makes 30/],
  ])("rejects %s", (_what, answer, reason) => {
    expect(verdict(answer).correct).toBe(false);
    expect(verdict(answer).reason).toMatch(reason);
  });

  it("rejects an unsolvable puzzle whatever the answer", () => {
    expect(verdict(good, "Make 24 from 1 1 1 1.").reason).toMatch(/nothing makes 24/);
  });
});
