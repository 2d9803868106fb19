/** @file The published JSON Schemas are those of this program, and take what it writes. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { publishedSchemas } from "../../scripts/schemas.ts";
import { analyzeStudy } from "../../src/study/analyze.ts";
import { run, study } from "../support/studyRuns.ts";

const published = (name: string): string => readFileSync(new URL(`../../public/${name}`, import.meta.url), "utf8");
const validator = (name: string) => new Ajv2020({ strict: false }).compile(JSON.parse(published(name)) as object);

test("public/ holds the schemas as they are now: npm run schemas writes them", () => {
  for (const [name, text] of Object.entries(publishedSchemas())) expect(published(name), name).toBe(text);
});

test("report.schema.json takes a report, and nothing else", () => {
  const valid = validator("report.schema.json");
  const report: unknown = JSON.parse(
    JSON.stringify(analyzeStudy(study([1, 2].map((seed) => run({ strategy: "random", seed }, [40, 50]))))),
  );
  expect(valid(report), JSON.stringify(valid.errors)).toBe(true);
  expect(valid({ ...(report as object), comparisons: [{}] })).toBe(false);
});
