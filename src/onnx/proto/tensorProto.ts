/**
 * @file TensorProto to and from `Tensor`: written as raw little-endian bytes, read in
 * every storage form (raw bytes, typed lists, bytes in another file). Not here: types
 * we do not handle (strings, complex, bfloat16, 4- and 8-bit floats), which are errors.
 */
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { badInput, TutelageError } from "../../core/errors.ts";
import { DATA_TYPE_CODES, dataTypeOf } from "../attributes.ts";
import { elementCount, formatShape } from "../shapes.ts";
import type { DataType, Tensor, TypedArray } from "../types.ts";
import { STRING_ENTRY, TENSOR } from "./fields.ts";
import { MessageReader } from "./messageReader.ts";

/** Where a tensor's bytes lie outside the model file. */
export interface ExternalData {
  /** Path relative to the model file, as the model gives it: not to be trusted. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Returns the `length` bytes at `offset` of the named file. */
export type ExternalDataResolver = (data: ExternalData) => Uint8Array;

/** TensorProto.DataLocation. */
const EXTERNAL = 1;

interface ArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): TypedArray;
}

const ARRAYS: Readonly<Record<DataType, ArrayConstructor>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};

/** Writes the fields of a TensorProto. @throws BadInputError when data and shape or type disagree. */
export function writeTensor(writer: BinaryWriter, tensor: Tensor, name: string): void {
  const { type, shape, data } = tensor;
  if (!(data instanceof ARRAYS[type]) || data.length !== elementCount(shape)) {
    badInput(
      `tensor '${name}'`,
      `${elementCount(shape)} elements in a ${ARRAYS[type].name} for ${type}${formatShape(shape)}`,
      `${data.length} in a ${data.constructor.name}`,
    );
  }
  for (const dim of shape) writer.tag(TENSOR.dims, WireType.Varint).int64(dim);
  writer.tag(TENSOR.dataType, WireType.Varint).int32(DATA_TYPE_CODES[type]);
  if (name !== "") writer.tag(TENSOR.name, WireType.LengthDelimited).string(name);
  writer
    .tag(TENSOR.rawData, WireType.LengthDelimited)
    .bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** Writes the fields of a TensorProto whose data are in another file. */
export function writeExternalTensor(
  writer: BinaryWriter,
  { type, shape }: Pick<Tensor, "type" | "shape">,
  name: string,
  { location, offset, length }: ExternalData,
): void {
  for (const dim of shape) writer.tag(TENSOR.dims, WireType.Varint).int64(dim);
  writer.tag(TENSOR.dataType, WireType.Varint).int32(DATA_TYPE_CODES[type]);
  writer.tag(TENSOR.name, WireType.LengthDelimited).string(name);
  for (const [key, value] of Object.entries({ location, offset: String(offset), length: String(length) })) {
    writer.tag(TENSOR.externalData, WireType.LengthDelimited).fork();
    writer.tag(STRING_ENTRY.key, WireType.LengthDelimited).string(key);
    writer.tag(STRING_ENTRY.value, WireType.LengthDelimited).string(value);
    writer.join();
  }
  writer.tag(TENSOR.dataLocation, WireType.Varint).int32(EXTERNAL);
}

interface RawTensor {
  name: string;
  typeCode: number;
  readonly dims: number[];
  raw: Uint8Array | undefined;
  readonly floats: number[];
  readonly integers: number[];
  readonly int64s: bigint[];
  readonly doubles: number[];
  readonly external: Map<string, string>;
  isExternal: boolean;
}

function readFields(bytes: Uint8Array): RawTensor {
  const raw: RawTensor = {
    name: "",
    typeCode: 0,
    dims: [],
    raw: undefined,
    floats: [],
    integers: [],
    int64s: [],
    doubles: [],
    external: new Map(),
    isExternal: false,
  };
  const reader = new MessageReader(bytes, "TensorProto");
  while (reader.next()) {
    switch (reader.field) {
      case TENSOR.dims:
        reader.integers(raw.dims);
        break;
      case TENSOR.dataType:
        raw.typeCode = reader.integer();
        break;
      case TENSOR.name:
        raw.name = reader.string();
        break;
      case TENSOR.rawData:
        raw.raw = reader.bytes();
        break;
      case TENSOR.floatData:
        reader.floats(raw.floats);
        break;
      case TENSOR.int32Data:
        reader.integers(raw.integers);
        break;
      case TENSOR.int64Data:
        reader.int64s(raw.int64s);
        break;
      case TENSOR.doubleData:
        reader.doubles(raw.doubles);
        break;
      case TENSOR.dataLocation:
        raw.isExternal = reader.integer() === EXTERNAL;
        break;
      case TENSOR.segment:
        throw new TutelageError("unsupported", `tensor '${raw.name}': stored in segments`);
      case TENSOR.externalData: {
        const entry = new MessageReader(reader.bytes(), "StringStringEntryProto");
        let [key, value] = ["", ""];
        while (entry.next()) {
          if (entry.field === STRING_ENTRY.key) key = entry.string();
          else if (entry.field === STRING_ENTRY.value) value = entry.string();
        }
        raw.external.set(key, value);
        break;
      }
    }
  }
  return raw;
}

/** The typed list that a tensor without raw bytes keeps its elements in. */
function typedList(type: DataType, raw: RawTensor): readonly number[] | readonly bigint[] {
  switch (type) {
    case "float32":
      return raw.floats;
    case "float64":
      return raw.doubles;
    case "int64":
      return raw.int64s;
    case "float16":
    case "int32":
    case "uint8":
    case "int8":
    case "bool":
      return raw.integers;
    default:
      return type satisfies never;
  }
}

function externalBytes(
  where: string,
  raw: RawTensor,
  byteLength: number,
  resolve: ExternalDataResolver | undefined,
): Uint8Array {
  const location = raw.external.get("location") ?? "";
  if (resolve === undefined) {
    badInput(
      where,
      "its data inside the model file",
      `data in the external file '${location}'`,
      "Save the model with its tensors embedded, or pass `externalData`",
    );
  }
  const offset = Number(raw.external.get("offset") ?? "0");
  const length = Number(raw.external.get("length") ?? byteLength);
  if (!Number.isSafeInteger(offset) || offset < 0 || length !== byteLength) {
    badInput(
      where,
      `an offset of at least 0 and a length of ${byteLength}`,
      `${raw.external.get("offset")} and ${raw.external.get("length")}`,
    );
  }
  return resolve({ location, offset, length });
}

/**
 * Reads a TensorProto. The result owns its data.
 * @throws BadInputError when sizes disagree, or the data lie in another file and there is no resolver.
 * @throws TutelageError `unsupported` for element types we do not handle.
 */
export function readTensor(
  bytes: Uint8Array,
  resolve?: ExternalDataResolver,
): { readonly name: string; readonly tensor: Tensor } {
  const raw = readFields(bytes);
  const where = `tensor '${raw.name}'`;
  const type = dataTypeOf(raw.typeCode);
  if (type === undefined)
    throw new TutelageError("unsupported", `${where}: TensorProto data type ${raw.typeCode} is not handled`);
  const shape = raw.dims;
  const count = elementCount(shape);
  if (shape.some((dim) => dim < 0) || !Number.isSafeInteger(count))
    badInput(where, "dimensions of at least 0 with a countable product", formatShape(shape));
  const Typed = ARRAYS[type];
  const byteLength = count * Typed.BYTES_PER_ELEMENT;
  const stored = raw.isExternal ? externalBytes(where, raw, byteLength, resolve) : raw.raw;
  const list = typedList(type, raw);
  if (stored !== undefined && (stored.byteLength > 0 || list.length === 0)) {
    if (stored.byteLength !== byteLength)
      badInput(where, `${byteLength} bytes for ${type}${formatShape(shape)}`, String(stored.byteLength));
    // A copy: it frees the file's bytes and aligns the elements.
    const data = new Typed(new Uint8Array(stored).buffer);
    return {
      name: raw.name,
      tensor: { type, shape, data: type === "bool" ? (data as Uint8Array).map((x) => (x === 0 ? 0 : 1)) : data },
    };
  }
  if (list.length !== count) badInput(where, `${count} elements for ${type}${formatShape(shape)}`, String(list.length));
  const data = new Typed(new ArrayBuffer(byteLength));
  list.forEach((element, i) => {
    data[i] = type === "bool" ? Number(element !== 0) : element;
  });
  return { name: raw.name, tensor: { type, shape, data } };
}
