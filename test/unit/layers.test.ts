/**
 * @file The sources keep to the layer table in every form of import, dynamic ones and
 * types included, which the linter does not all see.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { CONTRACT_FILES, DATA_FILES, LAYERS, OWNED_PACKAGES } from "../../scripts/layers.mjs";
import { ROOT } from "../../scripts/setup.mjs";

type Layer = keyof typeof LAYERS;
const SRC = join(ROOT, "src");
const layers: Readonly<Record<string, readonly string[]>> = LAYERS;
const owned: Readonly<Record<string, readonly string[]>> = OWNED_PACKAGES;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Imports and re-exports of a source text: static, dynamic, `import("…")` types and `new URL("…", import.meta.url)`. */
function importsOf(source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const patterns: readonly [RegExp, boolean | "named"][] = [
    [/\b(?:import|export)\s+(type\s)?[^;"'`(]*?\bfrom\s*["']([^"']+)["']/g, "named"],
    [/\bimport\s*()["']([^"']+)["']/g, false],
    [/\bimport\s*\(\s*()["'`]([^"'`]+)["'`]\s*\)(?!\.[A-Z])/g, false],
    [/\bimport\s*\(\s*()["'`]([^"'`]+)["'`]\s*\)\.[A-Z]/g, true],
    [/\bnew\s+URL\s*\(\s*()["'`](\.[^"'`]+\.tsx?)["'`]\s*,\s*import\.meta\.url/g, false],
  ];
  return patterns.flatMap(([pattern, kind]) =>
    [...code.matchAll(pattern)].map((match) => ({
      specifier: match[2]!,
      typeOnly: kind === "named" ? match[1] !== undefined : kind,
    })),
  );
}

/** Why an import breaks the table, or undefined. `file` is relative to `src`. */
function violation(file: string, { specifier, typeOnly }: Import): string | undefined {
  const layer = file.split(sep)[0] as Layer;
  if (!specifier.startsWith(".")) {
    const owners = Object.entries(owned).find(([name]) => specifier === name || specifier.startsWith(`${name}/`))?.[1];
    return owners === undefined || owners.includes(layer) ? undefined : `${specifier} belongs to ${owners.join(", ")}`;
  }
  const target = relative(SRC, join(SRC, dirname(file), specifier)).split(sep);
  const other = target[0]!;
  if (other === layer) return undefined;
  // The page starts its workers by URL; what they import is the workers' business.
  if (other === "..") return layer === "app" || layer === "protocol" ? undefined : `${specifier} is outside src`;
  if (layers[layer]?.includes(other)) return undefined;
  if (layer !== "core" && DATA_FILES.includes(target.join("/"))) return undefined;
  const contract = target.length === 2 && CONTRACT_FILES.includes(target[1]!);
  return typeOnly && contract && layer !== "core" ? undefined : `${layer} may not import ${target.join("/")}`;
}

const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));

test("every folder of src is a layer of the table", () => {
  const folders = readdirSync(SRC, { withFileTypes: true }).map(({ name }) => name);
  expect(folders.filter((name) => !(name in LAYERS))).toEqual([]);
});

test("no source imports from a layer, or a package, that its layer may not use", () => {
  expect(sources.length).toBeGreaterThan(10);
  const broken = sources.flatMap((file) =>
    importsOf(readFileSync(join(SRC, file), "utf8"))
      .map((entry) => violation(file, entry))
      .filter((reason) => reason !== undefined)
      .map((reason) => `${file}: ${reason}`),
  );
  expect(broken).toEqual([]);
});

test("a file of plain data imports types only", () => {
  for (const file of DATA_FILES) {
    const imports = importsOf(readFileSync(join(SRC, file), "utf8"));
    expect(
      imports.filter(({ typeOnly }) => !typeOnly),
      file,
    ).toEqual([]);
  }
});

test("relative imports name a file with its extension", () => {
  const broken = sources.flatMap((file) =>
    importsOf(readFileSync(join(SRC, file), "utf8"))
      .filter(({ specifier }) => specifier.startsWith(".") && !/\.(?:tsx?|css|json|wasm)(?:\?[\w&]+)?$/.test(specifier))
      .map(({ specifier }) => `${file}: ${specifier}`),
  );
  expect(broken).toEqual([]);
});

test("the table has no cycle: a layer lists only layers above it", () => {
  const order = Object.keys(layers);
  for (const [layer, allowed] of Object.entries(layers)) {
    for (const other of allowed) expect(order.indexOf(other), `${layer} → ${other}`).toBeLessThan(order.indexOf(layer));
  }
});

describe("the check itself", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["app/a.ts", 'const x = await import("../runtime/engine.ts");', false],
    ["app/a.ts", 'import {\n  a,\n  b,\n} from "../student/load.ts";', false],
    ["app/a.ts", 'export { a } from "../loop/records.ts";', false],
    ["app/a.ts", 'import type { A } from "../loop/records.ts";', true],
    ["app/a.ts", 'import type { A } from "../loop/openRun.ts";', false],
    ["app/a.ts", 'let a: import("../loop/records.ts").LoopRecord;', true],
    ["app/a.ts", 'new Worker(new URL("../student/x.ts", import.meta.url))', false],
    ["app/a.ts", 'new Worker(new URL("../../workers/loop.worker.ts", import.meta.url))', true],
    ["app/a.ts", 'import { D } from "../loop/defaults.ts";', true],
    ["core/a.ts", 'import { D } from "../loop/defaults.ts";', false],
    ["nn/families/a.ts", 'import { a } from "../../onnx/builder.ts";', true],
    ["nn/a.ts", '// import { a } from "../student/load.ts";', true],
    ["loop/a.ts", 'import "onnxruntime-web/webgpu";', false],
    ["storage/a.ts", 'import { openDB } from "idb";', true],
    ["core/a.ts", 'import type { A } from "../onnx/types.ts";', false],
  ];
  test.each(cases)("%s with %s is allowed: %s", (file, source, allowed) => {
    const found = importsOf(source);
    expect(found.every((entry) => violation(file.replaceAll("/", sep), entry) === undefined)).toBe(allowed);
  });
});
