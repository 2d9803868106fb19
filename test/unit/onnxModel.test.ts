/** @file The model file: storage rules, bound dimensions, and files made to mislead or exhaust the reader. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { BadInputError, TutelageError } from "../../src/core/errors.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { decodeModel, encodeModel } from "../../src/onnx/model.ts";
import { ATTRIBUTE, GRAPH, MODEL, NODE, OPSET, TENSOR, VALUE_INFO } from "../../src/onnx/proto/fields.ts";
import type { Graph } from "../../src/onnx/types.ts";

type Write = (writer: BinaryWriter) => void;

const text =
  (field: number, value: string): Write =>
  (w) =>
    void w.tag(field, WireType.LengthDelimited).string(value);
const integer =
  (field: number, value: number | bigint): Write =>
  (w) =>
    void w.tag(field, WireType.Varint).int64(value);
const message =
  (field: number, ...parts: readonly Write[]): Write =>
  (w) => {
    w.tag(field, WireType.LengthDelimited).fork();
    for (const part of parts) part(w);
    w.join();
  };

function bytesOf(...parts: readonly Write[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const part of parts) part(writer);
  return writer.finish();
}

const opset = message(MODEL.opsetImport, text(OPSET.domain, ""), integer(OPSET.version, 17));
const model = (...graph: readonly Write[]): Uint8Array =>
  bytesOf(integer(MODEL.irVersion, 8), opset, message(MODEL.graph, ...graph));
const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...rest: readonly Write[]
): Write =>
  message(
    GRAPH.node,
    ...inputs.map((name) => text(NODE.input, name)),
    ...outputs.map((name) => text(NODE.output, name)),
    text(NODE.name, opType.toLowerCase()),
    text(NODE.opType, opType),
    ...rest,
  );
const input = (name: string, code: number, dims: readonly (number | string)[]): Write =>
  message(
    GRAPH.input,
    text(VALUE_INFO.name, name),
    message(
      VALUE_INFO.type,
      message(
        1,
        integer(1, code),
        message(2, ...dims.map((dim) => message(1, typeof dim === "number" ? integer(1, dim) : text(2, dim)))),
      ),
    ),
  );
const output = (name: string): Write => message(GRAPH.output, text(VALUE_INFO.name, name));
const tensor = (name: string, ...parts: readonly Write[]): Write =>
  message(GRAPH.initializer, text(TENSOR.name, name), ...parts);
const FLOAT = 1;

function refusal(bytes: Uint8Array): TutelageError {
  const start = performance.now();
  try {
    decodeModel(bytes);
  } catch (error) {
    expect(performance.now() - start).toBeLessThan(1000);
    expect(error).toBeInstanceOf(TutelageError);
    return error as TutelageError;
  }
  throw new Error("expected the model to be refused");
}

function smallGraph(): Graph {
  const b = new GraphBuilder("small");
  const x = b.input("x", "float32", ["batch", "past", 4]);
  const y = b.input("y", "float32", ["batch", "past+1", 4]);
  b.output(b.concat([x, y], 1), "z");
  return b.build();
}

describe("symbolic dimensions", () => {
  test("are kept when nothing binds them", () => {
    expect(decodeModel(encodeModel(smallGraph())).outputs).toEqual([
      { name: "z", type: "float32", shape: ["batch", "2*past+1", 4] },
    ]);
  });

  test("are bound by name, derived ones with them", () => {
    const bound = decodeModel(encodeModel(smallGraph()), { dims: { past: 3 } });
    expect(bound.inputs.map(({ shape }) => shape)).toEqual([
      ["batch", 3, 4],
      ["batch", 4, 4],
    ]);
    expect(bound.outputs[0]!.shape).toEqual(["batch", 7, 4]);
  });

  test.each([-1, 0.5, NaN, Infinity])("are not bound to %d", (past) => {
    expect(() => decodeModel(encodeModel(smallGraph()), { dims: { past } })).toThrow(BadInputError);
  });
});

describe("tensors", () => {
  const stored = (...parts: readonly Write[]): Uint8Array => model(tensor("w", ...parts));
  const dims =
    (...sizes: readonly number[]): Write =>
    (w) =>
      sizes.forEach((size) => integer(TENSOR.dims, size)(w));
  const type = (code: number): Write => integer(TENSOR.dataType, code);
  const raw =
    (...bytes: readonly number[]): Write =>
    (w) =>
      void w.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(Uint8Array.from(bytes));

  test.each<readonly [string, readonly Write[], RegExp]>([
    [
      "too few raw bytes",
      [dims(2), type(FLOAT), raw(0, 0, 0, 0)],
      /^tensor 'w': expected 8 bytes for float32\[2\], got 4/,
    ],
    ["no data", [dims(1_000_000_000), type(FLOAT)], /expected 1000000000 elements for float32\[1000000000\], got 0/],
    ["more elements than can be counted", [dims(2 ** 31, 2 ** 31), type(FLOAT)], /countable product/],
    ["a negative size", [dims(-1), type(FLOAT)], /dimensions of at least 0/],
    [
      "data in the list of another type",
      [dims(1), type(FLOAT), integer(TENSOR.int64Data, 1)],
      /expected 1 elements for float32\[1\], got 0/,
    ],
    ["a type that is not handled", [dims(0), type(16), raw()], /^tensor 'w': TensorProto data type 16 is not handled/],
    ["no type", [dims(0)], /data type 0 is not handled/],
    ["segments", [dims(1), type(FLOAT), message(TENSOR.segment, integer(1, 0))], /stored in segments/],
  ])("%s is refused", (_, parts, text) => {
    expect(refusal(stored(...parts)).message).toMatch(text);
  });

  test("typed lists are read packed and not packed", () => {
    const packed: Write = (w) => {
      w.tag(TENSOR.int64Data, WireType.LengthDelimited).fork();
      for (const value of [1n, -2n, 2n ** 63n - 1n]) w.int64(value);
      w.join();
    };
    const loose: Write = (w) => {
      for (const value of [1n, -2n, 2n ** 63n - 1n]) integer(TENSOR.int64Data, value)(w);
    };
    for (const list of [packed, loose]) {
      expect(decodeModel(stored(dims(3), type(7), list)).initializers.get("w")!.data).toEqual(
        BigInt64Array.of(1n, -2n, 2n ** 63n - 1n),
      );
    }
  });

  test("raw bytes at an odd offset are aligned by copying; booleans come out as 0 and 1", () => {
    const floats = new Uint8Array(Float32Array.of(1.5, -2).buffer);
    const graph = decodeModel(
      model(
        text(GRAPH.name, "odd"),
        tensor("w", dims(2), type(FLOAT), raw(...floats)),
        tensor("flags", dims(3), type(9), raw(0, 7, 255)),
      ),
    );
    expect(graph.initializers.get("w")!.data).toEqual(Float32Array.of(1.5, -2));
    expect(graph.initializers.get("flags")!.data).toEqual(Uint8Array.of(0, 1, 1));
  });

  test("a tensor whose data and shape disagree is not written", () => {
    const b = new GraphBuilder("g");
    b.node("Constant", [], {
      attributes: { value: attr.tensor({ type: "float32", shape: [2], data: Float64Array.of(1, 2) }) },
    });
    expect(() => encodeModel(b.build())).toThrow(
      /expected 2 elements in a Float32Array for float32\[2\], got 2 in a Float64Array/,
    );
  });
});

describe("tensors outside the file", () => {
  const entry = (key: string, value: string): Write => message(TENSOR.externalData, text(1, key), text(2, value));
  const outside = (...entries: readonly Write[]): Uint8Array =>
    model(
      tensor(
        "w",
        integer(TENSOR.dims, 2),
        integer(TENSOR.dataType, FLOAT),
        integer(TENSOR.dataLocation, 1),
        entry("location", "w.bin"),
        ...entries,
      ),
    );

  test("are refused without a resolver, by name of the file", () => {
    expect(refusal(outside()).message).toMatch(
      /^tensor 'w': expected its data inside the model file, got data in the external file 'w.bin'/,
    );
  });

  test("are read through the resolver, which is told where they lie", () => {
    const asked: unknown[] = [];
    const graph = decodeModel(outside(entry("offset", "4096"), entry("length", "8")), {
      externalData: (data) => {
        asked.push(data);
        return new Uint8Array(Float32Array.of(3, 4).buffer);
      },
    });
    expect(asked).toEqual([{ location: "w.bin", offset: 4096, length: 8 }]);
    expect(graph.initializers.get("w")!.data).toEqual(Float32Array.of(3, 4));
  });

  test.each([[entry("offset", "-1")], [entry("offset", "x")], [entry("length", "9")]])(
    "with a wrong offset or length are refused",
    (item) => {
      expect(() => decodeModel(outside(item), { externalData: () => new Uint8Array(8) })).toThrow(
        /an offset of at least 0 and a length of 8/,
      );
    },
  );

  test("are refused when the resolver gives too few bytes", () => {
    expect(() => decodeModel(outside(), { externalData: () => new Uint8Array(7) })).toThrow(/expected 8 bytes/);
  });
});

describe("what is not a model", () => {
  test.each<readonly [string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /expected a ModelProto with a graph, got 0 bytes without one/],
    ["text", new TextEncoder().encode("<html><body>Not found</body></html>"), /^ONNX model, ModelProto field 7: /],
    [
      "a broken varint",
      Uint8Array.of(8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
      /^ONNX model: expected a protobuf ModelProto, got 12 bytes/,
    ],
    ["a length beyond the end", Uint8Array.of(58, 255, 255, 255, 127, 0), /^ONNX model: /],
    [
      "a graph of the wrong wire type",
      bytesOf(integer(MODEL.graph, 1)),
      /^ONNX model, ModelProto field 7: expected wire type length-delimited, got varint/,
    ],
    [
      "no operator set for a domain",
      bytesOf(message(MODEL.graph, text(GRAPH.name, "g"), input("x", 1, [2]), node("Relu", ["x"], ["y"]))),
      /^Relu 'relu': expected an operator set import of its domain 'ai.onnx', got none/,
    ],
    ["two graphs", bytesOf(opset, message(MODEL.graph), message(MODEL.graph)), /one graph, got two/],
    [
      "model-local functions",
      bytesOf(opset, message(MODEL.graph), message(MODEL.functions)),
      /functions are not handled/,
    ],
    [
      "text that is not UTF-8",
      model((w) => void w.tag(GRAPH.name, WireType.LengthDelimited).bytes(Uint8Array.of(0xff, 0xfe))),
      /^ONNX model: /,
    ],
  ])("%s is refused", (_, bytes, text) => {
    expect(refusal(bytes).message).toMatch(text);
  });

  test.each<readonly [string, readonly Write[], RegExp]>([
    [
      "an input from nowhere",
      [node("Relu", ["x"], ["y"])],
      /^Relu 'relu': expected inputs that are defined before the node, got 'x'/,
    ],
    ["a name twice", [input("x", 1, [2]), node("Relu", ["x"], ["x"])], /a new value name, got 'x' twice/],
    ["an output from nowhere", [output("y")], /a value for output 'y', got none/],
    [
      "an unknown operator without declared types",
      [input("x", 1, [2]), node("Foo", ["x"], ["y"])],
      /^Foo 'foo': no shape inference/,
    ],
    [
      "an input without a rank",
      [message(GRAPH.input, text(1, "x"), message(2, message(1, integer(1, 1))))],
      /graph input 'x': its rank is not declared/,
    ],
    ["an input of strings", [input("x", 8, [2])], /graph input 'x': its element type is not one we handle/],
    ["sparse initializers", [message(GRAPH.sparseInitializer)], /sparse/],
    [
      "one attribute twice",
      [
        input("x", 1, [2]),
        node(
          "Relu",
          ["x"],
          ["y"],
          ...["a", "a"].map((name) =>
            message(NODE.attribute, text(1, name), integer(ATTRIBUTE.i, 1), integer(ATTRIBUTE.type, 2)),
          ),
        ),
      ],
      /each attribute once, got 'a' twice/,
    ],
    [
      "an attribute of sparse tensors",
      [
        input("x", 1, [2]),
        node("Relu", ["x"], ["y"], message(NODE.attribute, text(1, "a"), integer(ATTRIBUTE.type, 11))),
      ],
      /AttributeProto type 11 is not handled/,
    ],
    [
      "operands of two types",
      [input("x", 1, [2]), input("y", 7, [2]), node("Add", ["x", "y"], ["z"])],
      /^Add 'add': expected inputs of one type/,
    ],
    [
      "an output of another type than declared",
      [
        input("x", 1, [2]),
        node("Relu", ["x"], ["y"]),
        message(GRAPH.output, text(1, "y"), message(2, message(1, integer(1, 7)))),
      ],
      /output 'y' of type int64 as declared, got float32/,
    ],
  ])("%s is refused", (_, parts, text) => {
    expect(refusal(model(...parts)).message).toMatch(text);
  });
});

describe("files made to exhaust the reader", () => {
  test("graphs nested without end", () => {
    let inner: Write = text(GRAPH.name, "deepest");
    for (let i = 0; i < 500; i++)
      inner = node(
        "If",
        [],
        [],
        message(NODE.attribute, text(1, "then_branch"), message(ATTRIBUTE.g, inner), integer(ATTRIBUTE.type, 5)),
      );
    expect(refusal(model(inner)).message).toMatch(/nested at most 8 deep/);
  });

  test("groups nested without end", () => {
    expect(refusal(new Uint8Array(100_000).fill(0x23)).code).toBe("bad-input");
  });

  test("a rank that doubles with every node", () => {
    const nodes = Array.from({ length: 60 }, (_, i) => node("Gather", [`v${i}`, `v${i}`], [`v${i + 1}`]));
    expect(refusal(model(input("v0", 7, [2, 2, 2]), ...nodes)).message).toMatch(/rank 64 or less/);
  });

  test("a target shape that claims a billion axes", () => {
    expect(
      refusal(model(input("x", 1, [4]), input("shape", 7, [1e9]), node("Reshape", ["x", "shape"], ["y"]))).message,
    ).toMatch(/a rank of at most 64/);
  });

  test("sizes that multiply with every node", () => {
    const nodes = Array.from({ length: 200 }, (_, i) => [
      node("Flatten", [`v${i}`], [`f${i}`]),
      node("MatMul", [`f${i}`, `f${i}`], [`v${i + 1}`]),
    ]).flat();
    expect(() => decodeModel(model(input("v0", 1, ["n", "n"]), ...nodes))).not.toThrow();
    const squares = Array.from({ length: 200 }, (_, i) => node("Mul", [`s${i}`, `s${i}`], [`s${i + 1}`]));
    const graph = decodeModel(model(input("x", 1, ["a dimension"]), node("Size", ["x"], ["s0"]), ...squares));
    expect(graph.values.get("s200")!.shape).toEqual([]);
  });

  test("sums with more terms in every node", () => {
    const count = 3000;
    const inputs = Array.from({ length: count }, (_, i) => input(`x${i}`, 1, [`a_rather_long_dimension_name_${i}`]));
    const axisZero = message(NODE.attribute, text(1, "axis"), integer(ATTRIBUTE.i, 0), integer(ATTRIBUTE.type, 2));
    const nodes = Array.from({ length: count - 1 }, (_, i) =>
      node("Concat", [i === 0 ? "x0" : `s${i}`, `x${i + 1}`], [`s${i + 1}`], axisZero),
    );
    const longest = decodeModel(model(...inputs, ...nodes)).values.get(`s${count - 1}`)!.shape[0];
    expect(String(longest).length).toBeLessThan(1000);
  });

  test("a name of a dimension as long as the file", () => {
    expect(refusal(model(input("x", 1, ["n".repeat(100_000)]))).message).toMatch(/a dimension name of at most/);
  });

  test("a range of 2^53 elements is typed, not computed", () => {
    const scalar = (name: string, value: number): Write =>
      tensor(name, integer(TENSOR.dataType, 7), integer(TENSOR.int64Data, value));
    const graph = decodeModel(
      model(scalar("a", 0), scalar("b", 2 ** 53), scalar("c", 1), node("Range", ["a", "b", "c"], ["r"])),
    );
    expect(graph.values.get("r")!.shape).toEqual([2 ** 53]);
  });

  test("names that Objects inherit are only names", () => {
    const named = node(
      "Identity",
      ["__proto__"],
      ["constructor"],
      message(NODE.attribute, text(1, "__proto__"), integer(ATTRIBUTE.i, 3), integer(ATTRIBUTE.type, 2)),
    );
    const graph = decodeModel(model(input("__proto__", 1, ["toString"]), named, output("constructor")), {
      dims: { n: 2 },
    });
    expect(graph.outputs[0]!.shape).toEqual(["toString"]);
    expect(Object.keys(graph.nodes[0]!.attributes)).toEqual(["__proto__"]);
    expect(decodeModel(encodeModel(graph))).toStrictEqual(graph);
  });
});

describe("writing", () => {
  test("is deterministic, and reading leaves the bytes alone", () => {
    const bytes = encodeModel(smallGraph());
    const copy = bytes.slice();
    decodeModel(bytes);
    expect(bytes).toEqual(copy);
    expect(encodeModel(smallGraph())).toEqual(copy);
  });

  test("bounds beyond int64 become its greatest and least value", () => {
    const b = new GraphBuilder("g", { opset: 9 });
    const x = b.input("x", "float32", [5]);
    b.node("Slice", [x], {
      attributes: { axes: attr.ints([0]), starts: attr.ints([1]), ends: attr.ints([2 ** 63]) },
      outputs: ["y"],
    });
    const graph = decodeModel(encodeModel(b.build()));
    expect(graph.values.get("y")!.shape).toEqual([4]);
    expect(encodeModel(graph)).toEqual(encodeModel(b.build()));
  });

  test("an attribute that is no integer is refused by name", () => {
    const b = new GraphBuilder("g");
    b.node("Concat", [b.float([1])], { attributes: { axis: attr.int(0), note: attr.int(0.5) }, name: "c" });
    expect(() => encodeModel(b.build())).toThrow("Concat 'c' attribute note: expected an integer, got 0.5");
  });

  test("unknown fields are skipped", () => {
    const bytes = encodeModel(smallGraph());
    const extra = bytesOf(
      text(500, "new field"),
      integer(501, 7),
      (w) => void w.tag(502, WireType.Bit64).double(1),
      (w) => void w.tag(503, WireType.Bit32).float(1),
      (w) => void w.tag(504, WireType.StartGroup).tag(1, WireType.Varint).int32(1).tag(504, WireType.EndGroup),
    );
    expect(decodeModel(Uint8Array.from([...extra, ...bytes, ...extra]))).toEqual(smallGraph());
  });
});
