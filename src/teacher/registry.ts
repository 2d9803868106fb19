/** @file The teachers by name. A new teacher is a new file and a new entry. */
import { badInput } from "../core/errors.ts";
import type { Task } from "../tasks/types.ts";
import { createSolverTeacher } from "./solverTeacher.ts";
import type { Teacher } from "./types.ts";

/** The teacher's part of an experiment, plain JSON. */
export interface TeacherSettings {
  readonly name: string;
  readonly errorRate?: number;
}

const TEACHERS: Readonly<Record<string, (task: Task, settings: TeacherSettings) => Teacher>> = {
  solver: (task, { errorRate }) => createSolverTeacher(task, errorRate === undefined ? {} : { errorRate }),
};

/** Names that `createTeacher` knows. */
export const teacherNames: readonly string[] = Object.keys(TEACHERS);

/**
 * The teacher that `settings` describe, for `task`.
 * @throws BadInputError for an unknown name, listing the known ones, and for settings the teacher refuses.
 */
export function createTeacher(settings: TeacherSettings, task: Task): Teacher {
  const create = Object.hasOwn(TEACHERS, settings.name) ? TEACHERS[settings.name] : undefined;
  return create === undefined
    ? badInput("teacher", `one of ${teacherNames.join(", ")}`, JSON.stringify(settings.name))
    : create(task, settings);
}
