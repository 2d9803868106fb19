/** @file Runs kept in memory: for tests, and for pages without IndexedDB. Lost with the process. Values are copied in and out, as a real store would. */
import { badInput } from "../core/errors.ts";
import type {
  Checkpoint,
  LabelledRun,
  RunEntry,
  RunHeader,
  RunLibrary,
  RunManifest,
  RunStore,
  StoredRun,
} from "../loop/runStore.ts";
import { byAge, entriesOf, headerOf, progressOf, storedRunOf } from "./storedRun.ts";

interface MemoryRun {
  manifest: RunManifest | undefined;
  readonly entries: RunEntry[];
  checkpoint: Checkpoint | undefined;
  label: string | undefined;
}

/** A library in memory. */
export class MemoryLibrary implements RunLibrary {
  readonly #runs = new Map<string, MemoryRun>();
  readonly #held = new Set<string>();

  list(): Promise<RunHeader[]> {
    const headers: RunHeader[] = [];
    for (const { manifest, entries, checkpoint, label } of this.#runs.values()) {
      if (manifest === undefined) continue;
      headers.push(headerOf(manifest, progressOf(storedRunOf(manifest, entries, checkpoint)), { label }));
    }
    return Promise.resolve(structuredClone(headers.sort(byAge)));
  }

  async open(runId: string): Promise<RunStore> {
    if (this.#held.has(runId)) badInput(`run ${runId}`, "a run nobody holds", "one that is open", "Close it first");
    this.#held.add(runId);
    const run = this.#runs.get(runId) ?? { manifest: undefined, entries: [], checkpoint: undefined, label: undefined };
    this.#runs.set(runId, run);
    return new MemoryStore(runId, run, () => this.#held.delete(runId));
  }

  async read(runId: string, { checkpoint = true } = {}): Promise<StoredRun | undefined> {
    const run = this.#runs.get(runId);
    return loadRun(run === undefined || checkpoint ? run : { ...run, checkpoint: undefined });
  }

  async add({ run, label }: LabelledRun): Promise<void> {
    const { manifest, checkpoint } = structuredClone(run);
    if (this.#runs.get(manifest.runId)?.manifest !== undefined)
      badInput(`run ${manifest.runId}`, "a new run", "one that exists");
    this.#runs.set(manifest.runId, { manifest, entries: structuredClone(entriesOf(run)), checkpoint, label });
  }

  async label(runId: string, label: string): Promise<void> {
    const run = this.#runs.get(runId);
    if (run?.manifest === undefined) badInput(`run ${runId}`, "a stored run", "none", "It was deleted");
    run.label = label === "" ? undefined : label;
  }

  async delete(runId: string): Promise<void> {
    if (this.#held.has(runId)) badInput(`run ${runId}`, "a run nobody holds", "one that is open", "Stop it first");
    this.#runs.delete(runId);
  }
}

class MemoryStore implements RunStore {
  readonly runId: string;
  readonly #run: MemoryRun;
  readonly #release: () => void;
  #closed = false;

  constructor(runId: string, run: MemoryRun, release: () => void) {
    this.runId = runId;
    this.#run = run;
    this.#release = release;
  }

  async create(manifest: RunManifest): Promise<void> {
    if (this.#run.manifest !== undefined) badInput(`run ${this.runId}`, "a new run", "one that exists");
    this.#run.manifest = structuredClone(manifest);
  }

  async load(): Promise<StoredRun | undefined> {
    return loadRun(this.#run);
  }

  async append(entry: RunEntry): Promise<void> {
    this.#run.entries.push(structuredClone(entry));
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    this.#run.checkpoint = structuredClone(checkpoint);
  }

  async close(): Promise<void> {
    if (!this.#closed) this.#release();
    this.#closed = true;
  }
}

function loadRun(run: MemoryRun | undefined): StoredRun | undefined {
  return run?.manifest === undefined
    ? undefined
    : structuredClone(storedRunOf(run.manifest, run.entries, run.checkpoint));
}
