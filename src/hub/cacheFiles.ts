/**
 * @file Where downloads are kept: a folder in Node (`node/folderFiles.ts`), the origin's
 * private file system in a tab (`opfsFiles.ts`), memory in tests. Paths are relative,
 * with slashes.
 */
import type { OpenFile } from "../formats/fileSource.ts";

/** A file that a download appends to. Nobody else can open it so meanwhile. */
export interface AppendFile {
  /** Bytes in it now. */
  readonly size: number;
  /** Appends. @throws TutelageError quota when there is no room. */
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes `[begin, end)`, owned by the caller. */
  read(begin: number, end: number): Promise<Uint8Array>;
  /** Drops everything in it. */
  clear(): Promise<void>;
  /** Writes through to the disk and lets go. */
  close(): Promise<void>;
}

export interface CacheFiles {
  /** The place, for messages. */
  readonly name: string;
  /** All files with their sizes in bytes. */
  list(): Promise<readonly { readonly path: string; readonly size: number }[]>;
  /** The file open for reading in parts, undefined when there is none. */
  open(path: string): Promise<OpenFile | undefined>;
  /** Undefined when there is no such file. */
  readText(path: string): Promise<string | undefined>;
  /** Replaces a file, whole or not at all. */
  writeText(path: string, text: string): Promise<void>;
  /** Opens a file, new or not, to append to it. @throws BadInputError when another download has it open. */
  append(path: string): Promise<AppendFile>;
  /** Deletes a file, or a folder with all in it; nothing when there is none. */
  delete(path: string): Promise<void>;
  /** Bytes that still fit, undefined where the place cannot tell. */
  free(): Promise<number | undefined>;
}
