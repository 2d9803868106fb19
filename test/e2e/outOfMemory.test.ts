/**
 * @file A student that needs more memory than WebAssembly has, for real, on the built page: rows so long that attention
 * over them outgrows the 4 GiB heap. The page says what helps, lives on, and both the run itself and a new one work with less.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { closeDrawer, openDrawer } from "../support/drawers.ts";
import { serveStatic, type StaticServer } from "../support/serveStatic.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

const MINUTE_MS = 60_000;
/** The fixture's tokenizer reads characters: six heads over 14,000 of them are 4.7 GB for one tensor of attention scores. */
const LONG = 14_000;

/** Attention over four such rows outgrows the heap in training, over two it does not. */
const TOO_LONG_FOR_FOUR = 3300;

let browser: Browser;
let server: StaticServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tutelage-memory-"));
  const source = await tinyStudentSource(16_384);
  mkdirSync(join(folder, "tiny"));
  for (const path of (await source.list?.()) ?? []) writeFileSync(join(folder, "tiny", path), await source.read(path));
  browser = await launchChromium();
  server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Questions whose worked answers have so many characters. */
function csvOf(length: number): string {
  const working = "three apples "
    .repeat(Math.ceil(length / 13))
    .slice(0, length)
    .trim();
  return `question,working,answer\n${Array.from({ length: 20 }, (_, n) => `Tom has ${n} apples,${working},${n}`).join("\n")}\n`;
}

/** Chooses data in the open set-up drawer; resolves when Start may be pressed. */
async function chooseData(page: Page, name: string, text: string): Promise<void> {
  await page.setInputFiles("#setting-data", { name, mimeType: "text/csv", buffer: Buffer.from(text) });
  await page.locator("#setting-dataQuestion").selectOption("question");
  await page.locator("#setting-dataWorking").selectOption("working");
  await page.locator("#setting-dataAnswer").selectOption("answer");
  await page.locator("#setting-dataChecker").selectOption("exact");
  await page.getByText(/\d+ different questions for the pool/).waitFor({ timeout: MINUTE_MS });
}

test(
  "what outgrows the heap is said with what helps; the page lives, and a run that needs less works without a reload",
  async () => {
    await using view = await openPage(browser);
    const { page } = view;
    await page.goto(
      `${server.url}?task=custom&teacher=none&student=folder&ep=wasm&rounds=1&query=1&pool=2&test=2&epochs=1&tokens=4`,
    );
    await page.locator("#app h1").waitFor({ timeout: MINUTE_MS });
    await openDrawer(page, "setup");
    await page.locator("#setting-folder").setInputFiles(join(folder, "tiny"));
    await chooseData(page, "long.csv", csvOf(LONG));
    await closeDrawer(page);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const alert = page.locator("[role=alert]").first();
    await alert.waitFor({ timeout: 4 * MINUTE_MS });
    expect(await alert.innerText()).toMatch(
      /scoring in batches of up to 32 rows: not enough memory \([^/]*\)\. Smaller batches, shorter rows, or a smaller student.*LoRA/s,
    );

    // The same page, the same worker: the visitor presses New run, and takes less.
    await page.getByRole("button", { name: "New run", exact: true }).click();
    await alert.waitFor({ state: "detached", timeout: MINUTE_MS });
    await openDrawer(page, "setup");
    await chooseData(page, "short.csv", csvOf(40));
    await closeDrawer(page);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const ended = await page.waitForFunction(
      () =>
        document.querySelector("[role=alert]")?.textContent ??
        (document.querySelector(".status")?.textContent === "Finished." ? "finished" : undefined),
      undefined,
      { timeout: 4 * MINUTE_MS },
    );
    expect(await ended.jsonValue()).toBe("finished");
    expect(await page.locator(".curve-point").count()).toBe(4);
    expect(view.problems).toEqual([]);
  },
  10 * MINUTE_MS,
);

test(
  "a training that does not fit goes on in less by one press, and keeps the round that was done",
  async () => {
    await using view = await openPage(browser);
    const { page } = view;
    await page.goto(
      `${server.url}?task=custom&teacher=none&student=folder&method=full&ep=wasm&rounds=1&query=4&pool=4&test=2&epochs=1&tokens=4&replay=0&batch=4&a=random&b=random`,
    );
    await page.locator("#app h1").waitFor({ timeout: MINUTE_MS });
    await openDrawer(page, "setup");
    await page.locator("#setting-folder").setInputFiles(join(folder, "tiny"));
    await chooseData(page, "long.csv", csvOf(TOO_LONG_FOR_FOUR));
    await closeDrawer(page);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const alert = page.locator(".lane.lane-0 [role=alert]");
    await alert.waitFor({ timeout: 4 * MINUTE_MS });
    const said = await alert.innerText();
    expect(said).toMatch(/training on wasm: expected at most 4.29 GB of memory.*A batch size of 2 .*would fit/s);
    expect(said).toContain("training in batches of 2 × 2 accumulated instead of 4 × 1");
    // One press is for all lanes that have said so. Not the live region, which begins with the same words.
    await page.locator(".status", { hasText: "Stopped: the lanes say why." }).waitFor({ timeout: 4 * MINUTE_MS });
    await page.getByRole("button", { name: "Resume in less memory" }).first().click();
    await page.locator(".status", { hasText: "Finished." }).waitFor({ timeout: 4 * MINUTE_MS });
    expect(await page.locator("[role=alert]").count()).toBe(0);
    expect(await page.locator(".curve-point").count()).toBe(4);
    expect(await page.getByText("From round 1 on: training in batches of 2 × 2").count()).toBe(2);
    expect(view.problems).toEqual([]);
  },
  10 * MINUTE_MS,
);
