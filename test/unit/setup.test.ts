/** @file The scripts that make a fresh checkout run: what counts as stale, which browser is taken, how tests are counted. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatCounts, readCounts } from "../../scripts/counts.mjs";
import { findChrome } from "../../scripts/findChrome.mjs";
import { nodeProblem, ROOT, staleReason } from "../../scripts/setup.mjs";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tutelage-setup-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeJson(path: string, value: unknown): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), JSON.stringify(value));
}

describe("nodeProblem", () => {
  test.each(["20.19.0", "20.20.2", "22.0.0", "24.1.0"])("accepts Node %s", (version) => {
    expect(nodeProblem(version)).toBeUndefined();
  });
  test.each(["18.20.0", "20.18.3"])("refuses Node %s and says what to do", (version) => {
    expect(nodeProblem(version)).toMatch(new RegExp(`expected 20\\.19 or newer, got ${version}.*nodejs\\.org`));
  });
});

describe("staleReason", () => {
  const dependencies = { a: "^1.0.0" };
  const packages = {
    "": { dependencies },
    "node_modules/a": { version: "1.2.0" },
    "node_modules/b-win32": { version: "3.0.0", optional: true },
  };

  function install(): void {
    writeJson("package.json", { dependencies });
    writeJson("package-lock.json", { packages });
    writeJson("node_modules/.package-lock.json", { packages: { "node_modules/a": { version: "1.2.0" } } });
    writeJson("node_modules/a/package.json", { version: "1.2.0" });
  }

  test("an installed tree is fresh, whatever its file times and without other platforms' packages", () => {
    install();
    expect(staleReason(folder)).toBeUndefined();
  });

  test("this checkout, whose tests run, is fresh", () => {
    expect(staleReason(ROOT)).toBeUndefined();
  });

  test("no node_modules", () => {
    install();
    rmSync(join(folder, "node_modules"), { recursive: true });
    expect(staleReason(folder)).toBe("node_modules is missing");
  });

  test("the lock file asks for another version", () => {
    install();
    writeJson("package-lock.json", { packages: { ...packages, "node_modules/a": { version: "1.3.0" } } });
    expect(staleReason(folder)).toBe("node_modules/a is 1.2.0, expected 1.3.0");
  });

  test("the lock file asks for a package that was never installed", () => {
    install();
    writeJson("package-lock.json", { packages: { ...packages, "node_modules/c": { version: "1.0.0" } } });
    expect(staleReason(folder)).toBe("node_modules/c is missing");
  });

  test("a package was deleted by hand", () => {
    install();
    rmSync(join(folder, "node_modules", "a"), { recursive: true });
    expect(staleReason(folder)).toBe("node_modules/a is missing");
  });

  test("package.json asks for something that the lock file does not know", () => {
    install();
    writeJson("package.json", { dependencies: { ...dependencies, d: "^1.0.0" } });
    expect(staleReason(folder)).toMatch(/package-lock\.json is older than package\.json/);
  });
});

test("package-lock.json holds the packages of every platform, without which npm ci refuses it", () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const absent = Object.values(packages)
    .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    .filter((name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)));
  expect(absent).toEqual([]);
});

describe("findChrome", () => {
  function program(name: string): string {
    const path = join(folder, name);
    writeFileSync(path, "");
    chmodSync(path, 0o755);
    return path;
  }

  test("takes CHROME_PATH before anything else", () => {
    const mine = program("my-browser");
    program("chromium");
    expect(findChrome({ CHROME_PATH: mine, PATH: folder }, "linux")).toBe(mine);
  });

  test("finds nothing, rather than something else, when CHROME_PATH is wrong", () => {
    program("chromium");
    expect(findChrome({ CHROME_PATH: join(folder, "absent"), PATH: folder }, "linux")).toBeUndefined();
  });

  test("searches PATH", () => {
    const path = program("google-chrome-stable");
    expect(findChrome({ PATH: folder }, "linux")).toBe(path);
  });

  test("searches the user's applications on macOS and the program folders on Windows", () => {
    const mac = join(folder, "Applications", "Chromium.app", "Contents", "MacOS");
    mkdirSync(mac, { recursive: true });
    writeFileSync(join(mac, "Chromium"), "", { mode: 0o755 });
    expect(findChrome({ HOME: folder, PATH: "" }, "darwin")).toBe(join(mac, "Chromium"));
    expect(findChrome({ PATH: "" }, "win32")).toBeUndefined();
  });
});

describe("readCounts", () => {
  const file = (status: string, ...tests: readonly string[]) => ({
    status,
    assertionResults: tests.map((each) => ({ status: each })),
  });

  test("tests count as they ended; a file that failed to load, or a test that never ended, as a failure", () => {
    writeJson("report.json", {
      testResults: [
        file("passed", "passed", "skipped", "todo"),
        file("failed", "passed", "failed"),
        file("failed", "passed"),
        file("failed"),
        file("passed", "passed", "pending"),
        file("passed"),
      ],
    });
    expect(formatCounts(readCounts(join(folder, "report.json")))).toBe("4 passed, 5 failed, 2 skipped");
  });

  test("no report is a failure, never a success", () => {
    expect(readCounts(join(folder, "absent.json"))).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});
