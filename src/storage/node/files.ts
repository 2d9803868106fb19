/** @file Files that are whole or not there, and line files that lose at most a torn last line. Node only. */
import { open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { TutelageError, badInput, messageOf } from "../../core/errors.ts";

/** `code` of a Node error, "" for anything else. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Runs a file operation; a full disk and a place that cannot be written become errors to act on. */
export async function fileOperation<R>(path: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    switch (errnoOf(error)) {
      case "ENOSPC":
      case "EDQUOT":
        throw new TutelageError("quota", `${path}: the disk is full. Free some space, then resume`, { cause: error });
      case "EACCES":
      case "EPERM":
      case "EROFS":
      case "EEXIST":
      case "ENOTDIR":
      case "EISDIR":
        return badInput(path, "a place that can be read and written", messageOf(error));
      default:
        throw error;
    }
  }
}

/** Replaces a file so that a reader, or a crash, sees the old content or the new, never a part. */
export async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  await fileOperation(path, async () => {
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await writeSynced(temporary, data);
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await syncDirectory(dirname(path));
  });
}

/** Writes a new file through to the disk. */
export async function writeSynced(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes renames and new names in `directory` last through a power cut, where the system can. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory; its renames are journalled.
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The file's text, undefined when there is none. */
export async function readTextIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    return fileOperation(path, () => Promise.reject(error as Error));
  }
}

/** Parsed JSON. @throws bad-input naming the file. */
export function parseJson(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return badInput(where, "JSON", messageOf(error));
  }
}

/** One JSON value per line. `goodBytes` is where a torn last line begins, or the length of the file. */
export interface JsonLines {
  readonly values: readonly unknown[];
  readonly goodBytes: number;
  /** The last line is whole but lacks its line end. */
  readonly unended: boolean;
}

/** Reads a JSON-lines file; none is empty. A last line that a crash cut short is left out. @throws bad-input for any other line that is not JSON. */
export async function readJsonLines(path: string): Promise<JsonLines> {
  const text = (await readTextIfAny(path)) ?? "";
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  const values = lines.map((line, i) => parseJson(`${path}, line ${i + 1}`, line));
  const complete = Buffer.byteLength(text) - Buffer.byteLength(last);
  try {
    if (last === "") return { values, goodBytes: complete, unended: false };
    return { values: [...values, JSON.parse(last)], goodBytes: Buffer.byteLength(text), unended: true };
  } catch {
    return { values, goodBytes: complete, unended: false };
  }
}

/** Appends lines to a file in order of the calls; lines that wait for the disk together are written together. */
export class LineFile {
  readonly #path: string;
  readonly #sync: boolean;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** `sync` false: a line survives the end of the process, but perhaps not a power cut. */
  constructor(path: string, { sync = true }: { readonly sync?: boolean } = {}) {
    this.#path = path;
    this.#sync = sync;
  }

  /** Resolves when the line is on the disk. After a failed write every later one fails too: a torn line must stay the last. */
  append(value: unknown): Promise<void> {
    this.#waiting.push(`${JSON.stringify(value)}\n`);
    if (this.#waiting.length > 1) return this.#writing;
    const write = async (): Promise<void> => {
      const lines = this.#waiting.join("");
      this.#waiting = [];
      await fileOperation(this.#path, async () => {
        const file = await open(this.#path, "a");
        try {
          await file.appendFile(lines);
          if (this.#sync) await file.datasync();
        } finally {
          await file.close();
        }
      });
    };
    // A rejection stays in the chain: later lines are not written and fail alike.
    this.#writing = this.#writing.then(write);
    return this.#writing;
  }

  /** Waits for what is being written. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => undefined);
  }
}
