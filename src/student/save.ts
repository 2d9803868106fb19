/**
 * @file Writing what was learned: the whole student as a Hugging Face directory, or
 * its adapter as a PEFT one. Files go to a sink that shows all of them or none.
 */
import { invariant } from "../core/errors.ts";
import { ONNX_MODEL_PATHS } from "../formats/checkpoint.ts";
import type { FileSink, FileSource } from "../formats/fileSource.ts";
import { float32ToFloat16 } from "../formats/float16.ts";
import { saveAdapter, type LoraFactors } from "../formats/peft.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { tensorToFloat16 } from "../onnx/toFloat16.ts";
import type { Tensor } from "../onnx/types.ts";
import { writeOnnxModel } from "./onnxFiles.ts";
import type { LanguageModel } from "./student.ts";
import { mergedWeights } from "./baseWeights.ts";

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

/** The student's current weights under their transformers names, an adapter merged in. */
export async function currentWeights(student: LanguageModel): Promise<Map<string, Tensor>> {
  const { decoder, weights, lora, loraConfig } = student.model;
  const values = await student.snapshot();
  if (loraConfig !== undefined)
    return mergedWeights(weights, decoder, lora, values).read(async (read) => {
      const merged = new Map<string, Tensor>();
      for (const { name } of decoder.parameters) merged.set(name, await read(name));
      return merged;
    });
  return new Map(
    decoder.parameters.map(({ name, shape }) => {
      const data = values.get(name);
      invariant(data !== undefined, `value of ${name}`);
      return [name, { type: "float32", shape, data }] as const;
    }),
  );
}

/**
 * Writes the student (adapter merged) with its config and tokenizer; the caller commits.
 * A student made of an ONNX model becomes that model with new weights, in its number types.
 * @throws BadInputError naming a weight that float16 cannot hold, where that is asked for.
 */
export async function saveStudent(
  student: LanguageModel,
  sink: FileSink,
  type: "float32" | "float16" = "float32",
): Promise<void> {
  const { configJson, source, onnx } = student.model;
  if (onnx !== undefined) {
    invariant(type === "float32", "a model file keeps its own number types");
    await sink.write("config.json", `${JSON.stringify(configJson, null, 2)}\n`);
    await sink.write(onnx.path, await writeOnnxModel(source, onnx.path, onnx.places, await currentWeights(student)));
    return copyFiles(source, sink);
  }
  const { torch_dtype: _, dtype: __, ...config } = configJson;
  const dtypeKey = "dtype" in configJson ? "dtype" : "torch_dtype";
  await sink.write("config.json", `${JSON.stringify({ ...config, [dtypeKey]: type }, null, 2)}\n`);
  const current = await currentWeights(student);
  const weights =
    type === "float32"
      ? current
      : new Map([...current].map(([name, tensor]) => [name, tensorToFloat16(tensor, name, float32ToFloat16)]));
  await sink.write("model.safetensors", writeSafetensors(weights, { format: "pt" }));
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
