/**
 * @file Turns stored weights of a graph into inputs, so that they can be trained:
 * ONNX Runtime cannot change an initializer once a session exists.
 */
import { badInput } from "../core/errors.ts";
import type { Graph, Tensor, Value } from "../onnx/types.ts";

/** A graph without its weights inside, and the weights. */
export interface ExposedGraph {
  /** `graph` with the named initializers as inputs, after its own inputs, in the given order. */
  readonly graph: Graph;
  /** Their tensors by name; the same data, not copied. */
  readonly initial: ReadonlyMap<string, Tensor>;
}

/**
 * Moves initializers to the inputs.
 * @param names default: every floating-point initializer.
 * @throws BadInputError for a name that is not an initializer.
 */
export function exposeInitializers(graph: Graph, names: readonly string[] = floatInitializers(graph)): ExposedGraph {
  const initial = new Map(
    names.map((name) => [
      name,
      graph.initializers.get(name) ?? badInput(`graph '${graph.name}'`, "the name of an initializer", `'${name}'`),
    ]),
  );
  const inputs = [...initial].map(([name, tensor]): Value => ({ name, type: tensor.type, shape: tensor.shape }));
  const rest = new Map([...graph.initializers].filter(([name]) => !initial.has(name)));
  return { graph: { ...graph, inputs: [...graph.inputs, ...inputs], initializers: rest }, initial };
}

function floatInitializers(graph: Graph): string[] {
  return [...graph.initializers].filter(([, tensor]) => tensor.type.startsWith("float")).map(([name]) => name);
}
