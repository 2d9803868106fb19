/**
 * @file Several closed loops on one engine, pulled one record at a time: whichever is
 * furthest behind in (round, phase, share of the phase) goes next, so that lanes
 * advance together whatever their phases cost. Starts, pauses, steps, stops.
 * Not here: opening students and stores (`service.ts`).
 */
import { TutelageError } from "../core/errors.ts";
import type { StepUnit } from "../protocol/loopService.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { ExampleRow, Student, StudentFormat, TrainingNeeds, TrainOptions } from "../student/types.ts";
import type { Task } from "../tasks/types.ts";
import { breather } from "./breathe.ts";
import type { ExperimentConfig } from "./config.ts";
import type { Interventions } from "./interventions.ts";
import { PHASES } from "./records.ts";
import type { LoopRecord } from "./records.ts";
import type { RunStore } from "./runStore.ts";

/** Zip archive of the student as it is. */
export type PackStudent = (format: StudentFormat) => Promise<Uint8Array>;

/** What training on such rows needs. */
export type TrainingNeedsOf = (rows: readonly ExampleRow[], options: TrainOptions) => TrainingNeeds;

/** A closed loop under way, with what it owns. */
export interface Lane {
  readonly config: ExperimentConfig;
  readonly memory: MemorySettings;
  readonly student: Student;
  readonly task: Task;
  readonly store: RunStore;
  /** Decisions of people about its pairs. */
  readonly interventions: Interventions;
  readonly records: AsyncGenerator<LoopRecord, void, void>;
  /** Absent for students that are not made of files. */
  readonly pack?: PackStudent;
  readonly needs?: TrainingNeedsOf;
}

export type RaceEvent =
  | { readonly type: "record"; readonly lane: number; readonly record: LoopRecord }
  | { readonly type: "failed"; readonly lane: number; readonly error: unknown };

interface Entry {
  readonly lane: Lane;
  readonly index: number;
  /** Rounds + phases + share of the phase, on one axis. */
  position: number;
  /** Phases it has ended in this session. */
  phases: number;
  ended: boolean;
}

/** Runs lanes. Borrows them: `stop` ends their generators, the caller disposes the rest. */
export class Race {
  readonly #entries: readonly Entry[];
  readonly #emit: (event: RaceEvent) => void;
  readonly #breathe = breather();
  /** Tail of the work on the engine: pulls and questions to students take turns. Never rejects. */
  #turn: Promise<void> = Promise.resolve();
  #running: Promise<void> | undefined;
  #waiting = 0;
  #halt = false;
  #pauseMs = 0;
  /** Ends the wait between two phases. */
  #wake: (() => void) | undefined;
  #stopped = false;

  constructor(lanes: readonly Lane[], emit: (event: RaceEvent) => void) {
    this.#entries = lanes.map((lane, index) => ({ lane, index, position: 0, phases: 0, ended: false }));
    this.#emit = emit;
  }

  /** Every lane has ended, well or badly. */
  get done(): boolean {
    return this.#entries.every((entry) => entry.ended);
  }

  /** Pieces of work that run on the engine or wait for it. */
  get waiting(): number {
    return this.#waiting;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Pulls until `pause` or the end; resolves then. Only when not running. */
  run(): Promise<void> {
    return this.#pump(() => true);
  }

  /** Every lane goes on to the end of its next phase or round. Resolves then, or at a pause. Only when not running. */
  step(unit: StepUnit): Promise<void> {
    const arrived = new Set<Entry>();
    return this.#pump(
      (entry) => !arrived.has(entry),
      (entry, record) => {
        if (endsPhase(record, entry.lane.config.rounds) && (unit === "phase" || record.type === "round"))
          arrived.add(entry);
      },
    );
  }

  /** Waits so long whenever all lanes have ended a phase; a wait under way ends. */
  setPace(pauseMs: number): void {
    this.#pauseMs = pauseMs;
    this.#wake?.();
  }

  /** Resolves when nothing computes any more. A pull under way is finished: an optimizer step, a batch. */
  async pause(): Promise<void> {
    this.#halt = true;
    this.#wake?.();
    await this.#running;
    await this.#turn;
  }

  /** Pauses, then ends the generators. Abort their signal first to not wait for the pull under way; that is then no failure of a lane. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.pause();
    for (const entry of this.#entries) {
      entry.ended = true;
      await entry.lane.records.return().catch(() => undefined);
    }
  }

  /** Runs `work` when no pull is under way. */
  between<R>(work: () => Promise<R>): Promise<R> {
    this.#waiting++;
    const result = this.#turn
      .then(() => work())
      .finally(() => {
        this.#waiting--;
      });
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  #pump(wanted: (entry: Entry) => boolean, seen?: (entry: Entry, record: LoopRecord) => void): Promise<void> {
    if (this.#running !== undefined) throw new TutelageError("internal", "internal error: the race is running already");
    this.#halt = false;
    const running = this.#pullUntilDone(wanted, seen).finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #pullUntilDone(
    wanted: (entry: Entry) => boolean,
    seen: ((entry: Entry, record: LoopRecord) => void) | undefined,
  ): Promise<void> {
    for (;;) {
      if (this.#halt) return;
      const entry = this.#entries
        .filter((candidate) => !candidate.ended && wanted(candidate))
        .sort((a, b) => a.position - b.position)[0];
      if (entry === undefined) return;
      const record = await this.between(() => this.#pull(entry));
      if (record !== undefined) seen?.(entry, record);
      await this.#breathe();
      // A step ends where a pause would be.
      if (seen === undefined && record !== undefined && endsPhase(record, entry.lane.config.rounds))
        await this.#pauseAfterPhase(entry);
    }
  }

  async #pauseAfterPhase(entry: Entry): Promise<void> {
    entry.phases++;
    const others = this.#entries.filter((other) => other !== entry && !other.ended);
    if (this.#pauseMs === 0 || this.#halt || others.some(({ phases }) => phases < entry.phases)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#pauseMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** The lane's next record, undefined at its end. Never rejects: a lane that fails ends, the others go on. */
  async #pull(entry: Entry): Promise<LoopRecord | undefined> {
    try {
      const next = await entry.lane.records.next();
      if (next.done === true) {
        entry.ended = true;
        return undefined;
      }
      entry.position = positionAfter(next.value, entry.position);
      this.#emit({ type: "record", lane: entry.index, record: next.value });
      return next.value;
    } catch (error) {
      entry.ended = true;
      if (!(this.#stopped && error instanceof TutelageError && error.code === "aborted"))
        this.#emit({ type: "failed", lane: entry.index, error });
      return undefined;
    }
  }
}

/** Whether a phase is over with this record. A round's summary belongs to its last phase, and the end of the run to its last round. */
function endsPhase(record: LoopRecord, rounds: number): boolean {
  if (record.type === "round") return record.summary.round < rounds;
  return record.type === "phase" && record.state === "end" && record.phase !== "evaluate";
}

/** Where a lane stands after a record; one unit per phase. */
function positionAfter(record: LoopRecord, before: number): number {
  const perRound = PHASES.length;
  const at = (round: number, phase: (typeof PHASES)[number], share: number): number =>
    round * perRound + PHASES.indexOf(phase) + share;
  switch (record.type) {
    case "run":
      return record.resumedAtRound * perRound;
    case "phase":
      return at(
        record.round,
        record.phase,
        record.state === "end" ? 1 : record.total === 0 ? 0 : record.done / record.total,
      );
    case "step":
      return at(record.round, "train", record.totalSteps === 0 ? 0 : record.step / record.totalSteps);
    case "round":
      return (record.summary.round + 1) * perRound;
    default:
      return before;
  }
}
