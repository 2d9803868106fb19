/**
 * @file The in-memory form of an ONNX graph: plain data, no behaviour. The same
 * form serves graphs we build, graphs read from a file and graphs that gradients
 * were added to. Binary encoding is in `model.ts`, construction in `builder.ts`.
 * Source: onnx.proto3 (IR version 8), operator set 17.
 */

/** Element types we handle. `bool` data is a `Uint8Array` of 0/1, `float16` a `Uint16Array` of bit patterns. */
export type DataType = "float32" | "float64" | "float16" | "int32" | "int64" | "uint8" | "int8" | "bool";

/** A dimension: a number, or a symbol that is bound when the graph runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** A named, typed edge of the graph. */
export interface Value {
  readonly name: string;
  readonly type: DataType;
  readonly shape: Shape;
}

export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array;

/** A constant tensor, row-major. `data.length` equals the product of `shape`. */
export interface Tensor {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** A node attribute; the tag is ONNX's AttributeType. */
export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "graph"; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One operator application. An omitted optional input or output is `""`. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  /** `""` is the ONNX domain; `"com.microsoft"` ONNX Runtime's contrib operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/**
 * A graph in topological order. `values` types every name that occurs (inputs,
 * initializers, node outputs); `inputs` excludes initializers.
 */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly Node[];
  readonly values: ReadonlyMap<string, Value>;
  /** Operator set version by domain. */
  readonly opsets: Readonly<Record<string, number>>;
}
