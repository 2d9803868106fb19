/** @file What an operator of the float64 reference evaluator is given, and readers of its inputs and attributes. */
import type { DataType, Node } from "../../src/onnx/types.ts";
import type { NdArray } from "./ndarray.ts";

export interface OperatorCall {
  readonly node: Node;
  readonly inputs: readonly (NdArray | undefined)[];
  readonly opset: number;
  readonly outputTypes: readonly (DataType | undefined)[];
}

export type Operator = (call: OperatorCall) => readonly NdArray[];

export function input(call: OperatorCall, i: number): NdArray {
  const value = call.inputs[i];
  if (value === undefined) throw new Error(`${call.node.opType} '${call.node.name}' needs input ${i}`);
  return value;
}

export const listOf = (call: OperatorCall, i: number): number[] => Array.from(input(call, i).data);
export const scalarOf = (call: OperatorCall, i: number): number => input(call, i).data[0]!;

export function intOf(call: OperatorCall, name: string, fallback: number): number {
  const found = call.node.attributes[name];
  return found?.kind === "int" ? found.value : fallback;
}
/** Float attributes are float32 in the file format. */
export function floatOf(call: OperatorCall, name: string, fallback: number): number {
  const found = call.node.attributes[name];
  return Math.fround(found?.kind === "float" ? found.value : fallback);
}
export function stringOf(call: OperatorCall, name: string, fallback: string): string {
  const found = call.node.attributes[name];
  return found?.kind === "string" ? found.value : fallback;
}
export function intsOf(call: OperatorCall, name: string): readonly number[] | undefined {
  const found = call.node.attributes[name];
  return found?.kind === "ints" ? found.value : undefined;
}
