/** @file A clone alone, without the reference material beside it: every test file still loads, and skips what it cannot compare. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

test("files that use reference material load where there is none", async () => {
  const files = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join("test", name))
    .filter((name) => /support\/(shared|goldens)\.ts/.test(readFileSync(join(ROOT, name), "utf8")));
  expect(files.length).toBeGreaterThan(5);
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, "list", "--project", "node", ...files], {
    cwd: ROOT,
    env: { ...process.env, CI: "", TUTELAGE_SHARED: join(ROOT, "nowhere") },
  });
  expect(stdout).toContain("test/golden/chat.test.ts > ");
});
