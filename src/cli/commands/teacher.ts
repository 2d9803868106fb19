/** @file `tutelage teacher check`: one call of each kind to a teacher, before a run spends anything on it. */
import { badInput, TutelageError } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import { DEFAULT_EXPERIMENT } from "../../loop/defaults.ts";
import { parseExperimentConfig } from "../../loop/parseConfig.ts";
import { createTask, taskNames } from "../../tasks/registry.ts";
import { checkTeacher } from "../../teacher/checkTeacher.ts";
import type { Command } from "../command.ts";
import { withInterrupt } from "../interrupt.ts";
import { helpText, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import {
  chatOptions,
  KEY_HELP,
  openTeacher,
  prepareTeacher,
  refuseKeyOption,
  TEACHER_NAME_OPTION,
  TEACHER_OPTIONS,
} from "../teacherOptions.ts";

const OPTIONS: OptionSpecs = {
  task: { value: taskNames.join("|"), description: "task", default: DEFAULT_EXPERIMENT.task.name },
  teacher: { ...TEACHER_NAME_OPTION, required: true },
  ...TEACHER_OPTIONS,
  "teacher-cache": { value: "FILE|off", description: "replies that are not asked for twice", default: "off" },
};

export const teacherCommand: Command = {
  name: "teacher",
  summary: "Check a teacher: one call of each kind, what was understood, time, tokens, price.",
  help: () =>
    helpText(
      "tutelage teacher check --teacher NAME [options]",
      'Asks for a new question, an answer and a judgement (or a pair, with --teacher-calls one). Prints one line a call: {"call","ok","result","note","usage"}. Exit status 1 when a call failed.',
      OPTIONS,
      KEY_HELP,
    ),
  async run(args, streams) {
    refuseKeyOption(args);
    const options = Options.parse("teacher", args, OPTIONS, 1);
    if (options.flag("help")) return void streams.out(this.help());
    const [verb] = options.positionals;
    if (verb !== "check") badInput("tutelage teacher", "check", verb ?? "nothing", "See: tutelage teacher --help");
    const output = new Output(streams, options.flag("json"));
    const name = options.requiredText("teacher");
    const chat = await chatOptions(options);
    const { task: taskSettings, teacher: settings } = parseExperimentConfig(
      {
        task: { name: options.requiredText("task"), pool: 1 },
        querySize: 1,
        teacher: { name, ...(Object.keys(chat).length === 0 ? {} : { chat }) },
      },
      "teacher check",
    );
    const task = createTask(taskSettings.name);
    const rng = new Rng(options.integer("seed"));
    const [seed] = task.splits({ pool: 1, validation: 0, test: 0 }, rng.fork("splits")).pool;
    if (seed === undefined) badInput("teacher check", "a task with questions", `the task "${task.name}"`);
    const teacher = await openTeacher(settings, task, options);
    let failed = 0;
    await withInterrupt(async (signal) => {
      await prepareTeacher(teacher, output, signal);
      for await (const check of checkTeacher(teacher, task, seed, rng, signal)) {
        if (!check.ok) failed++;
        const { call, ok, result, note, usage } = check;
        const use = `${usage.durationMs} ms, ${usage.requests} requests, ${usage.promptTokens} + ${usage.completionTokens} tokens, $${usage.costUsd.toFixed(5)}`;
        const lines = [result, note].filter((text) => text !== "").map((text) => text.replaceAll(/^/gm, "    "));
        output.record(check, [`${ok ? "ok    " : "FAILED"} ${call} (${use})`, ...lines].join("\n"));
      }
    });
    teacher.close?.();
    if (failed > 0)
      throw new TutelageError("teacher", `teacher check: ${failed} ${failed === 1 ? "call" : "calls"} failed`);
  },
};
