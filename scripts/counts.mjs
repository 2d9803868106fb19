/**
 * @file Reads vitest's JSON report and says how many tests passed, failed and were
 * skipped. As a program: `node scripts/counts.mjs` prints that line alone.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./setup.mjs";

/** Where `scripts/test.mjs` has vitest write its report. */
export const REPORT = join(ROOT, "test-results", "vitest.json");

/** Vitest's words for a test that ended; any other is of one that its process did not live to end. */
const ENDED = { passed: "passed", failed: "failed", skipped: "skipped", todo: "skipped" };

/**
 * Counts of a report. A test that never ended counts as a failure, and so does a file
 * that failed or died without a test to show for it.
 * @param {string} path
 * @returns {{ passed: number, failed: number, skipped: number }} one failure when there is no report
 */
export function readCounts(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** @type {{ status: string, assertionResults: { status: string }[] }[]} */
  const files = report.testResults;
  for (const file of files) {
    /** @type {string[]} */
    const outcomes = file.assertionResults.map(
      (test) => ENDED[/** @type {keyof typeof ENDED} */ (test.status)] ?? "failed",
    );
    for (const outcome of outcomes) counts[/** @type {keyof typeof counts} */ (outcome)] += 1;
    if (outcomes.length === 0 || (file.status === "failed" && !outcomes.includes("failed"))) counts.failed += 1;
  }
  return counts;
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
export function formatCounts(counts) {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  console.log(formatCounts(readCounts(REPORT)));
}
