/**
 * @file New values for the initializers of a model file, everything else in it as it
 * was: the file is copied field by field, not read and written anew, so that what we do
 * not handle (metadata, functions, unknown operators) stays too.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { badInput, TutelageError } from "../core/errors.ts";
import { DATA_TYPE_CODES } from "./attributes.ts";
import { GRAPH, MODEL, TENSOR } from "./proto/fields.ts";
import { MessageReader } from "./proto/messageReader.ts";
import { writeTensor } from "./proto/tensorProto.ts";
import { formatShape, sameShape } from "./shapes.ts";
import type { Tensor } from "./types.ts";

/** Protobuf's limit. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** Copies the fields of a message but for those that `replace` writes itself. */
function copyFields(
  bytes: Uint8Array,
  writer: BinaryWriter,
  replace: (field: number, content: Uint8Array) => boolean,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wire] = reader.tag();
    if (wire === WireType.LengthDelimited) {
      const content = reader.bytes();
      if (replace(field, content)) continue;
    } else reader.skip(wire, field);
    writer.raw(bytes.subarray(start, reader.pos));
  }
}

interface Header {
  readonly name: string;
  readonly code: number;
  readonly shape: readonly number[];
  readonly isExternal: boolean;
}

function readHeader(bytes: Uint8Array): Header {
  const reader = new MessageReader(bytes, "TensorProto");
  const shape: number[] = [];
  let [name, code, isExternal] = ["", 0, false];
  while (reader.next()) {
    if (reader.field === TENSOR.name) name = reader.string();
    else if (reader.field === TENSOR.dataType) code = reader.integer();
    else if (reader.field === TENSOR.dims) reader.integers(shape);
    else if (reader.field === TENSOR.dataLocation) isExternal = reader.integer() === 1;
  }
  return { name, code, shape, isExternal };
}

/**
 * The model in `bytes` with `tensors` (float32) as its initializers of those names;
 * `narrow` brings one to float16 where the file has that.
 * @throws BadInputError when an initializer is missing, has another shape or data outside
 *   the file that are not replaced, or the result exceeds 2 GiB.
 */
export function replaceInitializers(
  bytes: Uint8Array,
  tensors: ReadonlyMap<string, Tensor>,
  narrow: (tensor: Tensor, name: string) => Tensor,
): Uint8Array {
  const left = new Set(tensors.keys());
  const writeInitializer = (writer: BinaryWriter, content: Uint8Array): boolean => {
    const { name, code, shape, isExternal } = readHeader(content);
    const tensor = tensors.get(name);
    if (tensor === undefined) {
      if (isExternal)
        badInput(
          `ONNX model: initializer '${name}'`,
          "constants inside the model file",
          "data in another file",
          "Save the model with its tensors embedded",
        );
      return false;
    }
    const stored =
      code === DATA_TYPE_CODES.float16 ? narrow(tensor, name) : code === DATA_TYPE_CODES.float32 ? tensor : undefined;
    if (stored === undefined)
      throw new TutelageError("unsupported", `ONNX model: initializer '${name}' is neither float32 nor float16`);
    if (!sameShape(shape, tensor.shape))
      badInput(`ONNX model: initializer '${name}'`, `shape ${formatShape(shape)}`, formatShape(tensor.shape));
    left.delete(name);
    writer.tag(GRAPH.initializer, WireType.LengthDelimited).fork();
    writeTensor(writer, stored, name);
    writer.join();
    return true;
  };
  const out = new BinaryWriter();
  copyFields(bytes, out, (field, content) => {
    if (field !== MODEL.graph) return false;
    out.tag(MODEL.graph, WireType.LengthDelimited).fork();
    copyFields(content, out, (inner, tensor) => inner === GRAPH.initializer && writeInitializer(out, tensor));
    out.join();
    return true;
  });
  const [missing] = left;
  if (missing !== undefined) badInput("ONNX model", `an initializer '${missing}'`, "none");
  const result = out.finish();
  if (result.length > MAX_MODEL_BYTES)
    badInput(
      "ONNX model",
      "a file below 2 GiB",
      `${result.length} bytes`,
      "Train an adapter and keep it beside the model",
    );
  return result;
}
