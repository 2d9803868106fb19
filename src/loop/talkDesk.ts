/**
 * @file Talks with students, one at a time: with those of the race, or with students opened for
 * it alone (the bench), which stay open for the next talk. Not here: who speaks (`voices.ts`)
 * and what is said (`talk.ts`).
 */
import { badInput, throwIfAborted } from "../core/errors.ts";
import type { DownloadProgress } from "../hub/types.ts";
import type { EventBatcher } from "../protocol/eventBatcher.ts";
import type {
  PackRunRequest,
  StudentOptions,
  TalkAnswer,
  TalkEvent,
  TalkPartners,
  TalkRequest,
} from "../protocol/loopService.ts";
import type { LanePlan, LoopServiceDeps, RaceEngine } from "./openLane.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import type { RaceKeeper } from "./raceKeeper.ts";
import { prepareStudents } from "./prepareStudents.ts";
import { releaseAll } from "./releaseAll.ts";
import type { RunShelf } from "./runShelf.ts";
import { talk } from "./talk.ts";
import { openBench, raceVoices } from "./voices.ts";
import type { Bench } from "./voices.ts";

/** What students are opened for asking. */
type BenchRequest = Pick<TalkRequest, "partners" | keyof StudentOptions>;

/** The service around it. */
export interface TalkHost {
  readonly events: EventBatcher;
  readonly runs: RunShelf;
  readonly races: Pick<RaceKeeper<never>, "inTurn" | "current" | "opened">;
}

/** Of work that only `stop` ends. */
const NEVER = new AbortController().signal;

export class TalkDesk<E extends RaceEngine> {
  readonly #deps: LoopServiceDeps<E>;
  readonly #host: TalkHost;
  /** Students opened for a talk without a race. */
  #bench: Bench | undefined;
  /** Aborts the opening of a bench. */
  #opening: AbortController | undefined;
  /** Aborts the talk under way. */
  #talking: AbortController | undefined;
  /** End of the last talk's answers. Never rejects. */
  #said: Promise<void> = Promise.resolve();

  constructor(deps: LoopServiceDeps<E>, host: TalkHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** Ends the talk under way; does not wait for it. */
  interrupt(): void {
    this.#talking?.abort();
  }

  /** Ends the talk and the opening of students for one; does not wait for them. */
  stop(): void {
    this.#opening?.abort();
    this.interrupt();
  }

  /** Resolves when the last talk has ended. */
  said(): Promise<void> {
    return this.#said;
  }

  async talk(request: TalkRequest): Promise<readonly TalkAnswer[]> {
    const { events, races } = this.#host;
    this.interrupt();
    const talking = new AbortController();
    this.#talking = talking;
    const tell = (event: TalkEvent): void => events.push({ type: "talk", id: request.id, event });
    const { voices, signal } = await races.inTurn(async () => {
      throwIfAborted(talking.signal, "talk");
      if (request.partners.of === "race") {
        const open = races.opened();
        await this.close();
        return { voices: raceVoices(open), signal: AbortSignal.any([talking.signal, open.abort.signal]) };
      }
      return { voices: (await this.#open(request, talking.signal)).voices, signal: talking.signal };
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
      await events.flush();
    }
  }

  /** The student of a run that is not open, as an archive. */
  packRun(request: PackRunRequest): Promise<Uint8Array> {
    const { runId, format } = request;
    this.interrupt();
    return this.#host.races.inTurn(async () => {
      const partners = { of: "runs", runIds: [runId] } as const;
      const { packs } = await this.#open({ ...request, partners }, NEVER);
      const pack = packs.get(runId);
      if (pack === undefined) badInput("packRun", "a student made of files", "another one");
      await this.#said;
      return pack(format);
    });
  }

  /** Lets go of the bench. Waits for the talk with it, which the caller has ended. */
  async close(): Promise<void> {
    const bench = this.#bench;
    this.#bench = undefined;
    if (bench === undefined) return;
    await this.#said;
    await releaseAll(bench.owned.splice(0).reverse());
  }

  /** Students to be asked without a race: those that are open already, if they are the same. In turn. */
  async #open(request: BenchRequest, signal: AbortSignal): Promise<Bench> {
    const { events, races } = this.#host;
    if (races.current !== undefined)
      badInput("students", "those of the open race", "others", "End the race first: its engine is in use");
    const key = JSON.stringify([request.partners, request.ep, request.folder?.name, request.adapterFolder?.name]);
    if (this.#bench?.key === key) return this.#bench;
    await this.close();
    const plans = await this.#plans(request.partners);
    this.#opening = new AbortController();
    try {
      const opening = AbortSignal.any([signal, this.#opening.signal]);
      const prepared = await prepareStudents(this.#deps.students, plans, request, events, opening);
      const onProgress = (progress: DownloadProgress): void => events.push({ type: "download", progress });
      const fetching = { onProgress, signal: opening };
      this.#bench = await openBench(this.#deps, key, prepared, request.ep, fetching, (message) =>
        events.push({ type: "record", lane: 0, record: { type: "warning", code: "student", message } }),
      );
    } finally {
      this.#opening = undefined;
    }
    return this.#bench;
  }

  async #plans(partners: TalkPartners): Promise<readonly LanePlan[]> {
    if (partners.of === "experiment")
      return [{ runId: "", config: parseExperimentConfig(partners.experiment), stored: undefined }];
    const plans: LanePlan[] = [];
    for (const runId of partners.of === "runs" ? partners.runIds : []) {
      const stored = await this.#host.runs.read(runId, true);
      plans.push({ runId, config: parseExperimentConfig(stored.manifest.config, `run ${runId}`), stored });
    }
    if (plans.length === 0) badInput("talk", "one or more runs", "none");
    return plans;
  }
}
