/**
 * @file `npm test`: sets the checkout up, finds (or on Debian as root installs) a
 * browser, runs every vitest project and prints the counts. Arguments go to vitest:
 * `npm test -- test/unit/rng.test.ts`, `npm test -- --project browser`.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { formatCounts, readCounts, REPORT } from "./counts.mjs";
import { CHROME_HELP, findOrInstallChrome, useSoftwareVulkan } from "./findChrome.mjs";
import { note, ROOT, setUp, stop } from "./setup.mjs";

setUp();
const chrome = findOrInstallChrome(note) ?? stop(CHROME_HELP);
const env = { ...process.env, CHROME_PATH: chrome };
useSoftwareVulkan(env);

rmSync(REPORT, { force: true });
const args = process.argv.slice(2);
const result = spawnSync(
  process.execPath,
  [
    join(ROOT, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--reporter=default",
    `--reporter=${join(ROOT, "scripts", "lostFileReporter.mjs")}`,
    "--reporter=json",
    `--outputFile.json=${REPORT}`,
    ...args,
  ],
  { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] },
);
const counts = readCounts(REPORT);
console.log(formatCounts(counts));
process.exit(result.status === 0 && counts.failed > 0 ? 1 : (result.status ?? 1));
