/**
 * @file The folder of a study: `study.json` (its plan), `runs/ID/` (a run folder each, with
 * `measures.json` once it is finished), `failures/ID.json`, `report.json` and `report.html`.
 */
import { cp, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import * as v from "valibot";
import { badInput, messageOf } from "../../core/errors.ts";
import { parseJson } from "../../formats/json.ts";
import { firstDifference } from "../../loop/firstDifference.ts";
import type { StudyPlan } from "../../loop/study/planStudy.ts";
import { VERSION } from "../../loop/version.ts";
import { readTextIfAny, writeWhole } from "../../storage/node/files.ts";
import { readRunFolder } from "../../storage/node/folderStore.ts";
import { LOCK_FILE } from "../../storage/node/lockFolder.ts";
import type { RunMeasures, StudyCell, StudyInput, StudyRun } from "../../study/types.ts";

const STUDY = "study.json";
const MEASURES = "measures.json";

/** Checked as far as this program relies on it; experiments are checked when they run. */
const planSchema = v.looseObject({
  schemaVersion: v.literal(1),
  name: v.string(),
  tasks: v.array(v.string()),
  strategies: v.array(v.string()),
  options: v.array(v.string()),
  seeds: v.array(v.number()),
  reference: v.string(),
  targets: v.array(v.number()),
  confidence: v.number(),
  resamples: v.number(),
  cells: v.array(
    v.looseObject({
      id: v.pipe(v.string(), v.regex(/^[\p{L}\p{N}_+.-]+$/u)),
      task: v.string(),
      option: v.string(),
      strategy: v.string(),
      seed: v.number(),
      config: v.looseObject({ rounds: v.number() }),
    }),
  ),
});

const failureSchema = v.looseObject({ message: v.string() });

const share = v.nullable(v.number());
const measuresSchema = v.looseObject({
  schemaVersion: v.literal(1),
  rounds: v.number(),
  poolSize: v.number(),
  poolBaseAccuracy: share,
  pickedBaseAccuracy: share,
  seedSimilarity: share,
  dispersion: share,
  influence: share,
  sampleSize: v.number(),
  referenceSize: v.number(),
});

/** Where a run of the study is kept. */
export function runFolder(folder: string, id: string): string {
  return join(folder, "runs", id);
}

function failureFile(folder: string, id: string): string {
  return join(folder, "failures", `${id}.json`);
}

/** The plan of the study in a folder. @throws BadInputError where there is none. */
export async function readPlan(folder: string): Promise<StudyPlan> {
  const path = join(folder, STUDY);
  const text = await readTextIfAny(path);
  if (text === undefined) return badInput(folder, `a folder of a study (with ${STUDY})`, "none");
  return checked(planSchema, parseJson(text, path), path) as unknown as StudyPlan;
}

/** Makes the folder one of this study; one that is it already stays as it is. @throws BadInputError for a folder of another study, or of something else. */
export async function claimFolder(folder: string, plan: StudyPlan): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, STUDY);
  if ((await readTextIfAny(path)) !== undefined) {
    refuseOther(folder, await readPlan(folder), plan);
    return;
  }
  const foreign = (await readdir(folder)).filter((name) => !name.endsWith(".tmp"));
  if (foreign.length > 0)
    badInput(folder, "an empty folder or one of this study", `one with ${foreign.slice(0, 3).join(", ")}`);
  await writeWhole(path, `${JSON.stringify(plan, null, 1)}\n`);
}

/** @throws BadInputError naming the first setting in which two plans differ. */
export function refuseOther(folder: string, found: StudyPlan, wanted: StudyPlan): void {
  const difference = firstDifference(found, JSON.parse(JSON.stringify(wanted)));
  if (difference !== undefined)
    badInput(
      `${folder}, ${difference.path}`,
      `${difference.a} as the study there has it`,
      difference.b,
      "Choose another folder, or the study file it was begun with",
    );
}

/** Marks a run as finished: written last. */
export async function writeMeasures(folder: string, id: string, measures: RunMeasures): Promise<void> {
  await writeWhole(join(runFolder(folder, id), MEASURES), `${JSON.stringify(measures)}\n`);
  await rm(failureFile(folder, id), { force: true });
}

/** The figures of a finished run, undefined for one that is not finished. */
export async function readMeasures(folder: string, id: string): Promise<RunMeasures | undefined> {
  const path = join(runFolder(folder, id), MEASURES);
  const text = await readTextIfAny(path);
  return text === undefined ? undefined : checked(measuresSchema, parseJson(text, path), path);
}

/** Keeps why a run failed; it is tried again when the study is. */
export async function writeFailure(folder: string, id: string, error: unknown): Promise<void> {
  await mkdir(join(folder, "failures"), { recursive: true });
  await writeWhole(failureFile(folder, id), `${JSON.stringify({ id, version: VERSION, message: messageOf(error) })}\n`);
}

/** What is left of every run of the plan. */
export async function readRuns(folder: string, plan: StudyPlan): Promise<readonly StudyRun[]> {
  const runs: StudyRun[] = [];
  for (const cell of plan.cells) runs.push(await readRun(folder, cell));
  return runs;
}

async function readRun(folder: string, { config: _, ...cell }: StudyCell): Promise<StudyRun> {
  const stored = await readRunFolder(runFolder(folder, cell.id));
  const measures = await readMeasures(folder, cell.id);
  const failureText = await readTextIfAny(failureFile(folder, cell.id));
  if (stored === undefined && failureText === undefined)
    return { cell, state: "missing", rounds: [], examples: [], picks: [] };
  const rounds = stored?.rounds ?? [];
  const left = { cell, rounds, examples: stored?.examples ?? [], picks: stored?.picks ?? [] };
  if (measures === undefined) {
    if (failureText === undefined)
      return { ...left, state: "unfinished", message: `after ${rounds.length} rounds, round 0 included` };
    const path = failureFile(folder, cell.id);
    return { ...left, state: "failed", message: checked(failureSchema, parseJson(failureText, path), path).message };
  }
  const { ep, version, adapter, threads } = stored?.manifest.engine ?? { ep: "no engine", version: "" };
  const engine = [ep, version, adapter, threads === undefined ? undefined : `${threads} threads`]
    .filter((part) => part !== undefined)
    .join(", ");
  return { ...left, state: "finished", engine, measures };
}

/** What the analysis needs of a study's folder. */
export async function readStudy(folder: string, plan: StudyPlan): Promise<StudyInput> {
  const { name, tasks, strategies, options, seeds, reference, targets, confidence, resamples } = plan;
  const runs = await readRuns(folder, plan);
  const labels = { tasks, strategies, options, seeds };
  return { name, version: VERSION, ...labels, reference, targets, confidence, resamples, runs };
}

/** Copies one run of another folder of the same study: whole, or not at all. Borrows nothing. */
export async function copyRun(from: string, to: string, id: string): Promise<void> {
  const target = runFolder(to, id);
  const temporary = `${target}.tmp`;
  await mkdir(join(to, "runs"), { recursive: true });
  await rm(temporary, { recursive: true, force: true });
  await cp(runFolder(from, id), temporary, { recursive: true, filter: (path) => basename(path) !== LOCK_FILE });
  await rm(target, { recursive: true, force: true });
  await rename(temporary, target);
  await rm(failureFile(to, id), { force: true });
}

/** Copies why a run failed, if it did. */
export async function copyFailure(from: string, to: string, id: string): Promise<void> {
  const text = await readTextIfAny(failureFile(from, id));
  if (text === undefined) return;
  await mkdir(join(to, "failures"), { recursive: true });
  await writeWhole(failureFile(to, id), text);
}

/** Bytes of a run's `rounds.jsonl`, empty where there is none. */
export async function roundsText(folder: string, id: string): Promise<string> {
  return (await readTextIfAny(join(runFolder(folder, id), "rounds.jsonl"))) ?? "";
}

/** Removes a finished run's student: what a report needs is in its lines. */
export async function dropCheckpoints(folder: string, id: string): Promise<void> {
  await rm(join(runFolder(folder, id), "checkpoints"), { recursive: true, force: true });
}

/** Gives a run folder free that a process on another machine held and left. */
export async function takeOver(folder: string, id: string, host: string): Promise<void> {
  const path = join(runFolder(folder, id), LOCK_FILE);
  const holder = await readFile(path, "utf8").catch(() => "");
  if (holder !== "" && holder.trim().split(" ")[1] !== host) await rm(path, { force: true });
}

function checked<T extends v.GenericSchema>(schema: T, value: unknown, where: string): v.InferOutput<T> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  return badInput(
    `${where}, ${v.getDotPath(issue) ?? "top"}`,
    issue.expected ?? "another value",
    issue.received,
    "The study's folder is damaged",
  );
}
