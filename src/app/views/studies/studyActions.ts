/**
 * @file What the studies view does: opens a report that the terminal wrote, and runs a small
 * grid in the tab. The grid's runs are ordinary races in a worker of their own, stored like
 * any other; their records are analysed by the same code as the terminal's.
 */
import { messageOf, TutelageError } from "../../../core/errors.ts";
import type { LoopRecord } from "../../../loop/records.ts";
import type { LoopEvent, LoopService } from "../../../protocol/loopService.ts";
import { analyzeStudy } from "../../../study/analyze.ts";
import { parseStudyReport } from "../../../study/reportSchema.ts";
import type { StudyReportData } from "../../../study/reportSchema.ts";
import type { StudyRun } from "../../../study/types.ts";
import type { AppState } from "../../appState.ts";
import { STRATEGIES } from "../../choices.ts";
import type { Settings } from "../../settings.ts";
import { checkSettings, experimentsOf } from "../../settings.ts";
import { defineSlice } from "../../slice.ts";
import type { Store } from "../../store.ts";
import type { WorkerLink } from "../../workerLink.ts";
import type { ExampleReport } from "./exampleReports.ts";

/** The grid as chosen. */
export interface Grid {
  readonly strategies: readonly string[];
  /** Seeds from the settings' own on. */
  readonly seeds: number;
}

export interface StudiesState {
  readonly report: StudyReportData | null;
  /** Where it came from. */
  readonly source: string;
  readonly problem: string;
  readonly grid: Grid;
  /** A grid under way: races done of all, and what the present one is at. */
  readonly running: { readonly done: number; readonly total: number; readonly at: string } | null;
}

export const STUDIES = defineSlice<StudiesState>({
  report: null,
  source: "",
  problem: "",
  grid: { strategies: ["random", "own-loss"], seeds: 3 },
  running: null,
});

/** More strategies at once, or more seeds, are for the terminal. */
export const GRID_LIMITS = { strategies: 4, seeds: 10 } as const;
/** Larger reports are of studies that a page cannot show anyhow. */
const MAX_REPORT_BYTES = 50_000_000;
const CONFIDENCE = 0.95;
const RESAMPLES = 2000;

/** Why a grid cannot be run; undefined where it can. */
export function gridProblem(grid: Grid, settings: Settings | undefined): string | undefined {
  if (settings === undefined) return "Correct the marked settings under Set up first.";
  if (settings.teacher !== undefined && settings.teacher.name !== "none")
    return "A grid in the tab takes the built-in teacher: studies with a chat teacher are for the terminal.";
  if (grid.strategies.length < 2) return "Choose at least two strategies to compare.";
  return undefined;
}

export class StudiesController {
  readonly #store: Store<AppState>;
  readonly #link: WorkerLink;
  #stop: (() => void) | undefined;
  /** What becomes of the worker's events. */
  #hear: (batch: readonly LoopEvent[]) => void = () => undefined;

  constructor(store: Store<AppState>, link: WorkerLink) {
    this.#store = store;
    this.#link = link;
  }

  /** Shows the report in `file`, which may hold anything. */
  async openReport(file: File): Promise<void> {
    try {
      if (file.size > MAX_REPORT_BYTES)
        throw new Error(
          `${file.name}: expected at most ${MAX_REPORT_BYTES / 1e6} MB, got ${Math.ceil(file.size / 1e6)} MB`,
        );
      this.#show(parseStudyReport(parseText(await file.text(), file.name), file.name), file.name);
    } catch (error) {
      this.#change({ problem: messageOf(error) });
    }
  }

  /** Fetches and shows one of the reports that come with the page. */
  async openExample({ title, url }: ExampleReport): Promise<void> {
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${title}: expected the report, got status ${response.status}`);
      this.#show(parseStudyReport(parseText(await response.text(), title), title), title);
    } catch (error) {
      this.#change({
        problem: error instanceof TypeError ? `${title}: no network, and not kept yet` : messageOf(error),
      });
    }
  }

  setGrid(change: Partial<Grid>): void {
    STUDIES.change(this.#store, (state) => ({ ...state, grid: { ...state.grid, ...change } }));
  }

  stop(): void {
    this.#stop?.();
  }

  /** Runs the grid of the page's settings; a race per seed with a lane per strategy. Ends with the report of what was finished. */
  async run(): Promise<void> {
    const { draft } = this.#store.state;
    const { grid, running } = STUDIES.of(this.#store.state);
    const checked = checkSettings(draft);
    if (running !== null || !checked.ok || gridProblem(grid, checked.settings) !== undefined) return;
    const { settings } = checked;
    const strategies = grid.strategies.filter((name): name is keyof typeof STRATEGIES =>
      Object.hasOwn(STRATEGIES, name),
    );
    const seeds = Array.from({ length: grid.seeds }, (_, index) => settings.seed + index);
    const runs: StudyRun[] = [];
    let stopped = false;
    const stopSignal = new Promise<void>((resolve) => {
      this.#stop = () => {
        stopped = true;
        resolve();
      };
    });
    this.#change({ problem: "", running: { done: 0, total: seeds.length, at: "Preparing" } });
    let problem = "";
    let version = "";
    try {
      await this.#link.beside([], async (service) => {
        await service.subscribe((batch) => this.#hear(batch));
        for (const [index, seed] of seeds.entries()) {
          if (stopped) break;
          const race = await this.#race({ ...settings, seed, strategies }, service, stopSignal, (at) =>
            this.#change({ running: { done: index, total: seeds.length, at } }),
          );
          version = race.version;
          runs.push(...race.runs);
        }
        await service.stop();
      });
    } catch (error) {
      problem = messageOf(error);
    }
    this.#stop = undefined;
    this.#hear = () => undefined;
    this.#change({ running: null, problem });
    const missing = seeds.flatMap((seed) =>
      strategies
        .filter((strategy) => !runs.some(({ cell }) => cell.seed === seed && cell.strategy === strategy))
        .map((strategy): StudyRun => ({
          ...cellOf(settings, strategy, seed),
          state: "missing",
          rounds: [],
          examples: [],
          picks: [],
        })),
    );
    if (!runs.some(({ state }) => state === "finished")) return;
    this.#show(
      analyzeStudy({
        name: "in this tab",
        version,
        tasks: [settings.task],
        strategies,
        options: [OPTION],
        seeds,
        reference: strategies[0] ?? "random",
        targets: [],
        confidence: CONFIDENCE,
        resamples: RESAMPLES,
        runs: [...runs, ...missing],
      }),
      "run in this tab",
    );
  }

  async #race(
    settings: Settings,
    service: LoopService,
    stopSignal: Promise<void>,
    tell: (at: string) => void,
  ): Promise<{ readonly runs: readonly StudyRun[]; readonly version: string }> {
    const race = await service.createRace({ lanes: experimentsOf(settings), ep: settings.provider, showPool: false });
    // Only now: what was told until here is of the race before.
    const ended = new Promise<void>((resolve) => {
      this.#hear = (batch) => {
        for (const event of batch) {
          if (event.type === "state" && event.state === "done") resolve();
          if (event.type === "record" && event.record.type === "phase")
            tell(`seed ${settings.seed}, round ${event.record.round}, ${event.record.phase}`);
        }
      };
    });
    await service.start();
    await Promise.race([ended, stopSignal.then(() => service.pause())]);
    const headers = await service.runs();
    const runs: StudyRun[] = [];
    for (const { runId, config } of race.lanes) {
      const header = headers.find(({ manifest }) => manifest.runId === runId);
      const records: LoopRecord[] = [];
      await service.tellRecords(runId, (some) => void records.push(...some));
      runs.push({
        ...cellOf(settings, config.strategy.name, settings.seed),
        state: header?.finished === true ? "finished" : "unfinished",
        engine: race.engine.ep,
        rounds: records.flatMap((record) => (record.type === "round" ? [record.summary] : [])),
        examples: records.flatMap((record) => (record.type === "example" ? [record.example] : [])),
        picks: records.filter(isPicks),
      });
    }
    return { runs, version: headers[0]?.manifest.version ?? "" };
  }

  #show(report: StudyReportData, source: string): void {
    this.#change({ report, source, problem: "" });
  }

  #change(part: Partial<StudiesState>): void {
    STUDIES.change(this.#store, (state) => ({ ...state, ...part }));
  }
}

/** The one option of a grid in the tab: the settings of the page. */
const OPTION = "default";

function cellOf({ task }: Settings, strategy: string, seed: number): Pick<StudyRun, "cell"> {
  return { cell: { id: `${task} ${strategy} ${seed}`, task, option: OPTION, strategy, seed } };
}

function isPicks(record: LoopRecord): record is Extract<LoopRecord, { readonly type: "picks" }> {
  return record.type === "picks";
}

function parseText(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TutelageError(
      "bad-input",
      `${name}: expected a study's report.json, got what is no JSON (${messageOf(error)})`,
      { cause: error },
    );
  }
}
