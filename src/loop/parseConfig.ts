/**
 * @file From unknown JSON (a file, the page, a link) to an `ExperimentConfig`:
 * missing fields get their task's defaults, everything else is checked and named when
 * wrong. Unknown keys are errors: a misspelt setting must not silently do nothing.
 */
import * as v from "valibot";
import { BadInputError, badInput } from "../core/errors.ts";
import { checkOptions, createStrategy } from "../selection/registry.ts";
import { answerTokens } from "../tasks/registry.ts";
import { chatProviderOf } from "../teacher/registry.ts";
import { BASELINES, experimentOfBaseline, layOver } from "./baselines.ts";
import type { BaselineSettings } from "./baselines.ts";
import type { BaselineName, ExperimentConfig } from "./config.ts";
import { DEFAULT_LORA, DEFAULT_REFILLS } from "./defaults.ts";
import { experimentSchema } from "./experimentSchema.ts";
import { firstDifference } from "./firstDifference.ts";
import { stopsEarly } from "./stopping.ts";
import { withTaskDefaults } from "./taskDefaults.ts";

/** Problems told at once; more would hide the first. */
const MAX_PROBLEMS = 5;

/** For a reply of a model that runs here. */
const LOCAL_TIMEOUT_SECONDS = 600;

/**
 * The experiment that `value` describes, complete. With a `baseline`, what makes that baseline may be left
 * out, and must not be contradicted.
 * @throws BadInputError naming every wrong field (five at most) with what was expected and got.
 */
export function parseExperimentConfig(value: unknown, where = "experiment"): ExperimentConfig {
  refuseLists(where, value);
  const parsed = v.safeParse(experimentSchema, withTaskDefaults(value));
  if (!parsed.success) {
    const problems = [...new Set(parsed.issues.map((issue) => problemOf(where, issue)))];
    const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : "";
    throw new BadInputError(problems.slice(0, MAX_PROBLEMS).join("; ") + more, {
      details: { fields: parsed.issues.map((issue) => v.getDotPath(issue) ?? "") },
    });
  }
  const { generation, refills = parsed.output.maxRougeL < 1 ? DEFAULT_REFILLS : 0, ...rest } = parsed.output;
  const maxNewTokens = generation.maxNewTokens ?? answerTokens(rest.task.name);
  const complete = withPatience({ ...rest, refills, generation: { ...generation, maxNewTokens } }, value);
  const config = complete.baseline === undefined ? complete : asBaseline(complete.baseline, complete, value, where);
  checkStrategy(config, where);
  checkTask(config, where);
  checkAdapter(config, where);
  checkTeacher(config, where);
  checkBudget(config, where);
  return withChatCeilings(config);
}

/**
 * The baseline `name` beside the experiment that `beside` describes: on the same task, seeds, student and teacher, with
 * as many pairs (`experimentOfBaseline`). `own`: settings of the baseline's own over that, in part, which must not contradict it.
 * @throws BadInputError as `parseExperimentConfig`.
 */
export function parseBaseline(name: BaselineName, beside: unknown, own: object, where: string): ExperimentConfig {
  const complete = parseExperimentConfig(beside, where);
  refuseContradictions(name, complete, own, where);
  return parseExperimentConfig(over(experimentOfBaseline(name, complete), own), where);
}

/** The experiment as the baseline has it; sizes and thresholds that `given` says stay. */
function asBaseline(name: BaselineName, complete: ExperimentConfig, given: unknown, where: string): ExperimentConfig {
  refuseContradictions(name, complete, given, where);
  const { fixed, suggested } = BASELINES[name];
  const missing = without(suggested?.(complete) ?? {}, given);
  return layOver(layOver(complete, fixed(complete)), missing);
}

function refuseContradictions(name: BaselineName, complete: ExperimentConfig, given: unknown, where: string): void {
  const found = contradiction(BASELINES[name].fixed(complete), given, where);
  if (found !== undefined)
    badInput(
      found.path,
      `${found.expected}, as the baseline ${name} has it`,
      found.got,
      "Leave it out, or do without the baseline",
    );
}

/** `own` laid over `base`, group by group. */
function over(base: object, own: object): object {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own) as [string, unknown][]) {
    const before = merged[key];
    merged[key] = isGroup(before) && isGroup(value) ? over(before, value) : value;
  }
  return merged;
}

/** Where `given` says something else than `fixed`. A strategy is prescribed whole, of other groups only what is named. */
function contradiction(
  fixed: object,
  given: unknown,
  where: string,
  whole = false,
): { readonly path: string; readonly expected: string; readonly got: string } | undefined {
  if (!isGroup(given)) return undefined;
  for (const [key, got] of Object.entries(given)) {
    const expected = (fixed as Readonly<Record<string, unknown>>)[key];
    const path = `${where}.${key}`;
    if (expected === undefined) {
      if (whole) return { path, expected: "no such setting", got: JSON.stringify(got) };
    } else if (isGroup(expected)) {
      const found = contradiction(expected, got, path, whole || key === "strategy");
      if (found !== undefined) return found;
    } else if (firstDifference(expected, got) !== undefined) {
      return { path, expected: JSON.stringify(expected), got: JSON.stringify(got) };
    }
  }
  return undefined;
}

/** `settings` without what `given` says itself. */
function without(settings: BaselineSettings, given: unknown): BaselineSettings {
  const rest = (value: object, said: unknown): object =>
    Object.fromEntries(
      Object.entries(value).flatMap(([key, entry]: [string, unknown]) => {
        const own = isGroup(said) ? said[key] : undefined;
        if (own === undefined) return [[key, entry]];
        return isGroup(entry) ? [[key, rest(entry, own)]] : [];
      }),
    );
  return rest(settings, given);
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The strategy has the options it needs, and what is asked of candidates can be. */
function checkStrategy(config: ExperimentConfig, where: string): void {
  const { query, rounds, querySize, task, teacher, balance, warmUp } = config;
  const { name, picker, ...options } = config.strategy;
  checkOptions(name, options, `${where}.strategy`);
  if (rounds > 0 && querySize > task.pool)
    badInput(
      `${where}.querySize`,
      `at most task.pool = ${task.pool}`,
      String(querySize),
      "Picks of a round are distinct: enlarge the pool or lower the query size",
    );
  const tellsKinds = createStrategy(name, picker, options).picker.kind === "balanced";
  if (balance && !tellsKinds)
    badInput(`${where}.balance`, `false with the strategy ${name}, which tells no hard picks from easy ones`, "true");
  if (teacher.easyOperations !== undefined && !tellsKinds)
    badInput(
      `${where}.teacher.easyOperations`,
      `none with the strategy ${name}, which tells no hard picks from easy ones`,
      JSON.stringify(teacher.easyOperations),
    );
  if (query.scores === "frozen" && query.candidates === "all")
    badInput(
      `${where}.query.candidates`,
      '"seeds" with frozen scores: the base student scores the seeds alone',
      '"all"',
    );
  if (query.scores === "frozen" && warmUp === "seeds")
    badInput(`${where}.warmUp`, '"none" with frozen scores, which are those of the base student', '"seeds"');
}

function checkTask({ task }: ExperimentConfig, where: string): void {
  const { evaluateOn, name, data } = task;
  if ((name === "custom") !== (data !== undefined))
    badInput(
      `${where}.task.data`,
      'data files for the task "custom", and for no other',
      `${data === undefined ? "none" : "some"} for the task "${name}"`,
    );
  if (task[evaluateOn] === 0)
    badInput(`${where}.task.${evaluateOn}`, "at least 1, because task.evaluateOn names it", "0");
}

/** An adapter that is gone on with brings its own settings. */
function checkAdapter({ adapter, training: { method } }: ExperimentConfig, where: string): void {
  if (adapter === undefined || method.method !== "lora") return;
  for (const name of ["r", "loraAlpha", "targetModules"] as const)
    if (firstDifference(DEFAULT_LORA[name], method[name]) !== undefined)
      badInput(
        `${where}.training.method.${name}`,
        "none beside an adapter",
        JSON.stringify(method[name]),
        "An adapter that is trained further keeps its own rank, alpha and targets",
      );
}

function checkTeacher(config: ExperimentConfig, where: string): void {
  const { name, chat, calls, price } = config.teacher;
  if ((chatProviderOf(name) === undefined) !== (chat === undefined))
    badInput(
      `${where}.teacher.chat`,
      chat === undefined ? `settings of the chat teacher "${name}", with a model` : `none with the teacher "${name}"`,
      chat === undefined ? "none" : "settings",
    );
  const local = chat?.dtype !== undefined ? "dtype" : chat?.device !== undefined ? "device" : undefined;
  if (local !== undefined && name !== "transformers")
    badInput(`${where}.teacher.chat.${local}`, 'none but with the teacher "transformers"', `one with "${name}"`);
  if (chat !== undefined && calls !== undefined)
    badInput(`${where}.teacher.calls`, "none with a chat teacher, which has teacher.chat.calls", JSON.stringify(calls));
  if (chat !== undefined && price !== undefined)
    badInput(`${where}.teacher.price`, "none with a chat teacher, which has teacher.chat.price", "a price");
  if (name === "none" && config.pairs === "teacher" && config.rounds > (config.warmUp === "seeds" ? 1 : 0))
    badInput(
      `${where}.rounds`,
      'rounds 0 with the teacher "none", who writes nothing',
      String(config.rounds),
      "Choose another teacher, or set rounds to 0 to only evaluate",
    );
}

/** Ceilings can be counted, and stopping has questions of its own. */
function checkBudget({ budget, stop, task, teacher }: ExperimentConfig, where: string): void {
  if (budget.costUsd !== undefined && (teacher.price ?? teacher.chat?.price) === undefined)
    badInput(
      `${where}.budget.costUsd`,
      `a price to count with (${teacher.chat === undefined ? "teacher.price" : "teacher.chat.price"})`,
      "none",
    );
  if (stopsEarly(stop) && task.validation === 0)
    badInput(`${where}.task.validation`, "at least 1, because stop.target and stop.plateau look at it", "0");
}

/** A model that runs here is slower than a service: it has longer for a reply, unless `given` says how long. */
function withPatience(config: ExperimentConfig, given: unknown): ExperimentConfig {
  const { teacher } = config;
  const part = (value: unknown, key: string): unknown => (isGroup(value) ? value[key] : undefined);
  const said = part(part(part(given, "teacher"), "chat"), "timeoutSeconds") !== undefined;
  if (teacher.name !== "transformers" || teacher.chat === undefined || said) return config;
  return { ...config, teacher: { ...teacher, chat: { ...teacher.chat, timeoutSeconds: LOCAL_TIMEOUT_SECONDS } } };
}

/** A chat teacher's own ceilings hold the budget: they count what is in flight too. */
function withChatCeilings(config: ExperimentConfig): ExperimentConfig {
  const { budget, teacher } = config;
  const { chat } = teacher;
  if (chat === undefined) return config;
  const maxTokens = lower(chat.limits.maxTokens, budget.teacherTokens);
  const maxCostUsd = lower(chat.limits.maxCostUsd, budget.costUsd);
  const limits = {
    ...chat.limits,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
  };
  return { ...config, teacher: { ...teacher, chat: { ...chat, limits } } };
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** valibot takes an empty list for an object without keys. */
function refuseLists(where: string, value: unknown): void {
  if (Array.isArray(value)) badInput(where, "an object", "a list");
  if (typeof value !== "object" || value === null) return;
  for (const [key, entry] of Object.entries(value))
    if (Array.isArray(entry)) badInput(`${where}.${key}`, "an object or a single value", "a list");
}

function problemOf(where: string, issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  const got = issue.received === "undefined" ? "nothing" : issue.received;
  return `${path === null ? where : `${where}.${path}`}: expected ${issue.message}, got ${got}`;
}
