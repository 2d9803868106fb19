/** @file The published JSON Schemas are those of this program, and take what it writes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { publishedSchemas } from "../../scripts/schemas.ts";
import { ROOT } from "../../scripts/setup.mjs";
import { DEFAULT_EXPERIMENT } from "../../src/loop/defaults.ts";
import { planStudy } from "../../src/loop/study/planStudy.ts";
import { analyzeStudy } from "../../src/study/analyze.ts";
import { run, study } from "../support/studyRuns.ts";

const PRESETS = join(ROOT, "presets");
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

test("study.schema.json takes the presets and refuses what the program refuses", () => {
  const valid = validator("study.schema.json");
  for (const name of readdirSync(PRESETS)) {
    const preset = JSON.parse(readFileSync(join(PRESETS, name), "utf8")) as Record<string, unknown>;
    expect(valid(preset), `${name}: ${JSON.stringify(valid.errors)}`).toBe(true);
    for (const wrong of [
      { strategies: ["randm"] },
      { seeds: [] },
      { seeds: [-1] },
      { experiment: { querysize: 1 } },
      { experiment: { training: { learningRate: 0 } } },
      { options: [{ restart: true }] },
      { strategies: [{ strategy: { name: "random" }, seed: 1 }] },
    ])
      expect(valid({ ...preset, ...wrong }), JSON.stringify(wrong)).toBe(false);
  }
});

test("every preset can be planned, whole and quick, and the paper's has its tasks, criteria and seeds", () => {
  for (const name of readdirSync(PRESETS)) {
    const preset: unknown = JSON.parse(readFileSync(join(PRESETS, name), "utf8"));
    for (const quick of [false, true]) expect(planStudy(preset, name, { quick }).plan.cells.length).toBeGreaterThan(1);
  }
  const { plan } = planStudy(JSON.parse(readFileSync(join(PRESETS, "paper.json"), "utf8")), "paper.json");
  expect(plan.tasks).toEqual(["word-problems", "game24", "prontoqa", "algebra"]);
  expect(plan.strategies).toEqual(
    expect.arrayContaining(["random", "own-loss", "true-loss", "reward", "judge", "lion", "incorrect", "badge"]),
  );
  expect(plan.seeds).toHaveLength(5);
});

test("experiment.schema.json takes the default experiment", () => {
  const valid = validator("experiment.schema.json");
  expect(valid(DEFAULT_EXPERIMENT), JSON.stringify(valid.errors)).toBe(true);
  expect(valid({ rounds: -1 })).toBe(false);
});
