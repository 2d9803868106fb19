/**
 * @file Reverse-mode differentiation of ONNX graphs: appends the nodes that compute
 * the gradient of a loss. General over operators (`rules.ts`) and over graphs: it
 * also takes graphs that were not built here. Not here: the rules, and what is done
 * with the gradients (`optim/`).
 */
import { badInput, TutelageError } from "../core/errors.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import { usedNames } from "../onnx/neededNodes.ts";
import { formatShape, sameShape, staticShape } from "../onnx/shapes.ts";
import type { Graph, Node, Value } from "../onnx/types.ts";
import { GradientMath } from "./gradientMath.ts";
import { isDifferentiable } from "./nodeEmitter.ts";
import { Recomputation, type Recompute } from "./recompute.ts";
import { raiseOpset } from "./raiseOpset.ts";
import type { GatherGradient, GradientRule } from "./rule.ts";
import { operatorName, RuleContext } from "./rule.ts";
import { GRADIENT_RULES, ruleKey } from "./rules.ts";

/** Below this operator set ScatterElements cannot add. */
export const MIN_OPSET = 16;

export interface GradientOptions {
  /** Gradient of something further on with respect to `loss`, same type and shape; default 1 for a scalar loss. */
  readonly seed?: Value;
  /** How repeated indices of Gather are summed; default `scatter`. */
  readonly gatherGradient?: GatherGradient;
  /** Values treated as constants: no gradient flows through them. */
  readonly constants?: readonly Value[];
  /** A value that the loss does not depend on gets a gradient of zeros instead of an error. */
  readonly allowUnused?: boolean;
  /** Rules by "domain:OpType" in place of the registry. */
  readonly rules?: ReadonlyMap<string, GradientRule>;
  /** What is computed a second time in the backward pass instead of being kept; nothing by default. */
  readonly recompute?: Recompute;
}

/**
 * The gradient `∂loss/∂w` of every `w` in `wrt`, in order, each with the type and
 * shape of its `w`; nodes are appended to `builder`, whose outputs stay as they are.
 * Gradients over several uses of a value add up. Only nodes between `wrt` and `loss`
 * are differentiated.
 *
 * @param loss one element, or any shape when `options.seed` is given.
 * @param wrt float values of the graph: inputs, initializers or intermediate values.
 * @throws TutelageError `unsupported` naming the node when an operator on the way has
 *   no rule; BadInputError when `loss` is not scalar, does not depend on a `wrt`, or a
 *   rule needs a static shape that is not known.
 */
export function addGradients(
  builder: GraphBuilder,
  loss: Value,
  wrt: readonly Value[],
  options: GradientOptions = {},
): Value[] {
  if (builder.opset < MIN_OPSET) {
    throw new TutelageError(
      "unsupported",
      `addGradients: expected operator set ${MIN_OPSET} or later, got ${builder.opset}. gradient() raises older graphs by itself`,
    );
  }
  const target = check(builder, loss, wrt, options);
  // Rules may emit what later turns out not to be needed, and ONNX Runtime runs
  // every node: a draft is written first and only what the results need is kept.
  const draft = GraphBuilder.from(builder.build(), builder.outer);
  const { results, gradients } = emitGradients(draft, target, wrt, options);
  const recomputation =
    options.recompute && new Recomputation(builder, options.recompute, (name) => gradients.get(name)?.name);
  appendNeeded(builder, draft, results, recomputation);
  return results.map((value) => builder.value(value.name));
}

/** Emits the gradients into `builder`, spare nodes included: those of `wrt`, and of all values on the way by name. */
function emitGradients(
  builder: GraphBuilder,
  target: Value,
  wrt: readonly Value[],
  options: GradientOptions,
): { readonly results: Value[]; readonly gradients: ReadonlyMap<string, Value> } {
  const rules = options.rules ?? GRADIENT_RULES;
  const math = new GradientMath(
    builder,
    wrt.map((value) => value.name),
  );
  const nodes = [...builder.nodes];
  const active = activeValues(builder, nodes, wrt, options.constants ?? []);
  checkRules(nodes, target, active, rules);
  const gradients = new Map<string, Value>();
  const accumulate = (name: string, gradient: Value): void => {
    const known = gradients.get(name);
    gradients.set(name, known === undefined ? gradient : math.add(known, gradient));
  };
  if (active.has(target.name)) accumulate(target.name, options.seed ?? math.scalar(1, target.type));

  for (const node of nodes.reverse()) {
    const reached = node.outputs.some((name) => name !== "" && gradients.has(name) && active.has(name));
    if (!reached || !usedNames(node).some((name) => active.has(name))) continue;
    const rule = rules.get(ruleKey(node)) ?? noRule([node]);
    const lookup = (names: readonly string[]): (Value | undefined)[] =>
      names.map((name) => (name === "" ? undefined : builder.value(name)));
    const op = new RuleContext(node, math, {
      inputs: lookup(node.inputs),
      outputs: lookup(node.outputs),
      gradients: node.outputs.map((name) => gradients.get(name)),
      wanted: node.inputs.map((name) => active.has(name)),
      gatherGradient: options.gatherGradient ?? "scatter",
    });
    const inputGradients = rule(op);
    node.inputs.forEach((name, i) => {
      if (name === "" || !active.has(name)) return;
      const gradient =
        inputGradients[i] ?? (() => op.unsupported(`no gradient with respect to input #${i} ('${name}')`));
      accumulate(name, builder.scope(node.name === "" ? node.opType : node.name, gradient));
    });
  }

  const results = wrt.map((value) => {
    const gradient = gradients.get(value.name);
    if (gradient !== undefined) return math.full(gradient, value.shape);
    if (options.allowUnused) return math.zeros(value.type, staticShape(value.shape, `gradient of '${value.name}'`));
    return badInput(
      "gradient",
      `a loss that depends on '${value.name}'`,
      `'${target.name}', which does not`,
      "Leave the value out, or set allowUnused for a gradient of zeros",
    );
  });
  return { results, gradients };
}

/**
 * A new graph: `graph` with one more output `<name>_grad` for each name in `wrt`
 * (ONNX Runtime's naming), in order, after its own outputs. A graph of an older
 * operator set is raised to one that has the operators the gradients need.
 * @throws as `addGradients`; BadInputError for a name that the graph does not have.
 */
export function gradient(
  graph: Graph,
  loss: string,
  wrt: readonly string[],
  options: Omit<GradientOptions, "seed" | "constants"> & { readonly constants?: readonly string[] } = {},
): Graph {
  const builder = GraphBuilder.from(raiseOpset(graph, MIN_OPSET + 1));
  const named = (name: string): Value =>
    builder.find(name) ?? badInput(`gradient of graph '${graph.name}'`, "the name of one of its values", `'${name}'`);
  const { constants, ...rest } = options;
  const gradients = addGradients(builder, named(loss), wrt.map(named), {
    ...rest,
    ...(constants === undefined ? {} : { constants: constants.map(named) }),
  });
  gradients.forEach((value, i) => builder.output(value, `${wrt[i] ?? ""}_grad`));
  return builder.build();
}

/** Appends to `builder` the nodes and constants of `draft`, a continuation of it, that `results` depend on. */
function appendNeeded(
  builder: GraphBuilder,
  draft: GraphBuilder,
  results: readonly Value[],
  recomputation: Recomputation | undefined,
): void {
  const needed = new Set(results.map((value) => value.name));
  const added: Node[] = [];
  for (const node of draft.nodes.slice(builder.nodes.length).reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    added.push(node);
  }
  for (const [name, tensor] of draft.build().initializers) {
    if (needed.has(name) && builder.find(name) === undefined) builder.initializer(tensor, name);
  }
  // Recomputed nodes take names that the draft did not know of.
  for (const node of added.reverse()) builder.addNode(recomputation === undefined ? node : recomputation.rewrite(node));
}

/** The loss as known by the builder, after checking what the caller gave. */
function check(builder: GraphBuilder, loss: Value, wrt: readonly Value[], options: GradientOptions): Value {
  const target = builder.value(loss.name);
  for (const value of [target, ...wrt]) {
    if (!isDifferentiable(value)) badInput(`gradient: '${value.name}'`, "a float type", value.type);
  }
  const { seed } = options;
  if (seed === undefined) {
    if (target.shape.some((dim) => dim !== 1))
      badInput(
        `gradient: loss '${target.name}'`,
        "one element",
        formatShape(target.shape),
        "Sum or average it first, or give a seed",
      );
  } else if (seed.type !== target.type || !sameShape(seed.shape, target.shape)) {
    badInput(
      "gradient: seed",
      `${target.type}${formatShape(target.shape)} like the loss`,
      `${seed.type}${formatShape(seed.shape)}`,
    );
  }
  for (const value of wrt) builder.value(value.name);
  return target;
}

/** Names of the float values that depend on `wrt` through float values, `wrt` included. */
function activeValues(
  builder: GraphBuilder,
  nodes: readonly Node[],
  wrt: readonly Value[],
  constants: readonly Value[],
): Set<string> {
  const fixed = new Set(constants.map((value) => value.name));
  const active = new Set(wrt.map((value) => value.name).filter((name) => !fixed.has(name)));
  for (const node of nodes) {
    if (!usedNames(node).some((name) => active.has(name))) continue;
    for (const name of node.outputs) {
      if (name !== "" && !fixed.has(name) && isDifferentiable(builder.value(name))) active.add(name);
    }
  }
  return active;
}

/** Refuses all operators at once that gradients from `target` to active values would need a rule for. */
function checkRules(
  nodes: readonly Node[],
  target: Value,
  active: ReadonlySet<string>,
  rules: ReadonlyMap<string, GradientRule>,
): void {
  const reached = new Set([target.name]);
  const missing: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => reached.has(name) && active.has(name))) continue;
    const inputs = usedNames(node).filter((name) => active.has(name));
    if (inputs.length > 0 && !rules.has(ruleKey(node))) missing.push(node);
    for (const name of inputs) reached.add(name);
  }
  if (missing.length > 0) noRule(missing.reverse());
}

const LISTED_NODES = 3;

function noRule(nodes: readonly Node[]): never {
  const byOperator = new Map<string, Node[]>();
  for (const node of nodes) byOperator.set(operatorName(node), [...(byOperator.get(operatorName(node)) ?? []), node]);
  const listed = [...byOperator].map(([operator, own]) => {
    const names = own.slice(0, LISTED_NODES).map(({ name, outputs }) => `'${name || (outputs[0] ?? "")}'`);
    return `${operator} (${names.join(", ")}${own.length > LISTED_NODES ? `, and ${own.length - LISTED_NODES} more nodes` : ""})`;
  });
  const [first] = nodes;
  const what =
    first !== undefined && nodes.length === 1
      ? `gradient of ${first.opType} '${first.name}': operator ${operatorName(first)} has no gradient rule`
      : `gradient: ${byOperator.size === 1 ? "an operator has" : `${byOperator.size} operators have`} no gradient rule: ${listed.join("; ")}`;
  throw new TutelageError(
    "unsupported",
    `${what}. Add one to src/autograd/rules.ts, rewrite that part with other operators, or leave out the values whose gradient passes through it`,
    {
      details: {
        node: first?.name,
        opType: first?.opType,
        domain: first?.domain,
        ...(nodes.length === 1 ? {} : { operators: [...byOperator.keys()] }),
      },
    },
  );
}
