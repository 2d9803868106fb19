/** @file The built page gets threads on every kind of host: with the headers, and through the service worker without. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { preview } from "vite";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { serveStatic } from "../support/serveStatic.ts";

const DIST = join(ROOT, "dist");
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

test("a host without headers, under a sub-path: the page is isolated after one reload by the service worker", async () => {
  await using server = await serveStatic(DIST, { prefix: "/some/project/" });
  await using view = await openPage(browser);
  await view.page.goto(server.url);
  await view.page.waitForFunction(() => globalThis.crossOriginIsolated, undefined, { timeout: 20_000 });
  expect(await view.page.evaluate(() => new SharedArrayBuffer(8).byteLength)).toBe(8);
  expect(await view.page.evaluate(workerIsIsolated)).toBe(true);
  const loads = server.requests.filter((path) => path === "/some/project/").length;
  expect(loads).toBe(2);

  await view.page.reload();
  expect(await view.page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
  expect(view.problems).toEqual([]);
});

test("a host that sends the headers: isolated at once, without a second load", async () => {
  await using server = await serveStatic(DIST, { headers: ISOLATION_HEADERS });
  await using view = await openPage(browser);
  await view.page.goto(server.url);
  expect(await view.page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
  expect(server.requests.filter((path) => path === "/").length).toBe(1);
  expect(view.problems).toEqual([]);
});

test("a host without headers and without the service worker's file: the page still starts, once", async () => {
  await using server = await serveStatic(DIST, { absent: ["serviceWorker.js"] });
  await using view = await openPage(browser);
  await view.page.goto(server.url, { waitUntil: "networkidle" });
  expect(await view.page.evaluate(() => globalThis.crossOriginIsolated)).toBe(false);
  expect(server.requests.filter((path) => path === "/").length).toBe(1);
  expect(await view.page.locator("#app > *").count()).toBeGreaterThan(0);
});

test("npm run preview serves the build isolated", async () => {
  const server = await preview({
    root: ROOT,
    configFile: join(ROOT, "vite.config.ts"),
    preview: { port: 0 },
    logLevel: "error",
  });
  try {
    const response = await fetch(server.resolvedUrls!.local[0]!);
    for (const [name, value] of Object.entries(ISOLATION_HEADERS)) expect(response.headers.get(name)).toBe(value);
  } finally {
    await server.close();
  }
});

test("the headers file of the build names the same headers", () => {
  const lines = readFileSync(join(DIST, "_headers"), "utf8").split("\n");
  expect(lines[0]).toBe("/*");
  for (const [name, value] of Object.entries(ISOLATION_HEADERS)) expect(lines).toContain(`  ${name}: ${value}`);
});

function workerIsIsolated(): Promise<unknown> {
  const source = "postMessage(crossOriginIsolated)";
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  return new Promise((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = reject;
  });
}
