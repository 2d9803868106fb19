/**
 * @file Part of phase "score": the losses of worked answers under the holdout student,
 * which never change: computed once a session, and the student released at once.
 */
import { invariant } from "../../core/errors.ts";
import type { Candidate } from "../candidates.ts";
import { checkHoldout } from "../checkRows.ts";
import { rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { scoreInBatches } from "./batches.ts";

/**
 * Adds to `run.holdoutLosses` the losses of those of the questions that have none yet; yields as it goes.
 * @throws BadInputError as `checkHoldout`.
 */
export async function* scoreByHoldout(
  run: RunState,
  questions: readonly Candidate[],
): AsyncGenerator<number, void, void> {
  const missing = questions.filter(({ id }) => !run.holdoutLosses.has(id));
  if (missing.length === 0) return;
  invariant(run.openHoldout !== undefined, "a run whose strategy needs a holdout student can open it");
  const holdout = await run.openHoldout();
  try {
    checkHoldout(run.task, missing, run.student, holdout);
    // Seeds and the pairs of each round are scored apart: a resumed run, which has them all to do, forms the same batches.
    for (const round of new Set(missing.map((question) => question.round))) {
      const group = missing.filter((question) => question.round === round);
      const rows = group.map((question) => rowOf(run.task, question));
      const losses = yield* scoreInBatches({ ...run, student: holdout }, rows, ["loss"]);
      for (const row of losses) run.holdoutLosses.set(row.id, row);
    }
  } finally {
    await holdout.dispose();
  }
}
