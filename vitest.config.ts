/**
 * @file The test projects. `node`: everything that runs in Node, ONNX Runtime's CPU,
 * WASM and (through Dawn) WebGPU providers included. `browser`: the same in a real
 * headless Chromium, cross-origin isolated. `e2e`: the built page and the built
 * command line. Projects run one after another; two workers at most.
 */
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { engineBinaries } from "./scripts/engineBinaries.mjs";
import { CHROME_HELP, chromeFlags, findChrome, useSoftwareVulkan } from "./scripts/findChrome.mjs";
import { ISOLATION_HEADERS, RESOLVE_CONDITIONS } from "./vite.config.ts";

const SECOND_MS = 1000;
/** The first run of a graph on software WebGPU compiles for 30 to 45 s. */
const GPU_TEST_MS = 300 * SECOND_MS;

useSoftwareVulkan();

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "node",
          environment: "node",
          // Dawn reads its driver from the process environment, which worker threads do not have.
          pool: "forks",
          include: ["test/{unit,property,golden,gradcheck,trajectory}/**/*.test.ts"],
          testTimeout: GPU_TEST_MS,
          hookTimeout: GPU_TEST_MS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [engineBinaries()],
        resolve: { conditions: RESOLVE_CONDITIONS },
        optimizeDeps: { exclude: ["onnxruntime-web"], entries: ["test/browser/**/*.ts", "workers/*.ts"] },
        server: { headers: ISOLATION_HEADERS },
        worker: { format: "es" },
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: GPU_TEST_MS,
          hookTimeout: GPU_TEST_MS,
          // One page at a time: software WebGPU takes every core.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath: chromePath(), args: chromeFlags() } }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
      {
        test: {
          name: "e2e",
          environment: "node",
          pool: "forks",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/support/buildOnce.ts"],
          testTimeout: GPU_TEST_MS,
          hookTimeout: GPU_TEST_MS,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

/** Path of the browser; a project that does not need one still starts without it. */
function chromePath(): string {
  const path = findChrome();
  if (path === undefined) process.stderr.write(`${CHROME_HELP}\n`);
  return path ?? "chromium-not-found";
}
