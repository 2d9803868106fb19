/** @file Loops over sums that die, and what they leave behind. */
import { closedLoop } from "../../src/loop/closedLoop.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { RunStore, StoredRun } from "../../src/loop/runStore.ts";
import type { Teacher } from "../../src/teacher/types.ts";
import { CrashingStore } from "./crashingStore.ts";
import type { CrashPlan } from "./crashingStore.ts";
import { sumsDeps } from "./loopRuns.ts";

/** What a run left behind, without the clock. */
export function remains(stored: StoredRun | undefined): unknown {
  if (stored === undefined) return undefined;
  const { checkpoint } = stored;
  return {
    pools: stored.pools,
    picks: stored.picks,
    replies: [...stored.replies].sort((a, b) => (a.id + a.call < b.id + b.call ? -1 : 1)),
    examples: stored.examples,
    rounds: stored.rounds,
    checkpoint:
      checkpoint === undefined
        ? undefined
        : { ...checkpoint, parameters: [...checkpoint.parameters].map(([name, values]) => [name, [...values]]) },
  };
}

/** Runs until the process dies: at a planned write, or after so many records. Returns what was told before. */
export async function runUntilDeath(
  config: ExperimentConfig,
  inner: RunStore,
  plan: CrashPlan & { readonly afterRecords?: number },
  teacher: Teacher,
  resume: boolean,
): Promise<LoopRecord[]> {
  const store = new CrashingStore(inner, plan);
  const records = closedLoop(config, await sumsDeps({ store, teacher, resume }));
  const told: LoopRecord[] = [];
  for (;;) {
    if (told.length === plan.afterRecords) {
      store.kill();
      return told;
    }
    const next = await Promise.race([records.next(), store.death]);
    if (next === undefined || next.done === true) return told;
    told.push(next.value);
  }
}
