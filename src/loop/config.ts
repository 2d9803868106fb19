/**
 * @file The experiment: every setting of a run, plain JSON, stored in the manifest.
 * Unknown choices of the paper are named options here, with our defaults.
 */
import type { SchedulerName, TrainMethod } from "../student/types.ts";
import type { CustomSettings } from "../tasks/custom/settings.ts";
import type { StrategySettings } from "../selection/types.ts";
import type { ChatProvider, ChatSettings } from "../teacher/config.ts";

/** Data files of the task "custom" (JSON Lines, a JSON list or CSV), and what is said about them. */
export interface TaskData extends CustomSettings {
  /** The pool; splits without a file of their own are taken from it. */
  readonly pool: string;
  readonly validation?: string;
  readonly test?: string;
  /** SHA-256 of the files, written by the program: a resumed run refuses files that have changed. */
  readonly digest?: string;
}

export interface ExperimentConfig {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly seed: number;
  /** Student: "builtin" (the task's own), "builtin:TASK", or a directory / URL of one. */
  readonly student: string;
  readonly task: {
    readonly name: string;
    readonly pool: number;
    readonly validation: number;
    readonly test: number;
    readonly evaluateOn: "validation" | "test";
    /** Data of the user's own, for the task "custom" and no other. */
    readonly data?: TaskData;
  };
  readonly strategy: StrategySettings;
  readonly teacher: {
    /** "none" only evaluates: it goes with 0 rounds. */
    readonly name: "solver" | "none" | ChatProvider;
    /** Of the built-in teacher. */
    readonly errorRate: number;
    readonly operations: readonly ("simplify" | "complicate" | "vary")[];
    /** Of a chat teacher. Never holds a key. */
    readonly chat?: ChatSettings;
  };
  /** Ours: accepted pairs must pass the task's own check. */
  readonly verification: "off" | "answer";
  readonly rounds: number;
  /** m: seeds picked per round; each gives `perSeed` new questions. */
  readonly querySize: number;
  readonly perSeed: number;
  /** Restart each round from the base weights on all pairs so far (ours, as LLM2LLM), or continue on this round's pairs plus earlier ones. */
  readonly restart: boolean;
  /** Train on all pairs so far, or on the last round's only. */
  readonly accumulate: boolean;
  /** Seed pairs mixed in per synthetic pair (0 = none, the paper's apparent default), against forgetting. */
  readonly replay: number;
  readonly training: {
    readonly method: TrainMethod;
    readonly epochs: number;
    readonly batchSize: number;
    readonly gradAccum: number;
    readonly learningRate: number;
    readonly scheduler: SchedulerName;
    readonly groupByLength: boolean;
    readonly warmupSteps: number;
    readonly weightDecay: number;
    readonly maxGradNorm: number;
  };
  readonly generation: { readonly maxNewTokens: number; readonly batchSize: number };
}
