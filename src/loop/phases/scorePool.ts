/**
 * @file Phase "score": the student answers and is scored on the candidates, as far as
 * the strategy's measures need it or the pool is to be shown. With frozen scores only
 * round 1, whose student is the base student, looks; later rounds keep what it saw.
 */
import type { Candidate } from "../candidates.ts";
import { NO_USAGE } from "../../teacher/usage.ts";
import type { LoopRecord, PoolItem } from "../records.ts";
import { phaseRecord, phaseRng } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { judgeUsage, storedFailures } from "./judge.ts";
import { looksAt, measure, type Look } from "./measure.ts";

/** The candidates as the student sees them, in their order; undefined when nothing was looked at. A stored pool is used as it is. */
export async function* scorePool(
  run: RunState,
  round: number,
  candidates: readonly Candidate[],
): AsyncGenerator<LoopRecord, readonly PoolItem[] | undefined, void> {
  const stored = run.stored?.pools.find((pool) => pool.round === round);
  const frozen = run.config.query.scores === "frozen" && round > 1 ? run.firstPool : undefined;
  const known = stored?.items ?? frozen;
  // A student that has trained ahead can no longer show this round's pool; what the strategy needed of it is stored.
  const show = run.showPool && (known !== undefined || run.trainedAhead?.round !== round);
  const look: Look = { measures: run.strategy.measures, show, answers: run.strategy.embedding?.answer === "own" };
  const total = candidates.length * looksAt(look);
  run.judgeUsage = NO_USAGE;
  yield phaseRecord(round, "score", "start", 0, total);
  if (known !== undefined || total === 0) {
    if (known !== undefined) {
      if (stored === undefined) await run.store.append({ type: "pool", round, items: known });
      else run.judgeUsage = judgeUsage(run.stored?.replies ?? [], round);
      run.firstPool ??= known;
      yield* unjudged(round, storedFailures(run.stored?.replies ?? [], round, known), known.length);
      yield { type: "pool", round, items: known };
    }
    yield phaseRecord(round, "score", "end", total, total);
    return known;
  }

  const work = measure(run, round, candidates, look, phaseRng(run, round, "score"));
  let next = await work.next();
  for (; next.done !== true; next = await work.next()) yield phaseRecord(round, "score", "progress", next.value, total);
  const seen = next.value;

  const failures = seen.flatMap(({ unjudged: failure }) => failure ?? []);
  yield* unjudged(round, failures, candidates.length);

  const items = candidates.map(({ id, question, answer, level }, i): PoolItem => {
    const { unjudged: _, ...looked } = seen[i] ?? {};
    return { id, question, answer, level, ...looked };
  });
  await run.store.append({ type: "pool", round, items });
  run.firstPool ??= items;
  yield { type: "pool", round, items };
  yield phaseRecord(round, "score", "end", total, total);
  return items;
}

/** A warning when some own answers could not be judged. */
function* unjudged(round: number, failures: readonly string[], candidates: number): Generator<LoopRecord, void> {
  if (failures.length === 0) return;
  yield {
    type: "warning",
    code: "teacher-failed",
    message: `round ${round}: ${failures.length} of ${candidates} own answers could not be judged and count as good; the first: ${failures[0]}`,
  };
}
