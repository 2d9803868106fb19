/** @file The data table's doings: which runs' pairs are loaded, how they are shown, decisions by hand, files of what is shown. */
import type { LoopService, PairChange } from "../../../protocol/loopService.ts";
import type { Page } from "../../controller.ts";
import { formatCount } from "../../format.ts";
import { perPage } from "../../perPage.ts";
import type { Problem } from "../../problem.ts";
import { problemOf } from "../../problem.ts";
import { defineSlice } from "../../slice.ts";
import type { Column, Filters, LossKind, ShownRun, Sorting, TableRow } from "./pairTable.ts";
import { rowsToCsv, rowsToJsonl, tableRows } from "./pairTable.ts";

export interface DataState {
  /** Null before any were read. */
  readonly rows: readonly TableRow[] | null;
  /** The runs that the rows are of. */
  readonly runs: readonly ShownRun[];
  readonly filters: Filters;
  readonly sorting: Sorting;
  readonly lossKind: LossKind;
  /** Key of the row whose details are open. */
  readonly selected: string | null;
  /** A decision is being stored. */
  readonly saving: boolean;
  readonly done: string | null;
  readonly problem: Problem | null;
}

export const NO_FILTERS: Filters = { search: "", lane: "", round: "", fate: "" };

export const dataSlice = defineSlice<DataState>({
  rows: null,
  runs: [],
  filters: NO_FILTERS,
  sorting: { column: "round", descending: true },
  lossKind: "true",
  selected: null,
  saving: false,
  done: null,
  problem: null,
});

/** Columns whose largest values are looked at first. */
const DESCENDING_FIRST: readonly Column[] = ["round", "score", "before", "after", "cost"];

export class DataController {
  readonly #page: Page;
  #loading: Promise<void> | undefined;
  /** Asked for while others were being read. */
  #next: { readonly runs: readonly ShownRun[] | undefined } | undefined;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Reads the pairs of `runs`, or of those that a list knows by `runIds`; asked for again meanwhile, once more after that. */
  async load(runs: readonly ShownRun[]): Promise<void> {
    if (this.#loading !== undefined) {
      this.#next = { runs };
      return this.#loading;
    }
    this.#loading = this.#read(runs);
    await this.#loading;
    this.#loading = undefined;
    const next = this.#next?.runs;
    this.#next = undefined;
    if (next !== undefined) await this.load(next);
  }

  /** Shown runs of a list of ids, as a link from the kept runs has it. */
  async loadKept(runIds: readonly string[]): Promise<void> {
    const { service } = this.#page.link;
    if (service === undefined) return;
    try {
      const kept = await service.runs();
      const runs = runIds.flatMap((runId, lane): ShownRun[] => {
        const run = kept.find(({ manifest }) => manifest.runId === runId);
        return run === undefined ? [] : [{ runId, lane, name: run.manifest.config.strategy.name }];
      });
      await this.load(runs);
    } catch (error) {
      this.#change({ problem: problemOf(error), rows: [] });
    }
  }

  filter(change: Partial<Filters>): void {
    dataSlice.change(this.#page.store, (state) => ({ ...state, filters: { ...state.filters, ...change } }));
  }

  clearFilters(): void {
    this.#change({ filters: NO_FILTERS });
  }

  /** Sorts by the column; a second time the other way round. */
  sort(column: Column): void {
    dataSlice.change(this.#page.store, (state) => ({
      ...state,
      sorting: {
        column,
        descending: state.sorting.column === column ? !state.sorting.descending : DESCENDING_FIRST.includes(column),
      },
    }));
  }

  showLoss(lossKind: LossKind): void {
    this.#change({ lossKind });
  }

  select(key: string | null): void {
    this.#change({ selected: key, problem: null });
  }

  /** Stores a decision about the row's pair, and reads the pairs again. Resolves to whether it was stored. */
  async decide(row: TableRow, change: PairChange): Promise<boolean> {
    const { service } = this.#page.link;
    if (service === undefined || dataSlice.of(this.#page.store.state).saving) return false;
    this.#change({ saving: true, problem: null, done: null });
    try {
      const { round } = await service.changePair(row.run.runId, row.made.id, change);
      await this.load(dataSlice.of(this.#page.store.state).runs);
      this.#change({ saving: false, done: `Recorded: it holds from the training of round ${round} on.` });
      return true;
    } catch (error) {
      this.#change({ saving: false, problem: problemOf(error) });
      return false;
    }
  }

  /** Hands the user the rows as they are shown. */
  save(rows: readonly TableRow[], format: "csv" | "jsonl"): void {
    const text = format === "csv" ? rowsToCsv(rows) : rowsToJsonl(rows);
    this.#page.saveFile(`pairs.${format}`, new TextEncoder().encode(text));
    this.#change({ done: `Saved ${formatCount(rows.length, "row")} as pairs.${format}.` });
  }

  async #read(runs: readonly ShownRun[]): Promise<void> {
    const { service } = this.#page.link;
    if (service === undefined) return;
    try {
      const rows: TableRow[] = [];
      for (const run of runs) rows.push(...tableRows(run, await pairsOf(service, run.runId)));
      this.#change({ rows, runs });
    } catch (error) {
      this.#change({ rows: [], runs, problem: problemOf(error) });
    }
  }

  #change(change: Partial<DataState>): void {
    dataSlice.change(this.#page.store, (state) => ({ ...state, ...change }));
  }
}

/** The page's data table. */
export const dataOf = perPage((page) => new DataController(page));

function pairsOf(service: LoopService, runId: string): ReturnType<LoopService["runPairs"]> {
  return service.runPairs(runId);
}
