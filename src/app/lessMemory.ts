/** @file What a lane that ran out of memory could go on with. Not here: the rules (`student/memorySettings.ts`). */
import type { MemorySettings } from "../student/memorySettings.ts";
import { describeMemoryChange, lessMemory, memorySettingsOf } from "../student/memorySettings.ts";
import type { LaneState } from "./laneState.ts";

/** Settings that need less memory than the lane's and take the same steps, with what they change in words. */
export interface LessMemory {
  readonly runId: string;
  readonly memory: MemorySettings;
  readonly change: string;
}

/** Less memory for the phase that the lane is in, or for all where it is in none; undefined where nothing is left to take. */
export function lessMemoryOf({ run, memoryChanges, phase, done }: LaneState): LessMemory | undefined {
  if (run === null || done) return undefined;
  const now = memoryChanges.at(-1)?.to ?? memorySettingsOf(run.config);
  const memory = lessMemory(now, phase?.phase);
  return memory && { runId: run.runId, memory, change: describeMemoryChange(now, memory) };
}
