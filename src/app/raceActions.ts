/**
 * @file What the buttons of a race do: start, pause, step, put away, resume, restart
 * after a crash; and the race's events folded into the page's state.
 */
import { chosenOptions } from "./engineOptions.ts";
import type { LoopEvent, LoopService, RaceOptions } from "../protocol/loopService.ts";
import type { LoopRecord } from "../loop/records.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { StudentFormat } from "../student/types.ts";
import type { RunHeader } from "../loop/runStore.ts";
import type { AppState, Pace, StoredRace } from "./appState.ts";
import { laneLetter, PACES, withoutRun } from "./appState.ts";
import { EMPTY_LANE, reduceRecords } from "./laneState.ts";
import { lessMemoryOf } from "./lessMemory.ts";
import { originsOf } from "./origins.ts";
import { withPrompts } from "./promptEdits.ts";
import { problemOfCode } from "./problem.ts";
import type { ProviderChoice } from "./choices.ts";
import { PROVIDERS } from "./choices.ts";
import { checkSettings, experimentsOf } from "./settings.ts";
import type { Store } from "./store.ts";
import type { WorkerLink } from "./workerLink.ts";

/** Where the page remembers which unfinished race was put away; `localStorage` in a tab. */
export interface Memory {
  read(): string | null;
  write(raceId: string): void;
}

/** Gives the user a file. */
export type SaveFile = (name: string, bytes: Uint8Array) => void;

/** Between two looks at who has a run. */
const HOLDER_MS = 1000;

export interface RaceActions {
  /** How long the race waits between two phases, from now on. */
  setPace(pace: Pace): void;
  start(): void;
  pause(): void;
  resume(): void;
  step(): void;
  newRun(): void;
  discardStored(): void;
  /** Puts a stored race on the page, in place of what is there; `go`: and goes on with it. */
  open(runIds: readonly string[], go: boolean): void;
  /** Takes runs off the page that are being deleted. */
  forget(runIds: readonly string[]): void;
  restart(): void;
  /** Goes on with the run on the page in a new worker; in less memory the lanes that ran out of it, or all where none could say so. */
  resumeInLess(): void;
  /** Ends the download under way; what has arrived is kept. */
  cancelDownload(): void;
  /** Hands the user a lane's student as one file. */
  saveStudent(lane: number, format: StudentFormat): void;
}

/** What the race needs from outside itself. */
export interface RaceActionsOptions {
  readonly store: Store<AppState>;
  readonly link: WorkerLink;
  readonly memory: Memory;
  readonly saveFile: SaveFile;
  /** Called when the list of kept models may have changed. */
  readonly loadModels: (service: LoopService) => Promise<void>;
  /** Called when a race has opened an engine. */
  readonly onEngine: (ep: ExecutionProvider) => void;
}

export class RaceController implements RaceActions {
  readonly #store: Store<AppState>;
  readonly #link: WorkerLink;
  readonly #memory: Memory;
  readonly #saveFile: SaveFile;
  readonly #loadModels: (service: LoopService) => Promise<void>;
  readonly #onEngine: (ep: ExecutionProvider) => void;

  constructor({ store, link, memory, saveFile, loadModels, onEngine }: RaceActionsOptions) {
    this.#onEngine = onEngine;
    this.#store = store;
    this.#link = link;
    this.#memory = memory;
    this.#saveFile = saveFile;
    this.#loadModels = loadModels;
    link.listen((batch) => this.#hear(batch));
  }

  /** Shows the newest unfinished race, if there is one. */
  async showUnfinished(service: LoopService): Promise<void> {
    await this.#showStored(service, findUnfinished(await service.runs(), this.#memory.read()));
  }

  setPace(pace: Pace): void {
    this.#link.set({ pace });
    const { service } = this.#link;
    if (service !== undefined) this.#link.tell(service.setPace(PACES[pace].pauseMs));
  }

  start(): void {
    void this.#link.attempt("engine", async () => {
      const service = await this.#createRace();
      await service?.start();
    });
  }

  resume(): void {
    void this.#link.attempt("engine", async (service) => {
      await (await this.#openStored(service)).start();
    });
  }

  pause(): void {
    void this.#link.attempt("pause", (service) => service.pause());
  }

  step(): void {
    const { race, stored } = this.#store.state;
    void this.#link.attempt(race === null ? "engine" : null, async (service) => {
      let opened: LoopService | undefined = service;
      if (stored !== null) opened = await this.#openStored(service);
      else if (race === null) opened = await this.#createRace();
      this.#link.set({ pending: null });
      await opened?.step("phase");
    });
  }

  newRun(): void {
    void this.#link.attempt("stop", async (service) => {
      const { race, stored } = this.#store.state;
      const raceId = race?.raceId ?? stored?.raceId;
      if (raceId !== undefined) this.#memory.write(raceId);
      if (race !== null) await service.stop();
      this.#clear();
    });
  }

  discardStored(): void {
    void this.#link.attempt("storage", async (service) => {
      const { stored } = this.#store.state;
      this.#clear();
      for (const runId of stored?.runIds ?? []) await service.deleteRun(runId);
    });
  }

  open(runIds: readonly string[], go: boolean): void {
    void this.#link.attempt(go ? "engine" : "storage", async (service) => {
      if (this.#store.state.race !== null) await service.stop();
      const runs = (await service.runs()).filter(({ manifest }) => runIds.includes(manifest.runId));
      this.#clear();
      const stored = storedRaceOf(runs);
      if (stored === undefined) return this.#showRecords(service, runIds);
      await this.#showStored(service, stored);
      if (!go) return;
      await this.#openStored(service);
      await service.start();
    });
  }

  forget(runIds: readonly string[]): void {
    const { race, lanes } = this.#store.state;
    const shown = lanes.some(({ run }) => run !== null && runIds.includes(run.runId));
    if (race === null && shown) this.#clear();
  }

  /** A new worker in place of the one that crashed; the run on the page goes on from storage. */
  restart(): void {
    this.#restart({});
  }

  resumeInLess(): void {
    const { lanes, laneProblems } = this.#store.state;
    const said = lanes.filter((_, index) => laneProblems[index]?.remedy === "less-memory");
    const less = (said.length === 0 ? lanes : said).flatMap((lane) => lessMemoryOf(lane) ?? []);
    this.#restart(Object.fromEntries(less.map(({ runId, memory }) => [runId, memory])));
  }

  /** `memory`: by run, how it goes on. A heap that has grown never shrinks: the worker is replaced for less memory too. */
  #restart(memory: Readonly<Record<string, MemorySettings>>): void {
    const { race: open, stored: waiting } = this.#store.state;
    const interrupted = open ?? waiting;
    this.#link.close();
    this.#link.set({ crash: null, problem: null, race: null, raceState: "idle", laneProblems: [] });
    void this.#link.guard("worker", async () => {
      const service = await this.#link.open();
      const runs = await service.runs();
      const race =
        interrupted === null ? undefined : runs.filter(({ manifest }) => manifest.race?.id === interrupted.raceId);
      await this.#showStored(
        service,
        race === undefined ? findUnfinished(runs, this.#memory.read()) : storedRaceOf(race),
      );
      if (this.#store.state.stored === null) return;
      this.#link.set({ pending: "engine" });
      await (await this.#openStored(service, memory)).start();
    });
  }

  cancelDownload(): void {
    this.#link.cancel();
  }

  saveStudent(lane: number, format: StudentFormat): void {
    const { service } = this.#link;
    if (service === undefined) return;
    // The page goes on meanwhile: the worker packs between two steps.
    this.#link.tell(
      service
        .packStudent(lane, format)
        .then((archive) => this.#saveFile(`student-${laneLetter(lane).toLowerCase()}-${format}.zip`, archive)),
    );
  }

  /** The service with the new race; undefined, with the fields marked, when the settings cannot be run. */
  async #createRace(): Promise<LoopService | undefined> {
    const checked = checkSettings(this.#store.state.draft);
    if (!checked.ok) return undefined;
    this.#store.update(withoutRun);
    const { settings } = checked;
    const service = await this.#link.reach(originsOf([settings]));
    const race = await service.createRace({
      lanes: withPrompts(experimentsOf(settings), this.#store.state.teacherPrompts),
      ...this.#options(settings.provider),
    });
    await service.setPace(PACES[this.#store.state.pace].pauseMs);
    this.#link.set({ race, download: null });
    this.#onEngine(race.engine.ep);
    if ([settings.student, settings.adapter].some((name) => name?.startsWith("hub:"))) await this.#loadModels(service);
    return service;
  }

  /** Opens the stored race, if the page shows one; returns the service that has it. */
  async #openStored(present: LoopService, memory: Readonly<Record<string, MemorySettings>> = {}): Promise<LoopService> {
    const { stored, draft } = this.#store.state;
    if (stored === null) return present;
    const service = await this.#link.reach(stored.origins);
    const race = await service.resumeRace(stored.runIds, this.#options(providerOf(draft.provider)), memory);
    await service.setPace(PACES[this.#store.state.pace].pauseMs);
    this.#link.set({ race, stored: null, download: null });
    this.#onEngine(race.engine.ep);
    return service;
  }

  #options(ep: ProviderChoice): RaceOptions {
    const { teacherKey } = this.#store.state;
    return {
      ep,
      showPool: true,
      ...(teacherKey === "" ? {} : { teacherKey }),
      ...chosenOptions(this.#store.state),
    };
  }

  async #showStored(service: LoopService, stored: StoredRace | undefined): Promise<void> {
    if (stored === undefined) return;
    await this.#showRecords(service, stored.runIds);
    this.#link.set({ stored });
    if (stored.elsewhere) void this.#watchHolder(service, stored.raceId);
  }

  /** Looks now and then whether the other tab has let go; a tab that was just reloaded does so a moment later. */
  async #watchHolder(service: LoopService, raceId: string): Promise<void> {
    const isShown = (): boolean => this.#link.service === service && this.#store.state.stored?.raceId === raceId;
    while (isShown()) {
      await new Promise((resolve) => setTimeout(resolve, HOLDER_MS));
      // A list that cannot be read is told when the run is resumed.
      const runs = await service.runs().catch(() => []);
      const { stored } = this.#store.state;
      if (!isShown() || stored === null) return;
      const elsewhere = runs.some((run) => run.elsewhere && stored.runIds.includes(run.manifest.runId));
      if (elsewhere) continue;
      return this.#link.set({ stored: { ...stored, elsewhere } });
    }
  }

  async #showRecords(service: LoopService, runIds: readonly string[]): Promise<void> {
    // Lane by lane: a thousand rounds of all of them at once would take longer to draw than a frame.
    for (const [index, runId] of runIds.entries()) {
      let told = this.#store.state.lanes[index] ?? EMPTY_LANE;
      await service.tellRecords(runId, (records) => {
        told = reduceRecords(told, records);
      });
      this.#store.update((state) => ({
        ...state,
        lanes: runIds.map((_, lane) => (lane === index ? told : (state.lanes[lane] ?? EMPTY_LANE))),
      }));
    }
  }

  #hear(batch: readonly LoopEvent[]): void {
    const records = new Map<number, LoopRecord[]>();
    for (const event of batch) {
      if (event.type === "record") records.set(event.lane, [...(records.get(event.lane) ?? []), event.record]);
      else if (event.type === "state") this.#link.set({ raceState: event.state });
      else if (event.type === "download") this.#link.set({ download: event.progress });
      // A student speaks: what it needed is here.
      else if (event.type === "talk" && this.#store.state.download !== null) this.#link.set({ download: null });
      else if (event.type === "lane-failed") this.#setLaneProblem(event);
    }
    if (records.size === 0) return;
    this.#store.update((state) => ({
      ...state,
      lanes: state.lanes.map((lane, index) => reduceRecords(lane, records.get(index) ?? [])),
    }));
  }

  #setLaneProblem({ lane, error }: Extract<LoopEvent, { readonly type: "lane-failed" }>): void {
    this.#store.update((state) => ({
      ...state,
      laneProblems: state.lanes.map((_, index) =>
        index === lane ? problemOfCode(error.code, error.message) : (state.laneProblems[index] ?? null),
      ),
    }));
  }

  #clear(): void {
    this.#store.update(withoutRun);
  }
}

function providerOf(text: string): ProviderChoice {
  return Object.hasOwn(PROVIDERS, text) ? (text as ProviderChoice) : "auto";
}

/** The newest race whose lanes are all stored and not all finished, unless it was put away. */
export function findUnfinished(runs: readonly RunHeader[], putAway: string | null): StoredRace | undefined {
  const ids = new Set(runs.map(({ manifest }) => manifest.race?.id));
  for (const id of ids) {
    if (id === undefined || id === putAway) continue;
    const race = storedRaceOf(runs.filter(({ manifest }) => manifest.race?.id === id));
    if (race !== undefined) return race;
  }
  return undefined;
}

/** The lanes of one race in order; undefined when a lane before the last is missing or all are finished. */
function storedRaceOf(runs: readonly RunHeader[]): StoredRace | undefined {
  const lanes = [...runs].sort((a, b) => (a.manifest.race?.lane ?? 0) - (b.manifest.race?.lane ?? 0));
  const first = lanes[0]?.manifest;
  const whole = lanes.every(({ manifest }, index) => (manifest.race?.lane ?? 0) === index);
  if (first === undefined || !whole || lanes.every(({ finished }) => finished)) return undefined;
  return {
    // A run of the terminal's is in no race.
    raceId: first.race?.id ?? first.runId,
    elsewhere: lanes.some(({ elsewhere }) => elsewhere),
    runIds: lanes.map(({ manifest }) => manifest.runId),
    origins: originsOf(lanes.map(({ manifest }) => manifest.config)),
    createdAt: first.createdAt,
    lastRound: Math.min(...lanes.map(({ lastRound }) => lastRound)),
    rounds: first.config.rounds,
  };
}
