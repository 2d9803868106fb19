/** @file Small closed loops for tests: a config over sums, collecting records, and what of them does not depend on the clock. */
import { closedLoop } from "../../src/loop/closedLoop.ts";
import type { ClosedLoopDeps } from "../../src/loop/closedLoop.ts";
import type { ExperimentConfig } from "../../src/loop/config.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { LinearStudent } from "./linearStudent.ts";
import { sumsTask, sumsTeacher } from "./sums.ts";

type Partially<T> = {
  readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Partially<T[K]> : T[K];
};

/** A quick experiment over sums; `task.name` is only a label to the loop. */
export function sumsConfig(change: Partially<ExperimentConfig> = {}): ExperimentConfig {
  const base = {
    name: "sums",
    student: "linear",
    task: { pool: 30, validation: 10, test: 40 },
    rounds: 3,
    querySize: 6,
    perSeed: 2,
    replay: 0,
    training: { epochs: 6, batchSize: 4, learningRate: 0.2 },
    generation: { maxNewTokens: 40, batchSize: 16 },
  };
  const merged: Record<string, unknown> = { ...base, ...change };
  for (const key of ["task", "training", "generation"] as const) merged[key] = { ...base[key], ...change[key] };
  return parseExperimentConfig(merged);
}

/** Everything a loop over sums runs on, fresh. */
export async function sumsDeps(change: Partial<ClosedLoopDeps> = {}): Promise<ClosedLoopDeps> {
  const store = change.store ?? (await new MemoryLibrary().open("run"));
  const openHoldout = async () => new LinearStudent();
  return {
    student: new LinearStudent(),
    openHoldout,
    task: sumsTask(),
    teacher: sumsTeacher(),
    now: () => 0,
    ...change,
    store,
  };
}

/** All records of a loop. */
export async function collect(config: ExperimentConfig, deps: ClosedLoopDeps): Promise<LoopRecord[]> {
  const records: LoopRecord[] = [];
  for await (const record of closedLoop(config, deps)) records.push(record);
  return records;
}

/** Records of one type. */
export function ofType<T extends LoopRecord["type"]>(
  records: readonly LoopRecord[],
  type: T,
): Extract<LoopRecord, { type: T }>[] {
  return records.filter((record): record is Extract<LoopRecord, { type: T }> => record.type === type);
}

/** The records from a round on that a resumed run must repeat: no run line, no progress, no clock. */
export function comparable(records: readonly LoopRecord[], fromRound = 0): unknown[] {
  const roundOf = (record: LoopRecord): number =>
    "round" in record
      ? record.round
      : record.type === "example"
        ? record.example.round
        : record.type === "round"
          ? record.summary.round
          : record.type === "warning"
            ? Number(/^round (\d+):/.exec(record.message)?.[1] ?? Infinity)
            : Infinity;
  return records
    .filter(
      (record) =>
        record.type !== "run" &&
        !(record.type === "phase" && record.state === "progress") &&
        !(record.type === "warning" && record.code === "engine-changed"),
    )
    .filter((record) => roundOf(record) >= fromRound)
    .map((record) => {
      if (record.type === "step") return { ...record, tokensPerSecond: 0 };
      if (record.type === "round")
        return {
          ...record,
          summary: { ...record.summary, durationMs: 0, teacher: { ...record.summary.teacher, durationMs: 0 } },
        };
      if (record.type === "example")
        return { ...record, example: { ...record.example, usage: { ...record.example.usage, durationMs: 0 } } };
      return record;
    });
}
