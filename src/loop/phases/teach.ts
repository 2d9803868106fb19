/**
 * @file Phase "teach": for every picked seed, `perSeed` new questions and their
 * worked answers. Each call is stored the moment it comes back and never made
 * again; a call that fails costs its item, not the round.
 */
import { messageOf, throwIfAborted } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import type { Operation, TeacherReply, TeacherUsage } from "../../teacher/types.ts";
import { inParallel } from "../inParallel.ts";
import type { LoopRecord } from "../records.ts";
import type { StoredReply, TeacherCallName } from "../runStore.ts";
import { phaseRecord, phaseRng } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { NO_USAGE, addUsage } from "../usage.ts";
import type { PickedSeed } from "./select.ts";

/** What the teacher made of one picked seed. */
export interface TaughtItem {
  readonly id: string;
  readonly picked: PickedSeed;
  readonly operation: Operation;
  /** Empty where the call failed. */
  readonly question: string;
  readonly answer: string;
  readonly level: string | undefined;
  readonly usage: TeacherUsage;
  /** Why there is no pair, undefined when there is one. */
  readonly failure: string | undefined;
}

interface Item {
  readonly id: string;
  readonly picked: PickedSeed;
  readonly operation: Operation;
  readonly rng: Rng;
}

/** One item per picked seed and repetition, in that order whatever the order of the replies. */
export async function* teach(
  run: RunState,
  round: number,
  picks: readonly PickedSeed[],
): AsyncGenerator<LoopRecord, readonly TaughtItem[], void> {
  const items = picks.flatMap((picked) =>
    Array.from({ length: run.config.perSeed }, (_, k) => planItem(run, round, picked, k)),
  );
  const stored = new Map(
    (run.stored?.replies ?? [])
      .filter((reply) => reply.round === round)
      .map((reply) => [keyOf(reply.id, reply.call), reply]),
  );
  // Leaving the phase early aborts what is in flight instead of waiting for it.
  const leave = new AbortController();
  const signal = run.signal === undefined ? leave.signal : AbortSignal.any([run.signal, leave.signal]);
  yield phaseRecord(round, "teach", "start", 0, items.length);
  const work = inParallel(items, run.teacherConcurrency, (item) => teachItem(run, round, item, stored, signal));
  let taught: readonly TaughtItem[];
  try {
    for (;;) {
      const next = await work.next();
      if (next.done === true) {
        taught = next.value;
        break;
      }
      throwIfAborted(run.signal, "closed loop");
      yield phaseRecord(round, "teach", "progress", next.value, items.length);
    }
  } finally {
    leave.abort();
    await work.return([]);
  }
  const failed = taught.filter((item) => item.failure !== undefined);
  if (failed.length > 0) {
    yield {
      type: "warning",
      code: "teacher-failed",
      message: `round ${round}: ${failed.length} of ${taught.length} teacher items failed and are left out; the first: ${failed[0]?.failure ?? ""}`,
    };
  }
  yield phaseRecord(round, "teach", "end", taught.length, items.length);
  return taught;
}

function planItem(run: RunState, round: number, picked: PickedSeed, repetition: number): Item {
  const id = `r${round}-${picked.seed.id}-${repetition}`;
  const rng = phaseRng(run, round, "teach").fork(id);
  return { id, picked, operation: rng.fork("operation").pick(run.config.teacher.operations), rng };
}

/** Propose, then answer; the second call only after a good first. */
async function teachItem(
  run: RunState,
  round: number,
  item: Item,
  stored: ReadonlyMap<string, StoredReply>,
  signal: AbortSignal,
): Promise<TaughtItem> {
  const { seed } = item.picked;
  const proposed = await askOnce(run, round, item, "propose", stored, signal, async (call) => {
    const { value, usage } = await run.teacher.propose(seed, item.operation, call);
    return { value: { text: value.question, ...(value.level === undefined ? {} : { level: value.level }) }, usage };
  });
  const taught = { id: item.id, picked: item.picked, operation: item.operation };
  if (!proposed.outcome.ok)
    return {
      ...taught,
      question: "",
      answer: "",
      level: undefined,
      usage: proposed.usage,
      failure: proposed.outcome.message,
    };
  const { text: question, level } = proposed.outcome;
  const answered = await askOnce(run, round, item, "answer", stored, signal, async (call) => {
    const { value, usage } = await run.teacher.answer(question, call);
    return { value: { text: value.answer }, usage };
  });
  const usage = addUsage(proposed.usage, answered.usage);
  return answered.outcome.ok
    ? { ...taught, question, answer: answered.outcome.text, level, usage, failure: undefined }
    : { ...taught, question, answer: "", level, usage, failure: answered.outcome.message };
}

/** The stored reply if there is one; else asks, and stores what comes back before anyone sees it. */
async function askOnce(
  run: RunState,
  round: number,
  item: Item,
  call: TeacherCallName,
  stored: ReadonlyMap<string, StoredReply>,
  signal: AbortSignal,
  ask: (call: {
    readonly rng: Rng;
    readonly signal: AbortSignal;
  }) => Promise<TeacherReply<{ readonly text: string; readonly level?: string }>>,
): Promise<StoredReply> {
  const known = stored.get(keyOf(item.id, call));
  if (known !== undefined) return known;
  throwIfAborted(signal, "closed loop");
  const startedMs = run.now();
  let reply: StoredReply;
  try {
    const { value, usage } = await ask({ rng: item.rng.fork(call), signal });
    reply = { round, id: item.id, call, outcome: { ok: true, ...value }, usage };
  } catch (error) {
    throwIfAborted(signal, "closed loop");
    const usage = { ...NO_USAGE, requests: 1, durationMs: run.now() - startedMs };
    reply = {
      round,
      id: item.id,
      call,
      outcome: { ok: false, message: `teacher "${run.teacher.name}", ${call}: ${messageOf(error)}` },
      usage,
    };
  }
  await run.store.append({ type: "reply", reply });
  return reply;
}

function keyOf(id: string, call: TeacherCallName): string {
  return `${call} ${id}`;
}
