/**
 * @file A student's ONNX model among its files: found, read with its external data, and
 * written back with trained weights. Not here: what the graph means (`nn/imported`).
 */
import { badInput } from "../core/errors.ts";
import { raiseOpset } from "../autograd/raiseOpset.ts";
import { checkRelativePath, type FileSource } from "../formats/fileSource.ts";
import { ONNX_MODEL_PATHS, WEIGHTS_FILE, WEIGHTS_INDEX_FILE } from "../formats/checkpoint.ts";
import { float16ToFloat32, float32ToFloat16 } from "../formats/float16.ts";
import { importDecoder, type ImportedDecoder, type WeightPlace } from "../nn/imported/importDecoder.ts";
import { RawConfig } from "../nn/rawConfig.ts";
import { decodeModel } from "../onnx/model.ts";
import { replaceInitializers } from "../onnx/replaceInitializers.ts";
import { tensorToFloat16 } from "../onnx/toFloat16.ts";
import { toFloat32 } from "../onnx/toFloat32.ts";
import type { Tensor } from "../onnx/types.ts";
import { floatData } from "./weights.ts";

/** Operator set below which nodes are brought to a later form. */
const OPSET = 17;

/** Path of the ONNX model that the student is made of; undefined when it has safetensors weights, or no model at all. */
export async function findOnnxModel(source: FileSource): Promise<string | undefined> {
  if ((await source.has(WEIGHTS_FILE)) || (await source.has(WEIGHTS_INDEX_FILE))) return undefined;
  for (const path of ONNX_MODEL_PATHS) if (await source.has(path)) return path;
  return undefined;
}

/** The decoder of an ONNX model and its weights in float32. @throws BadInputError or an `unsupported` TutelageError as reading and importing do. */
export async function readOnnxDecoder(source: FileSource, path: string, configJson: unknown): Promise<ImportedDecoder> {
  const where = `${source.name}/${path}`;
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
  const bytes = await source.read(checkRelativePath(path, source.name));
  const external = new Map<string, Uint8Array>();
  for (;;) {
    let missing: string | undefined;
    try {
      const graph = decodeModel(bytes, {
        externalData: ({ location, offset, length }) => {
          const data = external.get(location);
          if (data === undefined) throw new MissingData((missing = location));
          if (offset + length > data.length)
            badInput(`${where}: external data '${location}'`, `at least ${offset + length} bytes`, String(data.length));
          return data.subarray(offset, offset + length);
        },
      });
      return importDecoder(
        raiseOpset(toFloat32(graph, float16ToFloat32), OPSET),
        new RawConfig(configJson, `${source.name}/config.json`),
        where,
      );
    } catch (error) {
      if (missing === undefined) throw error;
      external.set(missing, await source.read(folder + checkRelativePath(missing, where)));
    }
  }
}

class MissingData extends Error {}

function transpose(tensor: Tensor): Tensor {
  const [rows = 0, columns = 0] = tensor.shape;
  const source = floatData(tensor, "output head");
  const data = new Float32Array(source.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) data[column * rows + row] = source[row * columns + column] ?? 0;
  return { type: "float32", shape: [columns, rows], data };
}

/**
 * Bytes of the student's model file with the weights replaced, each in the number type
 * that the file keeps it in; everything else in the file stays. Data from other files
 * come into this one.
 * @throws BadInputError for weights that float16 cannot hold, or beyond 2 GiB.
 */
export async function writeOnnxModel(
  source: FileSource,
  path: string,
  places: readonly WeightPlace[],
  weights: ReadonlyMap<string, Tensor>,
): Promise<Uint8Array> {
  const tensors = new Map<string, Tensor>();
  for (const { parameter, initializer, transposed } of places) {
    const tensor = weights.get(parameter);
    if (tensor !== undefined) tensors.set(initializer, transposed ? transpose(tensor) : tensor);
  }
  return replaceInitializers(await source.read(path), tensors, (tensor, name) =>
    tensorToFloat16(tensor, name, float32ToFloat16),
  );
}
