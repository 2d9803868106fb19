/**
 * @file Opens a race: students, engine, one lane per plan, all or nothing. Not here: what is
 * asked of an open race (`raceQuestions.ts`), when one may be opened (`service.ts`).
 */
import type { Plane } from "../core/principalComponents.ts";
import type { DownloadProgress } from "../hub/types.ts";
import { toWireError } from "../protocol/errors.ts";
import type { EventBatcher } from "../protocol/eventBatcher.ts";
import type { LaneInfo, RaceOptions } from "../protocol/loopService.ts";
import type { TrainingNeeds } from "../student/types.ts";
import { openLane } from "./openLane.ts";
import type { LanePlan, LoopServiceDeps, OpenedLane, RaceEngine } from "./openLane.ts";
import { prepareStudents } from "./prepareStudents.ts";
import { Race } from "./race.ts";
import type { Lane } from "./race.ts";
import type { LoopRecord } from "./records.ts";
import { releaseAll } from "./releaseAll.ts";
import { UntouchedAnswers } from "./untouchedAnswers.ts";
import { placeAfter, UNTAUGHT } from "./voices.ts";
import type { RaceToAsk } from "./voices.ts";

/** A race with what it owns. */
export interface OpenRace extends RaceToAsk {
  readonly race: Race;
  readonly lanes: readonly Lane[];
  readonly infos: readonly LaneInfo[];
  readonly abort: AbortController;
  /** Releases lanes and engine. */
  readonly release: () => Promise<void>;
  readonly engine: RaceEngine;
  /** Of the first lane; made when first asked for. */
  needs?: TrainingNeeds | undefined;
  /** Axes of `mapPool`, fixed by its first call. */
  plane?: Plane;
}

/** Opens everything, or nothing. `abort` ends the opening, and later the race. What happens is told to `events`. */
export async function openRace<E extends RaceEngine>(
  deps: LoopServiceDeps<E>,
  raceId: string,
  plans: readonly LanePlan[],
  options: RaceOptions,
  events: EventBatcher,
  abort: AbortController,
): Promise<OpenRace> {
  const owned: (() => Promise<void>)[] = [];
  const release = (): Promise<void> => releaseAll(owned.splice(0).reverse());
  try {
    const prepared = await prepareStudents(deps.students, plans, options, events, abort.signal);
    const onProgress = (progress: DownloadProgress): void => events.push({ type: "download", progress });
    const engine = await deps.openEngine(options.ep, { onProgress, signal: abort.signal });
    owned.push(() => engine.dispose());
    const opened: OpenedLane[] = [];
    const untouched = new UntouchedAnswers();
    const { teacherKey, showPool } = options;
    for (const [lane, plan] of prepared.entries()) {
      const tell = (record: LoopRecord): void => events.push({ type: "record", lane, record });
      const setting = { raceId, lane, showPool, signal: abort.signal, untouched, teacherKey, tell, onProgress };
      opened.push(await openLane(deps, engine, plan, setting, owned));
    }
    const lanes = opened.map(({ lane }) => lane);
    const places = opened.map(({ told }) => told.reduce(placeAfter, UNTAUGHT));
    const race = new Race(lanes, (event) => {
      if (event.type === "record") places[event.lane] = placeAfter(places[event.lane] ?? UNTAUGHT, event.record);
      events.push(
        event.type === "record" ? event : { type: "lane-failed", lane: event.lane, error: toWireError(event.error) },
      );
    });
    for (const [lane, { told }] of opened.entries()) {
      for (const record of told) events.push({ type: "record", lane, record });
    }
    return { race, lanes, infos: opened.map(({ info }) => info), places, abort, release, engine };
  } catch (error) {
    abort.abort();
    // What failed first says more than what failed because of it.
    await release().catch(() => undefined);
    // A lane that was opened has stored its run already: without the others it is no race to go on with.
    for (const { runId, stored } of plans)
      if (stored === undefined) await deps.library.delete(runId).catch(() => undefined);
    throw error;
  }
}
