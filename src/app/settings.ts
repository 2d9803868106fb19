/**
 * @file The settings a visitor can change: as typed (text), checked, and as the experiments
 * sent to the worker. Everything not here keeps the loop's own default. What is on offer
 * is in `choices.ts`, links in `shareLink.ts`.
 */
import { DEFAULT_EXPERIMENT, DEFAULT_LORA } from "../loop/defaults.ts";
import type { CheckerName, ColumnMapping } from "../tasks/custom/settings.ts";
import type { StrategyName } from "../selection/strategies.ts";
import { RARE_KINDS } from "../tasks/rareKinds.ts";
import type { NumberName, NumberSpec, ProviderChoice } from "./choices.ts";
import {
  ACCUMULATIONS,
  BOUNDS,
  BUILTIN_STUDENT_TASKS,
  CHECKERS,
  EXCESS_LENGTHS,
  METHODS,
  MIXTURES,
  PICKERS,
  PRECISIONS,
  PROVIDERS,
  RESTARTS,
  SCHEDULERS,
  STRATEGIES,
  STUDENTS,
  TASKS,
  VERIFICATIONS,
  WEIGHTS,
} from "./choices.ts";
import type { ChatTeacherSettings, NoTeacher } from "./teacherSettings.ts";
import { noKey, teacherOf } from "./teacherSettings.ts";

/** Settings as typed. */
export interface SettingsDraft {
  readonly task: string;
  readonly mixture: string;
  /** Of the user's own data: name of the file, hash of its content, columns by what they hold, checker. */
  readonly dataName: string;
  readonly dataDigest: string;
  readonly dataContext: string;
  readonly dataQuestion: string;
  readonly dataOptions: string;
  readonly dataWorking: string;
  readonly dataAnswer: string;
  readonly dataChecker: string;
  readonly dataPattern: string;
  readonly excessLength: string;
  readonly student: string;
  /** Of the hub: org/name, or org/name@revision. */
  readonly model: string;
  /** Name of the folder that was picked, empty when none was. */
  readonly folder: string;
  /** Adapter of the hub that such a student starts with, as `org/name` or `org/name@revision`; empty for none. */
  readonly adapter: string;
  /** Name of the folder that was picked as adapter, empty when none was. */
  readonly adapterFolder: string;
  readonly teacher: string;
  /** Share of wrong answers of the built-in teacher. */
  readonly errorRate: string;
  readonly verification: string;
  /** Empty: the provider's own address. */
  readonly teacherUrl: string;
  readonly teacherModel: string;
  /** Of a model in the tab: its weights, and where it runs. */
  readonly teacherDtype: string;
  readonly teacherDevice: string;
  /** Of the whole race, all lanes together. */
  readonly teacherRequests: string;
  /** US dollars per million tokens; empty when not known. */
  readonly teacherPromptPrice: string;
  readonly teacherCompletionPrice: string;
  /** US dollars for the whole race; empty for no ceiling. */
  readonly teacherBudget: string;
  /** Further ceilings of the whole race, and what it may ask in a minute; empty for none. */
  readonly teacherTokens: string;
  readonly teacherMinutes: string;
  readonly teacherRpm: string;
  readonly teacherTpm: string;
  readonly teacherStructured: string;
  /** Empty: the loop's own. Requests at once are counted for each lane. */
  readonly teacherReplyTokens: string;
  readonly teacherTimeout: string;
  readonly teacherConcurrency: string;
  readonly seed: string;
  readonly rounds: string;
  readonly querySize: string;
  readonly perSeed: string;
  readonly pool: string;
  readonly heldOut: string;
  readonly strategyA: string;
  readonly strategyB: string;
  /** Of a third and a fourth lane; empty for none. */
  readonly strategyC: string;
  readonly strategyD: string;
  readonly picker: string;
  readonly restart: string;
  readonly accumulate: string;
  readonly replay: string;
  readonly method: string;
  readonly loraR: string;
  readonly loraAlpha: string;
  readonly frozenWeights: string;
  readonly epochs: string;
  /** Empty: as the student needs. */
  readonly learningRate: string;
  readonly batchSize: string;
  readonly gradAccum: string;
  readonly scheduler: string;
  readonly warmupSteps: string;
  readonly weightDecay: string;
  readonly maxGradNorm: string;
  readonly precision: string;
  /** Empty: as the task needs. */
  readonly maxNewTokens: string;
  readonly provider: string;
}

/** Data of the user's own, as experiments name them. */
export interface OwnData {
  readonly pool: string;
  readonly digest: string;
  readonly columns: ColumnMapping;
  readonly checker: CheckerName;
  readonly pattern?: string;
}

/** Settings that may be run. */
export interface Settings {
  readonly task: keyof typeof TASKS;
  readonly mixture: keyof typeof MIXTURES;
  readonly data: OwnData | undefined;
  /** Of the user's own data. */
  readonly excessLength: keyof typeof EXCESS_LENGTHS;
  /** As experiments name it: `builtin`, `hub:org/name@revision`, `folder:name`. */
  readonly student: string;
  /** Named like the student; undefined for none. */
  readonly adapter: string | undefined;
  /** As experiments have it, without a key; undefined for the built-in teacher. */
  readonly teacher: ChatTeacherSettings | NoTeacher | undefined;
  readonly errorRate: number;
  readonly verification: keyof typeof VERIFICATIONS;
  readonly seed: number;
  readonly rounds: number;
  readonly querySize: number;
  readonly perSeed: number;
  readonly pool: number;
  readonly heldOut: number;
  readonly strategies: readonly StrategyName[];
  readonly picker: keyof typeof PICKERS;
  readonly restart: boolean;
  readonly accumulate: boolean;
  readonly replay: number;
  readonly training: Readonly<Record<string, unknown>>;
  readonly maxNewTokens: number | undefined;
  readonly provider: ProviderChoice;
}

export type SettingName = keyof SettingsDraft;

export type CheckedSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly errors: Readonly<Partial<Record<SettingName, string>>> };

/** Settings of the lanes that a race may have; the first two always run. */
export const LANE_SETTINGS = ["strategyA", "strategyB", "strategyC", "strategyD"] as const;
export type LaneSetting = (typeof LANE_SETTINGS)[number];

/** Settings of the lanes that a draft asks for. */
export function lanesOf(draft: SettingsDraft): readonly LaneSetting[] {
  return LANE_SETTINGS.filter((name, index) => index < 2 || draft[name] !== "");
}

const D = DEFAULT_EXPERIMENT;

/** What the page starts with: the loop's own default experiment, its strategy against chance. */
export const DEFAULT_DRAFT: SettingsDraft = {
  task: D.task.name,
  mixture: "task",
  dataName: "",
  dataDigest: "",
  dataContext: "",
  dataQuestion: "",
  dataOptions: "",
  dataWorking: "",
  dataAnswer: "",
  dataChecker: "",
  dataPattern: "",
  excessLength: "refuse",
  student: "built-in",
  model: "",
  folder: "",
  adapter: "",
  adapterFolder: "",
  teacher: "solver",
  errorRate: String(D.teacher.errorRate),
  verification: D.verification,
  teacherUrl: "",
  teacherModel: "",
  teacherDtype: "q4",
  teacherDevice: "auto",
  teacherRequests: "1000",
  teacherPromptPrice: "",
  teacherCompletionPrice: "",
  teacherBudget: "",
  teacherTokens: "",
  teacherMinutes: "",
  teacherRpm: "",
  teacherTpm: "",
  teacherStructured: "schema",
  teacherReplyTokens: "",
  teacherTimeout: "",
  teacherConcurrency: "",
  seed: String(D.seed),
  rounds: String(D.rounds),
  querySize: String(D.querySize),
  perSeed: String(D.perSeed),
  pool: String(D.task.pool),
  heldOut: String(D.task[D.task.evaluateOn]),
  strategyA: "random",
  strategyB: D.strategy.name,
  strategyC: "",
  strategyD: "",
  picker: D.strategy.picker.kind,
  restart: D.restart ? "restart" : "continue",
  accumulate: D.accumulate ? "all" : "last",
  replay: String(D.replay),
  method: "auto",
  loraR: "",
  loraAlpha: "",
  frozenWeights: "float32",
  epochs: String(D.training.epochs),
  learningRate: "",
  batchSize: "",
  gradAccum: String(D.training.gradAccum),
  scheduler: D.training.scheduler,
  warmupSteps: String(D.training.warmupSteps),
  weightDecay: String(D.training.weightDecay),
  maxGradNorm: String(D.training.maxGradNorm),
  precision: D.training.precision,
  maxNewTokens: "",
  provider: "auto",
};

/**
 * How students that are not built in are trained: a low-rank adapter, at the rate usual for
 * one. All weights of such a student and their moments would not fit into a tab.
 */
const ADAPTER_TRAINING = { learningRate: 2e-4, batchSize: 4 } as const;

/** What empty fields stand for, with this student; for placeholders. */
export function emptyMeans(
  draft: SettingsDraft,
): Readonly<Record<"learningRate" | "batchSize" | "loraR" | "loraAlpha", string>> {
  const { learningRate, batchSize } = draft.student === "built-in" ? D.training : ADAPTER_TRAINING;
  const rank = Number(draft.loraR.trim());
  return {
    learningRate: String(learningRate),
    batchSize: String(batchSize),
    loraR: String(DEFAULT_LORA.r),
    loraAlpha: String(2 * (rank > 0 ? rank : DEFAULT_LORA.r)),
  };
}

/** Whether the built-in student of these settings was made for another task than theirs. */
export function isStrangerToTask({ student, task }: SettingsDraft): boolean {
  return student === "built-in" && !BUILTIN_STUDENT_TASKS.includes(task);
}

/** Whether a task has a kind of question that can be made rare. */
export function hasRareKind(task: string): boolean {
  return Object.hasOwn(RARE_KINDS, task);
}

/** `org/name` or `org/name@revision`; the worker looks closer. */
const HUB_NAME = /^[\w.-]+\/[\w.-]+(@[\w./-]+)?$/;

const KEEPS_ITS_OWN = "Nothing, please: the adapter named above keeps its own.";

/** Longest pattern the task takes. */
const MAX_PATTERN = 500;

/** The settings, or what is wrong with each field. */
export function checkSettings(draft: SettingsDraft): CheckedSettings {
  const errors: Partial<Record<SettingName, string>> = {};
  const number = (name: NumberName): number => {
    const spec: NumberSpec = BOUNDS[name];
    const text = draft[name].trim();
    const value = Number(text);
    const form = spec.whole ? /^\d+$/ : /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i;
    const inside = value <= spec.high && (spec.above === true ? value > spec.low : value >= spec.low);
    if (!form.test(text) || !inside) errors[name] = `${boundsText(spec)}, please.`;
    return value;
  };
  const optional = (name: NumberName): number | undefined => (draft[name].trim() === "" ? undefined : number(name));
  const oneOf = <K extends string>(name: SettingName, options: Readonly<Record<K, string>>): K => {
    const value = draft[name];
    if (!Object.hasOwn(options, value)) errors[name] = `One of ${Object.keys(options).join(", ")}, please.`;
    return value as K;
  };
  const studentOf = (): string => {
    const choice = oneOf("student", STUDENTS);
    const model = draft.model.trim();
    if (choice === "hub" && !HUB_NAME.test(model)) errors.model = "A model as org/name or org/name@revision, please.";
    if (choice === "hub") noKey(draft, "model", errors);
    if (choice === "folder" && draft.folder === "") errors.folder = "Choose the folder, please.";
    return choice === "hub" ? `hub:${model}` : choice === "folder" ? `folder:${draft.folder}` : D.student;
  };
  const adapterOf = (): string | undefined => {
    if (draft.student === "built-in") return undefined;
    const adapter = draft.adapter.trim();
    if (adapter !== "" && draft.adapterFolder !== "")
      errors.adapter = "Either one of the hub or the folder, please: a student starts with one adapter.";
    else if (adapter !== "" && !HUB_NAME.test(adapter))
      errors.adapter = "An adapter as org/name or org/name@revision, or nothing, please.";
    noKey(draft, "adapter", errors);
    if (draft.adapterFolder !== "") return `folder:${draft.adapterFolder}`;
    return adapter === "" ? undefined : `hub:${adapter}`;
  };
  const dataOf = (): OwnData | undefined => {
    if (draft.task !== "custom") return undefined;
    const { dataName, dataDigest, dataContext, dataQuestion, dataOptions, dataWorking, dataAnswer, dataPattern } =
      draft;
    if (!/^[0-9a-f]{64}$/.test(dataDigest)) errors.dataName = "Choose a file of questions, please.";
    else if (dataQuestion === "") errors.dataQuestion = "Say which column holds the question, please.";
    const checker = oneOf("dataChecker", CHECKERS);
    if (draft.dataChecker === "") errors.dataChecker = "Say how an answer is checked, please.";
    if (checker !== "game24" && dataAnswer === "" && errors.dataName === undefined)
      errors.dataAnswer = "Say which column holds the answer, please.";
    if (checker === "regex" && (dataPattern === "" || dataPattern.length > MAX_PATTERN))
      errors.dataPattern = `A pattern of 1 to ${MAX_PATTERN} characters, please.`;
    if (draft.teacher === "solver")
      errors.teacher =
        "Nothing built in can solve your own questions: choose another teacher, or none to train on your own pairs.";
    const given = (names: readonly string[]): readonly string[] => names.filter((name) => name !== "");
    return {
      pool: dataName,
      digest: dataDigest,
      columns: {
        question: given([dataContext, dataQuestion]),
        answer: given([dataWorking, dataAnswer]),
        ...(dataOptions === "" ? {} : { options: dataOptions }),
      },
      checker,
      ...(checker === "regex" ? { pattern: dataPattern } : {}),
    };
  };
  const trainingOf = (): Settings["training"] => {
    const choice = oneOf("method", METHODS);
    const builtin = draft.student === "built-in";
    const lora = choice === "lora" || (choice === "auto" && !builtin);
    const [r, loraAlpha] = lora ? [optional("loraR"), optional("loraAlpha")] : [undefined, undefined];
    if (adapter !== undefined && r !== undefined) errors.loraR = KEEPS_ITS_OWN;
    if (adapter !== undefined && loraAlpha !== undefined) errors.loraAlpha = KEEPS_ITS_OWN;
    const frozenWeights = lora ? oneOf("frozenWeights", WEIGHTS) : "float32";
    const [learningRate, batchSize] = [optional("learningRate"), optional("batchSize")];
    return {
      ...(builtin ? {} : ADAPTER_TRAINING),
      method: lora
        ? {
            method: "lora",
            ...(r === undefined ? {} : { r }),
            ...(loraAlpha === undefined ? (r === undefined ? {} : { loraAlpha: 2 * r }) : { loraAlpha }),
            ...(frozenWeights === "float32" ? {} : { frozenWeights }),
          }
        : { method: "full" },
      epochs: number("epochs"),
      ...(learningRate === undefined ? {} : { learningRate }),
      ...(batchSize === undefined ? {} : { batchSize }),
      gradAccum: number("gradAccum"),
      scheduler: oneOf("scheduler", SCHEDULERS),
      warmupSteps: number("warmupSteps"),
      weightDecay: number("weightDecay"),
      maxGradNorm: number("maxGradNorm"),
      precision: oneOf("precision", PRECISIONS),
    };
  };
  const adapter = adapterOf();
  const settings: Settings = {
    task: oneOf("task", TASKS),
    mixture: oneOf("mixture", MIXTURES),
    data: dataOf(),
    excessLength: oneOf("excessLength", EXCESS_LENGTHS),
    student: studentOf(),
    adapter,
    teacher: teacherOf(draft, lanesOf(draft).length, { errors, number, optional, oneOf }),
    errorRate: draft.teacher === "solver" ? number("errorRate") : 0,
    verification: oneOf("verification", VERIFICATIONS),
    seed: number("seed"),
    rounds: number("rounds"),
    querySize: number("querySize"),
    // A seed has one pair of its own.
    perSeed: draft.teacher === "none" ? 1 : number("perSeed"),
    pool: number("pool"),
    heldOut: number("heldOut"),
    strategies: lanesOf(draft).map((name) => oneOf(name, STRATEGIES)),
    picker: oneOf("picker", PICKERS),
    restart: oneOf("restart", RESTARTS) === "restart",
    accumulate: oneOf("accumulate", ACCUMULATIONS) === "all",
    replay: number("replay"),
    training: trainingOf(),
    maxNewTokens: optional("maxNewTokens"),
    provider: oneOf("provider", PROVIDERS),
  };
  if (settings.mixture === "rare" && !hasRareKind(settings.task))
    errors.mixture = "The task's own, please: of this task no rare kind is known that its student can learn.";
  if (errors.querySize === undefined && errors.pool === undefined && settings.querySize > settings.pool)
    errors.querySize = `At most the pool's ${settings.pool}, please: the picks of a round are distinct.`;
  return Object.keys(errors).length === 0 ? { ok: true, settings } : { ok: false, errors };
}

/** `A whole number from 1 to 100`. */
export function boundsText({ low, high, whole, above, optional }: NumberSpec): string {
  const range = above === true ? `over ${low}, at most ${high}` : `from ${low} to ${high}`;
  return `${whole ? "A whole number" : "A number"} ${range}${optional === true ? ", or nothing" : ""}`;
}

/** The experiments of the lanes: equal but for the strategy, and for the verification where that is compared. */
export function experimentsOf(settings: Settings): readonly Readonly<Record<string, unknown>>[] {
  const { task, data, strategies, pool, heldOut, teacher, errorRate, verification, picker, maxNewTokens, ...more } =
    settings;
  const { provider: _, adapter, excessLength, mixture, ...same } = more;
  const rare = mixture === "rare" ? RARE_KINDS[task] : undefined;
  return strategies.map((name, lane) => ({
    ...same,
    ...(adapter === undefined ? {} : { adapter }),
    task: {
      name: task,
      pool,
      [D.task.evaluateOn]: heldOut,
      ...(rare === undefined ? {} : { mixture: rare.mixture, poolMixture: rare.poolMixture }),
      // The user's own rows are not spent on a split that is not used.
      ...(data === undefined ? {} : { validation: 0, data, ...(excessLength === "refuse" ? {} : { excessLength }) }),
    },
    strategy: { name, picker: { kind: picker } },
    teacher: {
      ...(teacher ?? { errorRate }),
      // Another operation could lead away from the seed's kind.
      ...(rare === undefined || teacher?.name === "none" ? {} : { operations: ["vary"] }),
    },
    // A real pair is trained on once: no seed is picked again before all were.
    ...(teacher?.name === "none" ? { pairs: "seeds", query: { repeats: "avoided" } } : {}),
    verification: verification === "compare" ? (lane === 0 ? "off" : "steps") : verification,
    ...(maxNewTokens === undefined ? {} : { generation: { maxNewTokens } }),
  }));
}

/** One line that names the settings. */
export function summarizeDraft(draft: SettingsDraft): string {
  const student = draft.student === "hub" ? draft.model : draft.student === "folder" ? draft.folder : "";
  const adapter = draft.student === "built-in" ? "" : draft.adapter || draft.adapterFolder;
  const task = draft.task === "custom" ? draft.dataName : draft.task === D.task.name ? "" : draft.task;
  const teacher =
    draft.teacher === "solver"
      ? ""
      : draft.teacher === "none"
        ? "real pairs without a teacher, "
        : `taught by ${draft.teacherModel || draft.teacher}, `;
  const noise =
    draft.teacher === "solver" && Number(draft.errorRate) > 0 ? `teacher wrong at ${draft.errorRate}, ` : "";
  const mixture = draft.mixture === "rare" ? "a rare kind asked, " : "";
  const checks = draft.verification === DEFAULT_DRAFT.verification ? "" : `verification ${draft.verification}, `;
  return `${[task, student, adapter]
    .filter((part) => part !== "")
    .map((part) => `${part}, `)
    .join(
      "",
    )}${mixture}${teacher}${noise}${checks}seed ${draft.seed}, rounds ${draft.rounds}, query size ${draft.querySize}, ${lanesOf(
    draft,
  )
    .map((name) => draft[name])
    .join(" against ")}, ${draft.provider}`;
}
