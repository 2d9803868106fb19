/**
 * @file One file from the hub into the cache: streamed, continued where a connection
 * broke, and checked by size and hash before anyone may use it. What fails the check is
 * deleted; what is merely incomplete stays, to be continued by the next download.
 */
import type { AppendFile } from "./cacheFiles.ts";
import { createHasher as createPortableHasher, type CreateHasher, type Hasher } from "./hash.ts";
import { ConnectionBroken, networkError, type HubClient, type HubFile, type HubResponse } from "./hubClient.ts";

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Default: `createHasher`, in JavaScript. */
  readonly createHasher?: CreateHasher;
  /** Bytes of the file that are here now, and how many of them came just now (negative when they were dropped). */
  readonly onBytes?: (loadedBytes: number, newBytes: number) => void;
}

/** Bytes read at a time when what an earlier download left is hashed. */
const REHASH_BYTES = 4 * 2 ** 20;

/**
 * Completes `target` with the file's bytes. Borrows `target`, which is empty again after a
 * failed check.
 * @throws TutelageError network when the server cannot be reached or sends something else,
 * aborted, quota; BadInputError when the file may not be read.
 */
export async function downloadFile(
  client: HubClient,
  model: { readonly id: string; readonly commit: string },
  file: HubFile,
  target: AppendFile,
  options: DownloadOptions = {},
): Promise<void> {
  const where = `${model.id}/${file.path}`;
  let found = target.size > 0;
  for (;;) {
    const digest = await fill(client, model, file, target, options);
    if (digest === file.hash.hex) return;
    const size = target.size;
    await target.clear();
    options.onBytes?.(0, -size);
    // What an earlier session left may have been damaged since: then the whole file is asked for once.
    if (!found)
      throw networkError(
        where,
        `content of ${file.hash.kind} ${file.hash.hex}`,
        digest,
        "The file was damaged on its way, or a mirror has another one: nothing of it was kept. Try again",
      );
    found = false;
  }
}

/** Appends until the file has its size; returns its hash. */
async function fill(
  client: HubClient,
  { id, commit }: { readonly id: string; readonly commit: string },
  file: HubFile,
  target: AppendFile,
  { signal, onBytes, createHasher = createPortableHasher }: DownloadOptions,
): Promise<string> {
  const where = `${id}/${file.path}`;
  if (target.size > file.size) await target.clear();
  let hasher = await hashSoFar(target, createHasher(file.hash.kind, file.size));
  onBytes?.(target.size, 0);
  const restart = async (): Promise<void> => {
    const dropped = target.size;
    await target.clear();
    hasher = createHasher(file.hash.kind, file.size);
    onBytes?.(0, -dropped);
  };
  let furthest = target.size;
  let failures = 0;
  let etag: string | null = null;
  while (target.size < file.size) {
    const response = await client.requestFile(id, commit, file.path, target.size, signal);
    try {
      const tag = response.headers.get("etag");
      const changed = etag !== null && tag !== null && tag !== etag;
      etag = tag;
      checkSize(response, target.size, file.size, where);
      if (response.status === 206 && changed) {
        // Another file than the one that the first part is of.
        await restart();
        continue;
      }
      // A server without ranges sends the file from its beginning.
      if (response.status === 200 && target.size > 0) await restart();
      for (let part = await response.read(); part !== undefined; part = await response.read()) {
        if (target.size + part.length > file.size) {
          await target.clear();
          throw wrongSize(where, file.size, `more than ${file.size}`);
        }
        await target.write(part);
        hasher.update(part);
        onBytes?.(target.size, part.length);
      }
      if (target.size < file.size) throw new ConnectionBroken(`only ${target.size} of ${file.size} bytes`);
    } catch (error) {
      if (!(error instanceof ConnectionBroken)) throw error;
      // Only getting further than ever counts as progress: a server without ranges begins anew each time.
      failures = target.size > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, target.size);
      if (failures > client.retries)
        throw networkError(
          where,
          `${file.size} bytes`,
          `${error.message}, ${client.retries + 1} times in a row`,
          "Try again: what has arrived is kept",
        );
      await client.wait(failures, undefined, signal);
    } finally {
      await response.cancel();
    }
  }
  return hasher.digest();
}

/** Returns `hasher`, which has read what is there. */
async function hashSoFar(target: AppendFile, hasher: Hasher): Promise<Hasher> {
  for (let begin = 0; begin < target.size; begin += REHASH_BYTES)
    hasher.update(await target.read(begin, Math.min(target.size, begin + REHASH_BYTES)));
  return hasher;
}

/** Refuses an answer that cannot be the rest of the file, before any of it is taken. */
function checkSize({ status, headers }: HubResponse, position: number, size: number, where: string): void {
  if (status === 416) throw wrongSize(where, size, `at most ${position} (HTTP status 416)`);
  // Browsers show a length that was compressed, and hide this header where the server does not expose it.
  if (status === 200 && (headers.get("content-encoding") ?? "identity") === "identity") {
    const length = headers.get("content-length");
    if (length !== null && Number(length) !== size) throw wrongSize(where, size, length);
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (status !== 206 || range === null) return;
  if (Number(range[1]) !== position) throw wrongRange(where, position, range[0]);
  if (range[3] !== "*" && Number(range[3]) !== size) throw wrongSize(where, size, range[3] ?? "");
}

function wrongSize(where: string, size: number, got: string): Error {
  return networkError(where, `${size} bytes, as the hub lists`, got, "The server has another file, or a part of it");
}

function wrongRange(where: string, position: number, got: string): Error {
  return networkError(where, `bytes from ${position} on`, got, "The server does not keep to what it was asked for");
}
