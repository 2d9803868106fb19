/**
 * @file A planted key through the built page: the teacher repeats it in every reply, error
 * and header, nothing is verified, and still no artefact that the page keeps, shows, says
 * or hands out contains it in any form.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { unzipSync } from "fflate";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { sayOpenAi, scriptedServer } from "../support/chatTeachers.ts";
import type { ScriptedServer } from "../support/chatTeachers.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { closeDrawer, openDrawer } from "../support/drawers.ts";
import { keptByPage } from "../support/keptByPage.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";

const timeout = 120_000;
const KEY = "sk-planted+key/7d2e51a0c4";
const FORMS = [KEY, encodeURIComponent(KEY), Buffer.from(KEY).toString("base64"), KEY.slice(3)];
const repeated = FORMS.slice(0, 3).join(" ");

let browser: Browser;
let server: StaticServer;
let teacher: ScriptedServer;
beforeAll(async () => {
  browser = await launchChromium();
  server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
  teacher = await scriptedServer(({ headers }, response, number) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "authorization, content-type");
    response.setHeader("x-repeated", repeated);
    response.setHeader("connection", "close");
    if (headers["access-control-request-method"] !== undefined) return void response.writeHead(204).end();
    if (number % 5 === 4) {
      response.writeHead(400, { "content-type": "application/json" });
      return void response.end(JSON.stringify({ error: { message: `Bad ${repeated}`, type: repeated, code: KEY } }));
    }
    const said = { question: `Ann has ${number} pens ${repeated}. How many?`, answer: `${repeated}\n#### ${number}` };
    sayOpenAi(response, JSON.stringify({ ...said, first: 9, second: 1 }));
  });
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
  await teacher.close();
});

/** Which forms of the key a text has. */
const found = (text: string): readonly string[] => FORMS.filter((form) => text.includes(form));

/** The text of the file that pressing `button` hands out; a zip's files one after another. */
async function handedOut(page: Page, button: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent("download", { timeout }),
    page.getByRole("button", { name: button, exact: true }).first().click({ timeout }),
  ]);
  const bytes = await readFile(await download.path());
  const name = download.suggestedFilename();
  if (!name.endsWith(".zip")) return `${name}\n${bytes.toString("latin1")}`;
  const files = Object.entries(unzipSync(bytes)).map(
    ([path, data]) => `${path}\n${Buffer.from(data).toString("latin1")}`,
  );
  return [name, ...files].join("\n");
}

test("a key that the teacher repeats everywhere is in nothing that the page keeps, shows, says or hands out", async () => {
  await using view = await openPage(browser);
  const { page, context } = view;
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.stack ?? error.message));
  page.on("request", (request) => said.push(request.url()));
  const query = new URLSearchParams({ teacher: "openai", at: teacher.url, says: "m", verify: "off", ep: "wasm" });
  const small = "rounds=1&query=3&each=2&pool=6&test=2&epochs=1&in=1&out=2&usd=1";
  await page.goto(`${server.url}?${query.toString()}&${small}`);
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout });
  await openDrawer(page, "setup");
  await page.getByLabel("Key", { exact: true }).fill(KEY);
  await page.getByRole("button", { name: "Test teacher" }).click();
  await page.getByLabel("Result of the test").waitFor({ timeout });
  expect(await page.getByLabel("Result of the test").innerText()).toContain("[key]");
  const artefacts = new Map<string, string>();
  const clipboard = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
  await page.getByRole("button", { name: "Copy link", exact: true }).click();
  await page.getByRole("button", { name: "Link copied", exact: true }).waitFor({ timeout });
  artefacts.set("share link", await clipboard());
  artefacts.set("set-up", await page.content());

  await closeDrawer(page);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("button", { name: "Start again" }).waitFor({ timeout });
  artefacts.set("race", await page.content());
  await openDrawer(page, "setup");
  artefacts.set("kept replies", await handedOut(page, "Save kept replies"));
  await closeDrawer(page);
  await openDrawer(page, "engine");
  artefacts.set("report of a fault", await page.getByLabel("For a report of a fault").inputValue());
  await closeDrawer(page);

  const go = (view: string): Promise<void> => page.evaluate((name) => void (location.hash = `#/${name}`), view);
  await go("runs");
  await page.locator(".downloads summary").click({ timeout });
  for (const what of [
    "Export the whole run",
    "Manifest of own-loss",
    "Data set of own-loss",
    "Merged student of own-loss",
  ])
    artefacts.set(what, await handedOut(page, what));
  artefacts.set("runs", await page.content());
  await go("data");
  await page.locator(".data-status", { hasText: "pair" }).waitFor({ timeout });
  for (const what of ["Save as CSV", "Save as JSONL"]) artefacts.set(what, await handedOut(page, what));
  artefacts.set("pairs", await page.content());
  artefacts.set("storage", await keptByPage(page));
  artefacts.set("console, errors and addresses", said.join("\n"));

  for (const [name, text] of artefacts) expect([name, found(text)]).toEqual([name, []]);
  // Where the teacher's words are, the key's place is seen: nothing was looked for in empty files.
  const words = [
    "kept replies",
    "Export the whole run",
    "Data set of own-loss",
    "Save as CSV",
    "Save as JSONL",
    "storage",
  ];
  for (const name of words) expect([name, artefacts.get(name)?.includes("[key]")]).toEqual([name, true]);
  expect(artefacts.get("Manifest of own-loss")).toContain(teacher.url);

  // Kept by choice, it is in that one place alone.
  await go("race");
  await openDrawer(page, "setup");
  await page.getByLabel("Keep the key in this browser").check();
  expect(await page.evaluate(() => Object.values(localStorage))).toContain(KEY);
  expect(found(await keptByPage(page, { withoutLocal: true }))).toEqual([]);
  await page.getByRole("button", { name: "Copy link", exact: true }).click();
  await page.getByRole("button", { name: "Link copied", exact: true }).waitFor({ timeout });
  expect(found(await clipboard())).toEqual([]);
});
