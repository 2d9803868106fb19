/** @file The loop service over sums: the real service, loop and store with the small task, teacher and student of the tests. */
import type { ExperimentConfig } from "../../src/loop/config.ts";
import type { LoopEvent, LoopService } from "../../src/protocol/loopService.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { RunLibrary } from "../../src/loop/runStore.ts";
import { LoopServiceImpl } from "../../src/loop/service.ts";
import type { LoopServiceDeps, RaceEngine } from "../../src/loop/openLane.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { LinearStudent } from "./linearStudent.ts";
import { sumsTask, sumsTeacher } from "./sums.ts";

export interface SumsService {
  readonly service: LoopService;
  readonly library: RunLibrary;
  /** Students and engines opened and not disposed yet. */
  readonly open: { students: number; engines: number };
}

/** A service; `change` replaces parts of what it runs on. */
export function sumsService(change: Partial<LoopServiceDeps<RaceEngine>> = {}): SumsService {
  const open = { students: 0, engines: 0 };
  const library = change.library ?? new MemoryLibrary();
  const service = new LoopServiceImpl<RaceEngine>({
    providers: async () => [
      { ep: "cpu", available: true },
      { ep: "webgpu", available: false, reason: "sums need no GPU" },
    ],
    openEngine: async (ep) => {
      open.engines++;
      return {
        info: {
          ep: "cpu",
          version: "linear 1",
          threads: 1,
          ...(ep === "webgpu" ? { fallbackReason: "sums need no GPU" } : {}),
        },
        dispose: async () => void open.engines--,
      };
    },
    openStudent: async (_engine, config) => {
      open.students++;
      const student = new LinearStudent();
      student.dispose = async () => void open.students--;
      return { student, name: config.student };
    },
    createTask: () => sumsTask(),
    createTeacher: () => sumsTeacher(),
    now: () => 0,
    ...change,
    library,
  });
  return { service, library, open };
}

/** Gathers what a service tells. */
export function listenTo(service: LoopService): {
  readonly events: LoopEvent[];
  readonly ready: Promise<void>;
  of(lane: number): LoopRecord[];
  states(): string[];
} {
  const events: LoopEvent[] = [];
  const ready = service.subscribe((batch) => void events.push(...batch));
  return {
    events,
    ready,
    of: (lane) => events.flatMap((event) => (event.type === "record" && event.lane === lane ? [event.record] : [])),
    states: () => events.flatMap((event) => (event.type === "state" ? [event.state] : [])),
  };
}

/** A stored run, as it is told. */
export async function recordsOf(service: LoopService, runId: string): Promise<LoopRecord[]> {
  const records: LoopRecord[] = [];
  await service.tellRecords(runId, (some) => void records.push(...some));
  return records;
}

/** Resolves when `condition` holds, looked at every 2 ms. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Resolves when the service tells `state`. */
export function untilState(listener: { states(): string[] }, state: string): Promise<void> {
  return until(() => listener.states().at(-1) === state);
}

/** Two lanes over the same seeds: own loss against random. */
export function twoLanes(config: ExperimentConfig): ExperimentConfig[] {
  return [
    { ...config, strategy: { name: "random", picker: { kind: "uniform" } } },
    { ...config, strategy: { name: "own-loss", picker: { kind: "argmax" } } },
  ];
}
