/**
 * @file Static shape and type inference, operator by operator: one table per family
 * in `infer/`. An operator that is not in a table is an error that names the node.
 * Source: the ONNX operator schemas (operator sets 7 to 23) and ONNX Runtime's
 * contrib operator documentation.
 */
import { TutelageError } from "../core/errors.ts";
import { Call, type InferenceContext, type OperatorRule, type OutputType, type RuleTable } from "./infer/call.ts";
import { isOpaque } from "./dims.ts";
import { ATTENTION_CONTRIB } from "./infer/attention.ts";
import { CONTROL } from "./infer/control.ts";
import { ELEMENTWISE, ELEMENTWISE_CONTRIB } from "./infer/elementwise.ts";
import { INDEXING } from "./infer/indexing.ts";
import { LINEAR, LINEAR_CONTRIB } from "./infer/linear.ts";
import { NORM, NORM_CONTRIB } from "./infer/norm.ts";
import { REDUCE } from "./infer/reduce.ts";
import { SHAPE } from "./infer/shape.ts";
import type { Node, Value } from "./types.ts";

export type { InferenceContext, OutputType } from "./infer/call.ts";

const ONNX_RULES: RuleTable = { ...ELEMENTWISE, ...SHAPE, ...INDEXING, ...LINEAR, ...REDUCE, ...NORM, ...CONTROL };
const CONTRIB_RULES: RuleTable = { ...ELEMENTWISE_CONTRIB, ...LINEAR_CONTRIB, ...NORM_CONTRIB, ...ATTENTION_CONTRIB };
const RULES: ReadonlyMap<string, RuleTable> = new Map([
  ["", ONNX_RULES],
  ["ai.onnx", ONNX_RULES],
  ["com.microsoft", CONTRIB_RULES],
]);

/** Greater ranks only occur in files made to exhaust memory. */
const MAX_RANK = 64;

/** The inference rule of an operator, if there is one. */
function ruleOf(node: Node): OperatorRule | undefined {
  const table = RULES.get(node.domain);
  return table !== undefined && Object.hasOwn(table, node.opType) ? table[node.opType] : undefined;
}

/** True when `inferOutputs` knows the operator. */
export function canInfer(opType: string, domain = ""): boolean {
  return Object.hasOwn(RULES.get(domain) ?? {}, opType);
}

/**
 * Type and shape of each output of `node`, in order; optional outputs included even
 * when the node does not name them. `inputs[i]` is the value of `node.inputs[i]`,
 * undefined when that input is omitted.
 * @throws BadInputError naming the node when types, ranks or sizes do not fit.
 * @throws TutelageError `unsupported` when the operator is unknown or its output rank depends on data.
 */
export function inferOutputs(
  node: Node,
  inputs: readonly (Value | undefined)[],
  context: InferenceContext,
): readonly OutputType[] {
  const rule = ruleOf(node);
  if (rule === undefined) {
    throw new TutelageError(
      "unsupported",
      `${node.opType} '${node.name || (node.outputs[0] ?? "")}': no shape inference for operator ${node.opType} of domain '${node.domain || "ai.onnx"}'`,
      {
        details: { node: node.name, opType: node.opType, domain: node.domain },
      },
    );
  }
  const call = new Call(node, inputs, context);
  if (rule.since !== undefined && context.opset < rule.since && node.domain !== "com.microsoft") {
    call.fail(`operator set ${rule.since} or later`, String(context.opset));
  }
  const [least, most] = rule.inputs;
  if (inputs.length < least || inputs.length > most) {
    call.fail(
      least === most ? `${least} inputs` : most === Infinity ? `${least} or more inputs` : `${least} to ${most} inputs`,
      String(inputs.length),
    );
  }
  const outputs = rule.infer(call);
  for (const { shape } of outputs)
    if (shape.length > MAX_RANK) call.fail(`outputs of rank ${MAX_RANK} or less`, String(shape.length));
  return outputs;
}

/**
 * `inferOutputs`, completed by what `declared` says of outputs: their whole type when the
 * operator is unknown or the rank depends on data, single sizes where these are opaque.
 */
export function inferWith(
  node: Node,
  inputs: readonly (Value | undefined)[],
  context: InferenceContext,
  declared: (name: string) => OutputType | undefined,
): readonly OutputType[] {
  let inferred: readonly OutputType[];
  try {
    inferred = inferOutputs(node, inputs, context);
  } catch (error) {
    const known = node.outputs.map((name) => declared(name));
    if (!(error instanceof TutelageError && error.code === "unsupported") || known.length === 0) throw error;
    return known.map((type) => {
      if (type === undefined) throw error;
      return type;
    });
  }
  return inferred.map((output, i) => {
    const known = declared(node.outputs[i] ?? "");
    if (known === undefined || known.shape.length !== output.shape.length) return output;
    return {
      type: output.type,
      shape: output.shape.map((dim, axis) => (isOpaque(dim) ? (known.shape[axis] ?? dim) : dim)),
    };
  });
}
