/** @file ONNX Runtime's file as the page fetches it: compressed or not, counted, refused, stopped. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchBinary } from "../../src/runtime/browser/binary.ts";

const PLAIN = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 251);
const ZIPPED = gzipSync(PLAIN);
let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/plain") response.end(PLAIN);
    else if (request.url === "/zipped") response.end(ZIPPED);
    else if (request.url === "/unpacked") response.writeHead(200, { "Content-Encoding": "gzip" }).end(ZIPPED);
    else if (request.url === "/never") response.write(PLAIN.subarray(0, 1000));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ["plain", PLAIN.length, PLAIN.length],
  ["zipped", ZIPPED.length, ZIPPED.length],
  // The host took the file for a compressed transfer: more comes than was said, and the share never exceeds the whole.
  ["unpacked", ZIPPED.length, PLAIN.length],
])("comes whole and counted: %s", async (path, bytes, arriving) => {
  const told: [number, number][] = [];
  const binary = await fetchBinary(
    { url: `${origin}/${path}`, bytes },
    { onProgress: (loaded, total) => told.push([loaded, total]) },
  );
  expect(Buffer.compare(binary, PLAIN)).toBe(0);
  expect(told.at(-1)).toEqual([arriving, arriving]);
  for (const [loaded, total] of told) expect(loaded).toBeLessThanOrEqual(total);
});

test("names the address that does not have it", async () => {
  await expect(fetchBinary({ url: `${origin}/absent`, bytes: 1 })).rejects.toThrow(
    `${origin}/absent: expected the engine's file, got status 404`,
  );
});

test("stops when it is told to", async () => {
  const abort = new AbortController();
  const fetching = fetchBinary(
    { url: `${origin}/never`, bytes: PLAIN.length },
    { signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) },
  );
  await expect(fetching).rejects.toThrow("enough");
});
