/**
 * @file Students that are not built in, on the built page: from a hub (a local one in the
 * place of Hugging Face's), over a connection that breaks, kept in the browser, deleted;
 * and from a folder.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage, type WatchedPage } from "../support/chromium.ts";
import { closeDrawer, engineText, openDrawer } from "../support/drawers.ts";
import { COMMIT, startFakeHub, type FakeHub } from "../support/fakeHub.ts";
import { adapterDirectory } from "../support/goldens.ts";
import { serveStatic, type StaticServer } from "../support/serveStatic.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

const MINUTE_MS = 60_000;
const WEIGHTS = "model.safetensors";
const ADAPTER_CONFIG = "adapter_config.json";
const ADAPTER_WEIGHTS = "adapter_model.safetensors";
/** The least there is of a run. */
const TINY = "ep=wasm&rounds=1&query=1&each=1&pool=2&test=2&epochs=1";

let browser: Browser;
let server: StaticServer;
let hub: FakeHub;
const files = new Map<string, Uint8Array>();

beforeAll(async () => {
  const source = await tinyStudentSource();
  for (const name of (await source.list?.()) ?? []) files.set(name, await source.read(name));
  hub = await startFakeHub({
    "org/tiny": { commit: COMMIT, files },
    "org/lora": { commit: COMMIT, files: adapterFiles("llama-gqa-tied", "org/base") },
    "org/other-lora": { commit: COMMIT, files: adapterFiles("llama-untied", "org/other") },
  });
  browser = await launchChromium();
  server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

/** The adapter fixture's files, made for `base` by what they say. */
function adapterFiles(name: string, base: string): ReadonlyMap<string, Uint8Array> {
  const folder = adapterDirectory(name);
  const config = JSON.parse(readFileSync(join(folder, ADAPTER_CONFIG), "utf8")) as object;
  const text = JSON.stringify({ ...config, base_model_name_or_path: base });
  return new Map([
    [ADAPTER_CONFIG, new TextEncoder().encode(text)],
    [ADAPTER_WEIGHTS, new Uint8Array(readFileSync(join(folder, ADAPTER_WEIGHTS)))],
  ]);
}

async function open(query: string): Promise<WatchedPage> {
  const view = await openPage(browser);
  // What the page asks Hugging Face for, the local hub answers.
  await view.context.route("https://huggingface.co/**", async (route) => {
    const { range } = route.request().headers();
    const url = route.request().url().replace("https://huggingface.co", hub.endpoint);
    const answer = await fetch(url, range === undefined ? {} : { headers: { range } });
    // With the length of the whole file a part of it is a connection that broke.
    const whole = url.endsWith(`/${WEIGHTS}`) && answer.status === 200 ? files.get(WEIGHTS)?.length : undefined;
    const headers = {
      ...Object.fromEntries(answer.headers),
      ...(whole === undefined ? {} : { "content-length": String(whole) }),
    };
    const body = Buffer.from(await answer.arrayBuffer());
    await route.fulfill({ status: answer.status, headers, body });
  });
  await view.page.goto(`${server.url}?${query}`);
  await ready(view.page);
  return view;
}

async function ready(page: Page): Promise<void> {
  await page.locator("button.primary:not(:text('Starting'))").waitFor({ timeout: MINUTE_MS });
  await page.waitForFunction(() => /^(Ready|Correct)/.test(document.querySelector(".status")?.textContent ?? ""));
}

const press = (page: Page, label: string): Promise<void> =>
  page.getByRole("button", { name: label, exact: true }).click();

/** Runs to the end; throws with the page's words when it shows an error. */
async function run(page: Page): Promise<void> {
  await press(page, "Start");
  const seen = await page.waitForFunction(
    () =>
      document.querySelector("[role=alert]")?.textContent ??
      (document.querySelector(".status")?.textContent === "Finished." ? "finished" : undefined),
    undefined,
    { timeout: 4 * MINUTE_MS },
  );
  expect(await seen.jsonValue()).toBe("finished");
}

test(
  "a model from the hub is fetched over a broken connection, trained, kept, used again without the hub, deleted",
  async () => {
    await using view = await open(`${TINY}&student=hub&model=org/tiny`);
    const { page } = view;
    hub.fail(WEIGHTS, { kind: "short", after: 7000 });
    await run(page);
    expect(new Set(hub.ranges(WEIGHTS))).toEqual(new Set([undefined, "bytes=7000-"]));
    expect(await engineText(page)).toMatch(/Student org\/tiny@01234567, [\d,. M]+ parameters, [\d,]+ trained/);
    expect(hub.requests.every(({ authorization }) => authorization === undefined)).toBe(true);

    await page.reload();
    await ready(page);
    await openDrawer(page, "setup");
    await page.locator(".models li").waitFor({ timeout: MINUTE_MS });
    expect(await page.locator(".models li").allInnerTexts()).toEqual([
      expect.stringMatching(/org\/tiny@01234567, \d+\skB/),
    ]);
    const asked = hub.requests.length;
    await closeDrawer(page);
    await run(page);
    expect(hub.requests.slice(asked).map(({ path }) => path)).toEqual(["/api/models/org/tiny/revision/main"]);
    // The race that is open reads from it.
    await openDrawer(page, "setup");
    expect(await page.getByRole("button", { name: "Delete org/tiny at 01234567" }).isDisabled()).toBe(true);
    await closeDrawer(page);
    await press(page, "New run");
    await openDrawer(page, "setup");
    await page.getByRole("button", { name: "Delete org/tiny at 01234567" }).click();
    await page.waitForFunction(() => document.querySelector(".models") === null);
    expect(view.problems).toEqual([]);
  },
  10 * MINUTE_MS,
);

test(
  "a model that is not there is an error on a page that goes on; a folder that was picked is a student",
  async () => {
    await using view = await open(`${TINY}&student=hub&model=org/nothing`);
    const { page } = view;
    await press(page, "Start");
    await page.locator("[role=alert]").waitFor({ timeout: MINUTE_MS });
    expect(await page.locator("[role=alert]").innerText()).toMatch(
      /org\/nothing@main: expected a model on https:\/\/huggingface\.co, got HTTP status 404/,
    );
    await press(page, "Dismiss");

    const place = mkdtempSync(join(tmpdir(), "tutelage-folder-"));
    try {
      const folder = join(place, "my-model");
      mkdirSync(folder);
      for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
      await openDrawer(page, "setup");
      await page.getByLabel("Student", { exact: true }).selectOption("folder");
      await page.locator(".status", { hasText: "Correct the marked settings" }).waitFor({ timeout: MINUTE_MS });
      await page.locator("#setting-folder").setInputFiles(folder);
      await page.waitForFunction(() => document.querySelector("#about-folder")?.textContent?.includes("my-model"));
      await closeDrawer(page);
      await run(page);
      expect(await engineText(page)).toMatch(/Student my-model, [\d,. M]+ parameters/);
    } finally {
      rmSync(place, { recursive: true });
    }
    expect(view.problems.filter((problem) => !problem.includes("404"))).toEqual([]);
  },
  10 * MINUTE_MS,
);

test(
  "an adapter is named beside the student: one of another model is refused by its base model's name, its own is trained further",
  async () => {
    await using view = await open(`${TINY}&student=hub&model=org/tiny&adapter=org/other-lora`);
    const { page } = view;
    await press(page, "Start");
    await page.locator("[role=alert]").waitFor({ timeout: MINUTE_MS });
    expect(await page.locator("[role=alert]").innerText()).toMatch(
      /org\/other-lora@01234567.*The adapter belongs to another model: its adapter_config\.json names org\/other/s,
    );
    await press(page, "Dismiss");

    await openDrawer(page, "setup");
    const field = page.locator("#setting-adapter");
    await field.fill("not a name");
    await page.locator("#about-adapter.field-error", { hasText: "org/name" }).waitFor({ timeout: MINUTE_MS });
    await field.fill(`org/lora@${COMMIT}`);
    await page.locator("#about-adapter.field-help").waitFor({ timeout: MINUTE_MS });
    await closeDrawer(page);
    await run(page);
    const factors = readFileSync(join(adapterDirectory("llama-gqa-tied"), ADAPTER_WEIGHTS));
    const trained = (factors.length - 8 - Number(factors.readBigUInt64LE())) / Float32Array.BYTES_PER_ELEMENT;
    const text = await engineText(page);
    expect(text).toContain("Student org/tiny@01234567 + org/lora@01234567");
    expect(text).toContain(`${trained.toLocaleString("en-US")} trained`);
    // It says that it was made for another model, which this one only has the shapes of.
    await page.getByText("made for org/base").first().waitFor({ state: "attached", timeout: MINUTE_MS });

    await openDrawer(page, "setup");
    expect(await page.locator(".models li").allInnerTexts()).toContainEqual(
      expect.stringMatching(/org\/lora@01234567, .*, adapter/),
    );
    expect(await page.getByRole("button", { name: "Delete org/lora at 01234567" }).isDisabled()).toBe(true);
    expect(view.problems).toEqual([]);
  },
  10 * MINUTE_MS,
);
