/**
 * @file The race of a service: at most one is open; opening, ending and stepping wait for each
 * other. Not here: how a race is opened (`openRace.ts`) and what it does (`race.ts`).
 */
import { badInput } from "../core/errors.ts";
import type { EventBatcher } from "../protocol/eventBatcher.ts";
import type { RaceInfo, RaceOptions, RaceState, StepUnit } from "../protocol/loopService.ts";
import type { LanePlan, LoopServiceDeps, RaceEngine } from "./openLane.ts";
import { openRace } from "./openRace.ts";
import type { OpenRace } from "./openRace.ts";
import type { Race } from "./race.ts";

/** A longer pause would look like a fault. */
const MAX_PAUSE_MS = 60_000;

export class RaceKeeper<E extends RaceEngine> {
  readonly #deps: LoopServiceDeps<E>;
  readonly #events: EventBatcher;
  #current: OpenRace | undefined;
  /** Aborts the opening of a race. */
  #opening: AbortController | undefined;
  #state: RaceState = "idle";
  #pauseMs = 0;
  /** Tail of opening, ending and stepping. Never rejects. */
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: LoopServiceDeps<E>, events: EventBatcher) {
    this.#deps = deps;
    this.#events = events;
  }

  get current(): OpenRace | undefined {
    return this.#current;
  }

  get state(): RaceState {
    return this.#state;
  }

  /** The race. @throws BadInputError where there is none. */
  opened(): OpenRace {
    return this.#current ?? badInput("race", "a race that was created or resumed", "none", "Create one first");
  }

  /** Ends the race before, then opens everything, or nothing. In turn. */
  async open(raceId: string, plans: readonly LanePlan[], options: RaceOptions): Promise<RaceInfo> {
    await this.end();
    const abort = new AbortController();
    this.#opening = abort;
    try {
      const open = await openRace(this.#deps, raceId, plans, options, this.#events, abort);
      open.race.setPace(this.#pauseMs);
      this.#current = open;
      this.#setState("ready");
      await this.#events.flush();
      return { raceId, engine: open.engine.info, lanes: open.infos };
    } finally {
      this.#opening = undefined;
    }
  }

  /** Lets the race run; resolves when it does. */
  start(): Promise<void> {
    return this.inTurn(async () => {
      const { race } = this.opened();
      if (race.running || race.done) return;
      this.#setState("running");
      // Ends by itself; a lane's failure is an event.
      void race.run().then(() => this.#settle(race));
    });
  }

  /** Resolves when nothing computes any more. */
  async pause(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    await current.race.pause();
    await this.#settle(current.race);
  }

  /** Goes on to the end of the next phase or round of every lane. */
  step(unit: StepUnit): Promise<void> {
    return this.inTurn(async () => {
      const { race } = this.opened();
      await race.pause();
      this.#setState("stepping");
      await race.step(unit);
      await this.#settle(race);
    });
  }

  /** Makes whatever runs, opens or steps end soon; does not wait for it. */
  abort(): void {
    this.#current?.abort.abort();
    this.#opening?.abort();
  }

  /** @throws BadInputError for a pause out of bounds. */
  setPace(pauseMs: number): void {
    if (!(pauseMs >= 0 && pauseMs <= MAX_PAUSE_MS))
      badInput("setPace.pauseMs", `0 to ${MAX_PAUSE_MS}`, String(pauseMs));
    this.#pauseMs = pauseMs;
    this.#current?.race.setPace(pauseMs);
  }

  /** Ends the race, if there is one. In turn. */
  async end(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    current.abort.abort();
    await current.race.stop();
    this.#current = undefined;
    this.#setState("idle");
    await current.release();
    await this.#events.flush();
  }

  /** Says where the race stands now that it does not run. */
  async #settle(race: Race): Promise<void> {
    const ending = this.#current?.abort.signal.aborted ?? true;
    if (this.#current?.race === race && !race.running && !ending) this.#setState(race.done ? "done" : "paused");
    await this.#events.flush();
  }

  #setState(state: RaceState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.push({ type: "state", state });
  }

  /** Runs `work` after whatever opens, ends or steps now. */
  inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(work);
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
