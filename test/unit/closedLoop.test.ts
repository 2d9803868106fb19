/** @file What one closed loop does, phase by phase. Resuming: property/closedLoopResume; laws over all settings: property/closedLoopLaws. */
import { describe, expect, it } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { closedLoop } from "../../src/loop/closedLoop.ts";
import { PHASES } from "../../src/loop/records.ts";
import type { LoopRecord, Phase } from "../../src/loop/records.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import type { Question } from "../../src/tasks/types.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { NotingStudent } from "../support/notingStudent.ts";
import { sumsTask, sumsTeacher } from "../support/sums.ts";

const ownLoss = { strategy: { name: "own-loss", picker: { kind: "argmax" } } } as const;
const random = { strategy: { name: "random", picker: { kind: "uniform" } } } as const;
const small = { task: { pool: 20, validation: 5, test: 10 }, rounds: 2, querySize: 4, perSeed: 1 } as const;

describe("a closed loop", () => {
  it("tells round 0, then every phase of every round in order, then the end", async () => {
    const records = await collect(sumsConfig({ ...small, ...ownLoss }), await sumsDeps());
    expect(records[0]).toMatchObject({
      type: "run",
      runId: "run",
      resumedAtRound: 0,
      student: { name: "linear", parameters: 40, trainable: 40 },
    });
    expect(records.at(-1)).toEqual({ type: "done", rounds: 2, reason: "rounds" });
    const phases = ofType(records, "phase");
    const began = phases.filter(({ state }) => state === "start").map(({ round, phase }) => `${round} ${phase}`);
    const ended = phases.filter(({ state }) => state === "end").map(({ round, phase }) => `${round} ${phase}`);
    const expected = ["0 evaluate", ...PHASES.map((phase) => `1 ${phase}`), ...PHASES.map((phase) => `2 ${phase}`)];
    expect(began).toEqual(expected);
    expect(ended).toEqual(expected);
    expect(phases.filter(({ state }) => state === "end").every(({ done, total }) => done === total)).toBe(true);
  });

  it("evaluates the untouched student in round 0, whatever the student did before", async () => {
    const student = new LinearStudent();
    const rows = [{ prompt: "Q: What is 1 + 1?\nA: ", completion: "#### 2" }];
    const options = {
      epochs: 50,
      batchSize: 1,
      gradAccum: 1,
      learningRate: 0.5,
      scheduler: "constant",
      warmupSteps: 0,
      weightDecay: 0,
      maxGradNorm: 0,
      shuffle: false,
      seed: 0,
    } as const;
    const training = student.train(rows, options);
    while ((await training.next()).done !== true);
    const records = await collect(sumsConfig({ ...small, rounds: 0 }), await sumsDeps({ student }));
    const fresh = await collect(sumsConfig({ ...small, rounds: 0 }), await sumsDeps());
    expect(ofType(records, "round")[0]?.summary).toMatchObject({ round: 0, examples: 0, steps: 0, meanLoss: null });
    expect(ofType(records, "round")).toEqual(ofType(fresh, "round"));
  });

  it("lets the student learn: accuracy rises well above where it began", async () => {
    const config = sumsConfig({
      ...random,
      task: { pool: 60, validation: 0, test: 100 },
      rounds: 4,
      querySize: 25,
      perSeed: 3,
      training: { epochs: 60, batchSize: 4, learningRate: 0.1 },
    });
    const rounds = ofType(await collect(config, await sumsDeps()), "round").map(({ summary }) => summary.evaluation);
    expect(rounds[0]?.accuracy).toBeLessThan(0.05);
    expect(rounds.at(-1)?.accuracy).toBeGreaterThan(0.9);
    expect(rounds.at(-1)?.low).toBeGreaterThan(rounds[0]?.high ?? 1);
  });

  it("picks the seeds whose own answers have the highest loss", async () => {
    const records = await collect(sumsConfig({ ...small, ...ownLoss }), await sumsDeps());
    for (const { round, picks } of ofType(records, "picks")) {
      const items = ofType(records, "pool").find((pool) => pool.round === round)?.items ?? [];
      const highest = items
        .map(({ ownLoss: loss = NaN }) => loss)
        .sort((a, b) => b - a)
        .slice(0, picks.length);
      expect(picks.map(({ score }) => score)).toEqual(highest);
      expect(picks.map(({ rank }) => rank)).toEqual([1, 2, 3, 4]);
      for (const { seedId, score } of picks) expect(items.find(({ id }) => id === seedId)?.ownLoss).toBe(score);
    }
  });

  it("scores an empty own answer as the end of the sequence alone", async () => {
    const student = new NotingStudent();
    student.generate = (prompts) =>
      Promise.resolve(
        prompts.map(() => ({ completion: "", ids: new Int32Array(0), tokens: 1, finishReason: "stop" as const })),
      );
    const records = await collect(sumsConfig({ ...small, ...ownLoss, rounds: 1 }), await sumsDeps({ student }));
    expect(student.scored.every(({ completion }) => completion === "")).toBe(true);
    expect(student.encode(student.scored[0] ?? { prompt: "", completion: "?" }).completionTokens).toBe(1);
    expect(ofType(records, "picks")[0]?.picks).toHaveLength(4);
  });

  it("looks at the pool no more than the strategy needs", async () => {
    const student = new NotingStudent();
    const records = await collect(sumsConfig({ ...small, ...random }), await sumsDeps({ student }));
    expect(student.scored).toEqual([]);
    expect(ofType(records, "pool")).toEqual([]);
    const trueLoss = await collect(
      sumsConfig({ ...small, strategy: { name: "true-loss", picker: { kind: "argmax" } } }),
      await sumsDeps(),
    );
    const [item] = ofType(trueLoss, "pool")[0]?.items ?? [];
    expect(item?.score).toBe(item?.trueLoss);
    expect(item).not.toHaveProperty("ownAnswer");
    expect(ofType(trueLoss, "round")[1]?.summary.poolAccuracy).toBeNull();
  });

  it("records a failed teacher call, leaves its item out and goes on", async () => {
    const teacher = sumsTeacher({
      before: (call, text) => {
        if (call === "answer" && text.includes("1")) throw new Error("the line is busy");
      },
    });
    let clock = 0;
    const records = await collect(
      sumsConfig({ ...small, ...random, querySize: 10, rounds: 1 }),
      await sumsDeps({ teacher, now: () => clock++ }),
    );
    // The clock is in no pair of a built-in teacher, so that the same run gives the same bytes.
    expect(ofType(records, "example").every(({ example }) => example.usage.durationMs === 0)).toBe(true);
    const failed = ofType(records, "example").filter(({ example }) => example.reason.includes("the line is busy"));
    expect(failed.length).toBeGreaterThan(0);
    expect(
      failed.every(
        ({ example }) =>
          !example.accepted && example.verification === "failed" && example.answer === "" && example.question !== "",
      ),
    ).toBe(true);
    expect(ofType(records, "warning")).toEqual([
      {
        type: "warning",
        code: "teacher-failed",
        message: expect.stringContaining(`${failed.length} of 10 teacher items failed`),
      },
    ]);
    const summary = ofType(records, "round")[1]?.summary;
    expect(summary?.rejected).toBeGreaterThanOrEqual(failed.length);
    expect(summary?.accepted).toBeGreaterThan(0);
    // Every item asks twice, but for a question that is taken; a failed call is a request too.
    const taken = ofType(records, "example").filter(({ example }) => example.reason.includes("one of the pool"));
    expect(summary?.teacher.requests).toBe(20 - taken.length);
  });

  it("trains nothing and says so when no pair is accepted", async () => {
    const records = await collect(
      sumsConfig({ ...small, ...random, rounds: 1 }),
      await sumsDeps({ teacher: sumsTeacher({ errorRate: 1 }) }),
    );
    expect(ofType(records, "round")[1]?.summary).toMatchObject({
      accepted: 0,
      rejected: 4,
      examples: 0,
      steps: 0,
      meanLoss: null,
    });
    expect(ofType(records, "step")).toEqual([]);
    expect(ofType(records, "warning").map(({ code }) => code)).toEqual(["nothing-accepted"]);
  });

  it("rejects wrong pairs only when verification is on", async () => {
    const deps = async () => sumsDeps({ teacher: sumsTeacher({ errorRate: 1 }) });
    const on = ofType(await collect(sumsConfig({ ...small, rounds: 1 }), await deps()), "example");
    const off = ofType(
      await collect(sumsConfig({ ...small, rounds: 1, verification: "off" }), await deps()),
      "example",
    );
    expect(on.every(({ example }) => example.verification !== "passed")).toBe(true);
    expect(off.some(({ example }) => example.accepted && example.verification === "off")).toBe(true);
  });

  it("never trains on a question that a split or an earlier pair has, verification or not", async () => {
    const task = sumsTask();
    const config = sumsConfig({ ...small, ...random, rounds: 1, querySize: 3, verification: "off" });
    const splits = task.splits(config.task, new Rng(config.seed).fork("splits"));
    const questions = [splits.test[0], splits.validation[0], splits.pool[0]].map(
      (question) => question?.question ?? "",
    );
    let turn = 0;
    const base = sumsTeacher();
    const leaking = {
      ...base,
      propose: async () => ({
        value: { question: questions[turn++ % 3] ?? "" },
        usage: (await base.answer("What is 1 + 1?", { rng: new Rng(0) })).usage,
        finishReason: "stop" as const,
      }),
    };
    const records = await collect(config, await sumsDeps({ task, teacher: leaking, teacherConcurrency: 1 }));
    expect(ofType(records, "example").map(({ example }) => example.verification)).toEqual([
      "duplicate",
      "duplicate",
      "duplicate",
    ]);

    const repeating = {
      ...base,
      propose: async () => ({ ...(await base.propose(splits.pool[0]!, "vary", { rng: new Rng(3) })) }),
    };
    const repeated = await collect(config, await sumsDeps({ task, teacher: repeating }));
    expect(ofType(repeated, "example").map(({ example }) => example.verification)).toEqual([
      "off",
      "duplicate",
      "duplicate",
    ]);
  });

  it("rejects a pair that is longer than the student's context instead of failing in training", async () => {
    const base = sumsTeacher();
    const verbose = {
      ...base,
      answer: async (question: string, call: { rng: Rng }) => {
        const reply = await base.answer(question, call);
        return { ...reply, value: { answer: `${"so ".repeat(100)}${reply.value.answer}` } };
      },
    };
    const records = await collect(
      sumsConfig({ ...small, rounds: 1 }),
      await sumsDeps({ teacher: verbose, student: new LinearStudent({ maxPositions: 120 }) }),
    );
    expect(ofType(records, "example").every(({ example }) => !example.accepted)).toBe(true);
    expect(
      ofType(records, "example").some(
        ({ example }) => example.verification === "failed" && example.reason.includes("at most 120 tokens"),
      ),
    ).toBe(true);
  });

  it("restarts from the base weights on all pairs so far, or continues; accumulates, or not", async () => {
    const rowsOf = async (change: { restart: boolean; accumulate: boolean }) => {
      const student = new NotingStudent();
      const records = await collect(sumsConfig({ ...small, ...random, ...change }), await sumsDeps({ student }));
      const accepted = ofType(records, "round").map(({ summary }) => summary.accepted);
      return { student, accepted, rows: student.trained.map((rows) => rows.length), weights: await student.snapshot() };
    };
    const all = await rowsOf({ restart: true, accumulate: true });
    expect(all.rows).toEqual([all.accepted[1], (all.accepted[1] ?? 0) + (all.accepted[2] ?? 0)]);
    const last = await rowsOf({ restart: true, accumulate: false });
    expect(last.rows).toEqual([last.accepted[1], last.accepted[2]]);
    const continued = await rowsOf({ restart: false, accumulate: true });
    expect(continued.student.resets).toBe(1);
    expect(all.student.resets).toBe(3);
    expect(continued.weights).not.toEqual(all.weights);
  });

  it("mixes seed pairs in by the replay share", async () => {
    const student = new NotingStudent();
    const records = await collect(
      sumsConfig({ ...small, ...random, rounds: 1, replay: 0.5 }),
      await sumsDeps({ student }),
    );
    const accepted = ofType(records, "round")[1]?.summary.accepted ?? 0;
    const ids = (student.trained[0] ?? []).map(({ id = "" }) => id);
    expect(accepted).toBeGreaterThan(1);
    expect(ids.filter((id) => !id.startsWith("r1-"))).toHaveLength(Math.round(accepted / 2));
    expect(ids.slice(0, accepted).every((id) => id.startsWith("r1-"))).toBe(true);
  });

  it("evaluates on the split it is told to", async () => {
    const [round] = ofType(
      await collect(
        sumsConfig({ rounds: 0, task: { pool: 6, validation: 7, test: 9, evaluateOn: "validation" } }),
        await sumsDeps(),
      ),
      "round",
    );
    expect(round?.summary.evaluation).toMatchObject({ split: "validation", n: 7 });
  });

  it("measures durations with the clock it is given", async () => {
    let ms = 0;
    const records = await collect(sumsConfig({ ...small, rounds: 1 }), await sumsDeps({ now: () => (ms += 5) }));
    expect(
      ofType(records, "round").every(({ summary }) => summary.durationMs > 0 && summary.durationMs % 5 === 0),
    ).toBe(true);
  });
});

describe("stopping a closed loop", () => {
  it("does no further work while nobody pulls", async () => {
    const teacher = sumsTeacher();
    const records = closedLoop(
      sumsConfig({ ...small, ...random, querySize: 12, rounds: 1 }),
      await sumsDeps({ teacher, teacherConcurrency: 2 }),
    );
    for await (const record of { [Symbol.asyncIterator]: () => ({ next: () => records.next() }) }) {
      if (record.type === "phase" && record.phase === "teach" && record.done >= 3) break;
    }
    const before = teacher.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    // What was in flight may end: one more item of two calls.
    expect(teacher.calls.length).toBeLessThanOrEqual(before + 2);
    expect(teacher.calls.length).toBeLessThan(12);
    await records.return();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(teacher.calls.length).toBeLessThan(12);
  });

  it.each(PHASES)("aborts in phase %s and computes nothing after", async (phase: Phase) => {
    const abort = new AbortController();
    let work = 0;
    const student = new LinearStudent({ onWork: () => void work++ });
    const teacher = sumsTeacher({ before: () => void work++ });
    const records = closedLoop(
      sumsConfig({ ...small, ...ownLoss }),
      await sumsDeps({ student, teacher, signal: abort.signal }),
    );
    const seen: LoopRecord[] = [];
    let atAbort = -1;
    const drain = async (): Promise<void> => {
      for await (const record of records) {
        seen.push(record);
        if (record.type === "phase" && record.round > 0 && record.phase === phase && record.state === "start") {
          abort.abort(new Error("enough"));
          atAbort = work;
        }
      }
    };
    await expect(drain()).rejects.toMatchObject({ code: "aborted" });
    expect(seen.some((record) => record.type === "round" && record.summary.round === 1)).toBe(false);
    expect(work).toBe(atAbort);
  });

  it("aborts a teacher call that hangs", async () => {
    const abort = new AbortController();
    const teacher = sumsTeacher();
    const hanging = {
      ...teacher,
      answer: (_question: string, call: { signal?: AbortSignal }) =>
        new Promise<never>((_, reject) => {
          call.signal?.addEventListener("abort", () => reject(new DOMException("gone", "AbortError")));
          // While it hangs, however long the loop took to come here.
          setTimeout(() => abort.abort());
        }),
    };
    const store = await new MemoryLibrary().open("run");
    const whole = collect(
      sumsConfig({ ...small, ...random }),
      await sumsDeps({ teacher: hanging, signal: abort.signal, store }),
    );
    await expect(whole).rejects.toMatchObject({ code: "aborted" });
    // Proposals that came back are kept; aborted answers are no failures.
    const stored = await store.load();
    expect(stored?.replies.length).toBeGreaterThan(0);
    expect(stored?.replies.every(({ call, outcome }) => call === "propose" && outcome.ok)).toBe(true);
  });

  it("gives a failing student's own error", async () => {
    const student = new LinearStudent({
      onWork: (what) => {
        if (what === "train") throw new TutelageError("non-finite", "the loss is NaN");
      },
    });
    await expect(collect(sumsConfig({ ...small, ...random }), await sumsDeps({ student }))).rejects.toMatchObject({
      code: "non-finite",
    });
  });
});

describe("opening a closed loop", () => {
  it("refuses a place that holds a run already, and to resume where there is none", async () => {
    const store = await new MemoryLibrary().open("run");
    const config = sumsConfig({ ...small, rounds: 0 });
    await expect(collect(config, await sumsDeps({ store, resume: true }))).rejects.toThrow(
      /run run: expected a stored run to resume, got none/,
    );
    await collect(config, await sumsDeps({ store }));
    await expect(collect(config, await sumsDeps({ store }))).rejects.toThrow(/expected a place without a run/);
  });

  it("refuses to resume with other settings, naming the first that differs", async () => {
    const store = await new MemoryLibrary().open("run");
    await collect(sumsConfig({ ...small, rounds: 0 }), await sumsDeps({ store }));
    const other = sumsConfig({ ...small, rounds: 0, training: { epochs: 7 } });
    await expect(collect(other, await sumsDeps({ store, resume: true }))).rejects.toThrow(
      /training\.epochs: expected 6 as the run began, got 7/,
    );
  });

  it("yields a finished run's end at once, without computing", async () => {
    const store = await new MemoryLibrary().open("run");
    const config = sumsConfig({ ...small, rounds: 1 });
    await collect(config, await sumsDeps({ store }));
    let work = 0;
    const records = await collect(
      config,
      await sumsDeps({ store, resume: true, student: new LinearStudent({ onWork: () => void work++ }) }),
    );
    expect(records.map(({ type }) => type)).toEqual(["run", "done"]);
    expect(work).toBe(0);
  });

  it("says when a run goes on with another engine", async () => {
    const store = await new MemoryLibrary().open("run");
    const config = sumsConfig({ ...small, rounds: 0 });
    await collect(config, await sumsDeps({ store }));
    const student = new LinearStudent();
    Object.defineProperty(student, "engine", { value: { ep: "wasm", version: "linear 2", threads: 4 } });
    const records = await collect(config, await sumsDeps({ store, resume: true, student }));
    expect(ofType(records, "warning")).toEqual([
      {
        type: "warning",
        code: "engine-changed",
        message: "the run began on cpu, linear 1 and goes on on wasm, linear 2",
      },
    ]);
  });

  it("names before the first round the questions of any split that do not fit the student", async () => {
    // "Q: What is 3 + 4?\nA: " has 21 characters, a token each; a term of two digits one more.
    const student = new LinearStudent({ maxPositions: 61 });
    const config = sumsConfig(small);
    const { pool, validation, test } = sumsTask().splits(config.task, new Rng(config.seed).fork("splits"));
    const refused = async (change: object, questions: readonly Question[]): Promise<void> => {
      const long = questions.filter(({ question }) => `Q: ${question}\nA: `.length > 21);
      const store = await new MemoryLibrary().open("run");
      const error = await collect({ ...config, ...change }, await sumsDeps({ student, store })).catch(String);
      expect(error).toContain(
        'task "word-problems": expected prompts of at most 21 tokens (the student\'s context of 61 less generation.maxNewTokens = 40)',
      );
      expect(error).toContain(`got ${long.length} longer: ${long[0]?.id} (22 tokens: "${long[0]?.question}"), `);
      expect(error).toContain(
        "Leave them out with task.excessLength drop (--excess-length drop), lower generation.maxNewTokens",
      );
      expect(await store.load()).toBeUndefined();
    };
    await refused({}, [...pool, ...test]);
    // Validation questions are asked where they decide when the run ends; without rounds the pool is not.
    await refused({ stop: { target: 0.9, minGain: 0 } }, [...pool, ...validation, ...test]);
    await refused({ rounds: 0 }, test);
    const roomy = new LinearStudent({ maxPositions: 63 });
    await collect({ ...config, rounds: 1 }, await sumsDeps({ student: roomy }));
  });

  it("leaves such questions out where it is told to, says how many, and asks about none of them", async () => {
    const student = new LinearStudent({ maxPositions: 61 });
    const config = sumsConfig({ ...small, rounds: 1, querySize: 1 });
    const all = sumsTask().splits(config.task, new Rng(config.seed).fork("splits"));
    const isLong = ({ question }: Question): boolean => `Q: ${question}\nA: `.length > 21;
    const longIds = (questions: readonly Question[]): string[] => questions.filter(isLong).map(({ id }) => id);
    const dropped = { pool: longIds(all.pool), validation: longIds(all.validation), test: longIds(all.test) };
    expect([dropped.pool.length > 0, dropped.test.length > 0]).toEqual([true, true]);
    const dropping = { ...config, task: { ...config.task, excessLength: "drop" as const } };
    const store = await new MemoryLibrary().open("run");
    const records = await collect(dropping, await sumsDeps({ student, store }));
    const stored = await store.load();
    expect(stored?.manifest.dropped).toEqual(dropped);
    const said = ofType(records, "warning").filter(({ code }) => code === "questions-dropped");
    expect(said.map(({ message }) => message)).toEqual([
      expect.stringContaining(
        `${dropped.pool.length} of the pool, ${dropped.validation.length} of validation, ${dropped.test.length} of test (the first: ${dropped.pool[0]}`,
      ),
    ]);
    const gone = new Set(dropped.pool);
    expect(stored?.picks.flatMap(({ picks }) => picks).filter(({ seedId }) => gone.has(seedId))).toEqual([]);
    for (const { summary } of ofType(records, "round"))
      expect(summary.evaluation.n).toBe(all.test.length - dropped.test.length);
    const left = all.pool.length - dropped.pool.length;
    const tooMany = collect({ ...dropping, querySize: left + 1 }, await sumsDeps({ student }));
    await expect(tooMany).rejects.toThrow(
      `querySize: expected at most the ${left} seeds that fit the student's context, got ${left + 1}`,
    );
  });
});
