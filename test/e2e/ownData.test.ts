/**
 * @file The user's own data on the built page: a CSV file with wrong rows is explained, a good
 * one is raced on with a chat teacher, goes on after the page was killed, and is named by its
 * hash in a link that holds neither data nor key.
 */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { ROOT } from "../../scripts/setup.mjs";
import { createTask } from "../../src/tasks/registry.ts";
import { SERVED_MODEL, startTeacherServer } from "../../src/teacher/node/teacherServer.ts";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { closeDrawer, openDrawer } from "../support/drawers.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";

const MINUTE_MS = 60_000;
const KEY = "sk-planted-key-77aa12cd90ef34ab56";

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

/** Questions like any user's: the built-in task's, with columns of other names. */
function csvOf(rows: number): string {
  const { pool } = createTask("word-problems").splits({ pool: rows, validation: 0, test: 0 }, new Rng(3));
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  return `story,solution\n${pool.map(({ question, answer }) => `${quoted(question)},${quoted(answer)}`).join("\n")}\n`;
}

const chooseFile = (page: Page, text: string): Promise<void> =>
  page.setInputFiles("#setting-data", { name: "stories.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
const primary = (page: Page) => page.locator(".bar button.primary[aria-disabled=false]");

test("a file of one's own: explained, raced on, resumed, named in a link", async () => {
  const teacher = await startTeacherServer(createTask("word-problems"), { key: KEY, latencyMs: 50 });
  await using view = await openPage(browser);
  const { page } = view;
  try {
    const query = new URLSearchParams({
      task: "custom",
      teacher: "openai",
      at: teacher.url,
      says: SERVED_MODEL,
      ep: "wasm",
      rounds: "1",
      query: "3",
      each: "1",
      pool: "8",
      test: "6",
      epochs: "1",
      verify: "answer",
    });
    await page.goto(`${server.url}?${query.toString()}`);
    await page.locator("#app h1").waitFor({ timeout: MINUTE_MS });
    await openDrawer(page, "setup");
    await page.getByText("Choose a file of questions, please.").waitFor({ timeout: MINUTE_MS });

    await chooseFile(page, `${csvOf(3)}"How many?","no number here"\n,"#### 3"\n`);
    await page.getByText("Say which column holds the question.").first().waitFor({ timeout: MINUTE_MS });
    await page.locator("#setting-dataQuestion").selectOption("story");
    await page.locator("#setting-dataAnswer").selectOption("solution");
    await page.locator("#setting-dataChecker").selectOption("####");
    await page.getByText("2 of 5 rows cannot be used.").waitFor({ timeout: MINUTE_MS });
    expect(await page.locator(".row-problems").innerText()).toMatch(
      /stories\.csv: row 5.*got "no number here"[^]*row 6/,
    );
    // Start waits for data that can be used.
    await chooseFile(page, csvOf(60));
    // Columns chosen before it is read would be the last file's.
    await page.getByText(/The first \d+ rows of 60/).waitFor({ timeout: MINUTE_MS });
    await page.locator("#setting-dataQuestion").selectOption("story");
    await page.locator("#setting-dataAnswer").selectOption("solution");
    await page.locator("#setting-dataChecker").selectOption("####");
    await page.getByText(/\d+ different questions for the pool/).waitFor({ timeout: MINUTE_MS });
    expect(await page.locator(".golds").innerText()).toMatch(/Final answer: \d+/);
    await page.getByLabel("Key", { exact: true }).fill(KEY);

    const link = page.url();
    expect(link).toMatch(/sha256=[0-9a-f]{64}/);
    expect(link).not.toContain(KEY);
    await closeDrawer(page);
    await primary(page).click();
    await page
      .locator(".curve-point")
      .nth(1)
      .waitFor({ timeout: 4 * MINUTE_MS });

    // Killed in its middle: the worker's data are there again.
    await page.reload();
    await page.getByText("An unfinished run is here").waitFor({ timeout: MINUTE_MS });
    await openDrawer(page, "setup");
    await page.getByText(/\d+ different questions for the pool/).waitFor({ timeout: MINUTE_MS });
    await page.getByLabel("Key", { exact: true }).fill(KEY);
    await closeDrawer(page);
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.waitForFunction(() => document.querySelector(".status")?.textContent === "Finished.", undefined, {
      timeout: 4 * MINUTE_MS,
    });
    expect(await page.locator(".curve-point").count()).toBe(4);
    expect(view.problems).toEqual([]);

    // One file takes the run with its questions to another browser, which needs nothing else to talk to the students.
    await page.evaluate(() => void (location.hash = "#/runs"));
    await page.locator(".downloads summary").click({ timeout: MINUTE_MS });
    const [download] = await Promise.all([
      page.waitForEvent("download", { timeout: MINUTE_MS }),
      page.getByRole("button", { name: "Export the whole run" }).click(),
    ]);
    await page.getByText("your questions (stories.csv) included").waitFor({ timeout: MINUTE_MS });
    await using third = await openPage(browser);
    await third.page.goto(`${server.url}?ep=wasm#/runs`);
    await third.page.getByText("No run is kept yet").waitFor({ timeout: MINUTE_MS });
    await third.page.setInputFiles("input[aria-label='File of an exported run']", await download.path());
    await third.page.getByText(/^Imported 2 runs/).waitFor({ timeout: MINUTE_MS });
    await third.page.getByRole("button", { name: "Show", exact: true }).click({ timeout: MINUTE_MS });
    await third.page.locator(".curve-point").nth(3).waitFor({ timeout: MINUTE_MS });
    await third.page.evaluate(() => void (location.hash = "#/talk"));
    await third.page.locator(".examples button").first().waitFor({ timeout: MINUTE_MS });
    expect(third.problems).toEqual([]);

    // Elsewhere the link says which file it means.
    await using other = await openPage(browser);
    await other.page.goto(link);
    await other.page.locator("#app h1").waitFor({ timeout: MINUTE_MS });
    await openDrawer(other.page, "setup");
    await other.page
      .getByText(/"stories\.csv" \(SHA-256 [0-9a-f]{12}…\), got none in this browser|none in this browser/)
      .waitFor({ timeout: MINUTE_MS });
    await chooseFile(other.page, csvOf(60));
    await other.page.getByText(/\d+ different questions for the pool/).waitFor({ timeout: MINUTE_MS });
    expect(await other.page.locator("#setting-dataQuestion").inputValue()).toBe("story");
  } finally {
    await teacher.close();
  }
});
