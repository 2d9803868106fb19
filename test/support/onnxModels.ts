/**
 * @file The models that the official ONNX checker is run over
 * (`scripts/golden/writeOnnxModels.ts`) and whose verdicts are committed: one model an
 * operator, and a few larger ones. Deterministic to the byte.
 */
import { Rng } from "../../src/core/rng.ts";
import { attr } from "../../src/onnx/attributes.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { DataType, Graph, Node, Value } from "../../src/onnx/types.ts";
import { buildCase, drawCase, ONNX_CASES } from "./onnxCases.ts";
import { fromRng, tensorOf } from "./onnxDraw.ts";

/** The newest operator set that the checker knows (onnx 1.12). */
const CHECKER_OPSET = 17;

/** One application of an operator, of an operator set that the checker knows where there is one. */
function operatorModel(name: string): Graph {
  const rng = new Rng(17).fork(name);
  let item = drawCase(name, fromRng(rng));
  for (let i = 0; i < 50 && item.opset > CHECKER_OPSET; i++) item = drawCase(name, fromRng(rng));
  return buildCase(item).builder.build();
}

/** A decoder block over symbolic sizes: embedding, rotary attention with a cache, SwiGLU, loss, control flow. */
function decoderModel(): Graph {
  const rng = new Rng(5);
  const [vocabulary, width, heads, half] = [11, 8, 2, 2];
  const b = new GraphBuilder("decoder");
  const weight = (name: string, shape: number[]): Value =>
    b.initializer(
      {
        type: "float32",
        shape,
        data: Float32Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, () => rng.integer(-64, 64) / 128),
      },
      name,
    );
  const ids = b.input("input_ids", "int64", ["batch", "tokens"]);
  const past = b.input("past_keys", "float32", ["batch", heads, "past", 2 * half]);
  const embedding = weight("embedding", [vocabulary, width]);
  const x = b.scope("layers.0", () => {
    const h = b.layerNorm(
      b.gather(embedding, ids),
      weight("norm.weight", [width]),
      weight("norm.bias", [width]),
      2 ** -16,
    );
    const split = (value: Value): Value => b.transpose(b.reshape(value, [0, 0, heads, 2 * half]), [0, 2, 1, 3]);
    const q = split(b.matmul(h, weight("q", [width, width])));
    const keys = b.concat([past, split(b.matmul(h, weight("k", [width, width])))], 2);
    const rotated = b.concat([b.neg(b.slice(q, [half], [2 * half], [3])), b.slice(q, [0], [half], [3])], 3);
    const scores = b.scale(b.matmul(b.add(q, rotated), b.transpose(keys, [0, 1, 3, 2])), 0.5);
    const mixed = b.matmul(b.softmax(scores), keys);
    const merged = b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [0, 0, width]);
    const gate = b.matmul(merged, weight("gate", [width, width]));
    return b.add(h, b.mul(b.mul(gate, b.sigmoid(gate)), merged));
  });
  const rows = b.reshape(x, [-1, width]);
  const logits = b.gemm(rows, embedding, { transB: true });
  const loss = b.neg(b.log(b.gatherElements(b.softmax(logits), b.reshape(ids, [-1, 1]), 1)));
  b.output(b.reduceSum(loss, [0, 1], false), "loss");
  b.output(b.argmax(logits, 1), "prediction");
  b.output(b.reduceMean(loss, [0]), "mean");

  const body = new GraphBuilder("body", { outer: b });
  body.input("step", "int64", []);
  const goOn = body.input("go_on", "bool", []);
  const state = body.input("state", "float32", []);
  body.output(goOn, "go_on_out");
  body.output(body.add(state, body.reduceMax(b.value(loss.name), [0, 1], false)), "state_out");
  const trips = b.initializer(tensorOf("int64", [], [3]), "trips");
  const [final] = b.node("Loop", [trips, undefined, b.float(0)], {
    attributes: { body: attr.graph(body.build()) },
    outputs: ["final_state"],
  });
  b.output(final!);
  return b.build();
}

/** Initializers of every type, special values included. */
function storageModel(): Graph {
  const b = new GraphBuilder("storage: names ünïcode ✓");
  const types: DataType[] = ["float32", "float64", "float16", "int32", "int64", "uint8", "int8", "bool"];
  for (const type of types) {
    const tensor = b.initializer(tensorOf(type, [2, 2], [0, 1, 2, 3]), `tensor/${type}`);
    b.output(b.identity(tensor), `out ${type}`);
    b.output(b.identity(b.initializer(tensorOf(type, [], [1]), `scalar.${type}`)), `scalar out ${type}`);
  }
  const special = b.initializer(
    { type: "float32", shape: [6], data: Float32Array.of(NaN, Infinity, -Infinity, -0, 1e-45, 3.4028235e38) },
    "spécial",
  );
  const wide = b.initializer(
    { type: "int64", shape: [3], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, -1n) },
    "wide",
  );
  const empty = b.initializer({ type: "float64", shape: [2, 0, 3], data: new Float64Array(0) }, "empty");
  for (const value of [special, wide, empty]) b.output(b.identity(value), `${value.name} out`);
  return b.build();
}

/** Attributes of every kind on an operator that no schema knows. */
function attributesModel(): Graph {
  const b = new GraphBuilder("attributes");
  const x = b.input("x", "float32", ["n", 3]);
  const inner = new GraphBuilder("inner", { outer: b });
  inner.output(inner.relu(b.value("x")), "inner_out");
  const node: Node = {
    name: "custom",
    opType: "Anything",
    domain: "test.domain",
    inputs: [x.name, "", x.name],
    outputs: ["y", "", "z"],
    attributes: {
      int: attr.int(-7),
      zero: attr.int(0),
      large: attr.int(2 ** 53 - 1),
      end: attr.int(2 ** 63),
      float: attr.float(-0.5),
      text: attr.string("größe\n"),
      no_text: attr.string(""),
      ints: attr.ints([1, -1, 0]),
      no_ints: attr.ints([]),
      floats: { kind: "floats", value: [0.25, -3] },
      strings: { kind: "strings", value: ["a", "", "ß"] },
      tensor: attr.tensor(tensorOf("int32", [2], [5, -6])),
      graph: attr.graph(inner.build()),
    },
  };
  const [y] = b.addNode(node, (name) => ({ type: "float32", shape: name === "y" ? ["n", 3] : [4] }));
  b.output(b.neg(y!), "out");
  return b.build();
}

/** A graph whose node has an input from nowhere: the checker must refuse it. */
function brokenModel(): Graph {
  const graph = operatorModel("Add");
  return { ...graph, inputs: graph.inputs.slice(1) };
}

/** Every model by name. */
export function onnxModels(): ReadonlyMap<string, Graph> {
  const models = new Map<string, Graph>();
  for (const name of Object.keys(ONNX_CASES)) models.set(`operator.${name}`, operatorModel(name));
  models.set("decoder", decoderModel());
  models.set("storage", storageModel());
  models.set("attributes", attributesModel());
  models.set("broken", brokenModel());
  return models;
}
