/**
 * @file How long the page keeps a frame while a race trains beside it: the built page in
 * Chromium on the real engine, a large pool on the screen, the pointer moving over it, zoom and
 * projection changed; main-thread tasks from a trace of the browser, intervals between frames
 * from the page. Prints JSON.
 *
 *   npx vite build && npx tsx bench/pageFrames.ts [--pool 5000] [--seconds 20] [--keep trace.json]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { chromeFlags, findChrome, CHROME_HELP } from "../scripts/findChrome.mjs";
import { ROOT } from "../scripts/setup.mjs";
import { serveStatic } from "../test/support/serveStatic.ts";
import { ISOLATION_HEADERS } from "../vite.config.ts";

const HOUR_MS = 3_600_000;
const { values } = parseArgs({
  options: {
    pool: { type: "string", default: "5000" },
    seconds: { type: "string", default: "20" },
    keep: { type: "string" },
  },
});

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args?: { readonly name?: string; readonly data?: { readonly documentLoaderURL?: string } };
}

const executablePath = findChrome();
if (executablePath === undefined) throw new Error(CHROME_HELP);
const server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
const browser = await chromium.launch({ executablePath, headless: true, args: chromeFlags() });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1400 } });
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
  await page.locator("button.primary[aria-disabled=false]").waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForFunction(
    () => /step \d+ of/.test(document.querySelector(".lane-0 .phase-sentence")?.textContent ?? ""),
    undefined,
    { timeout: HOUR_MS },
  );
  const shown = await page.locator(".pool[data-seeds]").first().getAttribute("data-seeds");

  const slider = page.locator(".lane-0 [role=slider]");
  const box = await slider.boundingBox();
  if (box === null) throw new Error("the pool is not on the screen");
  await browser.startTracing(page, {
    categories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"],
  });
  // As text: tsx would put a helper of its own into a function.
  await page.evaluate(`{
    const intervals = (globalThis.frameIntervals = []);
    let last = performance.now();
    requestAnimationFrame(function tick() {
      const now = performance.now();
      intervals.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    });
  }`);
  const stepBefore = await page.locator(".lane-0 .phase-sentence").innerText();
  const endMs = performance.now() + Number(values.seconds) * 1000;
  for (let turn = 0; performance.now() < endMs; turn++) {
    const share = (turn % 40) / 40;
    await page.mouse.move(
      box.x + 20 + share * (box.width - 40),
      box.y + 40 + ((turn * 37) % Math.max(1, box.height - 60)),
    );
    if (turn % 40 === 10) await page.getByRole("button", { name: "Zoom in" }).click();
    if (turn % 40 === 20) await page.getByRole("button", { name: "All", exact: true }).click();
    if (turn % 80 === 30) await page.getByText("Loss of worked answer").click();
    if (turn % 80 === 70) await page.getByText("Loss of own answer").click();
  }
  const stepAfter = await page.locator(".lane-0 .phase-sentence").innerText();
  const intervals = await page.evaluate(() => (globalThis as unknown as { frameIntervals: number[] }).frameIntervals);
  const trace = await browser.stopTracing();
  if (values.keep !== undefined) writeFileSync(values.keep, trace);
  const tasks = mainThreadTasks(JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] });
  const report = {
    seedsShown: Number(shown),
    seconds: Number(values.seconds),
    training: [stepBefore, stepAfter],
    mainThreadTasksMs: summary(tasks),
    tasksOver50Ms: tasks.filter((task) => task > 50).length,
    frameIntervalsMs: summary(intervals),
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  await browser.close();
  await server[Symbol.asyncDispose]();
}

/** Durations in ms of the tasks of the page's own main thread: that of the renderer which drew most frames. */
function mainThreadTasks({ traceEvents }: { readonly traceEvents: readonly TraceEvent[] }): number[] {
  const mains = traceEvents.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
  const key = ({ pid, tid }: TraceEvent): string => `${pid} ${tid}`;
  const frames = new Map<string, number>();
  for (const event of traceEvents)
    if (event.name === "FireAnimationFrame") frames.set(key(event), (frames.get(key(event)) ?? 0) + 1);
  const main = mains.map(key).sort((a, b) => (frames.get(b) ?? 0) - (frames.get(a) ?? 0))[0];
  return traceEvents.flatMap((event) =>
    event.name === "RunTask" || event.name.endsWith("ThreadControllerImpl::RunTask")
      ? key(event) === main && event.dur !== undefined
        ? [event.dur / 1000]
        : []
      : [],
  );
}

function summary(values: readonly number[]): Readonly<Record<string, number>> {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)) / 10;
  return { count: sorted.length, median: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
