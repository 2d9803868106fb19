/** @file The settings of a loop as command-line options: what they are called, and the experiment they make of a file's. */
import { resolve } from "node:path";
import { badInput } from "../core/errors.ts";
import { BASELINES, baselineNames } from "../loop/baselines.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_LORA } from "../loop/defaults.ts";
import { parseBaseline, parseExperimentConfig } from "../loop/parseConfig.ts";
import { PICKER_KINDS, strategyNames } from "../selection/strategies.ts";
import { CHECKER_NAMES } from "../tasks/custom/settings.ts";
import { taskNames } from "../tasks/registry.ts";
import { chatProviderOf } from "../teacher/registry.ts";
import type { Options, OptionSpecs } from "./options.ts";
import { STUDENT_HELP } from "./studentSource.ts";
import { parseColumns } from "./taskData.ts";
import { TEACHER_NAME_OPTION, TEACHER_OPTIONS } from "./teacherOptions.ts";

const D = DEFAULT_EXPERIMENT;
/** Options that are settings of the run; of the command alone are `--out`, `--resume` and `--replay-teacher`. */
export const LOOP_OPTIONS: OptionSpecs = {
  student: { value: "DIR|ID", description: STUDENT_HELP, default: D.student },
  task: { value: taskNames.join("|"), description: "task", default: D.task.name },
  "task-data": { value: "FILE", description: "questions of your own (JSONL, JSON or CSV), for --task custom" },
  "task-validation": {
    value: "FILE",
    description: "validation questions of your own (default: a part of --task-data)",
  },
  "task-test": { value: "FILE", description: "test questions of your own (default: a part of --task-data)" },
  columns: { value: "MAP", description: "columns, as question=A+B,answer=C,options=D (default: found by their names)" },
  checker: { value: CHECKER_NAMES.join("|"), description: "how final answers are compared (default: found)" },
  pattern: { value: "REGEX", description: "of --checker regex: the last match, or its first group, is the answer" },
  pool: { value: "N", description: "seed questions", default: String(D.task.pool) },
  test: { value: "N", description: "held-out test questions", default: String(D.task.test) },
  validation: { value: "N", description: "held-out validation questions", default: String(D.task.validation) },
  "evaluate-on": { value: "test|validation", description: "split that the curve shows", default: D.task.evaluateOn },
  baseline: {
    value: baselineNames.join("|"),
    description: "a complete baseline beside the experiment that the other settings describe (below)",
  },
  strategy: { value: strategyNames.join("|"), description: "query strategy", default: D.strategy.name },
  picker: { value: PICKER_KINDS.join("|"), description: "how scores become picks", default: D.strategy.picker.kind },
  temperature: { value: "X", description: "temperature of --picker softmax", default: "1" },
  threshold: { value: "X", description: "of --picker above: every seed with a higher score is picked", default: "0" },
  holdout: { value: "DIR", description: "student trained on held-out pairs, for --strategy rho-loss" },
  exponent: { value: "X", description: "exponent of --picker proportional and rank", default: "1" },
  scores: {
    value: "fresh|frozen",
    description: "scores of the student as it is each round, or of the base student in every round",
    default: D.query.scores,
  },
  candidates: {
    value: "seeds|all",
    description: "what is picked from: the seeds, or the accepted pairs of earlier rounds too",
    default: D.query.candidates,
  },
  repeats: {
    value: "allowed|avoided",
    description: "avoided: nothing is picked again before everything was",
    default: D.query.repeats,
  },
  "own-temperature": {
    value: "X",
    description: "of the student's own answers to the seeds; 0 is greedy",
    default: String(D.query.temperature),
  },
  "own-top-p": { value: "X", description: "nucleus sampling mass of own answers", default: String(D.query.topP) },
  pairs: {
    value: "teacher|seeds",
    description: "who gives new pairs: the teacher, or the picked seeds themselves (real pairs)",
    default: D.pairs,
  },
  teacher: { ...TEACHER_NAME_OPTION, default: D.teacher.name },
  ...TEACHER_OPTIONS,
  "error-rate": {
    value: "X",
    description: "share of the built-in teacher's pairs that are wrong",
    default: String(D.teacher.errorRate),
  },
  verification: {
    value: "off|answer|steps",
    description: "check the teacher's pairs before training: their final answers, or every step too",
    default: D.verification,
  },
  "max-rouge-l": {
    value: "X",
    description: "reject new questions whose ROUGE-L with a known one is over this; 1 rejects none",
    default: String(D.maxRougeL),
  },
  rounds: { value: "N", description: "rounds after round 0, the untouched student", default: String(D.rounds) },
  "query-size": { value: "M", description: "seeds picked per round", default: String(D.querySize) },
  "per-seed": { value: "N", description: "new questions per picked seed", default: String(D.perSeed) },
  balance: { description: "of --strategy lion: hard and easy picks get equally many questions" },
  "warm-up": {
    value: "none|seeds",
    description: "seeds: round 1 asks nothing and finetunes on all seed pairs",
    default: D.warmUp,
  },
  "after-round": {
    value: "restart|continue",
    description: "train from the base weights, or go on from where the student stands",
    default: D.restart ? "restart" : "continue",
  },
  "train-on": {
    value: "all|last",
    description: "pairs that a round trains on: all so far, or its own",
    default: D.accumulate ? "all" : "last",
  },
  replay: {
    value: "X|all",
    description: "seed pairs mixed in per synthetic pair, or all once",
    default: String(D.replay),
  },
  "budget-examples": { value: "N", description: "ceiling of accepted pairs (default: none)" },
  "budget-tokens": { value: "N", description: "ceiling of teacher tokens, judgements included (default: none)" },
  "budget-cost": { value: "USD", description: "ceiling of money; needs --teacher-price (default: none)" },
  "stop-target": { value: "X", description: "end once the validation accuracy is at least this, 0 to 1 (default: no)" },
  "stop-plateau": {
    value: "N",
    description: "end after N rounds without a gain on validation questions (default: no)",
  },
  "stop-min-gain": { value: "X", description: "what counts as a gain, over this", default: String(D.stop.minGain) },
  "score-synthetic": { description: "also score accepted questions by the strategy's criterion, for the records" },
  method: { value: "full|lora", description: "what is trained", default: D.training.method.method },
  epochs: { value: "N", description: "passes over the pairs per round", default: String(D.training.epochs) },
  lr: { value: "X", description: "learning rate", default: String(D.training.learningRate) },
  "batch-size": { value: "N", description: "rows per optimizer step", default: String(D.training.batchSize) },
  precision: {
    value: "float32|float16|auto",
    description: "what matrix products of training compute in; see tutelage train --help",
    default: D.training.precision,
  },
  "max-new-tokens": { value: "N", description: "longest answer of the student (default: what the task needs)" },
};

/** The baselines, a line each; for `--help`. */
export const BASELINE_HELP = `Baselines:\n${baselineNames.map((name) => `  ${name.padEnd(10)}${BASELINES[name].description}`).join("\n")}`;

type Json = Readonly<Record<string, unknown>>;

/** Settings of the sizes of an experiment: a baseline is fitted to them instead of contradicting them. */
const SIZES: ReadonlySet<string> = new Set(["rounds", "querySize", "perSeed"]);

/**
 * Command-line options over the experiment file over the defaults; only what was given is set.
 * @throws BadInputError naming the option or the field.
 */
export function experimentOf(file: unknown, where: string, options: Options, chat: Json): ExperimentConfig {
  if (!isGroup(file)) return parseExperimentConfig(file, where);
  const own = settingsOf(options, file, chat);
  const merged = Object.fromEntries(
    [...new Set([...Object.keys(file), ...Object.keys(own)])].map((key) => {
      const [before, after] = [file[key], own[key]];
      return [key, isGroup(before) && isGroup(after) ? { ...before, ...after } : (after ?? before)];
    }),
  );
  if (!options.given("baseline")) return parseExperimentConfig(merged, where);
  const { baseline: _, ...beside } = merged;
  const unsized = Object.fromEntries(Object.entries(own).filter(([key]) => !SIZES.has(key)));
  return parseBaseline(options.choice("baseline", baselineNames), beside, unsized, where);
}

/** What the options say of an experiment; groups hold what was given alone. */
function settingsOf(options: Options, file: Json, chat: Json): Json {
  const text = given(options, (name) => options.requiredText(name));
  const whole = given(options, (name) => options.integer(name));
  const real = given(options, (name) => options.number(name));
  const either = (name: string, yes: string, no: string): boolean | undefined =>
    options.given(name) ? options.choice(name, [yes, no]) === yes : undefined;
  return compact({
    seed: whole("seed"),
    student: text("student"),
    task: taskOf(options, file),
    strategy: compact({ name: text("strategy"), picker: pickerOf(options, file), holdout: text("holdout") }),
    query: compact({
      scores: text("scores"),
      candidates: text("candidates"),
      repeats: text("repeats"),
      temperature: real("own-temperature"),
      topP: real("own-top-p"),
    }),
    pairs: text("pairs"),
    teacher: teacherOf(options, file, chat),
    verification: text("verification"),
    maxRougeL: real("max-rouge-l"),
    rounds: whole("rounds"),
    querySize: whole("query-size"),
    perSeed: whole("per-seed"),
    balance: options.flag("balance") ? true : undefined,
    warmUp: text("warm-up"),
    restart: either("after-round", "restart", "continue"),
    accumulate: either("train-on", "all", "last"),
    replay: options.text("replay") === "all" ? "all" : real("replay"),
    budget: compact({
      examples: whole("budget-examples"),
      teacherTokens: whole("budget-tokens"),
      costUsd: real("budget-cost"),
    }),
    stop: compact({ target: real("stop-target"), plateau: whole("stop-plateau"), minGain: real("stop-min-gain") }),
    scoreSynthetic: options.flag("score-synthetic") ? true : undefined,
    training: compact({
      method: methodOf(options),
      epochs: real("epochs"),
      learningRate: real("lr"),
      batchSize: whole("batch-size"),
      precision: text("precision"),
    }),
    generation: compact({ maxNewTokens: whole("max-new-tokens") }),
  });
}

function taskOf(options: Options, file: Json): Json {
  const text = given(options, (name) => options.requiredText(name));
  const whole = given(options, (name) => options.integer(name));
  const path = given(options, (name) => resolve(options.requiredText(name)));
  const columns = text("columns");
  const data = compact({
    pool: path("task-data"),
    validation: path("task-validation"),
    test: path("task-test"),
    columns: columns === undefined ? undefined : parseColumns(columns),
    checker: text("checker"),
    pattern: text("pattern"),
  });
  return compact({
    name: text("task") ?? (options.given("task-data") ? "custom" : undefined),
    data: Object.keys(data).length === 0 ? undefined : { ...groupOf(groupOf(file, "task"), "data"), ...data },
    pool: whole("pool"),
    test: whole("test"),
    validation: whole("validation"),
    evaluateOn: text("evaluate-on"),
  });
}

/** The picker that the options name, or the file's with their settings. */
function pickerOf(options: Options, file: Json): Json | undefined {
  const settings = { temperature: "softmax", exponent: "proportional, rank", threshold: "above" } as const;
  const named = Object.keys(settings).filter((name) => options.given(name)) as (keyof typeof settings)[];
  if (!options.given("picker") && named.length === 0) return undefined;
  const before = groupOf(groupOf(file, "strategy"), "picker");
  const kind = options.given("picker") ? options.choice("picker", PICKER_KINDS) : kindOf(before);
  const wrong = named.find((name) => !settings[name].split(", ").includes(kind));
  if (wrong !== undefined)
    badInput(`--${wrong}`, `the picker ${settings[wrong].replace(", ", " or ")}`, `the picker ${kind}`);
  const own = Object.fromEntries(
    named.map((name) => [name, options.number(name, name === "threshold" ? {} : { min: 0 })]),
  );
  return { ...(before["kind"] === kind ? before : {}), kind, ...own };
}

/** The kind of a file's picker, or the default's. */
function kindOf({ kind }: Json): string {
  return typeof kind === "string" ? kind : D.strategy.picker.kind;
}

/** Of a chat teacher, calls and price are settings of the chat. */
function teacherOf(options: Options, file: Json, chat: Json): Json {
  const before = groupOf(file, "teacher");
  const name = options.given("teacher") ? options.requiredText("teacher") : undefined;
  const who = name ?? before["name"];
  const builtIn = chatProviderOf(typeof who === "string" ? who : D.teacher.name) === undefined;
  const { calls, price, ...rest } = chat;
  const ofChat = builtIn ? rest : chat;
  return compact({
    name,
    errorRate: options.given("error-rate") ? options.number("error-rate") : undefined,
    ...(builtIn ? { calls, price } : {}),
    chat: Object.keys(ofChat).length === 0 ? undefined : overChat(before["chat"], ofChat),
  });
}

/** The options' settings over a file's; limits one by one. */
function overChat(file: unknown, chat: Json): Json {
  const base = isGroup(file) ? file : {};
  const limits = { ...groupOf(base, "limits"), ...groupOf(chat, "limits") };
  return { ...base, ...chat, ...(Object.keys(limits).length === 0 ? {} : { limits }) };
}

function methodOf(options: Options): Json | undefined {
  if (!options.given("method")) return undefined;
  return options.choice("method", ["full", "lora"]) === "full"
    ? { method: "full" }
    : { method: "lora", ...DEFAULT_LORA };
}

/** Reads an option that was given, and nothing else. */
function given<T>(options: Options, read: (name: string) => T): (name: string) => T | undefined {
  return (name) => (options.given(name) ? read(name) : undefined);
}

/** Without what is undefined, or a group of nothing. */
function compact(values: Json): Json {
  return Object.fromEntries(
    Object.entries(values).filter(
      ([, value]) => value !== undefined && !(isGroup(value) && Object.keys(value).length === 0),
    ),
  );
}

function groupOf(value: Json, key: string): Json {
  const group = value[key];
  return isGroup(group) ? group : {};
}

function isGroup(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
