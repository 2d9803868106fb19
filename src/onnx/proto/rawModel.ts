/**
 * @file The messages of a model file as plain data, before anything is typed: what the
 * file says, checked for form only. Not here: shapes of inner values (`typeGraph.ts`).
 */
import { badInput, TutelageError } from "../../core/errors.ts";
import { dataTypeOf } from "../attributes.ts";
import { canonicalDim, opaqueDim } from "../dims.ts";
import type { Attribute, DataType, Dim, Shape, Tensor } from "../types.ts";
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
} from "./fields.ts";
import { MessageReader } from "./messageReader.ts";
import { type ExternalDataResolver, readTensor } from "./tensorProto.ts";

/** A declared value; the shape is undefined when the file leaves the rank open. */
export interface RawValue {
  readonly name: string;
  readonly type: DataType | undefined;
  readonly shape: Shape | undefined;
}

export interface RawNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly subgraphs: ReadonlyMap<string, RawGraph>;
}

export interface RawGraph {
  readonly name: string;
  readonly inputs: readonly RawValue[];
  readonly outputs: readonly RawValue[];
  readonly valueInfo: readonly RawValue[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly RawNode[];
}

export interface RawModel {
  readonly graph: RawGraph;
  readonly opsets: ReadonlyMap<string, number>;
}

/** Graphs inside graphs deeper than this are refused: the parser recurses, and a Loop body may be typed twice. */
const MAX_DEPTH = 8;

/** Inference parses these names again and again. */
const MAX_DIMENSION_NAME = 512;

function readDimension(bytes: Uint8Array, opaque: Dim): Dim {
  const reader = new MessageReader(bytes, "Dimension");
  let dim: Dim = opaque;
  while (reader.next()) {
    if (reader.field === DIMENSION.value) {
      const value = reader.integer();
      dim = value >= 0 ? value : opaque;
    } else if (reader.field === DIMENSION.param) {
      const text = reader.string();
      if (text.length > MAX_DIMENSION_NAME)
        badInput("ONNX model", `a dimension name of at most ${MAX_DIMENSION_NAME} characters`, `${text.length}`);
      if (text !== "") dim = canonicalDim(text);
    }
  }
  return dim;
}

function readTensorType(
  bytes: Uint8Array,
  name: string,
): { readonly type: DataType | undefined; readonly shape: Shape | undefined } {
  const reader = new MessageReader(bytes, "TypeProto.Tensor");
  let type: DataType | undefined;
  let shape: Dim[] | undefined;
  while (reader.next()) {
    if (reader.field === TENSOR_TYPE.elemType) type = dataTypeOf(reader.integer());
    else if (reader.field === TENSOR_TYPE.shape) {
      const dims = new MessageReader(reader.bytes(), "TensorShapeProto");
      shape = [];
      while (dims.next())
        if (dims.field === TENSOR_SHAPE.dim) shape.push(readDimension(dims.bytes(), opaqueDim(name, shape.length)));
    }
  }
  return { type, shape };
}

function readValueInfo(bytes: Uint8Array): RawValue {
  const reader = new MessageReader(bytes, "ValueInfoProto");
  let name = "";
  let typeBytes: Uint8Array | undefined;
  while (reader.next()) {
    if (reader.field === VALUE_INFO.name) name = reader.string();
    else if (reader.field === VALUE_INFO.type) typeBytes = reader.bytes();
  }
  const inner = new MessageReader(typeBytes ?? new Uint8Array(0), "TypeProto");
  let tensor: ReturnType<typeof readTensorType> = { type: undefined, shape: undefined };
  while (inner.next()) if (inner.field === TYPE.tensorType) tensor = readTensorType(inner.bytes(), name);
  return { name, ...tensor };
}

interface AttributeFields {
  name: string;
  code: number;
  float: number;
  int: number;
  text: string;
  tensor: Tensor | undefined;
  graph: RawGraph | undefined;
  readonly floats: number[];
  readonly ints: number[];
  readonly strings: string[];
}

function attributeOf(fields: AttributeFields, where: string): Attribute | RawGraph {
  switch (fields.code) {
    case ATTRIBUTE_TYPES.float:
      return { kind: "float", value: fields.float };
    case ATTRIBUTE_TYPES.int:
      return { kind: "int", value: fields.int };
    case ATTRIBUTE_TYPES.string:
      return { kind: "string", value: fields.text };
    case ATTRIBUTE_TYPES.tensor:
      return { kind: "tensor", value: fields.tensor ?? badInput(where, "a tensor", "none") };
    case ATTRIBUTE_TYPES.graph:
      return fields.graph ?? badInput(where, "a graph", "none");
    case ATTRIBUTE_TYPES.floats:
      return { kind: "floats", value: fields.floats };
    case ATTRIBUTE_TYPES.ints:
      return { kind: "ints", value: fields.ints };
    case ATTRIBUTE_TYPES.strings:
      return { kind: "strings", value: fields.strings };
    default:
      throw new TutelageError("unsupported", `${where}: AttributeProto type ${fields.code} is not handled`);
  }
}

/** Type by the field that is there: files of IR version 1 do not say. */
const CODE_OF_FIELD: Readonly<Record<number, number>> = {
  [ATTRIBUTE.f]: 1,
  [ATTRIBUTE.i]: 2,
  [ATTRIBUTE.s]: 3,
  [ATTRIBUTE.t]: 4,
  [ATTRIBUTE.g]: 5,
  [ATTRIBUTE.floats]: 6,
  [ATTRIBUTE.ints]: 7,
  [ATTRIBUTE.strings]: 8,
};

function readAttribute(
  bytes: Uint8Array,
  node: string,
  depth: number,
  resolve: ExternalDataResolver | undefined,
): readonly [string, Attribute | RawGraph] {
  const reader = new MessageReader(bytes, "AttributeProto");
  const fields: AttributeFields = {
    name: "",
    code: 0,
    float: 0,
    int: 0,
    text: "",
    tensor: undefined,
    graph: undefined,
    floats: [],
    ints: [],
    strings: [],
  };
  let seen = 0;
  while (reader.next()) {
    seen ||= CODE_OF_FIELD[reader.field] ?? 0;
    switch (reader.field) {
      case ATTRIBUTE.name:
        fields.name = reader.string();
        break;
      case ATTRIBUTE.type:
        fields.code = reader.integer();
        break;
      case ATTRIBUTE.f:
        fields.float = reader.float();
        break;
      case ATTRIBUTE.i:
        fields.int = reader.integer();
        break;
      case ATTRIBUTE.s:
        fields.text = reader.string();
        break;
      case ATTRIBUTE.t:
        fields.tensor = readTensor(reader.bytes(), resolve).tensor;
        break;
      case ATTRIBUTE.g:
        fields.graph = readGraph(reader.bytes(), depth + 1, resolve);
        break;
      case ATTRIBUTE.floats:
        reader.floats(fields.floats);
        break;
      case ATTRIBUTE.ints:
        reader.integers(fields.ints);
        break;
      case ATTRIBUTE.strings:
        fields.strings.push(reader.string());
        break;
      case ATTRIBUTE.refAttrName:
        throw new TutelageError("unsupported", `${node}: an attribute that refers to a function's attribute`);
    }
  }
  fields.code ||= seen;
  return [fields.name, attributeOf(fields, `${node} attribute ${fields.name}`)];
}

function readNode(bytes: Uint8Array, depth: number, resolve: ExternalDataResolver | undefined): RawNode {
  const reader = new MessageReader(bytes, "NodeProto");
  let [name, opType, domain] = ["", "", ""];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributeBytes: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case NODE.input:
        inputs.push(reader.string());
        break;
      case NODE.output:
        outputs.push(reader.string());
        break;
      case NODE.name:
        name = reader.string();
        break;
      case NODE.opType:
        opType = reader.string();
        break;
      case NODE.domain:
        domain = reader.string();
        break;
      case NODE.attribute:
        attributeBytes.push(reader.bytes());
        break;
    }
  }
  const attributes = new Map<string, Attribute>();
  const subgraphs = new Map<string, RawGraph>();
  for (const item of attributeBytes) {
    const [key, value] = readAttribute(item, `${opType} '${name}'`, depth, resolve);
    if (attributes.has(key) || subgraphs.has(key))
      badInput(`${opType} '${name}'`, "each attribute once", `'${key}' twice`);
    if ("kind" in value) attributes.set(key, value);
    else subgraphs.set(key, value);
  }
  return { name, opType, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes, subgraphs };
}

function readGraph(bytes: Uint8Array, depth: number, resolve: ExternalDataResolver | undefined): RawGraph {
  if (depth > MAX_DEPTH) badInput("ONNX model", `graphs nested at most ${MAX_DEPTH} deep`, "deeper ones");
  const reader = new MessageReader(bytes, "GraphProto");
  let name = "";
  const inputs: RawValue[] = [];
  const outputs: RawValue[] = [];
  const valueInfo: RawValue[] = [];
  const nodes: RawNode[] = [];
  const initializers = new Map<string, Tensor>();
  while (reader.next()) {
    switch (reader.field) {
      case GRAPH.name:
        name = reader.string();
        break;
      case GRAPH.node:
        nodes.push(readNode(reader.bytes(), depth, resolve));
        break;
      case GRAPH.input:
        inputs.push(readValueInfo(reader.bytes()));
        break;
      case GRAPH.output:
        outputs.push(readValueInfo(reader.bytes()));
        break;
      case GRAPH.valueInfo:
        valueInfo.push(readValueInfo(reader.bytes()));
        break;
      case GRAPH.sparseInitializer:
        throw new TutelageError("unsupported", "ONNX model: sparse initializers are not handled");
      case GRAPH.initializer: {
        const { name: key, tensor } = readTensor(reader.bytes(), resolve);
        if (initializers.has(key)) badInput("ONNX model", "each initializer once", `'${key}' twice`);
        initializers.set(key, tensor);
        break;
      }
    }
  }
  return { name, inputs, outputs, valueInfo, initializers, nodes };
}

/** Parses a ModelProto. @throws BadInputError or an `unsupported` TutelageError; errors of the wire reader pass through. */
export function readModel(bytes: Uint8Array, resolve?: ExternalDataResolver): RawModel {
  const reader = new MessageReader(bytes, "ModelProto");
  const opsets = new Map<string, number>();
  let graph: RawGraph | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case MODEL.graph:
        if (graph !== undefined) badInput("ONNX model", "one graph", "two");
        graph = readGraph(reader.bytes(), 0, resolve);
        break;
      case MODEL.opsetImport: {
        const entry = new MessageReader(reader.bytes(), "OperatorSetIdProto");
        let [domain, version] = ["", 0];
        while (entry.next()) {
          if (entry.field === OPSET.domain) domain = entry.string();
          else if (entry.field === OPSET.version) version = entry.integer();
        }
        if (!Number.isSafeInteger(version) || version < 1)
          badInput("ONNX model", "operator set versions of at least 1", String(version));
        opsets.set(domain === "ai.onnx" ? "" : domain, version);
        break;
      }
      case MODEL.functions:
        throw new TutelageError("unsupported", "ONNX model: model-local functions are not handled", {
          details: { hint: "Inline them before export" },
        });
    }
  }
  if (graph === undefined) badInput("ONNX model", "a ModelProto with a graph", `${bytes.length} bytes without one`);
  return { graph, opsets };
}
