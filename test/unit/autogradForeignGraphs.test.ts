/** @file Differentiating graphs that were not built here: unknown operators, older operator sets, float16, Constant nodes. */
import { describe, expect, test } from "vitest";
import { exposeInitializers } from "../../src/autograd/exposeInitializers.ts";
import { gradient } from "../../src/autograd/gradient.ts";
import { raiseOpset } from "../../src/autograd/raiseOpset.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { decodeModel, encodeModel } from "../../src/onnx/model.ts";
import type { Attributes, DataType, Graph, Node, Shape, Tensor, Value } from "../../src/onnx/types.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import { array } from "../support/ndarray.ts";
import { runOnProvider } from "../support/ortProviders.ts";

const value = (name: string, shape: Shape, type: DataType = "float32"): Value => ({ name, type, shape });
const node = (opType: string, inputs: string[], outputs: string[], attributes: Attributes = {}, domain = ""): Node => ({
  name: `the_${opType}`,
  opType,
  domain,
  inputs,
  outputs,
  attributes,
});
const float = (shape: number[], data: number[]): Tensor => ({ type: "float32", shape, data: Float32Array.from(data) });

function graphOf(
  opset: number,
  inputs: Value[],
  nodes: Node[],
  inner: Value[],
  initializers: Record<string, Tensor> = {},
): Graph {
  const outputs = inner.filter((v) => v.name === "loss");
  const stored = Object.entries(initializers);
  const values = new Map(
    [...inputs, ...inner, ...stored.map(([name, t]) => value(name, t.shape, t.type))].map((v) => [v.name, v]),
  );
  return {
    name: "foreign",
    inputs,
    outputs,
    nodes,
    values,
    initializers: new Map(stored),
    opsets: { "": opset, "com.microsoft": 1 },
  };
}

describe("an operator nobody here knows", () => {
  const graph = graphOf(
    17,
    [value("x", [2, 3])],
    [
      node("Mystery", ["x", "kernel"], ["features"], {}, "example.org"),
      node("MatMul", ["features", "head"], ["y"]),
      node("ReduceSum", ["y"], ["loss"], { keepdims: attr.int(0) }),
    ],
    [value("features", [2, 4]), value("y", [2, 1]), value("loss", [])],
    { kernel: float([1], [2]), head: float([4, 1], [1, 2, 3, 4]) },
  );

  test("does not hinder weights behind it", () => {
    const out = gradient(graph, "loss", ["head"]);
    expect(out.values.get("head_grad")?.shape).toEqual([4, 1]);
    expect(out.nodes.map((n) => n.opType)).toContain("Mystery");
  });

  test("is named when a gradient would pass through it", () => {
    expect(() => gradient(graph, "loss", ["head", "kernel"])).toThrow(
      /Mystery 'the_Mystery'.*example\.org:Mystery has no gradient rule/,
    );
  });
});

describe("older operator sets", () => {
  /** Softmax over axes 1 and 2 together, as operator sets before 13 flatten, then a weighted sum. */
  function softmax11(axis: number | undefined): Graph {
    return graphOf(
      11,
      [value("x", [2, 2, 2]), value("w", [2, 2, 2])],
      [
        node("Softmax", ["x"], ["p"], axis === undefined ? {} : { axis: attr.int(axis) }),
        node("Mul", ["p", "w"], ["m"]),
        node("ReduceSum", ["m"], ["rows"], { axes: attr.ints([1, 2]), keepdims: attr.int(0) }),
        node("Unsqueeze", ["rows"], ["column"], { axes: attr.ints([1]) }),
        node("ReduceMean", ["column"], ["loss"], { keepdims: attr.int(0) }),
      ],
      [value("p", [2, 2, 2]), value("m", [2, 2, 2]), value("rows", [2]), value("column", [2, 1]), value("loss", [])],
    );
  }
  const feeds = {
    x: array([2, 2, 2], [0.1, 0.5, -0.3, 0.2, 1, -1, 0.4, 0]),
    w: array([2, 2, 2], [1, -2, 3, 0.5, 2, 1, -1, 0]),
  };

  test.each([[undefined], [1], [2], [-1], [0], [-3]])(
    "softmax with axis %s computes the same after raising",
    (axis) => {
      const old = softmax11(axis);
      const raised = raiseOpset(old, 17);
      expect(raised.opsets[""]).toBe(17);
      const [before, after] = [evaluate(old, feeds, ["p", "loss"]), evaluate(raised, feeds, ["p", "loss"])];
      for (const name of ["p", "loss"])
        before.get(name)!.data.forEach((v, i) => expect(after.get(name)!.data[i]).toBeCloseTo(v, 12));
    },
  );

  test("the raised graph with its gradient loads and agrees with differences", async () => {
    const graph = gradient(softmax11(undefined), "loss", ["x"]);
    const got = await runOnProvider(
      "cpu",
      decodeModel(encodeModel(graph)),
      Object.fromEntries(Object.entries(feeds).map(([name, a]) => [name, float([...a.shape], [...a.data])])),
    );
    const h = 1e-5;
    feeds.x.data.forEach((_, i) => {
      const at = (delta: number): number => {
        const data = Float64Array.from(feeds.x.data);
        data[i]! += delta;
        return evaluate(softmax11(undefined), { ...feeds, x: { shape: feeds.x.shape, data } }).get("loss")!.data[0]!;
      };
      expect(got.get("x_grad")!.data[i]).toBeCloseTo((at(h) - at(-h)) / (2 * h), 5);
    });
  });

  test("inference-mode dropout is the identity", () => {
    const graph = graphOf(
      11,
      [value("x", [3])],
      [
        node("Dropout", ["x"], ["kept"], { ratio: attr.float(0.5) }),
        node("Mul", ["kept", "kept"], ["squares"]),
        node("ReduceSum", ["squares"], ["loss"], { keepdims: attr.int(0) }),
      ],
      [value("kept", [3]), value("squares", [3]), value("loss", [])],
    );
    const got = evaluate(gradient(graph, "loss", ["x"]), { x: array([3], [1, 2, 3]) });
    expect([...got.get("x_grad")!.data]).toEqual([2, 4, 6]);
  });

  test("control flow below operator set 13 is refused", () => {
    const inner = graphOf(11, [], [node("Identity", ["x"], ["loss"])], [value("loss", [1])]);
    const graph = graphOf(
      11,
      [value("x", [1]), value("c", [], "bool")],
      [node("If", ["c"], ["loss"], { then_branch: attr.graph(inner), else_branch: attr.graph(inner) })],
      [value("loss", [1])],
    );
    expect(() => gradient(graph, "loss", ["x"])).toThrow(/If 'the_If': control flow below operator set 13/);
  });
});

test("gradients pass through float16 parts in float16", async () => {
  const code = attr.dataType;
  const graph = graphOf(
    17,
    [value("x", [4])],
    [
      node("Cast", ["x"], ["half"], { to: code("float16") }),
      node("Mul", ["half", "half"], ["square"]),
      { ...node("Cast", ["square"], ["wide"], { to: code("float32") }), name: "widen" },
      node("ReduceSum", ["wide"], ["loss"], { keepdims: attr.int(0) }),
    ],
    [value("half", [4], "float16"), value("square", [4], "float16"), value("wide", [4]), value("loss", [])],
  );
  const out = gradient(graph, "loss", ["x"]);
  const got = await runOnProvider("cpu", out, { x: float([4], [0.5, 1, -2, 3]) });
  expect([...got.get("x_grad")!.data]).toEqual([1, 2, -4, 6]);
});

describe("exposeInitializers", () => {
  const graph = graphOf(
    17,
    [value("x", [2])],
    [node("Mul", ["x", "w"], ["y"]), node("ReduceSum", ["y", "axes"], ["loss"], { keepdims: attr.int(0) })],
    [value("y", [2]), value("loss", [])],
    {
      w: float([2], [3, 4]),
      axes: { type: "int64", shape: [1], data: BigInt64Array.of(0n) },
    },
  );

  test("moves float weights to the inputs and hands over their data", () => {
    const { graph: exposed, initial } = exposeInitializers(graph);
    expect(exposed.inputs.map((v) => v.name)).toEqual(["x", "w"]);
    expect([...exposed.initializers.keys()]).toEqual(["axes"]);
    expect(initial.get("w")).toBe(graph.initializers.get("w"));
    const got = evaluate(gradient(exposed, "loss", ["w"]), { x: array([2], [5, 6]), w: array([2], [0, 0]) });
    expect([...got.get("w_grad")!.data]).toEqual([5, 6]);
  });

  test("refuses a name that is not an initializer", () => {
    expect(() => exposeInitializers(graph, ["x"])).toThrow(/expected the name of an initializer, got 'x'/);
  });
});
