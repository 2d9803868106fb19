/**
 * @file What a run will take, before it is begun: time from rounds that were measured on this
 * machine, memory from the worker's estimate. What nothing is known of is said to be unknown.
 */
import { messageOf } from "../../../core/errors.ts";
import type { RoundSummary } from "../../../loop/records.ts";
import type { RunHeader } from "../../../loop/runStore.ts";
import type { LoopService, MemoryForecast } from "../../../protocol/loopService.ts";
import type { ExecutionProvider } from "../../../runtime/types.ts";
import type { AppState } from "../../appState.ts";
import type { Settings } from "../../settings.ts";
import { checkSettings, experimentsOf } from "../../settings.ts";
import { defineSlice } from "../../slice.ts";
import type { Store } from "../../store.ts";
import type { WorkerLink } from "../../workerLink.ts";

/** Rounds that were measured, as far as an estimate needs them. */
export interface Pace {
  /** When the run began, ISO 8601. */
  readonly createdAt: string;
  readonly ep: ExecutionProvider;
  readonly rounds: number;
  /** Wall time of one lane for a question answered or a row trained on, the median over rounds. */
  readonly msPerUnit: number;
}

export interface ForecastState {
  /** Null: unknown. */
  readonly memory: MemoryForecast | null;
  /** Why there is no room. */
  readonly problem: string;
  readonly pace: Pace | null;
  /** Of what the above was made; a draft that has changed since asks anew. */
  readonly of: AppState["draft"] | null;
}

export const FORECAST = defineSlice<ForecastState>({ memory: null, problem: "", pace: null, of: null });

/** Questions that one lane answers and rows that it trains on in a round. */
function unitsOf(questions: number, rows: number, epochs: number): number {
  return questions + rows * epochs;
}

/** The pace of a run whose race had `lanes` lanes; undefined before a round of training. */
export function paceOf(header: RunHeader, rounds: readonly RoundSummary[], lanes: number): Pace | undefined {
  const { config, engine, createdAt } = header.manifest;
  const questions = config.task.pool + config.task[config.task.evaluateOn];
  const paces = rounds
    .filter(({ round }) => round > 0)
    .map(({ durationMs, rows }) => durationMs / lanes / unitsOf(questions, rows, config.training.epochs))
    .sort((a, b) => a - b);
  const msPerUnit = paces[Math.floor(paces.length / 2)];
  return msPerUnit === undefined ? undefined : { createdAt, ep: engine.ep, rounds: paces.length, msPerUnit };
}

/** Wall time of a race at this pace, in ms. */
export function raceMs(settings: Settings, epochs: number, { msPerUnit }: Pace): number {
  const { rounds, querySize, perSeed, replay, accumulate, pool, heldOut, strategies } = settings;
  const perRound = querySize * perSeed * (1 + replay);
  let units = heldOut;
  for (let round = 1; round <= rounds; round++)
    units += unitsOf(pool + heldOut, (accumulate ? round : 1) * perRound, epochs);
  return units * msPerUnit * strategies.length;
}

/** The newest run with the student and task of `settings`, on the engine asked for. */
export function comparable(
  runs: readonly RunHeader[],
  { student, adapter, task, provider }: Settings,
): RunHeader | undefined {
  return runs.find(({ manifest: { config, engine }, lastRound }) => {
    const same = isNamed(config.student, student) && isNamed(config.adapter, adapter);
    return lastRound > 0 && same && config.task.name === task && (provider === "auto" || engine.ep === provider);
  });
}

/** Whether a run's student or adapter is the one of the settings, at whatever commit where they name none. */
function isNamed(pinned: string | undefined, named: string | undefined): boolean {
  return pinned === named || (named !== undefined && pinned?.startsWith(`${named}@`) === true);
}

/** Asks the worker, for the settings as they are now. Memory is left out while a race computes: its worker is busy. */
export async function forecast(store: Store<AppState>, link: WorkerLink): Promise<void> {
  const { draft, raceState } = store.state;
  const checked = checkSettings(draft);
  const { service } = link;
  if (!checked.ok || service === undefined || FORECAST.of(store.state).of === draft) return;
  const { settings } = checked;
  FORECAST.change(store, (state) => ({ ...state, of: draft }));
  const pace = await measuredPace(service, settings).catch(() => null);
  let memory: MemoryForecast | null = null;
  let problem = "";
  if (raceState !== "running" && raceState !== "stepping") {
    try {
      memory = await service.forecastMemory(experimentsOf(settings)[0], await providerFor(service, settings));
    } catch (error) {
      problem = messageOf(error);
    }
  }
  if (store.state.draft === draft) FORECAST.change(store, () => ({ memory, problem, pace, of: draft }));
}

async function measuredPace(service: LoopService, settings: Settings): Promise<Pace | null> {
  const runs = await service.runs();
  const header = comparable(runs, settings);
  if (header === undefined) return null;
  const { runId, race } = header.manifest;
  const lanes = race === undefined ? 1 : runs.filter(({ manifest }) => manifest.race?.id === race.id).length;
  return paceOf(header, await service.runRounds(runId), lanes) ?? null;
}

async function providerFor(service: LoopService, { provider }: Settings): Promise<ExecutionProvider> {
  if (provider !== "auto") return provider;
  const gpu = (await service.providers()).find(({ ep }) => ep === "webgpu");
  return gpu?.available === true ? "webgpu" : "wasm";
}
