/** @file `tutelage export`: what it writes reads back, and what it refuses. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { float16ToFloat32, float32ToFloat16 } from "../../src/formats/float16.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { decodeModel } from "../../src/onnx/model.ts";
import { toFloat16 } from "../../src/onnx/toFloat16.ts";
import { adapterDirectory, rowsPath, studentDirectory } from "../support/goldens.ts";
import { runCli, Workspace } from "../support/runCli.ts";

const STUDENT = studentDirectory("llama-gqa-tied");
const ADAPTER = adapterDirectory("llama-gqa-tied");
const DATA = rowsPath({ rows: "fixtures.jsonl" });

const workspace = new Workspace();
afterAll(() => workspace.remove());
let folders = 0;
const newFolder = (): string => {
  const folder = workspace.in(`f${++folders}`);
  mkdirSync(folder);
  return folder;
};

const exportTo = (out: string, ...args: readonly string[]): ReturnType<typeof runCli> =>
  runCli(["export", "--student", STUDENT, "--out", out, ...args]);

async function losses(student: string, ...args: readonly string[]): Promise<number[]> {
  const { status, records, err } = await runCli(["score", "--student", student, "--data", DATA, ...args]);
  expect([status, err]).toEqual([0, expect.any(String)]);
  return records.map((record) => record["loss"] as number);
}

describe("tutelage export", () => {
  test("as safetensors: the merged student scores as student and adapter do, in float16 nearly", async () => {
    const folder = newFolder();
    const expected = await losses(STUDENT, "--adapter", ADAPTER);
    for (const [dtype, tolerance] of [
      ["fp32", 1e-6],
      // Weights rounded to 11 bits: 2e-3 measured.
      ["fp16", 1e-2],
    ] as const) {
      const out = join(folder, dtype);
      const { status, records } = await exportTo(out, "--adapter", ADAPTER, "--dtype", dtype);
      expect([status, records[0]?.["files"]]).toEqual([0, ["model.safetensors"]]);
      const got = await losses(out);
      got.forEach((loss, i) => expect(Math.abs(loss - (expected[i] ?? NaN))).toBeLessThan(tolerance));
      const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as Record<string, unknown>;
      expect(config["torch_dtype"] ?? config["dtype"]).toBe(dtype === "fp32" ? "float32" : "float16");
    }
  });

  test("as ONNX: the names and sizes of Optimum's decoder models", async () => {
    const out = join(newFolder(), "out");
    await exportTo(out, "--format", "onnx", "--dtype", "fp16,fp32");
    expect(readdirSync(join(out, "onnx")).sort()).toEqual(["model.onnx", "model_fp16.onnx"]);
    const types = (file: string): string[] => {
      const { inputs, outputs } = decodeModel(new Uint8Array(readFileSync(join(out, "onnx", file))));
      return [...inputs, ...outputs].map(({ name, type, shape }) => `${name} ${type} [${shape.join(", ")}]`);
    };
    const cache = (type: string): string[] =>
      [0, 1].flatMap((layer) =>
        ["key", "value"].map(
          (part) => `past_key_values.${layer}.${part} ${type} [batch_size, 2, past_sequence_length, 4]`,
        ),
      );
    const ids = [
      "input_ids int64 [batch_size, sequence_length]",
      "attention_mask int64 [batch_size, past_sequence_length+sequence_length]",
      "position_ids int64 [batch_size, sequence_length]",
    ];
    for (const [file, type] of [
      ["model.onnx", "float32"],
      ["model_fp16.onnx", "float16"],
    ] as const) {
      const found = types(file);
      expect(found.slice(0, 7)).toEqual([...ids, ...cache(type)]);
      expect(found[7]).toMatch(/^logits float32 \[batch_size, sequence_length, \d+\]$/);
      expect(found.slice(8)).toEqual(
        [0, 1].flatMap((layer) =>
          ["key", "value"].map(
            (part) => `present.${layer}.${part} ${type} [batch_size, 2, past_sequence_length+sequence_length, 4]`,
          ),
        ),
      );
    }
    const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config["transformers.js_config"]).toEqual({ dtype: "fp16", kv_cache_dtype: { fp16: "float16" } });
  });

  test("an export may be written again, but never over files it did not make", async () => {
    const out = join(newFolder(), "out");
    expect((await exportTo(out, "--format", "onnx")).status).toBe(0);
    expect((await exportTo(out, "--format", "onnx")).status).toBe(0);
    mkdirSync(join(out, "onnx", "own"));
    writeFileSync(join(out, "onnx", "own", "notes.txt"), "mine");
    const { status, err } = await exportTo(out, "--format", "onnx");
    expect([status, err]).toEqual([2, expect.stringContaining("onnx/own")]);
    expect(readFileSync(join(out, "onnx", "own", "notes.txt"), "utf8")).toBe("mine");
  });

  test.each([
    [["--format", "gguf"], /--format: expected one of safetensors, onnx/],
    [["--dtype", "q4"], /--dtype: expected one of fp32, fp16/],
    [["--dtype", "fp32,fp16"], /--dtype: expected one number type with --format safetensors/],
    [["--adapter", studentDirectory("gpt2-prefixed")], /adapter_config\.json/],
  ])("refuses %j with status 2 and writes nothing", async (args, message) => {
    const out = join(newFolder(), "out");
    const { status, err } = await exportTo(out, ...args);
    expect([status, err]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(out)).toBe(false);
  });

  test("refuses to write over its student", async () => {
    const { status, err } = await exportTo(STUDENT);
    expect([status, err]).toEqual([2, expect.stringMatching(/--out: expected another directory than --student/)]);
  });
});

describe("toFloat16", () => {
  const graphWith = (weight: number): ReturnType<GraphBuilder["build"]> => {
    const g = new GraphBuilder("scaled");
    const x = g.input("x", "float32", ["n"]);
    const w = g.initializer({ type: "float32", shape: [1], data: Float32Array.of(weight) }, "w");
    g.output(g.cast(g.cast(g.mul(x, w), "int32"), "float32"), "whole");
    g.output(g.mul(x, w), "scaled");
    return g.build();
  };
  const options = { convert: float32ToFloat16, keepOutputs: ["whole"] };

  test("weights, inputs, casts and outputs become float16, kept outputs stay", () => {
    const graph = toFloat16(graphWith(0.1), options);
    expect(graph.inputs.map(({ type }) => type)).toEqual(["float16"]);
    expect(graph.outputs.map(({ name, type }) => [name, type])).toEqual([
      ["whole", "float32"],
      ["scaled", "float16"],
    ]);
    const data = graph.initializers.get("w")?.data;
    expect(float16ToFloat32(data as Uint16Array)[0]).toBeCloseTo(0.1, 4);
  });

  test("names a weight that float16 cannot hold", () => {
    expect(() => toFloat16(graphWith(7e4), options)).toThrow(
      /'w': expected values of magnitude below 65520, got 70000/,
    );
  });
});
