/**
 * @file Everything a closed loop tells the outside, as one tagged union of plain
 * JSON. The page, the terminal, the run folder and tests read nothing else.
 */
import type { EngineInfo } from "../runtime/types.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { StepRecord } from "../student/types.ts";
import type { Operation, TeacherUsage } from "../teacher/types.ts";
import type { ExperimentConfig } from "./config.ts";

export const PHASES = ["score", "select", "teach", "verify", "train", "evaluate"] as const;
export type Phase = (typeof PHASES)[number];

/** One candidate (a seed; with `query.candidates` "all" also an accepted pair of an earlier round) as the student sees it this round. Fields absent where the strategy did not need them; all are there when the pool is shown (`showPool`). */
export interface PoolItem {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  readonly level: string;
  /** The student's own greedy answer and whether the task's checker accepts it. */
  readonly ownAnswer?: string;
  readonly correct?: boolean;
  /** Mean loss in nats of the student's own answer / of the worked answer. */
  readonly ownLoss?: number;
  readonly trueLoss?: number;
  /** What the strategy picks by; absent for strategies that need none. */
  readonly score?: number;
}

/** What became of a pair: trained on unchecked or checked, or rejected by the check, as a repeat, or as too like another. */
export const OUTCOMES = ["off", "passed", "failed", "duplicate", "near-duplicate"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** One synthetic pair with where it came from and what became of it. */
export interface SyntheticExample {
  readonly id: string;
  readonly round: number;
  /** Id of the candidate it was made from: a seed, or (Lion) an earlier pair. */
  readonly seedId: string;
  /** `copy`: the seed's own pair. */
  readonly operation: Operation | "copy";
  readonly question: string;
  readonly answer: string;
  readonly level?: string;
  /** The seed's acquisition score and rank when it was picked. */
  readonly seedScore?: number;
  readonly seedRank?: number;
  /** The strategy's criterion of this very question, by the student that the seed was picked with; with `scoreSynthetic`, of accepted pairs. */
  readonly score?: number;
  /** Whether the task's full check accepts the pair, whatever was made of it; absent where the teacher gave no pair. */
  readonly sound?: boolean;
  readonly accepted: boolean;
  readonly verification: Outcome;
  readonly reason: string;
  readonly usage: TeacherUsage;
}

/** A picked candidate with the score and rank it was picked by, null where the strategy uses none. */
export interface PickRecord {
  readonly seedId: string;
  /** How hard the task calls it. */
  readonly level: string;
  readonly score: number | null;
  readonly rank: number | null;
}

/** What a person decided about a pair, by hand. Of several about one pair the last one counts. */
export interface Intervention {
  readonly id: string;
  readonly exampleId: string;
  /** First round whose training it holds for. */
  readonly round: number;
  /** ISO 8601; depends on the clock. */
  readonly at: string;
  /** restore: the pair is again what verification made of it. */
  readonly action: "reject" | "edit" | "restore";
  /** Of an edit: what is trained on instead. */
  readonly question?: string;
  readonly answer?: string;
  /** The person's own words, or what the task's check said of an edit. */
  readonly reason: string;
}

/** From `round` on the run is computed in less memory, or in more again; its steps are the same up to rounding. */
export interface MemoryChange {
  readonly round: number;
  readonly from: MemorySettings;
  readonly to: MemorySettings;
}

/** Accuracy on one split: exact final answers. `low`/`high`: 95 % Wilson interval. */
export interface Evaluation {
  readonly split: "validation" | "test";
  readonly n: number;
  readonly correct: number;
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
  readonly byLevel: Readonly<Record<string, Tally>>;
  /** By each tag of the task and its values, as `{"cluster": {"passive": …}}`; a question without the tag is in none. */
  readonly byTag: Readonly<Record<string, Readonly<Record<string, Tally>>>>;
}

/** Questions, and how many of them were answered right. */
export interface Tally {
  readonly n: number;
  readonly correct: number;
}

/**
 * Why no round follows: all are done, a ceiling is reached, the accuracy is (`target`) or no longer rises
 * (`plateau`), or every seed pair is trained on already (`used-up`).
 */
export const STOP_REASONS = ["rounds", "budget", "target", "plateau", "used-up"] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** The line of `rounds.jsonl`: round 0 is the untouched student. Only durations depend on the clock; a run folder keeps them in `timings.jsonl`. */
export interface RoundSummary {
  readonly round: number;
  /** Accepted synthetic pairs so far. */
  readonly examples: number;
  /** Of this round. */
  readonly accepted: number;
  readonly rejected: number;
  /** Of this round, what became of the pairs; outcomes of none are left out. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** Pairs that the round set out for; absent in rounds stored before there were refills. */
  readonly planned?: number;
  /** Times that it asked again in place of rejected ones. */
  readonly refills: number;
  /** Whole pairs that the teacher gave this round, and how many of them the task's full check rejects, trained on or not. */
  readonly taught: number;
  readonly unsound: number;
  /** What this round's teacher calls used, failed items included. */
  readonly teacher: TeacherUsage;
  readonly evaluation: Evaluation;
  /** On the validation questions, where they decide when the run ends and the curve shows others. */
  readonly validation?: Evaluation;
  /** Training loss of this round in nats per token, all steps; null when nothing was trained. */
  readonly meanLoss: number | null;
  readonly steps: number;
  /** Rows trained on this round: pairs of this and earlier rounds, and seed pairs. */
  readonly rows: number;
  /** Share of pool questions answered right before training; null when no own answers were generated. */
  readonly poolAccuracy: number | null;
  /** Null when another round follows. */
  readonly stop: StopReason | null;
  readonly durationMs: number;
}

export type LoopRecord =
  | {
      readonly type: "run";
      readonly runId: string;
      readonly config: ExperimentConfig;
      readonly engine: EngineInfo;
      readonly student: { readonly name: string; readonly parameters: number; readonly trainable: number };
      readonly resumedAtRound: number;
    }
  | {
      readonly type: "phase";
      readonly round: number;
      readonly phase: Phase;
      readonly state: "start" | "progress" | "end";
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: "pool"; readonly round: number; readonly items: readonly PoolItem[] }
  | { readonly type: "picks"; readonly round: number; readonly picks: readonly PickRecord[] }
  /** What the round's calls to a chat teacher used so far. */
  | { readonly type: "usage"; readonly round: number; readonly usage: TeacherUsage }
  | { readonly type: "example"; readonly example: SyntheticExample }
  | { readonly type: "intervention"; readonly intervention: Intervention }
  | { readonly type: "memory"; readonly change: MemoryChange }
  | ({ readonly type: "step"; readonly round: number; readonly totalSteps: number } & StepRecord)
  | { readonly type: "round"; readonly summary: RoundSummary }
  | { readonly type: "warning"; readonly code: string; readonly message: string }
  | { readonly type: "done"; readonly rounds: number; readonly reason: StopReason };
