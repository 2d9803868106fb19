/**
 * @file Where a student's files come from and go to: a directory, a URL or memory,
 * behind two small interfaces. The Node directory is in `node/`, so that nothing
 * here needs a file system.
 */
import { badInput, messageOf } from "../core/errors.ts";
import { decodeUtf8 } from "./json.ts";

/** A file open for reading in parts. Close it once. */
export interface OpenFile {
  /** Size in bytes. */
  readonly size: number;
  /** Bytes `[begin, end)`, owned by the caller. @throws BadInputError when the file no longer has them. */
  read(begin: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Files by relative path (`a/b.json`, no `..`, not absolute). */
export interface FileSource {
  /** The directory or address, for messages. */
  readonly name: string;
  has(path: string): Promise<boolean>;
  /** The file's bytes, owned by the caller. @throws BadInputError naming place and file when it is missing. */
  read(path: string): Promise<Uint8Array>;
  /** The file as UTF-8 text. @throws BadInputError as `read`, or when it is not UTF-8. */
  readText(path: string): Promise<string>;
  /** The file open for reading in parts, so that a large one is never in memory as a whole (over a URL it is). @throws BadInputError as `read`. */
  open(path: string): Promise<OpenFile>;
  /** Paths of all files, sorted; absent where the place cannot list (a URL). */
  list?(): Promise<readonly string[]>;
}

/** What a file holds: at once, or part by part as they come. */
export type FileData = Uint8Array | string | AsyncIterable<Uint8Array>;

/** Takes files and shows them all at once, or none of them. */
export interface FileSink {
  readonly name: string;
  /** Keeps a file for `commit`. @throws BadInputError when the place cannot be written to; what the parts throw. */
  write(path: string, data: FileData): Promise<void>;
  /** Makes every written file appear. */
  commit(): Promise<void>;
  /** Drops everything that was written; does nothing after `commit`. Idempotent. */
  abort(): Promise<void>;
}

/** What a student directory must contain, for error messages. */
export const STUDENT_DIRECTORY_HINT =
  "A student directory holds config.json, model.safetensors (or model.safetensors.index.json and its shards) and tokenizer.json, as Hugging Face writes them";

/** Throws the error of a missing file: names the place, the file and what a student directory needs. */
export function missingFile(place: string, path: string, got = "no such file"): never {
  badInput(place, `a file ${path}`, got, STUDENT_DIRECTORY_HINT);
}

/** Checks that `path` stays inside its place. @throws BadInputError for absolute paths, `..`, backslashes and empty parts. */
export function checkRelativePath(path: string, where: string): string {
  const parts = path.split("/");
  const bad =
    path.includes("\\") ||
    path.includes("\0") ||
    /^[A-Za-z]:/.test(path) ||
    parts.some((part) => part === "" || part === "." || part === "..");
  if (bad) badInput(where, "a relative path inside the directory", JSON.stringify(path));
  return path;
}

/** A file over bytes in memory, which it borrows; `read` hands out copies. */
export function openBytes(bytes: Uint8Array, where: string): OpenFile {
  return {
    size: bytes.length,
    async read(begin, end) {
      checkRange(begin, end, bytes.length, where);
      return bytes.slice(begin, end);
    },
    close: async () => undefined,
  };
}

/** Throws unless `[begin, end)` lies in a file of `size` bytes. */
export function checkRange(begin: number, end: number, size: number, where: string): void {
  if (!(begin >= 0 && begin <= end && end <= size))
    badInput(where, `bytes ${begin} to ${end}`, `a file of ${size} bytes`, "The file was changed while it was read");
}

/** A source over files in memory. Borrows the map; `read` hands out copies. */
export function memorySource(files: ReadonlyMap<string, Uint8Array | string>, name = "memory"): FileSource {
  const read = async (path: string): Promise<Uint8Array> => {
    const data = files.get(path);
    if (data === undefined) missingFile(name, path);
    return typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
  };
  return {
    name,
    has: async (path) => files.has(path),
    read,
    readText: async (path) => decodeUtf8(await read(path), `${name}/${path}`),
    open: async (path) => {
      const data = files.get(path);
      return openBytes(data instanceof Uint8Array ? data : await read(path), `${name}/${path}`);
    },
    list: async () => [...files.keys()].sort(),
  };
}

/** All bytes of a file, owned by the caller. */
async function bytesOfFile(data: FileData): Promise<Uint8Array> {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof Uint8Array) return data.slice();
  const parts: Uint8Array[] = [];
  for await (const part of data) parts.push(part);
  return joinParts(parts);
}

function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

/** A sink that hands all files to `receive` on commit. */
export function memorySink(receive: (files: ReadonlyMap<string, Uint8Array>) => void, name = "memory"): FileSink {
  let files: Map<string, Uint8Array> | undefined = new Map();
  return {
    name,
    async write(path, data) {
      checkRelativePath(path, name);
      if (files === undefined) badInput(name, "an open sink", "one that was committed or aborted");
      files.set(path, await bytesOfFile(data));
    },
    async commit() {
      if (files === undefined) badInput(name, "an open sink", "one that was committed or aborted");
      receive(files);
      files = undefined;
    },
    async abort() {
      files = undefined;
    },
  };
}

export interface UrlSourceOptions {
  readonly signal?: AbortSignal;
  /** All files that are there, where that is known: the server is asked for no others. */
  readonly files?: readonly string[];
  /** Called while a file arrives; `totalBytes` is undefined where the server does not say. */
  readonly onProgress?: (path: string, loadedBytes: number, totalBytes: number | undefined) => void;
}

/** A source over `fetch`: files below `base` (a directory address; a missing trailing slash is added). */
export function urlSource(base: string | URL, options: UrlSourceOptions = {}): FileSource {
  const text = String(base);
  const root = new URL(text.endsWith("/") ? text : `${text}/`);
  const name = root.href.slice(0, -1);

  const request = async (path: string, method: "GET" | "HEAD"): Promise<Response> => {
    const url = new URL(checkRelativePath(path, name).split("/").map(encodeURIComponent).join("/"), root);
    try {
      return await fetch(url, { method, ...(options.signal ? { signal: options.signal } : {}) });
    } catch (error) {
      options.signal?.throwIfAborted();
      badInput(
        url.href,
        "an answer from the server",
        messageOf(error),
        "Check the address, the network and that the server allows cross-origin requests",
      );
    }
  };
  const read = async (path: string): Promise<Uint8Array> => {
    const response = await request(path, "GET");
    if (!isFound(response)) missingFile(name, path, describeResponse(response));
    return readBody(response, (loaded, total) => options.onProgress?.(path, loaded, total));
  };
  return {
    name,
    async has(path) {
      if (options.files !== undefined) return options.files.includes(path);
      const head = await request(path, "HEAD");
      if (head.status !== 405 && head.status !== 501) return isFound(head);
      const response = await request(path, "GET");
      await response.body?.cancel();
      return isFound(response);
    },
    read,
    readText: async (path) => decodeUtf8(await read(path), `${name}/${path}`),
    open: async (path) => openBytes(await read(path), `${name}/${path}`),
  };
}

/** Servers of single-page apps answer any unknown path with their page and status 200; no file of a student is HTML. */
function isFound(response: Response): boolean {
  return response.ok && !(response.headers.get("content-type") ?? "").startsWith("text/html");
}

function describeResponse(response: Response): string {
  return response.ok ? "a web page in its place" : `HTTP status ${response.status} ${response.statusText}`.trim();
}

async function readBody(
  response: Response,
  onProgress: (loaded: number, total: number | undefined) => void,
): Promise<Uint8Array> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const compressed = (response.headers.get("content-encoding") ?? "identity") !== "identity";
  const total = Number.isFinite(length) && !compressed ? length : undefined;
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part?.value === undefined) break;
    chunks.push(part.value);
    loaded += part.value.length;
    onProgress(loaded, total);
  }
  return joinParts(chunks);
}
