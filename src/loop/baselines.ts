/**
 * @file The complete baselines as plain data: what each sets of an experiment, so that a
 * study can put it beside the strategies. None has code of its own: a baseline is a choice
 * of the loop's ordinary settings. Imported by the page too, so it imports nothing at run
 * time. Not here: whether given settings contradict a baseline (`parseConfig.ts`).
 */
import type { BaselineName, BudgetSettings, ExperimentConfig, QuerySettings } from "./config.ts";

/** Settings over those of an experiment. `strategy` replaces, the other groups are laid over. */
export interface BaselineSettings extends Partial<Omit<ExperimentConfig, "query" | "teacher" | "budget">> {
  readonly query?: Partial<QuerySettings>;
  readonly teacher?: Partial<ExperimentConfig["teacher"]>;
  readonly budget?: BudgetSettings;
}

/** A row of the table. */
export interface BaselineEntry {
  /** One sentence for people. */
  readonly description: string;
  /** What makes it this baseline: an experiment that says otherwise contradicts itself. */
  readonly fixed: (beside: ExperimentConfig) => BaselineSettings;
  /** Sizes and thresholds that fit it to the experiment it is put beside; an experiment may say otherwise. */
  readonly suggested?: (beside: ExperimentConfig) => BaselineSettings;
}

const RANDOM = { name: "random", picker: { kind: "uniform" } } as const;

/** Pairs that the experiment gives at most: the budget at which it is compared. */
const pairsOf = ({ rounds, querySize, perSeed, budget }: ExperimentConfig): number =>
  Math.min(budget.examples ?? Infinity, Math.max(1, rounds * querySize * perSeed));

/** Question and answer in so many calls, whoever the teacher is. */
const calls = ({ teacher: { chat } }: ExperimentConfig, count: "one" | "two"): BaselineSettings["teacher"] =>
  chat === undefined ? { calls: count } : { chat: { ...chat, calls: count } };

/** The loop's own default beside a near-duplicate filter (`defaults.ts`), which is not imported at run time. */
const REFILLS = 3;

/** Steps of LLM2LLM's published runs, the first of them on the seeds alone. */
const LLM2LLM_STEPS = 10;

export const BASELINES: Readonly<Record<BaselineName, BaselineEntry>> = {
  /** The untouched base student: round 0 alone. */
  base: {
    description: "The untouched base student, evaluated.",
    fixed: () => ({ rounds: 0 }),
  },
  /** At each budget point one training from the base weights on as many seed pairs as the strategies have synthetic ones, until the seeds are used up. */
  real: {
    description: "Finetuning on the same number of real pairs: seeds with their own answers, from the base weights.",
    fixed: () => ({
      strategy: RANDOM,
      query: { scores: "fresh", candidates: "seeds", repeats: "avoided" },
      pairs: "seeds",
      perSeed: 1,
      balance: false,
      warmUp: "none",
      restart: true,
      accumulate: true,
      replay: 0,
    }),
    suggested: ({ querySize, perSeed, task }) => ({ querySize: Math.min(task.pool, querySize * perSeed) }),
  },
  "all-seeds": {
    description: "Finetuning once on all seed pairs.",
    fixed: () => ({ query: { scores: "fresh" }, rounds: 1, warmUp: "seeds", restart: true }),
  },
  /**
   * Everything generated beforehand from random seeds (arXiv 2512.00884): picks depend on nothing that the student
   * does, no seed is picked again before all were, and each budget point is one training from the base
   * weights on all pairs up to it. Whether they were written all at once or round by round changes no pair.
   */
  static: {
    description:
      "Static generation: seeds at random, all pairs as if made beforehand, one training at each budget point.",
    fixed: () => ({
      strategy: RANDOM,
      query: { scores: "fresh", candidates: "seeds", repeats: "avoided" },
      pairs: "teacher",
      balance: false,
      warmUp: "none",
      restart: true,
      accumulate: true,
    }),
  },
  /** The experiment's own strategy on the scores of the base student, which are never refreshed. */
  frozen: {
    description: "The experiment's strategy with scores frozen at t = 0: those of the base student in every round.",
    fixed: () => ({ query: { scores: "frozen", candidates: "seeds" }, pairs: "teacher", warmUp: "none" }),
  },
  /**
   * LLM2LLM (Lee et al. 2024, arXiv 2403.15042; round structure and numbers as in its published code): the student
   * finetuned on the seeds answers them (temperature 0.7, top-p 0.9); for every seed answered wrongly the
   * teacher writes one new question with its answer in one call; questions with ROUGE-L F > 0.95
   * against existing ones are dropped; the student starts again from the base weights on seeds and all
   * synthetic pairs. Synthetic questions are never built upon. Ours: a dropped question is asked for again (`refills`),
   * ROUGE-L is also taken against the seeds that were answered right, and the run ends at the
   * number of pairs of the experiment it is put beside.
   */
  llm2llm: {
    description:
      "LLM2LLM, complete: one new pair in one call for every seed answered wrongly; seeds and pairs, from base.",
    fixed: (beside) => ({
      strategy: { name: "incorrect", picker: { kind: "above", threshold: 0 } },
      query: { scores: "fresh", candidates: "seeds", repeats: "allowed" },
      pairs: "teacher",
      teacher: { operations: ["vary"], ...calls(beside, "one") },
      verification: "off",
      perSeed: 1,
      balance: false,
      warmUp: "seeds",
      restart: true,
      accumulate: true,
      replay: "all",
    }),
    suggested: (beside) => ({
      query: { temperature: 0.7, topP: 0.9 },
      maxRougeL: 0.95,
      refills: REFILLS,
      querySize: beside.task.pool,
      rounds: Math.max(LLM2LLM_STEPS, beside.rounds + 1),
      budget: { examples: pairsOf(beside) },
    }),
  },
  /**
   * Lion (Jiang et al. 2023, arXiv 2305.12870; thresholds as in its published code). Imitation: the student is
   * finetuned on the train pool, first the seeds, then what was generated last, from where it stands.
   * Discrimination: a referee scores teacher's and student's answers (temperature 0.7) on the cache pool, seeds and all
   * questions generated so far, with positions swapped; hard where the teacher leads by a point. Generation: as
   * many new questions from hard as from easy ones, answered in a second call: from hard ones of the same domain and
   * kind (`vary`), from easy ones of the same domain but rarer (`rarer`), both as long and as hard as they; ROUGE-L F > 0.7
   * against existing questions is dropped and asked for again (there until the round is full, here at most `refills` times).
   * Ours: worked answers of the seeds stand for the teacher's, and each round picks anew the query size.
   */
  lion: {
    description: "Lion, complete: imitate the last pairs, judge all questions, ask from hard and easy ones alike.",
    fixed: (beside) => ({
      strategy: { name: "lion", picker: { kind: "argmax" }, share: 0.5 },
      query: { scores: "fresh", candidates: "all", repeats: "allowed" },
      pairs: "teacher",
      teacher: { operations: ["vary"], easyOperations: ["rarer"], ...calls(beside, "two") },
      verification: "off",
      balance: true,
      warmUp: "seeds",
      restart: false,
      accumulate: false,
      replay: 0,
    }),
    suggested: (beside) => ({
      query: { temperature: 0.7, topP: 1 },
      maxRougeL: 0.7,
      refills: REFILLS,
      rounds: beside.rounds + 1,
      budget: { examples: pairsOf(beside) },
    }),
  },
};

/** Names of the baselines, in the order to show them. */
export const baselineNames = Object.keys(BASELINES) as readonly BaselineName[];

/** `settings` over `config`. */
export function layOver(config: ExperimentConfig, settings: BaselineSettings): ExperimentConfig {
  return {
    ...config,
    ...settings,
    query: { ...config.query, ...settings.query },
    teacher: { ...config.teacher, ...settings.teacher },
    budget: { ...config.budget, ...settings.budget },
  };
}

/**
 * The baseline `name` beside the experiment `beside`: same task, seeds, student, teacher and training, the same number
 * of pairs where the baseline makes pairs, and everything else as the baseline has it.
 */
export function experimentOfBaseline(name: BaselineName, beside: ExperimentConfig): ExperimentConfig {
  if (beside.baseline === name) return beside;
  const { fixed, suggested } = BASELINES[name];
  return { ...layOver(layOver(beside, fixed(beside)), suggested?.(beside) ?? {}), baseline: name };
}
