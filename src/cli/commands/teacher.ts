/** @file `tutelage teacher check`: one call of each kind to a teacher, before a run spends anything on it. */
import { resolve } from "node:path";
import { readTextFile } from "../../formats/node/directorySource.ts";
import { openReplyCache } from "../../storage/node/replyCacheFile.ts";
import { parseReplyLines } from "../../storage/replyLines.ts";
import { promptsFor } from "../../teacher/prompts/registry.ts";
import { badInput, TutelageError } from "../../core/errors.ts";
import { Rng } from "../../core/rng.ts";
import { DEFAULT_EXPERIMENT } from "../../loop/defaults.ts";
import { parseExperimentConfig } from "../../loop/parseConfig.ts";
import { CHECKER_NAMES } from "../../tasks/custom/settings.ts";
import { createTask, taskNames } from "../../tasks/registry.ts";
import { checkTeacher } from "../../teacher/checkTeacher.ts";
import type { Command } from "../command.ts";
import { withInterrupt } from "../interrupt.ts";
import { loadTaskData } from "../taskData.ts";
import { helpText, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import type { Streams } from "../output.ts";
import {
  chatOptions,
  DEFAULT_REPLY_CACHE,
  KEY_HELP,
  openTeacher,
  prepareTeacher,
  refuseKeyOption,
  TEACHER_NAME_OPTION,
  TEACHER_OPTIONS,
} from "../teacherOptions.ts";

const OPTIONS: OptionSpecs = {
  task: { value: taskNames.join("|"), description: "task", default: DEFAULT_EXPERIMENT.task.name },
  "task-data": { value: "FILE", description: "questions of your own (JSONL, JSON or CSV), for check" },
  checker: { value: CHECKER_NAMES.join("|"), description: "how their final answers are compared (default: found)" },
  teacher: { ...TEACHER_NAME_OPTION, description: "teacher, for check" },
  ...TEACHER_OPTIONS,
  "teacher-cache": { value: "FILE|off", description: "replies that are not asked for twice", default: "off" },
};

export const teacherCommand: Command = {
  name: "teacher",
  summary: "Check a teacher: one call of each kind, what was understood, time, tokens, price.",
  help: () =>
    helpText(
      "tutelage teacher check --teacher NAME [options] | tutelage teacher prompts [--task NAME] | tutelage teacher import FILE [--teacher-cache FILE]",
      'Asks for a new question, an answer and a judgement (or a pair, with --teacher-calls one). Prints one line a call: {"call","ok","result","note","usage"}. Exit status 1 when a call failed. prompts prints the built-in prompts as the JSON that --teacher-prompts takes. import adds the replies of another cache, or of the file that the page saved, to the cache.',
      OPTIONS,
      KEY_HELP,
    ),
  async run(args, streams) {
    refuseKeyOption(args);
    const options = Options.parse("teacher", args, OPTIONS, 2);
    if (options.flag("help")) return void streams.out(this.help());
    const [verb, path, ...rest] = options.positionals;
    const output = new Output(streams, options.flag("json"));
    if (verb === "prompts" && path === undefined) return printPrompts(options, streams);
    if (verb === "import" && path !== undefined && rest.length === 0) return importReplies(path, options, output);
    if (verb !== "check" || path !== undefined)
      badInput(
        "tutelage teacher",
        "check, prompts, or import with a file",
        options.positionals.join(" ") || "nothing",
        "See: tutelage teacher --help",
      );
    const name = options.requiredText("teacher");
    const chat = await chatOptions(options);
    const data = options.given("task-data")
      ? {
          pool: resolve(options.requiredText("task-data")),
          ...(options.given("checker") ? { checker: options.choice("checker", CHECKER_NAMES) } : {}),
        }
      : undefined;
    const { task: taskSettings, teacher: settings } = parseExperimentConfig(
      {
        task: {
          name: data === undefined ? options.requiredText("task") : "custom",
          pool: 1,
          ...(data === undefined ? {} : { data }),
        },
        querySize: 1,
        teacher: { name, ...(Object.keys(chat).length === 0 ? {} : { chat }) },
      },
      "teacher check",
    );
    const custom = taskSettings.data === undefined ? undefined : (await loadTaskData(taskSettings.data)).options;
    const task = createTask(taskSettings.name, custom === undefined ? {} : { custom });
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

/** Prints the built-in prompts of a task, to be changed and given back. */
function printPrompts(options: Options, streams: Streams): void {
  const { templates } = promptsFor(options.choice("task", taskNames));
  streams.out(`${JSON.stringify(templates, null, 2)}\n`);
}

/** Adds the replies of the file at `path` to the cache. */
async function importReplies(path: string, options: Options, output: Output): Promise<void> {
  const { replies, unread } = parseReplyLines(await readTextFile(path));
  const target = options.text("teacher-cache");
  const cache = await openReplyCache(target === undefined || target === "off" ? DEFAULT_REPLY_CACHE : target);
  let added = 0;
  for (const [key, reply] of replies) {
    if ((await cache.get(key)) !== undefined) continue;
    await cache.put(key, reply);
    added++;
  }
  const known = replies.size - added;
  output.record(
    { added, known, unread },
    `${added} replies added, ${known} known already, ${unread} lines not understood`,
  );
}
