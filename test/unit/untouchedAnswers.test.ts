/** @file What untouched students share: each answer once, never after training, never between students that differ. */
import { expect, test } from "vitest";
import { UntouchedAnswers } from "../../src/loop/untouchedAnswers.ts";
import type { Student, TrainOptions } from "../../src/student/types.ts";
import { LinearStudent } from "../support/linearStudent.ts";
import { workedSum } from "../support/sums.ts";

const PROMPTS = ["Q: What is 1 + 2?\nA: ", "Q: What is 3 + 4?\nA: "];
const GREEDY = { maxNewTokens: 8, batchSize: 2 };
const ROWS = [{ id: "a", prompt: "Q: What is 1 + 2?\nA: ", completion: workedSum(1, 2) }];
const TRAINING: TrainOptions = {
  steps: 3,
  batchSize: 1,
  gradAccum: 1,
  learningRate: 0.1,
  scheduler: "constant",
  warmupSteps: 0,
  weightDecay: 0,
  maxGradNorm: 0,
  shuffle: false,
  seed: 1,
};

interface Counted {
  readonly student: Student;
  readonly calls: string[];
}

/** Students of one race, after the reset that begins a run. */
async function joined(...identities: string[]): Promise<Counted[]> {
  const answers = new UntouchedAnswers();
  const all = identities.map((identity): Counted => {
    const calls: string[] = [];
    return { student: answers.join(new LinearStudent({ onWork: (what) => void calls.push(what) }), identity), calls };
  });
  for (const { student } of all) await student.reset();
  return all;
}

async function train(student: Student): Promise<void> {
  for await (const step of student.train(ROWS, TRAINING)) expect(step.loss).toBeGreaterThanOrEqual(0);
}

test("the second student gets the first one's answers and scores without working", async () => {
  const [a, b] = await joined("same", "same");
  const first = [await a!.student.generate(PROMPTS, GREEDY), await a!.student.score(ROWS, ["loss"])];
  const second = [await b!.student.generate(PROMPTS, GREEDY), await b!.student.score(ROWS, ["loss"])];
  expect(second).toEqual(first);
  expect([a!.calls, b!.calls]).toEqual([["generate", "score"], []]);
});

test("a student is told what an answer of another has cost, and nothing of its own", async () => {
  let nowMs = 0;
  const answers = new UntouchedAnswers(() => nowMs);
  const spared: string[] = [];
  const [a, b] = ["a", "b"].map((name) =>
    answers.join(new LinearStudent({ onWork: () => void (nowMs += 30) }), "same", (ms) => spared.push(`${name} ${ms}`)),
  );
  for (const student of [a!, b!]) {
    await student.reset();
    await student.generate(PROMPTS, GREEDY);
  }
  expect(spared).toEqual(["b 30"]);
});

test("a third question of the same kind is computed: what all had is forgotten", async () => {
  const [a, b] = await joined("same", "same");
  for (const { student } of [a!, b!, a!]) await student.generate(PROMPTS, GREEDY);
  expect([a!.calls.length, b!.calls.length]).toEqual([2, 0]);
});

test("other questions, options, samples and students are computed", async () => {
  const [a, b, other] = await joined("same", "same", "other");
  await a!.student.generate(PROMPTS, GREEDY);
  await a!.student.score(ROWS, ["loss"]);
  await b!.student.generate(PROMPTS.slice(1), GREEDY);
  await b!.student.generate(PROMPTS, { ...GREEDY, maxNewTokens: 9 });
  await b!.student.generate(PROMPTS, { ...GREEDY, temperature: 1 });
  await b!.student.score(ROWS, ["loss", "entropy"]);
  await b!.student.score([{ ...ROWS[0]!, completion: workedSum(1, 3) }], ["loss"]);
  await other!.student.generate(PROMPTS, GREEDY);
  expect([b!.calls.length, other!.calls.length]).toEqual([5, 1]);
});

test("after training or a restore each student answers for itself; after a reset it shares again", async () => {
  const [a, b] = await joined("same", "same");
  await train(a!.student);
  const trained = await a!.student.score(ROWS, ["loss"]);
  const untouched = await b!.student.score(ROWS, ["loss"]);
  expect(trained[0]!.loss).not.toBe(untouched[0]!.loss);
  await a!.student.reset();
  expect(await a!.student.score(ROWS, ["loss"])).toEqual(untouched);
  expect(a!.calls.filter((what) => what === "score")).toHaveLength(1);

  await train(a!.student);
  const parameters = await a!.student.snapshot();
  await b!.student.restore(parameters);
  expect(await b!.student.score(ROWS, ["loss"])).toEqual(trained);
});

test("an answer that failed is computed by the next who asks", async () => {
  const [a, b] = await joined("same", "same");
  const abort = new AbortController();
  abort.abort();
  await expect(a!.student.generate(PROMPTS, { ...GREEDY, signal: abort.signal })).rejects.toMatchObject({
    code: "aborted",
  });
  expect(await b!.student.generate(PROMPTS, GREEDY)).toHaveLength(2);
});
