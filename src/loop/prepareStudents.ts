/** @file Students and their adapters made available before anything is opened: fetched, or picked by the user, and named for ever. */
import type { EventBatcher } from "../protocol/eventBatcher.ts";
import type { DownloadProgress, HubKind, PickedFolder } from "../hub/types.ts";
import type { RaceOptions } from "../protocol/loopService.ts";
import type { LanePlan, StudentShelf } from "./openLane.ts";

/** The plans with their students and adapters fetched and named for ever. What is worth a warning becomes one of the first lane. */
export async function prepareStudents(
  students: StudentShelf | undefined,
  plans: readonly LanePlan[],
  { hubToken, folder, adapterFolder }: Pick<RaceOptions, "hubToken" | "folder" | "adapterFolder">,
  events: EventBatcher,
  signal: AbortSignal,
): Promise<readonly LanePlan[]> {
  if (students === undefined) return plans;
  const names = new Map<string, string>();
  const prepare = async (kind: HubKind, named: string, picked: PickedFolder | undefined): Promise<string> => {
    const key = `${kind} ${named}`;
    const known = names.get(key);
    if (known !== undefined) return known;
    const context = {
      signal,
      ...(hubToken === undefined ? {} : { hubToken }),
      ...(picked === undefined ? {} : { folder: picked }),
      onProgress: (progress: DownloadProgress) => events.push({ type: "download", progress }),
      onWarning: (message: string) =>
        events.push({ type: "record", lane: 0, record: { type: "warning", code: "student", message } }),
    };
    const name = await students.prepare(named, context, kind);
    names.set(key, name);
    return name;
  };
  const prepared: LanePlan[] = [];
  for (const plan of plans) {
    const { config } = plan;
    // The adapter is small: what is wrong with it is found before a student is fetched.
    const adapter =
      config.adapter === undefined ? {} : { adapter: await prepare("adapter", config.adapter, adapterFolder) };
    const student = await prepare("student", config.student, folder);
    prepared.push({ ...plan, config: { ...config, ...adapter, student } });
  }
  return prepared;
}
