/** @file A test run that hangs ends by itself and says where it hung; one whose process dies says where it died, and counts it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCounts } from "../../scripts/counts.mjs";
import { ROOT } from "../../scripts/setup.mjs";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tutelage-broken-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs one of the files that break. */
function run(name: string) {
  const report = join(folder, "report.json");
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const { status, stderr } = spawnSync(
    process.execPath,
    [vitest, "run", "--root", join(ROOT, "test", "support", "brokenRuns"), name, `--outputFile.json=${report}`],
    { encoding: "utf8", timeout: 120_000 },
  );
  return { status, stderr, counts: readCounts(report) };
}

test("a file whose thread is stuck is named with its test, and the run fails", () => {
  const { status, stderr, counts } = run("endless");
  expect(stderr).toMatch(/STALLED .*endless\.broken\.ts: 0\.\d min, in: counts for ever/u);
  if (process.platform !== "win32") expect(stderr).toMatch(/^ {2}\d+ R\S* .*vitest.*forks/mu);
  expect(status).toBe(1);
  expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("a file whose process dies is named with its test; what it did not end counts as failed", () => {
  const { status, stderr, counts } = run("dies.");
  expect(stderr).toMatch(/DIED .*dies\.broken\.ts: in: dies/u);
  expect(status).toBe(1);
  expect(counts).toEqual({ passed: 1, failed: 2, skipped: 1 });
});

test("a file whose process dies before its tests are known counts as one failure", () => {
  const { status, stderr, counts } = run("diesAtOnce");
  expect(stderr).toMatch(/DIED .*diesAtOnce\.broken\.ts: in: no test that it has told of/u);
  expect(status).toBe(1);
  expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
