/** @file What a closed loop does when its teacher fails, runs out of budget or is gone; one call in place of two; a recorded run. */
import { expect, it } from "vitest";
import type { StoredReply } from "../../src/loop/runStore.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { createReplayTeacher } from "../../src/teacher/replayTeacher.ts";
import { TeacherError } from "../../src/teacher/teacherError.ts";
import type { Teacher, TeacherUsage } from "../../src/teacher/types.ts";
import { NO_USAGE } from "../../src/teacher/usage.ts";
import { collect, comparable, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTeacher, termsOf, workedSum } from "../support/sums.ts";

const USED: TeacherUsage = { requests: 3, promptTokens: 20, completionTokens: 0, costUsd: 0.5, durationMs: 0 };

/** A sums teacher whose calls fail with what `failureOf` gives, by their number. */
function failing(
  failureOf: (call: number) => TeacherError | undefined,
): Teacher & { readonly charged: TeacherUsage[] } {
  let calls = 0;
  const charged: TeacherUsage[] = [];
  const before = (): void => {
    const failure = failureOf(calls++);
    if (failure !== undefined) throw failure;
  };
  return { ...sumsTeacher({ before }), charged, charge: (usage) => void charged.push(usage) };
}

it("records a failed item with what it used, and goes on with the others", async () => {
  const teacher = failing((call) => (call === 2 ? new TeacherError("reply", "no JSON").with(USED) : undefined));
  const records = await collect(sumsConfig({ rounds: 1 }), await sumsDeps({ teacher, teacherConcurrency: 1 }));
  const examples = ofType(records, "example").map(({ example }) => example);
  expect(examples).toHaveLength(12);
  const failed = examples.filter(({ reason }) => reason.includes("no JSON"));
  expect(failed).toHaveLength(1);
  expect(failed[0]?.usage.costUsd).toBeCloseTo(0.5);
  expect(records.at(-1)?.type).toBe("done");
});

it("stops when the teacher is gone, keeps nothing of that, and asks again when it is resumed", async () => {
  const config = sumsConfig({ rounds: 2 });
  const whole = await collect(config, await sumsDeps());
  const store = await new MemoryLibrary().open("run");
  const gone = failing((call) => (call >= 15 ? new TeacherError("key", "status 401, the key was refused") : undefined));
  await expect(collect(config, await sumsDeps({ teacher: gone, store }))).rejects.toThrow("the key was refused");
  const replies = (await store.load())?.replies ?? [];
  expect(replies.every(({ outcome }) => outcome.ok)).toBe(true);
  expect(replies).toHaveLength(15);
  const back = failing(() => undefined);
  const rest = await collect(config, await sumsDeps({ teacher: back, store, resume: true }));
  expect(comparable(rest, 1)).toEqual(comparable(whole, 1));
  // The ceilings of a resumed run count what the first session used.
  expect(back.charged).toHaveLength(15);
});

it("ends after the round in which a ceiling was reached, also when it is resumed", async () => {
  const config = sumsConfig({ rounds: 5 });
  const over = (): Teacher =>
    failing((call) => (call >= 30 ? new TeacherError("budget", "the ceiling is reached") : undefined));
  const store = await new MemoryLibrary().open("run");
  const records = await collect(config, await sumsDeps({ teacher: over(), store, teacherConcurrency: 1 }));
  expect(ofType(records, "round").map(({ summary }) => summary.round)).toEqual([0, 1, 2]);
  expect(records.at(-1)).toEqual({ type: "done", rounds: 2, reason: "budget" });
  expect(ofType(records, "warning").map(({ code }) => code)).toEqual(["teacher-failed", "budget-spent"]);
  // 24 calls in the first round but for questions that were taken; of the second all up to the ceiling were answered, and those pairs used.
  const [, first, second] = ofType(records, "round").map(({ summary }) => summary.teacher.requests);
  expect(first).toBeLessThanOrEqual(24);
  expect((first ?? 0) + (second ?? 0)).toBe(30);
  const again = await collect(config, await sumsDeps({ teacher: sumsTeacher(), store, resume: true }));
  expect(again.map(({ type }) => type)).toEqual(["run", "warning", "done"]);
});

it("takes question and answer from one call where the teacher gives both", async () => {
  const base = sumsTeacher();
  const pairing: Teacher = {
    ...base,
    answer: () => Promise.reject(new Error("asked twice")),
    async pair(seed, operation, call) {
      const { value, usage, finishReason } = await base.propose(seed, operation, call);
      const answer = workedSum(...(termsOf(value.question) ?? [0, 0]));
      return { value: { ...value, answer }, usage, finishReason };
    },
  };
  const store = await new MemoryLibrary().open("run");
  const records = await collect(sumsConfig({ rounds: 1 }), await sumsDeps({ teacher: pairing, store }));
  expect(ofType(records, "example").filter(({ example }) => example.accepted).length).toBeGreaterThan(5);
  expect(new Set((await store.load())?.replies.map(({ call }) => call))).toEqual(new Set(["pair"]));
});

it("replays a recorded run to the byte without asking anybody, failures included", async () => {
  const config = sumsConfig({ rounds: 2 });
  const store = await new MemoryLibrary().open("first");
  const teacher = failing((call) =>
    call % 7 === 3 ? new TeacherError("server", "status 500").with(NO_USAGE) : undefined,
  );
  const first = await collect(config, await sumsDeps({ teacher, store }));
  const recorded = (await store.load())?.replies ?? [];
  const copy = await new MemoryLibrary().open("second");
  const replay = createReplayTeacher({ calls: "two" });
  const second = await collect(config, await sumsDeps({ teacher: replay, store: copy, recorded }));
  expect(comparable(second)).toEqual(comparable(first));
  const byId = (replies: readonly StoredReply[]) =>
    [...replies].sort((a, b) => (a.id + a.call < b.id + b.call ? -1 : 1));
  expect(byId((await copy.load())?.replies ?? [])).toEqual(byId(recorded));
  // What was not recorded is not asked for, but fails.
  const wider = sumsConfig({ rounds: 1, querySize: 10 });
  const other = ofType(await collect(wider, await sumsDeps({ teacher: replay, recorded })), "example");
  expect(other.filter(({ example }) => example.reason.includes("no reply to this call"))).toHaveLength(8);
});
