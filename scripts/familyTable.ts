/**
 * @file Writes the table of docs/families.md from what tests really ran: it runs the
 * golden suites whole (minutes, on software WebGPU up to an hour), or reads reports of
 * earlier runs, and refuses when a comparison is missing or failed.
 *
 *     npm run families [-- REPORT.json ...]
 *
 * A report: TUTELAGE_FAMILIES=all npx vitest run --project node FILE --reporter=json --outputFile=REPORT.json
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { SUPPORTED_MODEL_TYPES } from "../src/nn/families.ts";
import {
  familyCases,
  familyTable,
  OPERATIONS,
  TABLE_PLACE,
  type Operation,
  type Provider,
} from "../test/support/familyCases.ts";

const PAGE = "docs/families.md";
const SUITES = ["students", "studentsWebgpu", "exportOnnx"].map((name) => `test/golden/${name}.test.ts`);
const PROVIDER_OF: Readonly<Record<string, Provider>> = { "on cpu": "CPU", "on wasm": "WASM", "on webgpu": "WebGPU" };

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

function runSuites(): string {
  const report = ".cache/families.json";
  mkdirSync(".cache", { recursive: true });
  const { status } = spawnSync(
    "npx",
    ["vitest", "run", "--project", "node", ...SUITES, "--reporter=default", "--reporter=json"].concat(
      `--outputFile.json=${report}`,
    ),
    { stdio: "inherit", env: { ...process.env, TUTELAGE_FAMILIES: "all" } },
  );
  if (status !== 0) process.exit(1);
  return report;
}

/** Keys of the comparisons that passed. One of several tests that failed takes its key away. */
function passedIn(reports: readonly string[]): Set<string> {
  const passed = new Set<string>();
  const failed = new Set<string>();
  for (const path of reports) {
    const report = JSON.parse(readFileSync(path, "utf8")) as Report;
    for (const { ancestorTitles, title, status } of report.testResults.flatMap((file) => file.assertionResults)) {
      const operation = (Object.keys(OPERATIONS) as Operation[]).find((name) => title.startsWith(OPERATIONS[name]));
      const student = ancestorTitles.at(-1);
      if (operation === undefined || student === undefined) continue;
      const provider = PROVIDER_OF[ancestorTitles[0] ?? ""] ?? "transformers.js";
      if (status === "passed") passed.add([student, operation, provider].join(" "));
      if (status === "failed") failed.add([student, operation, provider].join(" "));
    }
  }
  for (const key of failed) passed.delete(key);
  return passed;
}

const given = process.argv.slice(2);
const passed = passedIn(given.length > 0 ? given : [runSuites()]);
const key = (one: { readonly student: string; readonly operation: string; readonly provider: string }): string =>
  [one.student, one.operation, one.provider].join(" ");
const missing = familyCases().filter((one) => !passed.has(key(one)));
const table = familyTable(
  familyCases().filter((one) => passed.has(key(one))),
  SUPPORTED_MODEL_TYPES,
);
writeFileSync(PAGE, readFileSync(PAGE, "utf8").replace(TABLE_PLACE, table));
process.stderr.write(`${passed.size} comparisons passed; ${PAGE} is written\n`);
if (missing.length > 0) {
  process.stderr.write(`did not pass or run:\n${missing.map((one) => `  ${key(one)}`).join("\n")}\n`);
  process.exit(1);
}
