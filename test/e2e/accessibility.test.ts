/** @file The built page by axe-core, in light and dark, before and after a run; nothing wider than the window on a phone, at 200 % zoom or at 400 %. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { VIEWS } from "../../src/app/views/registry.ts";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { closeDrawer, openDrawer } from "../support/drawers.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";

const MINUTE_MS = 60_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TINY = "ep=wasm&rounds=1&query=3&each=1&pool=9&test=8&epochs=1";

let browser: Browser;
let server: StaticServer;

beforeAll(async () => {
  browser = await launchChromium();
  server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
});

/** What axe-core calls serious or critical, in one line each. */
async function seriousIssues(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    interface Axe {
      run(options: object): Promise<{
        violations: { id: string; impact: string | null; nodes: { html: string; failureSummary?: string }[] }[];
      }>;
    }
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run({ resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary ?? ""}`),
      );
  });
}

/** How much wider the page is than the window, or what an open drawer holds than the drawer, in CSS pixels. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() =>
    Math.max(
      ...[document.documentElement, ...document.querySelectorAll(".drawer-body")].map(
        ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth,
      ),
    ),
  );
}

async function goTo(page: Page, view: string): Promise<void> {
  await page.evaluate((id) => void (location.hash = `#/${id}`), view);
  await page.locator(`main.view-${view}`).waitFor({ timeout: MINUTE_MS });
  await page.waitForFunction(() => !document.querySelector("main")?.textContent?.includes("Fetching "), undefined, {
    timeout: MINUTE_MS,
  });
}

test(
  "no serious issue in any view or drawer, in light and dark, before and after a run",
  async () => {
    await using view = await openPage(browser);
    const { page } = view;
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${server.url}?${TINY}`);
    await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: MINUTE_MS });
    const issues: string[] = [];
    const look = async (where: string): Promise<void> => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        issues.push(...(await seriousIssues(page)).map((issue) => `${where}, ${colorScheme}: ${issue}`));
      }
    };
    await look("race before a run");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("button", { name: "Start again", exact: true }).waitFor({ timeout: 4 * MINUTE_MS });
    for (const { id } of VIEWS) {
      await goTo(page, id);
      await look(id);
    }
    await page.evaluate(() => void (location.hash = "#/lessons/noise"));
    await page.locator(".lesson-steps").waitFor({ timeout: MINUTE_MS });
    await look("a lesson");
    await page.locator(".term-word").first().click();
    await look("a lesson with a term's card");
    await page.keyboard.press("Escape");
    await goTo(page, "race");
    await page.locator(".lane-0 [role=slider]").focus();
    await page.keyboard.press("End");
    await page.locator(".card .heat").first().waitFor({ timeout: MINUTE_MS });
    await look("a seed's card");
    for (const drawer of ["setup", "engine"] as const) {
      await openDrawer(page, drawer);
      await look(drawer);
      await closeDrawer(page);
    }
    await openDrawer(page, "setup");
    // The pointer rests on what it has pressed.
    await page.getByRole("button", { name: "A rare kind", exact: true }).click();
    await look("set-up with a rare kind");
    await page.getByText("All training settings").click();
    await page.locator("#setting-teacher").selectOption("openai");
    for (const part of ["More limits, waiting, form of replies", "If the teacher cannot be reached"])
      await page.getByText(part).click();
    await look("set-up with a chat teacher");
    await page.locator("#setting-teacher").selectOption("solver");
    await page.locator("#setting-task").selectOption("custom");
    const rows = Array.from({ length: 40 }, (_, i) => `What is ${i} + 2?,#### ${i + 2}`).join("\n");
    const csv = Buffer.from(`question,answer\n${rows}\n`);
    await page.setInputFiles("#setting-data", { name: "own.csv", mimeType: "text/csv", buffer: csv });
    await page.getByText(/different questions for the pool/).waitFor({ timeout: MINUTE_MS });
    await look("set-up with own data");
    await page.locator("#setting-task").selectOption("word-problems");
    await closeDrawer(page);
    expect(issues).toEqual([]);

    for (const width of [720, 390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      for (const { id } of VIEWS) {
        await goTo(page, id);
        await expect
          .poll(() => overflow(page), { timeout: MINUTE_MS, message: `${id} at ${width} px` })
          .toBeLessThanOrEqual(0);
      }
      for (const drawer of ["setup", "engine"] as const) {
        await openDrawer(page, drawer);
        await expect
          .poll(() => overflow(page), { timeout: MINUTE_MS, message: `${drawer} at ${width} px` })
          .toBeLessThanOrEqual(0);
        await closeDrawer(page);
      }
    }
    expect(view.problems).toEqual([]);
  },
  12 * MINUTE_MS,
);
