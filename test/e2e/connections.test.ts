/**
 * @file What the browser itself lets the built page and its workers connect to: the page
 * its own origin alone; a worker that and the origin of the chosen teacher.
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page, Worker } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { createTask } from "../../src/tasks/registry.ts";
import { SERVED_MODEL, startTeacherServer } from "../../src/teacher/node/teacherServer.ts";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { openDrawer } from "../support/drawers.ts";
import { serveStatic } from "../support/serveStatic.ts";

const MINUTE_MS = 60_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** A server of another origin that answers everybody, and counts. */
let stranger: Server;
let heard: string[];
let strangerUrl: string;
beforeEach(async () => {
  heard = [];
  stranger = createServer((request, response) => {
    heard.push(request.url ?? "");
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("cross-origin-resource-policy", "cross-origin");
    response.end("{}");
  });
  await new Promise<void>((resolve) => void stranger.listen(0, "127.0.0.1", resolve));
  strangerUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
});
afterEach(async () => {
  stranger.closeAllConnections();
  await new Promise((resolve) => stranger.close(resolve));
});

/** Script that tries every way to send something to `url`, for a page or a worker: what worked. As text, because the test runner rewrites `import()`. */
const attempts = (url: string): string => `(async (url) => {
  const works = (promise) => promise.then(() => true, () => false);
  const socket = () => new Promise((resolve, reject) => {
    const opened = new WebSocket(url.replace("http", "ws") + "/socket");
    opened.onopen = resolve;
    opened.onerror = reject;
  });
  const nested = () => new Promise((resolve, reject) => {
    const source = "fetch('" + url + "/nested').then(() => postMessage(true), () => postMessage(false))";
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => (data === true ? resolve(data) : reject(new Error("refused")));
    worker.onerror = reject;
  });
  return {
    fetch: await works(fetch(url + "/fetch")),
    opaque: await works(fetch(url + "/opaque", { mode: "no-cors" })),
    socket: await works(Promise.resolve().then(socket)),
    import: await works(import(url + "/import.js")),
    nested: await works(nested()),
  };
})(${JSON.stringify(url)})`;

interface Attempts {
  readonly fetch: boolean;
}

const NONE = { fetch: false, opaque: false, socket: false, import: false, nested: false };

/** The page's loop worker, once it answers. */
async function loopWorker(page: Page): Promise<Worker> {
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: MINUTE_MS });
  const [worker] = page.workers();
  expect(worker).toBeDefined();
  return worker!;
}

for (const [host, headers] of [
  ["with headers", ISOLATION_HEADERS],
  ["without headers, through the service worker", {}],
] as const) {
  test(`a host ${host}: neither the page nor its worker reaches another origin while no teacher is chosen`, async () => {
    await using server = await serveStatic(join(ROOT, "dist"), { headers });
    await using view = await openPage(browser);
    await view.page.goto(server.url);
    await view.page.waitForFunction(() => globalThis.crossOriginIsolated, undefined, { timeout: MINUTE_MS });
    const worker = await loopWorker(view.page);
    expect(await worker.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
    expect(await view.page.evaluate(attempts(strangerUrl))).toEqual(NONE);
    expect(await worker.evaluate(attempts(strangerUrl))).toEqual(NONE);
    expect(heard).toEqual([]);
    // Its own origin it does reach: the policy is this one, and not a broken one.
    expect(await worker.evaluate<Attempts>(attempts(new URL(server.url).origin))).toMatchObject({ fetch: true });
  });
}

test("with a teacher chosen its worker reaches that origin and no other; another teacher, another worker", async () => {
  await using server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
  const teacher = await startTeacherServer(createTask("word-problems"));
  const other = await startTeacherServer(createTask("word-problems"));
  try {
    await using view = await openPage(browser);
    const { page } = view;
    const query = new URLSearchParams({ teacher: "openai", at: teacher.url, says: SERVED_MODEL });
    await page.goto(`${server.url}?${query.toString()}`);
    const worker = await loopWorker(page);
    expect(await worker.evaluate(attempts(strangerUrl))).toEqual(NONE);
    expect(await page.evaluate(attempts(new URL(teacher.url).origin))).toEqual(NONE);
    expect(heard).toEqual([]);

    await openDrawer(page, "setup");
    const result = page.getByLabel("Result of the test");
    const testTeacher = async (): Promise<string> => {
      await page.getByRole("button", { name: "Test teacher" }).click();
      await result.waitFor({ timeout: MINUTE_MS });
      return result.innerText();
    };
    expect((await testTeacher()).match(/works/g)).toHaveLength(3);
    // Another address: asked through a worker of its own, the first one stays as strict as it was.
    await page.getByLabel("Address", { exact: true }).fill(other.url);
    expect((await testTeacher()).match(/works/g)).toHaveLength(3);
    expect(other.counts.answered).toBeGreaterThan(2);
    expect((await worker.evaluate<Attempts>(attempts(new URL(other.url).origin))).fetch).toBe(false);
    expect((await worker.evaluate<Attempts>(attempts(new URL(teacher.url).origin))).fetch).toBe(true);
  } finally {
    await Promise.all([teacher.close(), other.close()]);
  }
});
