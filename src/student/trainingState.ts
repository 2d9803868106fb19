/**
 * @file A finetuning on disk, to be continued on the same trajectory: the trainer's
 * state as `training_state.safetensors`, and `training_state.json` with the step and
 * with what it belongs to (student, data, options), so that it cannot be continued
 * on something else. Not a student: that is what `save.ts` writes.
 */
import { badInput } from "../core/errors.ts";
import type { FileSink, FileSource } from "../formats/fileSource.ts";
import { describeValue, isJsonObject, parseJsonObject, type JsonObject } from "../formats/json.ts";
import { parseSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import type { Tensor } from "../onnx/types.ts";
import type { LossScaleState } from "./lossScale.ts";
import type { LanguageModel } from "./student.ts";
import type { TrainerState } from "./trainer.ts";
import type { EncodedRow, TrainOptions } from "./types.ts";
import { floatData } from "./weights.ts";

const SCHEMA_VERSION = 1;
const STATE_FILE = "training_state.json";
const TENSORS_FILE = "training_state.safetensors";

/** Names that `saveTrainingState` writes. */
export const TRAINING_STATE_FILES: readonly string[] = [STATE_FILE, TENSORS_FILE];

/**
 * Options that decide what a step does; `totalSteps` only where the schedule depends on it. Of batch size and
 * accumulation only the product does: a training that ran out of memory goes on in smaller batches.
 */
const COMPARED_OPTIONS = [
  "learningRate",
  "scheduler",
  "warmupSteps",
  "weightDecay",
  "maxGradNorm",
  "shuffle",
  "groupByLength",
  "seed",
  "precision",
] as const;
const SAVED_OPTIONS = ["batchSize", "gradAccum", ...COMPARED_OPTIONS] as const;
type SavedOptions = Pick<TrainOptions, (typeof SAVED_OPTIONS)[number]>;

/** What a training state belongs to. */
export interface TrainingIdentity {
  readonly method: "full" | "lora";
  /** SHA-256 of base weights (names, shapes, values) and adapter settings, in hex. */
  readonly student: string;
  /** SHA-256 of all token ids and loss lengths in order, in hex. */
  readonly data: string;
  readonly rows: number;
  readonly totalSteps: number;
  readonly options: SavedOptions;
}

const SECTIONS = ["parameters", "expAvg", "expAvgSq"] as const;

/** What training `student` on `rows` with `options` is. Needs `crypto.subtle` (Node, secure pages). */
export async function identifyTraining(
  student: LanguageModel,
  rows: readonly EncodedRow[],
  options: TrainOptions,
  totalSteps: number,
): Promise<TrainingIdentity> {
  const { decoder, weights, lora, loraConfig } = student.model;
  const parts: string[] = [];
  await weights.read(async (read) => {
    for (const { name, shape } of decoder.parameters)
      parts.push(`${name} [${shape.join()}] ${await digest(floatData(await read(name), name))}`);
  });
  for (const [module, { r, scaling }] of lora.modules) parts.push(`${module} r ${r} scaling ${scaling}`);
  const tokens = rows.map((row) => `${row.lossMask?.join("") ?? row.completionTokens}:${row.ids.join()}`).join("\n");
  return {
    method: loraConfig === undefined ? "full" : "lora",
    student: await digest(new TextEncoder().encode(parts.join("\n"))),
    data: await digest(new TextEncoder().encode(tokens)),
    rows: rows.length,
    totalSteps,
    options: pick({ groupByLength: false, precision: "float32" as const, ...options }, SAVED_OPTIONS),
  };
}

/** The entries of `from` under `keys`, in their order. */
function pick<T, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, K>;
}

async function digest(data: Float32Array | Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data.slice()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Writes the state; the caller commits the sink. */
export async function saveTrainingState(
  sink: FileSink,
  state: TrainerState,
  identity: TrainingIdentity,
): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (const section of SECTIONS) {
    for (const [name, data] of state[section])
      tensors.set(`${section}.${name}`, { type: "float32", shape: [data.length], data });
  }
  await sink.write(
    STATE_FILE,
    `${JSON.stringify({ schemaVersion: SCHEMA_VERSION, step: state.step, lossScale: state.lossScale, ...identity }, null, 2)}\n`,
  );
  await sink.write(TENSORS_FILE, writeSafetensors(tensors));
}

/**
 * Reads a state that was saved for the same training. With a constant schedule the
 * training may have become longer; every other schedule fixes the rate of each step by
 * the number of all steps.
 * @throws BadInputError for missing, damaged or newer files, and naming what differs
 * when the state belongs to another student, other data or other options.
 */
export async function loadTrainingState(source: FileSource, identity: TrainingIdentity): Promise<TrainerState> {
  const where = `${source.name}/${STATE_FILE}`;
  if (!(await source.has(STATE_FILE)))
    badInput(
      source.name,
      `a training state (${TRAINING_STATE_FILES.join(", ")})`,
      `no ${STATE_FILE}`,
      "tutelage train --save-state writes one",
    );
  const json = parseJsonObject(await source.readText(STATE_FILE), where);
  if (json["schemaVersion"] !== SCHEMA_VERSION)
    badInput(
      `${where}: schemaVersion`,
      String(SCHEMA_VERSION),
      describeValue(json["schemaVersion"]),
      "The state was written by another version",
    );
  const step = json["step"];
  if (!Number.isSafeInteger(step) || (step as number) < 0)
    badInput(`${where}: step`, "the number of steps done", describeValue(step));
  compare(json, identity, where);
  const lossScale = lossScaleOf(json["lossScale"], where);
  return { step: step as number, ...(await readTensors(source)), ...(lossScale === undefined ? {} : { lossScale }) };
}

function lossScaleOf(json: unknown, where: string): LossScaleState | undefined {
  if (json === undefined) return undefined;
  const [scale, goodSteps] = isJsonObject(json) ? [json["scale"], json["goodSteps"]] : [];
  if (typeof scale !== "number" || !(scale >= 1 && scale <= 2 ** 120) || !Number.isSafeInteger(goodSteps))
    badInput(`${where}: lossScale`, "a scale of at least 1 and the steps since it changed", describeValue(json));
  return { scale, goodSteps: goodSteps as number };
}

function compare(json: JsonObject, identity: TrainingIdentity, where: string): void {
  const same = (key: string, saved: unknown, now: unknown, hint: string): void => {
    if (saved !== now)
      badInput(where, `${key} ${describeValue(saved)}, with which the state was saved`, describeValue(now), hint);
  };
  same("method", json["method"], identity.method, "Train by the same --method");
  if (json["student"] !== identity.student)
    badInput(
      where,
      "the student and adapter settings that the state was saved for",
      "other weights or adapter settings",
      "Give the same --student and LoRA settings",
    );
  if (json["data"] !== identity.data)
    badInput(
      where,
      `the ${describeValue(json["rows"])} rows that the state was saved for, token by token`,
      `${identity.rows} rows that differ from them`,
      "Give the same --data",
    );
  const options = json["options"];
  if (!isJsonObject(options)) badInput(`${where}: options`, "an object", describeValue(options));
  same(
    "rows per step (batch size × accumulation)",
    Number(options["batchSize"]) * Number(options["gradAccum"]),
    identity.options.batchSize * identity.options.gradAccum,
    "Give batch size and accumulation with the same product",
  );
  for (const key of COMPARED_OPTIONS) same(key, options[key], identity.options[key], "Give the same training options");
  const { scheduler } = identity.options;
  if (scheduler === "linear" || scheduler === "cosine")
    same(
      "totalSteps",
      json["totalSteps"],
      identity.totalSteps,
      `The ${scheduler} schedule depends on the number of all steps: give the same --steps or --epochs`,
    );
}

async function readTensors(source: FileSource): Promise<Pick<TrainerState, (typeof SECTIONS)[number]>> {
  const where = `${source.name}/${TENSORS_FILE}`;
  const file = parseSafetensors(await source.read(TENSORS_FILE), where);
  const out = {
    parameters: new Map<string, Float32Array>(),
    expAvg: new Map<string, Float32Array>(),
    expAvgSq: new Map<string, Float32Array>(),
  };
  for (const key of file.names) {
    const section = SECTIONS.find((name) => key.startsWith(`${name}.`));
    if (section === undefined)
      badInput(
        `${where}: tensor ${JSON.stringify(key)}`,
        `a name that begins with ${SECTIONS.join(", ")}`,
        "another",
        "The file is not a training state",
      );
    out[section].set(key.slice(section.length + 1), floatData(file.tensor(key), key));
  }
  return out;
}
