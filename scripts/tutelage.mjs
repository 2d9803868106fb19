#!/usr/bin/env node
/**
 * @file The `tutelage` program. In a checkout it sets the checkout up and runs
 * `src/cli/main.ts` through tsx; in an installed package, which has no `src`, it runs
 * the built `dist/cli/main.js`. Nothing of its own goes to stdout.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { useSoftwareVulkan } from "./findChrome.mjs";
import { nodeProblem, note, ROOT, setUp, stop } from "./setup.mjs";

const SOURCE = join(ROOT, "src", "cli", "main.ts");
const BUILT = join(ROOT, "dist", "cli", "main.js");

const problem = nodeProblem(process.versions.node);
if (problem !== undefined) stop(problem);

// Dawn's driver and Vulkan loader are found only by a process that starts with them in its environment.
const wantsWebgpu = process.argv.some(
  (arg, i) => arg === "--ep=webgpu" || (arg === "webgpu" && process.argv[i - 1] === "--ep"),
);
if (wantsWebgpu && process.env.TUTELAGE_VULKAN_SET === undefined) {
  // The mark keeps the second process from starting a third.
  const env = { ...process.env, TUTELAGE_VULKAN_SET: "1" };
  useSoftwareVulkan(env);
  const child = spawnSync(process.execPath, process.argv.slice(1), { env, stdio: "inherit" });
  process.exit(child.status ?? 1);
}

// A reader that closes early (`tutelage score … | head`) is no error.
process.stdout.on("error", (error) => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code === "EPIPE") process.exit(0);
  throw error;
});

let status = 1;
try {
  const program = await loadProgram();
  status = await program.main(process.argv.slice(2));
} catch (error) {
  note(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
// Engines keep threads alive; end once what was written has left.
process.stderr.write("", () => process.stdout.write("", () => process.exit(status)));

/** @returns {Promise<{ main(argv: string[]): Promise<number> }>} */
async function loadProgram() {
  if (!existsSync(SOURCE)) return import(pathToFileURL(BUILT).href);
  setUp();
  const { register } = await import("tsx/esm/api");
  register({ tsconfig: join(ROOT, "tsconfig.json") });
  return import(pathToFileURL(SOURCE).href);
}
