/** @file The engine's files over a slow connection, on the built page: told in bytes, stopped, fetched again; and not to be had. */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { serveStatic } from "../support/serveStatic.ts";

const DIST = join(ROOT, "dist");
const MINUTE_MS = 60_000;
const TINY = "ep=wasm&rounds=1&query=1&each=1&pool=2&test=2&epochs=1";
const ENGINE_FILES = /ort-wasm[^/]*\.bin$/;
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

async function start(page: Page): Promise<void> {
  await page.locator("button.primary[aria-disabled=false]", { hasText: "Start" }).click({ timeout: MINUTE_MS });
}

test("a slow connection is told in bytes, can be stopped, and the next Start gets the engine", async () => {
  // Some 4 MB in about six seconds.
  const slow = { files: ENGINE_FILES, bytesPerSecond: 600_000 };
  await using server = await serveStatic(DIST, { headers: ISOLATION_HEADERS, slow });
  await using view = await openPage(browser);
  const { page } = view;
  await page.goto(`${server.url}?${TINY}`);
  await start(page);
  const banner = page.locator(".banner.download");
  await banner.waitFor({ timeout: MINUTE_MS });
  await expect.poll(() => banner.innerText()).toMatch(/Fetching the engine, ONNX Runtime\s+[\d.]+\s[kM]B of 3\.\d\sMB/);
  const share = (): Promise<number> =>
    banner.locator("progress").evaluate((bar) => (bar as HTMLProgressElement).position);
  const first = await share();
  await expect.poll(share).toBeGreaterThan(first);
  expect(await page.locator(".status").innerText()).toBe("Fetching the engine…");
  await banner.getByRole("button", { name: "Cancel" }).click();
  await banner.waitFor({ state: "detached", timeout: MINUTE_MS });
  expect(await page.locator(".banner-error").count()).toBe(0);
  await start(page);
  await page.waitForFunction(() => document.querySelector(".status")?.textContent === "Finished.", undefined, {
    timeout: 4 * MINUTE_MS,
  });
  expect(await banner.count()).toBe(0);
  expect(view.problems).toEqual([]);
});

test("files that are not there are named, and the page stays usable", async () => {
  await using server = await serveStatic(DIST, { headers: ISOLATION_HEADERS, absent: ENGINE_FILES });
  await using view = await openPage(browser);
  const { page } = view;
  await page.goto(`${server.url}?${TINY}`);
  await start(page);
  const alert = page.locator(".banner-error");
  await alert.waitFor({ timeout: MINUTE_MS });
  expect(await alert.innerText()).toMatch(/WebAssembly could not be loaded: .*ort-wasm.*status 404/);
  await alert.getByRole("button", { name: "Dismiss" }).click();
  await page.locator("button.primary[aria-disabled=false]", { hasText: "Start" }).waitFor({ timeout: MINUTE_MS });
});
