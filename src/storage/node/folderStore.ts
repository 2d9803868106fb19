/**
 * @file A run kept in a folder: `manifest.json`, `rounds.jsonl`, `timings.jsonl` (the
 * durations of rounds), `examples.jsonl`, `journal.jsonl` (pools, picks, teacher replies)
 * and `checkpoints/`. Node only.
 *
 * Laws: `rounds.jsonl` depends on no clock, so that equal runs have equal files; a line that was awaited is on the disk; a checkpoint is written beside the
 * old one and `checkpoints/latest.json` flipped last; a torn last line is dropped
 * when the run is loaded; one process holds a folder at a time.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, readdir, rename, rm, rmdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { badInput } from "../../core/errors.ts";
import type { RoundSummary } from "../../loop/records.ts";
import type { Checkpoint, RunEntry, RunManifest, RunStore, StoredRun } from "../../loop/runStore.ts";
import type { TeacherUsage } from "../../teacher/types.ts";
import { parseCheckpointHeader, parseEntry, parseManifest, parseTiming } from "../parseStored.ts";
import type { CheckpointHeader, Timing } from "../parseStored.ts";
import { storedRunOf } from "../storedRun.ts";
import {
  LineFile,
  fileOperation,
  parseJson,
  readJsonLines,
  readTextIfAny,
  syncDirectory,
  writeSynced,
  writeWhole,
} from "./files.ts";
import { LOCK_FILE, lockFolder } from "./lockFolder.ts";

const MANIFEST = "manifest.json";
const CHECKPOINTS = "checkpoints";
const LATEST = "latest.json";
const ENTRY_FILES = ["rounds.jsonl", "examples.jsonl", "journal.jsonl"] as const;
const TIMINGS = "timings.jsonl";
const LINE_FILES = [...ENTRY_FILES, TIMINGS] as const;
type LineFileName = (typeof LINE_FILES)[number];

/**
 * Opens `directory` for a run and holds it until `close`: for a new run when it is
 * missing or empty, else for the run it holds. `runId` names a new run and, given,
 * must be that of the run found.
 * @throws bad-input when the folder holds something else, another run, or is in use.
 */
export async function openRunFolder(
  directory: string,
  options: { readonly runId: string } | Record<string, never> = {},
): Promise<RunStore> {
  return fileOperation(directory, async () => {
    const made = (await mkdir(directory, { recursive: true })) !== undefined;
    const unlockFolder = await lockFolder(directory);
    // A run that was refused before it began leaves nothing behind.
    const unlock = async (): Promise<void> => {
      await unlockFolder();
      if (made) await rmdir(directory).catch(() => undefined);
    };
    try {
      const manifest = await readManifest(directory);
      if (manifest === undefined) {
        const foreign = (await readdir(directory)).filter((name) => name !== LOCK_FILE && !name.endsWith(".tmp"));
        if (foreign.length > 0)
          badInput(
            directory,
            "an empty folder or one with a run",
            `a folder with ${foreign.slice(0, 3).join(", ")} and no ${MANIFEST}`,
            "Choose another folder",
          );
      } else if (options.runId !== undefined && manifest.runId !== options.runId) {
        badInput(directory, `run ${options.runId}`, `run ${manifest.runId}`, "Choose another folder");
      }
      return new FolderStore(directory, manifest?.runId ?? options.runId ?? crypto.randomUUID(), unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  });
}

/** The run in a folder as it is now, without holding or changing it; undefined when there is none. */
export async function readRunFolder(directory: string): Promise<StoredRun | undefined> {
  const manifest = await readManifest(directory);
  if (manifest === undefined) return undefined;
  const entries: RunEntry[] = [];
  const timings = await readTimings(directory);
  for (const name of ENTRY_FILES) {
    const { values } = await readJsonLines(join(directory, name));
    values.forEach((value, i) => entries.push(parseLine(directory, name, i, value, timings)));
  }
  return storedRunOf(manifest, entries, await readCheckpoint(directory));
}

class FolderStore implements RunStore {
  readonly runId: string;
  readonly #directory: string;
  readonly #unlock: () => Promise<void>;
  readonly #files: Readonly<Record<LineFileName, LineFile>>;

  constructor(directory: string, runId: string, unlock: () => Promise<void>) {
    this.#directory = directory;
    this.runId = runId;
    this.#unlock = unlock;
    const file = (name: LineFileName): LineFile => new LineFile(join(directory, name));
    this.#files = {
      "rounds.jsonl": file("rounds.jsonl"),
      "timings.jsonl": file("timings.jsonl"),
      "examples.jsonl": file("examples.jsonl"),
      "journal.jsonl": file("journal.jsonl"),
    };
  }

  async create(manifest: RunManifest): Promise<void> {
    if ((await readManifest(this.#directory)) !== undefined)
      badInput(this.#directory, "a folder without a run", "one with a run", "Resume it, or choose another folder");
    await writeWhole(join(this.#directory, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  }

  async load(): Promise<StoredRun | undefined> {
    if ((await readManifest(this.#directory)) === undefined) return undefined;
    for (const name of LINE_FILES) await this.#mend(join(this.#directory, name));
    return readRunFolder(this.#directory);
  }

  async append(entry: RunEntry): Promise<void> {
    switch (entry.type) {
      case "round": {
        const { timing, rest } = splitTiming(entry.summary);
        // First, so that a round that is there has its timing; one that a crash left alone is replaced by the next.
        await this.#files["timings.jsonl"].append(timing);
        return this.#files["rounds.jsonl"].append(rest);
      }
      case "example":
        return this.#files["examples.jsonl"].append(entry.example);
      default:
        return this.#files["journal.jsonl"].append(entry);
    }
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const root = join(this.#directory, CHECKPOINTS);
    await fileOperation(root, async () => {
      await mkdir(root, { recursive: true });
      const { parameters, ...rest } = checkpoint;
      const bytes = Buffer.concat(
        [...parameters.values()].map((values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
      );
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const tensors = [...parameters].map(([name, values]) => ({ name, length: values.length }));
      const header: CheckpointHeader = { ...rest, sha256, tensors };

      const temporary = join(root, `${process.pid}.tmp`);
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary);
      await writeSynced(join(temporary, "parameters.bin"), bytes);
      await writeSynced(join(temporary, "checkpoint.json"), `${JSON.stringify(header)}\n`);
      // A name no other checkpoint has: the one that `latest.json` names is never touched.
      const name = `round-${checkpoint.round}-${crypto.randomUUID().slice(0, 8)}`;
      await rename(temporary, join(root, name));
      await syncDirectory(root);
      await writeWhole(join(root, LATEST), `${JSON.stringify({ checkpoint: name })}\n`);
      for (const other of await readdir(root)) {
        if (other !== name && other !== LATEST) await rm(join(root, other), { recursive: true, force: true });
      }
    });
  }

  async close(): Promise<void> {
    for (const name of LINE_FILES) await this.#files[name].settled();
    await this.#unlock();
  }

  /** Cuts a torn last line off, or ends one that only lacks its line end: the next append starts a new line. */
  async #mend(path: string): Promise<void> {
    const { goodBytes, unended } = await readJsonLines(path);
    if (unended) {
      const file = await open(path, "a");
      try {
        await file.appendFile("\n");
      } finally {
        await file.close();
      }
    } else if (goodBytes > 0 || (await readTextIfAny(path)) !== undefined) {
      await truncate(path, goodBytes);
    }
  }
}

function splitTiming({ durationMs, ...summary }: RoundSummary): {
  readonly timing: Timing;
  readonly rest: Omit<RoundSummary, "durationMs" | "teacher"> & { readonly teacher: Omit<TeacherUsage, "durationMs"> };
} {
  const { durationMs: teacherMs, ...teacher } = summary.teacher;
  return { timing: { round: summary.round, durationMs, teacherMs }, rest: { ...summary, teacher } };
}

/** The last timing of each round. */
async function readTimings(directory: string): Promise<ReadonlyMap<number, Timing>> {
  const path = join(directory, TIMINGS);
  const { values } = await readJsonLines(path);
  const timings = values.map((value, i) => parseTiming(`${path}, line ${i + 1}`, value));
  return new Map(timings.map((timing) => [timing.round, timing]));
}

/** A line of `rounds.jsonl` with its durations; one that has its own keeps them. */
function withTiming(value: unknown, timings: ReadonlyMap<number, Timing>): unknown {
  if (!isJsonObject(value)) return value;
  const { durationMs, teacherMs } = timings.get(Number(value["round"])) ?? { durationMs: 0, teacherMs: 0 };
  const { teacher } = value;
  return { durationMs, ...value, teacher: isJsonObject(teacher) ? { durationMs: teacherMs, ...teacher } : teacher };
}

function parseLine(
  directory: string,
  name: (typeof ENTRY_FILES)[number],
  index: number,
  value: unknown,
  timings: ReadonlyMap<number, Timing>,
): RunEntry {
  const where = `${join(directory, name)}, line ${index + 1}`;
  if (name === "rounds.jsonl") return parseEntry(where, { type: "round", summary: withTiming(value, timings) });
  if (name === "examples.jsonl") return parseEntry(where, { type: "example", example: value });
  return parseEntry(where, value);
}

function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readManifest(directory: string): Promise<RunManifest | undefined> {
  const path = join(directory, MANIFEST);
  const text = await readTextIfAny(path);
  return text === undefined ? undefined : parseManifest(path, parseJson(path, text));
}

async function readCheckpoint(directory: string): Promise<Checkpoint | undefined> {
  const root = join(directory, CHECKPOINTS);
  const pointerPath = join(root, LATEST);
  const pointerText = await readTextIfAny(pointerPath);
  if (pointerText === undefined) return undefined;
  const pointer = parseJson(pointerPath, pointerText);
  const name =
    typeof pointer === "object" && pointer !== null && "checkpoint" in pointer ? pointer.checkpoint : undefined;
  if (typeof name !== "string" || !/^round-\d+-[0-9a-f]+$/.test(name))
    badInput(pointerPath, "the name of a checkpoint", JSON.stringify(name));

  const headerPath = join(root, name, "checkpoint.json");
  const headerText = await readTextIfAny(headerPath);
  if (headerText === undefined) badInput(headerPath, "a checkpoint's header", "no file", "The stored run is damaged");
  const { tensors, sha256, ...rest } = parseCheckpointHeader(headerPath, parseJson(headerPath, headerText));
  const binPath = join(root, name, "parameters.bin");
  const bytes = await fileOperation(binPath, () => readFile(binPath));
  const digest = createHash("sha256").update(bytes).digest("hex");
  const elements = tensors.reduce((sum, tensor) => sum + tensor.length, 0);
  if (digest !== sha256 || bytes.byteLength !== elements * 4) {
    badInput(
      binPath,
      `${elements * 4} bytes with SHA-256 ${sha256.slice(0, 12)}…`,
      `${bytes.byteLength} bytes with ${digest.slice(0, 12)}…`,
      "The checkpoint is damaged",
    );
  }
  // A copy of its own: a Node buffer may start anywhere in a shared one.
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  const parameters = new Map<string, Float32Array>();
  let offset = 0;
  for (const { name: tensorName, length } of tensors) {
    parameters.set(tensorName, values.slice(offset, offset + length));
    offset += length;
  }
  return { ...rest, parameters };
}
