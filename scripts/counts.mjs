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

/**
 * Counts of a report. A file that failed before any of its tests ran counts as one failure.
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
  /** @type {{ status: string, assertionResults: { status: string }[] }[]} */
  const files = report.testResults;
  const brokenFiles = files.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
export function formatCounts(counts) {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  console.log(formatCounts(readCounts(REPORT)));
}
