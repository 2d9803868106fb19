/**
 * @file An independent float64 interpreter of ONNX graphs: the reference that
 * analytic gradients and ONNX Runtime's numbers are compared with. Every value,
 * whatever its declared element type, is computed in float64 (integers are
 * truncated where ONNX says so). Not a runtime: it is slow, and shares no code
 * with `src` but the graph types.
 */
import type { Graph, Node, Tensor } from "../../src/onnx/types.ts";
import { OPERATORS } from "./float64Operators.ts";
import type { NdArray } from "./ndarray.ts";
import { array } from "./ndarray.ts";

export function fromTensor(tensor: Tensor): NdArray {
  if (tensor.type === "float16") throw new Error("float64 evaluator: float16 constants are not handled");
  return array(tensor.shape, Array.from(tensor.data as ArrayLike<number | bigint>, Number));
}

/** Nodes needed for `targets`, in graph order. */
function needed(graph: Graph, targets: readonly string[]): Node[] {
  const wanted = new Set(targets);
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    for (const input of node.inputs) wanted.add(input);
    kept.push(node);
  }
  return kept.reverse();
}

/** Values of `targets` (default: the graph's outputs) for the given inputs. Computes only what the targets need. */
export function evaluate(
  graph: Graph,
  feeds: Readonly<Record<string, NdArray>>,
  targets: readonly string[] = graph.outputs.map((o) => o.name),
): Map<string, NdArray> {
  const values = new Map<string, NdArray>();
  for (const [name, tensor] of graph.initializers) values.set(name, fromTensor(tensor));
  for (const [name, value] of Object.entries(feeds)) values.set(name, value);
  for (const node of needed(graph, targets)) {
    const key = `${node.domain}:${node.opType}`;
    const operator = OPERATORS[key];
    if (operator === undefined) throw new Error(`float64 evaluator: no operator ${key}`);
    const inputs = node.inputs.map((name) => {
      if (name === "") return undefined;
      const value = values.get(name);
      if (value === undefined) throw new Error(`float64 evaluator: ${node.opType} '${node.name}' needs '${name}'`);
      return value;
    });
    const outputs = operator({
      node,
      inputs,
      opset: graph.opsets[""] ?? 17,
      outputTypes: node.outputs.map((name) => graph.values.get(name)?.type),
    });
    node.outputs.forEach((name, i) => {
      const out = outputs[i];
      if (name === "") return;
      if (out === undefined) throw new Error(`float64 evaluator: ${node.opType} '${node.name}' gives no output ${i}`);
      const declared = graph.values.get(name)?.shape;
      if (declared?.every((d) => typeof d === "number") && `${declared}` !== `${out.shape}`) {
        throw new Error(`${node.opType} '${node.name}': declared shape [${declared}], computed [${out.shape}]`);
      }
      values.set(name, out);
    });
  }
  return new Map(
    targets.map((name) => {
      const value = values.get(name);
      if (value === undefined) throw new Error(`float64 evaluator: no value '${name}'`);
      return [name, value];
    }),
  );
}

/**
 * Central differences of the scalar `loss` with respect to each element of the
 * input `name`: `(f(x + h) − f(x − h)) / 2h`, extrapolated once (Richardson), error O(h⁴).
 */
export function numericGradient(
  graph: Graph,
  feeds: Readonly<Record<string, NdArray>>,
  loss: string,
  name: string,
  step = 1e-3,
): NdArray {
  const base = feeds[name];
  if (base === undefined) throw new Error(`numericGradient: no feed '${name}'`);
  const lossAt = (i: number, delta: number): number => {
    const data = Float64Array.from(base.data);
    data[i]! += delta;
    return evaluate(graph, { ...feeds, [name]: { shape: base.shape, data } }, [loss]).get(loss)!.data[0]!;
  };
  const difference = (i: number, h: number): number => (lossAt(i, h) - lossAt(i, -h)) / (2 * h);
  return array(
    base.shape,
    Float64Array.from(base.data, (_, i) => (4 * difference(i, step / 2) - difference(i, step)) / 3),
  );
}
