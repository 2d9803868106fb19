/** @file One call of each kind to a teacher, to see whether it can be worked with before a run spends anything on it. */
import { messageOf, throwIfAborted } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { Question, Task } from "../tasks/types.ts";
import { TeacherError } from "./teacherError.ts";
import type { Teacher, TeacherCall, TeacherCheck, TeacherReply } from "./types.ts";
import { NO_USAGE } from "./usage.ts";

/** Asks `teacher` about `seed`, one call after another; ends after a failure that every further call would repeat. */
export async function* checkTeacher(
  teacher: Teacher,
  task: Task,
  seed: Question,
  rng: Rng,
  signal?: AbortSignal,
): AsyncGenerator<TeacherCheck, void, void> {
  const call = (name: string): TeacherCall => ({
    rng: rng.fork(name),
    example: seed,
    ...(signal === undefined ? {} : { signal }),
  });
  const verified = (pair: { readonly question: string; readonly answer: string }): string => {
    const verdict = task.verify(pair);
    return verdict.correct ? "accepted by the task's checker" : `rejected by the task's checker: ${verdict.reason}`;
  };
  const pair = teacher.pair?.bind(teacher);
  const checks: readonly (readonly [TeacherCheck["call"], () => Promise<Checked>])[] = [
    pair === undefined
      ? ["propose", () => checked(teacher.propose(seed, "vary", call("propose")), ({ question }) => [question, ""])]
      : [
          "pair",
          () =>
            checked(pair(seed, "vary", call("pair")), (value) => [
              `${value.question}\n${value.answer}`,
              verified(value),
            ]),
        ],
    [
      "answer",
      () =>
        checked(teacher.answer(seed.question, call("answer")), ({ answer }) => [
          answer,
          verified({ question: seed.question, answer }),
        ]),
    ],
    [
      "judge",
      () =>
        checked(teacher.judge(seed.question, [seed.answer, "I do not know."], call("judge")), ({ scores }) => [
          `right answer ${scores[0]}, no answer ${scores[1]}`,
          scores[0] > scores[1] ? "" : "it does not prefer the right answer",
        ]),
    ],
  ];
  for (const [name, ask] of checks) {
    const outcome = await ask();
    throwIfAborted(signal, "teacher check");
    yield { call: name, ok: outcome.ok, result: outcome.result, note: outcome.note, usage: outcome.usage };
    if (outcome.fatal) return;
  }
}

interface Checked extends Omit<TeacherCheck, "call"> {
  readonly fatal: boolean;
}

async function checked<T>(
  reply: Promise<TeacherReply<T>>,
  describe: (value: T) => readonly [result: string, note: string],
): Promise<Checked> {
  try {
    const { value, usage } = await reply;
    const [result, note] = describe(value);
    return { ok: true, result, note, usage, fatal: false };
  } catch (error) {
    const ours = error instanceof TeacherError ? error : undefined;
    return {
      ok: false,
      result: "",
      note: messageOf(error),
      usage: ours?.usage ?? NO_USAGE,
      fatal: ours?.fatal === true || ours?.kind === "network",
    };
  }
}
