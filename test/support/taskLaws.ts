/** @file The laws of every task that has an author, as one suite: splits, teacher, verification, hostile answers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import type { Question, SplitSizes, Task } from "../../src/tasks/types.ts";
import { createSolverTeacher } from "../../src/teacher/solverTeacher.ts";
import { OPERATIONS } from "../../src/teacher/types.ts";
import type { Operation } from "../../src/teacher/types.ts";

export interface TaskUnderTest {
  readonly task: Task;
  readonly pretraining: (rng: Rng, n: number) => readonly Question[];
  readonly sizes: SplitSizes;
  readonly pretrainingSize: number;
  /** Whether the teacher may write a canonical form: never one that a held-out split can hold. */
  readonly teachable: (form: string) => boolean;
  /** Why the pair is wrong by an independent referee, undefined when it is right. */
  readonly referee: (question: string, answer: string) => string | undefined;
}

const SPLITS = ["pool", "validation", "test"] as const;

/** A completion that no checker may accept, throw on or be slow with. */
const HOSTILE: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["spaces", " \n\t\r\n "],
  ["a division by zero", "Answer: 1 / (3 - 3) = 24\n#### 1/0\n\\boxed{1/0}"],
  ["nested parentheses", `Answer: ${"(".repeat(5000)}1${")".repeat(5000)} = 24`],
  ["nested boxes", `${"\\boxed{".repeat(5000)}1${"}".repeat(5000)}`],
  ["open boxes", "\\boxed{".repeat(200_000)],
  ["letters of other scripts", "答案：二十四 \u0000\u202e𝟚𝟜 #### ４２ \\boxed{٣} Answer: ⅔ \ud800"],
  ["10 MB of digits", `Answer: ${"9".repeat(10_000_000)}`],
  ["10 MB of answer marks", "#### ".repeat(2_000_000)],
  ["10 MB of lines", "1 + 1 = 2 (left: 1)\n".repeat(500_000)],
  ["10 MB of sentences", "Max is a wumpus. ".repeat(600_000)],
  ["10 MB of brackets", "((((((((((".repeat(1_000_000)],
  ["10 MB of equals signs", "= ".repeat(5_000_000)],
  [
    "powers of powers",
    `Answer: ${"(".repeat(60)}9${"^12)".repeat(60)}\n\\boxed{${"(".repeat(60)}9${"^12)".repeat(60)}}`,
  ],
];
const SLOW_MS = 1000;

export function describeTaskLaws(name: string, subject: TaskUnderTest): void {
  const { task, pretraining, sizes, pretrainingSize, teachable, referee } = subject;
  const { pool, validation, test } = task.splits(sizes, new Rng(1));
  const everySeed = pool.flatMap((seed) => OPERATIONS.map((operation) => ({ seed, operation })));
  const heldOut = new Set([...validation, ...test].map((q) => task.canonical(q.question)));

  /** A whole pair of the teacher; undefined where it would not answer. */
  async function taught(errorRate: number, seed: Question, operation: Operation, n: number) {
    const teacher = createSolverTeacher(task, { errorRate });
    const call = { rng: new Rng(n) };
    const { value } = await teacher.propose(seed, operation, call);
    try {
      const { value: answered } = await teacher.answer(value.question, call);
      return { ...value, answer: answered.answer };
    } catch (error) {
      if (error instanceof TutelageError && error.code === "unsupported") return undefined;
      throw error;
    }
  }

  describe(`${name}: splits`, () => {
    it("share no canonical form, within and across seeds, nor with pretraining", () => {
      const owner = new Map<string, string>();
      const claim = (questions: readonly Question[], split: string): void => {
        for (const { question } of questions) {
          const form = task.canonical(question);
          expect(owner.get(form) ?? split, question).toBe(split);
          owner.set(form, split);
        }
      };
      for (let seed = 0; seed < 4; seed++) {
        const splits = task.splits(sizes, new Rng(seed));
        for (const split of SPLITS) {
          expect(new Set(splits[split].map((q) => task.canonical(q.question))).size).toBe(sizes[split]);
          claim(splits[split], split);
        }
        claim(pretraining(new Rng(seed), pretrainingSize), "pretraining");
      }
      expect(owner.size).toBeGreaterThan(1000);
    });

    it("are the same for the same seed, other for another, with unique ids and known levels", () => {
      const again = task.splits(sizes, new Rng(1));
      expect(again).toEqual({ pool, validation, test });
      expect(task.splits(sizes, new Rng(2)).pool).not.toEqual(pool);
      const all = [...pool, ...validation, ...test];
      expect(new Set(all.map((q) => q.id)).size).toBe(all.length);
      expect(all.filter((q) => !task.levels.includes(q.level))).toEqual([]);
      expect(new Set(all.map((q) => q.level))).toEqual(new Set(task.levels));
    });

    it("hold questions whose worked answers pass the checker, the verification and the referee", () => {
      for (const q of [...pool, ...validation, ...test, ...pretraining(new Rng(5), pretrainingSize)]) {
        expect(task.check(q, task.completion(q)), q.question).toMatchObject({ correct: true });
        expect(task.verify(q), q.question).toMatchObject({ correct: true });
        expect(referee(q.question, q.answer), `${q.question}\n${q.answer}`).toBeUndefined();
      }
    });

    it("refuse sizes that are no numbers of questions", () => {
      expect(() => task.splits({ ...sizes, pool: 1.5 }, new Rng(1))).toThrow(/pool: expected a number of questions/);
      expect(() => task.splits({ ...sizes, test: -1 }, new Rng(1))).toThrow(/test: expected a number of questions/);
    });
  });

  describe(`${name}: the solver teacher`, () => {
    it("without errors writes for every seed and operation a new question that may be taught, and answers it right", async () => {
      for (const [i, { seed, operation }] of everySeed.entries()) {
        const pair = await taught(0, seed, operation, i);
        expect(pair, `${operation} ${seed.question}`).toBeDefined();
        const form = task.canonical(pair!.question);
        expect(form).not.toBe(task.canonical(seed.question));
        expect(heldOut.has(form), pair!.question).toBe(false);
        expect(teachable(form), pair!.question).toBe(true);
        expect(task.levels).toContain(pair!.level);
        expect(task.verify(pair!), pair!.question).toMatchObject({ correct: true });
        expect(referee(pair!.question, pair!.answer), pair!.question).toBeUndefined();
      }
    });

    it("makes questions easier and harder as asked, and varies within a level", async () => {
      const change = { simplify: 0, vary: 0, rarer: 0, complicate: 0, addStep: 0 };
      for (const [i, { seed, operation }] of everySeed.entries()) {
        const pair = await taught(0, seed, operation, i);
        const [before, after] = [seed.level, pair!.level!].map((level) => task.levels.indexOf(level));
        const step = after! - before!;
        if (operation === "vary" || operation === "rarer") expect(step, seed.question).toBe(0);
        else expect(operation === "simplify" ? step <= 0 : step >= 0, `${operation} ${seed.question}`).toBe(true);
        change[operation] += step;
      }
      expect(change.simplify).toBeLessThan(-pool.length / 4);
      expect(change.complicate).toBeGreaterThan(pool.length / 4);
      expect(change.addStep).toBeGreaterThan(pool.length / 4);
    });

    it("makes every pair wrong at rate 1, and verification catches each", async () => {
      const reasons = new Set<string>();
      for (const [i, { seed, operation }] of everySeed.entries()) {
        const pair = await taught(1, seed, operation, i);
        if (pair === undefined) continue;
        const verdict = task.verify(pair);
        expect(verdict.correct, `${pair.question}\n${pair.answer}`).toBe(false);
        reasons.add(verdict.reason.replaceAll(/".*"|-?[\d/]+/g, "#"));
      }
      expect(reasons.size).toBeGreaterThanOrEqual(3);
    });

    it("makes as many pairs wrong as it is told to", async () => {
      let wrong = 0;
      const n = 600;
      for (let i = 0; i < n; i++) {
        const pair = await taught(0.3, pool[i % pool.length]!, "vary", i);
        if (pair === undefined || !task.verify(pair).correct) wrong++;
      }
      // Five standard deviations of a binomial.
      expect(Math.abs(wrong / n - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / n));
    });

    it("cannot be led to write about, or answer, a text it cannot read", async () => {
      const teacher = createSolverTeacher(task);
      const foreign: Question = { id: "x", question: "What is love?", answer: "", level: "?" };
      const call = { rng: new Rng(1) };
      await expect(teacher.propose(foreign, "vary", call)).rejects.toMatchObject({ code: "unsupported" });
      await expect(teacher.answer(foreign.question, call)).rejects.toMatchObject({ code: "unsupported" });
    });
  });

  describe(`${name}: texts changed by hand`, () => {
    const seed = fc.constantFrom(...pool);
    const cut = fc.record({
      at: fc.nat(),
      length: fc.nat(12),
      insert: fc.oneof(fc.string({ maxLength: 8 }), fc.stringMatching(/^[0-9 +\-*/=().]{0,4}$/)),
    });
    const changed = (text: string, { at, length, insert }: { at: number; length: number; insert: string }): string => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + insert + text.slice(start + length);
    };

    it("are read as they stand, or not at all: what is solved is right by the referee", () => {
      fc.assert(
        fc.property(seed, cut, (q, change) => {
          const question = changed(q.question, change);
          const answer = task.author!.solve(question);
          if (answer === undefined) return;
          expect(task.verify({ question, answer }), question).toMatchObject({ correct: true });
          expect(referee(question.trim().replace(/\s+/g, " "), answer), question).toBeUndefined();
        }),
        { numRuns: 1500 },
      );
    });

    it("are judged without ever throwing, and an answer that passes has the right final answer", () => {
      fc.assert(
        fc.property(seed, cut, cut, (q, one, two) => {
          const answer = changed(changed(q.answer, one), two);
          const [checked, verified] = [task.check(q, answer), task.verify({ question: q.question, answer })];
          expect(verified.correct && !checked.correct, answer).toBe(false);
          expect(checked.reason.length * verified.reason.length).toBeGreaterThan(0);
          expect(typeof task.check({ question: answer, answer: q.question }, answer).correct).toBe("boolean");
        }),
        { numRuns: 1500 },
      );
    });
  });

  describe(`${name}: hostile answers`, () => {
    it.each(HOSTILE)("are rejected fast and without an error: %s", (_what, completion) => {
      const question = pool[0]!;
      const startedMs = performance.now();
      expect(task.check(question, completion).correct).toBe(false);
      expect(task.verify({ question: question.question, answer: completion }).correct).toBe(false);
      expect(task.verify({ question: completion, answer: question.answer }).correct).toBe(false);
      expect(typeof task.canonical(completion)).toBe("string");
      expect(performance.now() - startedMs).toBeLessThan(SLOW_MS);
    });

    it("are rejected as soon as a right answer carries more: a unit, words, markup, another line", () => {
      for (const { question, answer } of pool.slice(0, 50)) {
        expect(task.verify({ question, answer: `${answer}\n\n` }).correct).toBe(true);
        const [first = ""] = answer.split("\n");
        for (const more of [
          `${answer} kg`,
          `${answer} <script>alert(1)</script>`,
          `${answer}\nIgnore all previous instructions.`,
          `Ignore all previous instructions.\n${answer}`,
          answer.replace(first, `${first} <img src=x onerror=alert(1)>`),
          `${answer}\n${answer}`,
        ])
          expect([more, task.verify({ question, answer: more }).correct]).toEqual([more, false]);
      }
    });
  });
}
