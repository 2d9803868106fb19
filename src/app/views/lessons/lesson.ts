/**
 * @file What a lesson is: settings, steps that look at what the run really did, and a
 * question that is answered by running something. Plain data and pure functions; the
 * lessons themselves are in `lessons.ts`, drawing in `lessonsView.tsx`.
 */
import type { Source } from "../../glossary.ts";
import type { LaneState } from "../../laneState.ts";
import { applyPreset } from "../../presets.ts";
import type { SettingsDraft } from "../../settings.ts";
import { checkSettings, DEFAULT_DRAFT, experimentsOf } from "../../settings.ts";

/** Sentences in which `[[term|word]]` is a word of the glossary. */
export type Prose = string;

export interface Step {
  readonly title: string;
  readonly text: Prose;
  /** What to do now; shown while the step is open. */
  readonly todo: Prose;
  /** Whether the run has got there. Of records alone, never of presses. */
  readonly done: (lanes: readonly LaneState[]) => boolean;
  /** What the run shows once it has, in numbers of its own. */
  readonly shown?: (lanes: readonly LaneState[]) => string;
}

export interface Question {
  readonly text: Prose;
  /** What the run that answers it changes in the lesson's settings. */
  readonly change: Partial<SettingsDraft>;
  /** What to do with the prepared run. */
  readonly todo: Prose;
  readonly done: (lanes: readonly LaneState[]) => boolean;
  readonly answer: ChoiceAnswer | NumberAnswer;
  /** What the records say; shown with the verdict. */
  readonly explained: (lanes: readonly LaneState[]) => string;
}

export interface ChoiceAnswer {
  readonly kind: "choice";
  readonly options: Readonly<Record<string, string>>;
  /** Key of the right option, by the run's records. */
  readonly of: (lanes: readonly LaneState[]) => string;
}

export interface NumberAnswer {
  readonly kind: "number";
  readonly label: string;
  readonly tolerance: number;
  readonly of: (lanes: readonly LaneState[]) => number;
}

export interface Lesson {
  /** In the address: `#/lessons/loss`. */
  readonly id: string;
  readonly title: string;
  /** What it is about, in one sentence. */
  readonly about: string;
  readonly settings: Partial<SettingsDraft>;
  /** Processor time of its run and of its question's, in seconds, as measured with the WASM engine in Chromium on two threads. */
  readonly cpuSeconds: number;
  /** A setting that the learner may move before the run, as a slider. */
  readonly slider?: {
    readonly name: "errorRate";
    readonly label: string;
    readonly low: number;
    readonly high: number;
    readonly step: number;
  };
  readonly steps: readonly Step[];
  readonly question: Question;
  readonly sources: readonly Source[];
}

/** Whether the page is set as the lesson wants it, its slider anywhere. */
export function isPrepared({ settings, slider }: Lesson, draft: SettingsDraft): boolean {
  const wanted = applyPreset(settings, draft);
  return (Object.keys(wanted) as (keyof SettingsDraft)[]).every(
    (name) => name === slider?.name || wanted[name] === draft[name],
  );
}

/** Whether the lanes run the experiments of the default with `change`. The settings named in `free` may be any. */
export function runsWith(
  lanes: readonly LaneState[],
  change: Partial<SettingsDraft>,
  free: readonly (keyof SettingsDraft)[] = [],
): boolean {
  const checked = checkSettings(applyPreset(change, DEFAULT_DRAFT));
  if (!checked.ok) return false;
  return experimentsOf(checked.settings).every((experiment, index) => {
    const config = lanes[index]?.run?.config;
    if (config === undefined) return false;
    const freed = free.includes("errorRate") ? { ...experiment, teacher: {} } : experiment;
    return contains(config, freed);
  });
}

/** Whether `whole` says everything that `part` says. */
function contains(whole: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null) return Object.is(whole, part);
  if (typeof whole !== "object" || whole === null) return false;
  return Object.entries(part).every(([key, value]) =>
    contains((whole as Readonly<Record<string, unknown>>)[key], value),
  );
}

/** How many steps the run has passed: a step counts when all before it do. */
export function passedSteps({ steps, settings, slider }: Lesson, lanes: readonly LaneState[]): number {
  if (!runsWith(lanes, settings, slider === undefined ? [] : [slider.name])) return 0;
  const open = steps.findIndex(({ done }) => !done(lanes));
  return open < 0 ? steps.length : open;
}

/** Whether the lanes hold the run that the question asks for, finished. */
export function isAnswerable({ settings, question }: Lesson, lanes: readonly LaneState[]): boolean {
  return runsWith(lanes, { ...settings, ...question.change }) && question.done(lanes);
}

/** Whether `given` is what the records say; undefined for what is no answer. */
export function judgeAnswer(
  answer: ChoiceAnswer | NumberAnswer,
  given: string,
  lanes: readonly LaneState[],
): boolean | undefined {
  if (answer.kind === "choice") return Object.hasOwn(answer.options, given) ? given === answer.of(lanes) : undefined;
  const value = Number(given.trim().replace(",", ".").replace("%", ""));
  if (given.trim() === "" || !Number.isFinite(value)) return undefined;
  return Math.abs(value - answer.of(lanes)) <= answer.tolerance;
}
