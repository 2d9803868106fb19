/** @file What the rest of Tutelage sees of models on a hub: plain data, also across the worker boundary. */

/** What of a repository on a hub is used; one may hold both. */
export type HubKind = "student" | "adapter";

/** A model in the cache. */
export interface CachedModel {
  readonly id: string;
  readonly commit: string;
  /** Revisions (branches, tags) that named this commit when they were last looked up. */
  readonly revisions: readonly string[];
  /** Bytes it takes, unfinished files included. */
  readonly bytes: number;
  /** All files are there of what was fetched: a student, or an adapter. */
  readonly complete: boolean;
  /** What of it is whole. */
  readonly kinds: readonly HubKind[];
}

/** How far a download is. */
export interface DownloadProgress {
  /** `org/name`, or the engine's name. */
  readonly id: string;
  /** What is fetched; a model by default. */
  readonly subject?: "model" | "engine";
  /** File that is coming now. */
  readonly path: string;
  /** Of all files known so far: what is here, and what there will be. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
}

/** A folder that the user picked in the browser. */
export interface PickedFolder {
  readonly name: string;
  /** Its files, by path inside it. Read from the disk when they are used. */
  readonly files: readonly { readonly path: string; readonly file: Blob }[];
}

/** What preparing a student or an adapter may use, and whom it tells. */
export interface PrepareStudentContext {
  readonly signal: AbortSignal;
  /** Of the user, for private and gated models; used and forgotten. */
  readonly hubToken?: string;
  /** The folder that `folder:NAME` means. */
  readonly folder?: PickedFolder;
  readonly onProgress: (progress: DownloadProgress) => void;
  readonly onWarning: (message: string) => void;
}
