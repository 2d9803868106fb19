/**
 * @file The closed loop, Algorithm 1 of arXiv 2512.00884: score, select, teach,
 * verify, train, evaluate, round after round, as a generator of records. It reads
 * top to bottom. What it asks about (`candidates.ts`), which pairs it asks for
 * (`generationPlan.ts`), what it trains on (`trainingSet.ts`) and when it ends (`stopping.ts`)
 * are rules of their own, so that a baseline is a choice of settings (`baselines.ts`). The
 * phases are in `phases/`, opening and resuming in `openRun.ts`.
 * Not here: scheduling of several loops (`service.ts`), storage, the page.
 *
 * Laws: pausing is not pulling; a signal aborts in any phase; all randomness is
 * forked by name from the run's seed, so neither timing nor a resume changes a
 * result; what a yielded record says is stored already, except steps and progress,
 * which a resumed run computes again.
 */
import { invariant, throwIfAborted } from "../core/errors.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { StepRecord, Student } from "../student/types.ts";
import type { Task } from "../tasks/types.ts";
import type { Teacher, TeacherUsage } from "../teacher/types.ts";
import { droppedText } from "./checkRows.ts";
import { candidatesOf } from "./candidates.ts";
import type { ExperimentConfig } from "./config.ts";
import type { Interventions } from "./interventions.ts";
import { openRun } from "./openRun.ts";
import { evaluate, type Evaluated } from "./phases/evaluate.ts";
import { scorePool } from "./phases/scorePool.ts";
import { selectSeeds } from "./phases/select.ts";
import { teach } from "./phases/teach.ts";
import { meanLossOf, train } from "./phases/train.ts";
import { verify } from "./phases/verify.ts";
import { OUTCOMES } from "./records.ts";
import type { LoopRecord, RoundSummary, SyntheticExample } from "./records.ts";
import type { RunStore, StoredReply } from "./runStore.ts";
import type { RunState } from "./runState.ts";
import { studentName } from "./studentName.ts";
import { decidingAccuracy, stopReasonAfter } from "./stopping.ts";
import { isWarmUp, trainingRows } from "./trainingSet.ts";
import { NO_USAGE, addUsage } from "../teacher/usage.ts";

/** What a loop runs on. Borrows everything; disposes nothing. */
export interface ClosedLoopDeps {
  readonly student: Student;
  /** For people; the config's `student` by default. */
  readonly studentName?: string | undefined;
  readonly task: Task;
  readonly teacher: Teacher;
  readonly store: RunStore;
  readonly signal?: AbortSignal | undefined;
  /** Clock in milliseconds, `Date.now` by default. */
  readonly now?: (() => number) | undefined;
  /** Go on with the run that the store holds, instead of starting one. */
  readonly resume?: boolean | undefined;
  /** How the run is computed from here on; as before, or as its experiment says, by default. Rows a step stay as they are. */
  readonly memory?: MemorySettings | undefined;
  /** Generate and score the whole pool each round for display, whatever the strategy needs. Changes no pick, pair or weight. */
  readonly showPool?: boolean | undefined;
  /** Teacher items in flight at once, twice a chat teacher's requests or 4 by default. Never changes what they say. */
  readonly teacherConcurrency?: number | undefined;
  /** Opens the student that the strategy's `holdout` names; the loop uses it once and disposes it. */
  readonly openHoldout?: (() => Promise<Student>) | undefined;
  /** Replies of another run: a call that is among them is not made. */
  readonly recorded?: readonly StoredReply[] | undefined;
  /** Where people's decisions about pairs come in while the loop runs. */
  readonly interventions?: Interventions | undefined;
  /** Written into the manifest of a new run. */
  readonly race?: { readonly id: string; readonly lane: number } | undefined;
}

/**
 * Runs an experiment and yields what happens. A resumed run yields every record of
 * the rounds from the first unfinished one on, as the uninterrupted run would,
 * except progress, and durations and speeds, which depend on the clock.
 *
 * @throws TutelageError aborted (signal), bad-input (config and data do not fit the
 * student, or the store holds another run), non-finite, device-lost, quota.
 */
export async function* closedLoop(
  config: ExperimentConfig,
  deps: ClosedLoopDeps,
): AsyncGenerator<LoopRecord, void, void> {
  try {
    const run = await openRun(config, deps);
    const firstRound = run.summaries.length;
    yield {
      type: "run",
      runId: deps.store.runId,
      config,
      engine: deps.student.engine,
      student: {
        name: deps.studentName ?? studentName(config.student, config.adapter),
        parameters: deps.student.parameters.total,
        trainable: deps.student.parameters.trainable,
      },
      resumedAtRound: firstRound,
    };
    yield* changedEngine(run);
    if (run.memoryChange !== undefined) yield { type: "memory", change: run.memoryChange };
    const left = run.dropped === undefined ? "" : droppedText(run.dropped);
    if (left !== "") yield { type: "warning", code: "questions-dropped", message: left };

    let stop = run.summaries.at(-1)?.stop ?? (firstRound > config.rounds ? "rounds" : null);
    for (let round = firstRound; stop === null; round++) {
      const startedMs = run.now();
      const taught = round === 0 || isWarmUp(config, round) ? NOTHING_TAUGHT : yield* newPairs(run, round);
      // Round 0 is the untouched student.
      const steps = round === 0 ? [] : yield* train(run, round);
      const evaluated = yield* evaluate(run, round);
      ({ stop } = yield* finishRound(run, { round, startedMs, steps, ...taught, ...evaluated }));
    }
    const rounds = run.summaries.length - 1;
    if (run.budgetRound !== undefined && rounds < config.rounds)
      yield {
        type: "warning",
        code: "budget-spent",
        message: `the teacher's ceiling was reached in round ${run.budgetRound}: the run ends there, after ${rounds} of ${config.rounds} rounds`,
      };
    yield { type: "done", rounds, reason: stop };
  } catch (error) {
    throwIfAborted(deps.signal, "closed loop");
    throw error;
  }
}

/** What a round's pairs came to. */
interface Taught {
  readonly examples: readonly SyntheticExample[];
  /** Pairs set out for, and how often the round asked again in place of rejected ones. */
  readonly planned: number;
  readonly refills: number;
  readonly poolAccuracy: number | null;
  readonly usage: TeacherUsage;
}

const NOTHING_TAUGHT: Taught = { examples: [], planned: 0, refills: 0, poolAccuracy: null, usage: NO_USAGE };

/** The round's new pairs: candidates scored and picked, the teacher asked, its pairs verified. */
async function* newPairs(run: RunState, round: number): AsyncGenerator<LoopRecord, Taught, void> {
  const candidates = candidatesOf(run, round);
  const pool = yield* scorePool(run, round, candidates);
  const picks = yield* selectSeeds(run, round, candidates, pool);
  const taught = yield* teach(run, round, picks);
  const { examples, refills } = yield* verify(run, round, taught);
  // Frozen scores say what the base student could, not this round's.
  const fresh = run.config.query.scores === "fresh" || round === 1;
  const answered = fresh ? (pool?.filter((item) => item.correct !== undefined) ?? []) : [];
  const right = answered.filter((item) => item.correct).length;
  return {
    examples,
    planned: taught.length,
    refills,
    poolAccuracy: answered.length === 0 ? null : right / answered.length,
    usage: examples.reduce((sum, example) => addUsage(sum, example.usage), run.judgeUsage),
  };
}

/** Stores, yields and returns the round's summary. */
async function* finishRound(
  run: RunState,
  finished: Taught &
    Evaluated & { readonly round: number; readonly startedMs: number; readonly steps: readonly StepRecord[] },
): AsyncGenerator<LoopRecord, RoundSummary, void> {
  const { round, startedMs, evaluation, validation, examples, planned, refills, poolAccuracy, steps, usage } = finished;
  invariant(run.summaries.length === round, `round ${round} ends after ${run.summaries.length} rounds`);
  const accepted = examples.filter((example) => example.accepted).length;
  const pairs = examples.filter(({ operation, sound }) => operation !== "copy" && sound !== undefined);
  const summary: RoundSummary = {
    round,
    examples: run.interventions.applyTo(run.examples, round).filter((example) => example.accepted).length,
    accepted,
    rejected: examples.length - accepted,
    outcomes: Object.fromEntries(
      OUTCOMES.map(
        (outcome) => [outcome, examples.filter(({ verification }) => verification === outcome).length] as const,
      ).filter(([, count]) => count > 0),
    ),
    planned,
    refills,
    taught: pairs.length,
    unsound: pairs.filter(({ sound }) => sound === false).length,
    teacher: usage,
    evaluation,
    ...(validation === undefined ? {} : { validation }),
    meanLoss: meanLossOf(steps),
    steps: steps.length,
    rows: round === 0 ? 0 : trainingRows(run, round).length,
    poolAccuracy,
    stop: stopReasonAfter(run, round, [...run.summaries.map(decidingAccuracy), decidingAccuracy(finished)]),
    durationMs: run.now() - startedMs,
  };
  await run.store.append({ type: "round", summary });
  run.summaries.push(summary);
  yield { type: "round", summary };
  return summary;
}

/** Says when a run goes on with another engine than it began with: its numbers then agree to rounding only. */
async function* changedEngine(run: RunState): AsyncGenerator<LoopRecord, void, void> {
  const before = run.stored?.manifest.engine;
  const after = run.student.engine;
  if (
    before === undefined ||
    (before.ep === after.ep && before.version === after.version && before.adapter === after.adapter)
  )
    return;
  const name = (engine: typeof after): string =>
    [engine.ep, engine.version, engine.adapter].filter((part) => part !== undefined).join(", ");
  yield {
    type: "warning",
    code: "engine-changed",
    message: `the run began on ${name(before)} and goes on on ${name(after)}`,
  };
}
