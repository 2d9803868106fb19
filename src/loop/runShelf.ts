/**
 * @file What a person does with stored runs: look at them, name, compare, hand out, take in,
 * delete, decide about pairs. Opens no engine. Not here: races (`service.ts`), how runs are
 * kept or archived (`storage/`).
 */
import { badInput } from "../core/errors.ts";
import type { ExportedRuns, PairChange, PairRow } from "../protocol/loopService.ts";
import type { Task } from "../tasks/types.ts";
import type { ExperimentConfig } from "./config.ts";
import { datasetFiles } from "./dataset.ts";
import { decide } from "./intervene.ts";
import { filesOf } from "./dataShelf.ts";
import type { DataShelf } from "./dataShelf.ts";
import { Interventions } from "./interventions.ts";
import { newId } from "./newId.ts";
import { pairRows } from "./pairRows.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import type { Lane } from "./race.ts";
import type { Intervention, LoopRecord, RoundSummary } from "./records.ts";
import { storedRecords } from "./runRecords.ts";
import type { DataFiles, LabelledRun, RunBundle, RunHeader, RunLibrary, RunManifest, StoredRun } from "./runStore.ts";

/** Runs and other files as one, and back. */
export interface RunArchiver {
  /** @throws BadInputError for data files over the bound. */
  pack(bundle: RunBundle): Uint8Array;
  /** @throws BadInputError for anything that is no archive of runs. */
  unpack(archive: Uint8Array): RunBundle;
  zip(files: ReadonlyMap<string, string>): Uint8Array;
}

export interface RunShelfDeps {
  readonly library: RunLibrary;
  /** Without it nothing is handed out or taken in. */
  readonly archiver?: RunArchiver;
  readonly createTask: (config: ExperimentConfig) => Task | Promise<Task>;
  /** Data files of the user's own, which go with their runs and are deleted with the last; without it there are none. */
  readonly data?: Pick<DataShelf, "read" | "keep" | "delete">;
  readonly now?: () => number;
}

const MAX_LABEL_CHARACTERS = 200;

export class RunShelf {
  readonly #deps: RunShelfDeps;

  constructor(deps: RunShelfDeps) {
    this.#deps = deps;
  }

  list(): Promise<readonly RunHeader[]> {
    return this.#deps.library.list();
  }

  /** The run, its checkpoint too where `checkpoint` is true. @throws BadInputError when there is none. */
  async read(runId: string, checkpoint = false): Promise<StoredRun> {
    return (
      (await this.#deps.library.read(runId, { checkpoint })) ??
      badInput("run", "a stored run", runId, "It was deleted, or never began")
    );
  }

  async records(runId: string): Promise<readonly LoopRecord[]> {
    return storedRecords(await this.read(runId));
  }

  async rounds(runId: string): Promise<readonly RoundSummary[]> {
    return (await this.read(runId)).rounds;
  }

  async pairs(runId: string): Promise<readonly PairRow[]> {
    return pairRows(await this.read(runId));
  }

  async label(runIds: readonly string[], label: string): Promise<void> {
    const text = label.trim();
    if (text.length > MAX_LABEL_CHARACTERS)
      badInput("name of a run", `at most ${MAX_LABEL_CHARACTERS} characters`, String(text.length));
    for (const runId of runIds) await this.#deps.library.label(runId, text);
  }

  /** Deletes the run, and its data files where no other run names them. */
  async delete(runId: string): Promise<void> {
    const { library, data } = this.#deps;
    const digestOf = ({ manifest }: RunHeader): string | undefined => manifest.config.task.data?.digest;
    const before = await library.list();
    await library.delete(runId);
    const run = before.find(({ manifest }) => manifest.runId === runId);
    const digest = run === undefined ? undefined : digestOf(run);
    const needed = before.some((other) => other !== run && digestOf(other) === digest);
    if (digest !== undefined && !needed) await data?.delete(digest);
  }

  /** One file with the runs as they are now, and the data files that they name and that are here. */
  async export(runIds: readonly string[]): Promise<ExportedRuns> {
    const headers = await this.list();
    const runs: LabelledRun[] = [];
    for (const runId of runIds) {
      const label = headers.find(({ manifest }) => manifest.runId === runId)?.label;
      runs.push({ run: await this.read(runId, true), ...(label === undefined ? {} : { label }) });
    }
    const data = new Map<string, DataFiles>();
    for (const { run } of runs) {
      const digest = run.manifest.config.task.data?.digest;
      if (digest === undefined || data.has(digest)) continue;
      const files = await this.#deps.data?.read(digest);
      if (files !== undefined) data.set(digest, files);
    }
    return {
      archive: this.#archiver().pack({ runs, data }),
      dataFiles: [...data.values()].flatMap((files) => filesOf(files).map(({ name }) => name)),
    };
  }

  /**
   * Keeps the runs of an exported file, and the data files they name; returns their ids. A run that is here already
   * is kept a second time, under an id of its own. @throws BadInputError before any run is kept.
   */
  async import(archive: Uint8Array): Promise<readonly string[]> {
    const { runs, data } = this.#archiver().unpack(archive);
    const checked = runs.map(({ run, ...rest }) => {
      const { manifest } = run;
      const config = parseExperimentConfig(manifest.config, `run ${manifest.runId}`);
      return { ...rest, run: { ...run, manifest: { ...manifest, config } } };
    });
    const known = new Set((await this.list()).map(({ manifest }) => manifest.runId));
    // Lanes of one race stay together, also as a copy.
    const copy = checked.some(({ run }) => known.has(run.manifest.runId));
    const races = new Map<string, string>();
    const named = copy ? checked.map((one) => copyOf(one, races)) : checked;
    const kept: string[] = [];
    const keptData: string[] = [];
    try {
      for (const digest of new Set(named.flatMap(({ run }) => run.manifest.config.task.data?.digest ?? []))) {
        const files = data.get(digest);
        if (files !== undefined && (await this.#deps.data?.keep(digest, files)) === true) keptData.push(digest);
      }
      for (const one of named) {
        await this.#deps.library.add(one);
        kept.push(one.run.manifest.runId);
      }
    } catch (error) {
      // All of the file, or nothing: what failed says more than a failure to clean up.
      for (const runId of kept) await this.#deps.library.delete(runId).catch(() => undefined);
      for (const digest of keptData) await this.#deps.data?.delete(digest).catch(() => undefined);
      throw error;
    }
    return kept;
  }

  /** Zip archive of the accepted pairs with their data set card. */
  async dataset(runId: string): Promise<Uint8Array> {
    const run = await this.read(runId);
    const config = parseExperimentConfig(run.manifest.config, `run ${runId}`);
    return this.#archiver().zip(datasetFiles(run, await this.#deps.createTask(config)));
  }

  /** Every setting and version of the run, and what people changed by hand, as JSON. */
  async manifest(runId: string): Promise<string> {
    const { manifest, interventions, memoryChanges } = await this.read(runId);
    return `${JSON.stringify({ ...manifest, interventions, memoryChanges }, null, 2)}\n`;
  }

  /** Records a decision about a pair. `lane`: the run as it is open here; without it the run must not be open anywhere. */
  async intervene(runId: string, exampleId: string, change: PairChange, lane?: Lane): Promise<Intervention> {
    const { now = Date.now } = this.#deps;
    if (lane !== undefined) {
      const { config, task, student, store } = lane;
      const stored = await this.read(runId);
      const { nextRound } = lane.interventions;
      const intervention = decide(exampleId, change, { config, task, student, stored, nextRound, now });
      await store.append({ type: "intervention", intervention });
      lane.interventions.add(intervention);
      return intervention;
    }
    const store = await this.#deps.library.open(runId);
    try {
      const stored = (await store.load()) ?? (await this.read(runId));
      const config = parseExperimentConfig(stored.manifest.config, `run ${runId}`);
      const interventions = new Interventions();
      interventions.load(stored);
      const { nextRound } = interventions;
      const task = await this.#deps.createTask(config);
      const intervention = decide(exampleId, change, { config, task, stored, nextRound, now });
      await store.append({ type: "intervention", intervention });
      return intervention;
    } finally {
      await store.close();
    }
  }

  #archiver(): RunArchiver {
    return this.#deps.archiver ?? badInput("run file", "a place that can pack runs", "one that cannot");
  }
}

/** The run under another id, and its race too. */
function copyOf({ run, label }: LabelledRun, races: Map<string, string>): LabelledRun {
  const { race } = run.manifest;
  const raceId = race === undefined ? undefined : (races.get(race.id) ?? newId());
  if (race !== undefined && raceId !== undefined) races.set(race.id, raceId);
  const manifest: RunManifest = {
    ...run.manifest,
    runId: newId(),
    ...(race === undefined || raceId === undefined ? {} : { race: { ...race, id: raceId } }),
  };
  return { run: { ...run, manifest }, label: `${label ?? "Imported run"} (copy)`.slice(-MAX_LABEL_CHARACTERS) };
}
