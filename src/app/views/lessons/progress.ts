/** @file How far the learner is, as the page remembers it: a later run does not take away what was shown. Which lessons were finished is kept by the browser. */
import type { LaneState } from "../../laneState.ts";
import { defineSlice } from "../../slice.ts";
import type { Lesson } from "./lesson.ts";
import { isAnswerable, passedSteps } from "./lesson.ts";

/** What came of an answer. */
export interface LessonVerdict {
  /** As the learner gave it. */
  readonly given: string;
  readonly right: boolean;
  readonly text: string;
}

export interface LessonProgress {
  /** What each passed step has shown, in order. */
  readonly shown: readonly string[];
  /** Why the answer was right or wrong, and which. */
  readonly verdict?: LessonVerdict;
}

export type Progress = Readonly<Record<string, LessonProgress>>;

export const PROGRESS = defineSlice<Progress>({});

const NOTHING: LessonProgress = { shown: [] };

/** A lesson's progress; none yet for one that was not begun. */
export function progressOf(progress: Progress, { id }: Lesson): LessonProgress {
  return progress[id] ?? NOTHING;
}

/** The progress after a look at the lanes; the same object where nothing is new. */
export function advance(progress: Progress, lesson: Lesson, lanes: readonly LaneState[]): Progress {
  const before = progressOf(progress, lesson);
  const passed = passedSteps(lesson, lanes);
  if (passed <= before.shown.length) return progress;
  const shown = lesson.steps.slice(0, passed).map((step, index) => before.shown[index] ?? step.shown?.(lanes) ?? "");
  return { ...progress, [lesson.id]: { ...before, shown } };
}

/** Whether the learner may answer: all steps passed, and the lanes hold the run that was asked for. */
export function mayAnswer(progress: Progress, lesson: Lesson, lanes: readonly LaneState[]): boolean {
  return progressOf(progress, lesson).shown.length === lesson.steps.length && isAnswerable(lesson, lanes);
}

const FINISHED_KEY = "tutelage-lessons";

/** Ids of lessons whose question was answered rightly, in this browser. */
export function readFinished(): readonly string[] {
  try {
    const ids: unknown = JSON.parse(localStorage.getItem(FINISHED_KEY) ?? "[]");
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}

/** Remembers that a lesson was finished. A browser that stores nothing forgets it. */
export function rememberFinished(id: string): void {
  try {
    localStorage.setItem(FINISHED_KEY, JSON.stringify([...new Set([...readFinished(), id])]));
  } catch {
    // Storage is switched off: the tick is gone with the page.
  }
}
