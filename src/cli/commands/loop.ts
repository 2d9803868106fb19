/** @file `tutelage loop`: one closed loop, kept in a run folder. */
import { dirname, join } from "node:path";
import { badInput, isOutOfMemory, throwIfAborted } from "../../core/errors.ts";
import { readTextFile } from "../../formats/node/directorySource.ts";
import { parseJson } from "../../formats/json.ts";
import { closedLoop } from "../../loop/closedLoop.ts";
import type { ExperimentConfig } from "../../loop/config.ts";
import { TASK_DEFAULTS } from "../../loop/defaults.ts";
import { firstDifference } from "../../loop/firstDifference.ts";
import { checkHoldout, fittingSplits } from "../../loop/checkRows.ts";
import { parseExperimentConfig } from "../../loop/parseConfig.ts";
import { splitsOf } from "../../loop/splitsOf.ts";
import type { StoredRun } from "../../loop/runStore.ts";
import { openRunFolder, readRunFolder } from "../../storage/node/folderStore.ts";
import type { CustomOptions } from "../../tasks/custom/custom.ts";
import { createTask } from "../../tasks/registry.ts";
import { createReplayTeacher } from "../../teacher/replayTeacher.ts";
import { TeacherError } from "../../teacher/teacherError.ts";
import type { Command } from "../command.ts";
import { openExperimentStudent, openHoldout, pinStudents } from "../experimentStudents.ts";
import { experimentOf } from "../loopExperiment.ts";
import { BASELINE_HELP, LOOP_OPTIONS } from "../loopOptions.ts";
import { showRecords } from "../loopReport.ts";
import { adviceInLess, askedMemory, MEMORY_OPTIONS, PhaseWatch } from "../memoryOptions.ts";
import { helpText, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { printEstimate } from "../printEstimate.ts";
import { openRowReader } from "../rowReader.ts";
import { openEngine } from "../session.ts";
import { dataOfRun, loadExperimentData, loadTaskData, placeData } from "../taskData.ts";
import { openStudentSource } from "../studentSource.ts";
import { chatOptions, KEY_HELP, openTeacher, prepareTeacher, refuseKeyOption } from "../teacherOptions.ts";

/** What tasks have otherwise than the defaults shown. */
function taskDefaultsText(): string {
  return Object.entries(TASK_DEFAULTS)
    .map(([task, own]) => `${task} has ${JSON.stringify(own).slice(1, -1).replaceAll('"', "").replaceAll(",", ", ")}`)
    .join("; ");
}

const OPTIONS: OptionSpecs = {
  out: { value: "DIR", description: "run folder, new (default: runs/NAME-STRATEGY-seedN-TIME)" },
  resume: {
    value: "RUN",
    description:
      "go on with the run in this folder; takes no setting but those that change its memory and not its steps: --batch-size, --generation-batch-size, --gradient-checkpointing",
  },
  "gradient-checkpointing": {
    value: "auto|on",
    description:
      "compute activations twice: where memory is estimated to run out (a resumed run: as before), or always",
    default: "auto",
  },
  "replay-teacher": {
    value: "RUN",
    description: "the settings of the run in this folder and its teacher's replies, without asking the teacher",
  },
  estimate: { description: "only print what a chat teacher would be asked, and what that costs; asks nothing" },
  "estimate-latency": { value: "SECONDS", description: "of one request, for --estimate (default: a guess)" },
  ...LOOP_OPTIONS,
};

/** Options that a resumed run takes. */
const BESIDE_RESUME: ReadonlySet<string> = new Set(["resume", "replay-teacher", "teacher-cache", ...MEMORY_OPTIONS]);

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
      "Runs one experiment and keeps it in a run folder: manifest.json, rounds.jsonl, timings.jsonl, examples.jsonl, journal.jsonl and checkpoints. Prints one line a round, round 0 being the untouched student. An interrupted run goes on with --resume RUN.",
      OPTIONS,
      `${BASELINE_HELP}\n\nOptions given here replace those of EXPERIMENT.json, which replace the defaults of its task (${taskDefaultsText()}). ${KEY_HELP}`,
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
    let stored: StoredRun | undefined;
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
          `no other setting than ${MEMORY_OPTIONS.map((name) => `--${name}`).join(", ")}`,
          extra === undefined ? String(path) : `--${extra}`,
          "A resumed run keeps the settings in its manifest.json",
        );
      stored = await storedRunIn(resume);
      config = parseExperimentConfig(stored.manifest.config, resume);
      if (config.task.data !== undefined)
        custom = (await loadTaskData(await dataOfRun(config.task.data, resume))).options;
      folder = resume;
    }
    const memory = askedMemory(config, stored, options);
    const { name, mixture, poolMixture } = config.task;
    const task = createTask(name, { mixture, poolMixture, custom });
    if (options.flag("estimate")) {
      const seconds = options.given("estimate-latency") ? options.number("estimate-latency", { min: 0 }) : undefined;
      return printEstimate(config, task, seconds, output);
    }
    const source = await openStudentSource(config.student, output, config.task.name);
    const { holdout } = config.strategy;
    if (holdout !== undefined && resume === undefined) {
      const other = await openStudentSource(holdout, output, config.task.name);
      const reader = await openRowReader(source);
      const { splits } = fittingSplits(config, task, splitsOf(task, config), reader);
      checkHoldout(task, splits.pool, reader, await openRowReader(other));
    }
    const teacher =
      replayed === undefined
        ? await openTeacher(config.teacher, task, options)
        : createReplayTeacher({ calls: config.teacher.chat?.calls ?? config.teacher.calls ?? "two" });
    const phases = new PhaseWatch();
    const abort = new AbortController();
    const stop = (): void => abort.abort(new Error("interrupted"));
    process.once("SIGINT", stop).once("SIGTERM", stop);
    const engine = await openEngine(options, output);
    try {
      await prepareTeacher(teacher, output, abort.signal);
      const student = await openExperimentStudent(config, engine, source, output);
      try {
        const store = await openRunFolder(folder);
        output.note(`run: ${folder}`);
        try {
          const rounds = await showRecords(
            phases.watch(
              closedLoop(config, {
                memory,
                student,
                openHoldout: () => openHoldout(config, engine, output),
                task,
                teacher,
                store,
                signal: abort.signal,
                resume: resume !== undefined,
                recorded: replayed?.replies,
              }),
            ),
            output,
          );
          if (rounds === 0) output.note("nothing was left to do: all rounds of this run are done");
        } finally {
          await store.close();
        }
      } catch (error) {
        if (abort.signal.aborted || error instanceof TeacherError)
          output.note(`stopped; go on with: tutelage loop --resume ${folder}`);
        if (isOutOfMemory(error)) output.note(adviceInLess(folder, memory, phases.current));
        throwIfAborted(abort.signal, "loop");
        throw error;
      } finally {
        await student.dispose();
      }
    } finally {
      process.off("SIGINT", stop).off("SIGTERM", stop);
      teacher.close?.();
      await engine.dispose();
    }
  },
};
