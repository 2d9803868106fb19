/** @file A test run that hangs ends by itself, and says where it hung. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";

test("a file whose thread is stuck is named with its test, and the run fails", () => {
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const { status, stderr } = spawnSync(
    process.execPath,
    [vitest, "run", "--root", join(ROOT, "test", "support", "stalled")],
    { encoding: "utf8", timeout: 120_000 },
  );
  expect(stderr).toMatch(/STALLED .*endless\.stall\.ts: 0\.\d min, in: counts for ever/u);
  if (process.platform !== "win32") expect(stderr).toMatch(/^ {2}\d+ R\S* .*vitest.*forks/mu);
  expect(status).toBe(1);
});
