/**
 * @file Runs kept in the browser's IndexedDB. The only importer of idb. One database;
 * a row per run, one ordered list of entries, at most one checkpoint per run, written
 * in the same transaction that points to it. Usable in a window and in a worker.
 */
import { openDB } from "idb";
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from "idb";
import { TutelageError, badInput, messageOf } from "../core/errors.ts";
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
import { heldElsewhere, holdExclusively } from "./exclusive.ts";
import { byAge, bytesOf, entriesOf, headerOf, lastRoundOf, NO_ROUND, progressOf, storedRunOf } from "./storedRun.ts";

/** What a run's row says besides its manifest is derived from the entries and written with them. */
interface RunRow {
  readonly runId: string;
  readonly manifest: RunManifest;
  readonly lastRound: number;
  readonly accuracy: number | null;
  /** Absent: no. */
  readonly endedEarly?: boolean;
  /** Round of the checkpoint to resume from; the pointer that is flipped last. */
  readonly checkpointRound: number | null;
  /** Absent in rows of before it was counted. */
  readonly checkpointBytes?: number;
  readonly label?: string;
}

/** Version 1 of the database. */
interface Database extends DBSchema {
  runs: { key: string; value: RunRow };
  entries: { key: number; value: { readonly runId: string; readonly entry: RunEntry }; indexes: { byRun: string } };
  checkpoints: {
    key: [string, number];
    value: { readonly runId: string; readonly round: number; readonly checkpoint: Checkpoint };
  };
}

const DATABASE_VERSION = 1;
const RUN_SCHEMA_VERSION = 1 satisfies RunManifest["schemaVersion"];

/** The library of database `name`. Opens it at first use, and again after the browser closed it. */
export class IndexedDbLibrary implements RunLibrary {
  readonly #name: string;
  #db: Promise<IDBPDatabase<Database>> | undefined;

  constructor(name = "tutelage") {
    this.#name = name;
  }

  list(): Promise<RunHeader[]> {
    return this.run("list runs", async (db) => {
      const rows = await db.getAll("runs");
      const elsewhere = await heldElsewhere();
      return rows
        .map((row) =>
          headerOf(
            row.manifest,
            { endedEarly: false, checkpointBytes: 0, ...row },
            { label: row.label, elsewhere: elsewhere.has(this.#lockOf(row.runId)) },
          ),
        )
        .sort(byAge);
    });
  }

  async open(runId: string): Promise<RunStore> {
    const release = await holdExclusively(this.#lockOf(runId));
    return new IndexedDbStore(this, runId, release);
  }

  read(runId: string, { checkpoint: whole = true } = {}): Promise<StoredRun | undefined> {
    return this.run("load a run", async (db) => {
      const tx = db.transaction(["runs", "entries", "checkpoints"], "readonly");
      const row = await tx.objectStore("runs").get(runId);
      if (row === undefined) return undefined;
      const { manifest, checkpointRound } = row;
      if (manifest.schemaVersion !== RUN_SCHEMA_VERSION) unsupportedRun(runId, manifest.schemaVersion);
      const entries = await tx.objectStore("entries").index("byRun").getAll(runId);
      const checkpoint =
        checkpointRound === null || !whole
          ? undefined
          : await tx.objectStore("checkpoints").get([runId, checkpointRound]);
      if (checkpointRound !== null && whole && checkpoint === undefined)
        badInput(
          `run ${runId}`,
          `the checkpoint of round ${checkpointRound}`,
          "none",
          "The stored run is damaged; delete it",
        );
      return storedRunOf(
        manifest,
        entries.map(({ entry }) => entry),
        checkpoint?.checkpoint,
      );
    });
  }

  async add({ run, label }: LabelledRun): Promise<void> {
    const { manifest, checkpoint } = run;
    const { runId } = manifest;
    await this.write("import a run", ["runs", "entries", "checkpoints"], async (tx) => {
      const runs = tx.objectStore("runs");
      if ((await runs.get(runId)) !== undefined) badInput(`run ${runId}`, "a new run", "one that exists");
      const checkpointRound = checkpoint?.round ?? null;
      await runs.add({
        runId,
        manifest,
        checkpointRound,
        ...progressOf(run),
        ...(label === undefined ? {} : { label }),
      });
      if (checkpoint !== undefined)
        await tx.objectStore("checkpoints").add({ runId, round: checkpoint.round, checkpoint });
      const entries = tx.objectStore("entries");
      await Promise.all(entriesOf(run).map((entry) => entries.add({ runId, entry })));
    });
  }

  async label(runId: string, label: string): Promise<void> {
    await this.write("name a run", ["runs"], async (tx) => {
      const row = await tx.objectStore("runs").get(runId);
      if (row === undefined) badInput(`run ${runId}`, "a stored run", "none", "It was deleted");
      const { label: _, ...rest } = row;
      await tx.objectStore("runs").put(label === "" ? rest : { ...rest, label });
    });
  }

  async delete(runId: string): Promise<void> {
    const release = await holdExclusively(this.#lockOf(runId));
    try {
      await this.write("delete a run", ["runs", "entries", "checkpoints"], async (tx) => {
        await tx.objectStore("runs").delete(runId);
        await tx.objectStore("checkpoints").delete(IDBKeyRange.bound([runId, -Infinity], [runId, Infinity]));
        const entries = tx.objectStore("entries");
        const keys = await entries.index("byRun").getAllKeys(runId);
        await Promise.all(keys.map((key) => entries.delete(key)));
      });
    } finally {
      release();
    }
  }

  /** Closes the connection; a later call opens it again. */
  async close(): Promise<void> {
    const db = this.#db;
    this.#db = undefined;
    (await db)?.close();
  }

  /** Runs `work` on the open database. @throws TutelageError quota or unsupported (a newer database). */
  async run<R>(what: string, work: (db: IDBPDatabase<Database>) => Promise<R>): Promise<R> {
    try {
      this.#db ??= this.#open();
      return await work(await this.#db);
    } catch (error) {
      throw storageError(what, error);
    }
  }

  /** Runs `work` in one read-write transaction: all of it is stored, or nothing. */
  write<R>(
    what: string,
    stores: StoreNames<Database>[],
    work: (tx: IDBPTransaction<Database, StoreNames<Database>[], "readwrite">) => Promise<R>,
  ): Promise<R> {
    return this.run(what, async (db) => {
      const tx = db.transaction(stores, "readwrite");
      // `done` may reject while `work` still waits for a request; both are awaited below.
      tx.done.catch(() => undefined);
      let result: R;
      try {
        result = await work(tx);
      } catch (error) {
        try {
          tx.abort();
        } catch {
          // Aborted already, by the very failure being reported.
        }
        throw tx.error ?? error;
      }
      await tx.done;
      return result;
    });
  }

  #lockOf(runId: string): string {
    return `${this.#name} run ${runId}`;
  }

  async #open(): Promise<IDBPDatabase<Database>> {
    const forget = (): void => {
      this.#db = undefined;
    };
    try {
      return await openDB<Database>(this.#name, DATABASE_VERSION, {
        upgrade(db, oldVersion) {
          if (oldVersion < 1) {
            db.createObjectStore("runs", { keyPath: "runId" });
            db.createObjectStore("entries", { autoIncrement: true }).createIndex("byRun", "runId");
            db.createObjectStore("checkpoints", { keyPath: ["runId", "round"] });
          }
        },
        // Another tab brings a newer version: let it, and meet it at the next use.
        blocking(_current, _blocked, event) {
          (event.target as IDBDatabase).close();
          forget();
        },
        terminated: forget,
      });
    } catch (error) {
      forget();
      throw error;
    }
  }
}

class IndexedDbStore implements RunStore {
  readonly runId: string;
  readonly #library: IndexedDbLibrary;
  readonly #release: () => void;

  constructor(library: IndexedDbLibrary, runId: string, release: () => void) {
    this.#library = library;
    this.runId = runId;
    this.#release = release;
  }

  async create(manifest: RunManifest): Promise<void> {
    await this.#library.write("create a run", ["runs"], async (tx) => {
      if ((await tx.objectStore("runs").get(this.runId)) !== undefined)
        badInput(`run ${this.runId}`, "a new run", "one that exists");
      await tx.objectStore("runs").add({ runId: this.runId, manifest, ...NO_ROUND, checkpointRound: null });
    });
  }

  load(): Promise<StoredRun | undefined> {
    return this.#library.read(this.runId);
  }

  async append(entry: RunEntry): Promise<void> {
    await this.#library.write("store a run's entry", ["runs", "entries"], async (tx) => {
      await tx.objectStore("entries").add({ runId: this.runId, entry });
      if (entry.type === "round") {
        await this.#update(tx, lastRoundOf(entry.summary));
      }
    });
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { runId } = this;
    const { round } = checkpoint;
    await this.#library.write("store a checkpoint", ["runs", "checkpoints"], async (tx) => {
      const checkpoints = tx.objectStore("checkpoints");
      await checkpoints.delete(IDBKeyRange.bound([runId, -Infinity], [runId, Infinity]));
      await checkpoints.put({ runId, round, checkpoint });
      await this.#update(tx, { checkpointRound: round, checkpointBytes: bytesOf(checkpoint) });
    });
  }

  async close(): Promise<void> {
    this.#release();
  }

  async #update(
    tx: IDBPTransaction<Database, StoreNames<Database>[], "readwrite">,
    change: Partial<RunRow>,
  ): Promise<void> {
    const runs = tx.objectStore("runs");
    const row = await runs.get(this.runId);
    if (row === undefined) badInput(`run ${this.runId}`, "a created run", "none", "It was deleted while it ran");
    await runs.put({ ...row, ...change });
  }
}

function unsupportedRun(runId: string, version: unknown): never {
  throw new TutelageError(
    "unsupported",
    `run ${runId}: expected stored schema version ${RUN_SCHEMA_VERSION}, got ${String(version)}. It was written by another version of Tutelage`,
  );
}

/** Names what a caller can act on; leaves the rest as it is. */
function storageError(what: string, error: unknown): unknown {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "QuotaExceededError") {
    return new TutelageError(
      "quota",
      `IndexedDB, ${what}: the browser's storage quota is used up. Delete old runs or free disk space, then resume`,
      { cause: error },
    );
  }
  if (name === "VersionError") {
    return new TutelageError(
      "unsupported",
      `IndexedDB, ${what}: the database was written by a newer version of Tutelage. Reload the page to get that version`,
      { cause: error },
    );
  }
  if (error instanceof TutelageError) return error;
  return new TutelageError("internal", `IndexedDB, ${what}: ${messageOf(error)}`, { cause: error });
}
