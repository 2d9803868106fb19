/**
 * @file The origin's private file system as the place of downloads. Only in a dedicated
 * worker, where files can be appended to in place. Blobs of it are read from the disk
 * part by part.
 */
import { badInput, messageOf, TutelageError } from "../core/errors.ts";
import { blobSource } from "../formats/blobSource.ts";
import type { AppendFile, CacheFiles } from "./cacheFiles.ts";

/** Files below a folder of the origin's private file system. @throws BadInputError when a call needs it and the browser has none. */
export function opfsFiles(folder: string): CacheFiles {
  const root = async (create: boolean): Promise<FileSystemDirectoryHandle | undefined> => {
    let top: FileSystemDirectoryHandle;
    try {
      top = await navigator.storage.getDirectory();
    } catch (error) {
      badInput(
        "browser storage",
        "a private file system (OPFS)",
        messageOf(error),
        "Allow this site to store data (private windows may not), or choose a local folder",
      );
    }
    return child(top, folder, create);
  };
  const parentOf = async (path: string, create: boolean): Promise<FileSystemDirectoryHandle | undefined> => {
    let directory = await root(create);
    for (const part of path.split("/").slice(0, -1)) {
      if (directory === undefined) return undefined;
      directory = await child(directory, part, create);
    }
    return directory;
  };
  const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const handleOf = async (path: string): Promise<FileSystemFileHandle | undefined> =>
    orUndefined(async () => (await parentOf(path, false))?.getFileHandle(nameOf(path)));
  const created = async (path: string): Promise<FileSystemFileHandle> => {
    const parent = await parentOf(path, true);
    if (parent === undefined) throw new TutelageError("internal", "internal error: a folder that was made is there");
    return parent.getFileHandle(nameOf(path), { create: true });
  };
  return {
    name: "this browser's storage",
    async list() {
      const files: { readonly path: string; readonly size: number }[] = [];
      const visit = async (directory: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
        for await (const [name, handle] of directory.entries()) {
          if (handle.kind === "directory") await visit(handle, `${prefix}${name}/`);
          else files.push({ path: prefix + name, size: (await handle.getFile()).size });
        }
      };
      const top = await root(false);
      if (top !== undefined) await visit(top, "");
      return files;
    },
    async open(path) {
      const file = await (await handleOf(path))?.getFile();
      return file === undefined ? undefined : blobSource(new Map([[path, file]]), "cache").open(path);
    },
    readText: async (path) => (await (await handleOf(path))?.getFile())?.text(),
    async writeText(path, text) {
      // A writable shows its content when it is closed, all at once.
      await storing(async () => {
        const writable = await (await created(path)).createWritable();
        await writable.write(text);
        await writable.close();
      });
    },
    append: async (path) => storing(async () => appendTo(await created(path), path)),
    async delete(path) {
      await orUndefined(async () => (await parentOf(path, false))?.removeEntry(nameOf(path), { recursive: true }));
    },
    async free() {
      const { quota, usage } = await navigator.storage.estimate();
      return quota === undefined ? undefined : Math.max(0, quota - (usage ?? 0));
    },
  };
}

async function appendTo(handle: FileSystemFileHandle, path: string): Promise<AppendFile> {
  let access: FileSystemSyncAccessHandle;
  try {
    access = await handle.createSyncAccessHandle();
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== "NoModificationAllowedError") throw error;
    badInput(path, "a file that no other tab downloads", "one that is open elsewhere", "Wait until it is done");
  }
  let size = access.getSize();
  return {
    get size() {
      return size;
    },
    async write(bytes) {
      await storing(async () => {
        const written = access.write(bytes, { at: size });
        if (written !== bytes.length) throw new DOMException("the disk took a part only", "QuotaExceededError");
      });
      size += bytes.length;
    },
    async read(begin, end) {
      const bytes = new Uint8Array(end - begin);
      access.read(bytes, { at: begin });
      return bytes;
    },
    async clear() {
      access.truncate(0);
      size = 0;
    },
    async close() {
      // A write that the disk took in part may have left more than `size`.
      access.truncate(size);
      access.flush();
      access.close();
    },
  };
}

/** Runs a write; a full store becomes an error to act on. */
async function storing<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== "QuotaExceededError") throw error;
    throw new TutelageError(
      "quota",
      "download: the browser gives this page no more storage. Delete models from its list, or free disk space; what has arrived is kept",
      { cause: error },
    );
  }
}

async function child(
  directory: FileSystemDirectoryHandle,
  name: string,
  create: boolean,
): Promise<FileSystemDirectoryHandle | undefined> {
  return create
    ? directory.getDirectoryHandle(name, { create })
    : orUndefined(() => directory.getDirectoryHandle(name));
}

/** Undefined where there is nothing of that name. */
async function orUndefined<R>(work: () => Promise<R>): Promise<R | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}
