/**
 * @file The loop worker's service: opens an engine, a student and a store per lane,
 * races the lanes, tells what happens, and lets go of everything. It knows no
 * platform: engine, students, tasks, teachers and library come in as functions, so
 * that the same code runs in a worker, in Node and in tests.
 */
import { badInput, invariant } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { CachedModel } from "../hub/types.ts";
import { EventBatcher } from "../protocol/eventBatcher.ts";
import type { StudentFormat } from "../student/types.ts";
import type { EventListener } from "../protocol/eventBatcher.ts";
import { toWireError } from "../protocol/errors.ts";
import type {
  AskReply,
  AskRequest,
  LoopService,
  ProviderStatus,
  RaceInfo,
  RaceOptions,
  RaceRequest,
  RaceState,
  StepUnit,
  TestTeacherRequest,
} from "../protocol/loopService.ts";
import { checkTeacher } from "../teacher/checkTeacher.ts";
import type { TeacherCheck } from "../teacher/types.ts";
import type { CustomSettings, DataInspection } from "../tasks/custom/settings.ts";
import type { DataShelf } from "./dataShelf.ts";
import { newId } from "./newId.ts";
import { openLane } from "./openLane.ts";
import type { LanePlan, LoopServiceDeps, OpenedLane, RaceEngine } from "./openLane.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import { Race } from "./race.ts";
import type { Lane } from "./race.ts";
import type { LoopRecord } from "./records.ts";
import { storedRecords } from "./runRecords.ts";
import type { DataFiles, RunHeader, StoredRun } from "./runStore.ts";
import { UntouchedAnswers } from "./untouchedAnswers.ts";

interface OpenRace {
  readonly race: Race;
  readonly lanes: readonly Lane[];
  readonly abort: AbortController;
  /** Releases lanes and engine. */
  readonly release: () => Promise<void>;
}

/** See `LoopService`. Calls that open or end a race wait for each other. */
export class LoopServiceImpl<E extends RaceEngine> implements LoopService {
  readonly #deps: LoopServiceDeps<E>;
  readonly #events = new EventBatcher();
  #current: OpenRace | undefined;
  /** Aborts the opening of a race. */
  #opening: AbortController | undefined;
  #state: RaceState = "idle";
  /** Tail of opening, ending and stepping. Never rejects. */
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: LoopServiceDeps<E>) {
    this.#deps = deps;
  }

  async ping(): Promise<void> {}

  providers(): Promise<readonly ProviderStatus[]> {
    return this.#deps.providers();
  }

  createRace(request: RaceRequest): Promise<RaceInfo> {
    return this.#inTurn(async () => {
      if (request.lanes.length === 0) badInput("race", "at least one lane", "none");
      const several = request.lanes.length > 1;
      const plans = request.lanes.map((lane, i): LanePlan => ({
        runId: newId(),
        config: parseExperimentConfig(lane, several ? `lane ${i + 1}` : "experiment"),
        stored: undefined,
      }));
      return this.#open(newId(), plans, request);
    });
  }

  resumeRace(runIds: readonly string[], options: RaceOptions): Promise<RaceInfo> {
    return this.#inTurn(async () => {
      if (runIds.length === 0 || new Set(runIds).size !== runIds.length)
        badInput("resume", "one or more different runs", `[${runIds.join(", ")}]`);
      const plans: LanePlan[] = [];
      for (const runId of runIds) {
        const stored = await this.#read(runId);
        plans.push({ runId, config: parseExperimentConfig(stored.manifest.config, `run ${runId}`), stored });
      }
      return this.#open(plans[0]?.stored?.manifest.race?.id ?? newId(), plans, options);
    });
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      const { race } = this.#opened();
      if (race.running || race.done) return;
      this.#setState("running");
      // Ends by itself; a lane's failure is an event.
      void race.run().then(() => this.#settle(race));
    });
  }

  async pause(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    await current.race.pause();
    await this.#settle(current.race);
  }

  step(unit: StepUnit): Promise<void> {
    return this.#inTurn(async () => {
      const { race } = this.#opened();
      await race.pause();
      this.#setState("stepping");
      await race.step(unit);
      await this.#settle(race);
    });
  }

  stop(): Promise<void> {
    // A step under way holds the turn: end it first.
    this.#current?.abort.abort();
    this.#opening?.abort();
    return this.#inTurn(() => this.#end());
  }

  async subscribe(listener: EventListener): Promise<void> {
    this.#events.subscribe(listener);
    this.#events.push({ type: "state", state: this.#state });
  }

  async ask(request: AskRequest): Promise<AskReply> {
    const { race, lanes, abort } = this.#opened();
    const lane = laneOf(lanes, request.lane, "ask.lane");
    const prompt = lane.task.prompt(request.question);
    const [reply] = await race.between(() =>
      lane.student.generate([prompt], {
        maxNewTokens: request.maxNewTokens ?? lane.config.generation.maxNewTokens,
        temperature: request.temperature ?? 0,
        topP: request.topP ?? 1,
        rng: new Rng(request.seed ?? 0),
        batchSize: 1,
        signal: abort.signal,
      }),
    );
    invariant(reply !== undefined, "one completion per prompt");
    const { completion, tokens, finishReason } = reply;
    return { prompt, completion, tokens, finishReason };
  }

  async testTeacher({ experiment, teacherKey }: TestTeacherRequest): Promise<readonly TeacherCheck[]> {
    const config = parseExperimentConfig(experiment);
    const task = await this.#deps.createTask(config);
    const rng = new Rng(config.seed);
    const [seed] = task.splits({ pool: 1, validation: 0, test: 0 }, rng.fork("splits")).pool;
    invariant(seed !== undefined, "a task has questions");
    const teacher = await this.#deps.createTeacher(config, task, teacherKey);
    const checks: TeacherCheck[] = [];
    for await (const check of checkTeacher(teacher, task, seed, rng.fork("test"))) checks.push(check);
    return checks;
  }

  async packStudent(index: number, format: StudentFormat): Promise<Uint8Array> {
    const { race, lanes } = this.#opened();
    const { pack } = laneOf(lanes, index, "packStudent.lane");
    if (pack === undefined) badInput("packStudent", "a student made of files", "another one");
    return race.between(() => pack(format));
  }

  runs(): Promise<readonly RunHeader[]> {
    return this.#deps.library.list();
  }

  async runRecords(runId: string): Promise<readonly LoopRecord[]> {
    return storedRecords(await this.#read(runId));
  }

  async deleteRun(runId: string): Promise<void> {
    const { library, data } = this.#deps;
    const digestOf = ({ manifest }: RunHeader): string | undefined => manifest.config.task.data?.digest;
    const before = await library.list();
    await library.delete(runId);
    const run = before.find(({ manifest }) => manifest.runId === runId);
    const digest = run === undefined ? undefined : digestOf(run);
    const needed = before.some((other) => other !== run && digestOf(other) === digest);
    if (digest !== undefined && !needed) await data?.delete(digest);
  }

  addData(files: DataFiles): Promise<string> {
    return this.#shelf().add(files);
  }

  inspectData(digest: string, settings: CustomSettings): Promise<DataInspection> {
    return this.#shelf().inspect(digest, settings);
  }

  #shelf(): DataShelf {
    return this.#deps.data ?? badInput("data files", "a place to keep them", "none here");
  }

  async models(): Promise<readonly CachedModel[]> {
    return (await this.#deps.students?.list()) ?? [];
  }

  async deleteModel(id: string, commit: string): Promise<void> {
    await this.#deps.students?.delete(id, commit);
  }

  /** Ends the race before, then opens everything, or nothing. */
  async #open(raceId: string, plans: readonly LanePlan[], options: RaceOptions): Promise<RaceInfo> {
    await this.#end();
    const abort = new AbortController();
    this.#opening = abort;
    const owned: (() => Promise<void>)[] = [];
    const release = (): Promise<void> => releaseAll(owned.splice(0).reverse());
    try {
      const prepared = await this.#prepareStudents(plans, options, abort.signal);
      const engine = await this.#deps.openEngine(options.ep);
      owned.push(() => engine.dispose());
      const opened: OpenedLane[] = [];
      const untouched = new UntouchedAnswers();
      const { teacherKey } = options;
      for (const [lane, plan] of prepared.entries()) {
        const tell = (record: LoopRecord): void => this.#events.push({ type: "record", lane, record });
        const setting = { raceId, lane, showPool: options.showPool, signal: abort.signal, untouched, teacherKey, tell };
        opened.push(await openLane(this.#deps, engine, plan, setting, owned));
      }
      const lanes = opened.map(({ lane }) => lane);
      const race = new Race(lanes, (event) => {
        this.#events.push(
          event.type === "record" ? event : { type: "lane-failed", lane: event.lane, error: toWireError(event.error) },
        );
      });
      for (const [lane, { told }] of opened.entries()) {
        for (const record of told) this.#events.push({ type: "record", lane, record });
      }
      this.#current = { race, lanes, abort, release };
      this.#setState("ready");
      await this.#events.flush();
      return { raceId, engine: engine.info, lanes: opened.map(({ info }) => info) };
    } catch (error) {
      abort.abort();
      // What failed first says more than what failed because of it.
      await release().catch(() => undefined);
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  /** The plans with their students fetched and named for ever. What is worth a warning becomes one of the first lane. */
  async #prepareStudents(
    plans: readonly LanePlan[],
    { hubToken, folder }: RaceOptions,
    signal: AbortSignal,
  ): Promise<readonly LanePlan[]> {
    const { students } = this.#deps;
    if (students === undefined) return plans;
    const names = new Map<string, string>();
    for (const { config } of plans) {
      if (names.has(config.student)) continue;
      const name = await students.prepare(config.student, {
        signal,
        ...(hubToken === undefined ? {} : { hubToken }),
        ...(folder === undefined ? {} : { folder }),
        onProgress: (progress) => this.#events.push({ type: "download", progress }),
        onWarning: (message) =>
          this.#events.push({ type: "record", lane: 0, record: { type: "warning", code: "student", message } }),
      });
      names.set(config.student, name);
    }
    return plans.map((plan) => ({
      ...plan,
      config: { ...plan.config, student: names.get(plan.config.student) ?? plan.config.student },
    }));
  }

  /** Ends the race, if there is one. */
  async #end(): Promise<void> {
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

  async #read(runId: string): Promise<StoredRun> {
    return (
      (await this.#deps.library.read(runId)) ?? badInput("run", "a stored run", runId, "It was deleted, or never began")
    );
  }

  #opened(): OpenRace {
    return this.#current ?? badInput("race", "a race that was created or resumed", "none", "Create one first");
  }

  #setState(state: RaceState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.push({ type: "state", state });
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(work);
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}

function laneOf(lanes: readonly Lane[], index: number, where: string): Lane {
  return lanes[index] ?? badInput(where, `a lane from 0 to ${lanes.length - 1}`, String(index));
}

/** Releases everything, whatever fails on the way; then throws the first failure. */
async function releaseAll(disposals: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const dispose of disposals) await dispose().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
