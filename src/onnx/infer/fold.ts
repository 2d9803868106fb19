/**
 * @file Folding of small integer computations while a graph is built, so that the
 * `Shape → Gather → Concat → Reshape` chains of exported models get static shapes.
 * Elements may be symbolic dimensions. It never changes the graph: the nodes stay.
 * Not here: folding of floats or of large tensors (ONNX Runtime does that itself).
 */
import { dataTypeOf } from "../attributes.ts";
import { contentOfTensor, type IntegerContent } from "../content.ts";
import { addDims, divideDims, multiplyDims, productOfDims } from "../dims.ts";
import { elementCount, stridesOf } from "../shapes.ts";
import type { Dim, Node, Value } from "../types.ts";
import { Call, type InferenceContext, type OutputType } from "./call.ts";
import { constantTensor } from "./control.ts";
import { sliceParameters, sliceRange } from "./indexing.ts";
import { shapeRange } from "./shape.ts";

/** Shape arithmetic needs few; every one is kept, so a file may not make us keep many. */
const MAX_FOLDED_ELEMENTS = 64;

/** Elements of the result, or undefined when one of them is not known. */
type Fold = (call: Call, shape: readonly number[]) => readonly (Dim | undefined)[] | undefined;

/** Offset in a tensor of `shape` of the element that broadcasts to position `at` of `target`. */
function broadcastOffset(shape: readonly number[], target: readonly number[], at: number): number {
  const strides = stridesOf(shape);
  let rest = at;
  let offset = 0;
  for (let i = target.length - 1; i >= 0; i--) {
    const size = target[i] ?? 1;
    const own = i - (target.length - shape.length);
    if (own >= 0 && shape[own] !== 1) offset += (rest % size) * (strides[own] ?? 0);
    rest = Math.floor(rest / size);
  }
  return offset;
}

function elementwise(compute: (...operands: Dim[]) => Dim | undefined): Fold {
  return (call, shape) => {
    const contents = call.inputs.map((_, i) => call.content(i));
    return Array.from({ length: elementCount(shape) }, (_, at) => {
      const operands = contents.map((content) => content?.elements[broadcastOffset(content.shape, shape, at)]);
      return operands.some((operand) => operand === undefined) ? undefined : compute(...(operands as Dim[]));
    });
  };
}

function onNumbers(compute: (a: number, b: number) => number | boolean): Fold {
  return elementwise((a, b = 0) =>
    typeof a === "number" && typeof b === "number" ? Number(compute(a, b)) : undefined,
  );
}

/** Equality of sizes; a symbol without a minus is a size, hence not negative. */
function equals(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return 1;
  if (typeof a === "number" && typeof b === "number") return 0;
  const isSize = (dim: Dim): boolean => typeof dim === "string" && !dim.includes("-");
  const isNegative = (dim: Dim): boolean => typeof dim === "number" && dim < 0;
  return (isSize(a) && isNegative(b)) || (isSize(b) && isNegative(a)) ? 0 : undefined;
}

/** The same elements under another shape. */
const copy: Fold = (call) => call.content(0)?.elements;

const cast: Fold = (call) => {
  const elements = call.content(0)?.elements;
  if (dataTypeOf(call.int("to")) !== "bool") return elements;
  return elements?.map((element) => (typeof element === "number" ? Number(element !== 0) : undefined));
};

const gather: Fold = (call, shape) => {
  const data = call.content(0);
  const indices = call.content(1);
  if (data === undefined || indices === undefined) return undefined;
  const axis = call.axis(call.int("axis", 0), data.shape.length);
  const size = data.shape[axis] ?? 0;
  const inner = elementCount(data.shape.slice(axis + 1));
  const count = indices.elements.length;
  return Array.from({ length: elementCount(shape) }, (_, at) => {
    const index = indices.elements[Math.floor(at / inner) % count];
    if (typeof index !== "number") return undefined;
    if (index < -size || index >= size) call.fail(`indices in [${-size}, ${size})`, String(index));
    return data.elements[
      (Math.floor(at / (inner * count)) * size + (index < 0 ? index + size : index)) * inner + (at % inner)
    ];
  });
};

const concat: Fold = (call) => {
  const parts = call.inputs.map((_, i) => call.content(i));
  const rank = parts[0]?.shape.length ?? 0;
  const axis = call.axis(call.int("axis"), rank);
  const outer = elementCount(parts[0]?.shape.slice(0, axis) ?? []);
  const out: (Dim | undefined)[] = [];
  for (let block = 0; block < outer; block++) {
    for (const part of parts) {
      if (part === undefined) return undefined;
      const length = part.elements.length / outer;
      out.push(...part.elements.slice(block * length, (block + 1) * length));
    }
  }
  return out;
};

const slice: Fold = (call, shape) => {
  const data = call.content(0);
  if (data === undefined) return undefined;
  const strides = stridesOf(data.shape);
  const starts = data.shape.map(() => 0);
  const steps = data.shape.map(() => 1);
  for (const { axis, start, end, step } of sliceParameters(call, data.shape.length) ?? []) {
    if (typeof start !== "number" || typeof end !== "number" || typeof step !== "number") return undefined;
    starts[axis] = sliceRange(data.shape[axis] ?? 0, start, end, step).start;
    steps[axis] = step;
  }
  return Array.from({ length: elementCount(shape) }, (_, at) => {
    let rest = at;
    let offset = 0;
    for (let i = shape.length - 1; i >= 0; i--) {
      const size = shape[i] ?? 1;
      offset += ((starts[i] ?? 0) + (rest % size) * (steps[i] ?? 1)) * (strides[i] ?? 0);
      rest = Math.floor(rest / size);
    }
    return data.elements[offset];
  });
};

const range: Fold = (call, shape) => {
  const [start, , delta] = [0, 1, 2].map((i) => call.content(i)?.elements[0]);
  if (start === undefined || typeof delta !== "number") return undefined;
  return Array.from({ length: elementCount(shape) }, (_, i) => addDims(start, delta, i));
};

const fill: Fold = (call, shape) => {
  const value = call.node.attributes["value"];
  const element = value?.kind === "tensor" ? contentOfTensor(value.value)?.elements[0] : undefined;
  return element === undefined ? undefined : Array.from({ length: elementCount(shape) }, () => element);
};

/** Product over everything: what exporters write for an element count. */
const reduceProduct: Fold = (call, shape) =>
  elementCount(shape) === 1 ? [productOfDims(call.content(0)?.elements ?? ["?"])] : undefined;

const FOLDS: Readonly<Record<string, Fold>> = {
  Shape: (call) => shapeRange(call, call.input(0).shape),
  Size: (call) => [productOfDims(call.input(0).shape)],
  Constant: (call) => contentOfTensor(constantTensor(call))?.elements,
  ConstantOfShape: fill,
  Identity: copy,
  Reshape: copy,
  Squeeze: copy,
  Unsqueeze: copy,
  Flatten: copy,
  Cast: cast,
  Expand: (call, shape) => {
    const data = call.content(0);
    return data === undefined
      ? undefined
      : Array.from({ length: elementCount(shape) }, (_, at) => data.elements[broadcastOffset(data.shape, shape, at)]);
  },
  Gather: gather,
  Concat: concat,
  Slice: slice,
  Range: range,
  ReduceProd: reduceProduct,
  Add: elementwise((a, b = 0) => addDims(a, b)),
  Sub: elementwise((a, b = 0) => addDims(a, b, -1)),
  Mul: elementwise((a, b = 1) => multiplyDims(a, b)),
  Div: elementwise((a, b = 1) =>
    typeof a === "number" && typeof b === "number" ? (b === 0 ? undefined : Math.trunc(a / b)) : divideDims(a, b),
  ),
  Mod: onNumbers((a, b) => (b === 0 ? NaN : a - b * Math.floor(a / b))),
  Min: elementwise((...all) => (all.every((x) => typeof x === "number") ? Math.min(...all) : undefined)),
  Max: elementwise((...all) => (all.every((x) => typeof x === "number") ? Math.max(...all) : undefined)),
  Neg: elementwise((a) => addDims(0, a, -1)),
  Equal: elementwise((a, b = 0) => equals(a, b)),
  Less: onNumbers((a, b) => a < b),
  LessOrEqual: onNumbers((a, b) => a <= b),
  Greater: onNumbers((a, b) => a > b),
  GreaterOrEqual: onNumbers((a, b) => a >= b),
  And: onNumbers((a, b) => a !== 0 && b !== 0),
  Or: onNumbers((a, b) => a !== 0 || b !== 0),
  Not: elementwise((a) => (typeof a === "number" ? Number(a === 0) : undefined)),
  Where: elementwise((condition, a, b) =>
    typeof condition === "number" ? (condition !== 0 ? a : b) : a === b ? a : undefined,
  ),
};

/** Operators whose result may be known though their inputs are not. */
const SOURCES: readonly string[] = ["Shape", "Size", "Constant"];

/**
 * The values of the first output of `node`, when it is a small integer tensor that
 * follows from shapes and constants; otherwise undefined. `output` is its inferred type.
 */
export function foldNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  context: InferenceContext,
  output: OutputType,
): IntegerContent | undefined {
  const { type, shape } = output;
  const fold =
    (node.domain === "" || node.domain === "ai.onnx") && Object.hasOwn(FOLDS, node.opType)
      ? FOLDS[node.opType]
      : undefined;
  if (fold === undefined || (type !== "int32" && type !== "int64" && type !== "bool")) return undefined;
  if (!shape.every((dim) => typeof dim === "number") || elementCount(shape) > MAX_FOLDED_ELEMENTS) return undefined;
  const call = new Call(node, inputs, context);
  if (!SOURCES.includes(node.opType) && inputs.some((input, i) => input !== undefined && call.content(i) === undefined))
    return undefined;
  const elements = fold(call, shape);
  if (elements === undefined || elements.length !== elementCount(shape)) return undefined;
  // Rounded stand-ins for "to the end" may pass through, but nothing may be computed into one.
  if (elements.some((element) => element === undefined || Number.isNaN(element))) return undefined;
  return { type, shape: shape, elements: elements as readonly Dim[] };
}
