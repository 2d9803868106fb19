/**
 * @file Norms of the gradients of single examples from one backward pass over all of
 * them: for every parameter the factors of each example's gradient (activations and
 * output gradients) are combined into its norm, and no weight gradient is ever summed
 * over examples. Goodfellow 2015 (arXiv 1510.01799) for rows; for sequences the T × T
 * products of "ghost norms" (Li et al. 2022, arXiv 2110.05679, section 4). Exact: uses
 * of one parameter in several places (a tied embedding) get their cross terms.
 */
import { badInput } from "../core/errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { elementCount, staticShape } from "../onnx/shapes.ts";
import type { Node, Value } from "../onnx/types.ts";
import { addGradients } from "./gradient.ts";
import { contributionOf, findUses, type Contribution, type ParameterUse } from "./parameterUses.ts";

/** Bytes of one parameter's gradients of all examples up to which they are formed where that is less work. */
const MAX_FORMED_BYTES = 64 * 1024 * 1024;

/**
 * `Σ_w ‖∂loss_b/∂w‖²` over `parameters`, for each of the `batch` examples b: float [B].
 * `loss` is one element, the sum of losses that depend on one example each; the rows of
 * every value are the examples' rows, example after example (`batch` = 1: any rows).
 * Nodes are appended to `builder`.
 *
 * Norm of `G = Σₜ u_t ⊗ v_t`: `‖G‖² = Σ_{t,s} (u_t·u_s)(v_t·v_s)`, two n × n products, or that
 * of G itself where G is small.
 * @param constants values through which no gradient flows.
 * @throws TutelageError `unsupported` naming a node that uses a parameter in a way not
 *   covered; BadInputError when the loss does not depend on one of them.
 */
export function addPerExampleSquaredNorms(
  builder: GraphBuilder,
  loss: Value,
  parameters: readonly Value[],
  batch: number,
  constants: readonly Value[] = [],
): Value {
  const needed = neededNodes(builder, loss);
  const uses = parameters.map((parameter) => {
    const found = findUses(builder, parameter, needed);
    return found.length > 0
      ? found
      : badInput("gradient of single examples", `a loss that depends on '${parameter.name}'`, `'${loss.name}'`);
  });
  const outputs = [...new Set(uses.flat().map(outputOf))].map((name) => builder.value(name));
  const gradients = addGradients(builder, loss, outputs, { constants });
  const gradientOf = new Map(outputs.map((output, i) => [output.name, gradients[i]]));
  const norms = uses.map((sites) => {
    const contributions = sites.map((use) => {
      const gradient = gradientOf.get(outputOf(use));
      return contributionOf(builder, use, gradient ?? builder.value(outputOf(use)), batch);
    });
    return squaredNorm(builder, mergeDense(builder, contributions), batch);
  });
  return norms.reduce((sum, norm) => builder.add(sum, norm));
}

function outputOf({ node }: ParameterUse): string {
  return node.outputs[0] ?? "";
}

/** The nodes that `target` depends on, in graph order. */
function neededNodes(builder: GraphBuilder, target: Value): Node[] {
  const names = new Set([target.name]);
  const kept: Node[] = [];
  for (const node of [...builder.nodes].reverse()) {
    if (!node.outputs.some((name) => names.has(name))) continue;
    for (const name of node.inputs) names.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

/** Dense contributions as one, their sum. */
function mergeDense(builder: GraphBuilder, contributions: readonly Contribution[]): readonly Contribution[] {
  const dense = contributions.flatMap((c) => (c.kind === "dense" ? [c.gradient] : []));
  if (dense.length < 2) return contributions;
  const gradient = dense.reduce((sum, one) => builder.add(sum, one));
  return [...contributions.filter((c) => c.kind !== "dense"), { kind: "dense", gradient }];
}

/** `‖Σᵢ Gᵢ‖² = Σ_{i,j} ⟨Gᵢ, Gⱼ⟩` of each example, [B]. */
function squaredNorm(builder: GraphBuilder, contributions: readonly Contribution[], batch: number): Value {
  const mixed = contributions.length > 1 && contributions.some((c) => c.kind === "dense");
  if (mixed || contributions.every((c) => c.kind === "dense" || formingIsLess(c, contributions.length, batch))) {
    const formed = contributions.map((c) => form(builder, c, batch)).reduce((a, b) => builder.add(a, b));
    return builder.reduceSum(builder.mul(formed, formed), [1], false);
  }
  const terms = contributions.flatMap((a, i) =>
    contributions.slice(i).map((b, j) => builder.scale(product(builder, a, b, batch), j === 0 ? 1 : 2)),
  );
  return terms.reduce((a, b) => builder.add(a, b));
}

const dim = (value: Value, axis: number): number => staticShape(value.shape, value.name)[axis] ?? 1;

/** Whether G [R, C] of each example, n·R·C multiplications, is less work than two n × n products, and small enough to hold. */
function formingIsLess(contribution: Contribution, count: number, batch: number): boolean {
  if (contribution.kind !== "outer") return false;
  const { u, v } = contribution;
  const [n, r, c] = [dim(u, 1), dim(u, 2), dim(v, 2)];
  return r * c < n * count * (r + c) && 4 * batch * r * c <= MAX_FORMED_BYTES;
}

/** All elements of a contribution: [B, R·C]. */
function form(builder: GraphBuilder, contribution: Contribution, batch: number): Value {
  switch (contribution.kind) {
    case "dense":
      return contribution.gradient;
    case "outer": {
      const formed = builder.matmul(builder.transpose(contribution.u, [0, 2, 1]), contribution.v); // (B, R, C)
      return builder.reshape(formed, [batch, elementCount([dim(formed, 1), dim(formed, 2)])]);
    }
    default:
      return badInput(
        "gradient of single examples",
        "a lookup beside other matrix uses only",
        "one beside a vector use",
      );
  }
}

/** `⟨G, G'⟩ = Σ_{t,s} (u_t·u'_s)(v_t·v'_s)` of each example, [B]. */
function product(builder: GraphBuilder, a: Contribution, b: Contribution, batch: number): Value {
  if (a.kind === "dense" || b.kind === "dense") {
    const [x, y] = [form(builder, a, batch), form(builder, b, batch)];
    return builder.reduceSum(builder.mul(x, y), [1], false);
  }
  const left = leftProducts(builder, a, b, batch);
  return builder.reduceSum(builder.mul(left, gram(builder, a.v, b.v)), [1, 2], false);
}

/** `x_t·y_s` [B, n, n'] of x [B, n, K], y [B, n', K]. */
function gram(builder: GraphBuilder, x: Value, y: Value): Value {
  return builder.matmul(x, builder.transpose(y, [0, 2, 1]));
}

type Factored = Exclude<Contribution, { readonly kind: "dense" }>;

/** `u_t·u'_s` [B, n, n'], where the u of a lookup are unit vectors. */
function leftProducts(builder: GraphBuilder, a: Factored, b: Factored, batch: number): Value {
  if (a.kind === "outer") return b.kind === "outer" ? gram(builder, a.u, b.u) : columns(builder, a.u, b.indices, batch);
  if (b.kind === "outer") return builder.transpose(columns(builder, b.u, a.indices, batch), [0, 2, 1]);
  const equal = builder.equal(builder.unsqueeze(a.indices, [2]), builder.unsqueeze(b.indices, [1]));
  return builder.cast(equal, a.v.type);
}

/** `u_t[index_s]` [B, n, n'] of u [B, n, R], indices [B, n']. */
function columns(builder: GraphBuilder, u: Value, indices: Value, batch: number): Value {
  const picked = builder.expand(builder.unsqueeze(indices, [1]), [batch, dim(u, 1), dim(indices, 1)]);
  return builder.gatherElements(u, picked, 2);
}
