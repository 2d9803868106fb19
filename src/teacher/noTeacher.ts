/** @file The teacher "none": writes and answers nothing, for experiments of no rounds that only evaluate a student. */
import { TutelageError } from "../core/errors.ts";
import type { Teacher } from "./types.ts";

/** A teacher whose every call rejects with `unsupported`. */
export function createNoTeacher(): Teacher {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new TutelageError("unsupported", "teacher none: expected no call, got one. Choose a teacher that can write"),
    );
  return { name: "none", propose: refuse, answer: refuse, judge: refuse };
}
