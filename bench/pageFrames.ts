/**
 * @file How the built page keeps its frames, in Chromium: how soon it can be used; frames while
 * a race trains beside it on the real engine with a large pool on the screen, first watched, then
 * used; and with a race of very many rounds on it, its data table scrolled. A blank page beside the
 * same training says what of that is waiting for a core. Prints JSON; `docs/performance.md` says
 * what the figures mean.
 *
 *   npx vite build && npx tsx bench/pageFrames.ts [--parts start,rounds,training] [--pool 5000] [--rounds 1000] [--seconds 20] [--archive FILE] [--keep FOLDER]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import type { Locator, Page } from "playwright-core";
import { chromeFlags, findChrome, CHROME_HELP } from "../scripts/findChrome.mjs";
import { ROOT } from "../scripts/setup.mjs";
import { serveStatic } from "../test/support/serveStatic.ts";
import { ISOLATION_HEADERS } from "../vite.config.ts";
import { CATEGORIES, framesOf } from "./frameTrace.ts";
import type { Frames } from "./frameTrace.ts";
import { longRun } from "./longRun.ts";

const HOUR_MS = 3_600_000;
const VIEWPORT = { width: 1440, height: 1400 };
const { values } = parseArgs({
  options: {
    parts: { type: "string", default: "start,rounds,training" },
    pool: { type: "string", default: "5000" },
    rounds: { type: "string", default: "1000" },
    seconds: { type: "string", default: "20" },
    /** What `--parts rounds` shows, instead of making it: a file that the page exported. */
    archive: { type: "string" },
    /** `training` with one thread, as on a host that cannot isolate its pages. */
    "one-thread": { type: "boolean", default: false },
    /** Where traces are left. */
    keep: { type: "string" },
  },
});

const executablePath = findChrome();
if (executablePath === undefined) throw new Error(CHROME_HELP);
const oneThread = values["one-thread"];
const server = await serveStatic(
  join(ROOT, "dist"),
  oneThread ? { absent: ["serviceWorker.js"] } : { headers: ISOLATION_HEADERS },
);
const browser = await chromium.launch({ executablePath, headless: true, args: chromeFlags() });
try {
  const PARTS: Readonly<Record<string, () => Promise<unknown>>> = { start, rounds, training };
  for (const name of values.parts.split(",")) {
    const part = PARTS[name];
    if (part === undefined) throw new Error(`--parts: expected some of ${Object.keys(PARTS).join(", ")}, got ${name}`);
    process.stdout.write(`${JSON.stringify({ [name]: await part() }, null, 2)}\n`);
  }
} finally {
  await browser.close();
  await server[Symbol.asyncDispose]();
}

/** A cold start: a profile of its own, nothing cached. Times in ms since the navigation began. */
async function start(): Promise<unknown> {
  const context = await browser.newContext({ viewport: VIEWPORT });
  const page = await context.newPage();
  await page.addInitScript(`{
    const look = () => {
      if (document.querySelector("button.primary") !== null) globalThis.drawnMs ??= performance.now();
      if (document.querySelector("button.primary[aria-disabled=false]") !== null) globalThis.readyMs ??= performance.now();
      if (globalThis.readyMs === undefined) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }`);
  await browser.startTracing(page, { categories: CATEGORIES });
  await page.goto(server.url);
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: HOUR_MS });
  await page.waitForTimeout(100);
  const { mainThreadCpuMs } = framesOf(await browser.stopTracing());
  const times = await page.evaluate(`({
    firstContentfulPaintMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    drawnMs: globalThis.drawnMs,
    startCanBePressedMs: globalThis.readyMs,
    scripts: performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".js")),
  })`);
  const { scripts, ...shown } = times as { readonly scripts: readonly string[] };
  const gzip = scripts.map((url) => {
    const path = new URL(url).pathname;
    const file = path.startsWith("/assets/") ? join("assets", basename(path)) : basename(path);
    return gzipSync(readFileSync(join(ROOT, "dist", file))).length;
  });
  await context.close();
  return {
    ...shown,
    mainThreadCpuMs,
    pageScripts: scripts.length,
    pageScriptsGzipKB: gzip.reduce((sum, bytes) => sum + bytes, 0) / 1000,
  };
}

/** A race of many rounds, imported from a file: how long it takes to show, frames while it is looked at, memory. */
async function rounds(): Promise<unknown> {
  const archive = values.archive === undefined ? await longRun(Number(values.rounds)) : readFileSync(values.archive);
  const context = await browser.newContext({ viewport: VIEWPORT });
  const page = await context.newPage();
  await page.goto(`${server.url}#/runs`);
  await page.locator("input[type=file]").waitFor({ state: "attached" });
  await page.locator("input[type=file]").setInputFiles({
    name: "long.zip",
    mimeType: "application/zip",
    buffer: Buffer.from(archive),
  });
  const show = page.getByRole("button", { name: "Show", exact: true });
  await show.waitFor({ timeout: HOUR_MS });
  const compare = await traced("rounds-compare", page, () => page.locator(".race-compare input").first().check());
  let openMs = 0;
  const open = await traced("rounds-open", page, async () => {
    const fromMs = performance.now();
    await show.click();
    await page.waitForFunction(() => document.querySelectorAll(".curve-band").length >= 2, undefined, {
      timeout: HOUR_MS,
    });
    openMs = Math.round(performance.now() - fromMs);
  });
  const race = await traced("rounds-race", page, () => scroll(page));
  const heap = await heapMB(page);
  await page.goto(`${server.url}#/data`);
  await page.locator(".pair-row").first().waitFor({ timeout: HOUR_MS });
  const rows = Number(await page.locator(".pair-grid").getAttribute("aria-rowcount")) - 1;
  await page.locator(".grid-body").hover();
  const table = await traced("rounds-table", page, () => scroll(page));
  const sort = await traced("rounds-sort", page, async () => {
    for (const column of ["Loss before", "Question", "Score"]) {
      await page.getByRole("columnheader", { name: column }).getByRole("button").click();
      await pause(page, 300);
    }
  });
  const memory = { raceMB: heap, tableMB: await heapMB(page) };
  await context.close();
  return { rounds: Number(values.rounds), tableRows: rows, openMs, memory, open, compare, race, table, sort };
}

/** Frames beside training: watched, used, and of a blank page in place of ours. */
async function training(): Promise<unknown> {
  const context = await browser.newContext({ viewport: VIEWPORT });
  const page = await context.newPage();
  // Few tokens an answer: the pool is large, not the time until it is there.
  const settings = {
    ep: "wasm",
    pool: values.pool,
    test: "8",
    rounds: "1",
    query: "400",
    each: "2",
    epochs: "20",
    tokens: "1",
  };
  await page.goto(`${server.url}?${new URLSearchParams(settings).toString()}`);
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: HOUR_MS });
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForFunction(
    () => {
      const doing = [...document.querySelectorAll(".phase-sentence")].map(({ textContent }) => textContent ?? "");
      return doing.length > 0 && doing.every((text) => /step \d+ of/.test(text));
    },
    undefined,
    { timeout: HOUR_MS },
  );
  const seeds = await page
    .locator(".pool[data-seeds]")
    .evaluateAll((pools) => pools.map((pool) => Number((pool as HTMLElement).dataset["seeds"])));
  const step = (): Promise<string> => page.locator(".lane-0 .phase-sentence").innerText();
  const before = await step();
  const watched = await traced("training-watched", page, () => pause(page, Number(values.seconds) * 1000));
  const used = await traced("training-used", page, await poolUse(page));
  const after = await step();
  const blank = await context.newPage();
  await blank.goto(`${server.url}icon.svg`);
  const control = await traced("training-blank-page", blank, () => pause(blank, Number(values.seconds) * 1000));
  await context.close();
  return { seeds, progress: [before, after], watched, used, blankPage: control };
}

/** What moves the pointer over the first pool as often as a mouse does, zooms, and changes what places the seeds. */
async function poolUse(page: Page): Promise<() => Promise<void>> {
  const pool = await boxOf(page.locator(".lane-0 [role=slider]"));
  // Looked for before the trace: the search runs in the page and would be counted as its work.
  const press = await Promise.all(
    [
      page.getByRole("button", { name: "Zoom in" }),
      page.getByRole("button", { name: "All", exact: true }),
      page.getByText("Loss of worked answer"),
      page.getByText("Loss of own answer"),
    ].map(boxOf),
  );
  return async () => {
    const endMs = performance.now() + Number(values.seconds) * 1000;
    for (let turn = 0; performance.now() < endMs; turn++) {
      const share = (turn % 40) / 40;
      await page.mouse.move(
        pool.x + 20 + share * (pool.width - 40),
        pool.y + 40 + ((turn * 37) % Math.max(1, pool.height - 60)),
      );
      await pause(page, 8);
      const target = press[Math.floor(turn / 40) % press.length];
      if (turn % 40 === 20 && target !== undefined)
        await page.mouse.click(target.x + target.width / 2, target.y + target.height / 2);
    }
  };
}

type Box = Readonly<Record<"x" | "y" | "width" | "height", number>>;

/** Where it is on the screen, in CSS pixels. */
async function boxOf(locator: Locator): Promise<Box> {
  const box = await locator.boundingBox();
  if (box === null) throw new Error(`${locator.toString()} is not on the screen`);
  return box;
}

/** Turns the wheel down and up again. */
async function scroll(page: Page): Promise<void> {
  const endMs = performance.now() + Number(values.seconds) * 500;
  for (let turn = 0; performance.now() < endMs; turn++) {
    await page.mouse.wheel(0, turn % 60 < 30 ? 400 : -400);
    await pause(page, 16);
  }
}

function pause(page: Page, ms: number): Promise<void> {
  return page.waitForTimeout(ms);
}

/** Frames of the page while `act` is under way. */
async function traced(name: string, page: Page, act: () => Promise<unknown>): Promise<Frames> {
  await browser.startTracing(page, { categories: CATEGORIES });
  // As text: tsx would put a helper of its own into a function.
  await page.evaluate(`{
    const mine = (globalThis.frameTurn = (globalThis.frameTurn ?? 0) + 1);
    requestAnimationFrame(function tick() {
      if (globalThis.frameTurn === mine) requestAnimationFrame(tick);
    });
  }`);
  await act();
  await page.evaluate("globalThis.frameTurn++");
  const trace = await browser.stopTracing();
  if (values.keep !== undefined) {
    mkdirSync(values.keep, { recursive: true });
    writeFileSync(join(values.keep, `${name}.json`), trace);
  }
  return framesOf(trace);
}

/** The page's JavaScript heap in MB after a collection. */
async function heapMB(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return Math.round(usedSize / 1e5) / 10;
}
