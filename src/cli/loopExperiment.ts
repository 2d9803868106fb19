/** @file The experiment that command-line options make of an experiment file. */
import { resolve } from "node:path";
import { badInput } from "../core/errors.ts";
import { baselineNames } from "../loop/baselines.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_LORA } from "../loop/defaults.ts";
import { parseBaseline, parseExperimentConfig } from "../loop/parseConfig.ts";
import { PICKER_KINDS } from "../selection/strategies.ts";
import { RARE_KINDS, type RareKind } from "../tasks/rareKinds.ts";
import { FROZEN_WEIGHTS } from "../student/types.ts";
import { chatProviderOf } from "../teacher/registry.ts";
import type { Options } from "./options.ts";
import { parseColumns } from "./taskData.ts";

const D = DEFAULT_EXPERIMENT;

type Json = Readonly<Record<string, unknown>>;

/** Settings of the sizes of an experiment: a baseline is fitted to them instead of contradicting them. */
const SIZES: ReadonlySet<string> = new Set(["rounds", "querySize", "perSeed"]);

/**
 * Command-line options over the experiment file over the defaults; only what was given is set.
 * @throws BadInputError naming the option or the field.
 */
export function experimentOf(file: unknown, where: string, options: Options, chat: Json): ExperimentConfig {
  if (!isGroup(file)) return parseExperimentConfig(file, where);
  const own = over(settingsOf(options, file, chat), assignments(options));
  const merged = over(file, own);
  if (!options.given("baseline")) return parseExperimentConfig(merged, where);
  const { baseline: _, ...beside } = merged;
  const unsized = Object.fromEntries(Object.entries(own).filter(([key]) => !SIZES.has(key)));
  return parseBaseline(options.choice("baseline", baselineNames), beside, unsized, where);
}

/** `own` over `base`, groups one level deep: pickers and methods are whole. */
function over(base: Json, own: Json): Json {
  return Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(own)])].map((key) => {
      const [before, after] = [base[key], own[key]];
      return [key, isGroup(before) && isGroup(after) ? { ...before, ...after } : (after ?? before)];
    }),
  );
}

/** The settings of `--set`: values are JSON, or texts as they stand. */
function assignments(options: Options): Json {
  const set: Record<string, Record<string, unknown>> = {};
  const single: Record<string, unknown> = {};
  for (const assignment of (options.text("set") ?? "").split(",").filter((text) => text.trim() !== "")) {
    const [, group, key, text] = /^\s*(\w+)(?:\.(\w+))?\s*=(.*)$/.exec(assignment) ?? [];
    if (group === undefined || text === undefined)
      badInput("--set", "settings such as strategy.reduction=sum, with commas between", JSON.stringify(assignment));
    if (key === undefined) single[group] = valueOf(text.trim());
    else set[group] = { ...set[group], [key]: valueOf(text.trim()) };
  }
  return { ...single, ...set };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
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
    adapter: text("adapter"),
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
    refills: whole("refills"),
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
      method: methodOf(options, file),
      epochs: real("epochs"),
      learningRate: real("lr"),
      batchSize: whole("batch-size"),
      precision: text("precision"),
    }),
    generation: compact({ maxNewTokens: whole("max-new-tokens"), batchSize: whole("generation-batch-size") }),
  });
}

/** Of the task that the options name, or the file; undefined where its questions are as it mixes them. @throws BadInputError for a task without such a kind. */
function rareKindOf(options: Options, file: Json): RareKind | undefined {
  if (!options.given("mixture") || options.choice("mixture", ["task", "rare"]) === "task") return undefined;
  const task = options.given("task") ? options.requiredText("task") : (groupOf(file, "task")["name"] ?? D.task.name);
  const known = Object.keys(RARE_KINDS);
  return typeof task === "string" && Object.hasOwn(RARE_KINDS, task)
    ? RARE_KINDS[task]
    : badInput(
        "--mixture",
        `task, or rare with --task ${known.join(", ")}`,
        `rare with --task ${typeof task === "string" ? task : "?"}`,
      );
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
  const rare = rareKindOf(options, file);
  return compact({
    name: text("task") ?? (options.given("task-data") ? "custom" : undefined),
    mixture: rare?.mixture,
    poolMixture: rare?.poolMixture,
    data: Object.keys(data).length === 0 ? undefined : { ...groupOf(groupOf(file, "task"), "data"), ...data },
    pool: whole("pool"),
    test: whole("test"),
    validation: whole("validation"),
    evaluateOn: text("evaluate-on"),
    excessLength: text("excess-length"),
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
  const listOf = (option: string): readonly string[] | undefined =>
    options.given(option)
      ? options
          .requiredText(option)
          .split(",")
          .map((entry) => entry.trim())
      : undefined;
  const ofChat = builtIn ? rest : chat;
  // Another operation could lead away from the seed's kind.
  const staying = who !== "none" && before["operations"] === undefined && rareKindOf(options, file) !== undefined;
  return compact({
    name,
    errorRate: options.given("error-rate") ? options.number("error-rate") : undefined,
    operations: listOf("operations") ?? (staying ? ["vary"] : undefined),
    easyOperations: listOf("easy-operations"),
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

/** The method that the options name, or the file's, with its frozen weights held as they say. */
function methodOf(options: Options, file: Json): Json | undefined {
  const named: Json | undefined = !options.given("method")
    ? undefined
    : options.choice("method", ["full", "lora"]) === "full"
      ? { method: "full" }
      : { method: "lora", ...DEFAULT_LORA };
  if (!options.given("weights")) return named;
  const method = named ?? groupOf(groupOf(file, "training"), "method");
  if (method["method"] !== "lora")
    badInput("--weights", "--method lora beside it", "full training", "Weights that train are float32");
  return { ...method, frozenWeights: options.choice("weights", FROZEN_WEIGHTS) };
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
