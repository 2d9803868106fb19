/**
 * @file The built page with a teacher that is a model in the tab: a tiny exported model
 * served on loopback, in a Chromium without WebGPU and in one with. What it says is nonsense,
 * so this is about what happens with it: loaded in a worker of its own and only when chosen,
 * run on WASM with the reason shown and recorded, its replies parsed, bounded and left out.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chromeFlags, findChrome } from "../../scripts/findChrome.mjs";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { openPage } from "../support/chromium.ts";
import { openDrawer, closeDrawer } from "../support/drawers.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";
import { exportTinyTeacher } from "../support/tinyTeacher.ts";

const MINUTE_MS = 60_000;
const NO_GPU = ["--disable-features=WebGPU,WebGPUService", "--disable-gpu"];

let browser: Browser;
let server: StaticServer;
let models: StaticServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tutelage-tab-teacher-"));
  const tiny = await exportTinyTeacher(folder);
  const args = [...chromeFlags().filter((flag) => !/webgpu|Vulkan/i.test(flag)), ...NO_GPU];
  browser = await chromium.launch({ executablePath: findChrome() ?? "", headless: true, args });
  server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
  models = await serveStatic(tiny, {
    prefix: "/org/tiny/resolve/main/",
    headers: { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" },
  });
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("a model in the tab teaches on WASM where there is no WebGPU, and its nonsense teaches nothing", async () => {
  await using view = await openPage(browser);
  const { page } = view;
  const failures: string[] = [];
  page.on("pageerror", (error) => failures.push(error.message));
  const small = { rounds: "1", query: "1", each: "1", pool: "4", test: "4", epochs: "1", ep: "wasm" };
  const own = { teacher: "transformers", at: new URL(models.url).origin, says: "org/tiny", dtype: "fp32" };
  await page.goto(`${server.url}?${new URLSearchParams({ ...own, ...small }).toString()}`);
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: MINUTE_MS });
  const library = (): string[] => server.requests.filter((path) => path.includes("teacher.worker"));
  expect(library()).toEqual([]);
  expect(models.requests).toEqual([]);

  await openDrawer(page, "setup");
  await page.getByRole("button", { name: "Test teacher" }).click();
  const result = page.getByLabel("Result of the test");
  await result.waitFor({ timeout: 3 * MINUTE_MS });
  const shown = await result.innerText();
  expect(shown).toContain("Runs on wasm (fp32), not on WebGPU");
  expect(shown.match(/failed/g)).toHaveLength(3);
  expect(library()).toHaveLength(1);
  await closeDrawer(page);

  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("button", { name: "Start again" }).waitFor({ timeout: 4 * MINUTE_MS });
  expect(await page.locator("body").innerText()).toMatch(/the teacher runs on wasm, not on WebGPU/);
  const manifests = await page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
      });
    const found: unknown[] = [];
    for (const { name } of await indexedDB.databases()) {
      const db = await done(indexedDB.open(name ?? ""));
      for (const store of db.objectStoreNames)
        found.push(...(await done(db.transaction(store).objectStore(store).getAll())));
      db.close();
    }
    return JSON.stringify(found);
  });
  expect(manifests).toMatch(/"teacherModel":\{"device":"wasm","dtype":"fp32","fallbackReason":"[^"]+"\}/);
  expect(manifests).toContain('"accepted":false');
  expect(manifests).not.toContain('"accepted":true');
  expect(failures).toEqual([]);
});

test("a model in the tab runs on WebGPU where there is one, software included", async () => {
  const withGpu = await chromium.launch({ executablePath: findChrome() ?? "", headless: true, args: chromeFlags() });
  try {
    await using view = await openPage(withGpu);
    const { page } = view;
    const own = {
      teacher: "transformers",
      at: new URL(models.url).origin,
      says: "org/tiny",
      dtype: "fp32",
      ep: "wasm",
      reply: "16",
    };
    await page.goto(`${server.url}?${new URLSearchParams(own).toString()}`);
    await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: MINUTE_MS });
    await openDrawer(page, "setup");
    // Few tokens: a software adapter takes its time.
    await page.locator("details.prompts summary").click();
    for (const name of ["system", "propose", "answer", "judge"])
      await page.locator(`#prompt-${name}`).fill(name === "system" ? "Hi." : "{{question}}");
    await page.getByRole("button", { name: "Test teacher" }).click();
    const result = page.getByLabel("Result of the test");
    await result.waitFor({ timeout: 4 * MINUTE_MS });
    const shown = await result.innerText();
    expect(shown).toContain("Runs on webgpu (fp32)");
    expect(shown).not.toContain("not on WebGPU");
    // Its nonsense is a reply all the same.
    expect(shown.match(/expected a JSON object, got "/g)).toHaveLength(3);
    expect(shown.match(/, [1-9]\d* tokens, /g)).toHaveLength(3);
  } finally {
    await withGpu.close();
  }
});
