/**
 * @file A task small enough to reason about: "What is 3 + 4?" over digits, with an
 * exact teacher. Real (it generates, solves and checks), only tiny.
 */
import { Rng } from "../../src/core/rng.ts";
import type { Question, Task, Verdict } from "../../src/tasks/types.ts";
import type { Operation, Teacher, TeacherUsage } from "../../src/teacher/types.ts";

const QUESTION = /^What is (\d+) \+ (\d+)\?$/;
const ANSWER = /#### (-?\d+)\s*$/;

/** The two terms of a question, undefined for other text. */
export function termsOf(text: string): readonly [number, number] | undefined {
  const match = QUESTION.exec(text.trim());
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/** The worked answer to a + b. */
export function workedSum(a: number, b: number): string {
  return `${a} + ${b} = ${a + b}\n#### ${a + b}`;
}

const levelOf = (a: number, b: number): string => (a + b < 10 ? "small" : "carry");

/** All sums of two terms below `size`; `size²` questions. */
export function sumsTask(size = 20): Task {
  const check = (question: { readonly question: string; readonly answer: string }, completion: string): Verdict => {
    const expected = ANSWER.exec(question.answer)?.[1] ?? "none";
    const got = ANSWER.exec(completion)?.[1];
    return {
      correct: got === expected,
      expected,
      got,
      reason: got === expected ? "the final answers agree" : `expected ${expected}, got ${got ?? "none"}`,
    };
  };
  return {
    name: "sums",
    levels: ["small", "carry"],
    prompt: (question) => `Q: ${question}\nA: `,
    completion: ({ answer }) => answer,
    canonical: (question) => (termsOf(question) ?? [question]).toString(),
    splits(sizes, rng) {
      const all: Question[] = [];
      for (let a = 0; a < size; a++)
        for (let b = 0; b < size; b++)
          all.push({
            id: `${a}+${b}`,
            question: `What is ${a} + ${b}?`,
            answer: workedSum(a, b),
            level: levelOf(a, b),
          });
      const drawn = rng.shuffle(all);
      const { pool, validation, test } = sizes;
      if (pool + validation + test > drawn.length) throw new RangeError("sumsTask: too few questions");
      return {
        pool: drawn.slice(0, pool),
        validation: drawn.slice(pool, pool + validation),
        test: drawn.slice(pool + validation, pool + validation + test),
      };
    },
    check,
    verify({ question, answer }) {
      const terms = termsOf(question);
      if (terms === undefined) return { correct: false, expected: "a sum", got: undefined, reason: "not a sum" };
      return check({ question, answer: workedSum(...terms) }, answer);
    },
  };
}

/** What a sums teacher is to do besides answering; every call is noted. */
export interface SumsTeacherOptions {
  /** Called before each call is answered; may throw (a failing call) or wait. */
  readonly before?: (call: "propose" | "answer", text: string) => Promise<void> | void;
  /** Share of wrong answers. */
  readonly errorRate?: number;
  readonly size?: number;
}

/** An exact teacher of sums: a new sum near the seed's, drawn from the call's stream. */
export function sumsTeacher(options: SumsTeacherOptions = {}): Teacher & { readonly calls: string[] } {
  const { before, errorRate = 0, size = 20 } = options;
  const calls: string[] = [];
  const usage = (promptTokens: number): TeacherUsage => ({
    requests: 1,
    promptTokens,
    completionTokens: 5,
    costUsd: 0.001,
    durationMs: 0,
  });
  const clamp = (x: number): number => Math.min(size - 1, Math.max(0, x));
  return {
    name: "sums",
    calls,
    async propose(seed, operation: Operation, { rng }) {
      calls.push(`propose ${seed.id} ${operation}`);
      await before?.("propose", seed.question);
      const [a, b] = termsOf(seed.question) ?? [0, 0];
      const spread = operation === "simplify" ? -3 : operation === "complicate" || operation === "addStep" ? 3 : 0;
      const next = [a, b].map((x) => clamp(x + rng.integer(-3, 3) + spread)) as [number, number];
      return {
        value: { question: `What is ${next[0]} + ${next[1]}?`, level: levelOf(...next) },
        usage: usage(4),
        finishReason: "stop",
      };
    },
    async answer(question, { rng }) {
      calls.push(`answer ${question}`);
      await before?.("answer", question);
      const terms = termsOf(question);
      if (terms === undefined) throw new Error(`not a sum: ${question}`);
      const wrong = rng.uniform() < errorRate;
      return {
        value: { answer: wrong ? workedSum(terms[0], terms[1] + 1) : workedSum(...terms) },
        usage: usage(6),
        finishReason: "stop",
      };
    },
    async judge(question, answers) {
      const sum = termsOf(question)?.reduce((a, b) => a + b, 0);
      const [first, second] = answers.map((text) => (ANSWER.exec(text)?.[1] === String(sum) ? 10 : 1));
      return { value: { scores: [first ?? 1, second ?? 1] }, usage: usage(8), finishReason: "stop" };
    },
  };
}

/** A stream for tests that need one. */
export const testRng = (seed = 1): Rng => new Rng(seed);
