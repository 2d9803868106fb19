/**
 * @file The hub's HTTP interface, as far as reading a model needs it: which commit a
 * revision is, which files a commit has, a file's bytes from a position on. Waits and
 * tries again where that helps; every other answer is an error that says what to do.
 * The token goes to the hub itself and nowhere else, and into no message.
 * Source: the hub's API (`/api/models/ID/revision/REV`, `/api/models/ID/tree/COMMIT`,
 * `/ID/resolve/COMMIT/PATH`) and its `X-Error-Code` header.
 */
import { badInput, messageOf, throwIfAborted, TutelageError } from "../core/errors.ts";
import { describeValue, isJsonObject, parseJson } from "../formats/json.ts";
import type { FileHash } from "./hash.ts";
import { isCommit, type HubId } from "./hubId.ts";

export const DEFAULT_ENDPOINT = "https://huggingface.co";

export interface HubClientOptions {
  /** Address of the hub or of a mirror; default `https://huggingface.co`. */
  readonly endpoint?: string;
  /** Of the user, for private and gated models. */
  readonly token?: string;
  /** How many times in a row something is tried again without getting further (default 5). */
  readonly retries?: number;
  /** First wait before trying again, doubled each time (default 500 ms). */
  readonly retryMs?: number;
  /** Longest wait that a server may ask for (default 60 s). */
  readonly longestWaitMs?: number;
  /** A connection that is silent for so long counts as broken (default 30 s). */
  readonly silenceMs?: number;
}

/** A file of a commit. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly hash: FileHash;
}

/** What the hub answered, its body not read yet. */
export interface HubResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body's next part, undefined at its end. @throws ConnectionBroken when no more comes. */
  read(): Promise<Uint8Array | undefined>;
  /** Frees the connection. To be called once the body is not read on. */
  cancel(): Promise<void>;
}

/** The connection broke or fell silent: worth another try. */
export class ConnectionBroken extends Error {
  override readonly name = "ConnectionBroken";
}

/** Pages of a file listing that are read at most (1000 files each). */
const MAX_PAGES = 100;

export class HubClient {
  readonly endpoint: string;
  readonly retries: number;
  readonly #options: HubClientOptions;

  /** @throws BadInputError when the endpoint is no web address, or the token cannot be one. */
  constructor(options: HubClientOptions = {}) {
    const text = options.endpoint ?? DEFAULT_ENDPOINT;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol))
      badInput("hub endpoint", "an address that begins with https://", JSON.stringify(text), "See HF_ENDPOINT");
    if (options.token !== undefined && !/^[\x21-\x7e]+$/.test(options.token))
      badInput("hub token", "a token of printable characters", "something else", "See HF_TOKEN");
    this.endpoint = url.href.replace(/\/+$/, "");
    this.retries = options.retries ?? 5;
    this.#options = options;
  }

  /** The commit that a revision names now. @throws BadInputError when there is no such model or revision, or it may not be read. */
  async resolveRevision({ id, revision }: HubId, signal?: AbortSignal): Promise<string> {
    if (isCommit(revision)) return revision;
    const url = `${this.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}`;
    // Mistyped paths are taken for models too: whoever has no network should learn it soon.
    const { value } = await this.#json(url, `${id}@${revision}`, signal, Math.min(this.retries, 2));
    const sha = isJsonObject(value) ? value["sha"] : undefined;
    if (typeof sha !== "string" || !isCommit(sha))
      badInput(url, "an answer with the revision's commit (sha)", describeValue(sha), "Is this a model hub?");
    return sha;
  }

  /** Files of a commit. @throws BadInputError as `resolveRevision`. */
  async listFiles(id: string, commit: string, signal?: AbortSignal): Promise<readonly HubFile[]> {
    const files: HubFile[] = [];
    let url: string | undefined = `${this.endpoint}/api/models/${id}/tree/${commit}?recursive=true`;
    for (let page = 0; url !== undefined; page++) {
      if (page === MAX_PAGES) badInput(id, `at most ${MAX_PAGES} pages of files`, "more");
      const { value, headers } = await this.#json(url, `${id}@${commit}`, signal);
      if (!Array.isArray(value)) badInput(url, "a list of files", describeValue(value), "Is this a model hub?");
      for (const entry of value as readonly unknown[]) {
        const file = parseTreeEntry(entry, url);
        if (file !== undefined) files.push(file);
      }
      const next: string | undefined = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers.get("link") ?? "")?.[1];
      url = next === undefined ? undefined : new URL(next, url).href;
    }
    return files;
  }

  /** Asks for a file's bytes from `position` on. A server may send the whole file instead (status 200). Status 416: there is nothing there. */
  requestFile(id: string, commit: string, path: string, position: number, signal?: AbortSignal): Promise<HubResponse> {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return this.#request(
      `${this.endpoint}/${id}/resolve/${commit}/${encoded}`,
      `${id}/${path}`,
      position > 0 ? { range: `bytes=${position}-` } : {},
      signal,
    );
  }

  /** Waits before try number `attempt` (from 1), or as long as the server asks. */
  async wait(attempt: number, askedMs: number | undefined, signal?: AbortSignal): Promise<void> {
    const waitMs = askedMs ?? (this.#options.retryMs ?? 500) * 2 ** (attempt - 1);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, waitMs);
      function done(): void {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      }
      signal?.addEventListener("abort", done, { once: true });
      if (signal?.aborted) done();
    });
    throwIfAborted(signal, "download");
  }

  async #json(
    url: string,
    what: string,
    signal: AbortSignal | undefined,
    retries = this.retries,
  ): Promise<{ readonly value: unknown; readonly headers: Headers }> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#request(url, what, { accept: "application/json" }, signal, retries);
      try {
        const decoder = new TextDecoder();
        let text = "";
        for (let part = await response.read(); part !== undefined; part = await response.read())
          text += decoder.decode(part, { stream: true });
        return { value: parseJson(text, url), headers: response.headers };
      } catch (error) {
        if (!(error instanceof ConnectionBroken)) throw error;
        if (attempt > retries) throw networkError(url, "an answer from the hub", error.message);
        await this.wait(attempt, undefined, signal);
      } finally {
        await response.cancel();
      }
    }
  }

  /** One answer to act on: tries again when the hub is busy or cannot be reached, throws for refusals. */
  async #request(
    url: string,
    what: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    retries = this.retries,
  ): Promise<HubResponse> {
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(signal, "download");
      let trouble: string;
      let askedMs: number | undefined;
      try {
        const response = await this.#send(url, headers, signal);
        if (response.status === 200 || response.status === 206 || response.status === 416) return response;
        // The body is not needed; reading on would keep the connection.
        await response.cancel();
        if (!isPassing(response.status)) this.#refuse(response, url, what);
        trouble = `HTTP status ${response.status}`;
        askedMs = retryAfterMs(response.headers.get("retry-after"));
      } catch (error) {
        throwIfAborted(signal, "download");
        if (!(error instanceof ConnectionBroken)) throw error;
        trouble = error.message;
      }
      const longest = this.#options.longestWaitMs ?? 60_000;
      if (askedMs !== undefined && askedMs > longest)
        throw networkError(
          url,
          "an answer now",
          `${trouble} with a wait of ${Math.ceil(askedMs / 1000)} s`,
          "The hub limits how much is asked of it: try again after that time, or with a token",
        );
      if (attempt > retries)
        throw networkError(
          url,
          "an answer from the hub",
          trouble,
          "Check the network and HF_ENDPOINT, then try again: what has arrived is kept",
        );
      await this.wait(attempt, askedMs, signal);
    }
  }

  async #send(
    url: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HubResponse> {
    const { token, silenceMs = 30_000 } = this.#options;
    // On a redirect to another origin fetch itself drops this header.
    const own = token !== undefined && new URL(url).origin === new URL(this.endpoint).origin;
    const silence = new AbortController();
    const stop = (): void => silence.abort();
    signal?.addEventListener("abort", stop, { once: true });
    let timer = setTimeout(stop, silenceMs);
    const heard = (): void => {
      clearTimeout(timer);
      timer = setTimeout(stop, silenceMs);
    };
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    };
    const broken = (error: unknown): ConnectionBroken =>
      new ConnectionBroken(silence.signal.aborted ? `silence for ${silenceMs / 1000} s` : causeOf(error), {
        cause: error,
      });
    let response: Response;
    try {
      response = await fetch(url, {
        headers: { ...headers, ...(own ? { authorization: `Bearer ${token}` } : {}) },
        signal: silence.signal,
        // The cache of downloads is ours: a browser's would hold every file twice.
        cache: "no-store",
        credentials: "omit",
      });
      heard();
    } catch (error) {
      end();
      throw broken(error);
    }
    const body = response.body?.getReader();
    return {
      status: response.status,
      headers: response.headers,
      async read() {
        try {
          const part = await body?.read();
          heard();
          return part?.value;
        } catch (error) {
          throwIfAborted(signal, "download");
          throw broken(error);
        }
      },
      async cancel() {
        end();
        await body?.cancel().catch(() => undefined);
      },
    };
  }

  #refuse({ status, headers }: HubResponse, url: string, what: string): never {
    const code = headers.get("x-error-code") ?? "";
    const got = `HTTP status ${status}${code === "" ? "" : ` (${code})`}`;
    const [model] = what.split("@");
    const id = (model ?? what).split("/").slice(0, 2).join("/");
    const tokenHint =
      this.#options.token === undefined ? "give your token (HF_TOKEN)" : "check what your token may read";
    if (code === "GatedRepo" || (status === 403 && code === ""))
      badInput(
        what,
        "a model that may be read",
        `${got}: it is gated`,
        `Accept its terms at ${this.endpoint}/${id}, and ${tokenHint}`,
      );
    if (code === "RevisionNotFound") badInput(what, "a revision of the model (branch, tag or commit)", got);
    if (code === "EntryNotFound") badInput(what, "a file of the model", got);
    if (status === 404 || code === "RepoNotFound" || status === 401 || status === 403)
      badInput(
        what,
        `a model on ${this.endpoint}`,
        got,
        `Check its name and revision; if it is private or gated, ${tokenHint}`,
      );
    badInput(url, "HTTP status 200", got, "The hub refused the request");
  }
}

/** A hub that cannot be reached or does not keep its word: not the user's input, so exit status 1. */
export function networkError(where: string, expected: string, got: string, hint = ""): TutelageError {
  return new TutelageError("network", `${where}: expected ${expected}, got ${got}${hint === "" ? "" : `. ${hint}`}`);
}

/** Statuses that may be another one in a moment. */
function isPassing(status: number): boolean {
  return status === 429 || status === 408 || status >= 500;
}

/** A wait in milliseconds, from seconds or a date. */
function retryAfterMs(text: string | null): number | undefined {
  if (text === null || text.trim() === "") return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Node hides what went wrong in the cause of "fetch failed". */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)} (${messageOf(cause)})`;
}

/** Undefined for folders. */
function parseTreeEntry(entry: unknown, where: string): HubFile | undefined {
  if (!isJsonObject(entry)) badInput(where, "entries of files", describeValue(entry));
  if (entry["type"] !== "file") return undefined;
  const { path, oid, lfs } = entry;
  const large = isJsonObject(lfs) ? lfs : undefined;
  const size = large === undefined ? entry["size"] : large["size"];
  const hex = large === undefined ? oid : large["oid"];
  if (typeof path !== "string") badInput(where, "the path of every file", describeValue(path));
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    badInput(`${where}: ${path}`, "its size in bytes", describeValue(size));
  const kind = large === undefined ? "git-sha1" : "sha256";
  if (typeof hex !== "string" || !(kind === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hex))
    badInput(`${where}: ${path}`, `a ${kind} to check it by`, describeValue(hex));
  return { path, size, hash: { kind, hex } };
}
