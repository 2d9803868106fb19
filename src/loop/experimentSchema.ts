/** @file The schema of an experiment: every setting's type, bounds and default. Not here: what settings mean together (`parseConfig.ts`). */
import * as v from "valibot";
import { PICKER_KINDS, REWARD_NAMES, scoreStrategyNames, strategyNames } from "../selection/strategies.ts";
import { FROZEN_WEIGHTS } from "../student/types.ts";
import { taskNames } from "../tasks/registry.ts";
import { teacherNames } from "../teacher/registry.ts";
import { OPERATIONS } from "../teacher/types.ts";
import { baselineNames } from "./baselines.ts";
import { chatSettings, price } from "./chatSchema.ts";
import { EXCESS_LENGTHS } from "./config.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_LORA } from "./defaults.ts";
import { choice, flag, group, MAX_SEED, real, text, whole } from "./schemaParts.ts";
import { taskData, taskMixture } from "./taskSchema.ts";

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
    group({ kind: v.literal("above"), threshold: v.optional(real(-1e6, 1e6), 0) }),
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
      frozenWeights: v.exactOptional(choice(FROZEN_WEIGHTS)),
    }),
  ],
  'a method with method "full" or "lora"',
);

const operations = v.pipe(
  v.array(choice(OPERATIONS), "a list of operations"),
  v.minLength(1, "at least one operation"),
  v.check((names) => new Set(names).size === names.length, "each operation once"),
);

const EXPERIMENT_REPLAY = 'a number from 0 to 100, or "all"';

/** An experiment as people write it: what is missing has its default, but for what depends on other settings. */
export const experimentSchema = group({
  schemaVersion: v.optional(v.literal(1, "1, the version this build reads"), 1),
  name: v.optional(text, D.name),
  seed: v.optional(whole(0, MAX_SEED), D.seed),
  student: v.optional(text, D.student),
  adapter: v.exactOptional(text),
  task: v.optional(
    group({
      name: v.optional(choice(taskNames), D.task.name),
      pool: v.optional(whole(1, 1_000_000), D.task.pool),
      validation: v.optional(whole(0, 1_000_000), D.task.validation),
      test: v.optional(whole(0, 1_000_000), D.task.test),
      evaluateOn: v.optional(choice(["validation", "test"]), D.task.evaluateOn),
      mixture: v.exactOptional(taskMixture),
      poolMixture: v.exactOptional(taskMixture),
      excessLength: v.exactOptional(choice(EXCESS_LENGTHS)),
      data: v.exactOptional(taskData),
    }),
    {},
  ),
  baseline: v.exactOptional(choice(baselineNames)),
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
  query: v.optional(
    group({
      scores: v.optional(choice(["fresh", "frozen"]), D.query.scores),
      candidates: v.optional(choice(["seeds", "all"]), D.query.candidates),
      repeats: v.optional(choice(["allowed", "avoided"]), D.query.repeats),
      temperature: v.optional(real(0, 100), D.query.temperature),
      topP: v.optional(real(0, 1, { above: true }), D.query.topP),
    }),
    {},
  ),
  pairs: v.optional(choice(["teacher", "seeds"]), D.pairs),
  teacher: v.optional(
    group({
      name: v.optional(choice(teacherNames), D.teacher.name),
      errorRate: v.optional(real(0, 1), D.teacher.errorRate),
      operations: v.optional(operations, [...D.teacher.operations]),
      easyOperations: v.exactOptional(operations),
      calls: v.exactOptional(choice(["two", "one"])),
      price: v.exactOptional(price),
      chat: v.exactOptional(chatSettings),
    }),
    {},
  ),
  verification: v.optional(choice(["off", "answer", "steps"]), D.verification),
  maxRougeL: v.optional(real(0, 1), D.maxRougeL),
  // Its default depends on the near-duplicate filter.
  refills: v.optional(whole(0, 100)),
  rounds: v.optional(whole(0, 1000), D.rounds),
  querySize: v.optional(whole(1, 1_000_000), D.querySize),
  perSeed: v.optional(whole(1, 1000), D.perSeed),
  balance: v.optional(flag, D.balance),
  warmUp: v.optional(choice(["none", "seeds"]), D.warmUp),
  restart: v.optional(flag, D.restart),
  accumulate: v.optional(flag, D.accumulate),
  replay: v.optional(v.union([v.literal("all"), real(0, 100)], EXPERIMENT_REPLAY), D.replay),
  budget: v.optional(
    group({
      examples: v.exactOptional(whole(1, 1_000_000_000)),
      teacherTokens: v.exactOptional(whole(1, 1_000_000_000_000)),
      costUsd: v.exactOptional(real(0, 1e6)),
    }),
    {},
  ),
  stop: v.optional(
    group({
      target: v.exactOptional(real(0, 1)),
      plateau: v.exactOptional(whole(1, 1000)),
      minGain: v.optional(real(0, 1), D.stop.minGain),
    }),
    {},
  ),
  scoreSynthetic: v.optional(flag, D.scoreSynthetic),
  training: v.optional(
    group({
      method: v.optional(method, D.training.method as v.InferInput<typeof method>),
      epochs: v.optional(real(0, 10_000, { above: true }), D.training.epochs),
      batchSize: v.optional(whole(1, 4096), D.training.batchSize),
      gradAccum: v.optional(whole(1, 4096), D.training.gradAccum),
      learningRate: v.optional(real(0, 10, { above: true }), D.training.learningRate),
      scheduler: v.optional(choice(["constant", "constant_with_warmup", "linear", "cosine"]), D.training.scheduler),
      groupByLength: v.optional(v.boolean(), D.training.groupByLength),
      precision: v.optional(choice(["float32", "float16", "auto"]), D.training.precision),
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
