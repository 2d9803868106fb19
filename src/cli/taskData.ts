/** @file Data files of the task "custom" on the command line: read, described in the experiment, made into the task's options. */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { badInput } from "../core/errors.ts";
import { readTextFile } from "../formats/node/directorySource.ts";
import { parseTable } from "../formats/table.ts";
import type { ExperimentConfig, TaskData } from "../loop/config.ts";
import { parseExperimentConfig } from "../loop/parseConfig.ts";
import { availableQuestions, type CustomOptions } from "../tasks/custom/custom.ts";
import { resolveSettings } from "../tasks/custom/resolve.ts";
import type { ColumnMapping } from "../tasks/custom/settings.ts";
import type { DataTable } from "../tasks/types.ts";

const FILES = ["pool", "validation", "test"] as const;
const MAPPING_FORM = "question=NAME[+NAME...],answer=NAME[+NAME...][,options=NAME][,level=NAME]";

/** The mapping that `--columns` writes as `question=context+question,answer=answer`. @throws BadInputError for any other text. */
export function parseColumns(text: string): ColumnMapping {
  const given: Record<string, readonly string[]> = {};
  for (const part of text.split(",")) {
    const [key = "", names, ...more] = part.split("=");
    const list = names?.split("+").map((name) => name.trim()) ?? [];
    const known = ["question", "answer", "options", "level"].includes(key.trim()) && !(key.trim() in given);
    const single = key.trim() === "options" || key.trim() === "level";
    if (!known || more.length > 0 || list.length === 0 || list.includes("") || (single && list.length > 1))
      badInput(
        "--columns",
        MAPPING_FORM,
        JSON.stringify(text),
        "Column names with , + or = go into an experiment file",
      );
    given[key.trim()] = list;
  }
  const { question, answer = [], options, level } = given;
  if (question === undefined) return badInput("--columns", MAPPING_FORM, JSON.stringify(text));
  return {
    question,
    answer,
    ...(options?.[0] === undefined ? {} : { options: options[0] }),
    ...(level?.[0] === undefined ? {} : { level: level[0] }),
  };
}

/** Data with its files' paths made absolute from the folder of `file`; paths of the command line, where `file` is undefined, from here. */
export function placeData(data: TaskData, file: string | undefined): TaskData {
  const base = file === undefined ? "." : dirname(file);
  const paths = FILES.flatMap((split) => {
    const path = data[split];
    return path === undefined ? [] : [[split, resolve(base, path)] as const];
  });
  return { ...data, ...Object.fromEntries(paths) };
}

/**
 * The data of the run in `folder`. A run that was exported by the page names files without a place: they lie beside it, under
 * `data/HASH`, where the exported file was unpacked. Elsewhere, and for runs of a terminal, the data as they are.
 */
export async function dataOfRun(data: TaskData, folder: string): Promise<TaskData> {
  if (data.digest === undefined) return data;
  const beside = resolve(folder, "..", "data", data.digest);
  const names = await readdir(beside).catch((): string[] => []);
  const found = FILES.flatMap((split) => {
    const name = names.find((one) => one.startsWith(`${split}.`));
    return name === undefined ? [] : [[split, join(beside, name)] as const];
  });
  return { ...data, ...Object.fromEntries(found) };
}

/**
 * The options of the task over the files, and the data with everything found filled in (columns, checker, digest).
 * @throws BadInputError for files that cannot be read or do not fit, and for files whose content is not what `data.digest` says.
 */
export async function loadTaskData(
  data: TaskData,
): Promise<{ readonly options: CustomOptions; readonly data: TaskData & { readonly digest: string } }> {
  const hash = createHash("sha256");
  const read = async (path: string) => {
    const text = await readTextFile(path);
    hash.update(`${text.length} `).update(text);
    const table = parseTable(text, path);
    refuseRepeatedIds(table);
    return table;
  };
  const pool = await read(data.pool);
  const validation = data.validation === undefined ? undefined : await read(data.validation);
  const test = data.test === undefined ? undefined : await read(data.test);
  const digest = hash.digest("hex");
  if (data.digest !== undefined && data.digest !== digest)
    badInput(
      "task.data",
      `the files that the run began with (SHA-256 ${data.digest.slice(0, 12)}...)`,
      `other content (${digest.slice(0, 12)}...)`,
      "Put the files back as they were, or start a new run",
    );
  const settings = resolveSettings(pool, data);
  const tables = { pool, ...(validation === undefined ? {} : { validation }), ...(test === undefined ? {} : { test }) };
  return { options: { ...settings, tables }, data: { ...data, ...settings, digest } };
}

/** Rows may have ids of their own; two with one id are a mistake in making the file. */
function refuseRepeatedIds({ rows }: DataTable): void {
  const seen = new Map<string, string>();
  for (const { at, values } of rows) {
    const { id } = values;
    if (typeof id !== "string" && typeof id !== "number") continue;
    const before = seen.get(String(id));
    if (before !== undefined)
      badInput(`${at}, id`, "an id of its own", `${JSON.stringify(id)} again`, `The other is at ${before}`);
    seen.set(String(id), at);
  }
}

/** An experiment whose data are read. */
export interface LoadedExperiment {
  readonly config: ExperimentConfig;
  readonly custom: CustomOptions;
  /** One line about what the files were taken for. */
  readonly note: string;
}

/**
 * A new experiment with its data read and described. Splits whose size nobody gave hold what there is, up to their default.
 * @throws BadInputError as `loadTaskData`, and for sizes over what the data hold.
 */
export async function loadExperimentData(
  config: ExperimentConfig,
  asked: TaskData,
  givenSizes: readonly string[],
  where: string,
): Promise<LoadedExperiment> {
  const { options, data } = await loadTaskData(asked);
  const available = availableQuestions(options);
  const sizes = Object.fromEntries(
    FILES.map((split) => [
      split,
      givenSizes.includes(split) ? config.task[split] : Math.min(config.task[split], available[split]),
    ]),
  );
  const told = FILES.map((split) => `${available[split]} for ${split}`).join(", ");
  return {
    config: parseExperimentConfig({ ...config, task: { ...config.task, ...sizes, data } }, where),
    custom: options,
    note: `${describeData(data)}; ${told}`,
  };
}

/** One line about what the files were taken for. */
function describeData({ columns, checker }: TaskData): string {
  const part = (name: string, list: readonly string[]): string =>
    list.length === 0 ? "" : `${name} = ${list.join(" + ")}, `;
  return `task data: ${part("question", columns?.question ?? [])}${part("answer", columns?.answer ?? [])}${part("options", columns?.options === undefined ? [] : [columns.options])}checker ${checker ?? ""}`;
}
