/**
 * @file Which students are compared with the reference in what, on which provider: the
 * one list that the golden suites run and that `docs/families.md` shows. What takes
 * minutes on software WebGPU runs on request only, with TUTELAGE_FAMILIES=all.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fixtureNames, loadGolden, studentDirectory, type GoldenTrajectory } from "./goldens.ts";

/** What is compared, by the beginning of its tests' titles. */
export const OPERATIONS = {
  score: "scores match PyTorch",
  full: "training matches PyTorch: full",
  LoRA: "training matches PyTorch: lora",
  generate: "greedy continuations match PyTorch",
  export: "exports",
} as const;
export type Operation = keyof typeof OPERATIONS;

/** Where it ran. Exports run in transformers.js. */
export const PROVIDERS = ["CPU", "WASM", "WebGPU", "transformers.js"] as const;
export type Provider = (typeof PROVIDERS)[number];

export interface FamilyCase {
  readonly student: string;
  readonly operation: Operation;
  readonly provider: Provider;
  /** Runs with TUTELAGE_FAMILIES=all only. */
  readonly onRequest: boolean;
}

interface WebgpuOperations {
  /** What every run of the tests compares. */
  readonly always: readonly Operation[];
  readonly onRequest: readonly Operation[];
}

/** One student of each family on WebGPU. */
export const WEBGPU_STUDENTS: Readonly<Record<string, WebgpuOperations>> = {
  "llama-gqa-tied": { always: ["score", "full", "LoRA", "generate"], onRequest: [] },
  "mistral-sliding": { always: [], onRequest: ["score", "full", "LoRA", "generate"] },
  "qwen2-sliding-yarn": { always: [], onRequest: ["score", "full", "LoRA", "generate"] },
  "qwen3-sliding-new-config": { always: [], onRequest: ["score", "full", "LoRA", "generate"] },
  gemma2: { always: [], onRequest: ["score", "full", "LoRA", "generate"] },
  "gemma3-patterned": { always: ["score"], onRequest: ["full", "LoRA", "generate"] },
  "phi-head-norms": { always: [], onRequest: ["score", "full", "LoRA", "generate"] },
  "gpt2-prefixed": { always: ["score", "full"], onRequest: ["LoRA", "generate"] },
  "gpt-neox-parallel": { always: ["score"], onRequest: ["full", "LoRA", "generate"] },
};

const ENGINE_OPERATIONS = ["score", "full", "LoRA", "generate"] as const;

/** Every comparison there is, of students in the repository. */
export function familyCases(): FamilyCase[] {
  const everywhere = fixtureNames().flatMap((student) => [
    ...ENGINE_OPERATIONS.flatMap((operation) =>
      (["CPU", "WASM"] as const).map((provider) => ({ student, operation, provider, onRequest: false })),
    ),
    { student, operation: "export", provider: "transformers.js", onRequest: false } as const,
  ]);
  const webgpu = Object.entries(WEBGPU_STUDENTS).flatMap(([student, { always, onRequest }]) =>
    [...always, ...onRequest].map(
      (operation) => ({ student, operation, provider: "WebGPU", onRequest: onRequest.includes(operation) }) as const,
    ),
  );
  return [...everywhere, ...webgpu];
}

/** Whether this run of the tests was asked for everything. */
export const ALL_FAMILIES = process.env["TUTELAGE_FAMILIES"] === "all";

/** Trajectories for providers where graphs are made quickly, in batches of many shapes. */
export function hostTrajectories(student: string): readonly GoldenTrajectory[] {
  return loadGolden(student).trajectories.filter((trajectory) => !isOneBatch(trajectory));
}

/** The trajectory for WebGPU: of one shape where the reference has one. */
export function webgpuTrajectory(student: string, method: "full" | "lora"): GoldenTrajectory {
  const candidates = loadGolden(student).trajectories.filter((trajectory) => trajectory.method === method);
  const found = candidates.find(isOneBatch) ?? candidates[0];
  if (found === undefined) throw new Error(`${student}: expected a trajectory of method ${method}`);
  return found;
}

/** Whether the reference of a student has trajectories of one shape, for providers where every graph costs. */
export function hasOneBatch(student: string): boolean {
  return loadGolden(student).trajectories.some(isOneBatch);
}

function isOneBatch(trajectory: GoldenTrajectory): boolean {
  return trajectory.name.endsWith("-one-batch");
}

/** `model_type` of a fixture student. */
export function familyOf(student: string): string {
  const config = JSON.parse(readFileSync(join(studentDirectory(student), "config.json"), "utf8")) as {
    readonly model_type: string;
  };
  return config.model_type;
}

/** The table of `docs/families.md`, Markdown. Families in their order of appearance in `order`. */
export function familyTable(cases: readonly FamilyCase[], order: readonly string[]): string {
  const operations = Object.keys(OPERATIONS) as Operation[];
  const families = new Map<string, FamilyCase[]>(order.map((family) => [family, []]));
  for (const one of cases) families.get(familyOf(one.student))?.push(one);
  const cell = (own: readonly FamilyCase[], operation: Operation): string =>
    PROVIDERS.flatMap((provider) => {
      const ran = own.filter((one) => one.operation === operation && one.provider === provider);
      if (ran.length === 0) return [];
      return [ran.every((one) => one.onRequest) ? `(${provider})` : provider];
    }).join(", ") || "–";
  const rows = [...families].map(
    ([family, own]) => `| \`${family}\` | ${operations.map((operation) => cell(own, operation)).join(" | ")} |`,
  );
  return [`| \`model_type\` | ${operations.join(" | ")} |`, `|${" --- |".repeat(operations.length + 1)}`, ...rows].join(
    "\n",
  );
}

/** Where the table stands in the page. */
export const TABLE_PLACE = /(?<=<!-- table -->\n\n)[\s\S]*?(?=\n\n<!-- end of table -->)/;
