/** @file Static shape and type inference, operator by operator. */
import { TutelageError } from "../core/errors.ts";
import type { DataType, Node, Shape, Tensor, Value } from "./types.ts";

/** What inference may ask about the surrounding graph. */
export interface InferenceContext {
  readonly constantOf: (name: string) => Tensor | undefined;
  readonly opset: number;
}

/** Type and shape of each output of `node`. */
export function inferOutputs(node: Node, _inputs: readonly (Value | undefined)[], _context: InferenceContext): readonly { readonly type: DataType; readonly shape: Shape }[] {
  throw new TutelageError("unsupported", `${node.opType} '${node.name}': no shape inference`);
}
