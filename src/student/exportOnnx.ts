/**
 * @file Writing a student, its adapter merged in, as the folder that transformers.js
 * loads: an ONNX model with a key-value cache, configs and tokenizer. Not here: the
 * graph (`exportGraph.ts`) and directories for transformers (`save.ts`).
 */
import { badInput } from "../core/errors.ts";
import { ONNX_MODEL_PATHS } from "../formats/checkpoint.ts";
import type { FileSink } from "../formats/fileSource.ts";
import { float32ToFloat16 } from "../formats/float16.ts";
import { encodeModel } from "../onnx/model.ts";
import { toFloat16 } from "../onnx/toFloat16.ts";
import type { Tensor } from "../onnx/types.ts";
import type { Decoder } from "../nn/family.ts";
import { buildExportGraph } from "./exportGraph.ts";
import { COPIED_FILES, copyFiles, currentWeights, saveStudent } from "./save.ts";
import type { LanguageModel } from "./student.ts";

/** Number types of exported models, as transformers.js names them in its option `dtype`. */
export const EXPORT_DTYPES = ["fp32", "fp16"] as const;
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

/** Path of the model file of a number type: what transformers.js asks for. */
export const ONNX_MODEL_FILES: Readonly<Record<ExportDtype, string>> = {
  fp32: "onnx/model.onnx",
  fp16: "onnx/model_fp16.onnx",
};

/** Names that `exportOnnx` may write. */
export const EXPORTED_FILES: readonly string[] = [
  ...new Set([...Object.values(ONNX_MODEL_FILES), ...ONNX_MODEL_PATHS, "config.json", ...COPIED_FILES]),
];

/** Protobuf's limit, less room for the nodes. */
const MAX_WEIGHT_BYTES = 2 ** 31 - 2 ** 24;
/** Hidden keys get this in float16: its sum with any score stays finite, and exp() of it is 0. */
const MASKED_FLOAT16 = -1e4;

/**
 * Bytes of an ONNX model that computes `decoder` with `weights` in a number type; in
 * float16 the cache is float16 too, the logits stay float32.
 * @throws BadInputError for weights beyond protobuf's 2 GiB or float16's range.
 */
export function onnxModelOf(decoder: Decoder, weights: ReadonlyMap<string, Tensor>, dtype: ExportDtype): Uint8Array {
  const bytesEach = dtype === "fp32" ? 4 : 2;
  let elements = 0;
  for (const { data } of weights.values()) elements += data.length;
  if (elements * bytesEach > MAX_WEIGHT_BYTES)
    badInput(
      `ONNX model in ${dtype}`,
      "weights below 2 GiB, the most that one model file holds",
      `${((elements * bytesEach) / 2 ** 30).toFixed(1)} GiB`,
      dtype === "fp32" ? "Export it in fp16, or as safetensors" : "Export it as safetensors",
    );
  if (dtype === "fp32") return encodeModel(buildExportGraph(decoder, weights));
  const graph = buildExportGraph(decoder, weights, { masked: MASKED_FLOAT16 });
  return encodeModel(toFloat16(graph, { convert: float32ToFloat16, keepOutputs: ["logits"] }));
}

/**
 * Writes the student as a transformers.js folder, one model file for each of `dtypes`; the
 * caller commits. A student made of an ONNX model is that model with its present weights,
 * in the number types of the file.
 */
export async function exportOnnx(
  student: LanguageModel,
  sink: FileSink,
  dtypes: readonly ExportDtype[] = ["fp32"],
): Promise<void> {
  const { decoder, configJson, source, tokenizer, onnx } = student.model;
  if (onnx !== undefined) return saveStudent(student, sink);
  const [preferred] = dtypes;
  if (preferred === undefined) badInput("ONNX export", `a number type (${EXPORT_DTYPES.join(", ")})`, "none");
  const weights = await currentWeights(student);
  for (const dtype of dtypes) await sink.write(ONNX_MODEL_FILES[dtype], onnxModelOf(decoder, weights, dtype));
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  await sink.write(
    "config.json",
    json({
      ...configJson,
      "transformers.js_config": {
        dtype: preferred,
        // Version 3 takes the type of an empty cache from here, later ones from the model.
        ...(dtypes.includes("fp16") ? { kv_cache_dtype: { fp16: "float16" } } : {}),
      },
    }),
  );
  await copyFiles(source, sink);
  if (!(await source.has("generation_config.json"))) {
    await sink.write(
      "generation_config.json",
      json({
        _from_model_config: true,
        ...(tokenizer.bosTokenId === undefined ? {} : { bos_token_id: tokenizer.bosTokenId }),
        ...(tokenizer.eosTokenIds.length === 0 ? {} : { eos_token_id: tokenizer.eosTokenIds }),
      }),
    );
  }
  // transformers.js loads no tokenizer without this file.
  if (!(await source.has("tokenizer_config.json"))) {
    const text = (id: number | undefined): string | undefined =>
      id === undefined ? undefined : tokenizer.idToToken(id);
    await sink.write(
      "tokenizer_config.json",
      json({
        tokenizer_class: "PreTrainedTokenizerFast",
        bos_token: text(tokenizer.bosTokenId),
        eos_token: text(tokenizer.eosTokenId),
      }),
    );
  }
}
