/**
 * @file Everything a closed loop tells the outside, as one tagged union of plain
 * JSON. The page, the terminal, the run folder and tests read nothing else.
 */
import type { EngineInfo } from "../runtime/types.ts";
import type { StepRecord } from "../student/types.ts";
import type { Operation, TeacherUsage } from "../teacher/types.ts";
import type { ExperimentConfig } from "./config.ts";

export const PHASES = ["score", "select", "teach", "verify", "train", "evaluate"] as const;
export type Phase = (typeof PHASES)[number];

/** One seed of the pool as the student sees it this round. Fields absent where the strategy did not need them; all are there when the pool is shown (`showPool`). */
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

/** One synthetic pair with where it came from and what became of it. */
export interface SyntheticExample {
  readonly id: string;
  readonly round: number;
  readonly seedId: string;
  readonly operation: Operation;
  readonly question: string;
  readonly answer: string;
  readonly level?: string;
  /** The seed's acquisition score and rank when it was picked. */
  readonly seedScore?: number;
  readonly seedRank?: number;
  readonly accepted: boolean;
  readonly verification: "off" | "passed" | "failed" | "duplicate";
  readonly reason: string;
  readonly usage: TeacherUsage;
}

/** Accuracy on one split: exact final answers. `low`/`high`: 95 % Wilson interval. */
export interface Evaluation {
  readonly split: "validation" | "test";
  readonly n: number;
  readonly correct: number;
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
  readonly byLevel: Readonly<Record<string, { readonly n: number; readonly correct: number }>>;
}

/** The line of `rounds.jsonl`: round 0 is the untouched student. Only `durationMs` and tokens per second depend on the clock. */
export interface RoundSummary {
  readonly round: number;
  /** Accepted synthetic pairs so far. */
  readonly examples: number;
  /** Of this round. */
  readonly accepted: number;
  readonly rejected: number;
  /** What this round's teacher calls used, failed items included. */
  readonly teacher: TeacherUsage;
  readonly evaluation: Evaluation;
  /** Training loss of this round in nats per token, all steps; null when nothing was trained. */
  readonly meanLoss: number | null;
  readonly steps: number;
  /** Share of pool questions answered right before training; null when no own answers were generated. */
  readonly poolAccuracy: number | null;
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
  | {
      readonly type: "picks";
      readonly round: number;
      readonly picks: readonly {
        readonly seedId: string;
        readonly score: number | null;
        readonly rank: number | null;
      }[];
    }
  /** What the round's calls to a chat teacher used so far. */
  | { readonly type: "usage"; readonly round: number; readonly usage: TeacherUsage }
  | { readonly type: "example"; readonly example: SyntheticExample }
  | ({ readonly type: "step"; readonly round: number; readonly totalSteps: number } & StepRecord)
  | { readonly type: "round"; readonly summary: RoundSummary }
  | { readonly type: "warning"; readonly code: string; readonly message: string }
  | { readonly type: "done"; readonly rounds: number };
