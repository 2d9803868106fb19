/** @file The name of a student that starts with an adapter, as runs tell it. */

/** Both names as one: `hub:org/base@… + hub:org/adapter@…`; the student's own without an adapter. */
export function studentName(student: string, adapter: string | undefined): string {
  return adapter === undefined ? student : `${student} + ${adapter}`;
}
