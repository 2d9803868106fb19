/** @file Shape and type inference: what it refuses and how it says so, symbols, folding. */
import { describe, expect, test } from "vitest";
import { BadInputError, TutelageError } from "../../src/core/errors.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { GraphBuilder, type NodeOptions } from "../../src/onnx/builder.ts";
import type { DataType, Shape, Value } from "../../src/onnx/types.ts";

interface Applied {
  readonly b: GraphBuilder;
  readonly apply: (opType: string, inputs: readonly (Value | undefined)[], options?: NodeOptions) => Shape;
}

function start(opset = 17): Applied {
  const b = new GraphBuilder("g", { opset });
  return { b, apply: (opType, inputs, options = {}) => b.node(opType, inputs, { name: "here", ...options })[0]!.shape };
}

const axes = (...values: number[]): NodeOptions => ({ attributes: { axes: attr.ints(values) } });
const axis = (value: number): NodeOptions => ({ attributes: { axis: attr.int(value) } });

describe("operands that do not fit are refused at the node", () => {
  type Wrong = readonly [string, readonly (readonly [DataType, Shape])[], NodeOptions, RegExp];
  const cases: readonly Wrong[] = [
    [
      "Add",
      [
        ["float32", [2]],
        ["int32", [2]],
      ],
      {},
      /^Add 'here': expected inputs of one type, got float32 \('x0'\) and int32 \('x1'\)/,
    ],
    [
      "Add",
      [
        ["bool", [2]],
        ["bool", [2]],
      ],
      {},
      /^Add 'here': expected input 0 \('x0'\) of type float32 or .*, got bool/,
    ],
    [
      "Add",
      [
        ["float32", [2, 3]],
        ["float32", [4]],
      ],
      {},
      /^Add 'here': expected shapes that broadcast together, got \[2,3\] and \[4\]/,
    ],
    [
      "Add",
      [
        ["float32", ["B"]],
        ["float32", ["T"]],
      ],
      {},
      /broadcast together, got \[B\] and \[T\]/,
    ],
    [
      "Add",
      [
        ["float32", ["B"]],
        ["float32", [4]],
      ],
      {},
      /broadcast together, got \[B\] and \[4\]/,
    ],
    ["Add", [["float32", [2]]], {}, /^Add 'here': expected 2 inputs, got 1/],
    [
      "Relu",
      [
        ["float32", [2]],
        ["float32", [2]],
      ],
      {},
      /expected 1 inputs, got 2/,
    ],
    ["Sqrt", [["int32", [2]]], {}, /of type float32 or float64 or float16, got int32/],
    [
      "And",
      [
        ["float32", [2]],
        ["float32", [2]],
      ],
      {},
      /of type bool, got float32/,
    ],
    [
      "Where",
      [
        ["float32", [2]],
        ["float32", [2]],
        ["float32", [2]],
      ],
      {},
      /of type bool, got float32/,
    ],
    [
      "Where",
      [
        ["bool", [2]],
        ["float32", [2]],
        ["int64", [2]],
      ],
      {},
      /inputs of one type/,
    ],
    [
      "Mod",
      [
        ["float32", [2]],
        ["float32", [2]],
      ],
      {},
      /fmod = 1/,
    ],
    ["Cast", [["float32", [2]]], {}, /attribute to of kind int, got none/],
    [
      "MatMul",
      [
        ["float32", [2, 3]],
        ["float32", [4, 5]],
      ],
      {},
      /^MatMul 'here': expected equal inner sizes in \[2,3\] · \[4,5\], got 3 and 4/,
    ],
    [
      "MatMul",
      [
        ["float32", []],
        ["float32", [4, 5]],
      ],
      {},
      /of rank 1 or more, got \[\]/,
    ],
    [
      "Gemm",
      [
        ["float32", [2, 3, 1]],
        ["float32", [3, 5]],
      ],
      {},
      /^Gemm 'here': expected 'x0' of rank 2, got \[2,3,1\]/,
    ],
    [
      "Gemm",
      [
        ["float32", [2, 3]],
        ["float32", [4, 5]],
      ],
      { attributes: { transA: attr.int(1) } },
      /\[3,2\] · \[4,5\], got 2 and 4/,
    ],
    [
      "Gemm",
      [
        ["float32", [2, 3]],
        ["float32", [3, 5]],
        ["float32", [3, 5]],
      ],
      {},
      /an addend that broadcasts to \[2,5\], got \[3,5\]/,
    ],
    ["Transpose", [["float32", [2, 3]]], { attributes: { perm: attr.ints([0, 0]) } }, /distinct axes, got \[0,0\]/],
    ["Transpose", [["float32", [2, 3]]], { attributes: { perm: attr.ints([0]) } }, /permutation of 2 axes, got \[0\]/],
    [
      "Concat",
      [
        ["float32", [2, 3]],
        ["float32", [2, 4]],
      ],
      axis(0),
      /equal sizes except at axis 0, got 3 and 4/,
    ],
    [
      "Concat",
      [
        ["float32", [2]],
        ["float32", [2, 4]],
      ],
      axis(0),
      /inputs of one rank/,
    ],
    ["Concat", [["float32", [2]]], axis(1), /an axis in \[-1, 1\), got 1/],
    [
      "Gather",
      [
        ["float32", [2]],
        ["float32", [1]],
      ],
      {},
      /of type int32 or int64, got float32/,
    ],
    [
      "GatherElements",
      [
        ["float32", [2, 2]],
        ["int64", [3, 2]],
      ],
      axis(1),
      /indices within \[2,2\] except at axis 1, got \[3,2\]/,
    ],
    [
      "GatherND",
      [
        ["float32", [2, 2]],
        ["int64", [1, 3]],
      ],
      {},
      /at most 2, got 0 \+ 3/,
    ],
    [
      "GatherND",
      [
        ["float32", [2, 2]],
        ["int32", [1, 2]],
      ],
      {},
      /of type int64, got int32/,
    ],
    [
      "ScatterElements",
      [
        ["float32", [2, 2]],
        ["int64", [1, 2]],
        ["float32", [2, 2]],
      ],
      axis(0),
      /updates of shape \[1,2\]/,
    ],
    [
      "ScatterElements",
      [
        ["float32", [2]],
        ["int64", [1]],
        ["float32", [1]],
      ],
      { attributes: { reduction: attr.string("max") } },
      /reduction none, add, mul \(operator set 17\), got max/,
    ],
    [
      "ScatterND",
      [
        ["float32", [2, 3]],
        ["int64", [4, 1]],
        ["float32", [4, 2]],
      ],
      {},
      /updates of shape \[4,3\]/,
    ],
    [
      "LayerNormalization",
      [
        ["float32", [2, 3]],
        ["float32", [2]],
      ],
      axis(-1),
      /a scale that broadcasts to \[3\], got \[2\]/,
    ],
    ["Softmax", [["float32", [2, 3]]], axis(2), /an axis in \[-2, 2\), got 2/],
    ["Split", [["float32", [5]]], { outputCount: 2 }, /divisible by 2, got \[5\]/],
    ["ReduceMean", [["float32", [2, 3]]], axes(2), /an axis in \[-2, 2\), got 2/],
    ["ReduceSum", [["float32", [2, 3]]], axes(1), /axes as input 1 \(operator set 17\), got attribute axes/],
    ["Squeeze", [["float32", [1, 3]]], axes(0), /axes as input 1/],
    ["Gelu", [["float32", [2]]], {}, /^Gelu 'here': expected operator set 20 or later, got 17/],
    [
      "TopK",
      [
        ["float32", [2]],
        ["float32", [1]],
      ],
      {},
      /of type int64, got float32/,
    ],
    [
      "Loop",
      [
        ["int64", []],
        ["bool", []],
      ],
      {},
      /attribute body of kind graph, got none/,
    ],
    ["Constant", [], {}, /a numeric value attribute, got none/],
  ];

  test.each(cases)("%s %j", (opType, operands, options, message) => {
    const { b, apply } = start();
    const inputs = operands.map(([type, shape], i) => b.input(`x${i}`, type, shape));
    let caught: unknown;
    try {
      apply(opType, inputs, options);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(BadInputError);
    expect((caught as Error).message).toMatch(message);
  });

  test("constant operands are checked by value", () => {
    const { b, apply } = start();
    const x = b.input("x", "float32", [2, 6]);
    expect(() => b.reshape(x, [5, -1])).toThrow(/the same number of elements, got \[5,-1\] for \[2,6\]/);
    expect(() => b.reshape(x, [3, 5])).toThrow(/the same number of elements/);
    expect(() => b.reshape(x, [-1, -1])).toThrow(/sizes, or one −1/);
    expect(() => b.reshape(x, [2, 6, 0])).toThrow(/zeros copy axes of \[2,6\]/);
    expect(() => b.squeeze(x, [0])).toThrow(/size 1 at axis 0, got \[2,6\]/);
    expect(() => b.unsqueeze(x, [0, 0])).toThrow(/distinct axes/);
    expect(() => b.expand(x, [3, 6])).toThrow(/broadcast together/);
    expect(() => b.split(x, [3, 4], 1)).toThrow(/sum to 6, got \[3,4\]/);
    expect(() => b.slice(x, [0], [1], [2])).toThrow(/an axis in \[-2, 2\), got 2/);
    expect(() => b.slice(x, [0], [1], [1], [0])).toThrow(/steps other than 0/);
    expect(() => b.slice(x, [0, 0], [1], [1])).toThrow(/of one length/);
    expect(() => apply("TopK", [x, b.ints([7])], { outputCount: 2 })).toThrow(/k of at most 6, got 7/);
    expect(() => apply("Tile", [x, b.ints([1, 2, 3])])).toThrow(/one repeat an axis of \[2,6\]/);
    expect(() => apply("Reshape", [x, b.int32([12])])).toThrow(/of type int64, got int32/);
  });

  test("an output that the operator does not have is refused", () => {
    const { b } = start();
    const x = b.input("x", "float32", [2]);
    expect(() => b.node("Relu", [x], { outputCount: 2, name: "r" })).toThrow(
      "Relu 'r': expected at most 1 outputs, got 2",
    );
  });
});

describe("operators that are not known", () => {
  test.each([
    ["NoSuchOperator", "", "ai.onnx"],
    ["Relu", "com.microsoft", "com.microsoft"],
    ["Add", "my.domain", "my.domain"],
    ["constructor", "", "ai.onnx"],
  ])("%s of domain '%s' is unsupported, named with its node", (opType, domain, shown) => {
    const { b, apply } = start();
    const x = b.input("x", "float32", [2]);
    let caught: unknown;
    try {
      apply(opType, [x], { domain });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(TutelageError);
    expect((caught as TutelageError).code).toBe("unsupported");
    expect((caught as TutelageError).message).toBe(
      `${opType} 'here': no shape inference for operator ${opType} of domain '${shown}'`,
    );
  });
});

test("a Cast to a type that is not handled is unsupported", () => {
  const { b, apply } = start();
  expect(() => apply("Cast", [b.input("x", "float32", [2])], { attributes: { to: attr.int(16) } })).toThrow(
    expect.objectContaining({ code: "unsupported", message: "Cast 'here': TensorProto data type 16 is not handled" }),
  );
});

describe("axes are an attribute or an input according to the operator set", () => {
  test.each([
    ["ReduceSum", 12, 13],
    ["Squeeze", 12, 13],
    ["Unsqueeze", 12, 13],
    ["ReduceMean", 17, 18],
    ["ReduceMax", 17, 18],
    ["ReduceL2", 17, 18],
  ])("%s: attribute up to %i, input from %i", (opType, last, first) => {
    const shape = opType === "Squeeze" ? [2, 1] : [2, 3];
    for (const [opset, byInput, fits] of [
      [last, false, true],
      [last, true, false],
      [first, true, true],
      [first, false, false],
    ] as const) {
      const { b, apply } = start(opset);
      const x = b.input("x", "float32", shape);
      const run = (): Shape => (byInput ? apply(opType, [x, b.ints([1])]) : apply(opType, [x], axes(1)));
      if (fits) expect(run().length).toBeGreaterThan(0);
      else expect(run).toThrow(BadInputError);
    }
  });
});

describe("symbols", () => {
  test("attention with a cache keeps its symbols", () => {
    const { b } = start();
    const x = b.input("x", "float32", ["B", "T", 64]);
    const past = b.input("past", "float32", ["B", 4, "P", 16]);
    const q = b.transpose(b.reshape(x, [0, 0, 4, 16]), [0, 2, 1, 3]);
    const keys = b.concat([past, q], 2);
    const scores = b.matmul(q, b.transpose(keys, [0, 1, 3, 2]));
    expect(keys.shape).toEqual(["B", 4, "P+T", 16]);
    expect(scores.shape).toEqual(["B", 4, "T", "P+T"]);
    const mask = b.input(
      "mask",
      "bool",
      ["B", 1, 1, "T + P"].map((dim) => (dim === "T + P" ? "P+T" : dim)),
    );
    expect(b.where(mask, scores, b.float(0)).shape).toEqual(["B", 4, "T", "P+T"]);
    expect(b.reshape(b.transpose(b.matmul(scores, keys), [0, 2, 1, 3]), [0, 0, -1]).shape).toEqual(["B", "T", 64]);
    expect(b.reshape(x, [-1, 64]).shape).toEqual(["B*T", 64]);
    expect(b.reshape(x, [-1]).shape).toEqual(["64*B*T"]);
    expect(b.concat([past, b.slice(past, [0], [1], [2])], 2).shape[2]).toMatch(/^\?/);
  });

  test("a size that cannot be known is opaque, and fits any other", () => {
    const { b, apply } = start();
    const x = b.input("x", "float32", ["T", 3]);
    const wanted = b.input("wanted", "int64", [2]);
    const open = apply("Reshape", [x, wanted]);
    expect(open).toEqual(["?here.0", "?here.1"]);
    expect(b.add(b.value("here"), b.float([1, 2, 3, 4])).shape).toEqual(["?here.0", 4]);
    const unranked = b.input("unranked", "int64", ["k"]);
    expect(() => b.node("Reshape", [x, unranked], { name: "r" })).toThrow(
      /^Reshape 'r': the length of the target shape is not known/,
    );
  });

  test("graphs read from a file may name one size in two ways", () => {
    const b = new GraphBuilder("g", { loose: true });
    const sum = b.add(b.input("x", "float32", ["batch", 1]), b.input("y", "float32", ["batch_size", 4]));
    expect(sum.shape).toEqual([`?${sum.name}.0`, 4]);
  });
});

describe("values that follow from shapes are folded", () => {
  test("exporters' chains give static shapes, and constantOf tells the value", () => {
    const { b } = start();
    const x = b.input("x", "float32", [2, 5, 64]);
    const scalar = (value: number): Value =>
      b.initializer({ type: "int64", shape: [], data: BigInt64Array.of(BigInt(value)) });
    const [shape] = b.node("Shape", [x]);
    const size = b.gather(shape!, scalar(1));
    const doubled = b.mul(b.sub(b.add(size, scalar(1)), scalar(2)), scalar(3));
    const target = b.concat(
      [b.unsqueeze(b.gather(shape!, scalar(0)), [0]), b.unsqueeze(size, [0]), b.ints([4, -1])],
      0,
    );
    expect(b.constantOf(doubled.name)?.data).toEqual(BigInt64Array.of(12n));
    expect(b.constantOf(target.name)).toEqual({ type: "int64", shape: [4], data: BigInt64Array.of(2n, 5n, 4n, -1n) });
    expect(b.node("Reshape", [x, target])[0]!.shape).toEqual([2, 5, 4, 16]);
    expect(b.node("Range", [scalar(0), size, scalar(2)])[0]!.shape).toEqual([3]);
    const [halved] = b.node("Div", [scalar(-7), scalar(2)]);
    expect(b.constantOf(halved!.name)?.data).toEqual(BigInt64Array.of(-3n));
  });

  test("symbols pass through, and no tensor is claimed for them", () => {
    const { b } = start();
    const x = b.input("x", "float32", ["B", "T", 64]);
    const [shape] = b.node("Shape", [x]);
    const target = b.concat([b.slice(shape!, [0], [2], [0]), b.ints([4, 16])], 0);
    expect(b.contentOf(target.name)?.elements).toEqual(["B", "T", 4, 16]);
    expect(b.constantOf(target.name)).toBeUndefined();
    expect(b.node("Reshape", [x, target])[0]!.shape).toEqual(["B", "T", 4, 16]);
    const [filled] = b.node("ConstantOfShape", [target]);
    expect(filled!.shape).toEqual(["B", "T", 4, 16]);
  });

  test("a builder that continues a graph knows its folded values", () => {
    const { b } = start();
    const x = b.input("x", "float32", [3, 2]);
    const [shape] = b.node("Shape", [x]);
    const [held] = b.node("Constant", [], {
      attributes: { value: attr.tensor({ type: "float32", shape: [1], data: Float32Array.of(7) }) },
    });
    const again = GraphBuilder.from(b.build());
    expect(again.constantOf(shape!.name)?.data).toEqual(BigInt64Array.of(3n, 2n));
    expect(again.constantOf(held!.name)?.data).toEqual(Float32Array.of(7));
  });

  test("a sum that leaves its type is not folded", () => {
    const { b } = start();
    const large = b.int32([2 ** 31 - 1]);
    const sum = b.add(large, large);
    expect(b.constantOf(sum.name)).toBeUndefined();
    const end = b.initializer({ type: "int64", shape: [1], data: BigInt64Array.of(2n ** 63n - 1n) });
    expect(b.constantOf(b.add(end, b.ints([1])).name)).toBeUndefined();
    expect(b.constantOf(end.name)?.data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  });

  test("float arithmetic is never folded", () => {
    const { b } = start();
    expect(b.constantOf(b.add(b.float(1), b.float(2)).name)).toBeUndefined();
  });
});
