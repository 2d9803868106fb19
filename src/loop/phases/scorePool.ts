/**
 * @file Phase "score": the student answers and is scored on the seeds, as far as
 * the strategy's measures need it or the pool is to be shown. Scores are of
 * (question, own greedy answer) or of (question, worked answer); an empty own
 * answer has EOS as its only scored token.
 */
import { invariant } from "../../core/errors.ts";
import { readScore } from "../../selection/readScore.ts";
import { REWARDS } from "../../selection/rewards.ts";
import type { AnswerSource, Measure } from "../../selection/types.ts";
import type { PromptCompletion, ScoreName, ScoreRow } from "../../student/types.ts";
import type { Question } from "../../tasks/types.ts";
import { NO_USAGE } from "../../teacher/usage.ts";
import type { LoopRecord, PoolItem } from "../records.ts";
import { phaseRecord, rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { generateInBatches, scoreInBatches } from "./batches.ts";
import { judgeOwnAnswers, judgeUsage, type Judgement } from "./judge.ts";
import { scoreByHoldout } from "./scoreByHoldout.ts";

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
  const judging = measures.some(({ kind }) => kind === "judge");
  const holdout = run.holdoutLosses === undefined && measures.some(({ kind }) => kind === "holdoutLoss");
  run.judgeUsage = NO_USAGE;
  const total = seeds.length * ((own ? 1 : 0) + (ownNames.length > 0 ? 1 : 0) + (trueNames.length > 0 ? 1 : 0));
  let done = 0;
  yield phaseRecord(round, "score", "start", 0, total);
  if (stored !== undefined || total === 0) {
    if (stored !== undefined) {
      run.judgeUsage = judgeUsage(run.stored?.replies ?? [], round);
      yield { type: "pool", round, items: stored.items };
    }
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

  const judgements =
    judging && answers !== undefined
      ? yield* counted(
          judgeOwnAnswers(
            run,
            round,
            answers.map(({ completion }) => completion),
          ),
        )
      : undefined;
  const unjudged = judgements?.filter(({ failure }) => failure !== undefined) ?? [];
  if (unjudged.length > 0)
    yield {
      type: "warning",
      code: "teacher-failed",
      message: `round ${round}: ${unjudged.length} of ${seeds.length} own answers could not be judged and count as good; the first: ${unjudged[0]?.failure ?? ""}`,
    };
  if (holdout) run.holdoutLosses = yield* counted(scoreByHoldout(run));

  const items = seeds.map((seed, i): PoolItem => {
    const answer = answers?.[i]?.completion;
    const correct = answer === undefined ? undefined : run.task.check(seed, answer).correct;
    const seen: Seen = {
      run,
      seed,
      answer,
      correct,
      own: ownScores?.[i],
      worked: trueScores?.[i],
      judgement: judgements?.[i],
      holdout: run.holdoutLosses?.[i],
    };
    const values = measures.map((measure) => valueOf(measure, seen));
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
    case "reward":
    case "judge":
      return true;
    case "holdoutLoss":
      return false;
    default:
      return measure satisfies never;
  }
}

/** What was computed of a seed. */
interface Seen {
  readonly run: RunState;
  readonly seed: Question;
  readonly answer: string | undefined;
  readonly correct: boolean | undefined;
  readonly own: ScoreRow | undefined;
  readonly worked: ScoreRow | undefined;
  readonly judgement: Judgement | undefined;
  readonly holdout: ScoreRow | undefined;
}

/** A seed's measure from what was computed of it. */
function valueOf(measure: Measure, seen: Seen): number {
  const given = <T>(value: T | undefined): T => {
    invariant(value !== undefined, `seed ${seen.seed.id}: what its ${measure.kind} needs was computed`);
    return value;
  };
  switch (measure.kind) {
    case "score":
      return readScore(measure, given(measure.answer === "own" ? seen.own : seen.worked));
    case "incorrect":
      return given(seen.correct) ? 0 : 1;
    case "reward": {
      const { seed, run } = seen;
      const [ownAnswer, correct] = [given(seen.answer), given(seen.correct)];
      const sound = run.task.verify({ question: seed.question, answer: ownAnswer }).correct;
      return REWARDS[measure.scorer]({ question: seed.question, answer: seed.answer, ownAnswer, correct, sound });
    }
    case "judge": {
      const { own, worked } = given(seen.judgement);
      return measure.of === "own" ? own : worked - own;
    }
    case "holdoutLoss":
      return readScore(
        { kind: "score", score: "loss", answer: "true", reduction: measure.reduction },
        given(seen.holdout),
      );
    default:
      return measure satisfies never;
  }
}

/** `{ [key]: value }`, or nothing where there is no value. */
function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
