/**
 * @file The format of `report.json`, from which its types and its published JSON Schema follow
 * (`public/report.schema.json`, `npm run schemas`). Shares and accuracies are 0…1, times in seconds,
 * money in US dollars. Not here: how it is drawn (`charts/`).
 */
import * as v from "valibot";
import { badInput } from "../core/errors.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A figure over `n` units with its bootstrap interval; an end is null where the data do not bound it, both for fewer than two units. */
const estimate = v.object({ value: v.number(), low: v.nullable(v.number()), high: v.nullable(v.number()), n: count });

const point = v.object({
  round: count,
  /** Accepted pairs, teacher tokens, money and wall time so far: means over the runs. */
  examples: v.number(),
  teacherTokens: v.number(),
  costUsd: v.number(),
  wallSeconds: v.number(),
  accuracy: estimate,
});

/** A difference paired by task and seed; `p` of the two-sided sign-flip permutation test, `pHolm` after Holm's correction over the table it stands in. */
const difference = v.object({ ...estimate.entries, p: v.number(), pHolm: v.number() });

const pair = v.object({
  a: v.string(),
  b: v.string(),
  /** Pairs of runs in which a is above b, as good, below; together `difference.n`. */
  wins: count,
  ties: count,
  losses: count,
  /** Mean of a − b. */
  difference,
});

/** Every two strategies by one number of each run: its last accuracy, and its mean accuracy over the rounds after the first training. */
const matches = v.object({ last: v.array(pair), mean: v.array(pair) });

const correlation = v.object({ rho: estimate, points: count });

const strategy = v.object({
  name: v.string(),
  curve: v.array(point),
  /** Accuracy at the end of a run. */
  last: v.nullable(estimate),
  /** Accuracy at the end by the task's levels of difficulty, easy to hard; `questions` is the number of a run. */
  byLevel: v.array(v.object({ level: v.string(), questions: count, accuracy: estimate })),
  /** At the end, against the reference; null for the reference itself and without a common seed. */
  versusReference: v.nullable(difference),
  /** By names of `diagnostics.ts`; a figure that does not exist for the strategy is absent. */
  diagnostics: v.record(v.string(), estimate),
  /** Spearman's ρ of seeds' scores and of the scores of the questions they gave, by the strategy's own criterion. */
  fidelity: v.nullable(
    v.object({
      /** Within a round: item by item, averaged over rounds and runs. */
      instance: v.nullable(correlation),
      /** Between rounds and runs: medians of the picked seeds against medians of their questions. */
      dataset: v.nullable(v.object({ ...correlation.entries, medians: v.array(v.tuple([v.number(), v.number()])) })),
    }),
  ),
  runs: v.array(
    v.object({
      seed: count,
      points: v.array(
        v.object({
          round: count,
          examples: count,
          teacherTokens: v.number(),
          costUsd: v.number(),
          wallSeconds: v.number(),
          correct: count,
          n: count,
        }),
      ),
    }),
  ),
});

const target = v.object({
  accuracy: v.number(),
  strategies: v.array(
    v.object({
      name: v.string(),
      /** N(τ): accepted pairs at which the mean curve first reaches the accuracy; null where it does not. */
      examples: v.nullable(v.number()),
      /** N_reference(τ) / N(τ): over 1 needs fewer pairs. Null where either curve does not reach it. */
      ratio: v.nullable(v.object({ value: v.number(), low: v.nullable(v.number()), high: v.nullable(v.number()) })),
    }),
  ),
});

const comparison = v.object({
  task: v.string(),
  option: v.string(),
  split: v.string(),
  /** Questions of the split that every accuracy is a share of. */
  questions: count,
  seeds: v.array(count),
  strategies: v.array(strategy),
  targets: v.array(target),
  matches,
  /** Dataset-level ρ over all strategies with scores. */
  fidelity: v.nullable(correlation),
});

/** The schema of `report.json`. Extra keys are ignored. */
export const reportSchema = v.object({
  schemaVersion: v.literal(1),
  name: v.string(),
  /** Version of Tutelage that analysed it. */
  version: v.string(),
  tasks: v.array(v.string()),
  strategies: v.array(v.string()),
  options: v.array(v.string()),
  seeds: v.array(count),
  reference: v.string(),
  confidence: v.number(),
  resamples: count,
  engines: v.array(v.string()),
  runs: v.object({
    planned: count,
    finished: count,
    /** Runs that are not part of the comparisons, and why. */
    others: v.array(
      v.object({ id: v.string(), state: v.picklist(["unfinished", "failed", "missing"]), message: v.string() }),
    ),
  }),
  comparisons: v.array(comparison),
  /** Over all tasks, one for each option; empty where there is one task. */
  overall: v.array(
    v.object({
      option: v.string(),
      tasks: v.array(v.string()),
      /** Last accuracies against the reference's, paired by task and seed. */
      versusReference: v.array(v.object({ name: v.string(), difference })),
      matches,
    }),
  ),
  /** What a reader must know before believing a number. */
  cautions: v.array(v.string()),
});

export type StudyReportData = v.InferOutput<typeof reportSchema>;
export type Comparison = v.InferOutput<typeof comparison>;
export type StrategyReport = v.InferOutput<typeof strategy>;
export type Estimate = v.InferOutput<typeof estimate>;
export type Difference = v.InferOutput<typeof difference>;
export type Matches = v.InferOutput<typeof matches>;
export type PairResult = v.InferOutput<typeof pair>;
export type CurvePoint = v.InferOutput<typeof point>;

/** The report that a parsed `report.json` holds. @throws BadInputError naming the first wrong field. */
export function parseStudyReport(value: unknown, where = "report.json"): StudyReportData {
  const parsed = v.safeParse(reportSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  return badInput(
    path === null ? where : `${where}, ${path}`,
    issue.expected ?? "another value",
    issue.received,
    "Make it again with: tutelage study report DIR",
  );
}
