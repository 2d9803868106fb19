/**
 * @file Typed access to the values of the float64 PyTorch reference
 * (`scripts/golden/reference`): scores, greedy continuations and training
 * trajectories of tiny random students (`test/golden/fixtures`) and of the real ones
 * in `../shared`, with the tolerances they are compared at.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseExamples, type ExampleRow } from "../../src/formats/examples.ts";
import type { SIMPLE_SCORES } from "../../src/student/types.ts";
import { sharedPath } from "./shared.ts";

const GOLDEN = join(dirname(dirname(fileURLToPath(import.meta.url))), "golden");

/**
 * Measured noise floors of float32 against float64 at these sizes, a few times the
 * worst seen: CPU and WASM sum in blocks, WebGPU in other orders and with fast math.
 */
export const TOLERANCES = {
  host: {
    /** Absolute, nats per row (the other simple scores likewise). */
    score: 5e-5,
    /** Relative, per step. */
    loss: 5e-5,
    gradNorm: 5e-4,
    /** Relative L2 of the total weight update. */
    update: 2e-3,
  },
  /** `score` is required at 1e-3 and expected at 1e-4. */
  webgpu: { score: 1e-3, loss: 5e-4, gradNorm: 1e-2, update: 2e-2 },
} as const;

export type GoldenScore = { readonly id: string } & { readonly [K in (typeof SIMPLE_SCORES)[number]]: number };

export interface GoldenRow extends GoldenScore {
  /** Prompt, completion and EOS. */
  readonly ids: readonly number[];
  /** How many of the last ids carry loss. */
  readonly completionTokens: number;
}

export interface GoldenOptions {
  readonly steps: number;
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly learningRate: number;
  /** `constant` with `warmupSteps` > 0 is transformers' constant_with_warmup. */
  readonly scheduler: "constant" | "linear" | "cosine";
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
}

export interface GoldenStep {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly lr: number;
  readonly tokens: number;
}

/** What training added to the trainable parameters: norms, and every `stride`-th value of each tensor. */
export interface GoldenUpdate {
  readonly norm: number;
  readonly tensors: Readonly<
    Record<
      string,
      { readonly size: number; readonly norm: number; readonly stride: number; readonly samples: Float32Array }
    >
  >;
}

export interface GoldenTrajectory {
  readonly name: string;
  readonly method: "full" | "lora";
  readonly options: GoldenOptions;
  /** Directory of the adapter that LoRA starts from (`adapterDirectory`). */
  readonly adapter?: string;
  readonly steps: readonly GoldenStep[];
  readonly update: GoldenUpdate;
}

export interface GoldenGreedy {
  readonly id: string;
  readonly prompt: string;
  readonly promptIds: readonly number[];
  /** Greedy continuation, EOS included; it may end early before a step that float32 could decide otherwise. */
  readonly ids: readonly number[];
}

export interface Golden {
  readonly student: string;
  /** Whether the student is in `../shared` instead of the fixtures. */
  readonly shared: boolean;
  readonly rows: string;
  readonly eosTokenId: number;
  readonly scores: readonly GoldenRow[];
  /** Logits after the last token of the first row, float32 of float64. */
  readonly lastLogits: { readonly id: string; readonly values: Float32Array };
  readonly greedy: readonly GoldenGreedy[];
  readonly adapter: string;
  /** Scores of the same rows with the adapter in place. */
  readonly adapterScores: readonly GoldenScore[];
  readonly trajectories: readonly GoldenTrajectory[];
}

/** Students with golden values; those of `../shared` are `SHARED_STUDENTS`. */
export function goldenNames(): readonly string[] {
  return readdirSync(join(GOLDEN, "data"))
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

/** Golden students that need `../shared`. */
export const SHARED_STUDENTS = ["babyllama", "stories260K"] as const;

/** Golden students whose files are in the repository. */
export function fixtureNames(): readonly string[] {
  return goldenNames().filter((name) => !(SHARED_STUDENTS as readonly string[]).includes(name));
}

interface RawUpdate {
  readonly norm: number;
  readonly tensors: Readonly<
    Record<string, { readonly size: number; readonly norm: number; readonly stride: number; readonly samples: string }>
  >;
}

type RawGolden = Omit<Golden, "lastLogits" | "trajectories"> & {
  readonly lastLogits: { readonly id: string; readonly values: string };
  readonly trajectories: readonly (Omit<GoldenTrajectory, "update"> & { readonly update: RawUpdate })[];
};

export function loadGolden(name: string): Golden {
  const raw = JSON.parse(readFileSync(join(GOLDEN, "data", `${name}.json`), "utf8")) as RawGolden;
  return {
    ...raw,
    lastLogits: { id: raw.lastLogits.id, values: decodeFloats(raw.lastLogits.values) },
    trajectories: raw.trajectories.map((trajectory) => ({
      ...trajectory,
      update: {
        norm: trajectory.update.norm,
        tensors: Object.fromEntries(
          Object.entries(trajectory.update.tensors).map(([key, tensor]) => [
            key,
            { ...tensor, samples: decodeFloats(tensor.samples) },
          ]),
        ),
      },
    })),
  };
}

function decodeFloats(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}

/** The student's directory; one of `../shared` may be absent (see `hasShared("students", name)`). */
export function studentDirectory(name: string): string {
  const fixture = join(GOLDEN, "fixtures", "students", name);
  return existsSync(fixture) ? fixture : sharedPath("students", name);
}

export function adapterDirectory(name: string): string {
  return join(GOLDEN, "fixtures", "adapters", name);
}

/** Path of the data file that a golden's rows come from. */
export function rowsPath(golden: Pick<Golden, "rows">): string {
  return join(GOLDEN, "fixtures", "rows", golden.rows);
}

export function goldenRows(golden: Pick<Golden, "rows">): readonly ExampleRow[] {
  return parseExamples(readFileSync(rowsPath(golden), "utf8"), golden.rows);
}

/**
 * Relative L2 distance between an update and the reference's, over the sampled values:
 * `‖(after − before) − reference‖ / ‖reference‖`. Parameters go by transformers' names
 * (GPT-2 with `transformer.`), adapters by `<module>.lora_A.weight`; a `base_model.model.`
 * prefix and a missing `transformer.` are understood.
 * @throws Error when a tensor of the reference is missing or has another size.
 */
export function updateError(
  update: GoldenUpdate,
  before: ReadonlyMap<string, Float32Array>,
  after: ReadonlyMap<string, Float32Array>,
): number {
  let difference = 0;
  let total = 0;
  for (const [name, tensor] of Object.entries(update.tensors)) {
    const start = findTensor(before, name);
    const end = findTensor(after, name);
    if (start.length !== tensor.size || end.length !== tensor.size)
      throw new Error(`${name}: expected ${tensor.size} values, got ${start.length} and ${end.length}`);
    tensor.samples.forEach((expected, i) => {
      const at = i * tensor.stride;
      difference += ((end[at] ?? Number.NaN) - (start[at] ?? Number.NaN) - expected) ** 2;
      total += expected ** 2;
    });
  }
  return Math.sqrt(difference / total);
}

function findTensor(tensors: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const found =
    tensors.get(name) ?? tensors.get(`base_model.model.${name}`) ?? tensors.get(name.replace(/^transformer\./, ""));
  if (found === undefined)
    throw new Error(`update: expected a tensor ${name}, got ${[...tensors.keys()].slice(0, 5).join(", ")}, ...`);
  return found;
}
