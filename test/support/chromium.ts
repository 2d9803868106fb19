/**
 * @file Drives the found Chromium with playwright-core, for tests of the built page.
 * Every page counts its console errors, page errors and failed requests: a test ends
 * with `expect(page.problems).toEqual([])`.
 */
import { chromium } from "playwright-core";
import type { Browser, BrowserContextOptions, BrowserContext, Page } from "playwright-core";
import { CHROME_HELP, chromeFlags, findChrome } from "../../scripts/findChrome.mjs";

/** Starts a headless browser with (software) WebGPU, or with other flags; the caller closes it. */
export async function launchChromium(args: readonly string[] = chromeFlags()): Promise<Browser> {
  const executablePath = findChrome();
  if (executablePath === undefined) throw new Error(CHROME_HELP);
  return chromium.launch({ executablePath, headless: true, args: [...args] });
}

/** A page and everything that went wrong in it so far. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly problems: readonly string[];
}

/** Opens an empty page in a context of its own (own storage, own service workers); disposing closes both. */
export async function openPage(
  browser: Browser,
  options: Pick<BrowserContextOptions, "serviceWorkers"> = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
  page.on("requestfailed", (request) => {
    // A reload or a closed page ends what was under way.
    if (request.failure()?.errorText !== "net::ERR_ABORTED")
      problems.push(`request: ${request.url()} ${request.failure()?.errorText}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`response: ${response.url()} ${response.status()}`);
  });
  return {
    page,
    context,
    problems,
    async [Symbol.asyncDispose]() {
      await context.close();
    },
  };
}
