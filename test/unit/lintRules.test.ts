/** @file The linter's configuration refuses what the layer table forbids, and nothing that it allows. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";

interface Sample {
  readonly file: string;
  readonly source: string;
  /** Rule that must fire on the file; `undefined`: none may. */
  readonly rule: string | undefined;
}

const LAYER = "eslint(no-restricted-imports)";
const SAMPLES: readonly Sample[] = [
  { file: "src/core/a.ts", source: 'import { x } from "../onnx/x.ts"; export const y = x;', rule: LAYER },
  { file: "src/core/b.ts", source: 'import type { X } from "../onnx/types.ts"; export type Y = X;', rule: LAYER },
  { file: "src/core/c.ts", source: 'import { x } from "./d.ts"; export const y = x;', rule: undefined },
  { file: "src/nn/a.ts", source: 'import { x } from "../autograd/x.ts"; export const y = x;', rule: LAYER },
  { file: "src/nn/families/b.ts", source: 'import { x } from "../../student/x.ts"; export const y = x;', rule: LAYER },
  { file: "src/nn/families/c.ts", source: 'import { x } from "../../onnx/x.ts"; export const y = x;', rule: undefined },
  {
    file: "src/selection/a.ts",
    source: 'import type { X } from "../loop/records.ts"; export type Y = X;',
    rule: undefined,
  },
  { file: "src/selection/b.ts", source: 'import { x } from "../loop/records.ts"; export const y = x;', rule: LAYER },
  { file: "src/app/a.ts", source: 'import { x } from "../runtime/x.ts"; export const y = x;', rule: LAYER },
  { file: "src/app/d.ts", source: 'import { D } from "../loop/defaults.ts"; export const y = D;', rule: undefined },
  { file: "src/app/e.ts", source: 'import { x } from "../loop/parseConfig.ts"; export const y = x;', rule: LAYER },
  { file: "src/app/views/b.tsx", source: 'import { x } from "../../student/x.ts"; export const y = x;', rule: LAYER },
  {
    file: "src/app/views/c.tsx",
    source: 'import { x } from "../../protocol/x.ts"; export const y = x;',
    rule: undefined,
  },
  { file: "src/student/a.ts", source: 'import { x } from "onnxruntime-web/webgpu"; export const y = x;', rule: LAYER },
  { file: "src/student/b.ts", source: 'import { x } from "onnxruntime-node"; export const y = x;', rule: LAYER },
  {
    file: "src/runtime/a.ts",
    source: 'import { x } from "onnxruntime-web/webgpu"; export const y = x;',
    rule: undefined,
  },
  { file: "src/loop/a.ts", source: 'import { openDB } from "idb"; export const y = openDB;', rule: LAYER },
  { file: "src/storage/a.ts", source: 'import { openDB } from "idb"; export const y = openDB;', rule: undefined },
  { file: "src/tasks/a.ts", source: "export const y = Math.random();", rule: "eslint(no-restricted-properties)" },
  {
    file: "src/tasks/b.ts",
    source: "export function f(x: any): unknown { return x; }",
    rule: "typescript(no-explicit-any)",
  },
  {
    file: "src/tasks/c.ts",
    source: "export function f(x?: number): number { return x!; }",
    rule: "typescript(no-non-null-assertion)",
  },
  {
    file: "src/tasks/d.ts",
    source: "export function g(f: () => Promise<void>): void { f(); }",
    rule: "typescript(no-floating-promises)",
  },
  {
    file: "src/tasks/e.ts",
    source: 'import { f } from "./f.ts"; export const e = () => f();',
    rule: "import(no-cycle)",
  },
  {
    file: "src/tasks/f.ts",
    source: 'import { e } from "./e.ts"; export const f = (): unknown => e;',
    rule: "import(no-cycle)",
  },
  { file: "test/unit/a.test.ts", source: "export function f(x?: number): number { return x!; }", rule: undefined },
];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

let folder: string;
let diagnostics: readonly Diagnostic[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tutelage-lint-"));
  for (const path of ["node_modules", "scripts", "oxlint.config.mjs", "tsconfig.base.json"])
    symlinkSync(join(ROOT, path), join(folder, path));
  const tsconfig = { extends: "./tsconfig.base.json", compilerOptions: { lib: ["ESNext"] }, include: ["src", "test"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  for (const { file, source } of SAMPLES) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${source}\n`);
  }
  const args = [
    join(ROOT, "node_modules/oxlint/bin/oxlint"),
    "-c",
    "oxlint.config.mjs",
    "--type-aware",
    "-f",
    "json",
    "src",
    "test",
  ];
  const result = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  diagnostics = (JSON.parse(result.stdout) as { diagnostics: Diagnostic[] }).diagnostics;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the linter", () => {
  test.each(SAMPLES)("$file: $source → $rule", ({ file, rule }) => {
    const rules = new Set(diagnostics.filter(({ filename }) => filename === file).map(({ code }) => code));
    expect([...rules]).toEqual(rule === undefined ? [] : [rule]);
  });
});
