/**
 * @file Gradient checkpointing of students read from ONNX files, which say nothing of layers: segments are found in
 * the graph itself, whoever exported it; computing them twice gives the gradients of the plain graph and keeps less.
 */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { findSegments } from "../../src/nn/imported/findSegments.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { resolveLora } from "../../src/nn/lora.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { peakOf, planBuffers } from "../../src/onnx/liveness.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { AGAIN, buildTrainGraph, type StudentBlueprint } from "../../src/student/graphs.ts";
import { onnxModelOf } from "../../src/student/exportOnnx.ts";
import { describeStudent } from "../../src/student/student.ts";
import type { TrainMethod } from "../../src/student/types.ts";
import { fusedGpt2, genaiLlama } from "../support/contribDecoders.ts";
import { EXPORTED_BY_PYTORCH, onnxStudentSource, pytorchExport } from "../support/onnxStudents.ts";
import { runOnProvider } from "../support/ortProviders.ts";
import { parameterFeeds, rowFeeds, tinyBlueprint, tinyWeights } from "../support/tinyModels.ts";

const ROW = rowFeeds([1, 5, 2, 5, 3, 6], [0, 0, 1, 1, 0]);
const FULL: TrainMethod = { method: "full" };
const LORA: TrainMethod = { method: "lora", r: 2, loraAlpha: 4, targetModules: "all-linear" };

async function blueprintOf(name: string, model: Uint8Array, method: TrainMethod): Promise<StudentBlueprint> {
  return (await describeStudent({ source: onnxStudentSource(name, model), method })).blueprint;
}

/** Everything that a train graph gives, with ONNX Runtime's own rewriting off. */
async function outputsOf(blueprint: StudentBlueprint, recompute: boolean): ReturnType<typeof runOnProvider> {
  const graph = buildTrainGraph(blueprint, 1, 5, { accumulate: false, recompute });
  const given = { ...parameterFeeds(blueprint, tinyWeights(blueprint, new Rng(1))), ...ROW };
  const feeds: Record<string, Tensor> = {};
  for (const { name, type } of graph.inputs) {
    const { shape, data } = given[name.endsWith(AGAIN) ? name.slice(0, -AGAIN.length) : name]!;
    feeds[name] = { type, shape, data: type === "int32" ? Int32Array.from(data) : Float32Array.from(data) };
  }
  return runOnProvider("cpu", graph, feeds, { optimize: false });
}

const WRITERS: readonly (readonly [string, string, () => Promise<Uint8Array>])[] = [
  ...EXPORTED_BY_PYTORCH.map((name) => ["PyTorch", name, async () => pytorchExport(name)] as const),
  ["fused operators", "llama3-scaling-sharded", genaiLlama],
  ["fused operators", "gpt2-prefixed", fusedGpt2],
];

describe.each(WRITERS)("from %s: %s", (_writer, name, write) => {
  test.each([FULL, LORA])("activations computed twice give the same loss and gradients ($method)", async (method) => {
    const blueprint = await blueprintOf(name, await write(), method);
    // Two layers of attention and feed-forward.
    expect(blueprint.decoder.imported?.segments).toBe(4);
    const [plain, twice] = [await outputsOf(blueprint, false), await outputsOf(blueprint, true)];
    expect([...twice.keys()]).toEqual([...plain.keys()]);
    for (const [output, { data }] of plain) expect([output, twice.get(output)?.data]).toEqual([output, data]);
    expect(Math.abs(Number(plain.get("lossSum")?.data[0]))).toBeGreaterThan(0.1);
  });
});

test.each([
  ["llama", 16, { model_type: "llama", num_key_value_heads: 2, tie_word_embeddings: true }],
  // One residual addition a block, for attention and feed-forward together.
  ["gpt_neox", 8, { model_type: "gpt_neox", rotary_pct: 0.5 }],
])("of eight exported layers of %s little more is kept than of the family itself", async (_name, segments, config) => {
  const decoder = parseDecoder({
    ...config,
    vocab_size: 85,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 8,
    num_attention_heads: 4,
    max_position_embeddings: 64,
  });
  const adapted = resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 2, scaling: 2 }));
  const own = tinyBlueprint(decoder, adapted);
  const rng = new Rng(2);
  const weights = new Map(
    decoder.parameters.map(({ name, shape }): [string, Tensor] => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal());
      return [name, { type: "float32", shape, data }];
    }),
  );
  const imported = await blueprintOf("llama-gqa-tied", onnxModelOf(decoder, weights, "fp32"), LORA);
  expect(imported.decoder.imported?.segments).toBe(segments);
  const peak = (blueprint: StudentBlueprint, recompute: boolean): number =>
    peakOf(planBuffers(buildTrainGraph(blueprint, 4, 64, { accumulate: false, recompute }))).bytes;
  expect(peak(imported, true)).toBeLessThan(0.5 * peak(imported, false));
  expect(peak(imported, true)).toBeLessThan(1.5 * peak(own, true));
});

test("a graph without a narrow place is one segment, and what a node before it gives is no part of any", () => {
  const g = new GraphBuilder("g");
  const table = g.input("table", "float32", [8, 4]);
  const ids = g.input("ids", "int32", [3]);
  const mask = g.cast(ids, "float32");
  const x = g.gather(table, ids);
  const w = g.input("w", "float32", [4, 4]);
  const a = g.matmul(x, w);
  const b = g.matmul(a, w);
  // x is read again at the end: everything between runs beside it.
  g.output(g.mul(g.add(b, x), g.reshape(mask, [3, 1])), "y");
  const { nodes } = g.build();
  const { count, of } = findSegments(nodes, "table", ({ opType }) => opType === "MatMul");
  expect(count).toBe(1);
  expect(nodes.map((node) => [node.opType, of.get(node)])).toEqual([
    ["Cast", undefined],
    ["Gather", undefined],
    ["MatMul", 0],
    ["MatMul", 0],
    ["Add", 0],
    ["Reshape", undefined],
    ["Mul", 0],
    // Names the output.
    ["Identity", 0],
  ]);
});
