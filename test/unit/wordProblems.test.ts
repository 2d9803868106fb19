import { describe, expect, it } from "vitest";
import { BadInputError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { createTask, taskNames } from "../../src/tasks/registry.ts";
import { apportion, regionOf } from "../../src/tasks/splits.ts";
import type { Question } from "../../src/tasks/types.ts";
import { CLUSTERS, phraseId } from "../../src/tasks/wordProblems/phrase.ts";
import type { Cluster } from "../../src/tasks/wordProblems/phrase.ts";
import { PHRASES } from "../../src/tasks/wordProblems/phrases.ts";
import { ASKS } from "../../src/tasks/wordProblems/plainPhrases.ts";
import { samplePlan } from "../../src/tasks/wordProblems/plan.ts";
import { programKey, programLines } from "../../src/tasks/wordProblems/program.ts";
import type { Program } from "../../src/tasks/wordProblems/program.ts";
import { canonicalForm, questionOf } from "../../src/tasks/wordProblems/question.ts";
import { readStory } from "../../src/tasks/wordProblems/readStory.ts";
import { storyCluster, storyProgram, tellStory } from "../../src/tasks/wordProblems/story.ts";
import type { Story } from "../../src/tasks/wordProblems/story.ts";
import {
  DEFAULT_CLUSTERS,
  LEVELS,
  pretrainingSlice,
  wordProblemsTask,
} from "../../src/tasks/wordProblems/wordProblems.ts";
import { writeStory } from "../../src/tasks/wordProblems/writeStory.ts";
import { refereeAnswer, wrongLine } from "../support/wordProblemReferee.ts";

const LIMITS = { maxOperand: 40, maxResult: 200 };
const INSTANCES_PER_CELL = 250;

interface Instance {
  readonly lines: number;
  readonly cluster: Cluster;
  readonly story: Story;
  readonly question: Question;
}

/** 10 clusters × 4 lengths × 250 = 10,000 stories. */
function* instances(seed: number): Generator<Instance> {
  const rng = new Rng(seed);
  for (const cluster of CLUSTERS) {
    for (let lines = 1; lines <= 4; lines++) {
      for (let made = 0; made < INSTANCES_PER_CELL;) {
        const story = writeStory(samplePlan(lines, cluster, rng), LIMITS, rng);
        const question = story === undefined ? undefined : questionOf(story, "");
        if (story === undefined || question === undefined) continue;
        made++;
        yield { lines, cluster, story, question };
      }
    }
  }
}

const TEN_THOUSAND = [...instances(1)];

describe("10,000 generated word problems", () => {
  it("have the answer that an independent reader of the text finds, and only true lines", () => {
    expect(TEN_THOUSAND).toHaveLength(10_000);
    for (const { question } of TEN_THOUSAND) {
      expect(wrongLine(question.answer), question.answer).toBeUndefined();
      expect(`#### ${refereeAnswer(question.question)}`, question.question).toBe(question.answer.split("\n").at(-1));
    }
  });

  it("would not pass that reader with another number or person", () => {
    const text =
      "Ana has 4 bags of 6 apples. Ben has half as many apples as Ana. He gives away 7 apples. How many apples does Ben have left?";
    expect(refereeAnswer(text)).toBe(5);
    expect(refereeAnswer(text.replace("7", "8"))).toBe(4);
    expect(refereeAnswer(text.replace("does Ben", "does Ana"))).toBe(24);
    expect(refereeAnswer(text.replace("half as many apples as Ana", "4 more apples than Ana"))).toBe(21);
    expect(wrongLine("4 * 6 = 25\n#### 25")).toBe("4 * 6 = 25");
  });

  it("are read back into the same story, program and canonical form", () => {
    for (const { story, question } of TEN_THOUSAND) {
      const back = readStory(question.question);
      expect(back, question.question).toEqual(story);
      expect(storyProgram(back!)).toEqual(question.program);
      expect(canonicalForm(question.question)).toBe(programKey(question.program as Program));
    }
  });

  it("carry the level and cluster asked for", () => {
    for (const { lines, cluster, story, question } of TEN_THOUSAND) {
      expect(question.answer.split("\n")).toHaveLength(lines + 1);
      expect(programLines(question.program as Program)).toBe(lines);
      expect(question.level).toBe(LEVELS[lines - 1]);
      expect([storyCluster(story), question.tags?.cluster]).toEqual([cluster, cluster]);
    }
  });

  it("have whole results from 2 to the limit and no quantity below 2", () => {
    for (const { question } of TEN_THOUSAND) {
      const results = [...question.answer.matchAll(/= (\d+)$/gm)].map((m) => Number(m[1]));
      expect(Math.min(...results), question.question).toBeGreaterThanOrEqual(2);
      expect(Math.max(...results), question.question).toBeLessThanOrEqual(200);
      const program = question.program as Program;
      expect(
        Math.min(...program.given, ...program.steps.flatMap((s) => s.operands)),
        question.question,
      ).toBeGreaterThanOrEqual(2);
    }
  });

  it("use every phrasing and every question of the tables, each distinct", () => {
    const used = new Set(
      TEN_THOUSAND.flatMap(({ story }) =>
        [
          story.opening,
          ...story.steps,
          ...story.distractors.map((d) => d.sentence),
          ...(story.ending === undefined ? [] : [story.ending]),
        ].map((s) => phraseId(s.phrase)),
      ),
    );
    expect(PHRASES.map(phraseId).filter((id) => !used.has(id))).toEqual([]);
    expect(new Set(PHRASES.map(phraseId)).size).toBe(PHRASES.length);
    const questions = new Set(TEN_THOUSAND.map(({ story }) => story.question));
    expect(ASKS.filter((ask) => !questions.has(ask.template)).map((ask) => ask.template.source)).toEqual([]);
  });

  it("pass the task's own verification with their worked answer", () => {
    const task = wordProblemsTask();
    for (const { question } of TEN_THOUSAND)
      expect(task.verify(question), question.question).toMatchObject({ correct: true });
  });
});

describe("the splits", () => {
  const sizes = { pool: 200, validation: 60, test: 120 };

  it("share no canonical form, within and across seeds, nor with the pretraining slice", () => {
    const task = wordProblemsTask();
    const owner = new Map<string, string>();
    const claim = (questions: readonly Question[], split: string) => {
      for (const { question } of questions) {
        const form = task.canonical(question);
        expect(owner.get(form) ?? split, question).toBe(split);
        owner.set(form, split);
      }
    };
    for (let seed = 0; seed < 6; seed++) {
      const splits = task.splits(sizes, new Rng(seed));
      for (const split of ["pool", "validation", "test"] as const) {
        expect(splits[split]).toHaveLength(sizes[split]);
        expect(new Set(splits[split].map((q) => task.canonical(q.question))).size).toBe(sizes[split]);
        claim(splits[split], split);
      }
      claim(pretrainingSlice(new Rng(seed), 2000), "pretraining");
    }
  });

  it("are the same for the same seed, other for another, and ids are unique", () => {
    const task = wordProblemsTask();
    const a = task.splits(sizes, new Rng(5));
    expect(task.splits(sizes, new Rng(5))).toEqual(a);
    expect(task.splits(sizes, new Rng(6)).pool).not.toEqual(a.pool);
    const ids = [...a.pool, ...a.validation, ...a.test].map((q) => q.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("hold levels and clusters in the shares asked for", () => {
    const task = wordProblemsTask({ levels: { "2 steps": 3, "4 steps": 1 }, clusters: { plain: 1, passive: 1 } });
    const { pool } = task.splits({ pool: 80, validation: 0, test: 0 }, new Rng(2));
    const count = (level: string, cluster: string) =>
      pool.filter((q) => q.level === level && q.tags?.cluster === cluster).length;
    expect([
      count("2 steps", "plain"),
      count("2 steps", "passive"),
      count("4 steps", "plain"),
      count("4 steps", "passive"),
    ]).toEqual([30, 30, 10, 10]);
  });

  it("hold each cluster in its share of the default mixture", () => {
    const { pool } = wordProblemsTask().splits({ pool: 400, validation: 0, test: 0 }, new Rng(3));
    const count = (cluster: string) => pool.filter((q) => q.tags?.["cluster"] === cluster).length;
    const total = Object.values(DEFAULT_CLUSTERS).reduce((sum, weight) => sum + weight, 0);
    for (const cluster of CLUSTERS) {
      expect(count(cluster), cluster).toBe((400 * (DEFAULT_CLUSTERS[cluster] ?? 0)) / total);
    }
  });

  it("keep questions and answers short enough for a small student", () => {
    const task = wordProblemsTask();
    const { test } = task.splits({ pool: 0, validation: 0, test: 400 }, new Rng(4));
    // A lower bound of no tokenizer, an upper bound of one that knows the words: words, digits, signs.
    const pieces = (text: string) => text.match(/\d|[A-Za-z]+|[^\s\w]|\n/g)?.length ?? 0;
    for (const q of test) {
      expect(task.prompt(q.question).length).toBeLessThanOrEqual(220);
      expect(task.completion(q).length).toBeLessThanOrEqual(120);
      expect(pieces(task.prompt(q.question))).toBeLessThanOrEqual(96);
      expect(pieces(task.completion(q))).toBeLessThanOrEqual(48);
    }
  });

  it("refuse more different questions than there are", () => {
    const task = wordProblemsTask({ levels: { "1 step": 1 }, clusters: { calendar: 1 } });
    expect(() => task.splits({ pool: 0, validation: 0, test: 5000 }, new Rng(1))).toThrow(
      /test: expected 5000 different questions of 1 step, calendar, got \d+/,
    );
  });

  it("refuse sizes and mixtures that make no sense", () => {
    expect(() => wordProblemsTask().splits({ pool: 1.5, validation: 0, test: 0 }, new Rng(1))).toThrow(BadInputError);
    expect(() => wordProblemsTask({ clusters: { fancy: 1 } as never })).toThrow(/names among plain, .*"fancy"/);
    expect(() => wordProblemsTask({ levels: { "2 steps": -1 } })).toThrow(/weight >= 0/);
    expect(() => wordProblemsTask({ levels: {} })).toThrow(/at least one weight/);
    expect(() => wordProblemsTask({ maxOperand: 3 })).toThrow(/integer from 12 to 999/);
  });
});

describe("the pretraining slice", () => {
  it("is plain, of 1 to 3 steps, with no text twice", () => {
    const slice = pretrainingSlice(new Rng(9), 3000);
    expect(slice).toHaveLength(3000);
    expect(new Set(slice.map((q) => q.question)).size).toBe(3000);
    expect(new Set(slice.map((q) => q.tags?.cluster))).toEqual(new Set(["plain"]));
    expect(new Set(slice.map((q) => q.level))).toEqual(new Set(["1 step", "2 steps", "3 steps"]));
    expect(pretrainingSlice(new Rng(9), 3000)).toEqual(slice);
  });
});

describe("the canonical form", () => {
  const base = "Ana has 4 bags of 6 apples. She gives away 7 apples. How many apples does Ana have left?";

  it("is the same for other names, things, places and wordings of the same program", () => {
    const same =
      "Omar has 6 boxes with 4 shells in each. 7 shells are taken from him. How many shells does Omar have in the end?";
    expect(canonicalForm(same)).toBe(canonicalForm(base));
  });

  it("differs when a number or an operation does", () => {
    expect(canonicalForm(base.replace("7", "8"))).not.toBe(canonicalForm(base));
    expect(
      canonicalForm("Ana has 4 bags of 6 apples. She gets 7 more apples. How many apples does Ana have now?"),
    ).not.toBe(canonicalForm(base));
  });

  it("of a foreign text is the text, letter case and spaces aside", () => {
    expect(canonicalForm("  What is   2 + 2? ")).toBe(canonicalForm("what is 2 + 2?"));
    expect(canonicalForm("What is 2 + 3?")).not.toBe(canonicalForm("What is 2 + 2?"));
  });

  it("falls in every region in its share", () => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < 20_000; i++)
      counts[regionOf(`end ${i % 199}, gain ${i}`)] = (counts[regionOf(`end ${i % 199}, gain ${i}`)] ?? 0) + 1;
    for (const [region, share] of Object.entries({ pretraining: 0.45, pool: 0.3, validation: 0.08, test: 0.17 }))
      expect(counts[region]! / 20_000).toBeCloseTo(share, 1.8);
  });
});

describe("reading a question", () => {
  it("works on texts typed by hand", () => {
    const program = (text: string) => storyProgram(readStory(text)!);
    expect(
      program("Ana has 12 apples. Ben has twice as many apples as Ana. How many apples do Ana and Ben have in all?"),
    ).toEqual({
      ask: "end",
      given: [12],
      steps: [
        { op: "times", operands: [2] },
        { op: "together", operands: [] },
      ],
    });
    expect(
      program(
        "Zoe takes some coins to school. She loses 3 coins. Now she has 5 coins. How many coins did Zoe have at first?",
      ),
    ).toEqual({ ask: "start", given: [5], steps: [{ op: "lose", operands: [3] }] });
  });

  it("refuses what the templates cannot write", () => {
    for (const text of [
      "",
      "?",
      "How many?",
      "Ana has 12 apples.",
      "Ana has 12 apples. How many pears does Ana have now?",
      "Ana has 12 apples. He buys 3 more apples. How many apples does Ana have now?",
      "Ana has 12 apples. She also has 8 apples. She buys 3 more apples. How many apples does Ana have now?",
      "Ana has 12 apples. She buys 3 more pears. How many apples does Ana have now?",
      "Ana has 12 apples. She juggles 3 apples. How many apples does Ana have now?",
      "Ana has 012 apples. She buys 3 more apples. How many apples does Ana have now?",
      "Ana has some apples. She buys 3 more apples. How many apples did Ana have at first?",
      "Ana has 12 apples. Ana has 3 more apples than Ana. How many apples does Ana have?",
      `${"Ana has 12 apples. ".repeat(500)}How many apples does Ana have now?`,
    ]) {
      expect(readStory(text), text).toBeUndefined();
    }
  });

  it("tells a read story in the same words", () => {
    const text = "How many buttons does Maya need? ".trim();
    expect(readStory(text)).toBeUndefined();
    const whole =
      "How many more buttons does Maya need? Jane brings 18 buttons to the fair. Tom has twice as many buttons as Jane. Maya has a third as many buttons as Tom. She wants 16 buttons.";
    expect(tellStory(readStory(whole)!)).toBe(whole);
  });
});

describe("the task registry", () => {
  it("makes tasks by name and lists the names in the error for an unknown one", () => {
    expect(createTask("word-problems").name).toBe("word-problems");
    expect(
      createTask("word-problems", { "word-problems": { levels: { "1 step": 1 } } })
        .splits({ pool: 5, validation: 0, test: 0 }, new Rng(1))
        .pool.every((q) => q.level === "1 step"),
    ).toBe(true);
    for (const name of ["sudoku", "toString", "__proto__", ""]) {
      expect(() => createTask(name)).toThrow(BadInputError);
      expect(() => createTask(name)).toThrow(taskNames.join(", "));
    }
  });
});

describe("apportion", () => {
  it("sums to the total and stays within one of the exact shares", () => {
    expect(apportion([1, 1, 1], 10)).toEqual([4, 3, 3]);
    expect(apportion([0, 5], 3)).toEqual([0, 3]);
    expect(() => apportion([0, 0], 3)).toThrow(BadInputError);
  });
});
