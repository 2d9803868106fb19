/** @file What built-in students are pretrained on: right worked answers, and no question that a split or the built-in teacher can hold. */
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/formats/fileSource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { openStudent } from "../../src/student/student.ts";
import { CONCEPTS } from "../../src/tasks/prontoqa/words.ts";
import { newStudent, PRETRAIN_DEFAULTS } from "../../scripts/builtinStudent/pretrain.ts";
import { Rng } from "../../src/core/rng.ts";
import { writeSafetensors, parseSafetensors } from "../../src/formats/safetensors.ts";
import { puzzleRegion, readPuzzle } from "../../src/tasks/game24/puzzle.ts";
import { createTask } from "../../src/tasks/registry.ts";
import { regionOf } from "../../src/tasks/splits.ts";
import type { Question } from "../../src/tasks/types.ts";
import { game24Corpus } from "../../scripts/builtinStudent/game24Corpus.ts";
import { prontoqaCorpus } from "../../scripts/builtinStudent/prontoqaCorpus.ts";
import { prontoqaLookups } from "../../scripts/builtinStudent/prontoqaLookups.ts";
import { prontoqaVerdicts } from "../../scripts/builtinStudent/prontoqaVerdicts.ts";
import { RECIPES } from "../../scripts/builtinStudent/recipes.ts";
import { trainTokenizer } from "../../scripts/builtinStudent/trainTokenizer.ts";
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

  it("holds no proof without the region holding the one that ends at the opposite", () => {
    for (const { question } of corpus) {
      const form = task.canonical(question);
      const opposite = / not \S+$/.test(form) ? form.replace(/ not (\S+)$/, " $1") : form.replace(/ (\S+)$/, " not $1");
      expect(opposite).not.toBe(form);
      expect(regionOf(opposite)).toBe("pretraining");
    }
  });

  it("has plurals in the taste alone", () => {
    const plural = corpus.filter(({ question }) => /[a-z]uses are /.test(question));
    expect(plural.length).toBeGreaterThan(30);
    expect(plural.length).toBeLessThan(100);
  });
});

describe("the verdicts of prontoqa", () => {
  const rows = prontoqaVerdicts(new Rng(1), 400);

  it("call a statement true where it is what holds, false where its opposite does, each half of the time, and ask for no proof", () => {
    for (const { question, answer } of rows) {
      const [, statement = "", held = ""] = /^True or false: ([^.]+)\. ([^.]+)\.$/.exec(question) ?? [];
      expect(answer).toBe(`Answer: ${statement === held ? "True" : "False"}`);
      expect(statement.replace(" not", "")).toBe(held.replace(" not", ""));
      expect(createTask("prontoqa").verify({ question, answer }).correct).toBe(false);
    }
    const yes = rows.filter(({ answer }) => answer.endsWith("True")).length;
    expect(yes).toBeGreaterThan(150);
    expect(yes).toBeLessThan(250);
  });
});

describe("the lookups of prontoqa", () => {
  const rows = prontoqaLookups(new Rng(1), 400, { rules: [3, 8], wordings: ["Each", "Every"], inOrder: 0.3 });
  const sentences = (text: string): string[] => text.split(/(?<=\.) /);

  it("repeat rules about as many kinds, some in their order, and ask nothing", () => {
    for (const { question, answer } of rows) {
      const rules = sentences(question);
      expect(rules.length).toBeGreaterThanOrEqual(3);
      expect(rules.length).toBeLessThanOrEqual(8);
      expect(new Set(rules.map((rule) => rule.split(" ")[1])).size).toBe(rules.length);
      expect(sentences(answer).toSorted()).toEqual(rules.toSorted());
      expect(createTask("prontoqa").verify({ question, answer }).reason).toBe("the question cannot be read");
    }
    const inOrder = rows.filter(({ question, answer }) => question === answer).length;
    expect(inOrder).toBeGreaterThan(80);
    expect(inOrder).toBeLessThan(240);
  });

  it("are about one property in half of the texts, with and without a not", () => {
    const one = rows.filter(
      ({ question }) => new Set(sentences(question).map((rule) => rule.split(" ").at(-1))).size === 1,
    );
    expect(one.length).toBeGreaterThan(150);
    expect(one.length).toBeLessThan(260);
    const mixed = one.filter(({ question }) => question.includes(" not ") && / is [^n]/.test(question));
    expect(mixed.length).toBeGreaterThan(one.length / 2);
  });
});

describe("the tokenizer of prontoqa", () => {
  it("has what a kind is, or is not, as one token", () => {
    const { words, vocabSize, pieces } = RECIPES["prontoqa"]!;
    const texts = words(new Rng(9)).flatMap(({ question, answer }) => [question, `\n${answer}`]);
    const { model } = trainTokenizer(texts, vocabSize, pieces) as { model: { vocab: Record<string, number> } };
    for (const phrase of [
      " is a wumpus",
      " is not sour",
      " are not sour",
      " are wumpuses",
      " is an impus",
      " Wumpuses",
    ])
      expect(model.vocab).toHaveProperty([phrase.replaceAll(" ", "Ġ")]);
    expect(Object.keys(model.vocab).length).toBeLessThan(1024);
  });
});

describe("random weights with an induction head", () => {
  it("expect words that stood together before to do so again, and others do not", async () => {
    const { words, vocabSize, pieces } = RECIPES["prontoqa"]!;
    const engine = await createEngine("cpu", { threads: 1 });
    try {
      const gain = async (induction: boolean): Promise<number> => {
        const options = { ...PRETRAIN_DEFAULTS, vocabSize, pieces: pieces!, induction };
        const files = newStudent(options, words(new Rng(9)), []);
        const student = await openStudent(engine, { source: memorySource(files, "test") });
        const rng = new Rng(5);
        const drawn = Array.from({ length: 12 }, () => rng.shuffle(CONCEPTS).slice(0, 16));
        const rows = drawn.flatMap((list) => [
          { prompt: list.join(" "), completion: ` ${list.join(" ")}` },
          { prompt: list.join(" "), completion: ` ${rng.shuffle(list).join(" ")}` },
        ]);
        const scores = await student.score(rows, ["loss"]);
        await student.dispose();
        const mean = (from: number): number =>
          scores.filter((_, i) => i % 2 === from).reduce((sum, { loss }) => sum + Number(loss), 0) / drawn.length;
        return mean(1) - mean(0);
      };
      expect(await gain(true)).toBeGreaterThan(1);
      expect(Math.abs(await gain(false))).toBeLessThan(0.1);
    } finally {
      await engine.dispose();
    }
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
