/**
 * @file What `--student` and `--adapter` name: a built-in student, a local directory, or a model on a hub, which
 * is fetched into the cache first. Reads the environment: HF_ENDPOINT, HF_TOKEN (else the token that
 * `hf auth login` keeps), TUTELAGE_CACHE.
 */
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { BadInputError, TutelageError } from "../core/errors.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { directorySource } from "../formats/node/directorySource.ts";
import { fetchModel } from "../hub/fetchModel.ts";
import { HubClient } from "../hub/hubClient.ts";
import { DEFAULT_REVISION, HUB_PREFIX, parseHubId, requireHubId, type HubId } from "../hub/hubId.ts";
import { ModelCache } from "../hub/modelCache.ts";
import { folderFiles } from "../hub/node/folderFiles.ts";
import { createNodeHasher } from "../hub/node/nodeHasher.ts";
import type { HubKind } from "../hub/types.ts";
import { BUILTIN, BUILTIN_STUDENT_TASKS, builtinStudentFolder, isBuiltinStudent } from "../student/builtinFiles.ts";
import { builtinStudentDirectory } from "./builtinStudent.ts";
import { withInterrupt } from "./interrupt.ts";
import type { Output } from "./output.ts";

/** Help for an option that names a student. */
export const STUDENT_HELP =
  "student: a directory (config.json, model.safetensors, tokenizer.json), a model on the hub, org/name[@revision], or builtin[:TASK]";

/** Help for an option that names an adapter, after what becomes of it. */
export const ADAPTER_HELP = "a directory or, on the hub, org/name[@revision]";

/** The cache of models: `$TUTELAGE_CACHE`, else `tutelage` in the user's cache folder. */
export function modelCache(): ModelCache {
  return new ModelCache(folderFiles(join(cacheRoot(), "models")));
}

/** Folder of everything that is fetched once and kept. */
export function cacheRoot(): string {
  const { TUTELAGE_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  return resolve(isSet(own) ? own : join(isSet(shared) ? shared : join(homedir(), ".cache"), "tutelage"));
}

/**
 * Files of a student, with a word on where they are from; a model that is not in the cache is fetched. `builtin` is
 * the student made for `task`. @throws BadInputError and network errors as `fetchModel`.
 */
export async function openStudentSource(text: string, output: Output, task?: string): Promise<FileSource> {
  if (isBuiltinStudent(text)) {
    if (text === BUILTIN && task !== undefined && !BUILTIN_STUDENT_TASKS.includes(task))
      output.note(
        `warning: no built-in student was made for the task ${task}; the one for word problems takes its place and will hardly get anything right`,
      );
    return directorySource(builtinStudentDirectory(text, task));
  }
  return openNamedSource(text, "student", output);
}

/** Files of an adapter, as PEFT's `from_pretrained` finds them. @throws as `openStudentSource`. */
export function openAdapterSource(text: string, output: Output): Promise<FileSource> {
  return openNamedSource(text, "adapter", output);
}

async function openNamedSource(text: string, kind: HubKind, output: Output): Promise<FileSource> {
  const model = await hubIdOf(text, kind, output);
  return model === undefined ? directorySource(text) : (await fetchFromHub(text, model, kind, output)).source;
}

/**
 * The student as a run's manifest keeps it, so that a resumed run finds the same one from
 * anywhere: a whole path, a model at a commit, which is in the cache then, or a built-in one's name.
 * @param base the folder that a relative path counts from.
 */
export async function pinStudent(text: string, base: string, output: Output): Promise<string> {
  if (isBuiltinStudent(text)) {
    builtinStudentFolder(text);
    return text;
  }
  return pin(text, base, "student", output);
}

/** An adapter as a run's manifest keeps it, as `pinStudent`. */
export function pinAdapter(text: string, base: string, output: Output): Promise<string> {
  return pin(text, base, "adapter", output);
}

async function pin(text: string, base: string, kind: HubKind, output: Output): Promise<string> {
  const local = resolve(base, text);
  const model = (await isDirectory(local)) ? undefined : await hubIdOf(text, kind, output);
  if (model === undefined) return local;
  const { id, commit } = await fetchFromHub(text, model, kind, output);
  return `${HUB_PREFIX}${id}@${commit}`;
}

/** The model on a hub that is meant, undefined for a directory. A directory of that name wins. */
async function hubIdOf(text: string, kind: HubKind, output: Output): Promise<HubId | undefined> {
  if (text.startsWith(HUB_PREFIX)) return requireHubId(text.slice(HUB_PREFIX.length), `--${kind}`);
  const model = parseHubId(text);
  if (model === undefined || !(await isDirectory(text))) return model;
  output.note(`${kind}: the directory ${text}; for the model of that name on the hub write ${HUB_PREFIX}${text}`);
  return undefined;
}

async function fetchFromHub(text: string, model: HubId, kind: HubKind, output: Output): ReturnType<typeof fetchModel> {
  const token = await readToken();
  const endpoint = process.env["HF_ENDPOINT"];
  const client = new HubClient({
    ...(isSet(endpoint) ? { endpoint } : {}),
    ...(token === undefined ? {} : { token }),
  });
  const startedMs = performance.now();
  let found = false;
  const fetched = await withInterrupt((signal) =>
    fetchModel(client, modelCache(), model, {
      kind,
      signal,
      createHasher: createNodeHasher,
      onProgress: ({ path, loadedBytes, totalBytes, bytesPerSecond }) => {
        found = true;
        output.progress(
          `${model.id}: ${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}, ${formatBytes(bytesPerSecond)}/s  ${path}`,
        );
      },
      onWarning: (message) => output.note(`warning: ${message}`),
    }),
  ).catch((error: unknown) => {
    // It may have been meant as a path.
    if (!(error instanceof TutelageError) || error.code === "aborted" || text.startsWith(HUB_PREFIX)) throw error;
    const message = `${error.message} (there is no directory ${text} here either)`;
    // Nothing tells a mistyped path from a model while no hub has answered: what was given names nothing that is there.
    throw error instanceof BadInputError || (error.code === "network" && !found)
      ? new BadInputError(message, { cause: error })
      : new TutelageError(error.code, message, { cause: error });
  });
  const { id, commit, fetchedBytes } = fetched;
  const seconds = (performance.now() - startedMs) / 1000;
  const how =
    fetchedBytes === 0
      ? "from the cache"
      : `${formatBytes(fetchedBytes)} fetched in ${seconds.toFixed(1)} s, ${formatBytes(fetchedBytes / seconds)}/s`;
  const revision = model.revision === DEFAULT_REVISION ? "" : `@${model.revision}`;
  output.note(`${kind}: ${id}${revision} of ${client.endpoint} at commit ${commit.slice(0, 8)} (${how})`);
  return fetched;
}

/** The user's token: HF_TOKEN, else the file that huggingface_hub keeps it in. Never printed. */
async function readToken(): Promise<string | undefined> {
  const { HF_TOKEN: token, HF_TOKEN_PATH: path, HF_HOME: home } = process.env;
  if (isSet(token)) return token.trim();
  const file = isSet(path) ? path : join(isSet(home) ? home : join(homedir(), ".cache", "huggingface"), "token");
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== "";
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** 269,000,000 → `269 MB`. */
export function formatBytes(bytes: number): string {
  const [unit, size] = (
    [
      ["GB", 1e9],
      ["MB", 1e6],
      ["kB", 1e3],
    ] as const
  ).find(([, least]) => bytes >= least) ?? ["B", 1];
  const value = bytes / size;
  return `${value < 10 && size > 1 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}
