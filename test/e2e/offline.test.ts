/**
 * @file The built page without a network, after one visit: it loads and runs the loop. A
 * newer build is told of, and replaces the older one whole when the user loads it.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listBuiltFiles } from "../../scripts/offlineFiles.mjs";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { serveStatic } from "../support/serveStatic.ts";

const DIST = join(ROOT, "dist");
const MINUTE_MS = 60_000;
const TINY = "ep=wasm&rounds=1&query=2&each=1&pool=4&test=4&epochs=1";
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** Resolves when the service worker has kept the page; `engine` with the engine. */
async function kept(page: Page, engine = false): Promise<void> {
  const keptNow = (): Promise<boolean> =>
    page.evaluate(async (wanted) => {
      const names = await caches.keys();
      const [name] = names.filter((one) => one.startsWith("tutelage-page-"));
      if (name === undefined) return false;
      const addresses = (await (await caches.open(name)).keys()).map(({ url }) => url);
      const has = (part: string): boolean => addresses.some((address) => address.includes(part));
      return has("loop.worker") && has("model.safetensors") && (!wanted || (has("ort-wasm") && has(".mjs")));
    }, engine);
  await expect.poll(keptNow, { timeout: MINUTE_MS }).toBe(true);
}

const primary = (page: Page) => page.locator("button.primary[aria-disabled=false]").first();

async function run(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForFunction(() => document.querySelector(".status")?.textContent === "Finished.", undefined, {
    timeout: 4 * MINUTE_MS,
  });
}

test("offline after a first visit with a run, below a path: it loads and runs the loop", async () => {
  const server = await serveStatic(DIST, { prefix: "/some/project/", headers: ISOLATION_HEADERS });
  await using view = await openPage(browser);
  const { page, context } = view;
  await page.goto(`${server.url}?${TINY}`);
  await primary(page).waitFor({ timeout: MINUTE_MS });
  expect(server.requests.filter((path) => path.includes("ort-wasm"))).toEqual([]);
  await run(page);
  await kept(page, true);
  await server[Symbol.asyncDispose]();
  await context.setOffline(true);
  await page.reload();
  await primary(page).waitFor({ timeout: MINUTE_MS });
  expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
  await page
    .getByRole("button", { name: "New run", exact: true })
    .click()
    .catch(() => undefined);
  await run(page);
  expect(view.problems).toEqual([]);
});

test("a newer build waits until it is asked for, then replaces the older one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tutelage-update-"));
  cpSync(DIST, folder, { recursive: true });
  await using server = await serveStatic(folder, { headers: ISOLATION_HEADERS });
  await using view = await openPage(browser);
  const { page } = view;
  try {
    await page.goto(server.url);
    await kept(page);
    const html = join(folder, "index.html");
    writeFileSync(html, readFileSync(html, "utf8").replace("<body>", '<body data-build="2">'));
    const worker = join(folder, "serviceWorker.js");
    const [, ...code] = readFileSync(worker, "utf8").split("\n");
    writeFileSync(worker, [`self.BUILT_FILES = ${JSON.stringify(listBuiltFiles(folder))};`, ...code].join("\n"));
    await page.reload();
    await page.getByText("A newer version of this page is here.").waitFor({ timeout: MINUTE_MS });
    expect(await page.getAttribute("body", "data-build")).toBeNull();
    await page.getByRole("button", { name: "Load it" }).click();
    await page.waitForSelector("body[data-build='2']", { timeout: MINUTE_MS });
    await kept(page);
    expect((await page.evaluate(() => caches.keys())).filter((name) => name.startsWith("tutelage-page-")).length).toBe(
      1,
    );
    expect(view.problems).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
