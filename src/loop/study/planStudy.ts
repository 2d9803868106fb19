/**
 * @file From a study file to the experiments of its grid, tasks × strategies × seeds × options,
 * all checked before anything runs. Later layers win: `experiment`, task, option, strategy; the
 * seed is the cell's. Runs of one task, option and seed share splits, base student and budget,
 * because a strategy may not change them. Not here: reading files, running.
 */
import * as v from "valibot";
import { BadInputError, badInput } from "../../core/errors.ts";
import { strategyNames } from "../../selection/strategies.ts";
import type { StudyCell } from "../../study/types.ts";
import type { ExperimentConfig } from "../config.ts";
import { baselineNames } from "../baselines.ts";
import { parseBaseline, parseExperimentConfig } from "../parseConfig.ts";
import { BASELINE_PREFIX, innerIssue, studySchema, type StudyFile } from "./studySchema.ts";

/** A study with every run of its grid. Plain JSON. */
export interface StudyPlan {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly tasks: readonly string[];
  readonly strategies: readonly string[];
  readonly options: readonly string[];
  readonly seeds: readonly number[];
  readonly reference: string;
  readonly targets: readonly number[];
  readonly confidence: number;
  readonly resamples: number;
  /** Option by option, task by task, seed by seed: strategies that share an untouched student follow each other. */
  readonly cells: readonly StudyCell[];
}

/** A plan, and what of it was said in so many words. */
export interface PlannedStudy {
  readonly plan: StudyPlan;
  /** Names of the sizes of splits that the file gives, by id of the run: others may shrink to what data files hold. */
  readonly givenSizes: ReadonlyMap<string, readonly string[]>;
}

const DEFAULT_OPTION = "default";
const DEFAULT_CONFIDENCE = 0.95;
const DEFAULT_RESAMPLES = 2000;
const MAX_CELLS = 100_000;
/** Problems told at once. */
const MAX_PROBLEMS = 5;

/** Groups that a later layer replaces whole: their keys depend on a name inside. */
const WHOLE: ReadonlySet<string> = new Set(["strategy", "picker", "method"]);

type Settings = Readonly<Record<string, unknown>>;

/** One value of an axis: what it is called, where it stands in the file, and what it sets. */
interface AxisValue {
  readonly label: string;
  readonly where: string;
  readonly settings: Settings;
}

/**
 * The plan of the study that `value` describes; `quick` takes its `quick` part over the rest.
 * @throws BadInputError naming the field, what was expected and what was got; for a wrong experiment, the cell too.
 */
export function planStudy(value: unknown, where: string, options: { readonly quick?: boolean } = {}): PlannedStudy {
  const file = parse(value, where);
  if (options.quick === true && file.quick === undefined)
    badInput(`${where}.quick`, "what --quick changes", "nothing", "Run it without --quick, or say what is smaller");
  const study = options.quick === true ? quickStudy(file) : file;
  const tasks = axisOf(study.tasks, `${where}.tasks`, (name) => ({ task: { name } }), taskLabel);
  const strategies = axisOf(study.strategies, `${where}.strategies`, strategySettings, strategyLabel);
  const variants = axisOf(
    study.options ?? [{ label: DEFAULT_OPTION }],
    `${where}.options`,
    () => ({}),
    () => undefined,
  );
  const seeds = study.seeds;
  if (new Set(seeds).size !== seeds.length)
    badInput(`${where}.seeds`, "each seed once", `[${seeds.join(", ")}]`, "Equal seeds would be the same runs");
  const size = tasks.length * strategies.length * variants.length * seeds.length;
  if (size > MAX_CELLS) badInput(where, `at most ${MAX_CELLS} runs`, String(size));

  const several = variants.length > 1;
  const givenSizes = new Map<string, readonly string[]>();
  const cells = variants.flatMap((variant) =>
    tasks.flatMap((task) =>
      seeds.flatMap((seed) =>
        strategies.map((strategy): StudyCell => {
          const parts = [task.label, ...(several ? [variant.label] : []), strategy.label, `seed${seed}`];
          const id = parts.map(folderName).join(".");
          const layers = [study.experiment ?? {}, task.settings, variant.settings];
          const below = layers.reduce<Settings>(mergeSettings, {});
          const at = `${where}, run ${id}`;
          const config = experimentOf({ ...below, name: id, seed }, strategy.settings, at);
          checkReachable(config, at);
          givenSizes.set(id, isGroup(below["task"]) ? Object.keys(below["task"]) : []);
          return { id, task: task.label, option: variant.label, strategy: strategy.label, seed, config };
        }),
      ),
    ),
  );
  const names = strategies.map(({ label }) => label);
  const reference = study.analysis?.reference ?? (names.includes("random") ? "random" : names[0]);
  if (reference === undefined || !names.includes(reference))
    badInput(`${where}.analysis.reference`, `one of the strategies ${quoted(names)}`, JSON.stringify(reference));
  const plan: StudyPlan = {
    schemaVersion: 1,
    name: study.name,
    tasks: tasks.map(({ label }) => label),
    strategies: names,
    options: variants.map(({ label }) => label),
    seeds,
    reference,
    targets: study.analysis?.targets ?? [],
    confidence: study.analysis?.confidence ?? DEFAULT_CONFIDENCE,
    resamples: study.analysis?.resamples ?? DEFAULT_RESAMPLES,
    cells,
  };
  return { plan, givenSizes };
}

/** `over` laid over `base`: groups setting by setting, but strategies, pickers and methods, lists and single values whole. */
export function mergeSettings(base: Settings, over: Settings): Settings {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isGroup(before) && isGroup(value) && !WHOLE.has(key) ? mergeSettings(before, value) : value;
  }
  return merged;
}

/**
 * A run's experiment. A complete baseline stands beside the experiment that the other layers make: its
 * settings replace theirs, and what the strategy's entry says itself is laid over what it only suggests.
 */
function experimentOf(below: Settings, { baseline, ...own }: Settings, where: string): ExperimentConfig {
  const beside = mergeSettings(below, own);
  const name = baselineNames.find((known) => known === baseline);
  return name === undefined ? parseExperimentConfig(beside, where) : parseBaseline(name, beside, own, where);
}

/** A number of pairs that strategies are compared at can be reached. Complete baselines have rounds of their own. */
function checkReachable(
  { baseline, budget, pairs, rounds, querySize, perSeed }: ExperimentConfig,
  where: string,
): void {
  const most = rounds * querySize * perSeed;
  if (baseline === undefined && pairs === "teacher" && budget.examples !== undefined && budget.examples > most)
    badInput(
      `${where}.budget.examples`,
      `at most rounds × querySize × perSeed = ${rounds} × ${querySize} × ${perSeed} = ${most}`,
      String(budget.examples),
      "The rounds ask for no more: raise one of them, or lower the budget",
    );
}

function isGroup(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(value: unknown, where: string): StudyFile {
  if (!isGroup(value)) badInput(where, "a study, an object", Array.isArray(value) ? "a list" : typeof value);
  const parsed = v.safeParse(studySchema, value);
  // What was written is used, not what the schema filled in: a default of one layer must not hide another layer.
  if (parsed.success) return value as unknown as StudyFile;
  const problems = [...new Set(parsed.issues.map((issue) => problemOf(where, issue)))];
  const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : "";
  throw new BadInputError(problems.slice(0, MAX_PROBLEMS).join("; ") + more);
}

function problemOf(where: string, issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  const received = innerIssue(issue)?.received ?? issue.received;
  const got = received === "undefined" ? "nothing" : received;
  return `${path === null ? where : `${where}.${path}`}: expected ${issue.message}, got ${got}`;
}

function quickStudy(file: StudyFile): StudyFile {
  const { quick, ...rest } = file;
  const { experiment = {}, analysis = {}, ...axes } = quick ?? {};
  return {
    ...rest,
    ...axes,
    name: `${rest.name}-quick`,
    experiment: mergeSettings(rest.experiment ?? {}, experiment),
    analysis: { ...rest.analysis, ...analysis },
  };
}

/** The values of an axis, their labels different even as names of folders. */
function axisOf(
  entries: readonly (string | Settings)[],
  where: string,
  meaning: (name: string) => Settings,
  labelOf: (settings: Settings) => string | undefined,
): readonly AxisValue[] {
  const seen = new Map<string, string>();
  return entries.map((entry, i): AxisValue => {
    const at = `${where}.${i}`;
    const { label: given, ...own } = typeof entry === "string" ? { label: entry } : entry;
    const settings = typeof entry === "string" ? meaning(entry) : own;
    const label = typeof given === "string" ? given : labelOf(settings);
    if (label === undefined) badInput(`${at}.label`, "a label", "none", "Nothing else names this entry");
    const folder = folderName(label).toLowerCase();
    const before = seen.get(folder);
    if (before !== undefined)
      badInput(
        at,
        `a label unlike the others (letters, digits, "_", "+" and "-" count)`,
        `"${label}"${before === label ? " twice" : `, which is too like "${before}"`}`,
        'Give each entry a "label" of its own',
      );
    seen.set(folder, label);
    return { label, where: at, settings };
  });
}

function taskLabel({ task }: Settings): string | undefined {
  return isGroup(task) && typeof task["name"] === "string" ? task["name"] : undefined;
}

function strategyLabel({ strategy, baseline }: Settings): string | undefined {
  if (typeof baseline === "string") return `${BASELINE_PREFIX}${baseline}`;
  return isGroup(strategy) && typeof strategy["name"] === "string" ? strategy["name"] : undefined;
}

function strategySettings(name: string): Settings {
  return (strategyNames as readonly string[]).includes(name)
    ? { strategy: { name } }
    : { baseline: name.slice(BASELINE_PREFIX.length) };
}

/** A label as a part of a folder's name. */
export function folderName(label: string): string {
  return label.replaceAll(/[^\p{L}\p{N}_+-]+/gu, "-");
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
