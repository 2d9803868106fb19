/**
 * @file The built-in teacher: a task's own writer and exact solver behind the
 * `Teacher` interface. Free, instant, deterministic, and wrong as often as it is
 * told to be. Not here: what a question or an answer looks like (the task's `author`).
 */
import { TutelageError, badInput, throwIfAborted } from "../core/errors.ts";
import type { Task } from "../tasks/types.ts";
import type { Operation, Teacher, TeacherCall, TeacherReply } from "./types.ts";

export interface SolverTeacherOptions {
  /**
   * Probability that a pair (a proposed question and its answer) is wrong, 0 by default.
   * A quarter of the wrong pairs have a flawed question (impossible, or cut off), the rest a
   * wrong answer (final number, a step, a carried-over mistake, a wrong operation). All
   * of these are planted where the task's `verify` sees them; a cut-off question is not
   * answered at all ("unsupported"). What verification cannot see, such as a dull
   * question or one unlike its seed, this teacher does not do on purpose.
   */
  readonly errorRate?: number;
}

/** Share of the wrong pairs whose question is flawed. */
const QUESTION_SHARE = 0.25;
/** Judgements of an exact teacher know no shades. */
const BEST_SCORE = 10;
const WORST_SCORE = 1;

/**
 * The teacher "solver" for `task`. Replies depend on the question, the operation and `call.rng` alone;
 * usage counts whitespace-separated words as tokens, no money and no time, so that records repeat exactly.
 * Calls reject with `unsupported` for a question the task cannot read, solve or vary, and with `aborted` when stopped.
 * @throws BadInputError for a task without an author, or an error rate outside [0, 1].
 */
export function createSolverTeacher(task: Task, options: SolverTeacherOptions = {}): Teacher {
  const { author } = task;
  const { errorRate = 0 } = options;
  if (author === undefined)
    return badInput(
      "teacher solver",
      "a task with a built-in author",
      `the task "${task.name}", which has none`,
      "Choose another teacher, or the teacher none to only evaluate (0 rounds) or to train on the seeds themselves (pairs = seeds)",
    );
  if (!(errorRate >= 0 && errorRate <= 1)) badInput("teacher solver", "an error rate from 0 to 1", String(errorRate));
  // Given that the question is sound, the answer is spoiled so often that pairs fail at the rate asked for.
  const questionRate = errorRate * QUESTION_SHARE;
  const answerRate = questionRate === 1 ? 0 : (errorRate - questionRate) / (1 - questionRate);

  return {
    name: "solver",

    async propose(seed, operation: Operation, call: TeacherCall) {
      throwIfAborted(call.signal, "teacher solver");
      const written = author.write(seed.question, operation, call.rng.fork("write"));
      if (written === undefined) throw unsupported(task, `${operation} the question`, seed.question);
      const error = call.rng.fork("question error");
      const question =
        error.uniform() < questionRate ? author.spoilQuestion(written.question, error) : written.question;
      return reply({ ...written, question }, seed.question, question);
    },

    async answer(question, call) {
      throwIfAborted(call.signal, "teacher solver");
      const answer = author.solve(question, { careless: errorRate > 0 });
      if (answer === undefined) throw unsupported(task, "answer the question", question);
      const error = call.rng.fork("answer error");
      const given = error.uniform() < answerRate ? author.spoilAnswer(question, answer, error) : answer;
      return reply({ answer: given }, question, given);
    },

    async judge(question, answers, call) {
      throwIfAborted(call.signal, "teacher solver");
      const answer = author.solve(question);
      if (answer === undefined) throw unsupported(task, "judge answers to the question", question);
      const [first, second] = answers.map((given) =>
        task.check({ question, answer }, given).correct ? BEST_SCORE : WORST_SCORE,
      ) as [number, number];
      return reply({ scores: [first, second] as const }, [question, ...answers].join("\n"), `${first} ${second}`);
    },
  };
}

function reply<T>(value: T, prompt: string, completion: string): TeacherReply<T> {
  return {
    value,
    finishReason: "stop",
    usage: {
      requests: 1,
      promptTokens: countWords(prompt),
      completionTokens: countWords(completion),
      costUsd: 0,
      durationMs: 0,
    },
  };
}

function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

function unsupported(task: Task, what: string, question: string): TutelageError {
  return new TutelageError(
    "unsupported",
    `teacher solver: expected a question of the task ${task.name} as its templates write them, got one it cannot read; it could not ${what}`,
    {
      details: { task: task.name, question },
    },
  );
}
