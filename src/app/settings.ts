/**
 * @file The settings a visitor can change: as typed (text), checked (numbers), in
 * the page's address (so that a run is a link), and as the experiments sent to the
 * worker. Everything not here keeps the loop's own default.
 */
import { DEFAULT_EXPERIMENT } from "../loop/defaults.ts";
import type { ChatSettings } from "../teacher/config.ts";
import { STRATEGIES as ALL_STRATEGIES, type StrategyName } from "../selection/strategies.ts";

/** Strategies on offer, with one sentence each: all that need no further setting. */
export const STRATEGIES = Object.fromEntries(
  Object.entries(ALL_STRATEGIES)
    .filter(([, entry]) => !("requires" in entry))
    .map(([name, { description }]) => [name, description]),
) as Readonly<Record<Exclude<StrategyName, "rho-loss">, string>>;

/** Providers on offer in a tab, with what each means. */
export const PROVIDERS = {
  auto: "WebGPU if it passes its self-test, else WASM",
  webgpu: "The GPU, or an error that says why not",
  wasm: "The CPU, in every current browser",
} as const;

export type ProviderChoice = keyof typeof PROVIDERS;

/** Teachers on offer, with what each means. */
export const TEACHERS = {
  solver: "The task's own exact solver: no key, no network, instant",
  openai: "A server with an OpenAI-compatible API: OpenAI, OpenRouter, Groq, Ollama, LM Studio, vLLM, …",
  anthropic: "Anthropic's API",
  google: "Google's Gemini API",
} as const;

/** Names of the teachers for people. */
export const TEACHER_LABELS: Readonly<Record<keyof typeof TEACHERS, string>> = {
  solver: "Built-in solver",
  openai: "OpenAI-compatible",
  anthropic: "Anthropic",
  google: "Google",
};

export type TeacherChoice = keyof typeof TEACHERS;

/** Students on offer, with what each means. */
export const STUDENTS = {
  "built-in": "Small, at hand, pretrained for the built-in task",
  hub: "A model on the Hugging Face hub, fetched once and kept in this browser",
  folder: "A model in a folder on this machine; nothing is copied",
} as const;

export const STUDENT_LABELS: Readonly<Record<keyof typeof STUDENTS, string>> = {
  "built-in": "Built-in",
  hub: "Hugging Face hub",
  folder: "Folder on this machine",
};

/** Settings as typed. */
export interface SettingsDraft {
  readonly student: string;
  /** Of the hub: org/name, or org/name@revision. */
  readonly model: string;
  /** Name of the folder that was picked, empty when none was. */
  readonly folder: string;
  readonly teacher: string;
  /** Empty: the provider's own address. */
  readonly teacherUrl: string;
  readonly teacherModel: string;
  /** Of the whole race, both lanes together. */
  readonly teacherRequests: string;
  /** US dollars per million tokens; empty when not known. */
  readonly teacherPromptPrice: string;
  readonly teacherCompletionPrice: string;
  /** US dollars for the whole race; empty for no ceiling. */
  readonly teacherBudget: string;
  readonly seed: string;
  readonly rounds: string;
  readonly querySize: string;
  readonly perSeed: string;
  readonly pool: string;
  readonly heldOut: string;
  readonly epochs: string;
  readonly strategyA: string;
  readonly strategyB: string;
  readonly provider: string;
}

/** Settings that may be run. */
export interface Settings {
  /** As experiments name it: `builtin`, `hub:org/name@revision`, `folder:name`. */
  readonly student: string;
  /** As experiments have it, without a key; undefined for the loop's own teacher. */
  readonly teacher: ChatTeacherSettings | undefined;
  readonly seed: number;
  readonly rounds: number;
  readonly querySize: number;
  readonly perSeed: number;
  readonly pool: number;
  readonly heldOut: number;
  readonly epochs: number;
  readonly strategies: readonly [StrategyName, StrategyName];
  readonly provider: ProviderChoice;
}

export interface ChatTeacherSettings {
  readonly name: Exclude<TeacherChoice, "solver">;
  readonly chat: Pick<ChatSettings, "model" | "limits"> & Partial<Pick<ChatSettings, "url" | "price">>;
}

export type SettingName = keyof SettingsDraft;

export type CheckedSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly errors: Readonly<Partial<Record<SettingName, string>>> };

/** Lanes of a race. */
const LANE_COUNT = 2;

const { task, training, seed, rounds, querySize, perSeed, strategy } = DEFAULT_EXPERIMENT;

/** What the page starts with: the loop's own default experiment, its strategy against chance. */
export const DEFAULT_DRAFT: SettingsDraft = {
  student: "built-in",
  model: "",
  folder: "",
  teacher: "solver",
  teacherUrl: "",
  teacherModel: "",
  teacherRequests: "1000",
  teacherPromptPrice: "",
  teacherCompletionPrice: "",
  teacherBudget: "",
  seed: String(seed),
  rounds: String(rounds),
  querySize: String(querySize),
  perSeed: String(perSeed),
  pool: String(task.pool),
  heldOut: String(task[task.evaluateOn]),
  epochs: String(training.epochs),
  strategyA: "random",
  strategyB: strategy.name,
  provider: "auto",
};

/** Bounds of the whole numbers, both ends included. A round picks at most the whole pool. */
export const BOUNDS = {
  seed: { low: 0, high: 2_147_483_647 },
  rounds: { low: 1, high: 100 },
  querySize: { low: 1, high: 1000 },
  perSeed: { low: 1, high: 20 },
  pool: { low: 1, high: 1000 },
  heldOut: { low: 1, high: 1000 },
  epochs: { low: 1, high: 100 },
  teacherRequests: { low: 2, high: 1_000_000 },
} as const;

/** The settings, or what is wrong with each field. */
export function checkSettings(draft: SettingsDraft): CheckedSettings {
  const errors: Partial<Record<SettingName, string>> = {};
  const whole = (name: keyof typeof BOUNDS): number => {
    const { low, high } = BOUNDS[name];
    const text = draft[name].trim();
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high)
      errors[name] = `A whole number from ${low} to ${high}, please.`;
    return value;
  };
  const oneOf = <K extends string>(name: SettingName, options: Readonly<Record<K, string>>): K => {
    const value = draft[name];
    if (!Object.hasOwn(options, value)) errors[name] = `One of ${Object.keys(options).join(", ")}, please.`;
    return value as K;
  };
  const studentOf = (): string => {
    const choice = oneOf("student", STUDENTS);
    const model = draft.model.trim();
    if (choice === "hub" && !/^[\w.-]+\/[\w.-]+(@[\w./-]+)?$/.test(model))
      errors.model = "A model as org/name or org/name@revision, please.";
    if (choice === "folder" && draft.folder === "") errors.folder = "Choose the folder, please.";
    return choice === "hub" ? `hub:${model}` : choice === "folder" ? `folder:${draft.folder}` : "builtin";
  };
  const amount = (name: "teacherPromptPrice" | "teacherCompletionPrice" | "teacherBudget"): number | undefined => {
    const text = draft[name].trim();
    if (text === "") return undefined;
    const value = Number(text);
    if (!/^\d*\.?\d+$/.test(text) || value > 1_000_000) errors[name] = "An amount such as 0.15, or nothing, please.";
    return value;
  };
  const teacherOf = (): ChatTeacherSettings | undefined => {
    const name = oneOf("teacher", TEACHERS);
    if (name === "solver" || errors.teacher !== undefined) return undefined;
    const url = draft.teacherUrl.trim();
    const model = draft.teacherModel.trim();
    if (model === "") errors.teacherModel = "The model's name, please.";
    if (url !== "" && !isPlainAddress(url))
      errors.teacherUrl = "An address such as http://localhost:11434/v1, without user, key or question mark, please.";
    const requests = whole("teacherRequests");
    const promptUsd = amount("teacherPromptPrice");
    const completionUsd = amount("teacherCompletionPrice");
    const budget = amount("teacherBudget");
    const price = promptUsd === undefined || completionUsd === undefined ? undefined : { promptUsd, completionUsd };
    if (budget !== undefined && price === undefined)
      errors.teacherBudget ??= "Both prices are needed to count with, please.";
    return {
      name,
      chat: {
        model,
        ...(url === "" ? {} : { url }),
        ...(price === undefined ? {} : { price }),
        // Each lane is a run with a ceiling of its own.
        limits: {
          maxRequests: Math.floor(requests / LANE_COUNT),
          ...(budget === undefined ? {} : { maxCostUsd: budget / LANE_COUNT }),
        },
      },
    };
  };
  const settings: Settings = {
    student: studentOf(),
    teacher: teacherOf(),
    seed: whole("seed"),
    rounds: whole("rounds"),
    querySize: whole("querySize"),
    perSeed: whole("perSeed"),
    pool: whole("pool"),
    heldOut: whole("heldOut"),
    epochs: whole("epochs"),
    strategies: [oneOf("strategyA", STRATEGIES), oneOf("strategyB", STRATEGIES)],
    provider: oneOf("provider", PROVIDERS),
  };
  if (errors.querySize === undefined && errors.pool === undefined && settings.querySize > settings.pool)
    errors.querySize = `At most the pool's ${settings.pool}, please: the picks of a round are distinct.`;
  return Object.keys(errors).length === 0 ? { ok: true, settings } : { ok: false, errors };
}

/** An http(s) address with nowhere to hide a key. */
function isPlainAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === "");
}

/** Tokens of one request and its reply, for an estimate: about what the built-in prompts and a short answer take. */
const TOKENS_PER_CALL = { prompt: 350, completion: 120 } as const;
const CALLS_PER_PAIR = 2;

/** What a race with a chat teacher asks for in all, roughly; `costUsd` null without prices. */
export function estimateTeacher({ teacher, rounds, querySize, perSeed }: Settings): {
  readonly requests: number;
  readonly tokens: number;
  readonly costUsd: number | null;
} {
  const requests = LANE_COUNT * rounds * querySize * perSeed * CALLS_PER_PAIR;
  const { prompt, completion } = TOKENS_PER_CALL;
  const price = teacher?.chat.price;
  return {
    requests,
    tokens: requests * (prompt + completion),
    costUsd:
      price === undefined ? null : (requests * (prompt * price.promptUsd + completion * price.completionUsd)) / 1e6,
  };
}

/** Short names of the settings in the page's address. */
const ADDRESS_NAMES: Readonly<Record<Exclude<SettingName, "folder">, string>> = {
  student: "student",
  model: "model",
  teacher: "teacher",
  teacherUrl: "at",
  teacherModel: "says",
  teacherRequests: "requests",
  teacherPromptPrice: "in",
  teacherCompletionPrice: "out",
  teacherBudget: "usd",
  seed: "seed",
  rounds: "rounds",
  querySize: "query",
  perSeed: "each",
  pool: "pool",
  heldOut: "test",
  epochs: "epochs",
  strategyA: "a",
  strategyB: "b",
  provider: "ep",
};

const NAMES = Object.keys(ADDRESS_NAMES) as (keyof typeof ADDRESS_NAMES)[];

const LONG_NAMES: ReadonlySet<SettingName> = new Set(["model", "teacherUrl", "teacherModel"]);

/** The draft that an address's query string asks for; what it leaves out keeps the default. Values are taken as typed: `checkSettings` judges them. */
export function draftFromQuery(query: string): SettingsDraft {
  const parameters = new URLSearchParams(query);
  const draft: { -readonly [K in SettingName]: string } = { ...DEFAULT_DRAFT };
  for (const name of NAMES) {
    const value = parameters.get(ADDRESS_NAMES[name]);
    if (value !== null) draft[name] = value.slice(0, LONG_NAMES.has(name) ? 300 : 40);
  }
  return draft;
}

/** The query string of a draft; only what differs from the default, empty when nothing does. Other parameters of `query` are kept. */
export function queryFromDraft(draft: SettingsDraft, query: string): string {
  const parameters = new URLSearchParams(query);
  for (const name of NAMES) {
    if (draft[name] === DEFAULT_DRAFT[name]) parameters.delete(ADDRESS_NAMES[name]);
    else parameters.set(ADDRESS_NAMES[name], draft[name]);
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/**
 * How students that are not built in are trained: a low-rank adapter, at the rate usual for
 * one. All weights of such a student and their moments would not fit into a tab.
 */
const ADAPTER_TRAINING = { method: { method: "lora" }, learningRate: 2e-4, batchSize: 4 } as const;

/** The experiments of the two lanes: equal but for the strategy. */
export function experimentsOf(settings: Settings): readonly Readonly<Record<string, unknown>>[] {
  const { strategies, pool, heldOut, epochs, teacher, provider: _, ...same } = settings;
  const builtin = settings.student === DEFAULT_EXPERIMENT.student;
  return strategies.map((name) => ({
    ...same,
    task: { pool, [task.evaluateOn]: heldOut },
    training: { epochs, ...(builtin ? {} : ADAPTER_TRAINING) },
    strategy: { name },
    ...(teacher === undefined ? {} : { teacher }),
  }));
}

/** One line that names the settings. */
export function summarizeDraft(draft: SettingsDraft): string {
  const student = draft.student === "hub" ? draft.model : draft.student === "folder" ? draft.folder : "";
  const teacher = draft.teacher === "solver" ? "" : `taught by ${draft.teacherModel || draft.teacher}, `;
  return `${student === "" ? "" : `${student}, `}${teacher}seed ${draft.seed}, rounds ${draft.rounds}, query size ${draft.querySize}, ${draft.strategyA} against ${draft.strategyB}, ${draft.provider}`;
}
