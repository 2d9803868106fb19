/**
 * @file From unknown JSON (a file, the page, a link) to an `ExperimentConfig`:
 * missing fields get their defaults, everything else is checked and named when
 * wrong. Unknown keys are errors: a misspelt setting must not silently do nothing.
 */
import * as v from "valibot";
import { BadInputError, badInput } from "../core/errors.ts";
import { checkOptions } from "../selection/registry.ts";
import { PICKER_KINDS, REWARD_NAMES, scoreStrategyNames, strategyNames } from "../selection/strategies.ts";
import { answerTokens, taskNames } from "../tasks/registry.ts";
import { chatProviderOf, teacherNames } from "../teacher/registry.ts";
import { OPERATIONS } from "../teacher/types.ts";
import { chatSettings } from "./chatSchema.ts";
import type { ExperimentConfig } from "./config.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_LORA } from "./defaults.ts";
import { choice, flag, group, MAX_SEED, real, text, whole } from "./schemaParts.ts";
import { taskData } from "./taskSchema.ts";

/** Problems told at once; more would hide the first. */
const MAX_PROBLEMS = 5;

const D = DEFAULT_EXPERIMENT;

const TARGETS = '"all-linear" or a list of at least one module name';

const picker = v.variant(
  "kind",
  [
    group({ kind: v.literal("argmax") }),
    group({ kind: v.literal("softmax"), temperature: v.optional(real(0, 1000), 1) }),
    group({ kind: v.literal("proportional"), exponent: v.optional(real(0, 1000), 1) }),
    group({ kind: v.literal("rank"), exponent: v.optional(real(0, 1000), 1) }),
    group({ kind: v.literal("uniform") }),
  ],
  `a picker with kind ${PICKER_KINDS.map((kind) => `"${kind}"`).join(", ")}`,
);

const method = v.variant(
  "method",
  [
    group({ method: v.literal("full") }),
    group({
      method: v.literal("lora"),
      r: v.optional(whole(1, 4096), DEFAULT_LORA.r),
      loraAlpha: v.optional(real(0, 1e6, { above: true }), DEFAULT_LORA.loraAlpha),
      targetModules: v.optional(
        v.union([v.literal("all-linear"), v.pipe(v.array(text), v.minLength(1, TARGETS))], TARGETS),
        DEFAULT_LORA.targetModules,
      ),
    }),
  ],
  'a method with method "full" or "lora"',
);

const schema = group({
  schemaVersion: v.optional(v.literal(1, "1, the version this build reads"), 1),
  name: v.optional(text, D.name),
  seed: v.optional(whole(0, MAX_SEED), D.seed),
  student: v.optional(text, D.student),
  task: v.optional(
    group({
      name: v.optional(choice(taskNames), D.task.name),
      pool: v.optional(whole(1, 1_000_000), D.task.pool),
      validation: v.optional(whole(0, 1_000_000), D.task.validation),
      test: v.optional(whole(0, 1_000_000), D.task.test),
      evaluateOn: v.optional(choice(["validation", "test"]), D.task.evaluateOn),
      data: v.exactOptional(taskData),
    }),
    {},
  ),
  strategy: v.optional(
    group({
      name: v.optional(choice(strategyNames), D.strategy.name),
      picker: v.optional(picker, D.strategy.picker),
      answer: v.exactOptional(choice(["own", "true"])),
      reduction: v.exactOptional(choice(["mean", "sum"])),
      score: v.exactOptional(choice(scoreStrategyNames)),
      embedding: v.exactOptional(choice(["hidden", "badge"])),
      method: v.exactOptional(choice(["k-center", "k-means++"])),
      exponent: v.exactOptional(real(0, 1000)),
      candidates: v.exactOptional(real(1, 1e6)),
      holdout: v.exactOptional(text),
      scorer: v.exactOptional(choice(REWARD_NAMES)),
      share: v.exactOptional(real(0, 1)),
      limit: v.exactOptional(real(0, 1e6, { above: true })),
    }),
    {},
  ),
  teacher: v.optional(
    group({
      name: v.optional(choice(teacherNames), D.teacher.name),
      errorRate: v.optional(real(0, 1), D.teacher.errorRate),
      operations: v.optional(
        v.pipe(
          v.array(choice(OPERATIONS), "a list of operations"),
          v.minLength(1, "at least one operation"),
          v.check((names) => new Set(names).size === names.length, "each operation once"),
        ),
        [...D.teacher.operations],
      ),
      chat: v.exactOptional(chatSettings),
    }),
    {},
  ),
  verification: v.optional(choice(["off", "answer"]), D.verification),
  rounds: v.optional(whole(0, 1000), D.rounds),
  querySize: v.optional(whole(1, 1_000_000), D.querySize),
  perSeed: v.optional(whole(1, 1000), D.perSeed),
  restart: v.optional(flag, D.restart),
  accumulate: v.optional(flag, D.accumulate),
  replay: v.optional(real(0, 100), D.replay),
  training: v.optional(
    group({
      method: v.optional(method, D.training.method as v.InferInput<typeof method>),
      epochs: v.optional(real(0, 10_000, { above: true }), D.training.epochs),
      batchSize: v.optional(whole(1, 4096), D.training.batchSize),
      gradAccum: v.optional(whole(1, 4096), D.training.gradAccum),
      learningRate: v.optional(real(0, 10, { above: true }), D.training.learningRate),
      scheduler: v.optional(choice(["constant", "constant_with_warmup", "linear", "cosine"]), D.training.scheduler),
      groupByLength: v.optional(v.boolean(), D.training.groupByLength),
      warmupSteps: v.optional(whole(0, 1_000_000), D.training.warmupSteps),
      weightDecay: v.optional(real(0, 100), D.training.weightDecay),
      maxGradNorm: v.optional(real(0, 1e6), D.training.maxGradNorm),
    }),
    {},
  ),
  generation: v.optional(
    group({
      // Its default depends on the task.
      maxNewTokens: v.optional(whole(1, 100_000)),
      batchSize: v.optional(whole(1, 4096), D.generation.batchSize),
    }),
    {},
  ),
});

/**
 * The experiment that `value` describes, complete.
 * @throws BadInputError naming every wrong field (five at most) with what was expected and got.
 */
export function parseExperimentConfig(value: unknown, where = "experiment"): ExperimentConfig {
  refuseLists(where, value);
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) {
    const problems = [...new Set(parsed.issues.map((issue) => problemOf(where, issue)))];
    const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : "";
    throw new BadInputError(problems.slice(0, MAX_PROBLEMS).join("; ") + more, {
      details: { fields: parsed.issues.map((issue) => v.getDotPath(issue) ?? "") },
    });
  }
  const { generation, ...rest } = parsed.output;
  const maxNewTokens = generation.maxNewTokens ?? answerTokens(rest.task.name);
  const config: ExperimentConfig = { ...rest, generation: { ...generation, maxNewTokens } };
  const { name, picker: _, ...options } = config.strategy;
  checkOptions(name, options, `${where}.strategy`);
  if (config.rounds > 0 && config.querySize > config.task.pool) {
    badInput(
      `${where}.querySize`,
      `at most task.pool = ${config.task.pool}`,
      String(config.querySize),
      "Picks of a round are distinct: enlarge the pool or lower the query size",
    );
  }
  const { name: teacher, chat } = config.teacher;
  if ((chatProviderOf(teacher) === undefined) !== (chat === undefined))
    badInput(
      `${where}.teacher.chat`,
      chat === undefined
        ? `settings of the chat teacher "${teacher}", with a model`
        : `none with the teacher "${teacher}"`,
      chat === undefined ? "none" : "settings",
    );
  const { evaluateOn, name: taskName, data } = config.task;
  if ((taskName === "custom") !== (data !== undefined))
    badInput(
      `${where}.task.data`,
      'data files for the task "custom", and for no other',
      `${data === undefined ? "none" : "some"} for the task "${taskName}"`,
    );
  if (config.teacher.name === "none" && config.rounds > 0)
    badInput(
      `${where}.rounds`,
      'rounds 0 with the teacher "none", who writes nothing',
      String(config.rounds),
      "Choose another teacher, or set rounds to 0 to only evaluate",
    );
  if (config.task[evaluateOn] === 0)
    badInput(`${where}.task.${evaluateOn}`, "at least 1, because task.evaluateOn names it", "0");
  return config;
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
