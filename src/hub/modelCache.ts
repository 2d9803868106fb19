/**
 * @file Models that were fetched from a hub, by commit: what is there, whole or not, and
 * its files as a `FileSource`. Law: a file is listed in its model's manifest once it is
 * complete and checked, and nothing reads one that is not.
 *
 *     ORG--NAME/refs.json             commits by revision, as last seen
 *     ORG--NAME/COMMIT/model.json     the manifest
 *     ORG--NAME/COMMIT/files/PATH     files, also unfinished ones
 */
import { badInput } from "../core/errors.ts";
import { missingFile, type FileSource } from "../formats/fileSource.ts";
import { decodeUtf8, describeValue, isJsonObject, parseJson } from "../formats/json.ts";
import type { AppendFile, CacheFiles } from "./cacheFiles.ts";
import type { HubFile } from "./hubClient.ts";
import type { CachedModel, HubKind } from "./types.ts";

interface Manifest {
  readonly schemaVersion: 1;
  readonly id: string;
  readonly commit: string;
  /** All files of a student are there. */
  readonly complete: boolean;
  /** All files of an adapter are there. */
  readonly adapter?: boolean;
  /** Size and hash of every file that is complete and was checked. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly hash: string }>>;
}

const MANIFEST = "model.json";
const REFS = "refs.json";

const HUB_KINDS: readonly HubKind[] = ["student", "adapter"];

const isWhole = (manifest: Manifest, kind: HubKind): boolean =>
  kind === "student" ? manifest.complete : manifest.adapter === true;

const folderOf = (id: string): string => id.replace("/", "--");

export class ModelCache {
  readonly files: CacheFiles;

  /** Borrows `files`. */
  constructor(files: CacheFiles) {
    this.files = files;
  }

  /** Everything in the cache, by name. */
  async list(): Promise<readonly CachedModel[]> {
    const models: CachedModel[] = [];
    const files = await this.files.list();
    for (const { path } of files) {
      const [folder, commit, name] = path.split("/");
      if (folder === undefined || commit === undefined || name !== MANIFEST) continue;
      const manifest = parseManifest(await this.files.readText(path), path);
      if (manifest === undefined) continue;
      const refs = await this.#refs(manifest.id);
      models.push({
        id: manifest.id,
        commit: manifest.commit,
        revisions: Object.keys(refs).filter((revision) => refs[revision] === manifest.commit),
        bytes: files.reduce((sum, file) => sum + (file.path.startsWith(`${folder}/${commit}/`) ? file.size : 0), 0),
        complete: manifest.complete || manifest.adapter === true,
        kinds: HUB_KINDS.filter((kind) => isWhole(manifest, kind)),
      });
    }
    return models.sort((a, b) => (a.id === b.id ? (a.commit < b.commit ? -1 : 1) : a.id < b.id ? -1 : 1));
  }

  /** Deletes a model at one commit. */
  async delete(id: string, commit: string): Promise<void> {
    // The manifest first: what is left after a crash is not taken for a model.
    await this.files.delete(`${folderOf(id)}/${commit}/${MANIFEST}`);
    await this.files.delete(`${folderOf(id)}/${commit}`);
    const refs = await this.#refs(id);
    const left = Object.fromEntries(Object.entries(refs).filter(([, named]) => named !== commit));
    if (Object.keys(left).length === 0) await this.files.delete(`${folderOf(id)}/${REFS}`);
    else await this.files.writeText(`${folderOf(id)}/${REFS}`, JSON.stringify(left));
  }

  /** The commit that a revision named when it was last looked up. */
  async knownCommit(id: string, revision: string): Promise<string | undefined> {
    return (await this.#refs(id))[revision];
  }

  async rememberCommit(id: string, revision: string, commit: string): Promise<void> {
    const refs = await this.#refs(id);
    if (refs[revision] !== commit)
      await this.files.writeText(`${folderOf(id)}/${REFS}`, JSON.stringify({ ...refs, [revision]: commit }));
  }

  /** Whether all files of the student or adapter are there. */
  async isComplete(id: string, commit: string, kind: HubKind = "student"): Promise<boolean> {
    const manifest = await this.#manifest(id, commit);
    return manifest !== undefined && isWhole(manifest, kind);
  }

  /** Whether this very file is there, complete and checked. */
  async hasFile(id: string, commit: string, file: HubFile): Promise<boolean> {
    const entry = (await this.#manifest(id, commit))?.files[file.path];
    if (entry?.hash !== file.hash.hex) return false;
    const open = await this.files.open(this.#pathOf(id, commit, file.path));
    await open?.close();
    return open?.size === file.size;
  }

  /** Bytes of a file that an earlier download left. */
  async partialBytes(id: string, commit: string, path: string): Promise<number> {
    const open = await this.files.open(this.#pathOf(id, commit, path));
    await open?.close();
    return open?.size ?? 0;
  }

  /** A file to download into; `acceptFile` says when it is complete. */
  async openDownload(id: string, commit: string, path: string): Promise<AppendFile> {
    if ((await this.#manifest(id, commit)) === undefined)
      await this.#write({ schemaVersion: 1, id, commit, complete: false, files: {} });
    return this.files.append(this.#pathOf(id, commit, path));
  }

  /** Lists a file as complete and checked. */
  async acceptFile(id: string, commit: string, { path, size, hash }: HubFile): Promise<void> {
    const manifest = await this.#required(id, commit);
    await this.#write({ ...manifest, files: { ...manifest.files, [path]: { size, hash: hash.hex } } });
  }

  /** Says that no further file is needed. */
  async acceptModel(id: string, commit: string, kind: HubKind = "student"): Promise<void> {
    const manifest = await this.#required(id, commit);
    await this.#write({ ...manifest, ...(kind === "student" ? { complete: true } : { adapter: true }) });
  }

  /** The model's files. @throws BadInputError when it is not complete. */
  async source(id: string, commit: string, kind: HubKind = "student"): Promise<FileSource> {
    const manifest = await this.#required(id, commit);
    if (!isWhole(manifest, kind)) badInput(`${id}@${commit}`, "a whole model in the cache", "an unfinished download");
    const name = `${id}@${commit.slice(0, 8)}`;
    const open = async (path: string): ReturnType<FileSource["open"]> => {
      const file = Object.hasOwn(manifest.files, path)
        ? await this.files.open(this.#pathOf(id, commit, path))
        : undefined;
      if (file === undefined) missingFile(name, path);
      if (file.size === manifest.files[path]?.size) return file;
      await file.close();
      badInput(
        `${name}/${path}`,
        `${manifest.files[path]?.size} bytes, as were downloaded`,
        `${file.size}`,
        `The file was changed in ${this.files.name}: delete the model from the cache and fetch it again`,
      );
    };
    const read = async (path: string): Promise<Uint8Array> => {
      const file = await open(path);
      try {
        return await file.read(0, file.size);
      } finally {
        await file.close();
      }
    };
    return {
      name,
      has: async (path) => Object.hasOwn(manifest.files, path),
      read,
      readText: async (path) => decodeUtf8(await read(path), `${name}/${path}`),
      open,
      list: async () => Object.keys(manifest.files).sort(),
    };
  }

  #pathOf(id: string, commit: string, path: string): string {
    return `${folderOf(id)}/${commit}/files/${path}`;
  }

  async #refs(id: string): Promise<Readonly<Record<string, string>>> {
    const path = `${folderOf(id)}/${REFS}`;
    const text = await this.files.readText(path);
    if (text === undefined) return {};
    const value = parseJson(text, `${this.files.name}/${path}`);
    if (!isJsonObject(value)) badInput(`${this.files.name}/${path}`, "commits by revision", describeValue(value));
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  }

  async #manifest(id: string, commit: string): Promise<Manifest | undefined> {
    const path = `${folderOf(id)}/${commit}/${MANIFEST}`;
    return parseManifest(await this.files.readText(path), `${this.files.name}/${path}`);
  }

  async #required(id: string, commit: string): Promise<Manifest> {
    return (
      (await this.#manifest(id, commit)) ??
      badInput(`${id}@${commit}`, "a model in the cache", "none", "It was deleted meanwhile: fetch it again")
    );
  }

  #write(manifest: Manifest): Promise<void> {
    return this.files.writeText(`${folderOf(manifest.id)}/${manifest.commit}/${MANIFEST}`, JSON.stringify(manifest));
  }
}

/** @throws BadInputError when the text is no manifest that this version wrote. */
function parseManifest(text: string | undefined, where: string): Manifest | undefined {
  if (text === undefined) return undefined;
  const value = parseJson(text, where);
  const hint = "Delete it, and fetch the model again";
  if (!isJsonObject(value) || value["schemaVersion"] !== 1)
    badInput(where, "the manifest of a downloaded model, version 1", describeValue(value), hint);
  const { id, commit, complete, adapter = false, files } = value;
  if (typeof id !== "string" || typeof commit !== "string" || typeof complete !== "boolean" || !isJsonObject(files))
    badInput(where, "a manifest with id, commit, complete and files", "something else", hint);
  for (const [path, file] of Object.entries(files))
    if (!isJsonObject(file) || typeof file["size"] !== "number" || typeof file["hash"] !== "string")
      badInput(`${where}: ${path}`, "its size and hash", describeValue(file), hint);
  return {
    schemaVersion: 1,
    id,
    commit,
    complete,
    ...(adapter === true ? { adapter } : {}),
    files: files as Manifest["files"],
  };
}
