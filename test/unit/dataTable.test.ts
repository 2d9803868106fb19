/** @file Data files of users: JSON Lines, JSON lists and CSV as one kind of table. */
import { describe, expect, it } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { parseTable } from "../../src/formats/table.ts";

const valuesOf = (text: string) => parseTable(text, "d").rows.map((row) => row.values);

describe("a data file", () => {
  it("is JSON Lines when it begins with a brace, with line numbers", () => {
    const table = parseTable('\ufeff{"question":"a","answer":1}\r\n\r\n{"question":"b","level":"x"}\n', "d.jsonl");
    expect(table.columns).toEqual(["question", "answer", "level"]);
    expect(table.rows).toEqual([
      { at: "d.jsonl:1", values: { question: "a", answer: 1 } },
      { at: "d.jsonl:3", values: { question: "b", level: "x" } },
    ]);
  });

  it("is a JSON list when it begins with a bracket", () => {
    expect(valuesOf('[{"q":"a"},\n{"q":"b"}]')).toEqual([{ q: "a" }, { q: "b" }]);
  });

  it("is CSV otherwise: quotes, line breaks and commas in cells, any of three delimiters", () => {
    expect(valuesOf('q,a\r\n"one, ""two""\nthree",4\r\n\r\nfive,6')).toEqual([
      { q: 'one, "two"\nthree', a: "4" },
      { q: "five", a: "6" },
    ]);
    expect(valuesOf("q;a\none;2\nthree;4\n")).toEqual([
      { q: "one", a: "2" },
      { q: "three", a: "4" },
    ]);
    expect(valuesOf("q\ta\none\t2\n")).toEqual([{ q: "one", a: "2" }]);
    expect(valuesOf("puzzle\n1 1 4 6\n1 1 11 11\n")).toEqual([{ puzzle: "1 1 4 6" }, { puzzle: "1 1 11 11" }]);
  });

  it.each([
    ["nothing", "", /at least one row|column names/],
    ["names alone", "q,a\n", /d: expected at least one row, got none/],
    ["a short row", "q,a\none,2\nthree\n", /d: row 3: expected 2 cells, as many as column names, got 1/],
    ["a long row", "q,a\none,2,3\n", /d: row 2: expected 2 cells/],
    ["a name twice", "q,q\n1,2\n", /column names: expected a different name for each column/],
    ["an empty name", "q,\n1,2\n", /column names/],
    ["an open quote", 'q,a\n"one,2\n', /d: row \d: expected CSV/],
    ["broken JSON", '{"q": 1\n', /d:1: expected one JSON object/],
    ["a list of no objects", "[1, 2]", /d: row 1: expected a JSON object, got number 1/],
    ["a JSON line of no object", '{"q":1}\n3\n', /d:2: expected a JSON object/],
  ])("is refused: %s", (_what, text, message) => {
    expect(() => parseTable(text, "d")).toThrow(BadInputError);
    expect(() => parseTable(text, "d")).toThrow(message);
  });
});
