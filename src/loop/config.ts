/**
 * @file The experiment: every setting of a run, plain JSON, stored in the manifest.
 * Unknown choices of the paper are named options here, with our defaults.
 */
import type { SchedulerName, Precision, TrainMethod } from "../student/types.ts";
import type { Mixture } from "../tasks/registry.ts";
import type { CustomSettings } from "../tasks/custom/settings.ts";
import type { StrategySettings } from "../selection/types.ts";
import type { ChatPrice, ChatProvider, ChatSettings } from "../teacher/config.ts";
import type { Operation } from "../teacher/types.ts";

/** Complete baselines by name; what each sets is in `baselines.ts`. */
export type BaselineName = "base" | "real" | "all-seeds" | "static" | "frozen" | "llm2llm" | "lion";

/** What is asked about: where candidates, their own answers and their scores come from. */
export interface QuerySettings {
  /** Scores of the student as it is each round, or those of the base student in every round (frozen at t = 0). */
  readonly scores: "fresh" | "frozen";
  /** Candidates: the seeds D₀, or the seeds and every accepted pair of earlier rounds (Lion's cache pool). */
  readonly candidates: "seeds" | "all";
  /** `avoided`: nothing is picked again before everything was picked as often. */
  readonly repeats: "allowed" | "avoided";
  /** Of the student's own answers to candidates; 0 is greedy. Evaluation is greedy always. */
  readonly temperature: number;
  /** Nucleus sampling mass of own answers, where the temperature is over 0. */
  readonly topP: number;
}

/** Hard ceilings of a run: never exceeded, whatever is in flight. Absent: none. */
export interface BudgetSettings {
  /** Accepted pairs. */
  readonly examples?: number;
  /** Prompt and completion tokens of all calls to the teacher, judgements included. */
  readonly teacherTokens?: number;
  /** US dollars; needs a price. */
  readonly costUsd?: number;
}

/** When a run ends before its last round. Accuracies are of the validation questions, whatever the curve shows. */
export interface StopSettings {
  /** Ends once the accuracy is at least this. */
  readonly target?: number;
  /** Ends after so many rounds in a row, none of which beat the best before them by more than `minGain`. */
  readonly plateau?: number;
  readonly minGain: number;
}

/** Data files of the task "custom" (JSON Lines, a JSON list or CSV), and what is said about them. */
export interface TaskData extends CustomSettings {
  /** The pool; splits without a file of their own are taken from it. */
  readonly pool: string;
  readonly validation?: string;
  readonly test?: string;
  /** SHA-256 of the files, written by the program: a resumed run refuses files that have changed. */
  readonly digest?: string;
}

/** What becomes of rows that are longer than the context. */
export const EXCESS_LENGTHS = ["refuse", "drop"] as const;
export type ExcessLength = (typeof EXCESS_LENGTHS)[number];

export interface ExperimentConfig {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly seed: number;
  /** Student: "builtin" (the task's own), "builtin:TASK", or a directory / URL of one. */
  readonly student: string;
  /**
   * PEFT adapter that the student starts with, named like a student. LoRA goes on with it, at its own rank, alpha and
   * targets; full training begins with it merged in.
   */
  readonly adapter?: string;
  readonly task: {
    readonly name: string;
    readonly pool: number;
    readonly validation: number;
    readonly test: number;
    readonly evaluateOn: "validation" | "test";
    /** How a built-in task's questions are mixed, by relative weights; the task's own mixture by default. */
    readonly mixture?: Mixture;
    /** Another mixture for the pool alone, over `mixture`: a pool of many easy seeds and few hard ones leaves selection room. */
    readonly poolMixture?: Mixture;
    /**
     * What becomes of questions too long for the student's context: `refuse` (the default) the run, or `drop` them from pool,
     * validation and test; counted by the manifest and a warning. Ours; as Axolotl's `excess_length_strategy`.
     */
    readonly excessLength?: ExcessLength;
    /** Data of the user's own, for the task "custom" and no other. */
    readonly data?: TaskData;
  };
  /** The complete baseline that these settings are; nothing reads it but people and `parseExperimentConfig`, which holds the settings to it. */
  readonly baseline?: BaselineName;
  readonly strategy: StrategySettings;
  readonly query: QuerySettings;
  /** Who gives the new pairs: the teacher, or nobody: the picked seeds' own pairs are trained on (real data). */
  readonly pairs: "teacher" | "seeds";
  readonly teacher: {
    /** "none" only evaluates: it goes with 0 rounds. */
    readonly name: "solver" | "none" | ChatProvider;
    /** Of the built-in teacher. */
    readonly errorRate: number;
    readonly operations: readonly Operation[];
    /** Of picks that the strategy calls easy (Lion); absent: `operations`, as of all others. */
    readonly easyOperations?: readonly Operation[];
    /** Of the built-in teacher: question and answer in two calls (the default), or in one. A chat teacher has `chat.calls`. */
    readonly calls?: "two" | "one";
    /** Of the built-in teacher: what its tokens would cost, to study money with; none by default. A chat teacher has `chat.price`. */
    readonly price?: ChatPrice;
    /** Of a chat teacher. Never holds a key. */
    readonly chat?: ChatSettings;
  };
  /** Ours: accepted pairs have the right final answer by the task's solver (where it has one), or every step right too. */
  readonly verification: "off" | "answer" | "steps";
  /** Near-duplicates: a question whose ROUGE-L F with a candidate or an accepted question is over this is rejected; 1 rejects none. */
  readonly maxRougeL: number;
  /**
   * Refills: so many times at most a round asks again, about the same picks, in place of the questions that were rejected,
   * within its budget. 0: what is rejected is lost. Ours; by default 3 where near-duplicates are rejected, else 0.
   */
  readonly refills: number;
  readonly rounds: number;
  /** m: seeds picked per round; each gives `perSeed` new questions. */
  readonly querySize: number;
  readonly perSeed: number;
  /** Lion: hard and easy picks get equally many questions, also where one kind has fewer picks. */
  readonly balance: boolean;
  /** `seeds`: round 1 asks nothing; the student finetunes on all seed pairs before it is first scored. */
  readonly warmUp: "none" | "seeds";
  /** Restart each round from the base weights on all pairs so far (ours, as LLM2LLM), or continue on this round's pairs plus earlier ones. */
  readonly restart: boolean;
  /** Train on all pairs so far, or on the last round's only. */
  readonly accumulate: boolean;
  /** Seed pairs mixed in per synthetic pair (0 = none, the paper's apparent default), against forgetting; or `all` of them once. */
  readonly replay: number | "all";
  readonly budget: BudgetSettings;
  readonly stop: StopSettings;
  /** Also score the accepted questions by the strategy's criterion before training on them, where the student alone can give it. Changes nothing else. */
  readonly scoreSynthetic: boolean;
  readonly training: {
    readonly method: TrainMethod;
    readonly epochs: number;
    readonly batchSize: number;
    readonly gradAccum: number;
    readonly learningRate: number;
    readonly scheduler: SchedulerName;
    readonly groupByLength: boolean;
    /** What matrix products compute in; what it came to stands in the first step of each round. */
    readonly precision: Precision | "auto";
    readonly warmupSteps: number;
    readonly weightDecay: number;
    readonly maxGradNorm: number;
  };
  readonly generation: { readonly maxNewTokens: number; readonly batchSize: number };
}
