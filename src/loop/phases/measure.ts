/**
 * @file What a strategy's measures say of questions, by the student as it stands: own
 * answers, scores, judgements, losses under the holdout student. Scores are of
 * (question, own answer) or of (question, worked answer); an empty own answer has EOS
 * as its only scored token. Not here: which questions, and what is kept of it.
 */
import { invariant } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import { readScore } from "../../selection/readScore.ts";
import { REWARDS } from "../../selection/rewards.ts";
import type { AnswerSource, Measure } from "../../selection/types.ts";
import type { PromptCompletion, ScoreName, ScoreRow } from "../../student/types.ts";
import type { Candidate } from "../candidates.ts";
import { rowOf } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { generateInBatches, scoreInBatches } from "./batches.ts";
import { judgeOwnAnswers, type Judgement } from "./judge.ts";
import { scoreByHoldout } from "./scoreByHoldout.ts";

/** What to look at. */
export interface Look {
  readonly measures: readonly Measure[];
  /** Own answers and losses also where no measure needs them. */
  readonly show: boolean;
  /** Own answers also where no measure needs them. */
  readonly answers: boolean;
}

/** What was seen of one question; fields absent where nothing needed them. */
export interface Seen {
  readonly ownAnswer?: string;
  readonly correct?: boolean;
  readonly ownLoss?: number;
  readonly trueLoss?: number;
  /** The strategy's score, where there are measures. */
  readonly score?: number;
  /** Why the judgement is missing. */
  readonly unjudged?: string;
}

/** How many looks at a question there are: the unit of progress. */
export function looksAt({ measures, show, answers }: Look): number {
  const own = scoresFor(measures, "own", show).length > 0;
  return [
    own || answers || measures.some(needsOwnAnswer),
    own,
    scoresFor(measures, "true", show).length > 0,
    measures.some(({ kind }) => kind === "judge"),
  ].filter(Boolean).length;
}

/** What is seen of the questions, in their order; yields how many looks are done. `rng`: of sampled own answers. */
export async function* measure(
  run: RunState,
  round: number,
  questions: readonly Candidate[],
  look: Look,
  rng: Rng,
): AsyncGenerator<number, readonly Seen[], void> {
  const { measures, show } = look;
  const ownNames = scoresFor(measures, "own", show);
  const trueNames = scoresFor(measures, "true", show);
  const { temperature, topP } = run.config.query;
  let done = 0;

  const prompts = questions.map(({ question }) => run.task.prompt(question));
  const answers =
    ownNames.length > 0 || look.answers || measures.some(needsOwnAnswer)
      ? yield* counted(generateInBatches(run, prompts, { temperature, topP, rng: rng.fork("own answers") }))
      : undefined;
  const ownScores =
    ownNames.length > 0 && answers !== undefined
      ? yield* counted(
          scoreInBatches(
            run,
            answers.map(({ completion }, i): PromptCompletion => ({
              id: questions[i]?.id ?? "",
              prompt: prompts[i] ?? "",
              completion,
            })),
            ownNames,
          ),
        )
      : undefined;
  const trueScores =
    trueNames.length > 0
      ? yield* counted(
          scoreInBatches(
            run,
            questions.map((question) => rowOf(run.task, question)),
            trueNames,
          ),
        )
      : undefined;
  const judgements =
    measures.some(({ kind }) => kind === "judge") && answers !== undefined
      ? yield* counted(
          judgeOwnAnswers(
            run,
            round,
            questions,
            answers.map(({ completion }) => completion),
          ),
        )
      : undefined;
  if (measures.some(({ kind }) => kind === "holdoutLoss")) {
    const work = scoreByHoldout(run, questions);
    while ((await work.next()).done !== true) yield done;
  }

  return questions.map((question, i): Seen => {
    const ownAnswer = answers?.[i]?.completion;
    const correct = ownAnswer === undefined ? undefined : run.task.check(question, ownAnswer).correct;
    const known: Known = {
      run,
      question,
      ownAnswer,
      correct,
      own: ownScores?.[i],
      worked: trueScores?.[i],
      judgement: judgements?.[i],
      holdout: run.holdoutLosses.get(question.id),
    };
    const values = measures.map((one) => valueOf(one, known));
    return {
      ...defined("ownAnswer", ownAnswer),
      ...defined("correct", correct),
      ...defined("ownLoss", ownScores?.[i]?.loss),
      ...defined("trueLoss", trueScores?.[i]?.loss),
      ...(values.length === 0 ? {} : { score: run.strategy.combine(values) }),
      ...defined("unjudged", judgements?.[i]?.failure),
    };
  });

  /** Turns counts of one part into looks done. */
  async function* counted<R>(work: AsyncGenerator<number, readonly R[], void>): AsyncGenerator<number, readonly R[]> {
    const before = done;
    for (;;) {
      const next = await work.next();
      if (next.done === true) return next.value;
      done = before + next.value;
      yield done;
    }
  }
}

/** Names of the student's scores to compute of one kind of answer. */
function scoresFor(measures: readonly Measure[], answer: AnswerSource, show: boolean): readonly ScoreName[] {
  const names = measures.flatMap((one) => (one.kind === "score" && one.answer === answer ? [one.score] : []));
  return [...new Set<ScoreName>([...(show ? (["loss"] as const) : []), ...names])];
}

function needsOwnAnswer(one: Measure): boolean {
  switch (one.kind) {
    case "score":
      return one.answer === "own";
    case "incorrect":
    case "reward":
    case "judge":
      return true;
    case "holdoutLoss":
      return false;
    default:
      return one satisfies never;
  }
}

/** What was computed of a question. */
interface Known {
  readonly run: RunState;
  readonly question: Candidate;
  readonly ownAnswer: string | undefined;
  readonly correct: boolean | undefined;
  readonly own: ScoreRow | undefined;
  readonly worked: ScoreRow | undefined;
  readonly judgement: Judgement | undefined;
  readonly holdout: ScoreRow | undefined;
}

/** A question's measure from what was computed of it. */
function valueOf(one: Measure, known: Known): number {
  const given = <T>(value: T | undefined): T => {
    invariant(value !== undefined, `question ${known.question.id}: what its ${one.kind} needs was computed`);
    return value;
  };
  switch (one.kind) {
    case "score":
      return readScore(one, given(one.answer === "own" ? known.own : known.worked));
    case "incorrect":
      return given(known.correct) ? 0 : 1;
    case "reward": {
      const { question, answer } = known.question;
      const [ownAnswer, correct] = [given(known.ownAnswer), given(known.correct)];
      const sound = known.run.task.verify({ question, answer: ownAnswer }).correct;
      return REWARDS[one.scorer]({ question, answer, ownAnswer, correct, sound });
    }
    case "judge": {
      const { own, worked } = given(known.judgement);
      return one.of === "own" ? own : worked - own;
    }
    case "holdoutLoss":
      return readScore(
        { kind: "score", score: "loss", answer: "true", reduction: one.reduction },
        given(known.holdout),
      );
    default:
      return one satisfies never;
  }
}

/** `{ [key]: value }`, or nothing where there is no value. */
function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
