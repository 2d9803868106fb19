/** @file Constructors and readers of node attributes. */
import { badInput } from "../core/errors.ts";
import type { Attribute, DataType, Graph, Node, Tensor } from "./types.ts";

/** ONNX TensorProto.DataType codes. */
export const DATA_TYPE_CODES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

/** The element type of a TensorProto.DataType code, if we handle it. */
export function dataTypeOf(code: number): DataType | undefined {
  return (Object.keys(DATA_TYPE_CODES) as DataType[]).find((type) => DATA_TYPE_CODES[type] === code);
}

/** Attribute constructors. */
export const attr = {
  int: (value: number): Attribute => ({ kind: "int", value }),
  float: (value: number): Attribute => ({ kind: "float", value }),
  string: (value: string): Attribute => ({ kind: "string", value }),
  ints: (value: readonly number[]): Attribute => ({ kind: "ints", value }),
  tensor: (value: Tensor): Attribute => ({ kind: "tensor", value }),
  graph: (value: Graph): Attribute => ({ kind: "graph", value }),
  dataType: (type: DataType): Attribute => ({ kind: "int", value: DATA_TYPE_CODES[type] }),
};

function wrongKind(node: Node, name: string, kind: string, got: Attribute | undefined): never {
  return badInput(
    `${node.opType} '${node.name}'`,
    `attribute ${name} of kind ${kind}`,
    got === undefined ? "none" : got.kind,
  );
}

/** Integer attribute, or `fallback` when absent. @throws BadInputError when absent without fallback or of another kind. */
export function intAttribute(node: Node, name: string, fallback?: number): number {
  const found = node.attributes[name];
  if (found === undefined && fallback !== undefined) return fallback;
  return found?.kind === "int" ? found.value : wrongKind(node, name, "int", found);
}

/** Float attribute, or `fallback` when absent. */
export function floatAttribute(node: Node, name: string, fallback?: number): number {
  const found = node.attributes[name];
  if (found === undefined && fallback !== undefined) return fallback;
  return found?.kind === "float" ? found.value : wrongKind(node, name, "float", found);
}

/** String attribute, or `fallback` when absent. */
export function stringAttribute(node: Node, name: string, fallback?: string): string {
  const found = node.attributes[name];
  if (found === undefined && fallback !== undefined) return fallback;
  return found?.kind === "string" ? found.value : wrongKind(node, name, "string", found);
}

/** Integer-list attribute, or undefined when absent. */
export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const found = node.attributes[name];
  if (found === undefined) return undefined;
  return found.kind === "ints" ? found.value : wrongKind(node, name, "ints", found);
}
