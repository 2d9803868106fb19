/**
 * @file The format of a study file, from which its published JSON Schema follows
 * (`public/study.schema.json`). Not here: what its parts mean together (`planStudy.ts`).
 */
import * as v from "valibot";
import { strategyNames } from "../../selection/strategies.ts";
import { taskNames } from "../../tasks/registry.ts";
import { baselineNames } from "../baselines.ts";
import { experimentSchema } from "../experimentSchema.ts";
import { choice, group, MAX_SEED, real, whole } from "../schemaParts.ts";

/** Before a complete baseline's name among the strategies: `baseline:lion` is the pipeline, `lion` the criterion. */
export const BASELINE_PREFIX = "baseline:";

const settings = experimentSchema.entries;
const { schemaVersion: _version, name: _name, seed: _seed, ...settable } = settings;
const { task: _task, student: _student, adapter: _adapter, budget: _budget, ...ofStrategy } = settable;

const strategyWords = [...strategyNames, ...baselineNames.map((name) => `${BASELINE_PREFIX}${name}`)];

/** Labels stand in tables and, with other characters made "-", in names of folders. */
const label = v.pipe(
  v.string("a text of 1 to 40 characters"),
  v.regex(/^[^\s].{0,38}[^\s]$|^[^\s]$/, "a text of 1 to 40 characters that no space begins or ends"),
);

/** At least one entry. */
function axis<const T extends v.GenericSchema>(entry: T, what: string) {
  return v.pipe(v.array(entry, `a list of ${what}`), v.minLength(1, `at least one of ${what}`));
}

const experiment = group(settable);
const tasks = axis(
  v.union([choice(taskNames), group({ label: v.exactOptional(label), ...settable })], (issue) =>
    entryMessage(issue, `a task's name (${quoted(taskNames)}) or settings of an experiment with task.name`),
  ),
  "tasks",
);
const strategies = axis(
  v.union([choice(strategyWords), group({ label: v.exactOptional(label), ...ofStrategy })], (issue) =>
    entryMessage(issue, `a strategy's name (${quoted(strategyWords)}) or settings with strategy.name`),
  ),
  "strategies",
);
const seeds = axis(whole(0, MAX_SEED), "seeds");
const options = axis(group({ label, ...settable }), "options, each with a label");
const analysis = group({
  reference: v.exactOptional(label),
  targets: v.exactOptional(v.array(real(0, 1), "a list of accuracies")),
  confidence: v.exactOptional(real(0.5, 0.999)),
  resamples: v.exactOptional(whole(100, 100_000)),
});

/** Parts that stand in several places of the format, by the names they have in the published schema. */
export const studyParts = { experiment, tasks, strategies, seeds, options, analysis };

/** A study as people write it. */
export const studySchema = group({
  $schema: v.exactOptional(v.string("a text")),
  schemaVersion: v.optional(v.literal(1, "1, the version this build reads"), 1),
  name: label,
  experiment: v.exactOptional(experiment),
  tasks,
  strategies,
  seeds,
  options: v.exactOptional(options),
  analysis: v.exactOptional(analysis),
  /** What `--quick` replaces; `experiment` and `analysis` setting by setting. */
  quick: v.exactOptional(
    group({
      experiment: v.exactOptional(experiment),
      tasks: v.exactOptional(tasks),
      strategies: v.exactOptional(strategies),
      seeds: v.exactOptional(seeds),
      options: v.exactOptional(options),
      analysis: v.exactOptional(analysis),
    }),
  ),
});

/** A study file whose fields have the right types. */
export type StudyFile = v.InferInput<typeof studySchema>;

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function entryMessage(issue: v.UnionIssue<v.BaseIssue<unknown>>, fallback: string): string {
  const inner = innerIssue(issue);
  const path = inner === undefined ? null : v.getDotPath(inner);
  return inner === undefined || path === null ? fallback : `${path} to be ${inner.message}`;
}

/** The one thing wrong inside an entry of two forms, where it is clear which of them was meant. */
export function innerIssue({ input, issues }: v.BaseIssue<unknown>): v.BaseIssue<unknown> | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  return issues?.find((one) => one.path !== undefined && one.path.length > 0);
}
