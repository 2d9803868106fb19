import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { readExpression } from "../../src/tasks/arithmetic.ts";
import { algebraTask } from "../../src/tasks/algebra/algebra.ts";
import { LARGE, NORMAL, SMALL, drawExercise } from "../../src/tasks/algebra/drawExercise.ts";
import { FAMILIES, exerciseKey, questionOf, readExercise } from "../../src/tasks/algebra/question.ts";
import { toSymbols, toWords } from "../../src/tasks/algebra/inWords.ts";
import { textTemplate } from "../../src/tasks/algebra/textTemplate.ts";
import { finalBox, sameBox } from "../../src/tasks/finalBox.ts";
import { OPERATIONS } from "../../src/teacher/types.ts";
import { expectNoComplaint } from "../support/complaints.ts";
import { evaluate, wrongAlgebra } from "../support/algebraReferee.ts";

const task = algebraTask();

function tenThousand() {
  const rng = new Rng(1);
  const cells = FAMILIES.flatMap((family) => family.levels.map((level) => ({ family, level })));
  const out = [];
  for (let i = 0; out.length < 10_000; i++) {
    const { family, level } = cells[i % cells.length]!;
    const exercise = drawExercise(family, level, [SMALL, NORMAL, LARGE][i % 3]!, rng);
    const question = exercise && questionOf(exercise);
    if (exercise && question) out.push({ family, level, exercise, question });
  }
  return out;
}
const TEN_THOUSAND = tenThousand();

describe("10,000 generated exercises", () => {
  it("have answers that fit when put in, and lines that hold, by an independent calculator", () => {
    expect(TEN_THOUSAND).toHaveLength(10_000);
    expectNoComplaint(TEN_THOUSAND, ({ question }) => {
      const wrong = wrongAlgebra(question.question, question.answer);
      return wrong && `${wrong}: ${question.question}\n${question.answer}`;
    });
  });

  it("would not pass that calculator with another number", () => {
    const question = "Solve for x: 3x + 5 = 20.";
    const answer = "3x = 20 - 5 = 15\nx = 15 / 3 = 5\n\\boxed{5}";
    expect(wrongAlgebra(question, answer)).toBeUndefined();
    expect(wrongAlgebra(question, answer.replace("{5}", "{6}"))).toBe("6 does not fit");
    expect(wrongAlgebra(question, answer.replace("20 - 5 = 15", "20 - 4 = 16"))).toBe("3x = 20 - 4 = 16");
    expect(wrongAlgebra("Find the larger solution of x^2 - 5x + 6 = 0.", "(x - 2)(x - 3) = 0\n\\boxed{2}")).toMatch(
      /not fit/,
    );
    expect(evaluate("2x^2 - 3(x + 1)/4", { x: 3 })).toBe(15);
  });

  it("are read back into the same exercise, told alike, and verified", () => {
    expectNoComplaint(TEN_THOUSAND, ({ family, level, exercise, question }) => {
      const back = readExercise(question.question);
      const again = back && questionOf(back);
      return back?.family.name === family.name &&
        exerciseKey(back) === exerciseKey(exercise) &&
        task.canonical(question.question) === exerciseKey(exercise) &&
        again?.question === question.question &&
        again.answer === question.answer &&
        question.level === `level ${level}` &&
        task.verify(question).correct
        ? undefined
        : `${question.question}\n${question.answer}`;
    });
  });

  it("are short, in every family and wording", () => {
    const used = new Set(TEN_THOUSAND.map(({ exercise }) => exercise.template.source));
    expect(FAMILIES.flatMap((family) => family.templates).filter((template) => !used.has(template.source))).toEqual([]);
    expect(Math.max(...TEN_THOUSAND.map(({ question }) => question.question.length))).toBeLessThanOrEqual(90);
    expect(Math.max(...TEN_THOUSAND.map(({ question }) => question.answer.length))).toBeLessThanOrEqual(110);
  });
});

describe("an exercise in words", () => {
  const IN_WORDS = algebraTask({ clusters: { "in words": 1 } }).splits(
    { pool: 300, validation: 0, test: 0 },
    new Rng(2),
  ).pool;

  it("is the same exercise, with the same worked answer", () => {
    const [plain, words] = ["Solve for x: 3x + 5 = 20.", "Solve for x: 3 times x plus 5 equals 20."];
    expect(questionOf(readExercise(words)!)).toEqual({
      ...questionOf(readExercise(plain)!),
      question: words,
      tags: { topic: "equations", cluster: "in words" },
    });
    expect(task.canonical(words)).toBe(task.canonical(plain));
  });

  it.each([
    ["5(p + 13) = 75", "5 times (p plus 13) equals 75"],
    ["(3x - 5)/4 = -1", "(3 times x minus 5) over 4 equals -1"],
    ["-2n^2 - n + 1", "-2 times n squared minus n plus 1"],
    ["1/2 - 1/3", "1 over 2 minus 1 over 3"],
  ])("%s is told as %s", (symbols, words) => {
    expect(toWords(symbols)).toBe(words);
    expect(toSymbols(words)).toBe(symbols);
  });

  it("has no symbols but signs and brackets, and is read back and verified", () => {
    expectNoComplaint(IN_WORDS, ({ question, answer, tags }) =>
      !/[=/^*]| [-+] |\d[a-z]/.test(question) &&
      tags?.["cluster"] === "in words" &&
      questionOf(readExercise(question)!)?.question === question &&
      task.verify({ question, answer }).correct
        ? undefined
        : question,
    );
  });

  it("is told in words throughout, or not read", () => {
    expect(readExercise("Solve for x: 3 times x + 5 = 20.")).toBeUndefined();
    expect(readExercise("Solve for x: 3x plus 5 equals 20.")).toBeUndefined();
  });

  it("is what the author writes from a seed in words", () => {
    for (const [i, { question }] of IN_WORDS.slice(0, 100).entries())
      for (const operation of OPERATIONS) {
        const written = task.author!.write(question, operation, new Rng(i))!;
        expect(written.tags, `${operation} ${question}`).toMatchObject({ cluster: "in words" });
        expect(readExercise(written.question)?.cluster).toBe("in words");
      }
  });
});

describe("the canonical form", () => {
  it("is that of the numbers: letters, wordings and what is asked of the same equations make no new question", () => {
    expect(task.canonical("Find t if 3t + 5 = 20.")).toBe(task.canonical("Solve for x: 3x + 5 = 20."));
    expect(task.canonical("Solve for x: 3x - 5 = 20.")).not.toBe(task.canonical("Solve for x: 3x + 5 = 20."));
    expect(task.canonical("What is the larger solution of x^2 - 5x + 6 = 0?")).toBe(
      task.canonical("Find the smaller solution of y^2 - 5y + 6 = 0."),
    );
    expect(task.canonical("What  is love?")).toBe(task.canonical(" what is love? "));
  });
});

describe("verifying a pair", () => {
  const question = "Solve for x: 3x + 5 = 20.";
  const verdict = (answer: string, asked = question) => task.verify({ question: asked, answer });
  it("accepts other right ways", () => {
    expect(verdict("3x + 5 - 5 = 20 - 5\n3x = 15.\n$x = 5$\n\\boxed{x = 5}").correct).toBe(true);
    expect(verdict("6x + 10 = 40\n\\boxed{\\frac{10}{2}}").correct).toBe(true);
    const roots = "x^2 - 5x + 6 = (x - 3)(x - 2)\nx = 3 or x = 2\n\\boxed{3}";
    expect(verdict(roots, "Find the larger solution of x^2 - 5x + 6 = 0.").correct).toBe(true);
  });
  it.each([
    ["a wrong box", "3x = 15\n\\boxed{6}", /final answer is 5, not 6/],
    ["a wrong line", "3x = 16\nx = 5\n\\boxed{5}", /step "3x = 16" is wrong/],
    ["no line", "\\boxed{5}", /no step/],
    ["no box", "3x = 15", /no \\boxed/],
    ["words", "so x is five\n\\boxed{5}", /cannot be read/],
    ["a division by zero", "x/0 = 5\n\\boxed{5}", /cannot be read/],
  ])("rejects %s", (_what, answer, reason) => {
    expect(verdict(answer)).toMatchObject({ correct: false });
    expect(verdict(answer).reason).toMatch(reason);
  });
  it("rejects one root where both are meant, and equations without an answer", () => {
    expect(verdict("x = 3\n\\boxed{3}", "Find the larger solution of x^2 - 5x + 6 = 0.").reason).toMatch(
      /"x = 3" is wrong/,
    );
    expect(verdict("x = 1\n\\boxed{1}", "Find the larger solution of x^2 - 5x + 7 = 0.").reason).toMatch(
      /no answer of the kind/,
    );
    expect(verdict("x = 1\n\\boxed{1}", "Solve for x: 3x + 5 = 3x + 7.").reason).toMatch(/no answer of the kind/);
  });
});

describe("boxed answers", () => {
  it.each([
    ["so \\boxed{5}.", "5"],
    ["\\boxed{\\frac{1}{2}} is it", "\\frac{1}{2}"],
    ["first \\boxed{1} then \\boxed{2}\nnext question\n\\boxed{3}", "2"],
    ["\\boxed{1}\n\\boxed{2}", "2"],
    ["\\boxed{open", undefined],
    ["\\boxed 5", undefined],
  ])("of %j: %s", (text, box) => expect(finalBox(text)).toBe(box));

  it.each([
    ["5", "5.0"],
    ["\\frac{1}{2}", "0.5"],
    ["x = -\\dfrac{3}{4}", "-3/4"],
    ["\\frac12", "2/4"],
    ["1{,}000".replace("{,}", ","), "1000"],
    ["\\left( x + 1 \\right)", "(x+1)"],
    ["-\\tfrac{-3}{6}", "1/2"],
  ])("%s and %s are the same", (a, b) => expect(sameBox(a, b)).toBe(true));

  it.each([
    ["5", "6"],
    ["1/3", "0.333333333333"],
    ["x+1", "1+x"],
    ["1/0", "0"],
    ["", "0"],
  ])("%j and %j are not", (a, b) => expect(sameBox(a, b)).toBe(false));
});

describe("expressions with letters", () => {
  const at = (text: string, x: bigint) => {
    const value = readExpression(text, new Map([["x", { numerator: x, denominator: 1n }]]))?.value;
    return value && `${value.numerator}/${value.denominator}`;
  };
  it.each([
    ["3x^2 - 2(x + 1)", "19/1"],
    ["-x^2", "-9/1"],
    ["(x - 2)(x + 2)", "5/1"],
    ["x/2 + 1/2", "2/1"],
    ["2 * -x", "-6/1"],
    ["y", undefined],
    ["2 3", undefined],
    ["x2", undefined],
    ["x^x", undefined],
    ["2^13", undefined],
    ["x^-1", undefined],
    ["1/(x - 3)", undefined],
  ])("%s at 3 is %s", (text, value) => expect(at(text, 3n)).toBe(value));
  it("leaves the multiplication sign x to texts without letters", () => {
    expect(readExpression("3 x 4")?.value.numerator).toBe(12n);
  });
});

describe("text templates", () => {
  it("read back what they write and nothing else", () => {
    const template = textTemplate("{a*}{v} {+b} = {c}");
    for (const [a, b, c] of [
      [1, 5, -3],
      [-1, -5, 0],
      [12, 1, 99999],
    ] as const) {
      const text = template.write({ numbers: { a, b, c }, letters: { v: "t" } });
      expect(template.read(text)).toEqual({ numbers: { a, b, c }, letters: { v: "t" } });
    }
    expect(template.write({ numbers: { a: -1, b: -5, c: 0 }, letters: { v: "x" } })).toBe("-x - 5 = 0");
    for (const text of ["1x + 5 = 3", "x + 05 = 3", "x +5 = 3", "x + -5 = 3", "x + 5 = 3 ", "x + 5 = 123456"])
      expect(template.read(text), text).toBeUndefined();
  });
});
