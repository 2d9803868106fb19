/**
 * @file Options that choose a teacher, the same for every command that asks one, and
 * where its key comes from: the environment, never an option, which would stay in the
 * shell's history and in the list of processes.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { badInput } from "../core/errors.ts";
import { parseJson } from "../formats/json.ts";
import { readTextFile } from "../formats/node/directorySource.ts";
import { openReplyCache } from "../storage/node/replyCacheFile.ts";
import type { Task } from "../tasks/types.ts";
import type { HoldModel } from "../teacher/local/localChat.ts";
import { LocalShelf } from "../teacher/local/localShelf.ts";
import { threadHost } from "../teacher/local/threadHost.ts";
import { openTransformersModel } from "../teacher/local/transformersModel.ts";
import { chatProviderOf, createTeacher, teacherNames } from "../teacher/registry.ts";
import type { TeacherSettings } from "../teacher/registry.ts";
import { LOCAL_DEVICES, LOCAL_DTYPES } from "../teacher/config.ts";
import type { HttpProvider } from "../teacher/config.ts";
import type { Teacher } from "../teacher/types.ts";
import type { Options, OptionSpecs } from "./options.ts";
import type { Output } from "./output.ts";
import { cacheRoot, formatBytes } from "./studentSource.ts";

/** Environment variables with a key, of any provider and of one. */
const KEY_VARIABLE = "TUTELAGE_TEACHER_KEY";
const PROVIDER_VARIABLES: Readonly<Record<HttpProvider, readonly string[]>> = {
  openai: ["OPENAI_API_KEY"],
  anthropic: ["ANTHROPIC_API_KEY"],
  google: ["GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY"],
};

/** Where replies are kept unless told otherwise. */
export const DEFAULT_REPLY_CACHE = join("runs", "teacher-cache.jsonl");

/** Options of the teacher, without `--teacher` itself. */
export const TEACHER_OPTIONS: OptionSpecs = {
  "teacher-url": { value: "URL", description: "where a chat teacher is asked (default: the provider's own address)" },
  "teacher-model": { value: "NAME", description: "model of a chat teacher" },
  "teacher-dtype": { value: LOCAL_DTYPES.join("|"), description: "weights of --teacher transformers (default: q4)" },
  "teacher-device": {
    value: LOCAL_DEVICES.join("|"),
    description: "where --teacher transformers runs (default: auto, here the CPU)",
  },
  "teacher-calls": { value: "two|one", description: "question and answer in two calls or one (default: two)" },
  "teacher-structured": {
    value: "schema|json|prompt",
    description: "how JSON is asked for (default: schema); models without structured output need json or prompt",
  },
  "teacher-stream": { description: "read replies as they are written" },
  "teacher-temperature": { value: "X", description: "sampling temperature (default: the model's own)" },
  "teacher-max-output-tokens": { value: "N", description: "longest reply (default: 1024)" },
  "teacher-timeout": { value: "SECONDS", description: "for one request (default: 60)" },
  "teacher-retries": { value: "N", description: "tries after the first, where a failure may pass (default: 5)" },
  "teacher-concurrency": { value: "N", description: "requests in flight at once (default: 4)" },
  "teacher-rpm": { value: "N", description: "requests per minute (default: no limit)" },
  "teacher-tpm": { value: "N", description: "tokens per minute (default: no limit)" },
  "teacher-max-requests": { value: "N", description: "ceiling of requests, retries included (default: none)" },
  "teacher-max-tokens": { value: "N", description: "ceiling of prompt and completion tokens (default: none)" },
  "teacher-max-cost": { value: "USD", description: "ceiling of money; needs --teacher-price (default: none)" },
  "teacher-max-minutes": { value: "X", description: "ceiling of time from the first request (default: none)" },
  "teacher-price": { value: "IN,OUT", description: "US dollars per million prompt and completion tokens" },
  "teacher-prompts": { value: "FILE", description: "JSON with templates in place of the built-in ones" },
  "teacher-cache": {
    value: "FILE|off",
    description: `replies that are not asked for twice (default: ${DEFAULT_REPLY_CACHE})`,
  },
};

/** Says where keys come from; for `--help`. */
export const KEY_HELP = `A chat teacher's key is read from ${KEY_VARIABLE}; where the provider's own address is asked, also from ${Object.values(PROVIDER_VARIABLES).flat().join(", ")}. It is never stored.`;

/** The settings that the options name, to be laid over those of an experiment file; undefined values were not given. */
export async function chatOptions(options: Options): Promise<Readonly<Record<string, unknown>>> {
  const given = <T>(name: string, read: (name: string) => T): T | undefined =>
    options.given(name) ? read(name) : undefined;
  const whole = (name: string): number => options.integer(name);
  const real = (name: string): number => options.number(name);
  const text = (name: string): string => options.requiredText(name);
  const path = given("teacher-prompts", text);
  return defined({
    url: given("teacher-url", text),
    model: given("teacher-model", text),
    dtype: given("teacher-dtype", text),
    device: given("teacher-device", text),
    calls: given("teacher-calls", text),
    structured: given("teacher-structured", text),
    stream: options.flag("teacher-stream") ? true : undefined,
    temperature: given("teacher-temperature", real),
    maxOutputTokens: given("teacher-max-output-tokens", whole),
    timeoutSeconds: given("teacher-timeout", real),
    retries: given("teacher-retries", whole),
    concurrency: given("teacher-concurrency", whole),
    price: given("teacher-price", (name) => priceOf(text(name))),
    prompts: path === undefined ? undefined : parseJson(await readTextFile(path), path),
    limits: nonEmpty({
      requestsPerMinute: given("teacher-rpm", whole),
      tokensPerMinute: given("teacher-tpm", whole),
      maxRequests: given("teacher-max-requests", whole),
      maxTokens: given("teacher-max-tokens", whole),
      maxCostUsd: given("teacher-max-cost", real),
      maxMinutes: given("teacher-max-minutes", real),
    }),
  });
}

/**
 * The teacher of an experiment, with the key that the environment holds for it and the shared cache.
 * @throws BadInputError when its provider needs a key and there is none.
 */
export async function openTeacher(
  settings: TeacherSettings,
  task: Task,
  options: Options,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Teacher> {
  const provider = chatProviderOf(settings.name);
  if (provider === undefined) return createTeacher(settings, task);
  const cachePath = options.text("teacher-cache") ?? DEFAULT_REPLY_CACHE;
  const cache = cachePath === "off" ? undefined : await openReplyCache(cachePath);
  if (provider === "transformers") return createTeacher(settings, task, { cache, holdModel: holdLocally() });
  return createTeacher(settings, task, { key: keyOf(provider, settings.chat?.url, environment), cache });
}

/** Models run in this process; a directory here is meant before a name on the hub. */
function holdLocally(): HoldModel {
  const cacheDir = join(cacheRoot(), "transformers");
  const shelf = new LocalShelf(() =>
    threadHost((settings, onProgress) => openTransformersModel(settings, { onProgress, cacheDir })),
  );
  return (settings) =>
    shelf.hold({ ...settings, model: existsSync(settings.model) ? resolve(settings.model) : settings.model });
}

/** Fetches and loads a teacher's model, where it has one, and says where it runs. */
export async function prepareTeacher(teacher: Teacher, output: Output, signal: AbortSignal): Promise<void> {
  const found = await teacher.prepare?.({
    signal,
    onProgress: ({ id, path, loadedBytes, totalBytes }) =>
      output.progress(`${id}: ${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}  ${path}`),
  });
  if (found !== undefined)
    output.note(
      `teacher: ${teacher.name}, ${found.dtype}, on ${found.device}${found.fallbackReason === undefined ? "" : ` (${found.fallbackReason})`}`,
    );
}

/** A provider's own variable is sent to that provider alone. */
function keyOf(
  provider: HttpProvider,
  url: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const names = [KEY_VARIABLE, ...(url === undefined ? PROVIDER_VARIABLES[provider] : [])];
  const key = names.map((name) => environment[name]?.trim()).find((value) => value !== undefined && value !== "");
  if (key === undefined && (url === undefined || provider !== "openai"))
    badInput(`teacher ${provider}`, `a key in the environment (${names.join(" or ")})`, "none");
  return key;
}

/** Refuses a key given as an option, without repeating it. */
export function refuseKeyOption(args: readonly string[]): void {
  if (args.some((arg) => /^--(?:teacher-)?(?:api-)?key(?:=|$)/.test(arg)))
    badInput("teacher", "its key in the environment", "an option with a key", `Set ${KEY_VARIABLE} instead`);
}

function priceOf(text: string): { readonly promptUsd: number; readonly completionUsd: number } {
  const [prompt, completion, ...rest] = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (prompt === undefined || completion === undefined || rest.length > 0 || !(prompt >= 0) || !(completion >= 0))
    badInput("--teacher-price", "two numbers such as 0.15,0.6", JSON.stringify(text));
  return { promptUsd: prompt, completionUsd: completion };
}

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function nonEmpty(values: Record<string, unknown>): Record<string, unknown> | undefined {
  const set = defined(values);
  return Object.keys(set).length === 0 ? undefined : set;
}

/** `--teacher` as every command offers it. */
export const TEACHER_NAME_OPTION = { value: teacherNames.join("|"), description: "teacher" } as const;
