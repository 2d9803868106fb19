/**
 * @file A loop service for tests of the page that plays scripted lanes: pauses,
 * steps, resumes and fails like the real one, without engine or worker. Kept state
 * is `storage`, so that a reload (or a second service) finds the runs.
 */
import { badInput } from "../../src/core/errors.ts";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { RunHeader } from "../../src/loop/runStore.ts";
import type {
  LaneInfo,
  LoopEvent,
  LoopService,
  RaceInfo,
  RaceOptions,
  RaceRequest,
  RaceState,
} from "../../src/protocol/loopService.ts";
import { SCRIPTED_ENGINE, scriptedConfig, scriptedLane } from "./scriptedLane.ts";

/** What survives: the request of each run and how many records it has told. */
export interface ScriptedRun {
  readonly runId: string;
  readonly raceId: string;
  readonly lane: number;
  readonly changes: Parameters<typeof scriptedConfig>[0];
  readonly told: number;
}

export interface ScriptedStorage {
  load(): ScriptedRun[];
  save(runs: readonly ScriptedRun[]): void;
}

interface OpenLane {
  readonly run: ScriptedRun;
  readonly records: readonly LoopRecord[];
  next: number;
}

export class ScriptedService implements LoopService {
  readonly #storage: ScriptedStorage;
  readonly #pauseMs: number;
  #lanes: OpenLane[] = [];
  #listener: ((batch: readonly LoopEvent[]) => void) | undefined;
  #state: RaceState = "idle";
  #dead = false;

  /** `pauseMs`: time between batches; 0 plays as fast as timers go. */
  constructor(storage: ScriptedStorage, pauseMs = 0) {
    this.#storage = storage;
    this.#pauseMs = pauseMs;
  }

  /** Goes silent, like a worker that was killed. */
  kill(): void {
    this.#dead = true;
  }

  /** Ends a lane with an error. */
  failLane(lane: number, message: string): void {
    this.#send([{ type: "lane-failed", lane, error: { name: "TutelageError", code: "non-finite", message } }]);
  }

  async ping(): Promise<void> {}

  async providers(): Promise<never[]> {
    return [];
  }

  async createRace(request: RaceRequest): Promise<RaceInfo> {
    const raceId = `race-${this.#storage.load().length}`;
    const runs = request.lanes.map((changes, lane): ScriptedRun => ({
      runId: `${raceId}-${lane}`,
      raceId,
      lane,
      changes: changes as ScriptedRun["changes"],
      told: 0,
    }));
    if (scriptedConfig(runs[0]?.changes).querySize > 120)
      badInput("lanes[0].querySize", "at most task.pool = 120", "more");
    this.#storage.save([...this.#storage.load(), ...runs]);
    return this.#open(runs);
  }

  async resumeRace(runIds: readonly string[], _options: RaceOptions): Promise<RaceInfo> {
    const stored = this.#storage.load();
    const runs = runIds.map(
      (runId) => stored.find((run) => run.runId === runId) ?? badInput("runIds", "a stored run", runId),
    );
    const info = this.#open(runs);
    for (const [lane, { records, next }] of this.#lanes.entries())
      this.#send(records.slice(0, next).map((record) => ({ type: "record", lane, record })));
    return info;
  }

  async start(): Promise<void> {
    this.#setState("running");
    void this.#play();
  }

  async pause(): Promise<void> {
    this.#setState("paused");
  }

  async step(): Promise<void> {
    this.#setState("stepping");
    for (const [lane, open] of this.#lanes.entries()) {
      let ended = false;
      while (!ended && open.next < open.records.length) {
        const record = this.#tell(lane, open);
        // A round's summary and the end belong to the evaluation before them.
        const after = open.records[open.next];
        ended = record?.type === "phase" && record.state === "end" && after?.type !== "round" && after?.type !== "done";
        if (record?.type === "round" && after?.type !== "done") ended = true;
      }
    }
    this.#save();
    this.#setState(this.#lanes.every(({ next, records }) => next >= records.length) ? "done" : "paused");
  }

  async stop(): Promise<void> {
    this.#lanes = [];
    this.#setState("idle");
  }

  async subscribe(listener: (batch: readonly LoopEvent[]) => void): Promise<void> {
    this.#listener = listener;
  }

  async ask(): Promise<never> {
    throw new Error("scripted lanes have no student");
  }

  async runs(): Promise<readonly RunHeader[]> {
    return this.#storage
      .load()
      .map((run): RunHeader => {
        const config = scriptedConfig(run.changes);
        const told = [...scriptedLane(config, run.runId)].slice(0, run.told);
        const rounds = told.filter((record) => record.type === "round");
        return {
          manifest: {
            schemaVersion: 1,
            runId: run.runId,
            createdAt: "2026-11-22T08:00:00Z",
            version: "0.1.0",
            config,
            engine: SCRIPTED_ENGINE,
            student: { name: "builtin", parameters: 1, trainable: 1 },
            race: { id: run.raceId, lane: run.lane },
          },
          lastRound: rounds.length - 1,
          accuracy: rounds.at(-1)?.summary.evaluation.accuracy ?? null,
          finished: told.at(-1)?.type === "done",
        };
      })
      .reverse();
  }

  async runRecords(runId: string): Promise<readonly LoopRecord[]> {
    const run = this.#storage.load().find((stored) => stored.runId === runId);
    return run === undefined ? [] : [...scriptedLane(scriptedConfig(run.changes), runId)].slice(0, run.told);
  }

  async deleteRun(runId: string): Promise<void> {
    this.#storage.save(this.#storage.load().filter((run) => run.runId !== runId));
  }

  #open(runs: readonly ScriptedRun[]): RaceInfo {
    this.#lanes = runs.map((run) => ({
      run,
      records: [...scriptedLane(scriptedConfig(run.changes), run.runId)],
      next: run.told,
    }));
    this.#setState("ready");
    return {
      raceId: runs[0]?.raceId ?? "",
      engine: SCRIPTED_ENGINE,
      lanes: runs.map(({ runId, changes }, lane): LaneInfo => ({
        lane,
        runId,
        config: scriptedConfig(changes),
        student: { name: "builtin", parameters: 1_240_000, trainable: 1_240_000 },
        resumedAtRound: 0,
      })),
    };
  }

  async #play(): Promise<void> {
    while (this.#state === "running" && !this.#dead) {
      for (const [lane, open] of this.#lanes.entries()) for (let i = 0; i < 4; i++) this.#tell(lane, open);
      this.#save();
      if (this.#lanes.every(({ next, records }) => next >= records.length)) this.#setState("done");
      await new Promise((resolve) => setTimeout(resolve, this.#pauseMs));
    }
  }

  #tell(lane: number, open: OpenLane): LoopRecord | undefined {
    const record = open.records[open.next];
    if (record === undefined) return undefined;
    open.next++;
    this.#send([{ type: "record", lane, record }]);
    return record;
  }

  #save(): void {
    const told = new Map(this.#lanes.map(({ run, next }) => [run.runId, next]));
    this.#storage.save(this.#storage.load().map((run) => ({ ...run, told: told.get(run.runId) ?? run.told })));
  }

  #setState(state: RaceState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#send([{ type: "state", state }]);
  }

  #send(batch: readonly LoopEvent[]): void {
    if (!this.#dead) this.#listener?.(batch);
  }
}
