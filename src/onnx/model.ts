/**
 * @file ONNX model files: `Graph` to ModelProto bytes and back. Weights of a student
 * never go through here (they are graph inputs); only constants do.
 * Source: onnx.proto3, IR version 8; protobuf wire format by @bufbuild/protobuf.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { BadInputError, badInput, messageOf, TutelageError } from "../core/errors.ts";
import { DATA_TYPE_CODES } from "./attributes.ts";
import { GraphBuilder } from "./builder.ts";
import { canInfer, inferOutputs } from "./infer.ts";
import {
  ATTRIBUTE,
  ATTRIBUTE_TYPES,
  DIMENSION,
  GRAPH,
  MODEL,
  NODE,
  OPSET,
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from "./proto/fields.ts";
import { readModel, type RawGraph, type RawModel } from "./proto/rawModel.ts";
import { type ExternalData, type ExternalDataResolver, writeExternalTensor, writeTensor } from "./proto/tensorProto.ts";
import { typeGraph } from "./proto/typeGraph.ts";
import { sameShape, staticShape } from "./shapes.ts";
import type { Attribute, Graph, Node, Value } from "./types.ts";

export type { ExternalData, ExternalDataResolver } from "./proto/tensorProto.ts";

const IR_VERSION = 8;
const PRODUCER = "tutelage";
const MAX_MODEL_BYTES = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;

export interface DecodeOptions {
  /** Sizes of symbolic dimensions by name; derived ones (`"past+1"`) follow. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Gives the bytes of tensors stored outside the model file; without it they are an error. */
  readonly externalData?: ExternalDataResolver;
}

export interface EncodeOptions {
  /** Inputs that become constants whose data are in files beside the model, by name: for models beyond 2 GiB. */
  readonly external?: ReadonlyMap<string, ExternalData>;
}

/** Writes a nested message. */
function nested(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function writeText(writer: BinaryWriter, field: number, text: string): void {
  writer.tag(field, WireType.LengthDelimited).string(text);
}

function writeInteger(writer: BinaryWriter, field: number, value: number, where: string): void {
  if (!Number.isInteger(value)) badInput(where, "an integer", String(value));
  const exact = BigInt(value);
  // Rounded bounds ("to the end") come back as the greatest or least int64.
  const clamped = exact > INT64_MAX ? INT64_MAX : exact < -INT64_MAX - 1n ? -INT64_MAX - 1n : exact;
  writer.tag(field, WireType.Varint).int64(clamped);
}

function writeValue(writer: BinaryWriter, field: number, value: Value): void {
  nested(writer, field, () => {
    writeText(writer, VALUE_INFO.name, value.name);
    nested(writer, VALUE_INFO.type, () =>
      nested(writer, TYPE.tensorType, () => {
        writer.tag(TENSOR_TYPE.elemType, WireType.Varint).int32(DATA_TYPE_CODES[value.type]);
        nested(writer, TENSOR_TYPE.shape, () => {
          for (const dim of value.shape) {
            nested(writer, TENSOR_SHAPE.dim, () => {
              if (typeof dim === "string") writeText(writer, DIMENSION.param, dim);
              else writeInteger(writer, DIMENSION.value, dim, `shape of '${value.name}'`);
            });
          }
        });
      }),
    );
  });
}

function writeAttribute(
  writer: BinaryWriter,
  name: string,
  attribute: Attribute,
  where: string,
  outer: GraphBuilder,
): void {
  writeText(writer, ATTRIBUTE.name, name);
  const place = `${where} attribute ${name}`;
  switch (attribute.kind) {
    case "int":
      writeInteger(writer, ATTRIBUTE.i, attribute.value, place);
      break;
    case "float":
      writer.tag(ATTRIBUTE.f, WireType.Bit32).float(Math.fround(attribute.value));
      break;
    case "string":
      writeText(writer, ATTRIBUTE.s, attribute.value);
      break;
    case "ints":
      for (const value of attribute.value) writeInteger(writer, ATTRIBUTE.ints, value, place);
      break;
    case "floats":
      for (const value of attribute.value) writer.tag(ATTRIBUTE.floats, WireType.Bit32).float(Math.fround(value));
      break;
    case "strings":
      for (const value of attribute.value) writeText(writer, ATTRIBUTE.strings, value);
      break;
    case "tensor":
      nested(writer, ATTRIBUTE.t, () => writeTensor(writer, attribute.value, ""));
      break;
    case "graph":
      nested(writer, ATTRIBUTE.g, () => writeGraph(writer, attribute.value, outer));
      break;
    default:
      attribute satisfies never;
  }
  writer.tag(ATTRIBUTE.type, WireType.Varint).int32(ATTRIBUTE_TYPES[attribute.kind]);
}

function writeNode(writer: BinaryWriter, node: Node, outer: GraphBuilder): void {
  const where = `${node.opType} '${node.name}'`;
  for (const input of node.inputs) writeText(writer, NODE.input, input);
  for (const output of node.outputs) writeText(writer, NODE.output, output);
  writeText(writer, NODE.name, node.name);
  writeText(writer, NODE.opType, node.opType);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    nested(writer, NODE.attribute, () => writeAttribute(writer, name, attribute, where, outer));
  }
  if (node.domain !== "") writeText(writer, NODE.domain, node.domain);
}

/** Node outputs whose type a reader could not infer: these alone are declared in the file. */
function undeducible(graph: Graph, builder: GraphBuilder): Value[] {
  const context = {
    constantOf: (name: string) => builder.constantOf(name),
    contentOf: (name: string) => builder.contentOf(name),
    opset: builder.opset,
    loose: true,
  };
  return graph.nodes.flatMap((node) => {
    let inferred: ReturnType<typeof inferOutputs> = [];
    try {
      inferred = inferOutputs(
        node,
        node.inputs.map((name) => builder.find(name)),
        context,
      );
    } catch (error) {
      if (!(error instanceof TutelageError && error.code === "unsupported")) throw error;
    }
    return node.outputs.flatMap((name, i) => {
      const value = graph.values.get(name);
      const found = inferred[i];
      return value === undefined ||
        (found !== undefined && found.type === value.type && sameShape(found.shape, value.shape))
        ? []
        : [value];
    });
  });
}

function writeGraph(
  writer: BinaryWriter,
  graph: Graph,
  outer: GraphBuilder | undefined,
  external: EncodeOptions["external"] = new Map(),
): void {
  const builder = GraphBuilder.from(graph, outer);
  const outputs = new Set(graph.outputs.map((value) => value.name));
  for (const node of graph.nodes) nested(writer, GRAPH.node, () => writeNode(writer, node, builder));
  writeText(writer, GRAPH.name, graph.name);
  for (const [name, tensor] of graph.initializers)
    nested(writer, GRAPH.initializer, () => writeTensor(writer, tensor, name));
  for (const value of graph.inputs) {
    const place = external.get(value.name);
    if (place === undefined) writeValue(writer, GRAPH.input, value);
    else
      nested(writer, GRAPH.initializer, () => {
        const shape = staticShape(value.shape, `shape of '${value.name}'`);
        writeExternalTensor(writer, { type: value.type, shape }, value.name, place);
      });
  }
  for (const value of graph.outputs) writeValue(writer, GRAPH.output, value);
  for (const value of undeducible(graph, builder))
    if (!outputs.has(value.name)) writeValue(writer, GRAPH.valueInfo, value);
}

/**
 * ModelProto bytes of `graph` (IR version 8, producer `tutelage`), deterministic.
 * Types of inner values are written only where a reader could not infer them.
 * @throws BadInputError when a constant's data and shape disagree, or the model exceeds protobuf's 2 GiB.
 */
export function encodeModel(graph: Graph, { external }: EncodeOptions = {}): Uint8Array {
  let constantBytes = 0;
  for (const tensor of graph.initializers.values()) constantBytes += tensor.data.byteLength;
  if (constantBytes > MAX_MODEL_BYTES)
    badInput(`graph '${graph.name}'`, "constants below 2 GiB", `${constantBytes} bytes`, "Make them graph inputs");
  const writer = new BinaryWriter();
  writer.tag(MODEL.irVersion, WireType.Varint).int64(IR_VERSION);
  writeText(writer, MODEL.producerName, PRODUCER);
  nested(writer, MODEL.graph, () => writeGraph(writer, graph, undefined, external));
  for (const [domain, version] of Object.entries(graph.opsets)) {
    nested(writer, MODEL.opsetImport, () => {
      writeText(writer, OPSET.domain, domain);
      writer.tag(OPSET.version, WireType.Varint).int64(version);
    });
  }
  return writer.finish();
}

/** Refuses all operators at once whose outputs neither inference nor the file types; one alone is refused where it stands. */
function refuseUnknown({ nodes, valueInfo, outputs }: RawGraph): void {
  const declared = new Set(
    [...valueInfo, ...outputs].filter(({ type, shape }) => type && shape).map(({ name }) => name),
  );
  const unknown = new Map<string, string[]>();
  for (const { name, opType, domain, outputs: own } of nodes) {
    if (canInfer(opType, domain) || own.every((output) => output === "" || declared.has(output))) continue;
    const operator = `${domain || "ai.onnx"}:${opType}`;
    unknown.set(operator, [...(unknown.get(operator) ?? []), `'${name || (own[0] ?? "")}'`]);
  }
  if (unknown.size < 2) return;
  const listed = [...unknown].map(
    ([operator, names]) =>
      `${operator} (${names.slice(0, 3).join(", ")}${names.length > 3 ? `, and ${names.length - 3} more nodes` : ""})`,
  );
  throw new TutelageError(
    "unsupported",
    `ONNX model: no shape inference for ${unknown.size} operators: ${listed.join("; ")}`,
    {
      details: { operators: [...unknown.keys()] },
    },
  );
}

/**
 * The graph of a model file, every value typed. Owns its data; `bytes` are only read.
 * @throws BadInputError when the bytes are not a well-formed model, when a node's operands
 *   do not fit, or when data lie in another file and no resolver is given.
 * @throws TutelageError `unsupported` for element types, attributes or operators whose types cannot be known.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Graph {
  let raw: RawModel;
  try {
    raw = readModel(bytes, options.externalData);
  } catch (error) {
    if (error instanceof TutelageError) throw error;
    throw new BadInputError(
      `ONNX model: expected a protobuf ModelProto, got ${bytes.length} bytes that break off or break the format (${messageOf(error)})`,
      { cause: error },
    );
  }
  refuseUnknown(raw.graph);
  return typeGraph(raw.graph, { dims: options.dims ?? {}, opsets: Object.fromEntries(raw.opsets) });
}
