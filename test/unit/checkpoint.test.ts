/** @file A student's weights: one file, shards, and every way in which they can disagree. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { blobSource } from "../../src/formats/blobSource.ts";
import { loadWeights, openCheckpoint } from "../../src/formats/checkpoint.ts";
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
      if (/\.(attn|attention)\.bias$/.test(key)) continue; // causal masks
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

describe("tensor by tensor", () => {
  /** A source that counts the bytes that are asked of it. */
  function counting(files: FileSource): {
    readonly source: FileSource;
    readonly bytes: () => number;
    open: () => number;
  } {
    let bytes = 0;
    let opened = 0;
    const counted: FileSource = {
      ...files,
      read: () => Promise.reject(new Error("a whole file was read")),
      async open(path) {
        const file = await files.open(path);
        opened++;
        return {
          size: file.size,
          async read(begin, end) {
            bytes += end - begin;
            return file.read(begin, end);
          },
          async close() {
            opened--;
            await file.close();
          },
        };
      },
    };
    return { source: counted, bytes: () => bytes, open: () => opened };
  }

  const FILES = {
    "model.safetensors.index.json": index({ a: "1.safetensors", b: "2.safetensors", c: "1.safetensors" }),
    "1.safetensors": shard("a", "c"),
    "2.safetensors": shard("b"),
  };

  test("reads headers when opened, and each tensor when asked for it", async () => {
    const files = counting(source(FILES));
    const checkpoint = await openCheckpoint(files.source);
    const before = files.bytes();
    expect(checkpoint.names).toEqual(["a", "c", "b"]);
    expect(checkpoint.byteLength).toBe(12);
    expect((await checkpoint.read("c")).data).toEqual(Float32Array.of(1));
    expect(files.bytes()).toBe(before + 4);
    await checkpoint.close();
    expect(files.open()).toBe(0);
  });

  test("keeps a tensor's own bytes and dtype where they are asked for", async () => {
    const half = { type: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) } as const;
    const files = source({ "model.safetensors": writeSafetensors(new Map([["h", half]])) });
    const checkpoint = await openCheckpoint(files);
    expect(await checkpoint.readStored("h")).toEqual({
      name: "h",
      dtype: "F16",
      shape: [2],
      bytes: Uint8Array.of(0x00, 0x3c, 0x00, 0xc0),
    });
    expect(await checkpoint.read("h")).toEqual({ type: "float32", shape: [2], data: Float32Array.of(1, -2) });
    expect(() => checkpoint.entry("g")).toThrow(/student: expected a tensor "g", got 1 tensors without it/);
  });

  test("closes what it opened when a later file is wrong", async () => {
    const files = counting(source({ ...FILES, "2.safetensors": shard("x") }));
    await expect(openCheckpoint(files.source)).rejects.toThrow(/only tensors that the index assigns/);
    expect(files.open()).toBe(0);
  });

  test("is the same from a directory, from blobs and from memory", async () => {
    const directory = studentDirectory("llama3-scaling-sharded");
    const onDisk = directorySource(directory);
    const blobs = new Map<string, Blob>();
    const bytes = new Map<string, Uint8Array>();
    for (const name of (await onDisk.list?.()) ?? []) {
      const data = await onDisk.read(name);
      bytes.set(name, data);
      blobs.set(name, new Blob([data as Uint8Array<ArrayBuffer>]));
    }
    const expected = await loadWeights(memorySource(bytes));
    expect(await loadWeights(onDisk)).toEqual(expected);
    expect(await loadWeights(blobSource(blobs, "blobs"))).toEqual(expected);
  });

  test("says so when the file became shorter meanwhile", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "tutelage-checkpoint-")), "model.safetensors");
    try {
      writeFileSync(path, shard("a", "b"));
      const checkpoint = await openCheckpoint(directorySource(dirname(path)));
      truncateSync(path, 20);
      await expect(checkpoint.read("b")).rejects.toThrow(
        /model\.safetensors: expected bytes .* changed while it was read/,
      );
      await checkpoint.close();
    } finally {
      rmSync(dirname(path), { recursive: true });
    }
  });
});
