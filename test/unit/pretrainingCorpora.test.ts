/** @file What built-in students are pretrained on: right worked answers, and no question that a split or the built-in teacher can hold. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { writeSafetensors, parseSafetensors } from "../../src/formats/safetensors.ts";
import { puzzleRegion, readPuzzle } from "../../src/tasks/game24/puzzle.ts";
import { createTask } from "../../src/tasks/registry.ts";
import { regionOf } from "../../src/tasks/splits.ts";
import type { Question } from "../../src/tasks/types.ts";
import { game24Corpus } from "../../scripts/builtinStudent/game24Corpus.ts";
import { prontoqaCorpus } from "../../scripts/builtinStudent/prontoqaCorpus.ts";
import { warmStart } from "../../scripts/builtinStudent/warmStart.ts";
import { calculate } from "../support/game24Referee.ts";

describe("the corpus of game24", () => {
  const corpus = game24Corpus(new Rng(1));
  const numbersOf = ({ question }: Question): number[] => (question.match(/[0-9]+/g) ?? []).slice(1).map(Number);

  it("is the same for the same seed, in another order for another", () => {
    const texts = (rows: readonly Question[]): string[] => rows.slice(0, 50).map(({ question }) => question);
    expect(texts(game24Corpus(new Rng(1)))).toEqual(texts(corpus));
    expect(texts(game24Corpus(new Rng(2)))).not.toEqual(texts(corpus));
  });

  it("holds no puzzle of four numbers outside the pretraining region", () => {
    const puzzles = corpus.filter(({ question }) => readPuzzle(question) !== undefined);
    expect(puzzles.length).toBeGreaterThan(10_000);
    expect(puzzles.filter((row) => puzzleRegion(numbersOf(row)) !== "pretraining")).toEqual([]);
    expect(corpus.length).toBeGreaterThan(puzzles.length);
  });

  it("ends every worked answer with an expression of those numbers that makes 24, by another calculator", () => {
    for (const row of corpus) {
      const expression = /\nAnswer: (.+) = 24$/.exec(row.answer)?.[1] ?? "";
      const used = (expression.match(/[0-9]+/g) ?? []).map(Number).sort((a, b) => a - b);
      expect(used).toEqual(numbersOf(row).sort((a, b) => a - b));
      expect(calculate(expression).value).toBe("24/1");
    }
  });
});

describe("the corpus of prontoqa", () => {
  const corpus = prontoqaCorpus(new Rng(1), 600, { hops: [1, 1], taste: 0.1 });
  const task = createTask("prontoqa");

  it("is of the pretraining region, with answers that the task's own check of every step accepts", () => {
    for (const { question, answer } of corpus) {
      expect(regionOf(task.canonical(question))).toBe("pretraining");
      expect(task.verify({ question, answer }).reason).toMatch(/^proved from the text/);
    }
  });

  it("has plurals in the taste alone", () => {
    const plural = corpus.filter(({ question }) => /[a-z]uses are /.test(question));
    expect(plural.length).toBeGreaterThan(30);
    expect(plural.length).toBeLessThan(100);
  });
});

describe("a warm start", () => {
  const files = (tokens: readonly string[], first: number): Map<string, string | Uint8Array> =>
    new Map<string, string | Uint8Array>([
      [
        "tokenizer.json",
        JSON.stringify({ model: { vocab: Object.fromEntries(tokens.map((token, id) => [token, id])) } }),
      ],
      [
        "model.safetensors",
        writeSafetensors(
          new Map([
            [
              "model.embed_tokens.weight",
              {
                type: "float32" as const,
                shape: [tokens.length, 2],
                data: Float32Array.from({ length: 2 * tokens.length }, (_, i) => first + i),
              },
            ],
            ["model.norm.weight", { type: "float32" as const, shape: [2], data: Float32Array.of(first, first) }],
          ]),
        ),
      ],
    ]);
  const tensor = (from: ReadonlyMap<string, string | Uint8Array>, name: string): number[] =>
    Array.from(parseSafetensors(from.get("model.safetensors") as Uint8Array, "test").tensor(name).data, Number);

  it("takes embeddings by the text of their token and everything else as it is; new tokens keep their own", () => {
    const started = warmStart(files(["a", "b", "new"], 100), files(["b", "gone", "a", "more"], 0));
    expect(tensor(started, "model.embed_tokens.weight")).toEqual([4, 5, 0, 1, 104, 105]);
    expect(tensor(started, "model.norm.weight")).toEqual([0, 0]);
  });

  it("refuses a student of another shape", () => {
    const other = files(["a"], 0);
    other.set(
      "model.safetensors",
      writeSafetensors(
        new Map([
          ["model.embed_tokens.weight", { type: "float32" as const, shape: [1, 2], data: Float32Array.of(1, 2) }],
          ["model.norm.weight", { type: "float32" as const, shape: [3], data: Float32Array.of(1, 2, 3) }],
        ]),
      ),
    );
    expect(() => warmStart(files(["a"], 1), other)).toThrow("model.norm.weight: expected shape [2], got [3]");
  });
});
