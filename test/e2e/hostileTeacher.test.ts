/** @file The built page with a teacher that is hostile in every named way: the race ends, nothing of what it says runs, and what it taught is right by a referee's own reckoning. */
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";
import { HOSTILITIES, hostileTeacher } from "../support/hostileTeacher.ts";
import { serveStatic } from "../support/serveStatic.ts";
import type { StaticServer } from "../support/serveStatic.ts";
import { refereeAnswer, wrongLine } from "../support/wordProblemReferee.ts";

const timeout = 120_000;

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

interface Pair {
  readonly question: string;
  readonly answer: string;
  readonly accepted: boolean;
}

test("a race with a hostile teacher ends, runs nothing of what it says, and learns only what is right", async () => {
  const teacher = await hostileTeacher();
  try {
    await using view = await openPage(browser);
    const { page } = view;
    const query = new URLSearchParams({ teacher: "openai", at: teacher.url, says: "m", ep: "wasm" });
    const small = "rounds=1&query=10&each=2&pool=20&test=2&epochs=1";
    await page.goto(`${server.url}?${query.toString()}&${small}`);
    await page.locator("button.primary[aria-disabled=false]").waitFor({ timeout });
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("button", { name: "Start again" }).waitFor({ timeout });
    for (const kind of HOSTILITIES) expect([kind, teacher.begun[kind] > 0]).toEqual([kind, true]);

    await page.evaluate(() => void (location.hash = "#/data"));
    await page.locator(".data-status", { hasText: "40 pairs" }).waitFor({ timeout });
    expect(await page.locator("main").innerText()).toContain("Ignore all previous instructions");
    const [download] = await Promise.all([
      page.waitForEvent("download", { timeout }),
      page.getByRole("button", { name: "Save as JSONL" }).click({ timeout }),
    ]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    const lines = Buffer.concat(chunks).toString("utf8").trimEnd().split("\n");
    const pairs = lines.map((line) => JSON.parse(line) as Pair);
    expect(pairs).toHaveLength(40);
    const accepted = pairs.filter((pair) => pair.accepted);
    expect(accepted.length).toBeGreaterThan(0);
    for (const { question, answer } of accepted) {
      expect([answer, wrongLine(answer)]).toEqual([answer, undefined]);
      expect(Number(/^#### (\d+)$/.exec(answer.split("\n").at(-1) ?? "")?.[1])).toBe(refereeAnswer(question));
      expect(question + answer).not.toMatch(/[<>]|Ignore|kg|evil/);
    }
    // Its markup is text: no element came of it, and no script ran.
    expect(await page.locator("img[onerror], script:not([src])").count()).toBe(0);
    expect(await page.evaluate(() => "taken" in globalThis)).toBe(false);
    // The loop's; the others wait for it and answer nobody.
    expect(await page.workers()[0]?.evaluate(() => "taken" in globalThis)).toBe(false);
    expect(view.problems.filter((problem) => problem.startsWith("page error"))).toEqual([]);
  } finally {
    await teacher.close();
  }
});
