/**
 * @file A run as a link: every setting that differs from the default, under a short name in
 * the page's query string. Never a key: keys are not settings, and a text that looks like
 * one is left out. A link is untrusted: what it says is taken as typed, and judged by
 * `checkSettings` before anything runs. A file of the user's own is named by its hash; the
 * one who follows the link chooses it again.
 */
import type { SettingName, SettingsDraft } from "./settings.ts";
import { DEFAULT_DRAFT } from "./settings.ts";
import { isPlainAddress, looksLikeKey } from "./teacherSettings.ts";

/** Grows when a name changes its meaning. Absent in a link: 1. */
export const LINK_VERSION = 1;

/** Short names of the settings in the page's address. Folders cannot be opened by their names. */
const ADDRESS_NAMES: Readonly<Record<Exclude<SettingName, "folder" | "adapterFolder">, string>> = {
  task: "task",
  mixture: "mix",
  dataName: "data",
  dataDigest: "sha256",
  dataContext: "context",
  dataQuestion: "question",
  dataOptions: "options",
  dataWorking: "working",
  dataAnswer: "answer",
  dataChecker: "checker",
  dataPattern: "pattern",
  excessLength: "long",
  student: "student",
  model: "model",
  adapter: "adapter",
  teacher: "teacher",
  errorRate: "wrong",
  verification: "verify",
  teacherUrl: "at",
  teacherModel: "says",
  teacherDtype: "dtype",
  teacherDevice: "on",
  teacherRequests: "requests",
  teacherPromptPrice: "in",
  teacherCompletionPrice: "out",
  teacherBudget: "usd",
  teacherTokens: "spend",
  teacherMinutes: "minutes",
  teacherRpm: "rpm",
  teacherTpm: "tpm",
  teacherStructured: "form",
  teacherReplyTokens: "reply",
  teacherTimeout: "wait",
  teacherConcurrency: "atonce",
  seed: "seed",
  rounds: "rounds",
  querySize: "query",
  perSeed: "each",
  pool: "pool",
  heldOut: "test",
  strategyA: "a",
  strategyB: "b",
  strategyC: "c",
  strategyD: "d",
  picker: "pick",
  restart: "start",
  accumulate: "keep",
  replay: "replay",
  method: "method",
  loraR: "r",
  loraAlpha: "alpha",
  frozenWeights: "weights",
  epochs: "epochs",
  learningRate: "lr",
  batchSize: "batch",
  gradAccum: "accum",
  scheduler: "schedule",
  warmupSteps: "warmup",
  weightDecay: "decay",
  maxGradNorm: "clip",
  precision: "precision",
  maxNewTokens: "tokens",
  provider: "ep",
};

const NAMES = Object.keys(ADDRESS_NAMES) as (keyof typeof ADDRESS_NAMES)[];

/** Longest texts taken from a link. */
const MAX_LENGTH = 40;
const MAX_LENGTHS: Readonly<Partial<Record<SettingName, number>>> = {
  model: 300,
  adapter: 300,
  teacherUrl: 300,
  teacherModel: 300,
  dataName: 200,
  dataDigest: 64,
  dataContext: 200,
  dataQuestion: 200,
  dataOptions: 200,
  dataWorking: 200,
  dataAnswer: 200,
  dataPattern: 500,
};

/** The draft that an address's query string asks for; what it leaves out keeps the default. Values are taken as typed: `checkSettings` judges them. */
export function draftFromQuery(query: string): SettingsDraft {
  const parameters = new URLSearchParams(query);
  const draft: { -readonly [K in SettingName]: string } = { ...DEFAULT_DRAFT };
  for (const name of NAMES) {
    const value = parameters.get(ADDRESS_NAMES[name]);
    if (value !== null) draft[name] = value.slice(0, MAX_LENGTHS[name] ?? MAX_LENGTH);
  }
  return draft;
}

/** What is to be said about a link before it is used; undefined for one that this page reads whole. */
export function linkNotice(query: string): string | undefined {
  const version = new URLSearchParams(query).get("v");
  return version === null || version === String(LINK_VERSION)
    ? undefined
    : `This link is of version ${version.slice(0, 8)}; this page reads version ${LINK_VERSION}. Look the settings over before you start.`;
}

/** The query string of a draft; only what differs from the default, empty when nothing does. Other parameters of `query` are kept. */
export function queryFromDraft(draft: SettingsDraft, query: string): string {
  const parameters = new URLSearchParams(query);
  let differs = false;
  for (const name of NAMES) {
    parameters.delete(ADDRESS_NAMES[name]);
    if (draft[name] === DEFAULT_DRAFT[name] || isSecret(name, draft[name])) continue;
    parameters.set(ADDRESS_NAMES[name], draft[name]);
    differs = true;
  }
  if (differs) parameters.set("v", String(LINK_VERSION));
  else parameters.delete("v");
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/** The link to a run with these settings, at the page of `address`. Parameters of other kinds are left behind. */
export function linkOf(draft: SettingsDraft, address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}${queryFromDraft(draft, "")}`;
}

/** Whether a text might give a key away: it looks like one, or is an address with somewhere to put one. */
function isSecret(name: SettingName, text: string): boolean {
  if (name === "dataDigest") return false;
  const address = text.trim();
  const odd = name === "teacherUrl" && (/[?#@]/.test(address) || (URL.canParse(address) && !isPlainAddress(address)));
  return looksLikeKey(text) || odd;
}
