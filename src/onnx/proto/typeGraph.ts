/**
 * @file A parsed graph becomes a typed `Graph`: symbolic dimensions are bound, then
 * every node is inferred in order. What the file itself declares about inner values is
 * used only where inference cannot know (unknown operators, data-dependent sizes).
 */
import { badInput, TutelageError } from "../../core/errors.ts";
import { GraphBuilder } from "../builder.ts";
import { bindDim, opaqueDim } from "../dims.ts";
import type { OutputType } from "../infer.ts";
import { sameShape } from "../shapes.ts";
import type { Attribute, Graph, Node, Shape, Value } from "../types.ts";
import type { RawGraph, RawNode, RawValue } from "./rawModel.ts";

export interface TypeOptions {
  readonly dims: Readonly<Record<string, number>>;
  readonly opsets: Readonly<Record<string, number>>;
}

function bindShape(shape: Shape, options: TypeOptions): Shape {
  return shape.map((dim) => {
    const bound = bindDim(dim, options.dims);
    if (typeof bound === "number" && (!Number.isSafeInteger(bound) || bound < 0))
      badInput("ONNX model", `a size of at least 0 for dimension '${dim}'`, String(bound));
    return bound;
  });
}

/** Type of a graph input: as declared, completed by what the enclosing node feeds it. */
function inputType(raw: RawValue, given: OutputType | undefined, options: TypeOptions): OutputType {
  const type = raw.type ?? given?.type;
  const shape = raw.shape === undefined ? given?.shape : bindShape(raw.shape, options);
  if (type !== undefined && shape !== undefined) return { type, shape };
  throw new TutelageError(
    "unsupported",
    `graph input '${raw.name}': its ${type === undefined ? "element type is not one we handle" : "rank is not declared"}`,
  );
}

/** Types of the values a Loop passes to its body, `varying` ones with the sizes that changed left open. */
function loopInputs(inputs: readonly (Value | undefined)[]): (OutputType | undefined)[] {
  return [{ type: "int64", shape: [] }, { type: "bool", shape: [] }, ...inputs.slice(2)];
}

function typeLoopBody(
  raw: RawGraph,
  node: RawNode,
  inputs: readonly (Value | undefined)[],
  outer: GraphBuilder,
  options: TypeOptions,
): Graph {
  const given = loopInputs(inputs);
  const body = typeGraph(raw, options, { outer, given });
  // A carried value that leaves the body with another size enters it with that size next time.
  const carried = body.inputs.slice(2);
  if (carried.every((value, i) => sameShape(value.shape, body.outputs[i + 1]?.shape ?? []))) return body;
  const open = given.map((value, i) => {
    const [enters, leaves] = [body.inputs[i], body.outputs[i - 1]];
    if (
      i < 2 ||
      value === undefined ||
      enters === undefined ||
      leaves === undefined ||
      leaves.shape.length !== enters.shape.length
    )
      return value;
    return {
      type: value.type,
      shape: enters.shape.map((dim, axis) =>
        dim === leaves.shape[axis] ? dim : opaqueDim(`${node.name || (node.outputs[0] ?? "")}:${i}`, axis),
      ),
    };
  });
  return typeGraph(
    { ...raw, inputs: raw.inputs.map((value, i) => (i < 2 ? value : { ...value, shape: undefined })) },
    options,
    { outer, given: open },
  );
}

function typeNode(raw: RawNode, builder: GraphBuilder, options: TypeOptions): Node {
  const where = `${raw.opType} '${raw.name || (raw.outputs[0] ?? "")}'`;
  if (options.opsets[raw.domain] === undefined)
    badInput(where, `an operator set import of its domain '${raw.domain || "ai.onnx"}'`, "none");
  const inputs = raw.inputs.map((name) =>
    name === ""
      ? undefined
      : (builder.find(name) ?? badInput(where, "inputs that are defined before the node", `'${name}'`)),
  );
  const attributes: [string, Attribute][] = [...raw.attributes];
  for (const [key, graph] of raw.subgraphs) {
    const value =
      raw.opType === "Loop" && key === "body"
        ? typeLoopBody(graph, raw, inputs, builder, options)
        : typeGraph(graph, options, { outer: builder });
    attributes.push([key, { kind: "graph", value }]);
  }
  const { name, opType, domain } = raw;
  return { name, opType, domain, inputs: raw.inputs, outputs: raw.outputs, attributes: Object.fromEntries(attributes) };
}

/**
 * Types `raw`. For a subgraph, `outer` is the graph around it and `given` what its node feeds it.
 * @throws BadInputError when the graph contradicts itself; TutelageError `unsupported` when a type cannot be known.
 */
export function typeGraph(
  raw: RawGraph,
  options: TypeOptions,
  around: { readonly outer?: GraphBuilder; readonly given?: readonly (OutputType | undefined)[] } = {},
): Graph {
  const { outer, given = [] } = around;
  const builder = new GraphBuilder(raw.name, {
    opset: options.opsets[""] ?? 1,
    loose: true,
    ...(outer === undefined ? {} : { outer }),
  });
  raw.inputs.forEach((input, i) => {
    // Files of IR version 3 list initializers among the inputs.
    if (raw.initializers.has(input.name)) return;
    const { type, shape } = inputType(input, given[i], options);
    builder.input(input.name, type, shape);
  });
  for (const [name, tensor] of raw.initializers) builder.initializer(tensor, name);
  const declared = new Map<string, OutputType>();
  for (const { name, type, shape } of [...raw.valueInfo, ...raw.outputs]) {
    if (type !== undefined && shape !== undefined) declared.set(name, { type, shape: bindShape(shape, options) });
  }
  for (const node of raw.nodes) builder.addNode(typeNode(node, builder, options), (name) => declared.get(name));
  for (const { name, type } of raw.outputs) {
    const value = builder.find(name) ?? badInput(`graph '${raw.name}'`, `a value for output '${name}'`, "none");
    if (type !== undefined && type !== value.type)
      badInput(`graph '${raw.name}'`, `output '${name}' of type ${type} as declared`, value.type);
    builder.output(value);
  }
  const built = builder.build();
  if (outer === undefined) return { ...built, opsets: options.opsets };
  // A model imports operator sets once; a body lists those that it uses.
  return {
    ...built,
    opsets: Object.fromEntries(
      Object.entries(built.opsets).map(([domain, version]) => [domain, options.opsets[domain] ?? version]),
    ),
  };
}
