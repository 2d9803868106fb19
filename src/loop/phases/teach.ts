/**
 * @file Phase "teach": the planned pairs, new questions and their worked answers by the
 * teacher or seeds' own pairs. Each call is stored the moment it comes back and never made
 * again; a call that fails costs its item, not the round.
 */
import { invariant, throwIfAborted } from "../../core/errors.ts";
import type { TeacherUsage } from "../../teacher/types.ts";
import { planPairs, type PlannedPair } from "../generationPlan.ts";
import { inParallel } from "../inParallel.ts";
import type { LoopRecord } from "../records.ts";
import type { StoredReply, TeacherCallName } from "../runStore.ts";
import { phaseRecord } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { NO_USAGE, addUsage } from "../../teacher/usage.ts";
import { askOnce, knownReplies, type KnownReplies, type Work } from "./askOnce.ts";
import type { PickedSeed } from "./select.ts";

/** What became of one planned pair. */
export interface TaughtItem extends Pick<PlannedPair, "id" | "picked" | "operation"> {
  /** Empty where the call failed. */
  readonly question: string;
  readonly answer: string;
  readonly level: string | undefined;
  readonly usage: TeacherUsage;
  /** Why there is no pair, undefined when there is one. */
  readonly failure: string | undefined;
  /** A ceiling of the teacher left no room for a call. */
  readonly budget: boolean;
  /** The teacher proposed a question of the pool, validation or test split, and was not asked to answer it. */
  readonly taken: boolean;
}

/** One item per planned pair, in that order whatever the order of the replies. */
export async function* teach(
  run: RunState,
  round: number,
  picks: readonly PickedSeed[],
): AsyncGenerator<LoopRecord, readonly TaughtItem[], void> {
  const items = planPairs(run, round, picks);
  yield phaseRecord(round, "teach", "start", 0, items.length);
  const progress = (done: number): LoopRecord => phaseRecord(round, "teach", "progress", done, items.length);
  const taught = yield* askFor(run, round, items, progress, NO_USAGE);
  yield phaseRecord(round, "teach", "end", taught.length, items.length);
  return taught;
}

/** The planned pairs as they came; `before`: what the round's pairs used until now. */
export async function* askFor(
  run: RunState,
  round: number,
  items: readonly PlannedPair[],
  progress: (done: number) => LoopRecord,
  before: TeacherUsage,
): AsyncGenerator<LoopRecord, readonly TaughtItem[], void> {
  const known = knownReplies(run, round);
  let used = before;
  // Leaving the phase early aborts what is in flight instead of waiting for it.
  const leave = new AbortController();
  const signal = run.signal === undefined ? leave.signal : AbortSignal.any([run.signal, leave.signal]);
  const work = inParallel(items, run.teacherConcurrency, async (item) => {
    const result = await teachItem(run, round, item, known, signal);
    used = addUsage(used, result.usage);
    return result;
  });
  let taught: readonly TaughtItem[];
  try {
    for (;;) {
      const next = await work.next();
      if (next.done === true) {
        taught = next.value;
        break;
      }
      throwIfAborted(run.signal, "closed loop");
      yield progress(next.value);
      if (run.config.teacher.chat !== undefined) yield { type: "usage", round, usage: used };
    }
  } finally {
    leave.abort();
    await work.return([]);
  }
  if (taught.some((item) => item.budget)) run.budgetRound = round;
  const failed = taught.filter((item) => item.failure !== undefined);
  if (failed.length > 0) {
    yield {
      type: "warning",
      code: "teacher-failed",
      message: `round ${round}: ${failed.length} of ${taught.length} teacher items failed and are left out; the first: ${failed[0]?.failure ?? ""}`,
    };
  }
  return taught;
}

/** The seed's own pair, or the teacher's: both in one call, or propose and then answer; the second call only after a good first. */
async function teachItem(
  run: RunState,
  round: number,
  item: PlannedPair,
  known: KnownReplies,
  signal: AbortSignal,
): Promise<TaughtItem> {
  const { seed } = item.picked;
  const { operation } = item;
  const { teacher } = run;
  const same = { id: item.id, picked: item.picked, operation };
  if (operation === "copy") {
    const { question, answer, level } = seed;
    return { ...same, question, answer, level, usage: NO_USAGE, failure: undefined, budget: false, taken: false };
  }
  const ask = (call: TeacherCallName, work: Work) =>
    askOnce(run, round, { ...item, example: seed }, call, known, signal, work);
  const failed = ({ outcome }: StoredReply, question: string, usage: TeacherUsage): TaughtItem => ({
    ...same,
    question,
    answer: "",
    level: undefined,
    usage,
    failure: outcome.ok ? "the reply has no answer" : outcome.message,
    budget: !outcome.ok && outcome.budget === true,
    taken: false,
  });

  const first = await (teacher.pair === undefined
    ? ask("propose", async (call) => {
        const { value, usage } = await teacher.propose(seed, operation, call);
        return { value: { text: value.question, ...levelOf(value) }, usage };
      })
    : ask("pair", async (call) => {
        const pair = await teacher.pair?.(seed, operation, call);
        invariant(pair !== undefined, "a teacher keeps its calls");
        const { value, usage } = pair;
        return { value: { text: value.question, answer: value.answer, ...levelOf(value) }, usage };
      }));
  if (!first.outcome.ok) return failed(first, "", first.usage);
  const { text: question, level, answer } = first.outcome;
  const found = { ...same, question, level, failure: undefined, budget: false, taken: false };
  if (teacher.pair !== undefined)
    return answer === undefined ? failed(first, question, first.usage) : { ...found, answer, usage: first.usage };
  if (run.reserved.has(run.task.canonical(question))) return { ...found, answer: "", usage: first.usage, taken: true };
  const second = await ask("answer", async (call) => {
    const { value, usage } = await teacher.answer(question, call);
    return { value: { text: value.answer }, usage };
  });
  const usage = addUsage(first.usage, second.usage);
  return second.outcome.ok
    ? { ...found, answer: second.outcome.text, usage }
    : { ...failed(second, question, usage), level };
}

function levelOf({ level }: { readonly level?: string }): { readonly level?: string } {
  return level === undefined ? {} : { level };
}
