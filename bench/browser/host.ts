/**
 * @file Contenders in a headless browser: a page each, with the work in a worker, served
 * cross-origin isolated by vite as the product's page is.
 */
import { chromium, type Browser } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { chromeFlags, findChrome } from "../../scripts/findChrome.mjs";
import { engineBinaries } from "../../scripts/engineBinaries.mjs";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS, RESOLVE_CONDITIONS } from "../../vite.config.ts";
import type { Line } from "../seat.ts";
import type { Reply, Request } from "../service.ts";

/** Loading a page includes vite's first look at the dependencies. */
const LOAD_MS = 180_000;

export class BrowserHost {
  readonly #server: ViteDevServer;
  readonly #browser: Browser;
  readonly #url: string;

  private constructor(server: ViteDevServer, browser: Browser, url: string) {
    this.#server = server;
    this.#browser = browser;
    this.#url = url;
  }

  /** Starts the server and the browser; undefined where there is no Chrome, Chromium or Edge. */
  static async open(): Promise<BrowserHost | undefined> {
    const executablePath = findChrome();
    if (executablePath === undefined) return undefined;
    const server = await createServer({
      root: ROOT,
      configFile: false,
      logLevel: "error",
      cacheDir: "node_modules/.cache/vite-bench",
      plugins: [engineBinaries()],
      resolve: { conditions: RESOLVE_CONDITIONS },
      optimizeDeps: {
        entries: ["bench/browser/page.html", "bench/browser/contender.worker.ts"],
        exclude: ["onnxruntime-web"],
      },
      server: { headers: ISOLATION_HEADERS, host: "127.0.0.1", port: 0, strictPort: false, hmr: false, watch: null },
      worker: { format: "es" },
    });
    await server.listen();
    const address = server.resolvedUrls?.local[0];
    if (address === undefined) throw new Error("vite serves no local address");
    const browser = await chromium.launch({ executablePath, headless: true, args: chromeFlags() });
    return new BrowserHost(server, browser, new URL("bench/browser/page.html", address).href);
  }

  get version(): string {
    return `${this.#browser.browserType().name()} ${this.#browser.version()}`;
  }

  /** A new page of its own. */
  async openLine(): Promise<Line> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => process.stderr.write(`bench page: ${error.message}\n`));
    await page.goto(this.#url, { timeout: LOAD_MS });
    await page.waitForFunction(() => globalThis.ask !== undefined, undefined, { timeout: LOAD_MS });
    return {
      ask: (request: Request): Promise<Reply> =>
        page.evaluate(
          (message) => globalThis.ask?.(message) ?? Promise.reject(new Error("the page was reloaded")),
          request,
        ),
      end: () => context.close(),
    };
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
  }
}
