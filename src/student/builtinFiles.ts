/**
 * @file The built-in students by name: where each one's files are, and which they are, so that
 * a page asks its host for no others. Not here: how they are made (`scripts/builtinStudent`).
 */
import { badInput } from "../core/errors.ts";

/** Files that a built-in student is read from. */
export const BUILTIN_STUDENT_FILES: readonly string[] = [
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
];

/** What `student` names for the built-in student of an experiment's own task. */
export const BUILTIN = "builtin";
const PREFIX = `${BUILTIN}:`;

/** Folder of each built-in student below `public/`, and so below the page, by the task it was pretrained for. */
const FOLDERS = {
  "word-problems": "student",
  game24: "students/game24",
  prontoqa: "students/prontoqa",
  algebra: "students/algebra",
} as const satisfies Readonly<Record<string, string>>;

/** Tasks with a built-in student of their own. Data of the user's own start from the one for word problems. */
export const BUILTIN_STUDENT_TASKS: readonly string[] = Object.keys(FOLDERS);

/** Whether `student` names a built-in one: `builtin`, or `builtin:TASK`. */
export function isBuiltinStudent(student: string): boolean {
  return student === BUILTIN || student.startsWith(PREFIX);
}

/**
 * Folder below `public/` of the built-in student that `student` names: `builtin:TASK` is the one
 * made for that task, `builtin` the one for `task`, or for word problems where that task has none.
 * @throws BadInputError for a task without one, listing those that have one.
 */
export function builtinStudentFolder(student: string, task?: string): string {
  const asked = student.startsWith(PREFIX) ? student.slice(PREFIX.length) : undefined;
  const folders: Readonly<Record<string, string>> = FOLDERS;
  const folderOf = (name: string): string | undefined => (Object.hasOwn(folders, name) ? folders[name] : undefined);
  if (asked === undefined) return folderOf(task ?? "") ?? FOLDERS["word-problems"];
  return (
    folderOf(asked) ??
    badInput("student", `${BUILTIN}, or ${PREFIX}TASK with one of ${BUILTIN_STUDENT_TASKS.join(", ")}`, student)
  );
}
