import { describe, expect, it } from "vitest";
import { equalRationals, rational, readExpression } from "../../src/tasks/arithmetic.ts";
import { checkFinalAnswer, finalAnswer, normalNumeral, sameNumber } from "../../src/tasks/finalAnswer.ts";
import { checkSteps } from "../../src/tasks/workedSteps.ts";
import { wordProblemsTask } from "../../src/tasks/wordProblems/wordProblems.ts";

describe("the final answer of a text", () => {
  it.each([
    ["12 + 7 = 19\n#### 19", "19"],
    ["#### 1,234,567", "1234567"],
    ["#### -5", "-5"],
    ["#### 3.50", "3.50"],
    ["so #### 12 apples", "12"],
    ["#### 12#### 13", "13"],
    ["#### 12\n#### 13", "13"],
    ["#### 12\r\nmore", "12"],
    ["#### 9\nAna has 3 apples. How many?\n#### 3", "9"],
    ["#### 9\n\n#### 3", "9"],
    ["####19", undefined],
    ["### 19", undefined],
    ["#### nineteen", undefined],
    ["", undefined],
  ])("of %j is %j", (text, expected) => expect(finalAnswer(text)).toBe(expected));
});

describe("numerals", () => {
  it("are the same number whatever their spelling", () => {
    for (const [a, b] of [
      ["19", "19.0"],
      ["019", "19"],
      ["19.", "19"],
      [".5", "0.50"],
      ["-0", "0"],
      ["-0.0", "0"],
    ] as const)
      expect(sameNumber(a, b), `${a} ${b}`).toBe(true);
  });
  it("are compared exactly, beyond doubles", () => {
    expect(sameNumber("9007199254740993", "9007199254740992")).toBe(false);
    expect(sameNumber("0.1", "0.1000000000000000000001")).toBe(false);
    expect(sameNumber(`${"9".repeat(400)}1`, "9".repeat(401))).toBe(false);
  });
  it("that are none equal nothing, themselves included", () => {
    for (const text of ["", ".", "-", "1.2.3", "-.", "Infinity", "NaN", "1e3"]) {
      expect(normalNumeral(text)).toBeUndefined();
      expect(sameNumber(text, text)).toBe(false);
    }
  });
});

describe("checking a completion", () => {
  const question = { answer: "12 + 7 = 19\n#### 19" };
  it("looks at the final number alone", () => {
    expect(checkFinalAnswer(question, "#### 19")).toMatchObject({ correct: true, expected: "19", got: "19" });
    expect(checkFinalAnswer(question, "1 + 1 = 3\n#### 19.0").correct).toBe(true);
    expect(checkFinalAnswer(question, "12 + 7 = 19\n#### 20")).toMatchObject({ correct: false, got: "20" });
    expect(checkFinalAnswer(question, "19")).toMatchObject({ correct: false, got: undefined });
  });
  it("never calls an answer right that the worked answer does not settle", () => {
    for (const answer of ["", "19", "#### .", "#### ,"])
      expect(checkFinalAnswer({ answer }, "#### .").correct).toBe(false);
  });
  it("takes hostile texts in stride and quickly", () => {
    const texts = [
      "#".repeat(200_000),
      `#### ${"0".repeat(200_000)}..`,
      `#### ${"1,".repeat(100_000)}`,
      `${"0".repeat(200_000)}=`,
      "=".repeat(50_000),
      "\n".repeat(200_000),
      "\u0000\ud800 #### 1",
      "((((".repeat(50_000),
    ];
    const start = performance.now();
    for (const text of texts) {
      expect(checkFinalAnswer({ answer: "#### 19" }, text).correct).toBe(false);
      expect(wordProblemsTask().verify({ question: text, answer: text }).correct).toBe(false);
      checkSteps(text);
    }
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe("reading an expression", () => {
  const value = (text: string) => {
    const read = readExpression(text);
    return read === undefined ? undefined : `${read.value.numerator}/${read.value.denominator}`;
  };
  it.each([
    ["12 + 7", "19/1"],
    ["2 + 3 * 4", "14/1"],
    ["(2 + 3) * 4", "20/1"],
    ["20 - 5 - 4", "11/1"],
    ["24 / 4 / 2", "3/1"],
    ["8/(3-8/3)", "24/1"],
    ["1,000 × 2.5 ÷ 4", "625/1"],
    ["-3 + 5", "2/1"],
    ["2 − 5", "-3/1"],
    ["0.1 + 0.2", "3/10"],
    ["1 / 3", "1/3"],
    ["7", "7/1"],
  ])("%j is %s", (text, expected) => expect(value(text)).toBe(expected));

  it.each([
    "",
    "+",
    "1 +",
    "1 2",
    "(1",
    "1)",
    "1 / 0",
    "1 / (2 - 2)",
    "a + 1",
    "1 ** 2",
    "2(3)",
    `1${" + 1".repeat(200)}`,
  ])("%j is none", (text) => expect(value(text)).toBeUndefined());

  it("keeps rationals in lowest terms with a positive denominator", () => {
    expect(equalRationals(rational(2n, -4n)!, rational(-1n, 2n)!)).toBe(true);
    expect(rational(0n, -5n)).toEqual({ numerator: 0n, denominator: 1n });
    expect(rational(1n, 0n)).toBeUndefined();
  });
});

describe("checking the steps of an answer", () => {
  it("accepts true equations in whatever words", () => {
    for (const answer of [
      "12 + 7 = 19\n#### 19",
      "She has 12 + 7 = 19 apples.\n#### 19",
      "1. First, $12 + $7 = $<<12+7=19>>19.\n2. So 19 * 2 = 38\n#### 38",
      "12 + 7 = 10 + 9 = 19\n#### 19",
      "- (12 + 7) × 2 = 38",
    ]) {
      expect(checkSteps(answer), answer).toMatchObject({ ok: true });
    }
  });
  it("rejects a false, unreadable or missing equation and names it", () => {
    expect(checkSteps("12 + 7 = 20\n#### 19")).toEqual({ ok: false, reason: 'the step "12 + 7 = 20" is wrong' });
    expect(checkSteps("12 + 7 = 19 = 20")).toMatchObject({ ok: false });
    expect(checkSteps("x = twelve")).toMatchObject({ ok: false, reason: 'the step "x = twelve" cannot be read' });
    expect(checkSteps("12 + = 19")).toMatchObject({ ok: false });
    expect(checkSteps("#### 19")).toEqual({ ok: false, reason: "the answer shows no step" });
  });
  it("traces numbers to the question or to earlier results", () => {
    expect(checkSteps("12 + 7 = 19\n19 * 2 = 38", [12, 7, 2])).toMatchObject({ ok: true });
    expect(checkSteps("12 + 7 = 19\n19 * 3 = 57", [12, 7, 2])).toMatchObject({
      ok: false,
      reason: expect.stringContaining("uses 3"),
    });
  });
});

describe("verifying a teacher's pair", () => {
  const task = wordProblemsTask();
  const verify = (pair: { readonly question: string; readonly answer: string }) => task.verify(pair);
  const question =
    "Ana has 12 apples. She buys 7 more apples. Ben has twice as many apples as Ana. How many apples does Ben have?";
  it("accepts the right working, in other words and order too", () => {
    expect(verify({ question, answer: "12 + 7 = 19\n19 * 2 = 38\n#### 38" })).toMatchObject({
      correct: true,
      expected: "38",
    });
    expect(verify({ question, answer: "Ana has 7 + 12 = 19 apples, so Ben has 19 + 19 = 38.\n#### 38" }).correct).toBe(
      true,
    );
  });
  it.each([
    ["a wrong final number", "12 + 7 = 19\n19 * 2 = 38\n#### 39", "not 39"],
    ["no final number", "12 + 7 = 19\n19 * 2 = 38", "no line"],
    ["a wrong step under the right number", "12 + 7 = 18\n19 * 2 = 38\n#### 38", "is wrong"],
    ["no steps", "#### 38", "no step"],
    ["a number from nowhere", "12 + 26 = 38\n#### 38", "uses 26"],
    ["steps that end elsewhere", "12 + 7 = 19\n#### 38", "end at 19"],
  ])("rejects %s", (_, answer, reason) =>
    expect(verify({ question, answer })).toMatchObject({ correct: false, reason: expect.stringContaining(reason) }),
  );

  it("rejects any answer to a question that cannot be read or has none", () => {
    expect(verify({ question: "What is 12 + 7?", answer: "12 + 7 = 19\n#### 19" }).reason).toMatch(/cannot be read/);
    expect(
      verify({
        question: "Ana has 5 apples. She gives away 7 apples. How many apples does Ana have left?",
        answer: "5 - 7 = -2\n#### -2",
      }).reason,
    ).toMatch(/below zero/);
    expect(
      verify({
        question:
          "Ana has 5 apples. She shares the apples equally among 2 friends. How many apples does each friend get?",
        answer: "5 / 2 = 2.5\n#### 2.5",
      }).reason,
    ).toMatch(/not a whole number/);
  });
});
