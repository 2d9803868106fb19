/**
 * @file Students of a tab that are not the page's own, and adapters for them: `hub:org/name@revision`,
 * fetched into the origin's private file system, and `folder:name`, picked by the user. Other
 * names are somebody else's.
 */
import { badInput } from "../core/errors.ts";
import { blobSource } from "../formats/blobSource.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { fetchModel } from "./fetchModel.ts";
import { HubClient } from "./hubClient.ts";
import { HUB_PREFIX, requireHubId } from "./hubId.ts";
import type { ModelCache } from "./modelCache.ts";
import type { CachedModel, HubKind, PrepareStudentContext } from "./types.ts";

export const FOLDER_PREFIX = "folder:";

export class TabStudents {
  readonly #cache: ModelCache;
  readonly #endpoint: string | undefined;
  readonly #folders = new Map<string, FileSource>();

  /** Borrows the cache. `endpoint`: another hub than Hugging Face's. */
  constructor(cache: ModelCache, endpoint?: string) {
    this.#cache = cache;
    this.#endpoint = endpoint;
  }

  /**
   * Makes the files of a student or an adapter available and returns its name for ever: a model on the hub is
   * fetched and named by its commit. Names of others come back as they are.
   * @throws BadInputError, network, quota, aborted as `fetchModel`; BadInputError for a folder that was not picked.
   */
  async prepare(name: string, context: PrepareStudentContext, kind: HubKind = "student"): Promise<string> {
    if (name.startsWith(FOLDER_PREFIX)) return this.#takeFolder(name, context, kind);
    if (!name.startsWith(HUB_PREFIX)) return name;
    const { hubToken, signal, onProgress, onWarning } = context;
    const client = new HubClient({
      ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint }),
      ...(hubToken === undefined ? {} : { token: hubToken }),
    });
    const model = requireHubId(name.slice(HUB_PREFIX.length), kind);
    const { id, commit } = await fetchModel(client, this.#cache, model, { kind, signal, onProgress, onWarning });
    return `${HUB_PREFIX}${id}@${commit}`;
  }

  /** Files of a prepared student or adapter; undefined for names of others. */
  async source(name: string, kind: HubKind = "student"): Promise<FileSource | undefined> {
    if (name.startsWith(FOLDER_PREFIX)) return this.#folders.get(keyOf(name, kind)) ?? notPicked(name, kind);
    if (!name.startsWith(HUB_PREFIX)) return undefined;
    const { id, revision } = requireHubId(name.slice(HUB_PREFIX.length), kind);
    return this.#cache.source(id, revision, kind);
  }

  /** Files of an adapter, prepared before. @throws BadInputError for a name that is neither a hub's nor a folder's. */
  async adapter(name: string): Promise<FileSource> {
    return (
      (await this.source(name, "adapter")) ??
      badInput(
        "adapter",
        `${HUB_PREFIX}org/name or ${FOLDER_PREFIX}name`,
        JSON.stringify(name),
        "In a page an adapter is one of the hub, or a folder that was chosen",
      )
    );
  }

  /** Files of a student or adapter that is kept, at whatever commit where none is named, or that was picked; undefined for any other. */
  async sourceAtHand(name: string, kind: HubKind = "student"): Promise<FileSource | undefined> {
    if (!name.startsWith(HUB_PREFIX)) return this.#folders.get(keyOf(name, kind));
    const { id, revision } = requireHubId(name.slice(HUB_PREFIX.length), kind);
    const kept = (await this.#cache.list()).filter((model) => model.id === id && model.kinds.includes(kind));
    const found = kept.find(({ commit }) => commit === revision) ?? kept[0];
    return found === undefined ? undefined : this.#cache.source(found.id, found.commit, kind);
  }

  list(): Promise<readonly CachedModel[]> {
    return this.#cache.list();
  }

  delete(id: string, commit: string): Promise<void> {
    return this.#cache.delete(id, commit);
  }

  #takeFolder(name: string, { folder }: PrepareStudentContext, kind: HubKind): string {
    const key = keyOf(name, kind);
    if (folder !== undefined && name === FOLDER_PREFIX + folder.name)
      this.#folders.set(key, blobSource(new Map(folder.files.map(({ path, file }) => [path, file])), folder.name));
    else if (!this.#folders.has(key)) notPicked(name, kind);
    return name;
  }
}

/** A student's folder and an adapter's may have the same name. */
function keyOf(name: string, kind: HubKind): string {
  return `${kind} ${name}`;
}

function notPicked(name: string, kind: HubKind): never {
  badInput(
    kind,
    `the folder ${JSON.stringify(name.slice(FOLDER_PREFIX.length))}`,
    "none of that name",
    "A page may read a folder only after it was chosen: choose it again under Set up, Student",
  );
}
