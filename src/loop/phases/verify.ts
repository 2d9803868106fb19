/**
 * @file Phase "verify": which taught pairs may be trained on. A question that the
 * pool, a held-out split or an earlier accepted pair has already (by canonical
 * form) is rejected whatever the settings: test questions never enter training.
 */
import { BadInputError } from "../../core/errors.ts";
import type { LoopRecord, SyntheticExample } from "../records.ts";
import { phaseRecord, rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";
import type { TaughtItem } from "./teach.ts";

/** Judges the round's items in order and adds them to `run.examples`; each is stored before it is yielded. */
export async function* verify(
  run: RunState,
  round: number,
  taught: readonly TaughtItem[],
): AsyncGenerator<LoopRecord, readonly SyntheticExample[], void> {
  yield phaseRecord(round, "verify", "start", 0, taught.length);
  const stored = new Map(
    (run.stored?.examples ?? []).filter((example) => example.round === round).map((example) => [example.id, example]),
  );
  const seen = new Set(
    run.examples.filter((example) => example.accepted).map((example) => run.task.canonical(example.question)),
  );
  const examples: SyntheticExample[] = [];
  for (const item of taught) {
    const known = stored.get(item.id);
    const example = known ?? { ...describe(round, item), ...judge(run, item, seen) };
    if (known === undefined) await run.store.append({ type: "example", example });
    if (example.accepted) seen.add(run.task.canonical(example.question));
    examples.push(example);
    yield { type: "example", example };
    yield phaseRecord(round, "verify", "progress", examples.length, taught.length);
  }
  run.examples.push(...examples);
  if (taught.length > 0 && !examples.some((example) => example.accepted)) {
    yield {
      type: "warning",
      code: "nothing-accepted",
      message: `round ${round}: none of ${taught.length} synthetic pairs was accepted; the first was rejected because: ${examples[0]?.reason ?? ""}`,
    };
  }
  yield phaseRecord(round, "verify", "end", examples.length, taught.length);
  return examples;
}

function describe(round: number, item: TaughtItem): Omit<SyntheticExample, "accepted" | "verification" | "reason"> {
  const { seed, score, rank } = item.picked;
  return {
    id: item.id,
    round,
    seedId: seed.id,
    operation: item.operation,
    question: item.question,
    answer: item.answer,
    ...(item.level === undefined ? {} : { level: item.level }),
    ...(score === null ? {} : { seedScore: score }),
    ...(rank === null ? {} : { seedRank: rank }),
    usage: item.usage,
  };
}

function judge(
  run: RunState,
  item: TaughtItem,
  seen: ReadonlySet<string>,
): Pick<SyntheticExample, "accepted" | "verification" | "reason"> {
  if (item.failure !== undefined) return { accepted: false, verification: "failed", reason: item.failure };
  const canonical = run.task.canonical(item.question);
  if (run.reserved.has(canonical))
    return {
      accepted: false,
      verification: "duplicate",
      reason: "the question is one of the pool, validation or test questions",
    };
  if (seen.has(canonical))
    return { accepted: false, verification: "duplicate", reason: "the question is one of an earlier accepted pair" };
  const tooLong = encodingProblem(run, item);
  if (tooLong !== undefined) return { accepted: false, verification: "failed", reason: tooLong };
  if (run.config.verification === "off") return { accepted: true, verification: "off", reason: "not checked" };
  const verdict = run.task.verify(item);
  return { accepted: verdict.correct, verification: verdict.correct ? "passed" : "failed", reason: verdict.reason };
}

/** Why the student cannot be trained on the pair (longer than its context), undefined when it can. */
function encodingProblem(run: RunState, item: TaughtItem): string | undefined {
  try {
    run.student.encode(rowOf(run.task, item));
    return undefined;
  } catch (error) {
    if (error instanceof BadInputError) return error.message;
    throw error;
  }
}
