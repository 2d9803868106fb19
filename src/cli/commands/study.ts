/** @file `tutelage study`: a grid of runs from one file, in shards or whole; merging; the report. */
import { join } from "node:path";
import { badInput, throwIfAborted, TutelageError } from "../../core/errors.ts";
import type { ExperimentConfig } from "../../loop/config.ts";
import { estimateRun } from "../../loop/estimate.ts";
import { folderName } from "../../loop/study/planStudy.ts";
import { cellsOfShard, estimateWork, parseShard } from "../../loop/study/shards.ts";
import type { StudyCell } from "../../study/types.ts";
import type { Task } from "../../tasks/types.ts";
import type { TeacherDemand, TeacherEstimate } from "../../teacher/types.ts";
import type { Command } from "../command.ts";
import { withInterrupt } from "../interrupt.ts";
import { helpText, Options, type NotTaken, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { openEngine } from "../session.ts";
import { mergeStudies } from "../study/mergeStudies.ts";
import { prepareStudy } from "../study/prepareStudy.ts";
import { runStudy } from "../study/runStudy.ts";
import { claimFolder } from "../study/studyFolder.ts";
import { writeReport } from "../study/writeReport.ts";
import { KEY_HELP, refuseKeyOption, TEACHER_OPTIONS } from "../teacherOptions.ts";

const OPTIONS: OptionSpecs = {
  out: {
    value: "DIR",
    description: "folder of the study; the one it was begun in to go on (default: runs/NAME; merge needs one)",
  },
  shard: { value: "i/n", description: "run the i-th of n parts alone, i from 1" },
  quick: { description: "with what the file says under quick: some minutes in place of hours" },
  "dry-run": { description: "check everything, print the runs and what they would ask of a chat teacher, run nothing" },
  "keep-checkpoints": { description: "keep each run's last student" },
  "take-over": {
    description: "nobody else works in --out: go on with runs that a process on another machine left locked",
  },
  "teacher-cache": TEACHER_OPTIONS["teacher-cache"] ?? { description: "" },
};

const NOT_TAKEN: NotTaken = { seed: "The study file lists its seeds" };

const MAX_FOLDERS = 10_000;

export const studyCommand: Command = {
  name: "study",
  summary: "Run a grid of loops (tasks × strategies × seeds × options) and compare them.",
  help: () =>
    helpText(
      "tutelage study FILE.json [options]\n       tutelage study merge DIR... --out DIR\n       tutelage study report DIR",
      'Runs the study in FILE.json: every run in a folder of its own under DIR/runs, with one line each on stdout: {"cell","state","accuracy",...}. The same command goes on with what is left after an interruption or a failure. At its end, and with merge and report, DIR/report.html and DIR/report.json compare what is finished. Exit status 1 when a run failed.',
      OPTIONS,
      `The format of FILE.json: docs/studies.md and public/study.schema.json. Seeds are those of the file. ${KEY_HELP}`,
      NOT_TAKEN,
    ),
  async run(args, streams) {
    refuseKeyOption(args);
    const options = Options.parse("study", args, OPTIONS, MAX_FOLDERS, NOT_TAKEN);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const [first, ...rest] = options.positionals;
    if (first === undefined)
      badInput("tutelage study", "a study file, merge or report", "nothing", "See: tutelage study --help");
    if (first === "merge") {
      const out = options.requiredText("out");
      await mergeStudies(rest, out, output);
      return void (await report(out, output));
    }
    if (rest.length !== (first === "report" ? 1 : 0))
      badInput(
        "tutelage study",
        first === "report" ? "one folder to report on" : "one study file",
        rest.join(" ") || "none",
      );
    if (first === "report") return void (await report(rest[0] ?? "", output));
    await study(first, options, output);
  },
};

/** Writes the report and says where the runs stand. */
async function report(folder: string, output: Output): Promise<void> {
  const { name, runs, cautions } = await writeReport(folder, output);
  output.record(
    { study: name, ...runs, cautions },
    `${name}: ${runs.finished} of ${runs.planned} runs finished${cautions.map((caution) => `\n  ${caution}`).join("")}`,
  );
}

/** The runs, each with its share of the work and what a chat teacher would be asked. */
function printCells(cells: readonly StudyCell[], taskOf: (config: ExperimentConfig) => Task, output: Output): void {
  const asked: TeacherEstimate[] = [];
  for (const { id, config } of cells) {
    const teacher = estimateRun(config, taskOf(config));
    if (teacher !== undefined) asked.push(teacher);
    output.record(
      { cell: id, work: Math.round(estimateWork(config)), ...(teacher === undefined ? {} : { teacher }) },
      id,
    );
  }
  if (asked.length === 0) return;
  const total = (of: (one: TeacherDemand) => number): number => asked.reduce((sum, one) => sum + of(one), 0);
  const money = total(({ costUsd }) => costUsd ?? 0);
  const most = asked.reduce((sum, one) => sum + (one.atMost ?? one).requests, 0);
  output.note(
    `teacher: ${total(({ requests }) => requests)} requests (at most ${most} where rejected pairs are asked for again), about ${total(({ promptTokens, completionTokens }) => promptTokens + completionTokens)} tokens${money > 0 ? `, $${money.toFixed(4)}` : ""}, without retries and replies from the cache; each run's ceilings end it before they are passed`,
  );
}

async function study(file: string, options: Options, output: Output): Promise<void> {
  const shard = options.given("shard") ? parseShard(options.requiredText("shard")) : undefined;
  const dry = options.flag("dry-run");
  const { plan, taskOf } = await prepareStudy(file, options.flag("quick"), options, output);
  const cells = shard === undefined ? plan.cells : cellsOfShard(plan.cells, shard);
  if (dry) {
    return printCells(cells, taskOf, output);
  }
  const out = options.given("out") ? options.requiredText("out") : join("runs", folderName(plan.name));
  await claimFolder(out, plan);
  output.note(`study: ${plan.name}, ${cells.length} of ${plan.cells.length} runs, in ${out}`);
  const { failed } = await withInterrupt(async (signal) => {
    try {
      return await runStudy(cells, {
        folder: out,
        openEngine: () => openEngine(options, output),
        taskOf,
        options,
        output,
        signal,
        keepCheckpoints: options.flag("keep-checkpoints"),
        takeOver: options.flag("take-over"),
      });
    } catch (error) {
      output.note("stopped; the same command goes on");
      throwIfAborted(signal, "study");
      throw error;
    }
  });
  if (shard === undefined) await writeReport(out, output);
  else
    output.note(
      `shard ${shard.index} of ${shard.count} is done; join them with: tutelage study merge DIR... --out DIR`,
    );
  if (failed.length > 0)
    throw new TutelageError(
      "internal",
      `tutelage study: ${failed.length} of ${cells.length} runs failed (${failed
        .slice(0, 3)
        .map(({ id }) => id)
        .join(", ")}${failed.length > 3 ? ", ..." : ""}); the same command tries them again`,
    );
}
