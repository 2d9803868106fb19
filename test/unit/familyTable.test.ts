/** @file The table in docs/families.md shows what the golden suites compare, no more and no less. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SUPPORTED_MODEL_TYPES } from "../../src/nn/families.ts";
import { familyCases, familyOf, familyTable, TABLE_PLACE } from "../support/familyCases.ts";

test("docs/families.md is up to date: npm run families writes its table from test reports", () => {
  const page = readFileSync(new URL("../../docs/families.md", import.meta.url), "utf8");
  const spaced = (table: string): string => table.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");
  const [table] = TABLE_PLACE.exec(page) ?? ["no table"];
  expect(spaced(table)).toBe(familyTable(familyCases(), SUPPORTED_MODEL_TYPES));
});

test("every family is compared in everything on CPU and WASM, exported, and scored on WebGPU", () => {
  const cases = familyCases();
  for (const family of SUPPORTED_MODEL_TYPES) {
    const own = cases.filter(({ student }) => familyOf(student) === family);
    for (const provider of ["CPU", "WASM"]) {
      const operations = own.filter((one) => one.provider === provider).map(({ operation }) => operation);
      expect(new Set(operations), `${family} on ${provider}`).toEqual(new Set(["score", "full", "LoRA", "generate"]));
    }
    expect(
      own.map(({ operation }) => operation),
      family,
    ).toContain("export");
    expect(
      own.some(({ provider, operation }) => provider === "WebGPU" && operation === "score"),
      `${family} on WebGPU`,
    ).toBe(true);
  }
});
