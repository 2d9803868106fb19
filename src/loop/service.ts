/**
 * @file The loop worker's service: which race is open and what it does, and whom each other
 * call goes to. It knows no platform: engine, students, tasks, teachers and library come in
 * as functions, so that the same code runs in a worker, in Node and in tests.
 */
import { badInput } from "../core/errors.ts";
import type { CachedModel, DownloadProgress } from "../hub/types.ts";
import { EventBatcher } from "../protocol/eventBatcher.ts";
import type { EventListener } from "../protocol/eventBatcher.ts";
import type {
  AskReply,
  AskRequest,
  EngineStatus,
  LoopService,
  MemoryForecast,
  ExportedRuns,
  PackRunRequest,
  PairChange,
  PairRow,
  PoolMap,
  PoolMapRequest,
  ProviderStatus,
  RaceInfo,
  RaceOptions,
  RaceRequest,
  SampleQuestion,
  StepUnit,
  TakeRecords,
  TalkAnswer,
  TalkRequest,
  TestTeacherRequest,
  TokenLossRequest,
} from "../protocol/loopService.ts";
import type { ExecutionProvider } from "../runtime/types.ts";
import type { MemorySettings } from "../student/memorySettings.ts";
import type { StudentFormat, TokenLoss } from "../student/types.ts";
import type { CustomSettings, DataInspection } from "../tasks/custom/settings.ts";
import type { PromptEdits } from "../teacher/config.ts";
import { viewPrompts } from "../teacher/prompts/registry.ts";
import type { ImportedReplies, PromptsView, TeacherCheck, TeacherEstimate } from "../teacher/types.ts";
import type { DataShelf } from "./dataShelf.ts";
import { estimateTeachers, forecastMemory, sampleValidation, testTeacher } from "./experimentQuestions.ts";
import { newId } from "./newId.ts";
import type { LanePlan, LoopServiceDeps, RaceEngine, ReplyFile } from "./openLane.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import { RaceKeeper } from "./raceKeeper.ts";
import { askStudent, packRaceStudent, raceEngineStatus, racePoolMap, raceTokenLosses } from "./raceQuestions.ts";
import type { Intervention, RoundSummary } from "./records.ts";
import { RunShelf } from "./runShelf.ts";
import type { DataFiles, RunHeader } from "./runStore.ts";
import { TalkDesk } from "./talkDesk.ts";

/** More in one message would keep the page busy for longer than a frame. */
const RECORDS_AT_ONCE = 500;

/** See `LoopService`. Calls that open or end a race wait for each other. */
export class LoopServiceImpl<E extends RaceEngine> implements LoopService {
  readonly #deps: LoopServiceDeps<E>;
  readonly #events = new EventBatcher();
  readonly #runs: RunShelf;
  readonly #races: RaceKeeper<E>;
  readonly #desk: TalkDesk<E>;
  /** Abort the tests of teachers under way. */
  readonly #testing = new Set<AbortController>();

  constructor(deps: LoopServiceDeps<E>) {
    this.#deps = deps;
    this.#runs = new RunShelf(deps);
    this.#races = new RaceKeeper(deps, this.#events);
    this.#desk = new TalkDesk(deps, { events: this.#events, runs: this.#runs, races: this.#races });
  }

  async ping(): Promise<void> {}

  providers(): Promise<readonly ProviderStatus[]> {
    return this.#deps.providers();
  }

  createRace(request: RaceRequest): Promise<RaceInfo> {
    return this.#races.inTurn(async () => {
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

  resumeRace(
    runIds: readonly string[],
    options: RaceOptions,
    memory: Readonly<Record<string, MemorySettings>> = {},
  ): Promise<RaceInfo> {
    return this.#races.inTurn(async () => {
      if (runIds.length === 0 || new Set(runIds).size !== runIds.length)
        badInput("resume", "one or more different runs", `[${runIds.join(", ")}]`);
      const plans: LanePlan[] = [];
      for (const runId of runIds) {
        const stored = await this.#runs.read(runId, true);
        const config = parseExperimentConfig(stored.manifest.config, `run ${runId}`);
        plans.push({ runId, config, stored, memory: memory[runId] });
      }
      return this.#open(plans[0]?.stored?.manifest.race?.id ?? newId(), plans, options);
    });
  }

  start(): Promise<void> {
    return this.#races.start();
  }

  pause(): Promise<void> {
    return this.#races.pause();
  }

  step(unit: StepUnit): Promise<void> {
    return this.#races.step(unit);
  }

  stop(): Promise<void> {
    // A step under way holds the turn: end it first.
    this.#races.abort();
    for (const abort of this.#testing) abort.abort();
    this.#desk.stop();
    return this.#races.inTurn(async () => {
      await this.#desk.close();
      await this.#races.end();
    });
  }

  async #open(raceId: string, plans: readonly LanePlan[], options: RaceOptions): Promise<RaceInfo> {
    this.#desk.interrupt();
    await this.#desk.close();
    return this.#races.open(raceId, plans, options);
  }

  async subscribe(listener: EventListener): Promise<void> {
    this.#events.subscribe(listener);
    this.#events.push({ type: "state", state: this.#races.state });
  }

  async setPace(pauseMs: number): Promise<void> {
    this.#races.setPace(pauseMs);
  }

  async engineStatus(): Promise<EngineStatus> {
    const providers = await this.#deps.providers();
    const open = this.#races.current;
    return open === undefined ? { providers, queue: 0 } : raceEngineStatus(open, providers);
  }

  async tokenLosses(request: TokenLossRequest): Promise<readonly TokenLoss[]> {
    return raceTokenLosses(this.#races.opened(), request);
  }

  async mapPool(request: PoolMapRequest): Promise<PoolMap> {
    return racePoolMap(this.#races.opened(), request);
  }

  async ask(request: AskRequest): Promise<AskReply> {
    return askStudent(this.#races.opened(), request);
  }

  async testTeacher(request: TestTeacherRequest): Promise<readonly TeacherCheck[]> {
    const abort = new AbortController();
    this.#testing.add(abort);
    try {
      const onProgress = (progress: DownloadProgress): void => this.#events.push({ type: "download", progress });
      return await testTeacher(this.#deps, request, onProgress, abort.signal);
    } finally {
      this.#testing.delete(abort);
    }
  }

  estimateTeacher(experiments: readonly unknown[]): Promise<TeacherEstimate | null> {
    return estimateTeachers(this.#deps, experiments);
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
    return packRaceStudent(this.#races.opened(), index, format);
  }

  talk(request: TalkRequest): Promise<readonly TalkAnswer[]> {
    return this.#desk.talk(request);
  }

  async stopTalk(): Promise<void> {
    this.#desk.interrupt();
    await this.#desk.said();
  }

  sampleQuestions(experiment: unknown, count: number): Promise<readonly SampleQuestion[]> {
    return sampleValidation(this.#deps, experiment, count);
  }

  async packRun(request: PackRunRequest): Promise<Uint8Array> {
    const lane = this.#races.current?.lanes.findIndex(({ store }) => store.runId === request.runId) ?? -1;
    return lane >= 0 ? this.packStudent(lane, request.format) : this.#desk.packRun(request);
  }

  forecastMemory(experiment: unknown, ep: ExecutionProvider): Promise<MemoryForecast | null> {
    return forecastMemory(this.#deps, experiment, ep);
  }

  runs(): Promise<readonly RunHeader[]> {
    return this.#runs.list();
  }

  async tellRecords(runId: string, take: TakeRecords): Promise<void> {
    const records = await this.#runs.records(runId);
    for (let from = 0; from < records.length; from += RECORDS_AT_ONCE)
      await take(records.slice(from, from + RECORDS_AT_ONCE));
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

  exportRuns(runIds: readonly string[]): Promise<ExportedRuns> {
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
    const open = this.#races.current;
    const index = open?.lanes.findIndex(({ store }) => store.runId === runId) ?? -1;
    const lane = open?.lanes[index];
    if (open === undefined || lane === undefined) return this.#runs.intervene(runId, exampleId, change);
    // Between two pulls, so that a training under way has its rows already and the next one sees the decision.
    const intervention = await open.race.between(() => this.#runs.intervene(runId, exampleId, change, lane));
    this.#events.push({ type: "record", lane: index, record: { type: "intervention", intervention } });
    await this.#events.flush();
    return intervention;
  }

  deleteRun(runId: string): Promise<void> {
    return this.#runs.delete(runId);
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
}
