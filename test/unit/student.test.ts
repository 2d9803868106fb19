/** @file Opening a student and what its methods promise: fit of files, adapters, snapshots, errors that leave it usable. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent, type OpenStudentOptions } from "../../src/student/student.ts";
import { SIMPLE_SCORES, type ScoreRow } from "../../src/student/types.ts";
import {
  adapterFiles,
  changeJson,
  changeTensors,
  LORA,
  ROWS,
  sourceOf,
  studentFiles,
  TRAIN_OPTIONS,
  withFixture,
  type Files,
} from "../support/studentFiles.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => {
  expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
  await engine.dispose();
});

/** Opening must fail, and leave nothing on the engine. */
async function expectRefused(
  files: Files,
  message: RegExp,
  options: Omit<OpenStudentOptions, "source"> = {},
): Promise<void> {
  await expect(openStudent(engine, { source: sourceOf(files), ...options })).rejects.toMatchObject({
    code: "bad-input",
    message: expect.stringMatching(message) as string,
  });
  expect(engine.live.tensors).toBe(0);
}

const WEIGHTS = "model.safetensors";
const NORM = "model.norm.weight";
const floats = (shape: readonly number[]): Tensor => ({
  type: "float32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

describe("a directory that is no student is refused", () => {
  const llama = (): Files => studentFiles("llama-gqa-tied");
  const without = (path: string): Files => {
    const files = llama();
    files.delete(path);
    return files;
  };

  test.each<[string, () => Files, RegExp]>([
    [
      "no config",
      () => without("config.json"),
      /student: expected a file config.json, got no such file.*A student directory holds/,
    ],
    [
      "no weights",
      () => without(WEIGHTS),
      /expected a file model.safetensors or model.safetensors.index.json, got neither/,
    ],
    ["no tokenizer", () => without("tokenizer.json"), /expected a file tokenizer.json/],
    [
      "a config that is not JSON",
      () => llama().set("config.json", "{hidden_size: 3"),
      /student\/config.json: expected valid JSON/,
    ],
    [
      "an empty config",
      () => llama().set("config.json", ""),
      /student\/config.json: expected valid JSON, got an empty text/,
    ],
    [
      "another architecture",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, model_type: "rwkv" })),
      /one of .*llama.*, got "rwkv"/,
    ],
    ["a tokenizer that is not JSON", () => llama().set("tokenizer.json", "[]"), /tokenizer.json/],
    [
      "weights that are not safetensors",
      () => llama().set(WEIGHTS, "PK\u0003\u0004 this is a zip"),
      /model.safetensors: expected a safetensors header/,
    ],
    [
      "weights cut off",
      () => llama().set(WEIGHTS, (llama().get(WEIGHTS) as Uint8Array).slice(0, -10)),
      /model.safetensors: tensor .*cut off/,
    ],
    [
      "a missing tensor",
      () => changeTensors(llama(), WEIGHTS, (tensors) => (tensors.delete(NORM), tensors)),
      /all 20 parameters of a llama model, got 1 missing: model.norm.weight/,
    ],
    [
      "a tensor of another shape",
      () => changeTensors(llama(), WEIGHTS, (tensors) => tensors.set(NORM, floats([25]))),
      /'model.norm.weight': expected shape \[24\] as config.json says, got \[25\]/,
    ],
    [
      "a tensor of integers",
      () =>
        changeTensors(llama(), WEIGHTS, (tensors) =>
          tensors.set(NORM, { type: "int32", shape: [24], data: new Int32Array(24) }),
        ),
      /'model.norm.weight'.*float32, float16 or bfloat16 values, got int32/,
    ],
    [
      "one parameter under two names",
      () => changeTensors(llama(), WEIGHTS, (tensors) => tensors.set("norm.weight", floats([24]))),
      /one tensor for 'model.norm.weight', got both/,
    ],
    [
      "a vocabulary smaller than the tokenizer's",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, vocab_size: 80 })),
      /a tokenizer of at most 80 tokens.*got 85 tokens/,
    ],
    [
      "sizes of another model",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, hidden_size: 48 })),
      /expected shape .* as config.json says.*different models/,
    ],
    [
      "an end-of-sequence id beyond the vocabulary",
      () => {
        const files = changeJson(llama(), "config.json", (json) => ({
          ...json,
          eos_token_id: 4000,
          model_type: "qwen2",
        }));
        files.delete("special_tokens_map.json");
        return files.set("tokenizer_config.json", "{}");
      },
      /an end-of-sequence token below vocab_size \(85\), got 4000/,
    ],
  ])("%s", async (_name, files, message) => expectRefused(files(), message));

  test("extra tensors are named in a warning", async () => {
    const warnings: string[] = [];
    const files = changeTensors(llama(), WEIGHTS, (tensors) => tensors.set("model.extra.weight", floats([2])));
    const student = await openStudent(engine, {
      source: sourceOf(files),
      onWarning: (message) => warnings.push(message),
    });
    await student.dispose();
    expect(warnings).toEqual([
      expect.stringMatching(/1 tensors that a llama model does not use are ignored: model.extra.weight/),
    ]);
  });
});

describe("adapters that do not fit are refused", () => {
  const student = (): Files => studentFiles("llama-gqa-tied");
  const adapter = (change: (files: Files) => unknown = () => undefined): { adapter: ReturnType<typeof sourceOf> } => {
    const files = adapterFiles("llama-gqa-tied");
    change(files);
    return { adapter: sourceOf(files, "adapter") };
  };
  test("the fitting one is taken", async () => {
    const opened = await openStudent(engine, { source: sourceOf(student()), ...adapter() });
    expect(opened.parameters.trainable).toBeGreaterThan(0);
    await opened.dispose();
  });

  test("of another model", async () => {
    await expectRefused(studentFiles("llama-untied"), /adapter/, adapter());
    await expectRefused(studentFiles("gpt2-prefixed"), /adapter|LoRA target modules/, adapter());
  });

  test("without weights, without config, of another kind, of another rank", async () => {
    await expectRefused(
      student(),
      /adapter: expected a file adapter_model.safetensors/,
      adapter((files) => files.delete("adapter_model.safetensors")),
    );
    await expectRefused(
      student(),
      /adapter: expected a file adapter_config.json/,
      adapter((files) => files.delete("adapter_config.json")),
    );
    await expectRefused(
      student(),
      /peft_type: expected LORA/,
      adapter((files) => changeJson(files, "adapter_config.json", (json) => ({ ...json, peft_type: "IA3" }))),
    );
    await expectRefused(
      student(),
      /lora_A.weight/,
      adapter((files) => changeJson(files, "adapter_config.json", (json) => ({ ...json, r: 3, rank_pattern: {} }))),
    );
  });

  test("targets that no layer has", async () => {
    await expectRefused(
      student(),
      /LoRA target modules: expected names of linear layers \(q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj\) or all-linear, got "c_attn"/,
      {
        method: { ...LORA, targetModules: ["q_proj", "c_attn"] },
      },
    );
  });
});

/** Adapters start with B zero, which would hide a mistake in merging. */
function randomB(tensors: Map<string, Tensor>): Map<string, Tensor> {
  const rng = new Rng(6);
  for (const [name, tensor] of tensors) {
    if (name.includes("lora_B"))
      tensors.set(name, { ...tensor, data: Float32Array.from(tensor.data as Float32Array, () => 0.1 * rng.normal()) });
  }
  return tensors;
}

describe.each(["llama-gqa-tied", "llama-biases-bf16", "gpt2-hub-names", "qwen2-tied-f16"])("%s", (name) => {
  test("with a new adapter scores bit for bit as without", async () => {
    const plain = await withFixture(engine, name, {}, (student) => student.score(ROWS, SIMPLE_SCORES));
    const adapted = await withFixture(engine, name, { method: LORA }, (student) => student.score(ROWS, SIMPLE_SCORES));
    expect(adapted).toEqual(plain);
  });

  test("with a trained adapter merged scores as with it beside", async () => {
    const adapter = sourceOf(changeTensors(adapterFiles(name), "adapter_model.safetensors", randomB), "adapter");
    const plain = await withFixture(engine, name, {}, (student) => student.score(ROWS, ["loss"]));
    const beside = await withFixture(engine, name, { adapter }, (student) => student.score(ROWS, ["loss"]));
    const merged = await withFixture(engine, name, { adapter, method: { method: "full" } }, async (student) => {
      expect(student.parameters.trainable).toBe(student.parameters.total);
      return student.score(ROWS, ["loss"]);
    });
    beside.forEach((row, i) => expect(Math.abs(row.loss! - merged[i]!.loss!)).toBeLessThan(1e-5));
    expect(Math.max(...beside.map((row, i) => Math.abs(row.loss! - plain[i]!.loss!)))).toBeGreaterThan(1e-3);
  });
});

describe("scores", () => {
  test("do not depend on the batch size nor on the neighbours, and come in the order of the rows", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const all = await student.score(ROWS, SIMPLE_SCORES, { batchSize: 16 });
      const expectAll = (other: readonly ScoreRow[]): void => {
        expect(other.length).toBe(all.length);
        other.forEach((row, i) => {
          expect(row.tokens).toBe(all[i]!.tokens);
          for (const key of SIMPLE_SCORES)
            expect(Math.abs(row[key]! - all[i]![key]!), `${key} of row ${i}`).toBeLessThan(2e-5);
        });
      };
      for (const batchSize of [1, 3]) expectAll(await student.score(ROWS, SIMPLE_SCORES, { batchSize }));
      const reversed = await student.score([...ROWS].reverse(), SIMPLE_SCORES, { batchSize: 16 });
      expectAll(reversed.reverse());
      expect(await student.score(ROWS, SIMPLE_SCORES, { batchSize: 16 })).toEqual(all);
    });
  });

  test("lossSum is loss times tokens; asking for one score gives that one only", async () => {
    await withFixture(engine, "gpt2-prefixed", {}, async (student) => {
      for (const row of await student.score(ROWS, ["loss", "lossSum"]))
        expect(row.lossSum! / row.tokens).toBeCloseTo(row.loss!, 6);
      expect(Object.keys((await student.score(ROWS.slice(0, 1), ["margin"]))[0]!).sort()).toEqual([
        "id",
        "margin",
        "tokens",
      ]);
    });
  });

  test("rows without an id are numbered from 1, progress ends at all rows", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const seen: number[] = [];
      const rows = await student.score([{ prompt: "a", completion: "b", id: "named" }, ...ROWS], ["loss"], {
        batchSize: 4,
        onProgress: (done, total) => seen.push(done / total),
      });
      expect(rows.map((row) => row.id).slice(0, 3)).toEqual(["named", "2", "3"]);
      expect(seen.at(-1)).toBe(1);
    });
  });

  test("weights that are not numbers are an error naming the row, not a score", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const values = new Map(await student.snapshot());
      values.set(NORM, new Float32Array(24).fill(NaN));
      await student.restore(values);
      await expect(student.score([{ id: "seven", text: "Rain." }], ["loss"])).rejects.toMatchObject({
        code: "non-finite",
        message: expect.stringMatching(/row "seven": expected a finite loss, got NaN/) as string,
      });
    });
  });

  test("an aborted signal stops between batches", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const abort = new AbortController();
      await expect(
        student.score(ROWS, ["loss"], { batchSize: 1, signal: abort.signal, onProgress: () => abort.abort() }),
      ).rejects.toMatchObject({ code: "aborted" });
    });
  });

  test("rows over the context are an error naming the row, or lose the left of their prompt", async () => {
    await withFixture(engine, "gpt2-prefixed", {}, async (student) => {
      const long = { id: "long", prompt: "one two three ".repeat(30), completion: " 15" };
      await expect(student.score([...ROWS, long], ["loss"])).rejects.toThrow(
        /row "long": expected at most 64 tokens.*--truncate/,
      );
      const [cut] = await student.score([long], ["loss"], { truncate: true });
      const encoded = student.encode(long, { truncate: true });
      expect(encoded.ids).toHaveLength(64);
      expect(cut!.tokens).toBe(encoded.completionTokens);
      await expect(
        student.score([{ id: "long", prompt: "", completion: "one two three ".repeat(60) }], ["loss"], {
          truncate: true,
        }),
      ).rejects.toThrow(/row "long".*completion is never cut/);
    });
  });
});

describe("weights", () => {
  test("snapshot, restore and reset", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const before = await student.snapshot();
      const base = await student.score(ROWS, ["loss"]);
      for await (const _ of student.train(ROWS, { ...TRAIN_OPTIONS, steps: 2 })) void _;
      const trained = await student.score(ROWS, ["loss"]);
      const after = await student.snapshot();
      expect(trained).not.toEqual(base);
      await student.reset();
      expect(await student.snapshot()).toEqual(before);
      expect(await student.score(ROWS, ["loss"])).toEqual(base);
      await student.restore(after);
      expect(await student.score(ROWS, ["loss"])).toEqual(trained);
    });
  });

  test("a restore that does not fit changes nothing", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const before = await student.snapshot();
      const missing = new Map([...before].map(([name, values]) => [name, values.map((value) => value + 1)]));
      missing.delete(NORM);
      await expect(student.restore(missing)).rejects.toThrow(/a value for 'model.norm.weight', got none/);
      await expect(student.restore(new Map(before).set(NORM, new Float32Array(3)))).rejects.toThrow(
        /'model.norm.weight': expected 24 values/,
      );
      await expect(student.restore(new Map(before).set("other", new Float32Array(3)))).rejects.toThrow(
        /one for 'other'/,
      );
      expect(await student.snapshot()).toEqual(before);
    });
  });
});

describe("training refuses and stays usable", () => {
  const run = async (generator: AsyncGenerator<unknown, void, void>): Promise<number> => {
    let steps = 0;
    for await (const _ of generator) steps++;
    return steps;
  };

  test("bad rows or options first, then good ones", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      await expect(run(student.train([], TRAIN_OPTIONS))).rejects.toThrow(/training data: expected at least one row/);
      await expect(
        run(student.train([{ id: "x", prompt: "a ".repeat(200), completion: "b" }], TRAIN_OPTIONS)),
      ).rejects.toThrow(/row "x"/);
      await expect(run(student.train(ROWS, { ...TRAIN_OPTIONS, batchSize: 0 }))).rejects.toThrow(
        /batchSize: expected a positive integer/,
      );
      expect(await run(student.train(ROWS, { ...TRAIN_OPTIONS, steps: 1 }))).toBe(1);
    });
  });

  test("a second training while one is going on; ending the first early frees it", async () => {
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const first = student.train(ROWS, TRAIN_OPTIONS);
      await first.next();
      await expect(run(student.train(ROWS, TRAIN_OPTIONS))).rejects.toThrow(/one training at a time/);
      await first.return();
      expect(await run(student.train(ROWS, { ...TRAIN_OPTIONS, steps: 1 }))).toBe(1);
    });
  });
});

test("after dispose everything says so, and a second dispose does nothing", async () => {
  const student = await openStudent(engine, { source: sourceOf(studentFiles("llama-gqa-tied")) });
  await student.dispose();
  await student.dispose();
  const calls: readonly (() => Promise<unknown>)[] = [
    () => student.score(ROWS, ["loss"]),
    () => student.generate(["a"], { maxNewTokens: 1 }),
    () => student.snapshot(),
    () => student.restore(new Map()),
    () => student.reset(),
    () => student.train(ROWS, TRAIN_OPTIONS).next(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "disposed" });
});
