/** @file One call to the teacher, made once: its reply is stored before anyone sees it, and found again when a run is resumed or replayed. */
import { messageOf, throwIfAborted } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import { TeacherError } from "../../teacher/teacherError.ts";
import type { TeacherCall, TeacherUsage } from "../../teacher/types.ts";
import { NO_USAGE } from "../../teacher/usage.ts";
import type { StoredReply, TeacherCallName } from "../runStore.ts";
import type { RunState } from "../runState.ts";

/** Replies that need no call, by `keyOf`: of this run, and of the run that is replayed. */
export interface KnownReplies {
  readonly stored: ReadonlyMap<string, StoredReply>;
  readonly recorded: ReadonlyMap<string, StoredReply>;
}

/** One call to the teacher, its reply as it is stored. */
export type Work = (call: TeacherCall & { readonly signal: AbortSignal }) => Promise<{
  readonly value: { readonly text: string; readonly answer?: string; readonly level?: string };
  readonly usage: TeacherUsage;
}>;

/** What a call is about: the id its reply is stored under, its own randomness, and the seed it belongs to. */
interface AskedItem {
  readonly id: string;
  readonly rng: Rng;
  readonly example: NonNullable<TeacherCall["example"]>;
}

/**
 * The stored reply if there is one; else the recorded one, or asks, and stores what comes back before anyone sees it.
 * @throws what makes every further call fail too, which is not stored: a resumed run asks again.
 */
export async function askOnce(
  run: RunState,
  round: number,
  item: AskedItem,
  call: TeacherCallName,
  known: KnownReplies,
  signal: AbortSignal,
  ask: Work,
): Promise<StoredReply> {
  const key = keyOf(item.id, call);
  const stored = known.stored.get(key);
  if (stored !== undefined) return stored;
  throwIfAborted(signal, "closed loop");
  const recorded = known.recorded.get(key);
  if (recorded !== undefined) {
    await run.store.append({ type: "reply", reply: recorded });
    return recorded;
  }
  const startedMs = run.now();
  let reply: StoredReply;
  try {
    const { value, usage } = await ask({ rng: item.rng.fork(call), signal, example: item.example });
    reply = { round, id: item.id, call, outcome: { ok: true, ...value }, usage };
  } catch (error) {
    throwIfAborted(signal, "closed loop");
    if (error instanceof TeacherError && error.fatal) throw error;
    const overBudget = error instanceof TeacherError && error.kind === "budget";
    const spent = error instanceof TeacherError ? error.usage : undefined;
    // A built-in teacher takes no time, also where it cannot answer: its records repeat exactly.
    const durationMs = run.config.teacher.chat === undefined ? 0 : run.now() - startedMs;
    const unsaid = { ...NO_USAGE, requests: overBudget ? 0 : 1, durationMs };
    const usage = spent ?? unsaid;
    reply = {
      round,
      id: item.id,
      call,
      outcome: {
        ok: false,
        message: `teacher "${run.teacher.name}", ${call}: ${messageOf(error)}`,
        ...(overBudget ? { budget: true as const } : {}),
      },
      usage,
    };
  }
  await run.store.append({ type: "reply", reply });
  return reply;
}

/** Replies of a round that need no call. */
export function knownReplies(run: RunState, round: number): KnownReplies {
  return { stored: byCall(run.stored?.replies ?? [], round), recorded: byCall(run.recorded, round) };
}

function byCall(replies: readonly StoredReply[], round: number): ReadonlyMap<string, StoredReply> {
  return new Map(replies.filter((reply) => reply.round === round).map((reply) => [keyOf(reply.id, reply.call), reply]));
}

function keyOf(id: string, call: TeacherCallName): string {
  return `${call} ${id}`;
}
