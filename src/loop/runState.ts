/**
 * @file All state of a running loop in one place: what it was given, what is
 * derived from the seed, what has happened so far. Phases read it; only
 * `closedLoop` and the phase that owns a field change it.
 */
import { BadInputError } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { QueryStrategy } from "../selection/types.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { PromptCompletion, ScoreRow, Student } from "../student/types.ts";
import type { Question, Splits, Task } from "../tasks/types.ts";
import type { Teacher, TeacherUsage } from "../teacher/types.ts";
import type { DroppedQuestions } from "./checkRows.ts";
import type { ExperimentConfig } from "./config.ts";
import type { Interventions } from "./interventions.ts";
import type { LoopRecord, MemoryChange, Phase, PoolItem, RoundSummary, SyntheticExample } from "./records.ts";
import type { Checkpoint, RunStore, StoredPicks, StoredReply, StoredRun } from "./runStore.ts";

export interface RunState {
  readonly config: ExperimentConfig;
  /** How it is computed; what is computed is `config`. */
  readonly memory: MemorySettings;
  /** What of it changed when this session took the run up; undefined for nothing. */
  readonly memoryChange: MemoryChange | undefined;
  readonly strategy: QueryStrategy;
  readonly student: Student;
  readonly task: Task;
  readonly teacher: Teacher;
  readonly store: RunStore;
  readonly signal: AbortSignal | undefined;
  readonly now: () => number;
  readonly showPool: boolean;
  readonly teacherConcurrency: number;
  /** Replies of another run to be used in place of calls. */
  readonly recorded: readonly StoredReply[];
  /** Root of the run's randomness: every draw forks it by round, phase and item. */
  readonly rng: Rng;
  readonly splits: Splits;
  /** What the splits do not hold because it is too long; undefined where that is refused. */
  readonly dropped: DroppedQuestions | undefined;
  /** Canonical forms no synthetic question may have: pool, validation and test. */
  readonly reserved: ReadonlySet<string>;
  /** What an earlier session left, undefined for a new run. */
  readonly stored: StoredRun | undefined;
  /** Set when the stored checkpoint is that of the round to be resumed: trained, not yet evaluated. */
  readonly trainedAhead: Checkpoint | undefined;
  /** Verified examples of finished verify phases, accepted or not, in order. */
  readonly examples: SyntheticExample[];
  /** What people decided about them. */
  readonly interventions: Interventions;
  readonly summaries: RoundSummary[];
  /** Of finished rounds, and of this one once it has selected. */
  readonly picks: StoredPicks[];
  /** What round 1 saw of the candidates; undefined when it looked at none. Set by `scorePool`. */
  firstPool: readonly PoolItem[] | undefined;
  /** What the judgements of this round's pool used. Set by `scorePool`. */
  judgeUsage: TeacherUsage;
  /** Losses of worked answers under the holdout student, by the question's id, as far as they were needed. */
  readonly holdoutLosses: Map<string, ScoreRow>;
  readonly openHoldout: (() => Promise<Student>) | undefined;
  /** Round in which a ceiling of the teacher was reached; no round follows it. Set by `teach` and `scorePool`. */
  budgetRound: number | undefined;
}

/** The stream for one phase of one round. */
export function phaseRng(run: Pick<RunState, "rng">, round: number, phase: string): Rng {
  return run.rng.fork(`round ${round}`).fork(phase);
}

/** A phase record. */
export function phaseRecord(
  round: number,
  phase: Phase,
  state: "start" | "progress" | "end",
  done: number,
  total: number,
): LoopRecord {
  return { type: "phase", round, phase, state, done, total };
}

/** The row a question and an answer text make for the student. */
export function rowOf(task: Task, question: Pick<Question, "id" | "question" | "answer">): PromptCompletion {
  return { id: question.id, prompt: task.prompt(question.question), completion: task.completion(question) };
}

/** Why the student cannot be trained on the pair (longer than its context), undefined when it can. */
export function encodingProblem(
  { student, task }: { readonly student: Pick<Student, "encode">; readonly task: Task },
  pair: Pick<Question, "id" | "question" | "answer">,
): string | undefined {
  try {
    student.encode(rowOf(task, pair));
    return undefined;
  } catch (error) {
    if (error instanceof BadInputError) return error.message;
    throw error;
  }
}
