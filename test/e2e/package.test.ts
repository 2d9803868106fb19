/** @file `npm pack` gives a package whose `tutelage` works without the sources and development tools. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";

interface Manifest {
  readonly name: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
const allowed = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies ?? {})]);
let folder: string;
let installed: string;

/** Lays the packed files out as an install would, with the declared dependencies alone (and theirs). */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tutelage-package-"));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const packed = execFileSync(npm, ["pack", "--json", "--pack-destination", folder], {
    cwd: ROOT,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const { filename } = (JSON.parse(packed) as { filename: string }[])[0]!;
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", folder]);
  const modules = join(folder, "node_modules");
  installed = join(modules, manifest.name);
  mkdirSync(modules);
  cpSync(join(folder, "package"), installed, { recursive: true });
  const pending = [...allowed];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const source = join(ROOT, "node_modules", name);
    const target = join(modules, name);
    if (existsSync(target) || !existsSync(source)) continue;
    mkdirSync(join(target, ".."), { recursive: true });
    symlinkSync(source, target, "junction");
    const its = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as Partial<Manifest>;
    pending.push(...Object.keys(its.dependencies ?? {}));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the package holds the built command line, not the sources", () => {
  const names = readdirSync(installed);
  expect(names).toEqual(
    expect.arrayContaining(["LICENSE", "README.md", "dist", "package.json", "presets", "public", "scripts"]),
  );
  expect(names).not.toContain("src");
  expect(readdirSync(join(installed, "dist"))).toEqual(["cli"]);
  for (const path of [...Object.values(manifest.bin), ...Object.values(manifest.exports)])
    expect(existsSync(join(installed, path)), path).toBe(true);
});

test("what it imports is declared in its dependencies", () => {
  const cli = join(installed, "dist", "cli");
  const files = readdirSync(cli, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  const imported = files.flatMap((file) => {
    const text = readFileSync(join(cli, file), "utf8");
    return [
      ...text.matchAll(
        /(?:^|[\s;}])(?:import|export)\s[^"'()]*?from\s*["']([^"'.][^"']*)["']|\bimport\(\s*["']([^"'.][^"']*)["']/gm,
      ),
    ].map((match) => (match[1] ?? match[2])!);
  });
  expect(imported.length).toBeGreaterThan(0);
  const packages = new Set(
    imported
      .filter((name) => !name.startsWith("node:") && !builtinModules.includes(name))
      .map((name) =>
        name
          .split("/")
          .slice(0, name.startsWith("@") ? 2 : 1)
          .join("/"),
      ),
  );
  // An optional peer is asked for where it is needed, with the command that installs it.
  const peers = new Set(Object.keys(manifest.peerDependenciesMeta));
  expect([...packages].filter((name) => !allowed.has(name) && !peers.has(name))).toEqual([]);
});

test("tutelage --help runs from the package; a wrong command has status 2 and leaves stdout alone", () => {
  const program = join(installed, manifest.bin["tutelage"]!);
  const run = (...args: string[]) => spawnSync(process.execPath, [program, ...args], { cwd: folder, encoding: "utf8" });
  const help = run("--help");
  expect(help.stderr).toBe("");
  expect(help.stdout).toContain("Usage: tutelage");
  expect(help.status).toBe(0);
  const wrong = run("nonsense");
  expect(wrong.stdout).toBe("");
  expect(wrong.stderr).toContain("nonsense");
  expect(wrong.status).toBe(2);
});
