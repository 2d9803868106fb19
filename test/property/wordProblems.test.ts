import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { CLUSTERS } from "../../src/tasks/wordProblems/phrase.ts";
import { samplePlan } from "../../src/tasks/wordProblems/plan.ts";
import { questionOf } from "../../src/tasks/wordProblems/question.ts";
import { readStory } from "../../src/tasks/wordProblems/readStory.ts";
import { tellStory } from "../../src/tasks/wordProblems/story.ts";
import { wordProblemsTask } from "../../src/tasks/wordProblems/wordProblems.ts";
import { writeStory } from "../../src/tasks/wordProblems/writeStory.ts";

const task = wordProblemsTask();
const question = fc
  .record({ seed: fc.integer(), lines: fc.integer({ min: 1, max: 4 }), cluster: fc.constantFrom(...CLUSTERS) })
  .chain(({ seed, lines, cluster }) => {
    const rng = new Rng(seed);
    for (;;) {
      const story = writeStory(samplePlan(lines, cluster, rng), { maxOperand: 999, maxResult: 9999 }, rng);
      const written = story === undefined ? undefined : questionOf(story, "q");
      if (written !== undefined) return fc.constant(written);
    }
  });

describe("word problems", () => {
  it("come back word for word when read and told again, with large numbers too", () => {
    fc.assert(
      fc.property(question, (q) => {
        expect(tellStory(readStory(q.question)!)).toBe(q.question);
        expect(task.verify(q).correct).toBe(true);
        expect(task.check(q, task.completion(q)).correct).toBe(true);
      }),
    );
  });

  it("are right for no other final number", () => {
    fc.assert(
      fc.property(question, fc.integer({ min: -999, max: 999 }), (q, offset) => {
        fc.pre(offset !== 0);
        const wrong = q.answer.replace(/#### (\d+)$/, (_, n: string) => `#### ${Number(n) + offset}`);
        expect(task.check(q, wrong).correct).toBe(false);
        expect(task.verify({ question: q.question, answer: wrong }).correct).toBe(false);
      }),
    );
  });

  it("when changed by hand are told again as they stand, or not read at all", () => {
    fc.assert(
      fc.property(
        question,
        fc.nat(),
        fc.nat(20),
        fc.string({ maxLength: 10 }),
        ({ question: text }, at, length, insert) => {
          const start = at % (text.length + 1);
          const changed = text.slice(0, start) + insert + text.slice(start + length);
          const story = readStory(changed);
          // Only white space between sentences may differ.
          if (story !== undefined) expect(tellStory(story)).toBe(changed.trim().replace(/\s+/g, " "));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("are judged without ever throwing, whatever the texts", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.stringMatching(/^[0-9#.,\-+*/= \n()]{0,60}$/),
      question.map((q) => q.answer),
    );
    fc.assert(
      fc.property(text, text, text, (a, b, completion) => {
        for (const verdict of [
          task.check({ question: a, answer: b }, completion),
          task.verify({ question: a, answer: b }),
        ]) {
          expect(typeof verdict.correct).toBe("boolean");
          expect(verdict.reason.length).toBeGreaterThan(0);
        }
        expect(typeof task.canonical(a)).toBe("string");
      }),
      { numRuns: 500 },
    );
  });
});
