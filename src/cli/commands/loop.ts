/** @file `tutelage loop`: one closed loop, kept in a run folder. */
import { dirname, join, resolve } from "node:path";
import { badInput, throwIfAborted } from "../../core/errors.ts";
import { readTextFile } from "../../formats/node/directorySource.ts";
import { parseJson } from "../../formats/json.ts";
import { closedLoop } from "../../loop/closedLoop.ts";
import type { ExperimentConfig } from "../../loop/config.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_LORA } from "../../loop/defaults.ts";
import { firstDifference } from "../../loop/firstDifference.ts";
import { parseExperimentConfig } from "../../loop/parseConfig.ts";
import type { LoopRecord } from "../../loop/records.ts";
import type { StoredRun } from "../../loop/runStore.ts";
import { PICKER_KINDS, strategyNames } from "../../selection/strategies.ts";
import { openRunFolder, readRunFolder } from "../../storage/node/folderStore.ts";
import { openStudent } from "../../student/student.ts";
import type { CustomOptions } from "../../tasks/custom/custom.ts";
import { CHECKER_NAMES } from "../../tasks/custom/settings.ts";
import { createTask, taskNames } from "../../tasks/registry.ts";
import { chatProviderOf } from "../../teacher/registry.ts";
import { createReplayTeacher } from "../../teacher/replayTeacher.ts";
import { TeacherError } from "../../teacher/teacherError.ts";
import type { TeacherUsage } from "../../teacher/types.ts";
import type { Command } from "../command.ts";
import { openHoldout, pinStudents } from "../experimentStudents.ts";
import { helpText, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { openEngine } from "../session.ts";
import { loadExperimentData, loadTaskData, parseColumns, placeData } from "../taskData.ts";
import { openStudentSource, STUDENT_HELP } from "../studentSource.ts";
import {
  chatOptions,
  KEY_HELP,
  openTeacher,
  refuseKeyOption,
  TEACHER_NAME_OPTION,
  TEACHER_OPTIONS,
} from "../teacherOptions.ts";

const D = DEFAULT_EXPERIMENT;
const OPTIONS: OptionSpecs = {
  out: { value: "DIR", description: "run folder, new (default: runs/NAME-STRATEGY-seedN-TIME)" },
  resume: { value: "RUN", description: "go on with the run in this folder; takes no other setting" },
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
  strategy: { value: strategyNames.join("|"), description: "query strategy", default: D.strategy.name },
  picker: { value: PICKER_KINDS.join("|"), description: "how scores become picks", default: D.strategy.picker.kind },
  temperature: { value: "X", description: "temperature of --picker softmax", default: "1" },
  holdout: { value: "DIR", description: "student trained on held-out pairs, for --strategy rho-loss" },
  exponent: { value: "X", description: "exponent of --picker proportional and rank", default: "1" },
  teacher: { ...TEACHER_NAME_OPTION, default: D.teacher.name },
  ...TEACHER_OPTIONS,
  "replay-teacher": {
    value: "RUN",
    description: "the settings of the run in this folder and its teacher's replies, without asking the teacher",
  },
  "error-rate": {
    value: "X",
    description: "share of the built-in teacher's pairs that are wrong",
    default: String(D.teacher.errorRate),
  },
  verification: {
    value: "off|answer",
    description: "check the teacher's pairs before training",
    default: D.verification,
  },
  rounds: { value: "N", description: "rounds after round 0, the untouched student", default: String(D.rounds) },
  "query-size": { value: "M", description: "seeds picked per round", default: String(D.querySize) },
  "per-seed": { value: "N", description: "new questions per picked seed", default: String(D.perSeed) },
  "after-round": {
    value: "restart|continue",
    description: "train from the base weights on all pairs, or go on",
    default: D.restart ? "restart" : "continue",
  },
  replay: { value: "X", description: "seed pairs mixed in per synthetic pair", default: String(D.replay) },
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

/** Command-line options over the experiment file over the defaults; only what was given is set. */
function experimentOf(
  file: unknown,
  where: string,
  options: Options,
  chat: Readonly<Record<string, unknown>>,
): ExperimentConfig {
  const given = <T>(name: string, read: () => T): T | undefined => (options.given(name) ? read() : undefined);
  const base = (typeof file === "object" && file !== null && !Array.isArray(file) ? file : {}) as Record<
    string,
    unknown
  >;
  const part = (key: string): Record<string, unknown> => {
    const value = base[key];
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  };
  const over = (values: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const group = (key: string, values: Record<string, unknown>): Record<string, unknown> => {
    const set = over(values);
    return Object.keys(set).length === 0 ? {} : { [key]: { ...part(key), ...set } };
  };
  const picker = given("picker", () => {
    const kind = options.choice("picker", PICKER_KINDS);
    if (kind === "softmax") return { kind, temperature: options.number("temperature", { min: 0 }) };
    return kind === "proportional" || kind === "rank"
      ? { kind, exponent: options.number("exponent", { min: 0 }) }
      : { kind };
  });
  const method = given("method", () =>
    options.choice("method", ["full", "lora"]) === "full" ? { method: "full" } : { method: "lora", ...DEFAULT_LORA },
  );
  const after = given("after-round", () => options.choice("after-round", ["restart", "continue"]));
  const data = over({
    pool: given("task-data", () => resolve(options.requiredText("task-data"))),
    validation: given("task-validation", () => resolve(options.requiredText("task-validation"))),
    test: given("task-test", () => resolve(options.requiredText("task-test"))),
    columns: given("columns", () => parseColumns(options.requiredText("columns"))),
    checker: given("checker", () => options.requiredText("checker")),
    pattern: given("pattern", () => options.requiredText("pattern")),
  });
  const dataOfFile = part("task")["data"] as Record<string, unknown> | undefined;
  return parseExperimentConfig(
    typeof file !== "object" || file === null || Array.isArray(file)
      ? file
      : {
          ...base,
          ...over({
            seed: given("seed", () => options.integer("seed")),
            student: given("student", () => options.requiredText("student")),
            verification: given("verification", () => options.requiredText("verification")),
            rounds: given("rounds", () => options.integer("rounds")),
            querySize: given("query-size", () => options.integer("query-size")),
            perSeed: given("per-seed", () => options.integer("per-seed")),
            restart: after === undefined ? undefined : after === "restart",
            replay: given("replay", () => options.number("replay")),
          }),
          ...group("task", {
            name:
              given("task", () => options.requiredText("task")) ?? (options.given("task-data") ? "custom" : undefined),
            data: Object.keys(data).length === 0 ? undefined : { ...dataOfFile, ...data },
            pool: given("pool", () => options.integer("pool")),
            test: given("test", () => options.integer("test")),
            validation: given("validation", () => options.integer("validation")),
            evaluateOn: given("evaluate-on", () => options.requiredText("evaluate-on")),
          }),
          ...group("strategy", {
            name: given("strategy", () => options.requiredText("strategy")),
            picker,
            holdout: given("holdout", () => options.requiredText("holdout")),
          }),
          ...group("teacher", {
            name: given("teacher", () => options.requiredText("teacher")),
            errorRate: given("error-rate", () => options.number("error-rate")),
            chat: Object.keys(chat).length === 0 ? undefined : overChat(part("teacher").chat, chat),
          }),
          ...group("training", {
            method,
            epochs: given("epochs", () => options.number("epochs")),
            learningRate: given("lr", () => options.number("lr")),
            batchSize: given("batch-size", () => options.integer("batch-size")),
            precision: given("precision", () => options.requiredText("precision")),
          }),
          ...group("generation", { maxNewTokens: given("max-new-tokens", () => options.integer("max-new-tokens")) }),
        },
    where,
  );
}

/** The options' settings over a file's; limits one by one. */
function overChat(file: unknown, chat: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const objectOf = (value: unknown): object => (typeof value === "object" && value !== null ? value : {});
  const base = objectOf(file) as Readonly<Record<string, unknown>>;
  const limits = { ...objectOf(base.limits), ...objectOf(chat.limits) };
  return { ...base, ...chat, ...(Object.keys(limits).length === 0 ? {} : { limits }) };
}

function describe(record: LoopRecord): string | undefined {
  switch (record.type) {
    case "phase":
      return record.state === "end"
        ? undefined
        : `round ${record.round}: ${record.phase} ${record.done}/${record.total}`;
    case "step":
      return `round ${record.round}: train step ${record.step}/${record.totalSteps}, loss ${record.loss.toFixed(3)}, ${Math.round(record.tokensPerSecond)} tokens/s`;
    default:
      return undefined;
  }
}

/** What a chat teacher used, for people; empty for a teacher that sends nothing. */
function describeUse({ requests, cached = 0, promptTokens, completionTokens, costUsd }: TeacherUsage): string {
  const fromCache = cached === 0 ? "" : `, ${cached} replies from the cache`;
  return `  teacher: ${requests} requests${fromCache}, ${promptTokens + completionTokens} tokens, $${costUsd.toFixed(4)}`;
}

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

/** Shows the loop's records as they come: a line a round, progress where someone watches. Returns how many rounds ended. */
async function report(records: AsyncIterable<LoopRecord>, output: Output): Promise<number> {
  let rounds = 0;
  let chat = false;
  for await (const record of records) {
    const progress = describe(record);
    if (progress !== undefined) output.progress(progress);
    if (record.type === "warning") output.note(`warning: ${record.message}`);
    if (record.type === "step" && record.precision !== undefined)
      output.note(`round ${record.round}: training in ${record.precision.precision}; ${record.precision.reason}`);
    if (record.type === "run") chat = chatProviderOf(record.config.teacher.name) !== undefined;
    if (record.type === "usage") output.progress(`round ${record.round}: teach${describeUse(record.usage)}`);
    if (record.type === "round") {
      rounds++;
      const { round, examples, evaluation, accepted, rejected, durationMs } = record.summary;
      output.record(
        record.summary,
        `round ${round}  ${examples} synthetic pairs (+${accepted}, ${rejected} rejected)  ${evaluation.split} accuracy ${percent(evaluation.accuracy)} (95 % interval ${percent(evaluation.low)} to ${percent(evaluation.high)}, n = ${evaluation.n})  ${(durationMs / 1000).toFixed(1)} s${chat ? describeUse(record.summary.teacher) : ""}`,
      );
    }
  }
  return rounds;
}

/** Options that are no settings of the run. */
const BESIDE_RESUME: ReadonlySet<string> = new Set(["resume", "replay-teacher", "teacher-cache"]);

/** The recorded replies fit only runs with the same pool and teacher: ids of questions would mean others. */
function checkReplayable({ manifest }: StoredRun, config: ExperimentConfig): void {
  for (const part of ["seed", "task", "teacher"] as const) {
    const difference = firstDifference(manifest.config[part], config[part], part);
    if (difference !== undefined)
      badInput(`--replay-teacher, ${difference.path}`, `${difference.a} as in the recorded run`, difference.b);
  }
}

async function storedRunIn(folder: string): Promise<StoredRun> {
  return (await readRunFolder(folder)) ?? badInput(folder, "a run folder (with manifest.json)", "none");
}

export const loopCommand: Command = {
  name: "loop",
  summary: "Run a closed loop: score, select, ask the teacher, verify, train, evaluate, repeat.",
  help: () =>
    helpText(
      "tutelage loop [EXPERIMENT.json] [options]",
      "Runs one experiment and keeps it in a run folder: manifest.json, rounds.jsonl, examples.jsonl and checkpoints. Prints one line a round, round 0 being the untouched student. An interrupted run goes on with --resume RUN.",
      OPTIONS,
      `Options given here replace those of EXPERIMENT.json, which replace the defaults. ${KEY_HELP}`,
    ),
  async run(args, streams) {
    refuseKeyOption(args);
    const options = Options.parse("loop", args, OPTIONS, 1);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const resume = options.text("resume");
    const [path] = options.positionals;
    const replayed = options.given("replay-teacher")
      ? await storedRunIn(options.requiredText("replay-teacher"))
      : undefined;
    if (replayed !== undefined && path !== undefined)
      badInput("--replay-teacher", "no experiment file: the run has its own settings", path);
    let config: ExperimentConfig;
    let folder: string;
    let custom: CustomOptions | undefined;
    if (resume === undefined) {
      const file = path === undefined ? (replayed?.manifest.config ?? {}) : parseJson(await readTextFile(path), path);
      const asked = experimentOf(file, path ?? "experiment", options, await chatOptions(options));
      // A directory is relative to the file that names it; the manifest keeps it whole, so that a resumed run finds it from anywhere.
      const base = (option: string): string => (options.given(option) || path === undefined ? "." : dirname(path));
      config = await pinStudents(asked, base, output);
      if (config.task.data !== undefined) {
        const sizes = (file as { task?: object }).task ?? {};
        const given = [...Object.keys(sizes), ...["pool", "validation", "test"].filter((name) => options.given(name))];
        const loaded = await loadExperimentData(config, placeData(config.task.data, path), given, path ?? "experiment");
        ({ config, custom } = loaded);
        output.note(loaded.note);
      }
      if (replayed !== undefined) checkReplayable(replayed, config);
      const stamp = new Date().toISOString().replaceAll(/[-:]/g, "").slice(0, 15);
      folder =
        options.text("out") ?? join("runs", `${config.name}-${config.strategy.name}-seed${config.seed}-${stamp}`);
    } else {
      const extra =
        ["out", ...Object.keys(OPTIONS)].find((name) => !BESIDE_RESUME.has(name) && options.given(name)) ??
        (options.given("seed") ? "seed" : undefined);
      if (extra !== undefined || path !== undefined)
        badInput(
          "--resume",
          "no other setting",
          extra === undefined ? String(path) : `--${extra}`,
          "A resumed run keeps the settings in its manifest.json",
        );
      config = parseExperimentConfig((await storedRunIn(resume)).manifest.config, resume);
      if (config.task.data !== undefined) custom = (await loadTaskData(config.task.data)).options;
      folder = resume;
    }
    const source = await openStudentSource(config.student, output, config.task.name);
    const task = createTask(config.task.name, custom === undefined ? {} : { custom });
    const teacher =
      replayed === undefined
        ? await openTeacher(config.teacher, task, options)
        : createReplayTeacher({ calls: config.teacher.chat?.calls ?? "two" });
    const abort = new AbortController();
    const stop = (): void => abort.abort(new Error("interrupted"));
    process.once("SIGINT", stop).once("SIGTERM", stop);
    const engine = await openEngine(options, output);
    try {
      const student = await openStudent(engine, {
        source,
        method: config.training.method,
        seed: config.seed,
        onWarning: (message) => output.note(`warning: ${message}`),
      });
      try {
        const store = await openRunFolder(folder);
        output.note(`run: ${folder}`);
        try {
          const rounds = await report(
            closedLoop(config, {
              student,
              openHoldout: () => openHoldout(config, engine, output),
              task,
              teacher,
              store,
              signal: abort.signal,
              resume: resume !== undefined,
              recorded: replayed?.replies,
            }),
            output,
          );
          if (rounds === 0) output.note(`nothing was left to do: all ${config.rounds} rounds of this run are done`);
        } finally {
          await store.close();
        }
      } catch (error) {
        if (abort.signal.aborted || error instanceof TeacherError)
          output.note(`stopped; go on with: tutelage loop --resume ${folder}`);
        throwIfAborted(abort.signal, "loop");
        throw error;
      } finally {
        await student.dispose();
      }
    } finally {
      process.off("SIGINT", stop).off("SIGTERM", stop);
      await engine.dispose();
    }
  },
};
