/**
 * @file What the set-up of a run offers: the named choices, each with one sentence, and the
 * bounds of its numbers. Plain data, no narrower than sense and no wider than the loop's own
 * schema (a test holds them to it). What becomes of them is in `settings.ts`.
 */
import type { ChatSettings, LocalDevice, LocalDtype } from "../teacher/config.ts";
import type { CheckerName } from "../tasks/custom/settings.ts";
import type { ExcessLength } from "../loop/config.ts";
import type { FrozenWeights, Precision } from "../student/types.ts";
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

/** Tasks on offer, with what each asks. */
export const TASKS = {
  "word-problems": "Short stories with numbers, solved in one to four steps",
  game24: "Four numbers to be combined into 24",
  prontoqa: "True or false, from rules about invented creatures",
  algebra: "Equations and expressions of school algebra",
  custom: "Questions and answers from a file of your own",
} as const;

export const TASK_LABELS: Readonly<Record<keyof typeof TASKS, string>> = {
  "word-problems": "Word problems",
  game24: "Game of 24",
  prontoqa: "ProntoQA",
  algebra: "Algebra",
  custom: "My own data",
};

/** Mixtures of questions on offer, with what each means. */
export const MIXTURES = {
  task: "The task's own: test questions are like the pool's",
  rare: "One seed in ten is of a kind that the student does not know; the test asks about it alone",
} as const;

export const MIXTURE_LABELS: Readonly<Record<keyof typeof MIXTURES, string>> = {
  task: "the task's own",
  rare: "a rare kind",
};

/** Tasks with a built-in student of their own; the others, and the user's own data, get the one for word problems. */
export const BUILTIN_STUDENT_TASKS: readonly string[] = ["word-problems", "game24", "prontoqa", "algebra"];

/** Checkers of the user's own data, with what each compares. */
export const CHECKERS: Readonly<Record<CheckerName, string>> = {
  exact: "The text behind “Answer:”, or all of it, must be the same",
  numeric: "The last number must be the same; 1/2 equals 0.5",
  "####": "The number behind ####, as in GSM8K",
  boxed: "What stands in \\boxed{}, as in MATH",
  choice: "The letter of a choice, or its text",
  regex: "The last match of a pattern of yours (RE2 syntax)",
  game24: "The four numbers of the question must make 24; needs no answers",
};

/** What becomes of rows that are too long for the student. */
export const EXCESS_LENGTHS: Readonly<Record<ExcessLength, string>> = {
  refuse: "The run is not started; the rows are named",
  drop: "They are left out and counted",
};

export const EXCESS_LENGTH_LABELS: Readonly<Record<ExcessLength, string>> = { refuse: "Refuse", drop: "Leave out" };

/** Teachers on offer, with what each means. */
export const TEACHERS = {
  solver: "The task's own exact solver: no key, no network, instant",
  openai: "A server with an OpenAI-compatible API: OpenAI, OpenRouter, Groq, Ollama, LM Studio, vLLM, …",
  anthropic: "Anthropic's API",
  google: "Google's Gemini API",
  transformers:
    "A language model in this tab, through transformers.js: fetched once, no key, nothing leaves the machine",
  none: "Nobody writes new pairs: the student trains on the picked questions with their own answers",
} as const;

/** Names of the teachers for people. */
export const TEACHER_LABELS: Readonly<Record<keyof typeof TEACHERS, string>> = {
  solver: "Built-in solver",
  openai: "OpenAI-compatible",
  anthropic: "Anthropic",
  google: "Google",
  transformers: "Model in this tab",
  none: "None: real pairs only",
};

/** Weights of a model in the tab, with what each means. */
export const TEACHER_DTYPES = {
  q4: "Four bits: small, and most models have them",
  q4f16: "Four bits, computed in half precision",
  fp16: "Half precision",
  q8: "Eight bits",
  fp32: "Single precision",
} as const satisfies Partial<Record<LocalDtype, string>>;

/** Where a model in the tab runs. */
export const TEACHER_DEVICES = {
  auto: "WebGPU if it can load the model, else WASM; the run says which",
  webgpu: "The GPU, or an error that says why not",
  wasm: "The CPU",
} as const satisfies Partial<Record<LocalDevice, string>>;

/** How a teacher's reply gets its form. */
export const REPLY_FORMS = {
  schema: "The service keeps the reply to a schema; most can",
  json: "The service keeps it to JSON, of any form",
  prompt: "The prompt alone asks for JSON: for services that refuse the others",
} as const satisfies Record<ChatSettings["structured"], string>;

export const REPLY_FORM_LABELS: Readonly<Record<keyof typeof REPLY_FORMS, string>> = {
  schema: "JSON by schema",
  json: "JSON",
  prompt: "As the prompt says",
};

/** Names of pickers for people; the papers' words stay in it. */
export const PICKER_LABELS: Readonly<Record<keyof typeof PICKERS, string>> = {
  argmax: "highest (argmax)",
  softmax: "drawn (softmax)",
  proportional: "drawn by score",
  rank: "drawn by rank",
  uniform: "drawn evenly",
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

/** Whether the teacher's pairs are checked before they are learned from. */
export const VERIFICATIONS = {
  steps: "The final answer and every step are checked; what fails is not trained on",
  answer: "The final answer alone is checked, by the task's own solver where it has one",
  off: "Whatever the teacher writes is trained on",
  compare: "Nothing is checked in the first lane, every step in the others",
} as const;

export const VERIFICATION_LABELS: Readonly<Record<keyof typeof VERIFICATIONS, string>> = {
  steps: "Every step",
  answer: "Final answer",
  off: "Off",
  compare: "Off in the first lane",
};

export const PROVIDER_LABELS: Readonly<Record<ProviderChoice, string>> = {
  auto: "Best that works",
  webgpu: "GPU (WebGPU)",
  wasm: "CPU (WASM)",
};

/** What each round starts from. */
export const RESTARTS = {
  continue: "From where the round before ended",
  restart: "From the base weights, on everything so far",
} as const;

export const RESTART_LABELS: Readonly<Record<keyof typeof RESTARTS, string>> = {
  continue: "goes on",
  restart: "starts again",
};

/** Which pairs each round trains on. */
export const ACCUMULATIONS = {
  all: "All accepted pairs so far",
  last: "The pairs of this round only",
} as const;

export const ACCUMULATION_LABELS: Readonly<Record<keyof typeof ACCUMULATIONS, string>> = {
  all: "all pairs so far",
  last: "the last pairs",
};

export const METHODS = {
  auto: "All weights of a built-in student, an adapter for a larger one",
  full: "All weights are trained",
  lora: "A low-rank adapter is trained, the weights stay as they are",
} as const;

export const METHOD_LABELS: Readonly<Record<keyof typeof METHODS, string>> = {
  auto: "As the student needs",
  full: "All weights",
  lora: "LoRA",
};

export const SCHEDULERS = {
  linear: "Falls to zero over the round",
  cosine: "Falls to zero along half a cosine",
  constant: "Stays as it is",
  constant_with_warmup: "Rises during the warm-up, then stays",
} as const;

/** What training computes in. Weights, their moments and the loss are float32 in any case. */
export const PRECISIONS: Readonly<Record<Precision | "auto", string>> = {
  float32: "Single precision: the same numbers on every engine, up to rounding",
  auto: "Half precision where the GPU has shader-f16 and passes a test against float32, else float32; the engine panel says which and why",
  float16: "Half precision, or an error that says why not: needs a GPU with shader-f16, and must pass the same test",
};

/** How weights that an adapter leaves as they are are held. */
export const WEIGHTS: Readonly<Record<FrozenWeights, string>> = {
  float32: "Four bytes a weight",
  float16: "Two bytes a weight: exact for a checkpoint in float16; on a GPU it needs shader-f16",
};

export const PRECISION_LABELS: Readonly<Record<Precision | "auto", string>> = {
  float32: "float32",
  auto: "float16 if it holds",
  float16: "float16 or stop",
};

/** How a strategy's scores become picks. */
export const PICKERS = {
  argmax: "The highest scores",
  softmax: "By chance, likelier the higher the score",
  proportional: "By chance, in proportion to the score",
  rank: "By chance, in proportion to 1 / rank",
  uniform: "By chance alone",
} as const;

/** A number's bounds, both ends included; `above`: the low end left out. `optional`: may be left empty. */
export interface NumberSpec {
  readonly low: number;
  readonly high: number;
  readonly whole: boolean;
  readonly above?: true;
  readonly optional?: true;
}

const whole = (low: number, high: number): NumberSpec => ({ low, high, whole: true });
const real = (low: number, high: number): NumberSpec => ({ low, high, whole: false });

/** Bounds of the numbers. A round picks at most the whole pool. */
export const BOUNDS = {
  seed: whole(0, 2_147_483_647),
  rounds: whole(1, 100),
  querySize: whole(1, 1000),
  perSeed: whole(1, 20),
  pool: whole(1, 5000),
  heldOut: whole(1, 5000),
  epochs: whole(1, 100),
  // A pair takes two, and up to four lanes share them.
  teacherRequests: whole(8, 1_000_000),
  teacherTokens: { ...whole(1000, 1_000_000_000), optional: true },
  teacherMinutes: { ...real(0, 100_000), above: true, optional: true },
  // Up to four lanes share them.
  teacherRpm: { ...whole(4, 1_000_000), optional: true },
  teacherTpm: { ...whole(1000, 1_000_000_000), optional: true },
  teacherReplyTokens: { ...whole(16, 100_000), optional: true },
  teacherTimeout: { ...real(0, 3600), above: true, optional: true },
  teacherConcurrency: { ...whole(1, 64), optional: true },
  errorRate: real(0, 1),
  replay: real(0, 100),
  loraR: { ...whole(1, 4096), optional: true },
  loraAlpha: { ...real(0, 1_000_000), above: true, optional: true },
  learningRate: { ...real(0, 10), above: true, optional: true },
  batchSize: { ...whole(1, 4096), optional: true },
  gradAccum: whole(1, 4096),
  warmupSteps: whole(0, 1_000_000),
  weightDecay: real(0, 100),
  maxGradNorm: real(0, 1_000_000),
  maxNewTokens: { ...whole(1, 100_000), optional: true },
} as const satisfies Readonly<Record<string, NumberSpec>>;

export type NumberName = keyof typeof BOUNDS;
