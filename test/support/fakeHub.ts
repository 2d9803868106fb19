/**
 * @file A model hub on loopback: its API, its addresses, redirects of large files to
 * another origin that knows ranges; and faults, one answer each, to be injected by tests.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeModel {
  readonly commit: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Commits by branch or tag (default: main). */
  readonly revisions?: Readonly<Record<string, string>>;
  /** Only with this token are files given out. */
  readonly token?: string;
}

/** What one answer for a path does instead of what it should. */
export type Fault =
  /** The connection breaks after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number; readonly etag?: string }
  /** The body ends in order after so many bytes, with no length given. */
  | { readonly kind: "short"; readonly after: number }
  /** Nothing more comes after so many bytes, and the connection stays. */
  | { readonly kind: "silence"; readonly after: number }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Another content. */
  | { readonly kind: "content"; readonly bytes: Uint8Array }
  /** The connection breaks before an answer. */
  | { readonly kind: "refuse" };

export interface HubRequest {
  readonly server: "hub" | "cdn";
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface FakeHub extends AsyncDisposable {
  readonly endpoint: string;
  readonly cdn: string;
  readonly requests: readonly HubRequest[];
  /** Ranges of the requests for a file's bytes, in order; undefined for a whole file. */
  ranges(path: string): readonly (string | undefined)[];
  /** The next answers for the file (`resolve` address) or API path that ends with `path` do this, in turn. */
  fail(path: string, ...faults: readonly Fault[]): void;
  /** Ranges are ignored from now on. */
  forgetRanges(): void;
  /** The hub lists this for a file, whatever it holds. */
  list(path: string, entry: Readonly<Record<string, unknown>>): void;
  /** Entries of a listing's page. */
  pageSize: number;
}

/** Files over this size are in large file storage: redirected, with a SHA-256. */
const LARGE_BYTES = 1000;

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Serves the models on two free ports of loopback until disposed. */
export async function startFakeHub(models: Readonly<Record<string, FakeModel>>): Promise<FakeHub> {
  const requests: HubRequest[] = [];
  const faults = new Map<string, Fault[]>();
  const listed = new Map<string, Readonly<Record<string, unknown>>>();
  let ranges = true;
  const hub = createServer((request, response) => answer("hub", request, response));
  const cdn = createServer((request, response) => answer("cdn", request, response));
  const [endpoint, cdnAddress] = await Promise.all([listen(hub), listen(cdn)]);

  function answer(server: HubRequest["server"], request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://localhost");
    const path = decodeURIComponent(url.pathname);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "authorization, range");
    response.setHeader("Access-Control-Expose-Headers", "ETag, Link, Content-Range, X-Error-Code, Retry-After");
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    const { range, authorization } = request.headers;
    requests.push({ server, path, range, authorization });
    if (server === "cdn") {
      const [, org = "", name = "", , ...rest] = path.split("/");
      const bytes = models[`${org}/${name}`]?.files.get(rest.join("/"));
      if (bytes === undefined) return void response.writeHead(404).end();
      return send(path, bytes, request, response);
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(path);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const id = api?.[1] ?? file?.[1] ?? "";
    const model = models[id];
    const fault = file === null ? takeFault(path) : undefined;
    if (fault !== undefined) return misbehave(fault, new Uint8Array(), response, request);
    if (model === undefined) return refuse(response, 404, "RepoNotFound");
    const commitOf = (revision: string): string | undefined =>
      revision === model.commit ? model.commit : (model.revisions ?? { main: model.commit })[revision];
    if (api !== null) {
      const commit = commitOf(api[3] ?? "");
      if (commit === undefined) return refuse(response, 404, "RevisionNotFound");
      if (api[2] === "revision") return json(response, { id, sha: commit, gated: model.token !== undefined });
      return tree(model, url, response);
    }
    if (file === null) return refuse(response, 404, "");
    if (model.token !== undefined && authorization !== `Bearer ${model.token}`)
      return refuse(response, authorization === undefined ? 401 : 403, "GatedRepo");
    const bytes = model.files.get(file[3] ?? "");
    if (file[2] !== model.commit || bytes === undefined) return refuse(response, 404, "EntryNotFound");
    if (bytes.length <= LARGE_BYTES) return send(path, bytes, request, response);
    response.writeHead(302, { location: `${cdnAddress}/${id}/blob/${file[3]}` }).end();
  }

  function tree(model: FakeModel, url: URL, response: ServerResponse): void {
    const entries = [...model.files].map(([path, bytes]) => listed.get(path) ?? entryOf(path, bytes));
    const all = [{ type: "directory", oid: "0".repeat(40), size: 0, path: "onnx" }, ...entries];
    const begin = Number(url.searchParams.get("cursor") ?? 0);
    const next = begin + server.pageSize;
    if (next < all.length) {
      const following = new URL(url.pathname + url.search, endpoint);
      following.searchParams.set("cursor", String(next));
      response.setHeader("Link", `<${following.href}>; rel="next"`);
    }
    json(response, all.slice(begin, next));
  }

  function takeFault(path: string): Fault | undefined {
    for (const [end, queue] of faults) if (path.endsWith(end)) return queue.shift();
    return undefined;
  }

  function send(path: string, bytes: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
    response.setHeader("ETag", `"${sha256(bytes)}"`);
    const fault = takeFault(path);
    if (fault !== undefined) return misbehave(fault, bytes, response, request);
    const begin = ranges ? rangeOf(request) : 0;
    if (begin >= bytes.length && begin > 0)
      return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    response.writeHead(begin > 0 ? 206 : 200, headersOf(begin, bytes.length)).end(bytes.subarray(begin));
  }

  function misbehave(fault: Fault, bytes: Uint8Array, response: ServerResponse, request: IncomingMessage): void {
    const begin = ranges ? rangeOf(request) : 0;
    const status = begin > 0 ? 206 : 200;
    switch (fault.kind) {
      case "refuse":
        request.socket.destroy();
        return;
      case "status":
        return void response.writeHead(fault.status, fault.headers).end("busy");
      case "content":
        return void response.writeHead(200, { "content-length": fault.bytes.length }).end(fault.bytes);
      case "short":
        return void response.writeHead(status).end(bytes.subarray(begin, begin + fault.after));
      case "cut":
      case "silence":
        if ("etag" in fault && fault.etag !== undefined) response.setHeader("ETag", fault.etag);
        response.writeHead(status, headersOf(begin, bytes.length));
        response.write(bytes.subarray(begin, begin + fault.after), () => {
          // The bytes leave before the connection does.
          if (fault.kind === "cut") setTimeout(() => request.socket.destroy(), 20);
        });
    }
  }

  const server = {
    endpoint,
    cdn: cdnAddress,
    requests,
    ranges: (path: string) =>
      requests.filter((r) => r.path.endsWith(`/${path}`) && !r.path.startsWith("/api")).map(({ range }) => range),
    fail: (path: string, ...list: readonly Fault[]) => void faults.set(path, [...list]),
    forgetRanges: () => void (ranges = false),
    list: (path: string, entry: Readonly<Record<string, unknown>>) => void listed.set(path, entry),
    pageSize: 1000,
    async [Symbol.asyncDispose]() {
      for (const each of [hub, cdn]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
    },
  };
  return server;
}

/** What the hub lists of a file. */
export function entryOf(path: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const blob = (data: Uint8Array | string): string =>
    createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");
  if (bytes.length <= LARGE_BYTES) return { type: "file", oid: blob(bytes), size: bytes.length, path };
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(bytes)}\nsize ${bytes.length}\n`;
  return {
    type: "file",
    oid: blob(pointer),
    size: bytes.length,
    lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: pointer.length },
    path,
  };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function rangeOf(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
}

function headersOf(begin: number, size: number): Record<string, string | number> {
  return {
    "content-length": size - begin,
    "accept-ranges": "bytes",
    ...(begin > 0 ? { "content-range": `bytes ${begin}-${size - 1}/${size}` } : {}),
  };
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, code === "" ? {} : { "x-error-code": code }).end("no");
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
