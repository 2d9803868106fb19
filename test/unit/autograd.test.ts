/** @file What reverse-mode differentiation promises beyond the rules: what is differentiated, what is emitted, what is refused. */
import { describe, expect, test } from "vitest";
import { TutelageError } from "../../src/core/errors.ts";
import { addGradients, gradient } from "../../src/autograd/gradient.ts";
import { GRADIENT_RULES } from "../../src/autograd/rules.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Graph, Node, Value } from "../../src/onnx/types.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import type { NdArray } from "../support/ndarray.ts";
import { array } from "../support/ndarray.ts";

/** The nodes that `work` appends. */
function appended(builder: GraphBuilder, work: () => void): Node[] {
  const before = builder.nodes.length;
  work();
  return builder.nodes.slice(before);
}

const opTypes = (nodes: readonly Node[]): string[] => nodes.map((node) => node.opType);

function total(g: GraphBuilder, x: Value): Value {
  return g.reduceSum(
    x,
    x.shape.map((_, i) => i),
    false,
  );
}

function run(builder: GraphBuilder, feeds: Record<string, NdArray>, ...values: Value[]): NdArray[] {
  const got = evaluate(
    builder.build(),
    feeds,
    values.map((value) => value.name),
  );
  return values.map((value) => got.get(value.name)!);
}

function thrown(work: () => unknown): TutelageError {
  try {
    work();
  } catch (error) {
    if (error instanceof TutelageError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

describe("what is differentiated", () => {
  test("gradients of several uses of a weight add up", () => {
    const g = new GraphBuilder("tied");
    const w = g.input("w", "float32", [2, 3]);
    const ids = g.input("ids", "int32", [3]);
    // Embedding and head share w: logits = E·wᵀ with E = w[ids].
    const loss = total(g, g.exp(g.gemm(g.gather(w, ids), w, { transB: true })));
    const [dw] = addGradients(g, loss, [w]);
    const feeds = { w: array([2, 3], [0.1, -0.2, 0.3, 0.4, 0.5, -0.6]), ids: array([3], [1, 0, 1]) };
    const [analytic] = run(g, feeds, dw!);
    const h = 1e-5;
    const numeric = feeds.w.data.map((_, i) => {
      const at = (delta: number): number => {
        const data = Float64Array.from(feeds.w.data);
        data[i]! += delta;
        return run(g, { ...feeds, w: { shape: [2, 3], data } }, loss)[0]!.data[0]!;
      };
      return (at(h) - at(-h)) / (2 * h);
    });
    analytic!.data.forEach((value, i) => expect(value).toBeCloseTo(numeric[i]!, 7));
  });

  test("a frozen weight gets no gradient node", () => {
    const g = new GraphBuilder("frozen");
    const x = g.input("x", "float32", [4, 3]);
    const frozen = g.input("frozen", "float32", [3, 5]);
    const trained = g.input("trained", "float32", [5, 2]);
    const loss = total(g, g.gemm(g.gemm(x, frozen), trained));
    const nodes = appended(g, () => addGradients(g, loss, [trained]));
    expect(opTypes(nodes)).toEqual(["Expand", "Gemm"]);
    expect(nodes.some((node) => node.inputs.includes("frozen") || node.inputs.includes("x"))).toBe(false);
  });

  test("intermediate values can be asked for, together with what they depend on", () => {
    const g = new GraphBuilder("intermediate");
    const x = g.input("x", "float32", [3]);
    const y = g.mul(x, x);
    const loss = total(g, g.exp(y));
    const [dx, dy, self] = addGradients(g, loss, [x, y, loss]);
    const [vx, vy, one] = run(g, { x: array([3], [1, -0.5, 0]) }, dx!, dy!, self!);
    expect([...one!.data]).toEqual([1]);
    vy!.data.forEach((value, i) => expect(vx!.data[i]).toBeCloseTo(2 * [1, -0.5, 0][i]! * value, 12));
  });

  test("values given as constants stop the gradient", () => {
    const g = new GraphBuilder("constants");
    const x = g.input("x", "float32", [3]);
    const y = g.exp(x);
    const loss = total(g, g.mul(y, x));
    const [dx] = addGradients(g, loss, [x], { constants: [y] });
    const [value] = run(g, { x: array([3], [0.5, 1, 2]) }, dx!);
    expect([...value!.data]).toEqual([0.5, 1, 2].map(Math.exp));
  });

  test("integer and boolean paths carry no gradient", () => {
    const g = new GraphBuilder("integers");
    const x = g.input("x", "float32", [3]);
    const rounded = g.cast(g.cast(x, "int32"), "float32");
    const gate = g.cast(g.greater(x, g.float(0)), "float32");
    const loss = total(g, g.mul(g.mul(x, gate), rounded));
    const [dx] = addGradients(g, loss, [x]);
    const [value] = run(g, { x: array([3], [2.5, -1.5, 1.5]) }, dx!);
    expect(Array.from(value!.data, (v) => v + 0)).toEqual([2, 0, 1]);
  });

  test("an operator without a rule beside the way to the loss does not matter", () => {
    const g = new GraphBuilder("beside");
    const x = g.input("x", "float32", [3]);
    const y = g.mul(x, x);
    g.output(g.node("Floor", [y])[0]!);
    expect(addGradients(g, total(g, y), [x])).toHaveLength(1);
  });

  test("a seed takes the place of 1 and lets the loss have any shape", () => {
    const g = new GraphBuilder("seed");
    const x = g.input("x", "float32", [2]);
    const seed = g.input("seed", "float32", [2]);
    const [dx] = addGradients(g, g.mul(x, x), [x], { seed });
    const [value] = run(g, { x: array([2], [3, 4]), seed: array([2], [10, 1]) }, dx!);
    expect([...value!.data]).toEqual([60, 8]);
  });

  test("ties share the gradient of a maximum in equal parts, and ReLU passes none at 0", () => {
    const g = new GraphBuilder("ties");
    const x = g.input("x", "float32", [3]);
    const loss = g.add(g.reduceMax(x, [0], false), total(g, g.relu(x)));
    const [dx] = addGradients(g, loss, [x]);
    const [both] = run(g, { x: array([3], [2, 2, 0]) }, dx!);
    expect([...both!.data]).toEqual([1.5, 1.5, 0]);
  });

  test("powers at 0 and norms of zeros give finite gradients", () => {
    const g = new GraphBuilder("zeros");
    const x = g.input("x", "float32", [2]);
    const p = g.input("p", "float32", [2]);
    const norm = g.node("ReduceL2", [x], { attributes: { axes: attr.ints([0]), keepdims: attr.int(0) } })[0]!;
    const loss = g.add(total(g, g.pow(x, p)), norm);
    const [dx, dp] = addGradients(g, loss, [x, p]);
    const [vx, vp] = run(g, { x: array([2], [0, 0]), p: array([2], [0, 1]) }, dx!, dp!);
    expect([...vx!.data]).toEqual([0, 1]);
    expect([...vp!.data]).toEqual([0, 0]);
  });
});

describe("what is emitted", () => {
  test("a linear layer on [B, T, K] gives one Gemm with a transposition flag for each gradient", () => {
    const g = new GraphBuilder("linear");
    const x = g.input("x", "float32", [2, 3, 4]);
    const w = g.input("w", "float32", [4, 5]);
    const y = g.matmul(x, w);
    const seed = g.input("seed", "float32", [2, 3, 5]);
    const nodes = appended(g, () => addGradients(g, y, [x, w], { seed }));
    const gemms = nodes.filter((node) => node.opType === "Gemm").map((node) => Object.keys(node.attributes).join());
    expect(gemms.sort()).toEqual(["transA", "transB"]);
    expect(opTypes(nodes).filter((op) => op !== "Gemm")).toEqual(["Reshape", "Reshape", "Reshape"]);
  });

  test("the flattened gradient and input are shared by layers that read the same input", () => {
    const g = new GraphBuilder("qkv");
    const x = g.input("x", "float32", [2, 3, 4]);
    const weights = ["q", "k", "v"].map((name) => g.input(name, "float32", [4, 4]));
    const loss = weights.map((w) => total(g, g.tanh(g.matmul(x, w)))).reduce((a, b) => g.add(a, b));
    const nodes = appended(g, () => addGradients(g, loss, weights));
    const flattenedInput = nodes.filter((node) => node.opType === "Reshape" && node.inputs[0] === "x");
    expect(flattenedInput).toHaveLength(1);
    expect(nodes.filter((node) => node.opType === "Gemm")).toHaveLength(3);
  });

  test("the loss's seed of 1 and constant factors cost no node", () => {
    const g = new GraphBuilder("seedless");
    const x = g.input("x", "float32", [4, 3]);
    const loss = g.div(total(g, g.mul(x, x)), g.float(12));
    const nodes = appended(g, () => addGradients(g, loss, [x]));
    // d/dx = x/12 + x/12: one Mul by a constant (emitted once) and one Add.
    expect(opTypes(nodes)).toEqual(["Mul", "Add"]);
  });

  test("reductions expand nothing: their gradient broadcasts into the next operator", () => {
    const g = new GraphBuilder("narrow");
    const x = g.input("x", "float32", [4, 3]);
    const loss = total(g, g.exp(g.reduceMean(g.tanh(x), [1])));
    expect(opTypes(appended(g, () => addGradients(g, loss, [x])))).not.toContain("Expand");
  });

  test("softmax reuses its output", () => {
    const g = new GraphBuilder("softmax");
    const x = g.input("x", "float32", [4, 3]);
    const y = g.softmax(x);
    const seed = g.input("seed", "float32", [4, 3]);
    expect(opTypes(appended(g, () => addGradients(g, y, [x], { seed })))).toEqual(["Mul", "ReduceSum", "Sub", "Mul"]);
  });

  test("attention transposes no probabilities, and undoes transposes instead of adding their inverse", () => {
    const g = new GraphBuilder("attention");
    const [rows, keys, heads, size] = [8, 8, 2, 3];
    const [q, k, v] = ["q", "k", "v"].map((name) => g.input(name, "float32", [1, rows, heads, size])) as [
      Value,
      Value,
      Value,
    ];
    const byHead = (x: Value): Value => g.transpose(x, [0, 2, 1, 3]);
    const p = g.softmax(g.matmul(byHead(q), g.transpose(byHead(k), [0, 1, 3, 2])));
    const y = byHead(g.matmul(p, byHead(v)));
    const seed = g.input("seed", "float32", [1, rows, heads, size]);
    const nodes = appended(g, () => addGradients(g, y, [q, k, v], { seed }));
    const moved = nodes.filter((node) => node.opType === "Transpose").map((node) => g.value(node.inputs[0]!).shape);
    expect(moved).not.toContainEqual([1, heads, rows, keys]);
    expect(nodes.filter((node) => node.opType === "MatMul")).toHaveLength(4);
    // In: the gradient itself, q, v, the gradient again for p·v; out: dq, dk, dv.
    expect(moved.length).toBeLessThanOrEqual(7);
  });

  test("nothing that the gradients do not need, and no constant twice", () => {
    const g = new GraphBuilder("spare");
    const x = g.input("x", "float32", [2, 3, 4]);
    const w = g.input("w", "float32", [4, 4]);
    const heads = g.transpose(g.reshape(g.matmul(x, w), [2, 3, 2, 2]), [0, 2, 1, 3]);
    const y = g.matmul(g.softmax(g.matmul(heads, g.transpose(heads, [0, 1, 3, 2]))), heads);
    const loss = total(g, g.node("Gelu", [y], { domain: "com.microsoft" })[0]!);
    const before = g.build();
    const [dx, dw] = addGradients(g, loss, [x, w]);
    const after = g.build();
    expect(after.outputs).toEqual(before.outputs);
    const used = new Set([dx!.name, dw!.name, ...after.nodes.flatMap((node) => node.inputs)]);
    const added = after.nodes.slice(before.nodes.length);
    expect(added.filter((node) => !node.outputs.some((name) => used.has(name)))).toEqual([]);
    expect([...after.initializers.keys()].filter((name) => !before.initializers.has(name) && !used.has(name))).toEqual(
      [],
    );
    const keys = added.map((node) => JSON.stringify([node.opType, node.inputs, node.attributes]));
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("no ScatterND, no Transpose around a linear layer, no operator without a WebGPU kernel", () => {
    const g = new GraphBuilder("operators");
    const table = g.input("table", "float32", [7, 4]);
    const ids = g.input("ids", "int32", [2, 3]);
    const w = g.input("w", "float32", [4, 4]);
    const hidden = g.abs(g.matmul(g.gather(table, ids), w));
    const loss = total(g, g.node("LogSoftmax", [hidden])[0]!);
    const nodes = appended(g, () => addGradients(g, loss, [table, w]));
    for (const op of ["ScatterND", "Transpose", "Sign", "Sum", "LogSoftmax", "OneHot", "FusedMatMul"])
      expect(opTypes(nodes)).not.toContain(op);
    const scatter = nodes.find((node) => node.opType === "ScatterElements");
    expect(scatter?.attributes["reduction"]).toEqual(attr.string("add"));
  });
});

describe("what is refused", () => {
  const x = (g: GraphBuilder, shape: number[] = [3]): Value => g.input("x", "float32", shape);

  test("an operator without a rule, with its name, domain and what to do", () => {
    const g = new GraphBuilder("unknown");
    const y = g.node("Floor", [x(g)], { name: "the_floor" })[0]!;
    const error = thrown(() => addGradients(g, total(g, y), [g.value("x")]));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("Floor 'the_floor'");
    expect(error.message).toContain("ai.onnx:Floor");
    expect(error.message).toContain("src/autograd/rules.ts");
    expect(error.details).toEqual({ node: "the_floor", opType: "Floor", domain: "" });
  });

  test("control flow that the value enters only by capture", () => {
    const g = new GraphBuilder("loop");
    const value = x(g);
    const condition = g.greater(total(g, g.input("switch", "float32", [1])), g.float(0));
    const branch = (name: string): Graph => {
      const inner = new GraphBuilder(name, { outer: g });
      inner.output(inner.mul(value, inner.float(name === "then" ? 2 : 3)));
      return inner.build();
    };
    const y = g.node("If", [condition], {
      name: "the_if",
      attributes: { then_branch: attr.graph(branch("then")), else_branch: attr.graph(branch("else")) },
    })[0]!;
    const error = thrown(() => addGradients(g, total(g, y), [value]));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("If 'the_if'");
  });

  test("the loss depending on an input that a rule does not cover", () => {
    const g = new GraphBuilder("rotary");
    const cos = g.input("cos", "float32", [4, 2]);
    const y = g.node(
      "RotaryEmbedding",
      [g.input("q", "float32", [1, 1, 3, 4]), g.input("ids", "int64", [1, 3]), cos, g.input("sin", "float32", [4, 2])],
      { domain: "com.microsoft", name: "rope" },
    )[0]!;
    const error = thrown(() => addGradients(g, total(g, y), [cos]));
    expect(error.code).toBe("unsupported");
    expect(error.message).toMatch(/RotaryEmbedding 'rope'.*input #2 \('cos'\)/);
  });

  test("a loss of more than one element without a seed", () => {
    const g = new GraphBuilder("vector");
    const y = g.exp(x(g));
    expect(thrown(() => addGradients(g, y, [g.value("x")])).message).toMatch(/expected one element, got \[3\]/);
    const seed = g.input("seed", "float32", [4]);
    expect(thrown(() => addGradients(g, y, [g.value("x")], { seed })).message).toContain("float32[3]");
  });

  test("an integer variable, and a loss that does not depend on the variable", () => {
    const g = new GraphBuilder("useless");
    const loss = total(g, g.exp(x(g)));
    const ids = g.input("ids", "int32", [3]);
    const other = g.input("other", "float32", [2, 2]);
    expect(thrown(() => addGradients(g, loss, [ids])).message).toContain("'ids'");
    const error = thrown(() => addGradients(g, loss, [other]));
    expect(error.code).toBe("bad-input");
    expect(error.message).toContain("'other'");
    expect(error.message).toContain("allowUnused");
    const [zero] = addGradients(g, loss, [other], { allowUnused: true });
    expect(run(g, {}, zero!)[0]).toEqual(array([2, 2], [0, 0, 0, 0]));
  });

  test("a shape that is not known where a rule needs it", () => {
    const g = new GraphBuilder("symbolic");
    const value = g.input("x", "float32", ["N", "M"]);
    const loss = total(g, g.reduceMean(value, [0]));
    const error = thrown(() => addGradients(g, loss, [value]));
    expect(error.code).toBe("bad-input");
    expect(error.message).toContain("a static shape");
  });

  test("names that a graph does not have", () => {
    const g = new GraphBuilder("names");
    const loss = g.output(total(g, x(g)), "loss");
    expect(thrown(() => gradient(g.build(), loss.name, ["y"])).message).toContain("'y'");
    expect(thrown(() => gradient(g.build(), "nothing", ["x"])).message).toContain("'nothing'");
  });
});

describe("gradient(graph)", () => {
  function regression(): Graph {
    const g = new GraphBuilder("regression");
    const input = g.input("x", "float32", ["N", 3]);
    const w = g.input("w", "float32", [3, 2]);
    const b = g.initializer({ type: "float32", shape: [2], data: Float32Array.of(0.5, -0.5) }, "b");
    const error = g.sub(g.gemm(input, w, { c: b }), g.input("y", "float32", ["N", 2]));
    g.output(total(g, g.mul(error, error)), "loss");
    return g.build();
  }

  test("adds outputs named <name>_grad and leaves the graph it was given alone", () => {
    const graph = regression();
    const nodes = graph.nodes.length;
    const out = gradient(graph, "loss", ["w", "b"]);
    expect(graph.nodes).toHaveLength(nodes);
    expect(out.outputs.map((value) => [value.name, value.shape])).toEqual([
      ["loss", []],
      ["w_grad", [3, 2]],
      ["b_grad", [2]],
    ]);
  });

  test("works with a symbolic batch where only matrices and broadcasts are involved", () => {
    const out = gradient(regression(), "loss", ["x", "w", "b"]);
    const feeds = { x: array([1, 3], [1, 2, 3]), w: array([3, 2], [1, 0, 0, 1, 1, 1]), y: array([1, 2], [0, 0]) };
    const got = evaluate(out, feeds);
    // error = x·w + b = [4.5, 4.5]; dw = 2 xᵀ·error
    expect([...got.get("w_grad")!.data]).toEqual([9, 9, 18, 18, 27, 27]);
    expect([...got.get("b_grad")!.data]).toEqual([9, 9]);
    expect([...got.get("x_grad")!.data]).toEqual([9, 9, 18]);
  });

  test("a one-element weight that is an initializer is not folded into its own gradient", () => {
    const g = new GraphBuilder("scalar");
    const w = g.initializer({ type: "float32", shape: [1], data: Float32Array.of(3) }, "w");
    g.output(total(g, g.mul(g.mul(w, w), g.input("x", "float32", [2]))), "loss");
    const out = gradient(g.build(), "loss", ["w"]);
    const moved: Graph = {
      ...out,
      inputs: [...out.inputs, { name: "w", type: "float32", shape: [1] }],
      initializers: new Map([...out.initializers].filter(([name]) => name !== "w")),
    };
    const got = evaluate(moved, { w: array([1], [5]), x: array([2], [1, 2]) });
    expect([...got.get("w_grad")!.data]).toEqual([30]);
  });

  test("takes rules in place of the registry", () => {
    const g = new GraphBuilder("custom");
    const value = g.input("x", "float32", [2]);
    const loss = total(g, g.node("Floor", [value])[0]!);
    const straightThrough = new Map([...GRADIENT_RULES, [":Floor", GRADIENT_RULES.get(":Identity")!]]);
    const [dx] = addGradients(g, loss, [value], { rules: straightThrough });
    expect([...run(g, { x: array([2], [1.5, 2.5]) }, dx!)[0]!.data]).toEqual([1, 1]);
  });
});
