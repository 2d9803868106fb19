/** @file Students made available before anything is opened: fetched, or picked by the user, and named for ever. */
import type { EventBatcher } from "../protocol/eventBatcher.ts";
import type { RaceOptions } from "../protocol/loopService.ts";
import type { LanePlan, StudentShelf } from "./openLane.ts";

/** The plans with their students fetched and named for ever. What is worth a warning becomes one of the first lane. */
export async function prepareStudents(
  students: StudentShelf | undefined,
  plans: readonly LanePlan[],
  { hubToken, folder }: Pick<RaceOptions, "hubToken" | "folder">,
  events: EventBatcher,
  signal: AbortSignal,
): Promise<readonly LanePlan[]> {
  if (students === undefined) return plans;
  const names = new Map<string, string>();
  for (const { config } of plans) {
    if (names.has(config.student)) continue;
    const name = await students.prepare(config.student, {
      signal,
      ...(hubToken === undefined ? {} : { hubToken }),
      ...(folder === undefined ? {} : { folder }),
      onProgress: (progress) => events.push({ type: "download", progress }),
      onWarning: (message) =>
        events.push({ type: "record", lane: 0, record: { type: "warning", code: "student", message } }),
    });
    names.set(config.student, name);
  }
  return plans.map((plan) => ({
    ...plan,
    config: { ...plan.config, student: names.get(plan.config.student) ?? plan.config.student },
  }));
}
