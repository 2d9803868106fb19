/**
 * @file Writing what was learned: the whole student as a Hugging Face directory, or
 * its adapter as a PEFT one. Files go to a sink that shows all of them or none.
 */
import { invariant } from "../core/errors.ts";
import { ONNX_MODEL_PATHS } from "../formats/checkpoint.ts";
import type { FileSink, FileSource } from "../formats/fileSource.ts";
import { float32ToFloat16 } from "../formats/float16.ts";
import { editJsonObject, parseJsonObject } from "../formats/json.ts";
import { saveAdapter, type LoraFactors } from "../formats/peft.ts";
import { streamSafetensors } from "../formats/safetensors.ts";
import type { Decoder } from "../nn/family.ts";
import { tensorToFloat16 } from "../onnx/toFloat16.ts";
import type { Tensor } from "../onnx/types.ts";
import type { BaseWeights } from "./baseWeights.ts";
import { writeOnnxModel } from "./onnxFiles.ts";
import type { LanguageModel, SavableStudent } from "./student.ts";

/** Files that are copied as they are when the student's directory has them. */
export const COPIED_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
];

/** Names that `saveStudent` may write. */
export const STUDENT_FILES: readonly string[] = [
  "config.json",
  "model.safetensors",
  ...ONNX_MODEL_PATHS,
  ...COPIED_FILES,
];
/** Names that `saveLora` writes. */
export const ADAPTER_FILES: readonly string[] = ["adapter_config.json", "adapter_model.safetensors"];

/** All weights at once. */
export function readAll({ parameters }: Decoder, weights: BaseWeights): Promise<Map<string, Tensor>> {
  return weights.read(async (read) => {
    const all = new Map<string, Tensor>();
    for (const { name } of parameters) all.set(name, await read(name));
    return all;
  });
}

/**
 * Writes the student (adapter merged) with its config and tokenizer; the caller commits.
 * A student made of an ONNX model becomes that model with new weights, in its number types.
 * @throws BadInputError naming a weight that float16 cannot hold, where that is asked for.
 */
export async function saveStudent(
  student: SavableStudent,
  sink: FileSink,
  type: "float32" | "float16" = "float32",
): Promise<void> {
  const { configText, decoder, source, onnx } = student.model;
  const weights = await student.currentWeights();
  if (onnx !== undefined) {
    invariant(type === "float32", "a model file keeps its own number types");
    await sink.write("config.json", configText);
    await sink.write(onnx.path, await writeOnnxModel(source, onnx.path, onnx.places, await readAll(decoder, weights)));
    return copyFiles(source, sink);
  }
  const dtypeKeys = ["dtype", "torch_dtype"];
  const dtypeKey = "dtype" in parseJsonObject(configText, "config.json") ? "dtype" : "torch_dtype";
  await sink.write("config.json", editJsonObject(configText, { drop: dtypeKeys, set: { [dtypeKey]: type } }));
  const specs = new Map(decoder.parameters.map(({ name, shape }) => [name, { type, shape }] as const));
  await weights.read(async (read) => {
    // One tensor in memory at a time, where the sink takes parts.
    const parts = streamSafetensors(
      specs,
      async (name) => {
        const tensor = await read(name);
        return type === "float32" ? tensor : tensorToFloat16(tensor, name, float32ToFloat16);
      },
      { format: "pt" },
    );
    await sink.write("model.safetensors", parts);
  });
  await copyFiles(source, sink);
}

/** Copies tokenizer and generation settings. */
export async function copyFiles(source: FileSource, sink: FileSink): Promise<void> {
  for (const name of COPIED_FILES) {
    if (await source.has(name)) await sink.write(name, await source.read(name));
  }
}

/** Writes the adapter in PEFT's format; the caller commits. */
export async function saveLora(student: LanguageModel, sink: FileSink): Promise<void> {
  const { lora, loraConfig, source } = student.model;
  invariant(loraConfig !== undefined, "only a student with an adapter has one to save");
  const values = await student.snapshot();
  const shapes = new Map(lora.parameters.map((spec) => [spec.name, spec.shape]));
  const tensor = (name: string): Tensor => {
    const data = values.get(name);
    const shape = shapes.get(name);
    invariant(data !== undefined && shape !== undefined, `value of ${name}`);
    return { type: "float32", shape, data };
  };
  const modules = new Map<string, LoraFactors>(
    [...lora.modules].map(([module, { loraA, loraB }]) => [module, { loraA: tensor(loraA), loraB: tensor(loraB) }]),
  );
  await saveAdapter(sink, { config: { baseModel: source.name, ...loraConfig }, modules });
}
