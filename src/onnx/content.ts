/**
 * @file Small integer tensors whose values are known while the graph is built: what
 * `Shape → Gather → Concat → Reshape` chains of exported models compute. Elements may
 * be symbolic dimensions. Not here: the folding itself (`infer/fold.ts`).
 */
import { elementCount } from "./shapes.ts";
import type { Dim, Tensor } from "./types.ts";

/** Values of a small integer tensor, row-major; booleans are 0 and 1. */
export interface IntegerContent {
  readonly type: "int32" | "int64" | "bool";
  readonly shape: readonly number[];
  readonly elements: readonly Dim[];
}

/** Constants with more elements are no shapes, axes or pads. */
const MAX_CONTENT_ELEMENTS = 1024;

/**
 * Content of an integer tensor, undefined for other types and for large ones.
 * Values outside the exact integers (INT64_MAX as "to the end") come out rounded;
 * `tensorOfContent` refuses them.
 */
export function contentOfTensor(tensor: Tensor): IntegerContent | undefined {
  const { type } = tensor;
  if ((type !== "int32" && type !== "int64" && type !== "bool") || tensor.data.length > MAX_CONTENT_ELEMENTS)
    return undefined;
  return { type, shape: tensor.shape, elements: Array.from(tensor.data as ArrayLike<number | bigint>, Number) };
}

/** The tensor with that content; undefined when an element is a symbol or not exact in its type. */
export function tensorOfContent(content: IntegerContent): Tensor | undefined {
  const { type, shape } = content;
  const limit = type === "int32" ? 2 ** 31 : Number.MAX_SAFE_INTEGER;
  const elements: number[] = [];
  for (const element of content.elements) {
    if (typeof element !== "number" || !Number.isSafeInteger(element) || element < -limit || element >= limit)
      return undefined;
    elements.push(element);
  }
  if (elements.length !== elementCount(shape)) return undefined;
  if (type === "int64") return { type, shape, data: BigInt64Array.from(elements, BigInt) };
  return type === "int32"
    ? { type, shape, data: Int32Array.from(elements) }
    : { type, shape, data: Uint8Array.from(elements) };
}
