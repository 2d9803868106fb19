/** @file A student's weights: one file, shards, and every way in which they can disagree. */
import { describe, expect, test } from "vitest";
import { loadWeights } from "../../src/formats/checkpoint.ts";
import { memorySource, type FileSource } from "../../src/formats/fileSource.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { fixtureNames, studentDirectory } from "../support/goldens.ts";

const tensor = (
  value: number,
): { readonly type: "float32"; readonly shape: readonly [1]; readonly data: Float32Array } => ({
  type: "float32",
  shape: [1],
  data: Float32Array.of(value),
});
const shard = (...names: readonly string[]): Uint8Array =>
  writeSafetensors(new Map(names.map((name, i) => [name, tensor(i)])));
const index = (weightMap: unknown): string => JSON.stringify({ metadata: { total_size: 8 }, weight_map: weightMap });
const source = (files: Readonly<Record<string, Uint8Array | string>>): FileSource =>
  memorySource(new Map(Object.entries(files)), "student");

test("one file is preferred to an index beside it", async () => {
  const weights = await loadWeights(
    source({ "model.safetensors": shard("a"), "model.safetensors.index.json": "not read" }),
  );
  expect([...weights.keys()]).toEqual(["a"]);
});

test("shards are put together", async () => {
  const weights = await loadWeights(
    source({
      "model.safetensors.index.json": index({ a: "1.safetensors", b: "2.safetensors", c: "1.safetensors" }),
      "1.safetensors": shard("a", "c"),
      "2.safetensors": shard("b"),
    }),
  );
  expect([...weights.keys()].sort()).toEqual(["a", "b", "c"]);
});

test("every fixture's weights load as float32", async () => {
  for (const name of fixtureNames()) {
    const weights = await loadWeights(directorySource(studentDirectory(name)));
    expect(weights.size, name).toBeGreaterThanOrEqual(20);
    for (const [key, { type, data }] of weights) {
      if (key.endsWith(".attn.bias")) continue;
      expect(type, `${name} ${key}`).toBe("float32");
      expect((data as Float32Array).every((value) => Number.isFinite(value))).toBe(true);
    }
  }
});

describe("is refused", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, Uint8Array | string>>, RegExp])[] = [
    ["nothing", {}, /student: expected a file model\.safetensors or model\.safetensors\.index\.json.*config\.json/],
    ["a pickle alone", { "pytorch_model.bin": "x" }, /weights only as pytorch_model\.bin.*save_pretrained/],
    ["a file with no tensors", { "model.safetensors": shard() }, /model\.safetensors: expected tensors, got none/],
    ["a damaged file", { "model.safetensors": shard("a").subarray(0, 20) }, /student\/model\.safetensors/],
    ["an index that is no JSON", { "model.safetensors.index.json": "{" }, /index\.json: expected valid JSON/],
    ["an index without a map", { "model.safetensors.index.json": "{}" }, /weight_map/],
    ["an empty map", { "model.safetensors.index.json": index({}) }, /empty/],
    ["a shard that is no name", { "model.safetensors.index.json": index({ a: 1 }) }, /weight_map\["a"\]/],
    [
      "a shard outside the directory",
      { "model.safetensors.index.json": index({ a: "../other/1.safetensors" }) },
      /relative path/,
    ],
    ["a missing shard", { "model.safetensors.index.json": index({ a: "1.safetensors" }) }, /the shard 1\.safetensors/],
    [
      "a tensor that its shard lacks",
      {
        "model.safetensors.index.json": index({ a: "1.safetensors", b: "1.safetensors" }),
        "1.safetensors": shard("a"),
      },
      /1\.safetensors: expected the tensor "b"/,
    ],
    [
      "a tensor in two shards",
      {
        "model.safetensors.index.json": index({ a: "1.safetensors", b: "2.safetensors" }),
        "1.safetensors": shard("a", "b"),
        "2.safetensors": shard("b"),
      },
      /"b" as well.*2\.safetensors/,
    ],
    [
      "a tensor the index does not know",
      { "model.safetensors.index.json": index({ a: "1.safetensors" }), "1.safetensors": shard("a", "x") },
      /"x" as well/,
    ],
  ];
  for (const [name, files, message] of cases) {
    test(name, async () => {
      await expect(loadWeights(source(files))).rejects.toThrow(message);
      await expect(loadWeights(source(files))).rejects.toMatchObject({ code: "bad-input" });
    });
  }
});
