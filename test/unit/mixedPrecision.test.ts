/** @file Which nodes of a graph compute in float16, and what stays float32. That the numbers hold is in trajectory/trainingFloat16. */
import { describe, expect, test } from "vitest";
import { attr } from "../../src/onnx/attributes.ts";
import { float32ToFloat16 } from "../../src/formats/float16.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { toMixedPrecision } from "../../src/onnx/mixedPrecision.ts";
import type { Graph } from "../../src/onnx/types.ts";

const mixed = (g: GraphBuilder): Graph => toMixedPrecision(g.build(), float32ToFloat16);
/** `OpType type` of every node's output, in order. */
const nodesOf = (graph: Graph): string[] =>
  graph.nodes.map(({ opType, outputs }) => `${opType} ${graph.values.get(outputs[0]!)!.type}`);

describe("mixed precision", () => {
  test("products and what lies between them are float16; softmax, norms and sums are not; inputs and outputs stay", () => {
    const g = new GraphBuilder("attention");
    const x = g.input("x", "float32", [4, 8]);
    const w = g.input("w", "float32", [8, 8]);
    const normed = g.rmsNorm(x, g.input("norm", "float32", [8]), 1e-5);
    const q = g.matmul(normed, w);
    const scores = g.scale(g.matmul(q, g.transpose(q, [1, 0])), 0.5);
    const p = g.softmax(scores);
    const y = g.add(x, g.matmul(g.matmul(p, q), w));
    g.output(g.reduceSum(y, [0, 1], false), "sum");
    const graph = mixed(g);
    expect(nodesOf(graph)).toEqual([
      "SimplifiedLayerNormalization float32",
      "Cast float16",
      "Cast float16",
      "MatMul float16",
      "Transpose float16",
      "MatMul float16",
      "Mul float16",
      "Cast float32",
      "Softmax float32",
      "Cast float16",
      "MatMul float16",
      "MatMul float16",
      "Cast float32",
      "Add float32",
      "ReduceSum float32",
      "Identity float32",
    ]);
    expect(graph.inputs).toEqual(g.build().inputs);
    expect(graph.outputs).toEqual(g.build().outputs);
  });

  test("a weight stored in float16 is read as it is; rows of a table in float16 are widened before anything is added", () => {
    const g = new GraphBuilder("stored");
    const w = g.cast(g.input("w", "float16", [16, 8]), "float32");
    const rows = g.gather(w, g.input("ids", "int32", [3]));
    g.output(g.matmul(g.add(rows, rows), g.transpose(w, [1, 0])), "y");
    expect(nodesOf(mixed(g))).toEqual([
      "Gather float16",
      "Cast float32",
      "Add float32",
      "Transpose float16",
      "Cast float16",
      "MatMul float16",
      "Identity float16",
      "Cast float32",
    ]);
  });

  test("a constant that float16 cannot hold keeps what meets it in float32", () => {
    const g = new GraphBuilder("mask");
    const x = g.input("x", "float32", [4, 4]);
    g.output(g.add(g.matmul(x, x), g.float(-1e9, [1])), "hidden");
    g.output(g.add(g.matmul(x, x), g.float(-60000, [1])), "shown");
    const nodes = nodesOf(mixed(g));
    expect(nodes.filter((node) => node.startsWith("Add"))).toEqual(["Add float32", "Add float16"]);
  });

  test("control flow is refused by name", () => {
    const g = new GraphBuilder("outer");
    const body = new GraphBuilder("then", { outer: g });
    const x = g.input("x", "float32", [2, 2]);
    body.output(body.neg(x), "branch");
    g.output(
      g.node("If", [g.input("c", "bool", [1])], {
        name: "choice",
        attributes: { then_branch: attr.graph(body.build()), else_branch: attr.graph(body.build()) },
      })[0]!,
      "y",
    );
    expect(() => mixed(g)).toThrow(/If 'choice': graphs with control flow cannot compute in float16/);
  });
});
