/** @file The settings of a loop as command-line options: what they are called and mean. Not here: the experiment they make (`loopExperiment.ts`). */
import { BASELINES, baselineNames } from "../loop/baselines.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_REFILLS } from "../loop/defaults.ts";
import { PICKER_KINDS, strategyNames } from "../selection/strategies.ts";
import { CHECKER_NAMES } from "../tasks/custom/settings.ts";
import { FROZEN_WEIGHTS } from "../student/types.ts";
import { taskNames } from "../tasks/registry.ts";
import { OPERATIONS } from "../teacher/types.ts";
import type { OptionSpecs } from "./options.ts";
import { ADAPTER_HELP, STUDENT_HELP } from "./studentSource.ts";
import { TEACHER_NAME_OPTION, TEACHER_OPTIONS } from "./teacherOptions.ts";

const D = DEFAULT_EXPERIMENT;
/** Options that are settings of the run; of the command alone are `--out`, `--resume` and `--replay-teacher`. */
export const LOOP_OPTIONS: OptionSpecs = {
  student: { value: "DIR|ID", description: STUDENT_HELP, default: D.student },
  adapter: { value: "DIR|ID", description: `PEFT adapter that the student starts with: ${ADAPTER_HELP}` },
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
  mixture: {
    value: "task|rare",
    description:
      "questions as the task mixes them; or, rare, one seed in ten of a kind that the task's built-in student does not know, and a test of that kind alone (with --operations vary, where none are given)",
    default: "task",
  },
  pool: { value: "N", description: "seed questions", default: String(D.task.pool) },
  test: { value: "N", description: "held-out test questions", default: String(D.task.test) },
  validation: { value: "N", description: "held-out validation questions", default: String(D.task.validation) },
  "excess-length": {
    value: "refuse|drop",
    description: "questions too long for the student's context: refuse the run, or drop them, counted in manifest.json",
    default: "refuse",
  },
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
  operations: {
    value: "LIST",
    description: `how seeds become new questions, among ${OPERATIONS.join(",")}`,
    default: D.teacher.operations.join(","),
  },
  "easy-operations": {
    value: "LIST",
    description: "of --strategy lion: how easy picks become new questions (default: as --operations)",
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
  refills: {
    value: "N",
    description: `ask again at most N times a round in place of rejected questions (default: ${DEFAULT_REFILLS} with --max-rouge-l under 1, else 0)`,
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
  weights: {
    value: FROZEN_WEIGHTS.join("|"),
    description:
      "how weights that --method lora leaves as they are are held; float16 halves them, exact for checkpoints in float16",
    default: "float32",
  },
  epochs: { value: "N", description: "passes over the pairs per round", default: String(D.training.epochs) },
  lr: { value: "X", description: "learning rate", default: String(D.training.learningRate) },
  "batch-size": {
    value: "N",
    description:
      "rows at a time in training; of a resumed run, whose steps keep their rows by accumulation, a part of them",
    default: String(D.training.batchSize),
  },
  "generation-batch-size": {
    value: "N",
    description: "rows scored, or generated for, at a time; also of a resumed run",
    default: String(D.generation.batchSize),
  },
  precision: {
    value: "float32|float16|auto",
    description: "what matrix products of training compute in; see tutelage train --help",
    default: D.training.precision,
  },
  "max-new-tokens": { value: "N", description: "longest answer of the student (default: what the task needs)" },
  set: {
    value: "LIST",
    description: "any other setting of an experiment file, as strategy.reduction=sum,training.warmupSteps=0",
  },
};

/** The baselines, a line each; for `--help`. */
export const BASELINE_HELP = `Baselines:\n${baselineNames.map((name) => `  ${name.padEnd(10)}${BASELINES[name].description}`).join("\n")}`;
