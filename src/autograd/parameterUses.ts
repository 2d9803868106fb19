/**
 * @file How a graph uses its parameters, for gradients of single examples: every node
 * that combines a parameter with data, and the share of the parameter's gradient that
 * arises there, kept in factors. Not here: gradients of activations (`gradient.ts`), norms
 * (`perExampleNorms.ts`). Shapes: B examples, n rows of each, M = B·n.
 */
import { badInput, invariant, TutelageError } from "../core/errors.ts";
import { floatAttribute, intAttribute, intsAttribute } from "../onnx/attributes.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { elementCount, staticShape } from "../onnx/shapes.ts";
import type { Node, Value } from "../onnx/types.ts";
import { operatorName } from "./rule.ts";

/** A node that reads a parameter (or a value made of the parameter and constants alone) beside data. */
export interface ParameterUse {
  readonly node: Node;
  /** Input of the node that the parameter is. */
  readonly input: number;
  /** From the parameter to that input: the nodes between, in order. */
  readonly through: readonly Node[];
}

/**
 * The gradient of one example with respect to a parameter, as far as it arises at one use.
 * - `outer`, for a matrix [R, C]: `Σₜ u_t ⊗ v_t` over the example's n rows, u [B, n, R], v [B, n, C];
 * - `lookup`: the same with u_t the unit vector of `indices` [B, n];
 * - `dense`: all elements, [B, size].
 */
export type Contribution =
  | { readonly kind: "outer"; readonly u: Value; readonly v: Value }
  | { readonly kind: "lookup"; readonly indices: Value; readonly v: Value }
  | { readonly kind: "dense"; readonly gradient: Value };

/** Operators that may stand between a parameter and its use, with constants for other inputs; see `back`. */
const PASSED: ReadonlySet<string> = new Set(["Identity", "Add", "Mul", "Reshape", "Transpose"]);

/** Every use of `parameter` in `needed`, nodes in graph order. */
export function findUses(builder: GraphBuilder, parameter: Value, needed: readonly Node[]): ParameterUse[] {
  const uses: ParameterUse[] = [];
  const paths = new Map<string, readonly Node[]>([[parameter.name, []]]);
  for (const node of needed) {
    const inputs = node.inputs.filter((name) => name !== "");
    const reading = inputs.filter((name) => paths.has(name));
    if (reading.length === 0) continue;
    const data =
      !PASSED.has(node.opType) || inputs.some((name) => !paths.has(name) && builder.constantOf(name) === undefined);
    for (const name of reading) {
      const through = paths.get(name) ?? [];
      if (data) uses.push({ node, input: node.inputs.indexOf(name), through });
      else for (const output of node.outputs) paths.set(output, [...through, node]);
    }
  }
  return uses;
}

/** The contribution of a use, from the gradient of its node's first output. @throws TutelageError `unsupported` naming the node. */
export function contributionOf(builder: GraphBuilder, use: ParameterUse, gradient: Value, batch: number): Contribution {
  const { node, input, through } = use;
  const arising = atNode(builder, node, input, gradient, batch);
  return [...through].reverse().reduce((contribution, step) => back(builder, contribution, step, batch), arising);
}

function atNode(builder: GraphBuilder, node: Node, input: number, gradient: Value, batch: number): Contribution {
  const value = (i: number): Value => builder.value(node.inputs[i] ?? "");
  const width = (v: Value): number => {
    const last = v.shape.at(-1);
    invariant(typeof last === "number", `'${v.name}' has a last dimension`);
    return last;
  };
  /** Rows of each example: [B, n, width]. */
  const rows = (v: Value, size = width(v)): Value => {
    const count = elementCount(staticShape(v.shape, `gradient of single examples at '${node.name}'`));
    if (count % (batch * size) !== 0)
      badInput(
        `gradient of single examples: ${node.opType} '${node.name}'`,
        `rows of ${batch} examples`,
        `${count / size} rows`,
      );
    return builder.reshape(v, [batch, count / (batch * size), size]);
  };
  const scaled = (v: Value, factor: number): Value => (factor === 1 ? v : builder.scale(v, factor));
  /** Sum over the rows of each example: [B, width]. */
  const dense = (v: Value): Contribution => ({ kind: "dense", gradient: builder.reduceSum(rows(v), [1], false) });
  const isVector = (v: Value): boolean => elementCount(staticShape(v.shape, node.name)) === width(v);

  switch (`${node.domain === "ai.onnx" ? "" : node.domain}:${node.opType}`) {
    case ":Gemm": {
      if (intAttribute(node, "transA", 0) !== 0 || input === 0) break;
      if (input === 2) {
        if (!isVector(value(2))) break;
        return dense(scaled(gradient, floatAttribute(node, "beta", 1)));
      }
      const [x, g] = [rows(value(0)), scaled(rows(gradient), floatAttribute(node, "alpha", 1))];
      return intAttribute(node, "transB", 0) === 1 ? { kind: "outer", u: g, v: x } : { kind: "outer", u: x, v: g };
    }
    case ":MatMul":
      if (input !== 1 || value(1).shape.length !== 2) break;
      return { kind: "outer", u: rows(value(0)), v: rows(gradient) };
    case ":Gather": {
      if (input !== 0 || intAttribute(node, "axis", 0) !== 0 || value(0).shape.length !== 2) break;
      const count = elementCount(staticShape(value(1).shape, node.name));
      if (count % batch !== 0) break;
      const indices = builder.reshape(value(1), [batch, count / batch]);
      return { kind: "lookup", indices, v: rows(gradient, width(value(0))) };
    }
    case ":LayerNormalization":
    case ":SimplifiedLayerNormalization":
    case ":RMSNormalization": {
      const last = value(0).shape.length - 1;
      const axis = intAttribute(node, "axis", -1);
      if (input === 0 || !isVector(value(input)) || (axis !== -1 && axis !== last)) break;
      if (input === 2) return dense(gradient);
      // x̂ is what the same normalisation gives with a weight of ones.
      const size = width(value(1));
      const ones = builder.constant("float32", [size], new Float32Array(size).fill(1), "ones");
      const hat = builder.node(node.opType, [value(0), ones], { domain: node.domain, attributes: node.attributes })[0];
      invariant(hat !== undefined, "a normalisation has an output");
      return dense(builder.mul(gradient, hat));
    }
    case ":Mul":
    case ":Add": {
      const other = value(1 - input);
      if (!isVector(value(input)) || width(value(input)) !== width(gradient)) break;
      return dense(node.opType === "Add" ? gradient : builder.mul(gradient, other));
    }
  }
  throw unsupported(node, `its input #${input}, a parameter`);
}

/** Through a node that makes one value of a parameter: the contribution to its output becomes one to its input. */
function back(builder: GraphBuilder, contribution: Contribution, node: Node, batch: number): Contribution {
  const [from = "", ...others] = node.inputs;
  const constants = node.inputs.filter((name) => name !== "" && builder.constantOf(name) !== undefined);
  switch (node.opType) {
    case "Identity":
      return contribution;
    case "Add":
      if (sameSize(builder, node)) return contribution;
      break;
    case "Mul": {
      const [factor] = constants;
      if (contribution.kind !== "dense" || factor === undefined || constants.length !== 1) break;
      const constant = builder.value(factor);
      const size = elementCount(staticShape(constant.shape, node.name));
      if (size !== 1 && size !== contribution.gradient.shape[1]) break;
      return { kind: "dense", gradient: builder.mul(contribution.gradient, builder.reshape(constant, [1, size])) };
    }
    case "Reshape":
      if (contribution.kind === "dense") return contribution;
      break;
    case "Transpose": {
      const perm = intsAttribute(node, "perm") ?? [1, 0];
      if (contribution.kind !== "outer" || perm.join() !== "1,0") break;
      return { kind: "outer", u: contribution.v, v: contribution.u };
    }
  }
  throw unsupported(
    node,
    `the parameter '${from}' alone${others.length > 0 ? " and constants" : ""} (${batch} examples)`,
  );
}

/** Whether the output has as many elements as the first input that is no constant: nothing was broadcast. */
function sameSize(builder: GraphBuilder, node: Node): boolean {
  const read = node.inputs.find((name) => builder.constantOf(name) === undefined) ?? "";
  const count = (name: string): number => elementCount(staticShape(builder.value(name).shape, node.name));
  return count(read) === count(node.outputs[0] ?? "");
}

function unsupported(node: Node, what: string): TutelageError {
  return new TutelageError(
    "unsupported",
    `gradient of single examples: ${node.opType} '${node.name}' (${operatorName(node)}) of ${what} is not covered. Add it to src/autograd/parameterUses.ts, or freeze that parameter`,
    { details: { node: node.name, opType: node.opType, domain: node.domain } },
  );
}
