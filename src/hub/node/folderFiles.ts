/** @file A folder as the place of downloads. Node only. */
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, statfs, unlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { badInput, messageOf, TutelageError } from "../../core/errors.ts";
import { checkRange, checkRelativePath } from "../../formats/fileSource.ts";
import { directorySource } from "../../formats/node/directorySource.ts";
import type { AppendFile, CacheFiles } from "../cacheFiles.ts";

const LOCK = ".lock";

/** Files below a folder, which is made when something is first written. */
export function folderFiles(folder: string): CacheFiles {
  const source = directorySource(folder);
  const locate = (path: string): string => join(folder, checkRelativePath(path, folder));
  return {
    name: folder,
    async list() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
        if (errnoOf(error) === "ENOENT") return [];
        throw error;
      });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return Promise.all(
        files.map(async (file) => ({
          path: relative(folder, file).split(sep).join("/"),
          size: (await stat(file)).size,
        })),
      );
    },
    open: async (path) => ((await source.has(path)) ? source.open(path) : undefined),
    async readText(path) {
      return readFile(locate(path), "utf8").catch((error: unknown) => {
        if (errnoOf(error) === "ENOENT") return undefined;
        return refuse(locate(path), error);
      });
    },
    async writeText(path, text) {
      const file = locate(path);
      const temporary = `${file}.${process.pid}.tmp`;
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(temporary, text, { flush: true });
        await rename(temporary, file);
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        refuse(file, error);
      }
    },
    append: (path) => openAppend(locate(path)),
    async delete(path) {
      await rm(locate(path), { recursive: true, force: true }).catch((error: unknown) => refuse(locate(path), error));
      // A model's folder whose last commit went goes too.
      await rmdir(dirname(locate(path))).catch(() => undefined);
    },
    async free() {
      for (let place = folder; ; place = dirname(place)) {
        const found = await statfs(place).catch(() => undefined);
        if (found !== undefined) return found.bavail * found.bsize;
        if (dirname(place) === place) return undefined;
      }
    },
  };
}

async function openAppend(file: string): Promise<AppendFile> {
  await mkdir(dirname(file), { recursive: true }).catch((error: unknown) => refuse(file, error));
  const unlock = await lock(file);
  const handle = await open(file, "a+").catch(async (error: unknown) => {
    await unlock();
    return refuse(file, error);
  });
  let { size } = await handle.stat();
  return {
    get size() {
      return size;
    },
    async write(bytes) {
      try {
        await handle.writeFile(bytes);
      } catch (error) {
        refuse(file, error);
      }
      size += bytes.length;
    },
    async read(begin, end) {
      checkRange(begin, end, size, file);
      const bytes = new Uint8Array(end - begin);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled);
        if (bytesRead === 0) checkRange(begin, end, begin + filled, file);
        filled += bytesRead;
      }
      return bytes;
    },
    async clear() {
      await handle.truncate(0);
      size = 0;
    },
    async close() {
      try {
        await handle.sync();
      } finally {
        await handle.close();
        await unlock();
      }
    },
  };
}

/** One process a file: a lock file with the process id, taken over when that process is gone. */
async function lock(file: string): Promise<() => Promise<void>> {
  const path = `${file}${LOCK}`;
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return () => unlink(path).catch(() => undefined);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") return refuse(path, error);
      const holder = await readFile(path, "utf8").catch(() => "");
      if (attempt > 0 || isAlive(Number(holder)))
        badInput(
          file,
          "a file that no other process downloads",
          `one that process ${holder} has open`,
          `Wait until it is done; if it is gone, delete ${path}`,
        );
      await unlink(path).catch(() => undefined);
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function refuse(path: string, error: unknown): never {
  if (errnoOf(error) === "ENOSPC" || errnoOf(error) === "EDQUOT")
    throw new TutelageError(
      "quota",
      `${path}: the disk is full. Free some space (tutelage cache delete), then try again: what has arrived is kept`,
      { cause: error },
    );
  if (errnoOf(error) === "") throw error;
  badInput(path, "a place that can be read and written", messageOf(error), "TUTELAGE_CACHE names another one");
}
