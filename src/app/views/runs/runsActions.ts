/** @file What is done with kept runs: list, name, compare, open, hand out, take in, delete; and how much the browser keeps. */
import type { RoundSummary } from "../../../loop/records.ts";
import type { RunHeader } from "../../../loop/runStore.ts";
import type { LoopService } from "../../../protocol/loopService.ts";
import type { StudentFormat } from "../../../student/types.ts";
import type { Page } from "../../controller.ts";
import { engineOptions } from "../../engineOptions.ts";
import { formatBytes, formatCount } from "../../format.ts";
import { perPage } from "../../perPage.ts";
import type { Problem } from "../../problem.ts";
import { problemOf } from "../../problem.ts";
import { formatRoute, HOME } from "../../route.ts";
import { defineSlice } from "../../slice.ts";
import { groupRuns } from "./keptRaces.ts";
import type { KeptRace } from "./keptRaces.ts";

/** What one run can be handed out as. */
export type Download = StudentFormat | "dataset" | "manifest";

export interface RunsState {
  /** Null before they were asked for. */
  readonly runs: readonly RunHeader[] | null;
  readonly usedBytes: number | null;
  readonly quotaBytes: number | null;
  /** Whether the browser promised to keep them; null where it does not say. */
  readonly persisted: boolean | null;
  /** Races whose curves are shown, by key. */
  readonly compared: readonly string[];
  readonly rounds: ReadonlyMap<string, readonly RoundSummary[]>;
  /** The race whose deletion is to be confirmed. */
  readonly deleting: string | null;
  readonly renaming: string | null;
  /** What is being done, in words. */
  readonly busy: string | null;
  /** What was done last, in words. */
  readonly done: string | null;
  readonly problem: Problem | null;
}

/** Races in one plot: more lines could not be told apart. */
export const MAX_COMPARED = 4;
/** Larger files are refused before they are read. */
const MAX_IMPORT_BYTES = 2 ** 30;

export const runsSlice = defineSlice<RunsState>({
  runs: null,
  usedBytes: null,
  quotaBytes: null,
  persisted: null,
  compared: [],
  rounds: new Map(),
  deleting: null,
  renaming: null,
  busy: null,
  done: null,
  problem: null,
});

export class RunsController {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Reads the list and the storage used. */
  async refresh(): Promise<void> {
    const { service } = this.#page.link;
    if (service === undefined) return;
    try {
      await this.#load(service);
    } catch (error) {
      this.#change({ problem: problemOf(error) });
    }
  }

  toggleCompared(key: string): void {
    const { compared } = this.#state;
    const now = compared.includes(key) ? compared.filter((other) => other !== key) : [...compared, key];
    this.#change({ compared: now.slice(-MAX_COMPARED) });
    void this.refresh();
  }

  askRename(key: string | null): void {
    this.#change({ renaming: key });
  }

  rename(key: string, label: string): void {
    void this.#work("Naming…", async (service) => {
      await service.labelRuns(this.#idsOf(key), label);
      this.#change({ renaming: null });
      return label.trim() === "" ? "The name was taken away." : `Named “${label.trim()}”.`;
    });
  }

  askDelete(key: string | null): void {
    this.#change({ deleting: key });
  }

  delete(key: string): void {
    void this.#work("Deleting…", async (service) => {
      const ids = this.#idsOf(key);
      this.#change({ deleting: null });
      this.#page.race.forget(ids);
      for (const runId of ids) await service.deleteRun(runId);
      return "The run was deleted.";
    });
  }

  /** Shows the race on the first screen; `go`: and goes on with it. */
  open(key: string, go: boolean): void {
    this.#page.race.open(this.#idsOf(key), go);
    location.hash = formatRoute({ view: HOME });
  }

  /** One file with all lanes of the race. */
  export(key: string): void {
    void this.#work("Packing the run…", async (service) => {
      const { archive, dataFiles } = await service.exportRuns(this.#idsOf(key));
      this.#page.saveFile(`tutelage-run-${key.slice(0, 8)}.zip`, archive);
      const own = this.#raceOf(key)?.lanes[0]?.manifest.config.task.data;
      const questions =
        dataFiles.length > 0
          ? `, your questions (${dataFiles.join(", ")}) included`
          : own === undefined
            ? ""
            : `, without your questions: ${own.pool} is not in this browser`;
      return `Exported ${formatBytes(archive.length)}${questions}.`;
    });
  }

  download(runId: string, what: Download): void {
    const { store, saveFile } = this.#page;
    const name = `${what}-${runId.slice(0, 8)}`;
    void this.#work(what === "dataset" || what === "manifest" ? "Packing…" : "Opening the student…", async (service) => {
      if (what === "manifest")
        saveFile(`${name}.json`, new TextEncoder().encode(await service.runManifest(runId)));
      else if (what === "dataset") saveFile(`${name}.zip`, await service.packDataset(runId));
      else saveFile(`${name}.zip`, await service.packRun({ runId, format: what, ...engineOptions(store.state) }));
      return `The ${DOWNLOADS[what].toLowerCase()} is in your downloads.`;
    });
  }

  import(file: File): void {
    void this.#work("Reading the file…", async (service) => {
      if (file.size > MAX_IMPORT_BYTES)
        throw new Error(`${file.name}: expected at most ${formatBytes(MAX_IMPORT_BYTES)}, got ${formatBytes(file.size)}`);
      const ids = await service.importRuns(new Uint8Array(await file.arrayBuffer()));
      return `Imported ${formatCount(ids.length, "run")} from ${file.name}.`;
    });
  }

  /** Asks the browser to keep the runs when its disk is short. */
  async persist(): Promise<void> {
    const persisted = await navigator.storage.persist();
    this.#change({
      persisted,
      done: persisted ? "The browser keeps the runs until you delete them." : "The browser did not promise it.",
    });
  }

  dismiss(): void {
    this.#change({ problem: null });
  }

  get #state(): RunsState {
    return runsSlice.of(this.#page.store.state);
  }

  #idsOf(key: string): readonly string[] {
    return this.#raceOf(key)?.lanes.map(({ manifest }) => manifest.runId) ?? [];
  }

  #raceOf(key: string): KeptRace | undefined {
    return groupRuns(this.#state.runs ?? []).find((kept) => kept.key === key);
  }

  async #work(busy: string, work: (service: LoopService) => Promise<string>): Promise<void> {
    const { service } = this.#page.link;
    if (service === undefined || this.#state.busy !== null) return;
    this.#change({ busy, done: null, problem: null });
    let outcome: Partial<RunsState>;
    try {
      outcome = { done: await work(service) };
    } catch (error) {
      outcome = { problem: problemOf(error) };
    }
    // What is said to be done is there to be seen.
    await this.refresh();
    this.#change({ busy: null, ...outcome });
  }

  async #load(service: LoopService): Promise<void> {
    const runs = await service.runs();
    const { compared, rounds: before } = this.#state;
    const shown = groupRuns(runs).filter(({ key }) => compared.includes(key));
    const rounds = new Map<string, readonly RoundSummary[]>();
    for (const { manifest, lastRound } of shown.flatMap(({ lanes }) => lanes)) {
      const known = before.get(manifest.runId);
      const own = known?.length === lastRound + 1 ? known : await service.runRounds(manifest.runId);
      rounds.set(manifest.runId, own);
    }
    this.#change({ runs, rounds, compared: shown.map(({ key }) => key), ...(await storageUsed()) });
  }

  #change(change: Partial<RunsState>): void {
    runsSlice.change(this.#page.store, (state) => ({ ...state, ...change }));
  }
}

/** Downloads by what they are. */
export const DOWNLOADS: Readonly<Record<Download, string>> = {
  adapter: "Adapter",
  safetensors: "Merged student",
  onnx: "ONNX folder",
  dataset: "Data set",
  manifest: "Manifest",
};

/** The page's kept runs. */
export const runsOf = perPage((page) => new RunsController(page));

/** What the browser says of this site's storage; nulls where it says nothing (insecure contexts). */
async function storageUsed(): Promise<Pick<RunsState, "usedBytes" | "quotaBytes" | "persisted">> {
  const storage = (navigator as { readonly storage?: StorageManager }).storage;
  try {
    const { usage, quota } = (await storage?.estimate()) ?? {};
    return { usedBytes: usage ?? null, quotaBytes: quota ?? null, persisted: (await storage?.persisted()) ?? null };
  } catch {
    return { usedBytes: null, quotaBytes: null, persisted: null };
  }
}
