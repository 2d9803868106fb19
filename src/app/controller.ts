/**
 * @file What the buttons do: calls to the loop service, and its events folded into
 * the page's state. Holds the only connection to the worker and replaces it after a
 * crash. Not here: drawing, the DOM.
 */
import { TutelageError } from "../core/errors.ts";
import type { PickedFolder } from "../hub/types.ts";
import type { LoopEvent, LoopService, RaceOptions } from "../protocol/loopService.ts";
import type { LoopRecord } from "../loop/records.ts";
import type { StudentFormat } from "../student/types.ts";
import type { RunHeader } from "../loop/runStore.ts";
import type { AppState, Pending, StoredRace } from "./appState.ts";
import { LANES, withoutRun } from "./appState.ts";
import type { Connect, Connection } from "./connection.ts";
import { reduceRecords } from "./laneState.ts";
import type { LossKind } from "./plots/poolLayout.ts";
import type { Problem } from "./problem.ts";
import { problemOf, problemOfCode } from "./problem.ts";
import type { ProviderChoice, SettingName } from "./settings.ts";
import { checkSettings, experimentsOf, PROVIDERS } from "./settings.ts";
import type { Store } from "./store.ts";

/** Where the page remembers which unfinished race was put away; `localStorage` in a tab. */
export interface Memory {
  read(): string | null;
  write(raceId: string): void;
}

/** Gives the user a file. */
export type SaveFile = (name: string, bytes: Uint8Array) => void;

/** Everything a view may ask for. */
export interface Actions {
  start(): void;
  pause(): void;
  resume(): void;
  step(): void;
  newRun(): void;
  discardStored(): void;
  restart(): void;
  dismissProblem(): void;
  changeSetting(name: SettingName, value: string): void;
  showLoss(kind: LossKind): void;
  /** Ends the download under way; what has arrived is kept. */
  cancelDownload(): void;
  setToken(token: string): void;
  setTeacherKey(key: string): void;
  /** One call of each kind to the teacher of the settings. */
  testTeacher(): void;
  pickFolder(folder: PickedFolder): void;
  deleteModel(id: string, commit: string): void;
  /** Hands the user a lane's student as one file. */
  saveStudent(lane: number, format: StudentFormat): void;
}

export class Controller implements Actions {
  readonly #store: Store<AppState>;
  readonly #connect: Connect;
  readonly #memory: Memory;
  readonly #saveFile: SaveFile;
  #connection: Connection | undefined;
  /** Number of the latest piece of work: an older one that ends late changes nothing. */
  #attempts = 0;
  /** The user ended what is under way: its failure is no problem. */
  #cancelled = false;

  constructor(store: Store<AppState>, connect: Connect, memory: Memory, saveFile: SaveFile = () => undefined) {
    this.#saveFile = saveFile;
    this.#store = store;
    this.#connect = connect;
    this.#memory = memory;
  }

  /** Starts the worker and shows the newest unfinished run, if there is one. Resolves when that is done or has failed. */
  async open(): Promise<void> {
    await this.#guard("worker", async () => {
      const service = await this.#openWorker();
      await this.#showStored(findUnfinished(await service.runs(), this.#memory.read()));
      if (this.#store.state.draft.student === "hub") await this.#loadModels(service);
    });
  }

  start(): void {
    void this.#attempt("engine", async (service) => {
      if (await this.#createRace(service)) await service.start();
    });
  }

  resume(): void {
    void this.#attempt("engine", async (service) => {
      await this.#openStored(service);
      await service.start();
    });
  }

  pause(): void {
    void this.#attempt("pause", (service) => service.pause());
  }

  step(): void {
    const { race, stored } = this.#store.state;
    void this.#attempt(race === null ? "engine" : null, async (service) => {
      if (stored !== null) await this.#openStored(service);
      else if (race === null && !(await this.#createRace(service))) return;
      this.#set({ pending: null });
      await service.step("phase");
    });
  }

  newRun(): void {
    void this.#attempt("stop", async (service) => {
      const { race, stored } = this.#store.state;
      const raceId = race?.raceId ?? stored?.raceId;
      if (raceId !== undefined) this.#memory.write(raceId);
      if (race !== null) await service.stop();
      this.#clear();
    });
  }

  discardStored(): void {
    void this.#attempt("storage", async (service) => {
      const { stored } = this.#store.state;
      this.#clear();
      for (const runId of stored?.runIds ?? []) await service.deleteRun(runId);
    });
  }

  /** A new worker in place of the one that crashed; the run on the page goes on from storage. */
  restart(): void {
    const interrupted = this.#store.state.race;
    this.#connection?.close();
    this.#connection = undefined;
    this.#set({ crash: null, problem: null, race: null, raceState: "idle", laneProblems: noProblems() });
    void this.#guard("worker", async () => {
      const service = await this.#openWorker();
      const runs = await service.runs();
      const race =
        interrupted === null ? undefined : runs.filter(({ manifest }) => manifest.race?.id === interrupted.raceId);
      await this.#showStored(race === undefined ? findUnfinished(runs, this.#memory.read()) : storedRaceOf(race));
      if (this.#store.state.stored === null) return;
      this.#set({ pending: "engine" });
      await this.#openStored(service);
      await service.start();
    });
  }

  dismissProblem(): void {
    this.#set({ problem: null });
  }

  changeSetting(name: SettingName, value: string): void {
    // A key is for the service it was typed for.
    const elsewhere = name === "teacher" || name === "teacherUrl";
    this.#store.update((state) => ({
      ...state,
      draft: { ...state.draft, [name]: value },
      ...(elsewhere ? { teacherKey: "" } : {}),
      ...(elsewhere || name === "teacherModel" ? { teacherChecks: null } : {}),
    }));
    const service = this.#connection?.service;
    // A list that cannot be read is told when the model is used.
    if (name === "student" && value === "hub" && service !== undefined)
      void this.#loadModels(service).catch(() => undefined);
  }

  cancelDownload(): void {
    this.#cancelled = true;
    void this.#connection?.service.stop().catch(() => undefined);
  }

  setToken(hubToken: string): void {
    this.#set({ hubToken });
  }

  setTeacherKey(teacherKey: string): void {
    this.#set({ teacherKey, teacherChecks: null });
  }

  testTeacher(): void {
    void this.#attempt("teacher", async (service) => {
      const { draft, teacherKey } = this.#store.state;
      const checked = checkSettings(draft);
      if (!checked.ok) return;
      this.#set({ teacherChecks: null });
      const teacherChecks = await service.testTeacher({
        experiment: experimentsOf(checked.settings)[0],
        ...(teacherKey === "" ? {} : { teacherKey }),
      });
      // Settings that were changed meanwhile are not what was tested.
      if (this.#store.state.draft === draft) this.#set({ teacherChecks });
    });
  }

  pickFolder(folder: PickedFolder): void {
    this.#store.update((state) => ({ ...state, folder, draft: { ...state.draft, folder: folder.name } }));
  }

  deleteModel(id: string, commit: string): void {
    void this.#attempt("storage", async (service) => {
      await service.deleteModel(id, commit);
      await this.#loadModels(service);
    });
  }

  saveStudent(lane: number, format: StudentFormat): void {
    // The page goes on meanwhile: the worker packs between two steps.
    this.#connection?.service.packStudent(lane, format).then(
      (archive) => this.#saveFile(`student-${lane === 0 ? "a" : "b"}-${format}.zip`, archive),
      (error: unknown) => this.#set({ problem: problemOf(error) }),
    );
  }

  showLoss(lossKind: LossKind): void {
    this.#set({ lossKind });
  }

  /** Runs `work` with the page waiting for `pending`, one at a time; a failure becomes the page's problem. */
  async #attempt(pending: Pending, work: (service: LoopService) => Promise<void>): Promise<void> {
    const connection = this.#connection;
    if (this.#store.state.pending !== null) return;
    if (connection === undefined) return this.#set({ problem: problemOf(new Error("The worker is not running.")) });
    await this.#guard(pending, () => work(connection.service));
  }

  async #guard(pending: Pending, work: () => Promise<void>): Promise<void> {
    const attempt = ++this.#attempts;
    this.#cancelled = false;
    this.#set({ pending, problem: null });
    let problem: Problem | null = null;
    try {
      await work();
    } catch (error) {
      const cancelled = this.#cancelled && error instanceof TutelageError && error.code === "aborted";
      problem = cancelled ? null : problemOf(error);
    }
    // Calls of a worker that was replaced meanwhile reject too: they have nothing to say any more.
    if (attempt !== this.#attempts) return;
    // After a crash its banner says it all.
    this.#set({ pending: null, download: null, problem: this.#store.state.crash === null ? problem : null });
  }

  async #openWorker(): Promise<LoopService> {
    const connection = this.#connect((error) => {
      if (this.#connection !== connection) return;
      this.#set({ crash: problemOf(error), pending: null, raceState: "idle" });
    });
    this.#connection = connection;
    await connection.service.subscribe((batch) => {
      if (this.#connection === connection) this.#hear(batch);
    });
    return connection.service;
  }

  /** False, with the fields marked, when the settings cannot be run. */
  async #createRace(service: LoopService): Promise<boolean> {
    const checked = checkSettings(this.#store.state.draft);
    if (!checked.ok) return false;
    this.#store.update(withoutRun);
    const { settings } = checked;
    const race = await service.createRace({ lanes: experimentsOf(settings), ...this.#options(settings.provider) });
    this.#set({ race, download: null });
    if (settings.student.startsWith("hub:")) await this.#loadModels(service);
    return true;
  }

  /** Opens the stored race in the worker, if the page shows one. */
  async #openStored(service: LoopService): Promise<void> {
    const { stored, draft } = this.#store.state;
    if (stored === null) return;
    const race = await service.resumeRace(stored.runIds, this.#options(providerOf(draft.provider)));
    this.#set({ race, stored: null, download: null });
  }

  #options(ep: ProviderChoice): RaceOptions {
    const { hubToken, teacherKey, folder } = this.#store.state;
    return {
      ep,
      showPool: true,
      ...(hubToken === "" ? {} : { hubToken }),
      ...(teacherKey === "" ? {} : { teacherKey }),
      ...(folder === null ? {} : { folder }),
    };
  }

  async #loadModels(service: LoopService): Promise<void> {
    this.#set({ models: await service.models() });
  }

  async #showStored(stored: StoredRace | undefined): Promise<void> {
    if (stored === undefined || this.#connection === undefined) return;
    const { service } = this.#connection;
    const histories = await Promise.all(stored.runIds.map((runId) => service.runRecords(runId)));
    this.#store.update((state) => ({
      ...state,
      stored,
      lanes: state.lanes.map((lane, index) => reduceRecords(lane, histories[index] ?? [])),
    }));
  }

  #hear(batch: readonly LoopEvent[]): void {
    const records = new Map<number, LoopRecord[]>();
    for (const event of batch) {
      if (event.type === "record") records.set(event.lane, [...(records.get(event.lane) ?? []), event.record]);
      else if (event.type === "state") this.#set({ raceState: event.state });
      else if (event.type === "download") this.#set({ download: event.progress });
      else this.#setLaneProblem(event);
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
      laneProblems: state.laneProblems.map((problem, index) =>
        index === lane ? problemOfCode(error.code, error.message) : problem,
      ),
    }));
  }

  #clear(): void {
    this.#store.update(withoutRun);
  }

  #set(change: Partial<AppState>): void {
    this.#store.update((state) => ({ ...state, ...change }));
  }
}

function noProblems(): AppState["laneProblems"] {
  return Array.from({ length: LANES }, () => null);
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

/** The lanes of one race in order; undefined when a lane is missing or all are finished. */
function storedRaceOf(runs: readonly RunHeader[]): StoredRace | undefined {
  const lanes = [...runs].sort((a, b) => (a.manifest.race?.lane ?? 0) - (b.manifest.race?.lane ?? 0));
  const first = lanes[0]?.manifest;
  if (first?.race === undefined || lanes.length !== LANES || lanes.every(({ finished }) => finished)) return undefined;
  return {
    raceId: first.race.id,
    runIds: lanes.map(({ manifest }) => manifest.runId),
    createdAt: first.createdAt,
    lastRound: Math.min(...lanes.map(({ lastRound }) => lastRound)),
    rounds: first.config.rounds,
  };
}
