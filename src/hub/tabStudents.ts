/**
 * @file Students of a tab that are not the page's own: `hub:org/name@revision`, fetched
 * into the origin's private file system, and `folder:name`, picked by the user. Other
 * names are somebody else's.
 */
import { badInput } from "../core/errors.ts";
import { blobSource } from "../formats/blobSource.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { fetchModel } from "./fetchModel.ts";
import { HubClient } from "./hubClient.ts";
import { HUB_PREFIX, requireHubId } from "./hubId.ts";
import type { ModelCache } from "./modelCache.ts";
import type { CachedModel, PrepareStudentContext } from "./types.ts";

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
   * Makes a student's files available and returns its name for ever: a model on the hub is
   * fetched and named by its commit. Names of others come back as they are.
   * @throws BadInputError, network, quota, aborted as `fetchModel`; BadInputError for a folder that was not picked.
   */
  async prepare(name: string, context: PrepareStudentContext): Promise<string> {
    if (name.startsWith(FOLDER_PREFIX)) return this.#takeFolder(name, context);
    if (!name.startsWith(HUB_PREFIX)) return name;
    const { hubToken, signal, onProgress, onWarning } = context;
    const client = new HubClient({
      ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint }),
      ...(hubToken === undefined ? {} : { token: hubToken }),
    });
    const model = requireHubId(name.slice(HUB_PREFIX.length), "student");
    const { id, commit } = await fetchModel(client, this.#cache, model, { signal, onProgress, onWarning });
    return `${HUB_PREFIX}${id}@${commit}`;
  }

  /** Files of a prepared student; undefined for names of others. */
  async source(name: string): Promise<FileSource | undefined> {
    if (name.startsWith(FOLDER_PREFIX)) return this.#folders.get(name) ?? notPicked(name);
    if (!name.startsWith(HUB_PREFIX)) return undefined;
    const { id, revision } = requireHubId(name.slice(HUB_PREFIX.length), "student");
    return this.#cache.source(id, revision);
  }

  /** Files of a student that is kept, at whatever commit where none is named, or that was picked; undefined for any other. */
  async sourceAtHand(name: string): Promise<FileSource | undefined> {
    if (!name.startsWith(HUB_PREFIX)) return this.#folders.get(name);
    const { id, revision } = requireHubId(name.slice(HUB_PREFIX.length), "student");
    const kept = (await this.#cache.list()).filter((model) => model.id === id && model.complete);
    const found = kept.find(({ commit }) => commit === revision) ?? kept[0];
    return found === undefined ? undefined : this.#cache.source(found.id, found.commit);
  }

  list(): Promise<readonly CachedModel[]> {
    return this.#cache.list();
  }

  delete(id: string, commit: string): Promise<void> {
    return this.#cache.delete(id, commit);
  }

  #takeFolder(name: string, { folder }: PrepareStudentContext): string {
    if (folder !== undefined && name === FOLDER_PREFIX + folder.name)
      this.#folders.set(name, blobSource(new Map(folder.files.map(({ path, file }) => [path, file])), folder.name));
    else if (!this.#folders.has(name)) notPicked(name);
    return name;
  }
}

function notPicked(name: string): never {
  badInput(
    "student",
    `the folder ${JSON.stringify(name.slice(FOLDER_PREFIX.length))}`,
    "none of that name",
    "A page may read a folder only after it was chosen: choose it again under Settings, Student",
  );
}
