/** @file A directory on disk as `FileSource` and as atomic `FileSink`. Node only: never imported by browser code. */
import { mkdir, mkdtemp, open, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { badInput, messageOf } from "../../core/errors.ts";
import {
  checkRange,
  checkRelativePath,
  missingFile,
  type FileSink,
  type FileSource,
  type OpenFile,
} from "../fileSource.ts";
import { decodeUtf8 } from "../json.ts";

/** Files of a directory. Nothing is read until asked for. */
export function directorySource(directory: string): FileSource {
  const locate = (path: string): string => join(directory, checkRelativePath(path, directory));
  const explain = async (path: string, error: unknown): Promise<never> => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR")
      missingFile(directory, path, await describeAbsence(directory));
    if (codeOf(error) === "EISDIR") missingFile(directory, path, "a directory of that name");
    if (codeOf(error) === undefined) throw error;
    badInput(join(directory, path), "a readable file", messageOf(error));
  };
  const read = async (path: string): Promise<Uint8Array> => {
    try {
      const buffer = await readFile(locate(path));
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    } catch (error) {
      return explain(path, error);
    }
  };
  return {
    name: directory,
    async has(path) {
      return (await statOrUndefined(locate(path)))?.isFile() ?? false;
    },
    read,
    readText: async (path) => decodeUtf8(await read(path), join(directory, path)),
    open: (path) => openFile(locate(path), join(directory, path)).catch((error: unknown) => explain(path, error)),
    async list() {
      const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) =>
        badInput(directory, "a readable directory", messageOf(error)),
      );
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort();
    },
  };
}

async function openFile(file: string, where: string): Promise<OpenFile> {
  const handle = await open(file, "r");
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    await handle.close();
    badInput(where, "a file", "a directory of that name");
  }
  return {
    size: stats.size,
    async read(begin, end) {
      checkRange(begin, end, stats.size, where);
      const bytes = new Uint8Array(end - begin);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled);
        if (bytesRead === 0) checkRange(begin, end, begin + filled, where);
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** Reads one file given by its path on the command line. @throws BadInputError when it cannot be read or is not UTF-8. */
export async function readTextFile(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => badInput(path, "a readable file", messageOf(error)));
  return decodeUtf8(bytes, path);
}

/**
 * A sink whose files appear in `directory` all at once: they are written to a temporary
 * directory beside it, which takes its name on `commit`. A directory that is already
 * there is replaced only when it is empty or holds nothing but files that are written
 * again, so that no run can delete what it did not make; this is checked now for
 * `expected` names and on commit for the written ones.
 * @throws BadInputError when `directory` is a file, holds other files, or cannot be made.
 */
export async function directorySink(directory: string, expected: readonly string[] = []): Promise<FileSink> {
  const target = resolve(directory);
  await checkReplaceable(target, directory, new Set(expected));
  const temporary = await makeTemporary(target, directory);
  const written = new Set<string>();
  let open = true;
  const requireOpen = (): void => {
    if (!open) badInput(directory, "an open sink", "one that was committed or aborted");
  };
  const abort = async (): Promise<void> => {
    open = false;
    await rm(temporary, { recursive: true, force: true });
  };
  return {
    name: directory,
    async write(path, data) {
      requireOpen();
      const file = join(temporary, checkRelativePath(path, directory));
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, data);
      } catch (error) {
        // What the parts of a file throw is no fault of the place.
        if (codeOf(error) === undefined) throw error;
        badInput(`${directory}/${path}`, "a place that can be written to", messageOf(error));
      }
      written.add(path);
    },
    async commit() {
      requireOpen();
      try {
        await checkReplaceable(target, directory, written);
        await replaceDirectory(temporary, target);
        open = false;
      } catch (error) {
        await abort();
        if (codeOf(error) === undefined) throw error;
        badInput(directory, "a directory that can be replaced", messageOf(error));
      }
    },
    abort: async () => {
      if (open) await abort();
    },
  };
}

async function checkReplaceable(target: string, shown: string, names: ReadonlySet<string>): Promise<void> {
  const existing = await statOrUndefined(target);
  if (existing === undefined) return;
  if (!existing.isDirectory()) badInput(shown, "a directory, or nothing yet", "a file of that name");
  const entries = await readdir(target, { recursive: true, withFileTypes: true }).catch((error: unknown) =>
    badInput(shown, "a readable directory", messageOf(error)),
  );
  const folders = new Set([...names].map((name) => dirname(name)));
  const foreign = entries
    .map((entry) => ({ entry, path: relative(target, join(entry.parentPath, entry.name)).split(sep).join("/") }))
    .filter(({ entry, path }) => (entry.isDirectory() ? !folders.has(path) : !names.has(path)))
    .map(({ path }) => path);
  if (foreign.length > 0) {
    badInput(
      shown,
      "a new or empty directory, or one with only the files that will be written again",
      `${foreign.length} other file(s), ${foreign.slice(0, 3).join(", ")}`,
      "Choose another directory, or empty this one",
    );
  }
}

async function makeTemporary(target: string, shown: string): Promise<string> {
  try {
    await mkdir(dirname(target), { recursive: true });
    return await mkdtemp(join(dirname(target), `.${basename(target)}.partial-`));
  } catch (error) {
    badInput(shown, "a directory that can be made", messageOf(error));
  }
}

/** Renames `from` over `target`. An existing target steps aside first, and comes back if the rename fails. */
async function replaceDirectory(from: string, target: string): Promise<void> {
  if ((await statOrUndefined(target)) === undefined) {
    await rename(from, target);
    return;
  }
  const aside = `${from}.old`;
  await rename(target, aside);
  try {
    await rename(from, target);
  } catch (error) {
    await rename(aside, target);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

async function describeAbsence(directory: string): Promise<string> {
  const found = await statOrUndefined(directory);
  if (found === undefined) return "no such directory";
  return found.isDirectory() ? "no such file" : "a file instead of a directory";
}

async function statOrUndefined(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("E")
    ? error.code
    : undefined;
}
