/** @file `npm start` as a newcomer runs it: serves the page isolated, says where, and survives a machine without a browser. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { ISOLATION_HEADERS } from "../../vite.config.ts";
import { launchChromium, openPage } from "../support/chromium.ts";

const START = join(ROOT, "scripts", "start.mjs");

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Runs the script until `until` is in its output (then presses Ctrl+C) or it ends by itself. */
async function runStart(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  until: string,
  whileRunning?: () => Promise<void>,
): Promise<Outcome> {
  const child = spawn(process.execPath, [START, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let running: Promise<void> | undefined;
  const ended = new Promise<number | null>((resolve) => child.once("exit", (status) => resolve(status)));
  const onData = (chunk: Buffer): void => {
    output += chunk.toString();
    if (!output.includes(until)) return;
    running ??= (whileRunning?.() ?? Promise.resolve()).finally(() => child.kill("SIGINT"));
  };
  child.stdout.on("data", onData);
  child.stderr.on("data", onData);
  const status = await ended;
  await running;
  return { status, output };
}

/** A port nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("--no-open --port N serves the page with the isolation headers and prints its address", async () => {
  const port = await freePort();
  let html = "";
  const { status, output } = await runStart(
    ["--no-open", "--port", String(port)],
    process.env,
    "Press Ctrl+C",
    async () => {
      const response = await fetch(`http://localhost:${port}/`);
      html = await response.text();
      for (const [name, value] of Object.entries(ISOLATION_HEADERS)) expect(response.headers.get(name)).toBe(value);
    },
  );
  expect(output).toContain(`Tutelage is at http://localhost:${port}/`);
  expect(html).toContain('<div id="app">');
  expect(status).toBe(0);
});

test("a browser that opens it sees the page, isolated, with nothing wrong in its console", async () => {
  const port = await freePort();
  const browser = await launchChromium();
  try {
    await runStart(["--no-open", "--port", String(port)], process.env, "Press Ctrl+C", async () => {
      await using view = await openPage(browser);
      await view.page.goto(`http://localhost:${port}/`, { waitUntil: "networkidle" });
      await view.page.locator("#app > *").first().waitFor();
      expect(await view.page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
      expect(view.problems).toEqual([]);
    });
  } finally {
    await browser.close();
  }
});

test("no browser on the machine: a line says so and the server goes on", async () => {
  const empty = mkdtempSync(join(tmpdir(), "tutelage-path-"));
  try {
    const port = await freePort();
    const { status, output } = await runStart(
      ["--port", String(port)],
      { ...process.env, PATH: empty },
      "no browser could be opened",
      async () => {
        expect((await fetch(`http://localhost:${port}/`)).status).toBe(200);
      },
    );
    expect(output).toContain(`open http://localhost:${port}/ yourself`);
    expect(status).toBe(0);
  } finally {
    rmSync(empty, { recursive: true });
  }
});

test.each([
  [["--port", "web"], "expected a whole number from 1 to 65535, got web"],
  [["--fast"], "--fast"],
])("%j is refused with status 2", async (args, message) => {
  const { status, output } = await runStart(args, process.env, "Press Ctrl+C");
  expect(output).toContain(message);
  expect(status).toBe(2);
});
