import { describe, expect, it } from "vitest";
import { BadInputError, TutelageError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { regionOf } from "../../src/tasks/splits.ts";
import type { Question } from "../../src/tasks/types.ts";
import { harderPlans, longerPlans, rarerPlans, simplerPlans } from "../../src/tasks/wordProblems/plan.ts";
import { readStory } from "../../src/tasks/wordProblems/readStory.ts";
import { storyPlan } from "../../src/tasks/wordProblems/story.ts";
import { wordProblemsTask } from "../../src/tasks/wordProblems/wordProblems.ts";
import { createTeacher, teacherNames } from "../../src/teacher/registry.ts";
import { createSolverTeacher } from "../../src/teacher/solverTeacher.ts";
import { OPERATIONS } from "../../src/teacher/types.ts";
import { refereeAnswer } from "../support/wordProblemReferee.ts";

const task = wordProblemsTask();
const { pool } = task.splits({ pool: 300, validation: 0, test: 0 }, new Rng(1));
const stepsOf = (level: string | undefined) => Number.parseInt(level ?? "", 10);
const planOf = (question: string) => storyPlan(readStory(question)!);
const CASES = pool.flatMap((seed) => OPERATIONS.map((operation) => ({ seed, operation })));

describe("the solver teacher without errors", () => {
  const teacher = createSolverTeacher(task);

  it("writes another question, never one that a held-out split can hold, and answers it right", async () => {
    for (const [i, { seed, operation }] of CASES.entries()) {
      const call = { rng: new Rng(i) };
      const { value } = await teacher.propose(seed, operation, call);
      const form = task.canonical(value.question);
      expect(form).not.toBe(task.canonical(seed.question));
      expect(regionOf(form)).toBe("pool");
      expect(value.question.length).toBeLessThanOrEqual(219);
      const { value: answered } = await teacher.answer(value.question, call);
      expect(task.verify({ question: value.question, answer: answered.answer }), value.question).toMatchObject({
        correct: true,
      });
      expect(answered.answer.split("\n").at(-1)).toBe(`#### ${refereeAnswer(value.question)}`);
    }
  });

  it("keeps the seed's cluster, or says the same in a rarer one, and takes or adds a step as asked", async () => {
    let rarer = 0;
    for (const [i, { seed, operation }] of CASES.entries()) {
      const { value } = await teacher.propose(seed, operation, { rng: new Rng(i) });
      const plan = planOf(seed.question);
      const cluster = value.tags?.["cluster"];
      if (operation === "rarer" && rarerPlans(plan).length > 0) {
        expect([seed.tags?.["cluster"], "plain"], seed.question).not.toContain(cluster);
        expect(planOf(value.question)).toEqual({ ...plan, cluster });
        rarer++;
      } else expect(cluster, seed.question).toBe(seed.tags?.["cluster"]);
      const [before, after] = [stepsOf(seed.level), stepsOf(value.level)];
      const change = {
        vary: 0,
        rarer: 0,
        simplify: simplerPlans(plan).length > 0 ? -1 : 0,
        complicate: harderPlans(plan).length > 0 ? 1 : 0,
        addStep: longerPlans(plan).length > 0 ? 1 : 0,
      }[operation];
      expect(Math.sign(after - before), seed.question).toBe(change);
      if (operation === "vary") expect(planOf(value.question)).toEqual(plan);
    }
    expect(rarer).toBeGreaterThan(0);
  });

  it("can shorten every seed of 3 steps or more and lengthen every seed of 2 or fewer", () => {
    const stuck = (seeds: readonly Question[], plans: typeof simplerPlans) =>
      seeds.map((seed) => seed.question).filter((question) => plans(planOf(question)).length === 0);
    expect(
      stuck(
        pool.filter((seed) => stepsOf(seed.level) >= 3),
        simplerPlans,
      ),
    ).toEqual([]);
    expect(
      stuck(
        pool.filter((seed) => stepsOf(seed.level) <= 2),
        harderPlans,
      ),
    ).toEqual([]);
  });

  it("says the same for the same seed of chance and something else for another", async () => {
    const seed = pool[0]!;
    const ask = async (n: number) => (await teacher.propose(seed, "vary", { rng: new Rng(n) })).value.question;
    expect(await ask(1)).toBe(await ask(1));
    expect(new Set(await Promise.all([1, 2, 3, 4, 5, 6].map(ask))).size).toBeGreaterThan(3);
  });

  it("counts words as tokens, and neither money nor time", async () => {
    const { usage } = await teacher.answer(
      "Ana has 12 apples. She buys 7 more apples. How many apples does Ana have now?",
      { rng: new Rng(1) },
    );
    expect(usage).toEqual({ requests: 1, promptTokens: 16, completionTokens: 7, costUsd: 0, durationMs: 0 });
  });

  it("says what it cannot read, solve or vary with a typed error", async () => {
    const foreign: Question = { id: "x", question: "What is love?", answer: "#### 42", level: "?" };
    const call = { rng: new Rng(1) };
    for (const attempt of [
      () => teacher.propose(foreign, "vary", call),
      () => teacher.answer(foreign.question, call),
      () => teacher.answer("Ana has 5 apples. She loses 7 apples. How many apples does Ana have left?", call),
    ]) {
      await expect(attempt()).rejects.toSatisfy(
        (error) =>
          error instanceof TutelageError && error.code === "unsupported" && /word-problems/.test(error.message),
      );
    }
  });

  it("stops when told to", async () => {
    const call = { rng: new Rng(1), signal: AbortSignal.abort() };
    await expect(teacher.propose(pool[0]!, "vary", call)).rejects.toMatchObject({ code: "aborted" });
    await expect(teacher.answer(pool[0]!.question, call)).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("the solver teacher with errors", () => {
  /** Whether a whole pair is wrong: not answered, or rejected by verification. */
  async function isWrong(errorRate: number, seed: Question, n: number): Promise<boolean> {
    const teacher = createSolverTeacher(task, { errorRate });
    const call = { rng: new Rng(n) };
    const { value } = await teacher.propose(seed, "vary", call);
    try {
      const { value: answered } = await teacher.answer(value.question, call);
      return !task.verify({ question: value.question, answer: answered.answer }).correct;
    } catch (error) {
      if (error instanceof TutelageError && error.code === "unsupported") return true;
      throw error;
    }
  }

  it("makes every pair wrong at rate 1, and verification catches each", async () => {
    for (const [i, seed] of pool.entries()) expect(await isWrong(1, seed, i), seed.question).toBe(true);
  });

  it("makes as many pairs wrong as it is told to", async () => {
    const n = 900;
    let wrong = 0;
    for (let i = 0; i < n; i++) if (await isWrong(0.3, pool[i % pool.length]!, i)) wrong++;
    // Five standard deviations of a binomial.
    expect(Math.abs(wrong / n - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / n));
  });

  it("plants flaws in questions and several kinds of mistakes in answers", async () => {
    const teacher = createSolverTeacher(task, { errorRate: 1 });
    const reasons = new Set<string>();
    for (const [i, seed] of pool.entries()) {
      const call = { rng: new Rng(1000 + i) };
      const { value } = await teacher.propose(seed, "vary", call);
      const answer = await teacher.answer(value.question, call).then(
        (reply) => reply.value.answer,
        () => "",
      );
      reasons.add(task.verify({ question: value.question, answer }).reason.replace(/".*"|-?\d+/g, "#"));
    }
    expect([...reasons].join("\n")).toMatch(/cannot be read/);
    expect([...reasons].join("\n")).toMatch(/not a whole number|below zero/);
    expect([...reasons].join("\n")).toMatch(/the final answer is #, not #/);
    expect([...reasons].join("\n")).toMatch(/the step # is wrong/);
  });

  it("refuses a rate that is no probability, a task without an author and an unknown name", async () => {
    for (const errorRate of [-0.1, 1.1, Number.NaN])
      expect(() => createSolverTeacher(task, { errorRate })).toThrow(BadInputError);
    const { author: _, ...bare } = task;
    expect(() => createSolverTeacher(bare)).toThrow(/built-in author/);
    await expect(createTeacher({ name: "oracle" }, task)).rejects.toThrow(teacherNames.join(", "));
    expect((await createTeacher({ name: "solver", errorRate: 0.5 }, task)).name).toBe("solver");
  });
});
