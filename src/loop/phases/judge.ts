/**
 * @file Part of phase "score": the teacher judges the student's own answer to every candidate
 * beside the worked one. Each reply is stored before it is used and never asked for again.
 */
import { hashString } from "../../core/rng.ts";
import { throwIfAborted } from "../../core/errors.ts";
import type { Question } from "../../tasks/types.ts";
import type { TeacherUsage } from "../../teacher/types.ts";
import { NO_USAGE, addUsage } from "../../teacher/usage.ts";
import { inParallel } from "../inParallel.ts";
import { phaseRng } from "../runState.ts";
import type { RunState } from "../runState.ts";
import type { StoredReply } from "../runStore.ts";
import { askOnce, knownReplies } from "./askOnce.ts";

/** Scores of one seed's answers, 1 (bad) to 10 (good). */
export interface Judgement {
  readonly own: number;
  readonly worked: number;
}

/** A seed that could not be judged counts as answered as well as can be: it is not picked for being hard. */
const UNJUDGED: Judgement = { own: 10, worked: 10 };

/**
 * Judgements of the own answers, in the order of the questions, with why some are missing; yields how many are done. Sets `run.judgeUsage`.
 * @throws what makes every further call fail too; a resumed run asks again.
 */
export async function* judgeOwnAnswers(
  run: RunState,
  round: number,
  questions: readonly Question[],
  answers: readonly string[],
): AsyncGenerator<number, readonly (Judgement & { readonly failure?: string })[], void> {
  const known = knownReplies(run, round);
  const leave = new AbortController();
  const signal = run.signal === undefined ? leave.signal : AbortSignal.any([run.signal, leave.signal]);
  const items = questions.map((seed, i) => ({ seed, own: answers[i] ?? "" }));
  const work = inParallel(items, run.teacherConcurrency, async ({ seed, own }) => {
    const id = idOf(round, seed.id, own);
    const rng = phaseRng(run, round, "judge").fork(id);
    return askOnce(run, round, { id, rng, example: seed }, "judge", known, signal, async (call) => {
      const { value, usage } = await run.teacher.judge(seed.question, [seed.answer, own], call);
      return { value: { text: value.scores.join(" ") }, usage };
    });
  });
  try {
    for (;;) {
      const next = await work.next();
      if (next.done === true) {
        if (next.value.some(({ outcome }) => !outcome.ok && outcome.budget === true)) run.budgetRound = round;
        run.judgeUsage = next.value.reduce((sum, { usage }) => addUsage(sum, usage), NO_USAGE);
        return next.value.map(judgementOf);
      }
      throwIfAborted(run.signal, "closed loop");
      yield next.value;
    }
  } finally {
    leave.abort();
    await work.return([]);
  }
}

function judgementOf({ outcome }: StoredReply): Judgement & { readonly failure?: string } {
  if (!outcome.ok) return { ...UNJUDGED, failure: outcome.message };
  const [worked = Number.NaN, own = Number.NaN] = outcome.text.split(" ").map(Number);
  return Number.isFinite(worked) && Number.isFinite(own)
    ? { own, worked }
    : { ...UNJUDGED, failure: `expected two scores, got "${outcome.text}"` };
}

/** The judgement is of this very answer: in a replayed run another answer must not get it. */
function idOf(round: number, seedId: string, own: string): string {
  return `r${round}-judge-${seedId}-${hashString(own).toString(16)}`;
}

/** Why judgements of an earlier session are missing, in the order of the candidates. */
export function storedFailures(
  replies: readonly StoredReply[],
  round: number,
  items: readonly { readonly id: string; readonly ownAnswer?: string }[],
): readonly string[] {
  const judged = replies.filter((reply) => reply.round === round && reply.call === "judge");
  const byId = new Map(judged.map((reply) => [reply.id, judgementOf(reply)]));
  return items.flatMap(({ id, ownAnswer = "" }) => byId.get(idOf(round, id, ownAnswer))?.failure ?? []);
}

/** What the judgements of a round used: of this session or an earlier one. */
export function judgeUsage(replies: readonly StoredReply[], round: number): TeacherUsage {
  return replies
    .filter((reply) => reply.round === round && reply.call === "judge")
    .reduce((sum, { usage }) => addUsage(sum, usage), NO_USAGE);
}
