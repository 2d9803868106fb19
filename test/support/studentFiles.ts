/** @file Fixture students as files in memory, to be changed by a test, and opened on an engine. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { memorySource, type FileSource } from "../../src/formats/fileSource.ts";
import { parseSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent, type LanguageModel, type OpenStudentOptions } from "../../src/student/student.ts";
import type { ExampleRow, TrainOptions } from "../../src/student/types.ts";
import { adapterDirectory, studentDirectory } from "./goldens.ts";

export type Files = Map<string, Uint8Array | string>;

function filesOf(directory: string): Files {
  return new Map(readdirSync(directory).map((name) => [name, new Uint8Array(readFileSync(join(directory, name)))]));
}

/** Files of a fixture student, to be changed freely. */
export const studentFiles = (name: string): Files => filesOf(studentDirectory(name));
export const adapterFiles = (name: string): Files => filesOf(adapterDirectory(name));

export const sourceOf = (files: Files, name = "student"): FileSource => memorySource(files, name);

/** Replaces a JSON file of the map by what `change` makes of it. */
export function changeJson(
  files: Files,
  path: string,
  change: (json: Record<string, unknown>) => Record<string, unknown>,
): Files {
  const data = files.get(path);
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  return files.set(path, JSON.stringify(change(JSON.parse(text) as Record<string, unknown>)));
}

/** Replaces the tensors of a safetensors file of the map. */
export function changeTensors(
  files: Files,
  path: string,
  change: (tensors: Map<string, Tensor>) => Map<string, Tensor>,
): Files {
  const file = parseSafetensors(files.get(path) as Uint8Array, path);
  const tensors = new Map(file.names.map((name) => [name, file.tensor(name)]));
  return files.set(path, writeSafetensors(change(tensors)));
}

/** Opens a fixture student for the length of `body`. */
export async function withFixture<T>(
  engine: Engine,
  name: string,
  options: Omit<OpenStudentOptions, "source">,
  body: (student: LanguageModel) => Promise<T>,
): Promise<T> {
  const student = await openStudent(engine, { source: sourceOf(studentFiles(name), name), ...options });
  try {
    return await body(student);
  } finally {
    await student.dispose();
  }
}

/** Ten short rows of different lengths that every fixture's tokenizer can read. */
export const ROWS: readonly ExampleRow[] = [
  { prompt: "Tom has 3 apples.", completion: " He eats 1." },
  { prompt: "3 + 12 =", completion: " 15" },
  { prompt: "She did not like", completion: " the rain." },
  { prompt: "", completion: "The answer is 15." },
  { prompt: "The old farmer", completion: "" },
  { text: "Every sheep had two lambs." },
  { prompt: "One", completion: " two three" },
  { prompt: "A red hen", completion: " sat on the hill and sang." },
  { text: "Rain." },
  { prompt: "Step 1: 3 + 12 = 15. The answer is", completion: " 1" },
];

export const TRAIN_OPTIONS: TrainOptions = {
  steps: 5,
  batchSize: 4,
  gradAccum: 1,
  learningRate: 1e-3,
  scheduler: "linear",
  warmupSteps: 1,
  weightDecay: 0.01,
  maxGradNorm: 1,
  shuffle: true,
  seed: 3,
};

export const LORA = { method: "lora", r: 4, loraAlpha: 8, targetModules: "all-linear" } as const;

/** Largest absolute difference over all tensors of two sets of parameters. @throws Error when their names differ. */
export function largestDifference(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  if ([...a.keys()].join() !== [...b.keys()].join()) throw new Error("parameters of different names");
  let largest = 0;
  for (const [name, values] of a) {
    const others = b.get(name)!;
    if (others.length !== values.length) throw new Error(`${name}: ${values.length} and ${others.length} values`);
    for (let i = 0; i < values.length; i++) {
      const difference = Math.abs(values[i]! - others[i]!);
      if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    }
  }
  return largest;
}
