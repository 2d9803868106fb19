/**
 * @file A float32 graph brought to float16: weights, constants and everything computed
 * from them. Not here: which values would need float32 (norms and softmax accumulate in
 * float32 inside ONNX Runtime's kernels), quantisation, control flow.
 */
import { badInput, invariant, TutelageError } from "../core/errors.ts";
import { attr, DATA_TYPE_CODES } from "./attributes.ts";
import { GraphBuilder } from "./builder.ts";
import type { Attribute, Attributes, Graph, Tensor, Value } from "./types.ts";

export interface ToFloat16Options {
  /** Bit patterns in binary16 of float32 values, a new array. */
  readonly convert: (values: Float32Array) => Uint16Array;
  /** Outputs that stay float32, behind a Cast. */
  readonly keepOutputs: readonly string[];
}

/** Binary16 of this and of larger magnitudes is infinite. */
const INFINITE = 65520;

/** The tensor in float16; tensors of other types than float32 as they are. @throws BadInputError for values beyond float16's range. */
export function tensorToFloat16(tensor: Tensor, name: string, convert: ToFloat16Options["convert"]): Tensor {
  if (tensor.type !== "float32") return tensor;
  const { data } = tensor;
  invariant(data instanceof Float32Array, "float32 data");
  const outside = data.findIndex((value) => Math.abs(value) >= INFINITE);
  if (outside >= 0)
    badInput(
      `float16 of '${name}'`,
      "values of magnitude below 65520",
      `${data[outside]} at index ${outside}`,
      "This student does not fit float16; export it in float32",
    );
  return { type: "float16", shape: tensor.shape, data: convert(data) };
}

function halveAttribute(name: string, value: Attribute, where: string, options: ToFloat16Options): Attribute {
  if (value.kind === "tensor") return { kind: "tensor", value: tensorToFloat16(value.value, where, options.convert) };
  if (value.kind === "int" && name === "to" && value.value === DATA_TYPE_CODES.float32) return attr.dataType("float16");
  if (value.kind === "graph")
    throw new TutelageError("unsupported", `${where}: graphs with control flow are not brought to float16`);
  return value;
}

/**
 * The same computation in float16. Inputs and outputs that were float32 become float16,
 * but for `keepOutputs`. Names stay.
 * @throws BadInputError naming a weight that float16 cannot hold.
 */
export function toFloat16(graph: Graph, options: ToFloat16Options): Graph {
  const builder = new GraphBuilder(graph.name, { opset: graph.opsets[""] ?? 17 });
  const kept = new Set(options.keepOutputs);
  for (const { name, type, shape } of graph.inputs) builder.input(name, type === "float32" ? "float16" : type, shape);
  for (const [name, tensor] of graph.initializers)
    builder.initializer(tensorToFloat16(tensor, name, options.convert), name);
  /** A kept output is computed under another name. */
  const inner = (name: string): string => (kept.has(name) ? `${name}.float16` : name);
  for (const node of graph.nodes) {
    const where = `${node.opType} '${node.name}'`;
    const attributes: Attributes = Object.fromEntries(
      Object.entries(node.attributes).map(([name, value]) => [name, halveAttribute(name, value, where, options)]),
    );
    builder.addNode({ ...node, inputs: node.inputs.map(inner), outputs: node.outputs.map(inner), attributes });
  }
  for (const { name } of graph.outputs) {
    const value: Value = builder.value(inner(name));
    if (!kept.has(name)) builder.output(value);
    else {
      const [cast] = builder.node("Cast", [value], { attributes: { to: attr.dataType("float32") }, outputs: [name] });
      invariant(cast !== undefined, "Cast has an output");
      builder.output(cast);
    }
  }
  return builder.build();
}
