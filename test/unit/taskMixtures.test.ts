/** @file Mixtures of questions in an experiment: of every split, or of the pool alone; refused by name where they cannot be. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { Rng } from "../../src/core/rng.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { createTask } from "../../src/tasks/registry.ts";
import type { Mixture } from "../../src/tasks/registry.ts";
import { RARE_KINDS } from "../../src/tasks/rareKinds.ts";
import type { Question } from "../../src/tasks/types.ts";

function mixturesOf(task: string) {
  const { mixture, poolMixture } = RARE_KINDS[task]!;
  return { mixture, poolMixture };
}

const SIZES = { pool: 40, validation: 20, test: 20 };

function share(questions: readonly Question[], cluster: string): number {
  return questions.filter(({ tags }) => tags?.["cluster"] === cluster).length / questions.length;
}

describe("a mixture", () => {
  it("of all splits and another of the pool: each split has its shares, and no question is in two", () => {
    const mixture: Mixture = { levels: { "1 step": 1, "2 steps": 1 }, clusters: { plain: 1, spelled: 1 } };
    const task = createTask("word-problems", { mixture, poolMixture: { clusters: { plain: 9, spelled: 1 } } });
    const { pool, validation, test } = task.splits(SIZES, new Rng(3));
    expect([pool, validation, test].map((split) => share(split, "spelled"))).toEqual([0.1, 0.5, 0.5]);
    for (const { level } of [...pool, ...validation, ...test]) expect(["1 step", "2 steps"]).toContain(level);
    const all = [...pool, ...validation, ...test];
    expect(new Set(all.map(({ question }) => task.canonical(question))).size).toBe(80);
    expect(new Set(all.map(({ id }) => id)).size).toBe(80);
    // The pool's mixture changes no held-out question.
    const plain = createTask("word-problems", { mixture }).splits(SIZES, new Rng(3));
    expect([validation, test]).toEqual([plain.validation, plain.test]);
  });

  it.each(["game24", "prontoqa", "algebra"])("of levels fits %s", (name) => {
    const { levels } = createTask(name);
    const [first = "", second = ""] = levels;
    const task = createTask(name, { mixture: { levels: { [first]: 1 } }, poolMixture: { levels: { [second]: 1 } } });
    const { pool, test } = task.splits({ pool: 5, validation: 0, test: 5 }, new Rng(1));
    expect(new Set(pool.map(({ level }) => level))).toEqual(new Set([second]));
    expect(new Set(test.map(({ level }) => level))).toEqual(new Set([first]));
  });

  it.each([
    ["algebra", "in words"],
    ["game24", "in brackets"],
    ["prontoqa", "article"],
  ])("of clusters fits %s, whose default is plain", (name, cluster) => {
    const task = createTask(name, {
      mixture: { clusters: { [cluster]: 1 } },
      poolMixture: { clusters: { plain: 9, [cluster]: 1 } },
    });
    const { pool, validation, test } = task.splits(SIZES, new Rng(3));
    expect([pool, validation, test].map((split) => share(split, cluster))).toEqual([0.1, 1, 1]);
    // What is told otherwise is the same question: its form says in which split it may be.
    const byDefault = createTask(name).splits(SIZES, new Rng(3));
    expect(Object.values(byDefault).map((split) => share(split, "plain"))).toEqual([1, 1, 1]);
  });

  it.each(Object.entries(RARE_KINDS))(
    "with a kind of %s that is rare: one seed in ten is like what is asked",
    (name, kind) => {
      const kindsOf = (questions: readonly Question[]): string[] =>
        questions.map(({ level, tags }) => (name === "word-problems" ? level : (tags?.["cluster"] ?? "")));
      const { mixture, poolMixture } = kind;
      const { pool, test } = createTask(name, { mixture, poolMixture }).splits(
        { pool: 100, validation: 0, test: 30 },
        new Rng(4),
      );
      const asked = new Set(kindsOf(test));
      expect(asked.size).toBe(1);
      expect(kindsOf(pool).filter((each) => asked.has(each))).toHaveLength(10);
    },
  );

  it("with a rare kind is that of the presets", () => {
    const preset = (file: string) => JSON.parse(readFileSync(join(ROOT, "presets", file), "utf8"));
    const skill = preset("rare-skill.json");
    expect(skill.experiment.task).toMatchObject(mixturesOf("word-problems"));
    for (const { task } of preset("rare-wording.json").tasks) expect(task).toMatchObject(mixturesOf(task.name));
  });

  it("is a setting of an experiment", () => {
    const task = { poolMixture: { levels: { "1 step": 2 }, clusters: { "question-first": 0.5 } } };
    expect(parseExperimentConfig({ task }).task).toMatchObject(task);
  });

  it.each([
    [
      "game24",
      { mixture: { clusters: { random: 1 } } },
      /clusters: expected names among plain, in brackets, got "random"/,
    ],
    ["algebra", { mixture: { wordings: {} } as Mixture }, /task\.mixture: expected levels, clusters, got "wordings"/],
    ["custom", { poolMixture: { levels: { easy: 1 } } }, /task\.poolMixture: expected none with the task "custom"/],
    ["word-problems", { mixture: { levels: { "9 steps": 1 } } }, /levels: expected names among 1 step, .*"9 steps"/],
    ["word-problems", { poolMixture: { clusters: { plain: 0 } } }, /clusters: expected at least one weight above 0/],
  ])("that %s cannot have is refused: %j", (name, options, message) => {
    expect(() => createTask(name, { ...options, custom: undefined })).toThrow(message);
  });

  it.each([
    [{ mixture: { level: { "1 step": 1 } } }, /task\.mixture\.level: expected one of the keys levels, clusters/],
    [{ mixture: { levels: { "1 step": -1 } } }, /task\.mixture\.levels\.1 step: expected a number from 0/],
    [{ poolMixture: { clusters: { plain: "much" } } }, /clusters\.plain: expected a number .*got "much"/],
  ])("is refused as a setting: %j", (task, message) => {
    expect(() => parseExperimentConfig({ task })).toThrow(message);
  });
});
