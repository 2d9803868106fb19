/**
 * @file Writing a student, its adapter merged in, as the folder that transformers.js
 * loads: an ONNX model with a key-value cache, configs and tokenizer. Not here: the
 * graph (`exportGraph.ts`) and directories for transformers (`save.ts`).
 */
import { badInput } from "../core/errors.ts";
import { ONNX_MODEL_PATHS } from "../formats/checkpoint.ts";
import type { FileSink } from "../formats/fileSource.ts";
import { float32ToFloat16 } from "../formats/float16.ts";
import { editJsonObject } from "../formats/json.ts";
import { encodeModel, type ExternalData } from "../onnx/model.ts";
import { elementCount, staticShape } from "../onnx/shapes.ts";
import { tensorToFloat16, toFloat16 } from "../onnx/toFloat16.ts";
import type { Graph, Tensor, Value } from "../onnx/types.ts";
import type { Decoder } from "../nn/family.ts";
import type { BaseWeights } from "./baseWeights.ts";
import { buildExportGraph } from "./exportGraph.ts";
import { COPIED_FILES, copyFiles, readAll, saveStudent } from "./save.ts";
import type { SavableStudent } from "./student.ts";

/** Number types of exported models, as transformers.js names them in its option `dtype`. */
export const EXPORT_DTYPES = ["fp32", "fp16"] as const;
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

/** Path of the model file of a number type: what transformers.js asks for. */
export const ONNX_MODEL_FILES: Readonly<Record<ExportDtype, string>> = {
  fp32: "onnx/model.onnx",
  fp16: "onnx/model_fp16.onnx",
};

/** Most files of data beside a model that transformers.js loads. */
const MAX_DATA_FILES = 100;

/** Name of the i-th file of data beside a model, as transformers.js and Optimum name them. */
const dataFileOf = (model: string, i: number): string => `${model}_data${i === 0 ? "" : `_${i}`}`;

/** Names that `exportOnnx` may write. */
export const EXPORTED_FILES: readonly string[] = [
  ...new Set([
    ...Object.values(ONNX_MODEL_FILES).flatMap((model) => [
      model,
      ...Array.from({ length: MAX_DATA_FILES }, (_, i) => dataFileOf(model, i)),
    ]),
    ...ONNX_MODEL_PATHS,
    "config.json",
    ...COPIED_FILES,
  ]),
];

/** Protobuf's limit, less room for the nodes: more is written into files beside the model, none larger than this. */
const MAX_FILE_BYTES = 2 ** 31 - 2 ** 24;
/** Hidden keys get this in float16: its sum with any score stays finite, and exp() of it is 0. */
const MASKED_FLOAT16 = -1e4;

const bytesEach = (dtype: ExportDtype): number => (dtype === "fp32" ? 4 : 2);

/** Weights inside, or without them as inputs; in float16 the cache is float16 too, the logits stay float32. */
function exportGraphOf(decoder: Decoder, weights: ReadonlyMap<string, Tensor> | undefined, dtype: ExportDtype): Graph {
  if (dtype === "fp32") return buildExportGraph(decoder, weights);
  const graph = buildExportGraph(decoder, weights, { masked: MASKED_FLOAT16 });
  return toFloat16(graph, { convert: float32ToFloat16, keepOutputs: ["logits"] });
}

/**
 * Bytes of an ONNX model that computes `decoder` with `weights` in a number type.
 * @throws BadInputError for weights beyond protobuf's 2 GiB or float16's range.
 */
export function onnxModelOf(decoder: Decoder, weights: ReadonlyMap<string, Tensor>, dtype: ExportDtype): Uint8Array {
  return encodeModel(exportGraphOf(decoder, weights, dtype));
}

/** A file beside a model, and whose data are in it, in order. */
interface DataFile {
  readonly path: string;
  readonly names: string[];
  bytes: number;
}

/** The parameters among `inputs` put into as few files of at most `maxFileBytes` as their order allows. */
function planDataFiles(
  inputs: readonly Value[],
  parameters: ReadonlySet<string>,
  dtype: ExportDtype,
  maxFileBytes: number,
): { readonly files: readonly DataFile[]; readonly places: ReadonlyMap<string, ExternalData> } {
  const model = ONNX_MODEL_FILES[dtype];
  const files: DataFile[] = [];
  const places = new Map<string, ExternalData>();
  for (const { name, shape } of inputs) {
    if (!parameters.has(name)) continue;
    const length = bytesEach(dtype) * elementCount(staticShape(shape, `shape of '${name}'`));
    let file = files.at(-1);
    if (file === undefined || (file.bytes > 0 && file.bytes + length > maxFileBytes))
      files.push((file = { path: dataFileOf(model, files.length), names: [], bytes: 0 }));
    places.set(name, { location: file.path.slice(file.path.lastIndexOf("/") + 1), offset: file.bytes, length });
    file.names.push(name);
    file.bytes += length;
  }
  if (files.length > MAX_DATA_FILES)
    badInput(
      `ONNX model in ${dtype}`,
      `at most ${MAX_DATA_FILES} files of data`,
      String(files.length),
      "Export it as safetensors",
    );
  return { files, places };
}

/** Writes a model and, where its weights exceed `maxFileBytes`, the files of data beside it; returns how many those are. */
async function writeModel(
  decoder: Decoder,
  weights: BaseWeights,
  dtype: ExportDtype,
  sink: FileSink,
  maxFileBytes: number,
): Promise<number> {
  const path = ONNX_MODEL_FILES[dtype];
  const elements = decoder.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (elements * bytesEach(dtype) <= maxFileBytes) {
    await sink.write(path, onnxModelOf(decoder, await readAll(decoder, weights), dtype));
    return 0;
  }
  const graph = exportGraphOf(decoder, undefined, dtype);
  const parameters = new Set(decoder.parameters.map(({ name }) => name));
  const { files, places } = planDataFiles(graph.inputs, parameters, dtype, maxFileBytes);
  await sink.write(path, encodeModel(graph, { external: places }));
  await weights.read(async (read) => {
    // One tensor in memory at a time.
    async function* parts(names: readonly string[]): AsyncGenerator<Uint8Array, void, void> {
      for (const name of names) {
        const tensor = await read(name);
        const { data } = dtype === "fp32" ? tensor : tensorToFloat16(tensor, name, float32ToFloat16);
        yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      }
    }
    for (const file of files) await sink.write(file.path, parts(file.names));
  });
  return files.length;
}

/**
 * Writes the student as a transformers.js folder, one model file for each of `dtypes`, with files of data beside it where
 * its weights are more than a model file holds; the caller commits. Returns the paths of models and data. A student made
 * of an ONNX model is that model with its present weights, in the number types of the file.
 */
export async function exportOnnx(
  student: SavableStudent,
  sink: FileSink,
  dtypes: readonly ExportDtype[] = ["fp32"],
  { maxFileBytes = MAX_FILE_BYTES }: { readonly maxFileBytes?: number } = {},
): Promise<string[]> {
  const { decoder, configText, source, tokenizer, onnx } = student.model;
  if (onnx !== undefined) {
    await saveStudent(student, sink);
    return [onnx.path];
  }
  const [preferred] = dtypes;
  if (preferred === undefined) badInput("ONNX export", `a number type (${EXPORT_DTYPES.join(", ")})`, "none");
  const weights = await student.currentWeights();
  const written: string[] = [];
  /** Files of data by model file name, where there are some: transformers.js looks for them only where it is told to. */
  const external: Record<string, number> = {};
  for (const dtype of dtypes) {
    const path = ONNX_MODEL_FILES[dtype];
    const count = await writeModel(decoder, weights, dtype, sink, maxFileBytes);
    if (count > 0) external[path.slice(path.lastIndexOf("/") + 1)] = count;
    written.push(path, ...Array.from({ length: count }, (_, i) => dataFileOf(path, i)));
  }
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  await sink.write(
    "config.json",
    editJsonObject(configText, {
      set: {
        "transformers.js_config": {
          dtype: preferred,
          // Version 3 takes the type of an empty cache from here, later ones from the model.
          ...(dtypes.includes("fp16") ? { kv_cache_dtype: { fp16: "float16" } } : {}),
          ...(Object.keys(external).length > 0 ? { use_external_data_format: external } : {}),
        },
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
  return written;
}
