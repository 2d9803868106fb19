/** @file The typed array behind each element type, and bytes seen as one. No values are converted. */
import type { DataType, Tensor, TypedArray } from "../onnx/types.ts";

interface TypedArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
}

const CONSTRUCTORS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const satisfies Readonly<Record<DataType, TypedArrayConstructor>>;

/** Whether `name` is an element type that tensors may have here. */
export function isDataType(name: string): name is DataType {
  return Object.hasOwn(CONSTRUCTORS, name);
}

/** Bytes of one element. */
export function elementBytes(type: DataType): number {
  return CONSTRUCTORS[type].BYTES_PER_ELEMENT;
}

/** A zero-filled array of `count` elements of `type`. */
export function newArray(type: DataType, count: number): TypedArray {
  const Constructor: TypedArrayConstructor = CONSTRUCTORS[type];
  return new Constructor(count);
}

/** `count` elements of `type` over `buffer` from `byteOffset`: a view, no copy. */
export function viewAs(type: DataType, buffer: ArrayBufferLike, byteOffset: number, count: number): TypedArray {
  const Constructor: TypedArrayConstructor = CONSTRUCTORS[type];
  return new Constructor(buffer, byteOffset, count);
}

/** The bytes of an array: a view, no copy. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Whether the data of `tensor` is the kind of array its type asks for. */
export function hasRightArray(tensor: Tensor): boolean {
  return tensor.data instanceof CONSTRUCTORS[tensor.type];
}

/** Name of the array that holds elements of `type`. */
export function arrayName(type: DataType): string {
  return CONSTRUCTORS[type].name;
}
