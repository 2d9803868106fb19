/**
 * @file Phase "score": the student answers and is scored on the seeds, as far as
 * the strategy's measures need it or the pool is to be shown. Scores are of
 * (question, own greedy answer) or of (question, worked answer); an empty own
 * answer has EOS as its only scored token.
 */
import { invariant } from "../../core/errors.ts";
import { readScore } from "../../selection/readScore.ts";
import type { AnswerSource, Measure } from "../../selection/types.ts";
import type { PromptCompletion, ScoreName, ScoreRow } from "../../student/types.ts";
import type { LoopRecord, PoolItem } from "../records.ts";
import { phaseRecord, rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { generateInBatches, scoreInBatches } from "./batches.ts";

/** The pool as the student sees it, in the order of the seeds; undefined when nothing was looked at. A stored pool is used as it is. */
export async function* scorePool(
  run: RunState,
  round: number,
): AsyncGenerator<LoopRecord, readonly PoolItem[] | undefined, void> {
  const { measures, embedding } = run.strategy;
  const stored = run.stored?.pools.find((pool) => pool.round === round);
  // A student that has trained ahead can no longer show this round's pool; what the strategy needed of it is stored.
  const show = run.showPool && (stored !== undefined || run.trainedAhead?.round !== round);
  const seeds = run.splits.pool;
  const ownNames = scoresFor(measures, "own", show);
  const trueNames = scoresFor(measures, "true", show);
  const own = ownNames.length > 0 || embedding?.answer === "own" || measures.some(needsOwnAnswer);
  const total = seeds.length * ((own ? 1 : 0) + (ownNames.length > 0 ? 1 : 0) + (trueNames.length > 0 ? 1 : 0));
  let done = 0;
  yield phaseRecord(round, "score", "start", 0, total);
  if (stored !== undefined || total === 0) {
    if (stored !== undefined) yield { type: "pool", round, items: stored.items };
    yield phaseRecord(round, "score", "end", total, total);
    return stored?.items;
  }

  const answers = own
    ? yield* counted(
        generateInBatches(
          run,
          seeds.map((seed) => run.task.prompt(seed.question)),
        ),
      )
    : undefined;
  const ownScores =
    ownNames.length > 0 && answers !== undefined
      ? yield* scored(
          answers.map((answer, i) => ownRow(i, answer.completion)),
          ownNames,
        )
      : undefined;
  const trueScores =
    trueNames.length > 0
      ? yield* scored(
          seeds.map((seed) => rowOf(run.task, seed)),
          trueNames,
        )
      : undefined;

  const items = seeds.map((seed, i): PoolItem => {
    const answer = answers?.[i]?.completion;
    const correct = answer === undefined ? undefined : run.task.check(seed, answer).correct;
    const values = measures.map((measure) => valueOf(measure, correct, ownScores?.[i], trueScores?.[i]));
    return {
      id: seed.id,
      question: seed.question,
      answer: seed.answer,
      level: seed.level,
      ...defined("ownAnswer", answer),
      ...defined("correct", correct),
      ...defined("ownLoss", ownScores?.[i]?.loss),
      ...defined("trueLoss", trueScores?.[i]?.loss),
      ...(values.length === 0 ? {} : { score: run.strategy.combine(values) }),
    };
  });
  await run.store.append({ type: "pool", round, items });
  yield { type: "pool", round, items };
  yield phaseRecord(round, "score", "end", total, total);
  return items;

  function ownRow(index: number, completion: string): PromptCompletion {
    const seed = seeds[index];
    invariant(seed !== undefined, "one own answer per seed");
    return { id: seed.id, prompt: run.task.prompt(seed.question), completion };
  }

  function scored(
    rows: readonly PromptCompletion[],
    names: readonly ScoreName[],
  ): AsyncGenerator<LoopRecord, readonly ScoreRow[], void> {
    return counted(scoreInBatches(run, rows, names));
  }

  /** Turns counts of one part into progress of the phase. */
  async function* counted<R>(
    work: AsyncGenerator<number, readonly R[], void>,
  ): AsyncGenerator<LoopRecord, readonly R[], void> {
    const before = done;
    for (;;) {
      const next = await work.next();
      if (next.done === true) return next.value;
      done = before + next.value;
      yield phaseRecord(round, "score", "progress", done, total);
    }
  }
}

/** Names of the student's scores to compute of one kind of answer. */
function scoresFor(measures: readonly Measure[], answer: AnswerSource, show: boolean): readonly ScoreName[] {
  const names = measures.flatMap((measure) =>
    measure.kind === "score" && measure.answer === answer ? [measure.score] : [],
  );
  return [...new Set<ScoreName>([...(show ? (["loss"] as const) : []), ...names])];
}

function needsOwnAnswer(measure: Measure): boolean {
  switch (measure.kind) {
    case "score":
      return measure.answer === "own";
    case "incorrect":
      return true;
    default:
      return measure satisfies never;
  }
}

/** A seed's measure from what was computed of it. */
function valueOf(
  measure: Measure,
  correct: boolean | undefined,
  own: ScoreRow | undefined,
  worked: ScoreRow | undefined,
): number {
  switch (measure.kind) {
    case "score": {
      const row = measure.answer === "own" ? own : worked;
      invariant(row !== undefined, "scores are there for every answer that a measure looks at");
      return readScore(measure, row);
    }
    case "incorrect":
      return correct === false ? 1 : 0;
    default:
      return measure satisfies never;
  }
}

/** `{ [key]: value }`, or nothing where there is no value. */
function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
