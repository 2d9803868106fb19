/**
 * @file The safetensors file format, read and written. A file is 8 bytes header
 * length (little endian), a JSON header and the tensors' bytes without holes.
 * Everything the header says is checked before any byte of data is used, so that
 * reading a damaged or hostile file gives tensors or a `BadInputError`, nothing else.
 * Source: the format description of the safetensors library.
 */
import { badInput, invariant } from "../core/errors.ts";
import type { DataType, Tensor } from "../onnx/types.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "./float16.ts";
import { describeValue, isJsonObject, parseJson } from "./json.ts";
import { findDuplicateKey } from "./jsonKeys.ts";

/** Bytes per element of every dtype the format knows. */
const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type SafetensorsDtype = keyof typeof DTYPE_BYTES;

/** Longest header the format allows. */
const MAX_HEADER_BYTES = 100_000_000;

/** One tensor as the header describes it; offsets count from the start of the data. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A checked file. Tensors are decoded when asked for. */
export interface SafetensorsFile {
  /** Tensor names in the order of their data. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** What the header says of a tensor. @throws BadInputError when there is none of that name. */
  entry(name: string): SafetensorsEntry;
  /**
   * The tensor's values: F32, F16 and BF16 as float32; F64, I64, I32, I8, U8 and BOOL as
   * they are. Borrows the file's bytes where their alignment allows, so it must not be written to.
   * @throws BadInputError when there is none of that name or its dtype is not one of these.
   */
  tensor(name: string): Tensor;
}

/** What a file's header says, checked. */
export interface SafetensorsHeader {
  /** Tensors in the order of their data. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data begins in the file: the header's own size. */
  readonly dataStart: number;
}

/**
 * Size in bytes of a file's header, the 8 bytes of its length included.
 * @param start the file's first bytes, 8 at least (all of a shorter file).
 * @throws BadInputError when a file of `fileBytes` cannot have such a header.
 */
export function readHeaderBytes(start: Uint8Array, fileBytes: number, where: string): number {
  if (fileBytes < 8 || start.length < 8)
    badInput(where, "a safetensors file of at least 8 bytes", `${fileBytes} bytes`, "The file is cut off");
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > MAX_HEADER_BYTES)
    badInput(
      where,
      `a safetensors header of at most ${MAX_HEADER_BYTES} bytes`,
      `header length ${length}`,
      "This is not a safetensors file, or its first bytes are damaged",
    );
  if (length > fileBytes - 8)
    badInput(
      where,
      `a header within the file's ${fileBytes} bytes`,
      `header length ${length}`,
      "The file is cut off or damaged",
    );
  return 8 + length;
}

/**
 * The checked header of a file of `fileBytes` whose first bytes, the whole header at least, are `start`.
 * @param where names the file in errors.
 * @throws BadInputError when the header lies in any way.
 */
export function parseSafetensorsHeader(start: Uint8Array, fileBytes: number, where: string): SafetensorsHeader {
  const dataStart = readHeaderBytes(start, fileBytes, where);
  const text = decodeHeader(start.subarray(8, dataStart), where);
  const header = parseJson(text, `${where}: header`);
  if (!isJsonObject(header)) badInput(`${where}: header`, "a JSON object", describeValue(header));
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) badInput(`${where}: header`, "every key once", `${JSON.stringify(duplicate)} twice`);
  const metadata = readMetadata(header["__metadata__"], where);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => readEntry(name, value, where));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, fileBytes - dataStart, where);
  return { entries, metadata, dataStart };
}

/**
 * Reads and checks a whole file. Borrows `bytes`.
 * @param where names the file in errors.
 * @throws BadInputError when the header lies in any way.
 */
export function parseSafetensors(bytes: Uint8Array, where: string): SafetensorsFile {
  const { entries, metadata, dataStart } = parseSafetensorsHeader(bytes, bytes.length, where);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const find = (name: string): SafetensorsEntry =>
    byName.get(name) ?? badInput(where, `a tensor ${JSON.stringify(name)}`, `${byName.size} tensors without it`);
  return {
    names: entries.map((entry) => entry.name),
    metadata,
    has: (name) => byName.has(name),
    entry: find,
    tensor(name) {
      const entry = find(name);
      return decodeTensor(entry, bytes.subarray(dataStart + entry.begin, dataStart + entry.end), where);
    },
  };
}

function decodeHeader(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    badInput(
      `${where}: header`,
      "UTF-8 text",
      "bytes that are not",
      "This is not a safetensors file, or it is damaged",
    );
  }
}

function readMetadata(value: unknown, where: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isJsonObject(value)) badInput(`${where}: __metadata__`, "an object of strings", describeValue(value));
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") badInput(`${where}: __metadata__.${key}`, "a string", describeValue(text));
    out[key] = text;
  }
  return out;
}

function readEntry(name: string, value: unknown, file: string): SafetensorsEntry {
  const where = `${file}: tensor ${JSON.stringify(name)}`;
  if (!isJsonObject(value)) badInput(where, "an object with dtype, shape and data_offsets", describeValue(value));
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) badInput(where, `a dtype of ${Object.keys(DTYPE_BYTES).join(", ")}`, describeValue(dtype));
  if (!isSizes(shape)) badInput(where, "a shape of non-negative integers", JSON.stringify(shape) ?? "nothing");
  if (!isSizes(offsets) || offsets.length !== 2)
    badInput(where, "data_offsets [begin, end] of non-negative integers", JSON.stringify(offsets) ?? "nothing");
  const [begin, end] = offsets as readonly [number, number];
  if (end < begin) badInput(where, "data_offsets that do not run backwards", `[${begin}, ${end}]`);
  let size: number = DTYPE_BYTES[dtype];
  for (const dimension of shape) {
    size *= dimension;
    if (!Number.isSafeInteger(size))
      badInput(where, "a shape whose size in bytes is below 2^53", `[${shape.join(", ")}]`);
  }
  if (size !== end - begin)
    badInput(
      where,
      `${size} bytes for ${dtype} [${shape.join(", ")}]`,
      `data_offsets [${begin}, ${end}], ${end - begin} bytes`,
    );
  return { name, dtype, shape, begin, end };
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(DTYPE_BYTES, value);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

/** The tensors' ranges must tile the data exactly: no overlap, no hole, nothing beyond the end. */
function checkCoverage(entries: readonly SafetensorsEntry[], dataBytes: number, where: string): void {
  let position = 0;
  let previous = "the header";
  for (const { name, begin, end } of entries) {
    const tensor = `${where}: tensor ${JSON.stringify(name)}`;
    if (end > dataBytes)
      badInput(
        tensor,
        `data within the file's ${dataBytes} data bytes`,
        `data_offsets [${begin}, ${end}]`,
        "The file is cut off or its header is wrong",
      );
    if (begin < position)
      badInput(
        tensor,
        `data that begins at ${position}, after ${previous}`,
        `data_offsets [${begin}, ${end}], which overlap it`,
      );
    if (begin > position)
      badInput(
        tensor,
        `data that begins at ${position}, after ${previous}`,
        `data_offsets [${begin}, ${end}], which leave a hole`,
      );
    position = end;
    previous = JSON.stringify(name);
  }
  if (position !== dataBytes)
    badInput(
      where,
      `${position} data bytes as its tensors say`,
      `${dataBytes}`,
      "Bytes that belong to no tensor are not allowed",
    );
}

/**
 * The values of a tensor: F32, F16 and BF16 as float32; F64, I64, I32, I8, U8 and BOOL as they
 * are. Borrows `bytes`, the tensor's own, where their alignment allows.
 * @throws BadInputError when its dtype is not one of these.
 */
export function decodeTensor(
  entry: Pick<SafetensorsEntry, "name" | "dtype" | "shape">,
  bytes: Uint8Array,
  where: string,
): Tensor {
  const { dtype, shape, name } = entry;
  const count = bytes.length / DTYPE_BYTES[dtype];
  const tensor = (type: DataType, data: Tensor["data"]): Tensor => ({ type, shape, data });
  switch (dtype) {
    case "F32":
      return tensor("float32", view(Float32Array, bytes, count));
    case "F16":
      return tensor("float32", float16ToFloat32(view(Uint16Array, bytes, count)));
    case "BF16":
      return tensor("float32", bfloat16ToFloat32(view(Uint16Array, bytes, count)));
    case "F64":
      return tensor("float64", view(Float64Array, bytes, count));
    case "I64":
      return tensor("int64", view(BigInt64Array, bytes, count));
    case "I32":
      return tensor("int32", view(Int32Array, bytes, count));
    case "I8":
      return tensor("int8", view(Int8Array, bytes, count));
    case "U8":
      return tensor("uint8", bytes);
    case "BOOL":
      return tensor(
        "bool",
        bytes.map((value) => (value === 0 ? 0 : 1)),
      );
    case "I16":
    case "U16":
    case "U32":
    case "U64":
    case "F8_E5M2":
    case "F8_E4M3":
      return badInput(
        `${where}: tensor ${JSON.stringify(name)}`,
        "a dtype of F32, F16, BF16, F64, I64, I32, I8, U8 or BOOL",
        dtype,
        "Convert the checkpoint, for example to float16",
      );
    default:
      return dtype satisfies never;
  }
}

/** A typed view of `bytes`, copied only when they are not aligned for it. Typed arrays are little endian on every platform that runs JavaScript engines we support. */
function view<T>(
  Type: { new (buffer: ArrayBufferLike, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
  count: number,
): T {
  if (bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0) return new Type(bytes.buffer, bytes.byteOffset, count);
  return new Type(bytes.slice().buffer, 0, count);
}

const WRITTEN_DTYPE: Readonly<Record<DataType, SafetensorsDtype>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  int32: "I32",
  int64: "I64",
  uint8: "U8",
  int8: "I8",
  bool: "BOOL",
};

/** Larger elements first, as the safetensors library lays them out (keeps every tensor aligned). */
const DTYPE_ORDER: readonly SafetensorsDtype[] = ["I64", "F64", "F32", "I32", "F16", "I8", "U8", "BOOL"];

const countOf = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

type TensorSpec = Pick<Tensor, "type" | "shape">;

/**
 * What stands before the data of a safetensors file, and the order of the data: by dtype size, then name. The header is
 * padded with spaces to 8 bytes.
 */
function layOut(
  specs: ReadonlyMap<string, TensorSpec>,
  metadata: Readonly<Record<string, string>>,
): { readonly head: Uint8Array; readonly names: readonly string[]; readonly dataBytes: number } {
  const sorted = [...specs].sort(
    ([nameA, a], [nameB, b]) =>
      DTYPE_ORDER.indexOf(WRITTEN_DTYPE[a.type]) - DTYPE_ORDER.indexOf(WRITTEN_DTYPE[b.type]) ||
      (nameA < nameB ? -1 : 1),
  );
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) header["__metadata__"] = metadata;
  let offset = 0;
  for (const [name, { type, shape }] of sorted) {
    if (name === "__metadata__") badInput("writeSafetensors", "a tensor name other than __metadata__", "__metadata__");
    const bytes = countOf(shape) * DTYPE_BYTES[WRITTEN_DTYPE[type]];
    header[name] = { dtype: WRITTEN_DTYPE[type], shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const encoded = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(encoded.length / 8) * 8;
  const head = new Uint8Array(8 + headerBytes).fill(0x20, 8);
  new DataView(head.buffer).setUint32(0, headerBytes, true);
  head.set(encoded, 8);
  return { head, names: sorted.map(([name]) => name), dataBytes: offset };
}

/** The data of a tensor as it stands in a file. @throws BadInputError when it does not fit its shape. */
function dataOf(name: string, { type, shape, data }: Tensor, spec: TensorSpec): Uint8Array {
  const count = countOf(shape);
  if (data.length !== count || type !== spec.type || countOf(spec.shape) !== count)
    badInput(
      `writeSafetensors: tensor ${JSON.stringify(name)}`,
      `${count} elements for shape [${shape.join(", ")}]`,
      `${data.length}`,
    );
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Bytes of a safetensors file with these tensors. Copies the data. `float16` tensors (bit patterns) are written as F16.
 * @throws BadInputError when a tensor's data does not fit its shape.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Uint8Array<ArrayBuffer> {
  const { head, names, dataBytes } = layOut(tensors, metadata);
  const out = new Uint8Array(head.length + dataBytes);
  out.set(head);
  let position = head.length;
  for (const name of names) {
    const tensor = tensors.get(name);
    invariant(tensor !== undefined, "names are those of the tensors");
    const bytes = dataOf(name, tensor, tensor);
    out.set(bytes, position);
    position += bytes.length;
  }
  return out;
}

/** The same file part by part, one tensor in memory at a time: `read` gives that of a name, as its spec says. @throws as `writeSafetensors`, and what `read` throws. */
export async function* streamSafetensors(
  specs: ReadonlyMap<string, TensorSpec>,
  read: (name: string) => Promise<Tensor>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): AsyncGenerator<Uint8Array, void, void> {
  const { head, names } = layOut(specs, metadata);
  yield head;
  for (const name of names) {
    const spec = specs.get(name);
    invariant(spec !== undefined, "names are those of the specs");
    yield dataOf(name, await read(name), spec);
  }
}
