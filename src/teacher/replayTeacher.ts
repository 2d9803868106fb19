/**
 * @file The teacher of a replayed run: every reply is taken from the recorded run by the
 * loop (`recorded`), so that this one is asked only for what was not recorded, and
 * refuses. Sends nothing.
 */
import { TeacherError } from "./teacherError.ts";
import type { Teacher } from "./types.ts";

/** A teacher that knows nothing; `calls` as the recorded run made them. */
export function createReplayTeacher({ calls }: { readonly calls: "two" | "one" }): Teacher {
  const refuse = (): Promise<never> =>
    Promise.reject(new TeacherError("request", "the recorded run has no reply to this call"));
  const both = { name: "replay", propose: refuse, answer: refuse, judge: refuse };
  return calls === "one" ? { ...both, pair: refuse } : both;
}
