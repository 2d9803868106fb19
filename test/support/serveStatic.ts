/**
 * @file A static file server as a plain host is one: files below a folder, with or
 * without the headers that isolate a page. For tests of the built page.
 */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
};

export interface StaticServer extends AsyncDisposable {
  /** Address of `prefix`, ending in a slash. */
  readonly url: string;
  /** Paths asked for so far, in order. */
  readonly requests: readonly string[];
}

export interface ServeOptions {
  /** Extra headers of every response (default none). */
  readonly headers?: Readonly<Record<string, string>>;
  /** Path the folder is served under (default "/"), as on a host that serves projects below a name. */
  readonly prefix?: string;
  /** Files below the folder that are answered with 404. */
  readonly absent?: readonly string[] | RegExp;
  /** Files that come slowly. */
  readonly slow?: { readonly files: RegExp; readonly bytesPerSecond: number };
}

const SLOW_STEP_MS = 50;

/** Serves `folder` on a free port of localhost until disposed. */
export async function serveStatic(
  folder: string,
  { headers = {}, prefix = "/", absent = [], slow }: ServeOptions = {},
): Promise<StaticServer> {
  const requests: string[] = [];
  const isAbsent = (name: string): boolean => (absent instanceof RegExp ? absent.test(name) : absent.includes(name));
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    requests.push(path);
    const name = path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
    const file = name === undefined || isAbsent(name) ? undefined : fileAt(folder, name);
    if (file === undefined) {
      response.writeHead(404, { "Content-Type": "text/plain", ...headers }).end("not found");
      return;
    }
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", ...headers });
    if (slow?.files.test(file)) sendSlowly(readFileSync(file), slow.bytesPerSecond, response);
    else createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}${prefix}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function sendSlowly(data: Uint8Array, bytesPerSecond: number, response: ServerResponse): void {
  const step = Math.ceil((bytesPerSecond * SLOW_STEP_MS) / 1000);
  let at = 0;
  const timer = setInterval(() => {
    response.write(data.subarray(at, (at += step)));
    if (at >= data.length) response.end();
  }, SLOW_STEP_MS);
  response.on("close", () => clearInterval(timer));
}

function fileAt(folder: string, path: string): string | undefined {
  const file = join(folder, normalize(path === "" || path.endsWith("/") ? `${path}index.html` : path));
  if (!file.startsWith(folder + sep)) return undefined;
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? file : undefined;
}
