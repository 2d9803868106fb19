/** @file Kept runs on the built page: one tab has a run and the other says so; an export goes on in a terminal; real students are talked to. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { runCli } from "../support/runCli.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";

/** Whatever else the machine does. */
const timeout = 240_000;
const SMALL = "ep=wasm&rounds=1&query=3&each=1&pool=8&test=8&epochs=1";

let browser: Browser;
let server: StaticServer;
let folder: string;

beforeAll(async () => {
  browser = await launchChromium();
  server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
  folder = await mkdtemp(join(tmpdir(), "kept-runs-"));
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const press = (page: Page, label: string): Promise<void> =>
  page.getByRole("button", { name: label, exact: true }).click({ timeout });
const go = (page: Page, view: string): Promise<void> =>
  page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${view}`);

test("a run belongs to one tab, is talked to, taken to a terminal, and goes on in the other tab", async () => {
  await using view = await openPage(browser);
  const { page, context } = view;
  await page.goto(`${server.url}?${SMALL}`);
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout });
  await press(page, "Step");
  await page.waitForFunction(() => document.querySelectorAll(".curve-point").length === 2, undefined, { timeout });

  await go(page, "talk");
  await page.locator(".example").first().waitFor({ timeout });
  await press(page, "Ask");
  await page.waitForFunction(() => document.querySelectorAll(".outcome").length === 3, undefined, { timeout });
  const outcomes = await page.locator(".outcome").allInnerTexts();
  // Nobody was taught yet: all three are the same student.
  expect(new Set(outcomes).size).toBe(1);
  expect(outcomes[0]).toMatch(/^(Right|Wrong): /);

  const other = await context.newPage();
  await other.goto(`${server.url}?${SMALL}`);
  await other.getByText("An unfinished run is open in another tab").waitFor({ timeout });
  await go(other, "runs");
  await other.getByText("open in another tab").first().waitFor({ timeout });
  expect(await other.getByRole("button", { name: "Resume", exact: true }).isDisabled()).toBe(true);

  await go(page, "runs");
  await page.locator(".downloads summary").click({ timeout });
  const [download] = await Promise.all([page.waitForEvent("download"), press(page, "Export the whole run")]);
  const files = unzipSync(await readFile(await download.path()));
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  const { runs } = JSON.parse(await readFile(join(folder, "tutelage.json"), "utf8")) as { runs: { runId: string }[] };
  expect(runs).toHaveLength(2);
  const resumed = await runCli(["loop", "--resume", join(folder, runs[0]!.runId), "--json"]);
  expect([resumed.status, resumed.err.includes("expected")]).toEqual([0, false]);
  expect(resumed.records.map(({ round }) => round)).toContain(1);

  await page.close();
  await go(other, "race");
  await other.getByText("An unfinished run is here").waitFor({ timeout });
  await other.locator("button.primary[aria-disabled=false]").waitFor({ timeout });
  await press(other, "Resume");
  await other.waitForFunction(() => document.querySelector(".status")?.textContent === "Finished.", undefined, {
    timeout,
  });
  await go(other, "runs");
  await other.getByText("all of 1 round").first().waitFor({ timeout });
  expect(view.problems).toEqual([]);
}, 900_000);
