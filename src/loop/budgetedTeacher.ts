/**
 * @file The run's settings around a built-in teacher: ceilings of tokens and money, a
 * price for its tokens, question and answer in one call. A chat teacher has all three
 * of its own (`teacher/chat`), where ceilings also count requests in flight.
 */
import { TeacherError } from "../teacher/teacherError.ts";
import type { ProposedQuestion, Teacher, TeacherReply, TeacherUsage } from "../teacher/types.ts";
import { NO_USAGE, addUsage } from "../teacher/usage.ts";
import type { ExperimentConfig } from "./config.ts";

const TOKENS_PER_PRICE = 1e6;

/** Whether ceilings of tokens or money are kept here: which calls they refuse then depends on the order of the calls. */
export function keepsCeilings({ budget, teacher }: ExperimentConfig): boolean {
  return teacher.chat === undefined && (budget.teacherTokens !== undefined || budget.costUsd !== undefined);
}

/**
 * `teacher` as the experiment uses it. A call whose use would break a ceiling is refused with a `TeacherError`
 * "budget", its reply unused and uncounted, as is every call after it. Deterministic where calls come one after another.
 * @param spent what earlier sessions of the run used. @param reached a ceiling was reached in one of them.
 */
export function budgetedTeacher(
  teacher: Teacher,
  config: ExperimentConfig,
  spent: readonly TeacherUsage[],
  reached: boolean,
): Teacher {
  const { budget, teacher: settings } = config;
  const { price, calls } = settings;
  // A teacher's own ceilings are the run's, not the session's.
  for (const usage of spent) teacher.charge?.(usage);
  if (settings.chat !== undefined || (price === undefined && calls !== "one" && !keepsCeilings(config))) return teacher;
  let used = spent.reduce(addUsage, NO_USAGE);
  let stopped = reached;

  async function counted<T>(work: () => Promise<TeacherReply<T>>): Promise<TeacherReply<T>> {
    if (stopped) throw refused("a ceiling was reached before");
    const reply = await work();
    const { promptTokens, completionTokens, costUsd } = reply.usage;
    const priced =
      price === undefined
        ? costUsd
        : (promptTokens * price.promptUsd + completionTokens * price.completionUsd) / TOKENS_PER_PRICE;
    const usage = { ...reply.usage, costUsd: priced };
    const after = addUsage(used, usage);
    const tokens = after.promptTokens + after.completionTokens;
    const over =
      tokens > (budget.teacherTokens ?? Infinity)
        ? `${budget.teacherTokens} tokens`
        : after.costUsd > (budget.costUsd ?? Infinity)
          ? `${budget.costUsd} US dollars`
          : undefined;
    if (over !== undefined) {
      stopped = true;
      throw refused(`the ceiling of ${over} leaves no room for this call`);
    }
    used = after;
    return { ...reply, usage };
  }

  /** Both calls as one request. */
  async function both(
    ...[seed, operation, call]: Parameters<Teacher["propose"]>
  ): Promise<TeacherReply<ProposedQuestion & { readonly answer: string }>> {
    const first = await teacher.propose(seed, operation, { ...call, rng: call.rng.fork("propose") });
    const second = await teacher.answer(first.value.question, { ...call, rng: call.rng.fork("answer") });
    return {
      value: { ...first.value, answer: second.value.answer },
      usage: { ...addUsage(first.usage, second.usage), requests: 1 },
      finishReason: second.finishReason,
    };
  }
  const pair = teacher.pair?.bind(teacher) ?? both;

  return {
    name: teacher.name,
    propose: (...asked) => counted(() => teacher.propose(...asked)),
    answer: (...asked) => counted(() => teacher.answer(...asked)),
    judge: (...asked) => counted(() => teacher.judge(...asked)),
    ...(calls === "one" ? { pair: (...asked) => counted(() => pair(...asked)) } : {}),
  };
}

function refused(message: string): TeacherError {
  return new TeacherError("budget", message, { usage: NO_USAGE });
}
