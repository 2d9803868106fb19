/**
 * @file A model from the hub as a student's files: what is in the cache is taken from
 * there, the rest is fetched, file by file, weights last. Says how far it is.
 */
import { messageOf, throwIfAborted, TutelageError } from "../core/errors.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { downloadFile } from "./download.ts";
import type { CreateHasher } from "./hash.ts";
import type { HubClient, HubFile } from "./hubClient.ts";
import { isCommit, type HubId } from "./hubId.ts";
import type { ModelCache } from "./modelCache.ts";
import { chooseAdapterFiles, chooseModelFiles } from "./modelFiles.ts";
import { Meter } from "./meter.ts";
import type { DownloadProgress, HubKind } from "./types.ts";

export interface FetchModelOptions {
  /** What is wanted of the repository. Default: a student. */
  readonly kind?: HubKind;
  readonly signal?: AbortSignal;
  /** As for `downloadFile`. */
  readonly createHasher?: CreateHasher;
  /** Called at most ten times a second, and when a file begins or ends. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** For people: what is used although the hub could not be asked. */
  readonly onWarning?: (message: string) => void;
}

/** A model that is whole in the cache. */
export interface FetchedModel {
  readonly id: string;
  readonly commit: string;
  /** Bytes that were fetched now; 0 when all was there. */
  readonly fetchedBytes: number;
  readonly source: FileSource;
}

/**
 * Fetches what the cache lacks of a model. Where the hub cannot be reached, a revision that
 * was fetched before is used as it was then, with a warning.
 * @throws BadInputError when there is no such model, it may not be read, or it is not what is wanted;
 * TutelageError network, quota, aborted: the files that are complete stay, unfinished ones are
 * continued by the next call.
 */
export async function fetchModel(
  client: HubClient,
  cache: ModelCache,
  { id, revision }: HubId,
  options: FetchModelOptions = {},
): Promise<FetchedModel> {
  const { kind = "student", signal } = options;
  const commit = await findCommit(client, cache, { id, revision }, options);
  if (await cache.isComplete(id, commit, kind))
    return { id, commit, fetchedBytes: 0, source: await cache.source(id, commit, kind) };
  const where = `${id}@${revision}`;
  const choose = kind === "student" ? chooseModelFiles : chooseAdapterFiles;
  const { small, weights } = choose(await client.listFiles(id, commit, signal), where);
  const meter = new Meter({ id }, options.onProgress);
  const fetchAll = async (files: readonly HubFile[]): Promise<void> => {
    const missing: HubFile[] = [];
    for (const file of files) {
      const here = await cache.hasFile(id, commit, file);
      meter.expect(file.size, here ? file.size : 0);
      if (!here) missing.push(file);
    }
    await checkRoom(cache, id, commit, missing);
    for (const file of missing) {
      throwIfAborted(signal, "download");
      await fetchFile(client, cache, { id, commit }, file, meter, options);
    }
  };
  if ("index" in weights) {
    await fetchAll([...small, weights.index]);
    await fetchAll(weights.shards(await readText(cache, id, commit, weights.index)));
  } else await fetchAll([...small, ...weights]);
  await cache.acceptModel(id, commit, kind);
  return { id, commit, fetchedBytes: meter.fetchedBytes, source: await cache.source(id, commit, kind) };
}

async function findCommit(
  client: HubClient,
  cache: ModelCache,
  { id, revision }: HubId,
  { kind = "student", signal, onWarning }: FetchModelOptions,
): Promise<string> {
  if (isCommit(revision)) return revision;
  try {
    const commit = await client.resolveRevision({ id, revision }, signal);
    await cache.rememberCommit(id, revision, commit);
    return commit;
  } catch (error) {
    if (!(error instanceof TutelageError) || error.code !== "network") throw error;
    const known = await cache.knownCommit(id, revision);
    if (known === undefined || !(await cache.isComplete(id, known, kind))) throw error;
    onWarning?.(
      `${id}@${revision}: taken from the cache as of commit ${known.slice(0, 8)}, because ${messageOf(error)}`,
    );
    return known;
  }
}

async function fetchFile(
  client: HubClient,
  cache: ModelCache,
  model: { readonly id: string; readonly commit: string },
  file: HubFile,
  meter: Meter,
  { signal, createHasher }: FetchModelOptions,
): Promise<void> {
  const target = await cache.openDownload(model.id, model.commit, file.path);
  meter.begin(file.path);
  try {
    await downloadFile(client, model, file, target, {
      ...(signal === undefined ? {} : { signal }),
      ...(createHasher === undefined ? {} : { createHasher }),
      onBytes: (loaded, fresh) => meter.add(loaded, fresh),
    });
  } finally {
    await target.close();
  }
  await cache.acceptFile(model.id, model.commit, file);
  meter.end(file.size);
}

async function readText(cache: ModelCache, id: string, commit: string, { path, size }: HubFile): Promise<string> {
  const file = await cache.openDownload(id, commit, path);
  try {
    return new TextDecoder().decode(await file.read(0, size));
  } finally {
    await file.close();
  }
}

/** Refuses before anything is fetched what cannot be kept. */
async function checkRoom(cache: ModelCache, id: string, commit: string, files: readonly HubFile[]): Promise<void> {
  const free = await cache.files.free();
  if (free === undefined) return;
  let needed = 0;
  for (const { path, size } of files) needed += Math.max(0, size - (await cache.partialBytes(id, commit, path)));
  if (needed > free)
    throw new TutelageError(
      "quota",
      `${id}: expected room for ${needed} bytes in ${cache.files.name}, got ${free}. Free some space, or delete models from the cache`,
    );
}
