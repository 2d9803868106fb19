/**
 * @file The built page with a teacher over real HTTP on loopback: the test of it, a race
 * with faults that is killed in its middle and goes on, where the key is not, and a
 * teacher that says hostile things.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { createTask } from "../../src/tasks/registry.ts";
import { SERVED_MODEL, startTeacherServer } from "../../src/teacher/node/teacherServer.ts";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { sayOpenAi, scriptedServer } from "../support/chatTeachers.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { closeDrawer, openDrawer } from "../support/drawers.ts";
import { keptByPage } from "../support/keptByPage.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";

const MINUTE_MS = 60_000;
const KEY = "sk-planted-key-4c1d9e72";

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

/** Opens the page with a teacher at `url`, the set-up open and its key typed. */
async function openWithTeacher(page: Page, url: string, more = ""): Promise<void> {
  const query = new URLSearchParams({ teacher: "openai", at: url, says: SERVED_MODEL });
  await page.goto(`${server.url}?${query.toString()}&${more}`);
  await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout: MINUTE_MS });
  await openDrawer(page, "setup");
  await page.getByLabel("Key", { exact: true }).fill(KEY);
}

interface Item {
  readonly id: string;
  readonly call?: string;
  readonly accepted?: boolean;
}

/** Every object with a type anywhere in `value`. */
function entriesIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof value !== "object" || value === null) return [];
  const own = "type" in value && !Array.isArray(value) ? [value as Readonly<Record<string, unknown>>] : [];
  return [...own, ...Object.values(value).flatMap(entriesIn)];
}

test("a race with a teacher that fails a fifth of the time survives the page, asks nothing twice and keeps no key", async () => {
  const teacher = await startTeacherServer(createTask("word-problems"), {
    key: KEY,
    failRate: 0.2,
    faults: ["429", "500", "reset", "malformed", "truncated"],
    retryAfterSeconds: 0.05,
    latencyMs: 150,
  });
  try {
    await using view = await openPage(browser);
    const small = "rounds=1&query=4&each=1&pool=12&test=12&epochs=1&in=1&out=2&usd=1";
    await openWithTeacher(view.page, teacher.url, small);
    await view.page.getByRole("button", { name: "Test teacher" }).click();
    const result = view.page.getByLabel("Result of the test");
    await result.waitFor({ timeout: MINUTE_MS });
    expect((await result.innerText()).match(/works/g)).toHaveLength(3);
    const tested = teacher.counts.answered;

    await closeDrawer(view.page);
    await view.page.getByRole("button", { name: "Start", exact: true }).click();
    await expect.poll(() => teacher.counts.answered, { timeout: 2 * MINUTE_MS }).toBeGreaterThan(tested + 2);
    await view.page.close();

    const again = await view.context.newPage();
    const failures: string[] = [];
    again.on("pageerror", (error) => failures.push(error.message));
    await openWithTeacher(again, teacher.url, small);
    await closeDrawer(again);
    await again.getByRole("button", { name: "Resume", exact: true }).click();
    await again.getByRole("button", { name: "Start again" }).waitFor({ timeout: 3 * MINUTE_MS });
    const meters = await again.getByLabel("What the teacher cost").allInnerTexts();
    expect(meters).toHaveLength(2);
    for (const meter of meters) expect(meter).toMatch(/^Teacher: \d+ of at most 500 requests, [\d,]+ tokens, \$0\.\d+/);

    // Two lanes, four seeds, two calls; and what was in flight when the page was closed.
    const { answered, requests, refused, faults } = teacher.counts;
    expect(answered - tested).toBeLessThanOrEqual(16 + 8);
    expect(requests).toBe(answered + refused + Object.values(faults).reduce((sum, count) => sum + count, 0));
    // Every reply as one file, which another browser takes in once.
    await openDrawer(again, "setup");
    const saving = again.waitForEvent("download", { timeout: MINUTE_MS });
    await again.getByRole("button", { name: "Save kept replies" }).click();
    const replies = readFileSync(await (await saving).path(), "utf8");
    const lines = replies.trimEnd().split("\n").length;
    expect(lines).toBeGreaterThan(12);
    expect(replies).not.toContain(KEY);
    await using other = await openPage(browser);
    await openWithTeacher(other.page, teacher.url);
    const taken = other.page.getByLabel("Kept replies");
    for (const said of [
      `${lines} new ones taken in, 0 known already.`,
      `0 new ones taken in, ${lines} known already.`,
    ]) {
      const file = { name: "replies.jsonl", mimeType: "application/jsonl", buffer: Buffer.from(replies) };
      await other.page.getByLabel("Take replies from a file").setInputFiles(file);
      await taken.filter({ hasText: said }).waitFor({ timeout: MINUTE_MS });
    }
    expect(await keptByPage(again)).toContain(SERVED_MODEL);
    expect(await keptByPage(again)).not.toContain(KEY);
    expect([...failures, ...view.problems.filter((problem) => problem.startsWith("page error"))]).toEqual([]);
  } finally {
    await teacher.close();
  }
});

test("a thousand requests of which a fifth fail: every item is accounted for exactly once, the ceiling is met to the request", async () => {
  const most = 1000;
  const teacher = await startTeacherServer(createTask("word-problems"), {
    failRate: 0.2,
    faults: ["429", "500", "timeout", "reset", "malformed", "truncated"],
    retryAfterSeconds: 0.02,
    // Every pair is wrong, so that nothing is trained on: this is about the asking.
    wrongRate: 1,
  });
  try {
    await using view = await openPage(browser);
    const failures: string[] = [];
    view.page.on("pageerror", (error) => failures.push(error.message));
    // Two lanes of 500 items: two calls each, and what failed again, are more than the ceiling.
    await openWithTeacher(
      view.page,
      teacher.url,
      `a=random&b=random&rounds=1&query=50&each=10&pool=50&test=2&epochs=1&ep=wasm&requests=${most}&wait=4&atonce=8`,
    );
    await closeDrawer(view.page);
    await view.page.getByRole("button", { name: "Start", exact: true }).click();
    await view.page.getByRole("button", { name: "Start again" }).waitFor({ timeout: 5 * MINUTE_MS });
    const meters = await view.page.getByLabel("What the teacher cost").allInnerTexts();
    const sent = meters.map((meter) => Number(/^Teacher: (\d+) of at most 500 requests/.exec(meter)?.[1]));
    expect(Math.max(...sent)).toBe(most / 2);

    const { requests, answered, refused, faults } = teacher.counts;
    // By the server's own count: the browser sent nothing twice. It may have ended a request before the server read it.
    const counted = sent[0]! + sent[1]!;
    expect(counted).toBeLessThanOrEqual(most);
    expect(requests).toBeLessThanOrEqual(counted);
    expect(requests).toBeGreaterThan(0.9 * counted);
    expect(requests).toBeGreaterThan(700);
    const played = Object.values(faults).reduce((sum, count) => sum + count, 0);
    expect(requests).toBe(answered + refused + played);
    expect(Object.keys(faults).sort()).toEqual(["429", "500", "malformed", "reset", "timeout", "truncated"]);
    expect(played).toBeGreaterThan(100);

    const kept = entriesIn(JSON.parse(await keptByPage(view.page)));
    const examples = kept.filter(({ type }) => type === "example").map(({ example }) => example as Item);
    expect(examples).toHaveLength(1000);
    expect(new Set(examples.map(({ id }) => id)).size).toBe(500);
    expect(examples.filter(({ accepted }) => accepted)).toEqual([]);
    const replies = kept.filter(({ type }) => type === "reply").map(({ reply }) => reply as Item);
    const calls = new Map<string, number>();
    for (const { id, call } of replies) calls.set(`${id} ${call}`, (calls.get(`${id} ${call}`) ?? 0) + 1);
    expect(Math.max(...calls.values())).toBe(2);
    expect(replies.filter(({ call }) => call === "propose")).toHaveLength(1000);
    expect(failures).toEqual([]);
  } finally {
    await teacher.close();
  }
});

test("a teacher's words are shown as text, never run; a wrong key and a server that pages may not ask are named", async () => {
  const hostile = `<img src=x onerror="globalThis.taken=1"><script>globalThis.taken=1</script>`;
  const mean = await scriptedServer((request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*, authorization");
    if (request.path === "/v1/chat/completions" && request.headers["access-control-request-method"] !== undefined)
      return void response.writeHead(204).end();
    sayOpenAi(response, JSON.stringify({ question: hostile, answer: hostile, first: 1, second: 10 }));
  });
  const closed = await scriptedServer((_, response) => sayOpenAi(response, "{}"));
  const locked = await startTeacherServer(createTask("word-problems"), { key: "another key" });
  try {
    await using view = await openPage(browser);
    const result = view.page.getByLabel("Result of the test");
    const test = async (url: string): Promise<string> => {
      await openWithTeacher(view.page, url);
      await view.page.getByRole("button", { name: "Test teacher" }).click();
      await result.waitFor({ timeout: MINUTE_MS });
      return result.innerText();
    };
    await openWithTeacher(view.page, mean.url);
    await view.page.locator("details.prompts summary").click();
    const prompt = view.page.getByLabel("To every call (system)");
    await prompt.fill(`Speak <b>plainly</b>. {{seed}}`);
    await view.page.locator("#about-prompt-system", { hasText: "{{seed}}" }).waitFor({ timeout: MINUTE_MS });
    await prompt.fill("Speak <b>plainly</b>.");
    await view.page.locator("#about-prompt-system.field-help").waitFor({ state: "attached", timeout: MINUTE_MS });
    await view.page.getByRole("button", { name: "Test teacher" }).click();
    await result.waitFor({ timeout: MINUTE_MS });
    expect(JSON.stringify(mean.seen.at(-1)?.body)).toContain("Speak <b>plainly</b>.");
    await view.page.getByRole("button", { name: "Back to the built-in text" }).click();
    await view.page.waitForFunction(() =>
      document.querySelector<HTMLTextAreaElement>("#prompt-system")?.value.startsWith("You write"),
    );
    const shown = await test(mean.url);
    expect(shown).toContain(hostile);
    expect(shown).toContain("rejected by the task's checker");
    expect(shown).toContain("it does not prefer the right answer");
    expect(await view.page.evaluate(() => "taken" in globalThis)).toBe(false);
    expect(await test(locked.url)).toContain("status 401, the key was refused");
    expect(await test(closed.url)).toMatch(/no connection to .*CORS/);
    expect(await keptByPage(view.page)).not.toContain(KEY);

    // Kept on a choice alone, for that address alone, until it is forgotten.
    const key = view.page.getByLabel("Key", { exact: true });
    const address = view.page.getByLabel("Address", { exact: true });
    const keep = view.page.getByLabel("Keep the key in this browser");
    await keep.check();
    await view.page.reload();
    await view.page.waitForFunction(
      (value) => document.querySelector<HTMLInputElement>("#setting-teacher-key")?.value === value,
      KEY,
    );
    const shownKey = async (): Promise<unknown> => [await key.inputValue(), await keep.isChecked()];
    await address.fill(mean.url);
    await expect.poll(shownKey, { timeout: MINUTE_MS }).toEqual(["", false]);
    await address.fill(closed.url);
    await expect.poll(shownKey, { timeout: MINUTE_MS }).toEqual([KEY, true]);
    expect(view.page.url()).not.toContain(KEY);
    await keep.uncheck();
    await expect.poll(() => keptByPage(view.page), { timeout: MINUTE_MS }).not.toContain(KEY);
  } finally {
    await Promise.all([mean.close(), closed.close(), locked.close()]);
  }
});
