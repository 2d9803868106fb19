/**
 * @file The built page on the real worker and engine: the default loop rises, an
 * interrupted run ends as an undisturbed one, every engine says what it is.
 */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { LIMITS } from "../../src/app/laneState.ts";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { engineText } from "../support/drawers.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import type { WatchedPage } from "../support/chromium.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";

const MINUTE_MS = 60_000;
/** Two rounds of both lanes in seconds; every phase is there. */
const SMALL = "rounds=2&query=4&each=1&pool=12&test=12&epochs=1";
/** One round of the default loop with as many pairs as several of its rounds: enough to rise in little time. */
const RISING = { rounds: 1, query: 120, each: 4, pool: 160, test: 100, epochs: 2 };
/** The least there is: software WebGPU compiles every graph for half a minute. */
const TINY = "rounds=1&query=1&each=1&pool=1&test=1&epochs=1";

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

/** The page with these settings, ready for Start. */
async function open(query: string, url = server.url): Promise<WatchedPage> {
  const view = await openPage(browser);
  await view.page.goto(`${url}?${query}`);
  await ready(view.page);
  return view;
}

/** Resolves when the primary button can be pressed. */
async function ready(page: Page): Promise<void> {
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: MINUTE_MS });
}

const press = (page: Page, label: string): Promise<void> =>
  page.getByRole("button", { name: label, exact: true }).click();
const statusOf = (page: Page): Promise<string> => page.locator(".status").innerText();

/** Resolves when the status is `status`; throws with the page's words when it shows an error first. */
async function reach(page: Page, status: string, timeout: number): Promise<void> {
  const seen = await page.waitForFunction(
    (wanted) => {
      const alert = document.querySelector("[role=alert]")?.textContent;
      if (alert !== undefined) return alert;
      return document.querySelector(".status")?.textContent === wanted ? "reached" : undefined;
    },
    status,
    { timeout },
  );
  expect(await seen.jsonValue()).toBe("reached");
}

/** One line of the page's table of rounds. */
interface Row {
  readonly round: number;
  readonly lane: string;
  /** Pairs, right answers, accuracy, interval, training loss, as shown. */
  readonly figures: readonly string[];
  readonly correct: number;
}

/** The table of rounds. */
async function rowsOf(page: Page): Promise<Row[]> {
  const cells = await page
    .locator(".numbers tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.children].map(({ textContent }) => textContent ?? "")));
  return cells.map(([round, lane, ...figures]) => ({
    round: Number(round),
    lane: lane!,
    figures,
    correct: Number.parseInt(figures[1]!, 10),
  }));
}

let undisturbed: Promise<Row[]> | undefined;

/** What the small run shows at its end when nothing happens to it. */
function undisturbedRows(): Promise<Row[]> {
  undisturbed ??= (async () => {
    await using view = await open(`ep=wasm&${SMALL}`);
    await press(view.page, "Start");
    await reach(view.page, "Finished.", 4 * MINUTE_MS);
    expect(view.problems).toEqual([]);
    return await rowsOf(view.page);
  })();
  return undisturbed;
}

/** Resolves in the middle of the first round's training, when both lanes have their first point. */
async function inTraining(page: Page): Promise<void> {
  await page.waitForFunction(
    () =>
      document.querySelectorAll(".curve-point").length >= 2 &&
      /step \d+ of/.test(document.querySelector(".lane-0 .phase-sentence")?.textContent ?? ""),
    undefined,
    { timeout: 4 * MINUTE_MS },
  );
}

test(
  "the loop on WASM: curves, pool, pairs and engine are shown, and accuracy on held-out questions rises",
  async () => {
    const settings = Object.entries(RISING).map(([name, value]) => `${name}=${value}`);
    await using view = await open(`ep=wasm&${settings.join("&")}`);
    const { page } = view;
    await press(page, "Start");
    await reach(page, "Finished.", 12 * MINUTE_MS);
    const rows = await rowsOf(page);
    expect(rows.map(({ round }) => round)).toEqual([0, 0, 1, 1]);
    const gains = [0, 1].map((lane) => rows.at(lane - 2)!.correct - rows[lane]!.correct);
    // Of questions that nothing was trained on; which lane gains more is not a promise.
    expect(Math.max(...gains), JSON.stringify(rows)).toBeGreaterThan(0);

    for (const lane of [".lane-0", ".lane-1"]) {
      const pool = page.locator(`${lane} .pool`);
      expect(await pool.getAttribute("data-seeds")).toBe(String(RISING.pool));
      expect(await pool.getAttribute("data-picked")).toBe(String(RISING.query));
      expect(await page.locator(`${lane} .pair`).count()).toBe(LIMITS.examples);
      expect(await page.locator(`${lane} .pair`).first().innerText()).toMatch(/accepted|rejected/);
    }
    expect(await engineText(page)).toMatch(
      /Engine WASM on the CPU Threads \d+ Runtime onnxruntime-web \S+ Cross-origin isolated yes Student builtin, [\d,. M]+ parameters Training [\d,]+ tokens\/s/,
    );
    expect(view.problems).toEqual([]);
  },
  15 * MINUTE_MS,
);

test(
  "a reload in the middle of training shows the unfinished run, and Resume ends it as if nothing had happened",
  async () => {
    const expected = await undisturbedRows();
    await using view = await open(`ep=wasm&${SMALL}`);
    const { page } = view;
    await press(page, "Start");
    await inTraining(page);
    await page.reload();
    await ready(page);
    // The page that is gone may hold the run for a moment longer: until then it is "open in another tab".
    await page.locator(".banner", { hasText: "An unfinished run is here" }).waitFor({ timeout: MINUTE_MS });
    expect((await rowsOf(page)).length).toBeLessThan(expected.length);
    await press(page, "Resume");
    await reach(page, "Finished.", 4 * MINUTE_MS);
    expect(await rowsOf(page)).toEqual(expected);
    expect(view.problems).toEqual([]);
  },
  15 * MINUTE_MS,
);

test(
  "a reload in every phase leaves a run that goes on, and ends as if nothing had happened",
  async () => {
    const expected = await undisturbedRows();
    await using view = await open(`ep=wasm&${SMALL}`);
    const { page } = view;
    const follow = (): Promise<string[]> => page.getByLabel("Pace").selectOption("follow");
    await follow();
    await press(page, "Start");
    const seen: string[] = [];
    for (let phase = 0; phase < 6; phase++) {
      // With two seconds between phases a lane that has come to one is still there.
      const there = page.locator(".phase").nth(phase).and(page.locator(".phase-active, .phase-here"));
      await there.waitFor({ timeout: 2 * MINUTE_MS });
      seen.push(await there.locator(".phase-name").innerText());
      await page.reload();
      await ready(page);
      await page.locator(".banner", { hasText: "An unfinished run is here" }).waitFor({ timeout: MINUTE_MS });
      await follow();
      await press(page, "Resume");
    }
    expect(seen).toEqual(["Score", "Select", "Ask teacher", "Verify", "Train", "Evaluate"]);
    await page.getByLabel("Pace").selectOption("full");
    await reach(page, "Finished.", 4 * MINUTE_MS);
    expect(await rowsOf(page)).toEqual(expected);
    expect(view.problems).toEqual([]);
  },
  15 * MINUTE_MS,
);

test(
  "a worker that dies is told with Restart, which ends the run as if nothing had happened",
  async () => {
    const expected = await undisturbedRows();
    await using view = await open(`ep=wasm&${SMALL}`);
    const { page } = view;
    await press(page, "Start");
    await inTraining(page);
    const worker = page.workers().find((candidate) => candidate.url().startsWith("blob:"));
    await worker!.evaluate(() =>
      setTimeout(() => {
        throw new Error("struck by lightning");
      }),
    );
    await page.locator("[role=alert]").waitFor({ timeout: MINUTE_MS });
    expect(await page.locator("[role=alert]").innerText()).toContain("struck by lightning");
    await press(page, "Restart");
    // The page draws once a frame: the alert that was answered may still be there for one.
    await page.locator("[role=alert]").waitFor({ state: "detached", timeout: MINUTE_MS });
    await reach(page, "Finished.", 4 * MINUTE_MS);
    expect(await rowsOf(page)).toEqual(expected);
    expect(view.problems.filter((problem) => !problem.includes("struck by lightning"))).toEqual([]);
  },
  15 * MINUTE_MS,
);

test(
  "a host that cannot isolate: one thread, said with its reason, and the loop still ends, with the same numbers",
  async () => {
    const expected = await undisturbedRows();
    await using bare = await serveStatic(join(ROOT, "dist"), { absent: ["serviceWorker.js"] });
    await using view = await open(`ep=wasm&${SMALL}`, bare.url);
    const { page } = view;
    await press(page, "Start");
    await reach(page, "Finished.", 4 * MINUTE_MS);
    const engine = await engineText(page);
    expect(engine).toContain("Threads 1 ");
    expect(engine).toContain("Cross-origin isolated no: one thread only");
    expect(engine).toContain("the page is not cross-origin isolated");
    expect(await rowsOf(page)).toEqual(expected);
    // The missing service worker is the host's; nothing else may be wrong.
    expect(
      view.problems.filter((problem) => !problem.includes("serviceWorker.js") && !problem.includes("404")),
    ).toEqual([]);
  },
  10 * MINUTE_MS,
);

test("a service worker that never gets ready: the page opens all the same, on one thread", async () => {
  await using bare = await serveStatic(join(ROOT, "dist"));
  // Playwright's block leaves the page waiting for one.
  await using view = await openPage(browser, { serviceWorkers: "block" });
  await view.page.goto(`${bare.url}?ep=wasm`);
  await ready(view.page);
  expect(await view.page.evaluate(() => crossOriginIsolated)).toBe(false);
  expect(view.problems).toEqual([]);
});

test(
  "a browser without WebGPU: engine auto goes on with WASM and says why; asking for WebGPU says what to do",
  async () => {
    const bare = await launchChromium(["--no-sandbox", "--disable-gpu", "--disable-features=Vulkan,WebGPU"]);
    try {
      await using view = await openPage(bare);
      const { page } = view;
      await page.goto(`${server.url}?${TINY}`);
      await ready(page);
      expect(await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) ?? null)).toBeNull();
      await press(page, "Start");
      await reach(page, "Finished.", 4 * MINUTE_MS);
      const engine = await engineText(page);
      expect(engine).toContain("Engine WASM on the CPU");
      expect(engine).toMatch(/Why not a faster engine .*(webgpu|adapter)/i);
      await page.goto(`${server.url}?${TINY}&ep=webgpu`);
      await ready(page);
      await press(page, "Start");
      await page.locator("[role=alert]").waitFor({ timeout: MINUTE_MS });
      expect(await page.locator("[role=alert]").innerText()).toMatch(/WebGPU|webgpu/);
      expect(await page.locator("[role=alert]").innerText()).toContain("wasm");
      expect(view.problems).toEqual([]);
    } finally {
      await bare.close();
    }
  },
  10 * MINUTE_MS,
);

test(
  "everything by keyboard: settings, Start, Pause, Step and New run; with engine auto the page says why it is WASM",
  async () => {
    await using view = await open(SMALL);
    const { page } = view;
    const { keyboard } = page;
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 80; presses++) {
        await keyboard.press("Tab");
        const focused = await page.evaluate(() => {
          const element = document.activeElement;
          return element instanceof HTMLInputElement ? element.id : (element?.textContent ?? "");
        });
        if (focused.startsWith(name)) return;
      }
      throw new Error(`Tab never reached ${name}`);
    };
    await tabTo("Set up");
    await keyboard.press("Enter");
    await page.locator("dialog[open]").waitFor({ timeout: MINUTE_MS });
    await tabTo("setting-seed");
    await keyboard.type("3");
    await keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelector("dialog") === null, undefined, { timeout: MINUTE_MS });
    // The focus is back where it was.
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Set up");
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    expect(new URL(page.url()).searchParams.get("seed")).toBe("3");

    await tabTo("Step");
    await keyboard.press("Enter");
    await reach(page, "Paused.", 4 * MINUTE_MS);
    // Round 0 is one phase, and its summary belongs to it.
    expect(await page.locator(".curve-point").count()).toBe(2);
    const engine = await engineText(page);
    expect(engine).toContain("Engine WASM on the CPU");
    expect(engine).toMatch(/webgpu not used: .*software/);

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await tabTo("Resume");
    await keyboard.press("Space");
    await inTraining(page);
    await keyboard.press("Space");
    await reach(page, "Paused.", MINUTE_MS);
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Resume");

    await tabTo("New run");
    await keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll(".curve-point").length === 0, undefined, {
      timeout: MINUTE_MS,
    });
    expect(await statusOf(page)).toContain("Ready.");
    expect(view.problems).toEqual([]);
  },
  10 * MINUTE_MS,
);

test(
  "the loop on (software) WebGPU: the engine passes its self-test, losses of training steps appear, the run ends",
  async () => {
    await using view = await open(`ep=webgpu&${TINY}`);
    const { page } = view;
    await press(page, "Start");
    await reach(page, "Finished.", 18 * MINUTE_MS);
    expect(await engineText(page)).toMatch(/Engine WebGPU Adapter .+ Self-test a training step agrees with wasm/);
    const rows = await rowsOf(page);
    expect(rows.map(({ round }) => round)).toEqual([0, 0, 1, 1]);
    for (const row of rows.slice(2)) expect(Number(row.figures.at(-1))).toBeGreaterThan(0);
    expect(view.problems).toEqual([]);
  },
  20 * MINUTE_MS,
);
