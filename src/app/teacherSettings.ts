/**
 * @file The part of the settings that is about a chat teacher: checked, and as experiments
 * have it. Ceilings and rates are of the whole race: each lane gets its share. Never a key.
 */
import type { ChatSettings } from "../teacher/config.ts";
import type { NumberName, TeacherChoice } from "./choices.ts";
import { REPLY_FORMS, TEACHER_DEVICES, TEACHER_DTYPES, TEACHERS } from "./choices.ts";
import type { SettingName, SettingsDraft } from "./settings.ts";

/** Nobody to ask: the picked seeds' own pairs are trained on. */
export interface NoTeacher {
  readonly name: "none";
}

export interface ChatTeacherSettings {
  readonly name: Exclude<TeacherChoice, "solver" | "none">;
  readonly chat: Pick<ChatSettings, "model" | "limits"> &
    Partial<
      Pick<
        ChatSettings,
        "url" | "price" | "dtype" | "device" | "structured" | "maxOutputTokens" | "timeoutSeconds" | "concurrency"
      >
    >;
}

type Errors = Partial<Record<SettingName, string>>;

/** Reads fields of a draft, and notes in `errors` what is wrong with one. */
export interface FieldReader {
  readonly errors: Errors;
  readonly number: (name: NumberName) => number;
  /** Undefined for an empty field. */
  readonly optional: (name: NumberName) => number | undefined;
  readonly oneOf: <K extends string>(name: SettingName, options: Readonly<Record<K, string>>) => K;
}

/** Of a model in the tab, which may take a second for a few tokens: a small one that does not come to an end never does. */
const LOCAL_OUTPUT_TOKENS = 400;

/** Texts that only keys look like: a known beginning, or a run of letters and digits no name has. */
const KEY = /(?:^|[^a-z0-9])(?:sk|pk|hf|gsk|xai|ghp|pat|key|api|AIza)[-_]?[a-z0-9][-_a-z0-9]{18,}/i;

/** Whether a text would give a key away if it were stored or shared. */
export function looksLikeKey(text: string): boolean {
  return KEY.test(text);
}

/** Notes a key in a field that is stored and shared. */
export function noKey(draft: SettingsDraft, name: SettingName, errors: Errors): void {
  if (looksLikeKey(draft[name])) errors[name] = "This looks like a key: it belongs into a field for keys.";
}

/** An http(s) address with nowhere to hide a key. */
export function isPlainAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === "");
}

/** The teacher that `draft` asks for, of a race with so many lanes; undefined for the built-in one. */
export function teacherOf(
  draft: SettingsDraft,
  lanes: number,
  read: FieldReader,
): ChatTeacherSettings | NoTeacher | undefined {
  const { errors, number, optional, oneOf } = read;
  const name = oneOf("teacher", TEACHERS);
  if (name === "solver" || errors.teacher !== undefined) return undefined;
  if (name === "none") return { name };
  const amount = (field: "teacherPromptPrice" | "teacherCompletionPrice" | "teacherBudget"): number | undefined => {
    const text = draft[field].trim();
    if (text === "") return undefined;
    const value = Number(text);
    if (!/^\d*\.?\d+$/.test(text) || value > 1_000_000) errors[field] = "An amount such as 0.15, or nothing, please.";
    return value;
  };
  const url = draft.teacherUrl.trim();
  const model = draft.teacherModel.trim();
  if (model === "") errors.teacherModel = "The model's name, please.";
  if (url !== "" && !isPlainAddress(url))
    errors.teacherUrl = "An address such as http://localhost:11434/v1, without user, key or question mark, please.";
  else if (/\/(?:chat\/completions|messages|models)\/*$/.test(url))
    errors.teacherUrl = "The address before /chat/completions, /messages or /models, please: often it ends in /v1.";
  noKey(draft, "teacherModel", errors);
  noKey(draft, "teacherUrl", errors);
  const promptUsd = amount("teacherPromptPrice");
  const completionUsd = amount("teacherCompletionPrice");
  const budget = amount("teacherBudget");
  const price = promptUsd === undefined || completionUsd === undefined ? undefined : { promptUsd, completionUsd };
  if (budget !== undefined && price === undefined)
    errors.teacherBudget ??= "Both prices are needed to count with, please.";
  const share = (field: NumberName): number | undefined => {
    const value = optional(field);
    return value === undefined ? undefined : Math.floor(value / lanes);
  };
  const local = name === "transformers";
  return {
    name,
    chat: {
      model,
      ...(local
        ? { dtype: oneOf("teacherDtype", TEACHER_DTYPES), device: oneOf("teacherDevice", TEACHER_DEVICES) }
        : { structured: oneOf("teacherStructured", REPLY_FORMS) }),
      ...given({
        url: url === "" ? undefined : url,
        price,
        maxOutputTokens: optional("teacherReplyTokens") ?? (local ? LOCAL_OUTPUT_TOKENS : undefined),
        timeoutSeconds: optional("teacherTimeout"),
        concurrency: local ? undefined : optional("teacherConcurrency"),
      }),
      limits: {
        maxRequests: Math.floor(number("teacherRequests") / lanes),
        ...given({
          maxCostUsd: budget === undefined ? undefined : budget / lanes,
          maxTokens: share("teacherTokens"),
          // Lanes are taught one after another or at once: minutes are of the clock, not shared.
          maxMinutes: optional("teacherMinutes"),
          requestsPerMinute: local ? undefined : share("teacherRpm"),
          tokensPerMinute: local ? undefined : share("teacherTpm"),
        }),
      },
    },
  };
}

/** The entries that have a value. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
