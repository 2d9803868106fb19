/**
 * @file The loop worker's service: opens an engine, a student and a store per lane,
 * races the lanes, tells what happens, and lets go of everything. It knows no
 * platform: engine, students, tasks, teachers and library come in as functions, so
 * that the same code runs in a worker, in Node and in tests.
 */
import { badInput, invariant, throwIfAborted } from "../core/errors.ts";
import type { Plane } from "../core/principalComponents.ts";
import { Rng } from "../core/rng.ts";
import type { CachedModel, DownloadProgress } from "../hub/types.ts";
import { EventBatcher } from "../protocol/eventBatcher.ts";
import type { StudentFormat, TokenLoss, TrainingNeeds } from "../student/types.ts";
import type { EventListener } from "../protocol/eventBatcher.ts";
import { toWireError } from "../protocol/errors.ts";
import type {
  AskReply,
  AskRequest,
  PackRunRequest,
  PairChange,
  PairRow,
  PoolMap,
  PoolMapRequest,
  SampleQuestion,
  TalkAnswer,
  TalkEvent,
  TalkPartners,
  TalkRequest,
  EngineStatus,
  LoopService,
  MemoryForecast,
  ProviderStatus,
  RaceInfo,
  RaceOptions,
  RaceRequest,
  RaceState,
  StepUnit,
  TestTeacherRequest,
  TokenLossRequest,
} from "../protocol/loopService.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import { checkTeacher } from "../teacher/checkTeacher.ts";
import type { PromptEdits } from "../teacher/config.ts";
import { viewPrompts } from "../teacher/prompts/registry.ts";
import type { ImportedReplies, PromptsView, TeacherCheck, TeacherEstimate } from "../teacher/types.ts";
import type { CustomSettings, DataInspection } from "../tasks/custom/settings.ts";
import type { DataShelf } from "./dataShelf.ts";
import { engineStatus, laneNeeds } from "./engineStatus.ts";
import { bothLanes, estimateRun } from "./estimate.ts";
import { estimateMemory } from "./estimateMemory.ts";
import { newId } from "./newId.ts";
import { openLane } from "./openLane.ts";
import type { LanePlan, LoopServiceDeps, OpenedLane, RaceEngine, ReplyFile } from "./openLane.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import { mapPool } from "./poolMap.ts";
import { Race } from "./race.ts";
import type { Lane } from "./race.ts";
import type { Intervention, LoopRecord, RoundSummary } from "./records.ts";
import type { DataFiles, RunHeader } from "./runStore.ts";
import { RunShelf } from "./runShelf.ts";
import { splitsOf } from "./splitsOf.ts";
import { talk } from "./talk.ts";
import { UntouchedAnswers } from "./untouchedAnswers.ts";
import { openBench, placeAfter, raceVoices, UNTAUGHT } from "./voices.ts";
import type { Bench, RaceToAsk } from "./voices.ts";

/** A longer pause would look like a fault. */
const MAX_PAUSE_MS = 60_000;

interface OpenRace extends RaceToAsk {
  readonly race: Race;
  readonly lanes: readonly Lane[];
  readonly abort: AbortController;
  /** Releases lanes and engine. */
  readonly release: () => Promise<void>;
  readonly engine: RaceEngine;
  /** Of the first lane; made when first asked for. */
  needs?: TrainingNeeds | undefined;
  /** Axes of `mapPool`, fixed by its first call. */
  plane?: Plane;
}

/** What students are opened for asking. */
type BenchRequest = Pick<TalkRequest, "partners" | "ep" | "hubToken" | "folder">;

/** Of work that nobody stops. */
const NEVER = new AbortController().signal;

/** See `LoopService`. Calls that open or end a race wait for each other. */
export class LoopServiceImpl<E extends RaceEngine> implements LoopService {
  readonly #deps: LoopServiceDeps<E>;
  readonly #events = new EventBatcher();
  #current: OpenRace | undefined;
  /** Abort the tests of teachers under way. */
  readonly #testing = new Set<AbortController>();
  /** Aborts the opening of a race. */
  #opening: AbortController | undefined;
  #state: RaceState = "idle";
  #pauseMs = 0;
  /** Tail of opening, ending and stepping. Never rejects. */
  #turn: Promise<void> = Promise.resolve();
  readonly #runs: RunShelf;
  /** Students opened for a talk without a race. */
  #bench: Bench | undefined;
  /** Aborts the talk under way. */
  #talking: AbortController | undefined;
  /** End of the last talk's answers. Never rejects. */
  #said: Promise<void> = Promise.resolve();

  constructor(deps: LoopServiceDeps<E>) {
    this.#deps = deps;
    this.#runs = new RunShelf(deps);
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
        const stored = await this.#runs.read(runId, true);
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
    for (const abort of this.#testing) abort.abort();
    this.#talking?.abort();
    return this.#inTurn(async () => {
      await this.#closeBench();
      await this.#end();
    });
  }

  async subscribe(listener: EventListener): Promise<void> {
    this.#events.subscribe(listener);
    this.#events.push({ type: "state", state: this.#state });
  }

  async setPace(pauseMs: number): Promise<void> {
    if (!(pauseMs >= 0 && pauseMs <= MAX_PAUSE_MS))
      badInput("setPace.pauseMs", `0 to ${MAX_PAUSE_MS}`, String(pauseMs));
    this.#pauseMs = pauseMs;
    this.#current?.race.setPace(pauseMs);
  }

  async engineStatus(): Promise<EngineStatus> {
    const providers = await this.#deps.providers();
    const open = this.#current;
    if (open === undefined) return { providers, queue: 0 };
    const [first] = open.lanes;
    if (first !== undefined) open.needs ??= laneNeeds(first);
    return engineStatus(providers, open.engine, open.race.waiting, open.needs);
  }

  async tokenLosses({ lane, question, answer }: TokenLossRequest): Promise<readonly TokenLoss[]> {
    const { race, lanes, abort } = this.#opened();
    const { task, student } = laneOf(lanes, lane, "tokenLosses.lane");
    const row = { prompt: task.prompt(question), completion: answer };
    return race.between(() => student.tokenLosses(row, { signal: abort.signal }));
  }

  async mapPool(request: PoolMapRequest): Promise<PoolMap> {
    const open = this.#opened();
    const lane = laneOf(open.lanes, request.lane, "mapPool.lane");
    if (request.rows.length < 3) badInput("mapPool.rows", "at least 3", String(request.rows.length));
    return open.race.between(async () => {
      const { map, plane } = await mapPool(lane, request, open.plane, open.abort.signal);
      open.plane = plane;
      return map;
    });
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
    const onProgress = (progress: DownloadProgress): void => this.#events.push({ type: "download", progress });
    const abort = new AbortController();
    this.#testing.add(abort);
    try {
      const model = await teacher.prepare?.({ onProgress, signal: abort.signal });
      const checks: TeacherCheck[] = [];
      for await (const check of checkTeacher(teacher, task, seed, rng.fork("test"), abort.signal))
        checks.push(checks.length === 0 && model !== undefined ? { ...check, model } : check);
      return checks;
    } finally {
      this.#testing.delete(abort);
      teacher.close?.();
    }
  }

  async estimateTeacher(experiments: readonly unknown[]): Promise<TeacherEstimate | null> {
    const lanes: TeacherEstimate[] = [];
    for (const experiment of experiments) {
      const config = parseExperimentConfig(experiment);
      const estimate = estimateRun(config, await this.#deps.createTask(config));
      if (estimate !== undefined) lanes.push(estimate);
    }
    return lanes.length === 0 ? null : lanes.reduce(bothLanes);
  }

  async prompts(task: string, edits: PromptEdits): Promise<PromptsView> {
    return viewPrompts(task, edits);
  }

  exportReplies(): Promise<string> {
    return this.#replies().exportLines();
  }

  importReplies(text: string): Promise<ImportedReplies> {
    return this.#replies().importLines(text);
  }

  #replies(): ReplyFile {
    return this.#deps.replies ?? badInput("replies", "a place where replies are kept", "none here");
  }

  async packStudent(index: number, format: StudentFormat): Promise<Uint8Array> {
    const { race, lanes } = this.#opened();
    const { pack } = laneOf(lanes, index, "packStudent.lane");
    if (pack === undefined) badInput("packStudent", "a student made of files", "another one");
    return race.between(() => pack(format));
  }

  async talk(request: TalkRequest): Promise<readonly TalkAnswer[]> {
    this.#talking?.abort();
    const talking = new AbortController();
    this.#talking = talking;
    const tell = (event: TalkEvent): void => this.#events.push({ type: "talk", id: request.id, event });
    const { voices, signal } = await this.#inTurn(async () => {
      throwIfAborted(talking.signal, "talk");
      if (request.partners.of === "race") {
        const open = this.#opened();
        await this.#closeBench();
        return { voices: raceVoices(open), signal: AbortSignal.any([talking.signal, open.abort.signal]) };
      }
      return { voices: (await this.#openBench(request, talking.signal)).voices, signal: talking.signal };
    });
    tell({ kind: "speakers", speakers: voices.map(({ speaker }) => speaker) });
    const said = talk(voices, request, tell, signal);
    // A failure is the caller's; who waits for the end of the talk only wants its end.
    this.#said = said.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await said;
    } finally {
      await this.#events.flush();
    }
  }

  async stopTalk(): Promise<void> {
    this.#talking?.abort();
    await this.#said;
  }

  async sampleQuestions(experiment: unknown, count: number): Promise<readonly SampleQuestion[]> {
    const config = parseExperimentConfig(experiment);
    const { validation } = splitsOf(await this.#deps.createTask(config), config);
    return validation.slice(0, count).map(({ question, answer, level }) => ({ question, answer, level }));
  }

  async packRun(request: PackRunRequest): Promise<Uint8Array> {
    const { runId, format } = request;
    const lane = this.#current?.lanes.findIndex(({ store }) => store.runId === runId) ?? -1;
    if (lane >= 0) return this.packStudent(lane, format);
    this.#talking?.abort();
    return this.#inTurn(async () => {
      const partners = { of: "runs", runIds: [runId] } as const;
      const { packs } = await this.#openBench({ ...request, partners }, NEVER);
      const pack = packs.get(runId);
      if (pack === undefined) badInput("packRun", "a student made of files", "another one");
      await this.#said;
      return pack(format);
    });
  }

  async forecastMemory(experiment: unknown, ep: ExecutionProvider): Promise<MemoryForecast | null> {
    const config = parseExperimentConfig(experiment);
    const description = await this.#deps.describeStudent?.(config);
    if (description === undefined) return null;
    return estimateMemory(config, await this.#deps.createTask(config), description, ep);
  }

  runs(): Promise<readonly RunHeader[]> {
    return this.#runs.list();
  }

  runRecords(runId: string): Promise<readonly LoopRecord[]> {
    return this.#runs.records(runId);
  }

  runRounds(runId: string): Promise<readonly RoundSummary[]> {
    return this.#runs.rounds(runId);
  }

  runPairs(runId: string): Promise<readonly PairRow[]> {
    return this.#runs.pairs(runId);
  }

  labelRuns(runIds: readonly string[], label: string): Promise<void> {
    return this.#runs.label(runIds, label);
  }

  exportRuns(runIds: readonly string[]): Promise<Uint8Array> {
    return this.#runs.export(runIds);
  }

  importRuns(archive: Uint8Array): Promise<readonly string[]> {
    return this.#runs.import(archive);
  }

  packDataset(runId: string): Promise<Uint8Array> {
    return this.#runs.dataset(runId);
  }

  runManifest(runId: string): Promise<string> {
    return this.#runs.manifest(runId);
  }

  async changePair(runId: string, exampleId: string, change: PairChange): Promise<Intervention> {
    const open = this.#current;
    const index = open?.lanes.findIndex(({ store }) => store.runId === runId) ?? -1;
    const lane = open?.lanes[index];
    if (open === undefined || lane === undefined) return this.#runs.intervene(runId, exampleId, change);
    // Between two pulls, so that a training under way has its rows already and the next one sees the decision.
    const intervention = await open.race.between(() => this.#runs.intervene(runId, exampleId, change, lane));
    this.#events.push({ type: "record", lane: index, record: { type: "intervention", intervention } });
    await this.#events.flush();
    return intervention;
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
    this.#talking?.abort();
    await this.#closeBench();
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
        const onProgress = (progress: DownloadProgress): void => this.#events.push({ type: "download", progress });
        const tell = (record: LoopRecord): void => this.#events.push({ type: "record", lane, record });
        const setting = {
          raceId,
          lane,
          showPool: options.showPool,
          signal: abort.signal,
          untouched,
          teacherKey,
          tell,
          onProgress,
        };
        opened.push(await openLane(this.#deps, engine, plan, setting, owned));
      }
      const lanes = opened.map(({ lane }) => lane);
      const places = opened.map(({ told }) => told.reduce(placeAfter, UNTAUGHT));
      const race = new Race(lanes, (event) => {
        if (event.type === "record") places[event.lane] = placeAfter(places[event.lane] ?? UNTAUGHT, event.record);
        this.#events.push(
          event.type === "record" ? event : { type: "lane-failed", lane: event.lane, error: toWireError(event.error) },
        );
      });
      race.setPace(this.#pauseMs);
      for (const [lane, { told }] of opened.entries()) {
        for (const record of told) this.#events.push({ type: "record", lane, record });
      }
      this.#current = { race, lanes, places, abort, release, engine };
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
    { hubToken, folder }: Pick<RaceOptions, "hubToken" | "folder">,
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

  /** Students to be asked without a race: those that are open already, if they are the same. In turn. */
  async #openBench(request: BenchRequest, signal: AbortSignal): Promise<Bench> {
    if (this.#current !== undefined)
      badInput("students", "those of the open race", "others", "End the race first: its engine is in use");
    const key = JSON.stringify([request.partners, request.ep, request.folder?.name]);
    if (this.#bench?.key === key) return this.#bench;
    await this.#closeBench();
    const plans = await this.#benchPlans(request.partners);
    this.#opening = new AbortController();
    try {
      const opening = AbortSignal.any([signal, this.#opening.signal]);
      const prepared = await this.#prepareStudents(plans, request, opening);
      this.#bench = await openBench(this.#deps, key, prepared, request.ep, (message) =>
        this.#events.push({ type: "record", lane: 0, record: { type: "warning", code: "student", message } }),
      );
    } finally {
      this.#opening = undefined;
    }
    return this.#bench;
  }

  async #benchPlans(partners: TalkPartners): Promise<readonly LanePlan[]> {
    if (partners.of === "experiment")
      return [{ runId: "", config: parseExperimentConfig(partners.experiment), stored: undefined }];
    const plans: LanePlan[] = [];
    for (const runId of partners.of === "runs" ? partners.runIds : []) {
      const stored = await this.#runs.read(runId, true);
      plans.push({ runId, config: parseExperimentConfig(stored.manifest.config, `run ${runId}`), stored });
    }
    if (plans.length === 0) badInput("talk", "one or more runs", "none");
    return plans;
  }

  /** Waits for the talk with it, which the caller has ended. */
  async #closeBench(): Promise<void> {
    const bench = this.#bench;
    this.#bench = undefined;
    if (bench === undefined) return;
    await this.#said;
    await releaseAll(bench.owned.splice(0).reverse());
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
