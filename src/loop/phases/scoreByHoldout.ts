/**
 * @file Part of phase "score": the loss of every seed's worked answer under the holdout
 * student, which never changes: computed once a session, and its student released at once.
 */
import { badInput, invariant } from "../../core/errors.ts";
import type { ScoreRow } from "../../student/types.ts";
import { rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { scoreInBatches } from "./batches.ts";

/**
 * Losses of the worked answers, in the order of the seeds; yields how many are done.
 * @throws BadInputError when the holdout student reads a seed as other tokens than the student: losses per token would not compare.
 */
export async function* scoreByHoldout(run: RunState): AsyncGenerator<number, readonly ScoreRow[], void> {
  invariant(run.openHoldout !== undefined, "a run whose strategy needs a holdout student can open it");
  const holdout = await run.openHoldout();
  try {
    const rows = run.splits.pool.map((seed) => rowOf(run.task, seed));
    for (const row of rows) {
      if (holdout.encode(row).ids.join() !== run.student.encode(row).ids.join())
        badInput(
          "strategy.holdout",
          "a student with the same tokenizer as the student",
          `one that reads question ${row.id} as other tokens`,
          "Make it from the same base: tutelage train --student DIR --out HOLDOUT",
        );
    }
    return yield* scoreInBatches({ ...run, student: holdout }, rows, ["loss"]);
  } finally {
    await holdout.dispose();
  }
}
