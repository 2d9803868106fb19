/**
 * @file What the commands print and write, in this process: records on stdout and nothing
 * else, options that mean what they say, unusual but valid input, results that load back.
 */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent, type LanguageModel, type OpenStudentOptions } from "../../src/student/student.ts";
import { SIMPLE_SCORES, type ExampleRow, type TrainOptions } from "../../src/student/types.ts";
import { fixtureNames, goldenRows, loadGolden, rowsPath, studentDirectory } from "../support/goldens.ts";
import { CPU, runCli, Workspace, type CliResult } from "../support/runCli.ts";
import { ROWS } from "../support/studentFiles.ts";

const STUDENT = studentDirectory("llama-gqa-tied");
let space: Workspace;
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => engine.dispose());
beforeEach(() => {
  space = new Workspace();
});
afterEach(() => space.remove());

/** A command that succeeds. */
async function run(...args: readonly string[]): Promise<CliResult> {
  const result = await runCli(args);
  expect(result.err).not.toMatch(/^tutelage/m);
  expect(result.status).toBe(0);
  return result;
}

async function withStudent<T>(
  directory: string,
  open: Omit<OpenStudentOptions, "source">,
  body: (student: LanguageModel) => Promise<T>,
): Promise<T> {
  const student = await openStudent(engine, { source: directorySource(directory), ...open });
  try {
    return await body(student);
  } finally {
    await student.dispose();
  }
}

const score = (data: string, ...more: readonly string[]) =>
  run("score", "--student", STUDENT, "--data", data, ...CPU, ...more);

describe("score", () => {
  test.each(fixtureNames())("%s: prints the reference's token counts and losses", async (name) => {
    const golden = loadGolden(name);
    const { records } = await run(
      "score",
      "--student",
      studentDirectory(name),
      "--data",
      rowsPath(golden),
      "--scores",
      SIMPLE_SCORES.join(),
      ...CPU,
    );
    expect(records).toHaveLength(golden.scores.length);
    records.forEach((record, i) => {
      const expected = golden.scores[i]!;
      expect(record["id"]).toBe(expected.id);
      expect(record["tokens"]).toBe(expected.completionTokens);
      for (const key of SIMPLE_SCORES)
        expect(
          Math.abs((record[key] as number) - expected[key]) / (key === "lossSum" ? expected.completionTokens : 1),
          key,
        ).toBeLessThan(5e-5);
    });
  });

  test("prints one record a row, in order, with the scores that were asked for in that order", async () => {
    const data = space.rows("data.jsonl", ROWS);
    const { out, records, err } = await score(data, "--scores", "el2n, loss");
    expect(records.map((record) => record["id"])).toEqual(ROWS.map((_, i) => String(i + 1)));
    for (const record of records) expect(Object.keys(record)).toEqual(["id", "tokens", "el2n", "loss"]);
    expect(out.endsWith("}\n")).toBe(true);
    expect(err).toMatch(/^engine: cpu \(onnxruntime-node [\d.]+, 1 threads\)\n$/);
    expect(Object.keys((await score(data)).records[0]!)).toEqual(["id", "tokens", "loss", "lossSum"]);
  });

  test("does not depend on the batch size, nor on the provider beyond rounding", async () => {
    const data = space.rows("data.jsonl", ROWS);
    const losses = async (...more: readonly string[]) =>
      (await score(data, ...more)).records.map((record) => record["loss"] as number);
    const expected = await losses();
    for (const more of [
      ["--batch-size", "1"],
      ["--batch-size", "3"],
      ["--batch-size", "1000"],
      ["--ep", "wasm"],
    ]) {
      (await losses(...more)).forEach((loss, i) => expect(Math.abs(loss - expected[i]!)).toBeLessThan(2e-5));
    }
  });

  test("reads what is unusual and valid: a byte order mark, CRLF, blank lines, number ids, other scripts, other fields, empty texts", async () => {
    const rows = [
      { id: 7, prompt: "Zoë naïve 5½", completion: " 中文 😀 café" },
      { id: 2.5, text: "e\u0301 \u200b tab\t\u00a0end" },
      { prompt: "", completion: "" },
      { prompt: "", completion: "x", extra: { deep: [1] } },
      { text: "" },
      { id: null, prompt: "a", completion: "\n\n" },
      { id: "🦆", text: "quack" },
    ];
    const clean = await score(space.rows("clean.jsonl", rows));
    expect(clean.records.map((record) => record["id"])).toEqual(["7", "2.5", "3", "4", "5", "6", "🦆"]);
    for (const record of clean.records) expect(Number.isFinite(record["loss"])).toBe(true);
    const odd = await score(
      space.write("odd.jsonl", `\ufeff\r\n${rows.map((row) => `  ${JSON.stringify(row)} \r\n`).join("\r\n")}`),
    );
    expect(odd.out).toBe(clean.out);
    const noEnd = await score(space.write("noEnd.jsonl", rows.map((row) => JSON.stringify(row)).join("\n")));
    expect(noEnd.out).toBe(clean.out);
  });

  test("a prompt of one token, a completion of none but the end of sequence", async () => {
    const { records } = await score(
      space.rows("data.jsonl", [
        { prompt: "", completion: "a" },
        { prompt: "a", completion: "" },
      ]),
    );
    expect(records[1]!["tokens"]).toBe(1);
  });

  test("--truncate drops the left of the prompt and says so", async () => {
    const long = { id: "long", prompt: "The old farmer ".repeat(40), completion: " sat." };
    const data = space.rows("data.jsonl", [{ text: "Rain." }, long]);
    const { records, err } = await score(data, "--truncate");
    expect(err).toMatch(/warning: data: 1 of 2 prompts were cut from the left to fit 96 tokens/);
    const expected = await withStudent(STUDENT, {}, (student) => student.score([long], ["loss"], { truncate: true }));
    expect(records[1]).toMatchObject({ id: "long", tokens: expected[0]!.tokens });
    expect(records[1]!["loss"] as number).toBeCloseTo(expected[0]!.loss!, 4);
  });

  test("on a terminal prints lines for people, with --json records", async () => {
    const data = space.rows("data.jsonl", ROWS.slice(0, 2));
    const args = ["score", "--student", STUDENT, "--data", data, ...CPU];
    const people = await runCli(args, { terminal: true });
    expect(people.out).toMatch(/^1 {2}\d+ tokens {2}loss \d+\.\d{4} {2}lossSum \d+\.\d{4}\n2 {2}/);
    expect((await runCli([...args, "--json"], { terminal: true })).records).toHaveLength(2);
  });
});

describe("generate", () => {
  const generate = (prompts: string, ...more: readonly string[]) =>
    run("generate", "--student", STUDENT, "--prompts", prompts, ...CPU, ...more);

  test("prints what the student says, in order", async () => {
    const texts = ["Tom has", "One", "She did not like the rain and"];
    const prompts = space.rows("prompts.jsonl", [
      { id: "a", prompt: texts[0] },
      { prompt: texts[1], completion: "ignored" },
      { id: 9, prompt: texts[2] },
    ]);
    const { records } = await generate(prompts, "--max-new-tokens", "9");
    const expected = await withStudent(STUDENT, {}, (student) => student.generate(texts, { maxNewTokens: 9 }));
    expect(records).toEqual(
      expected.map(({ completion, tokens, finishReason }, i) => ({
        id: ["a", "2", "9"][i],
        completion,
        tokens,
        finishReason,
      })),
    );
    expect((await generate(prompts, "--max-new-tokens", "9", "--batch-size", "1")).records).toEqual(records);
  });

  test("sampling follows the seed, and a temperature of zero is greedy", async () => {
    const prompts = space.rows("prompts.jsonl", [{ prompt: "Tom has" }, { prompt: "One" }]);
    const sampled = async (...more: readonly string[]) =>
      (await generate(prompts, "--max-new-tokens", "12", ...more)).out;
    const hot = ["--temperature", "1.2", "--top-p", "0.9"];
    expect(await sampled(...hot, "--seed", "5")).toBe(await sampled(...hot, "--seed", "5", "--batch-size", "1"));
    expect(await sampled(...hot, "--seed", "5")).not.toBe(await sampled(...hot, "--seed", "6"));
    expect(await sampled("--temperature", "0", "--seed", "5")).toBe(await sampled());
    const expected = await withStudent(STUDENT, {}, (student) =>
      student.generate(["Tom has", "One"], {
        maxNewTokens: 12,
        temperature: 1.2,
        topP: 0.9,
        rng: new Rng(5).fork("generate"),
      }),
    );
    expect(
      (await generate(prompts, "--max-new-tokens", "12", ...hot, "--seed", "5")).records.map(
        (record) => record["completion"],
      ),
    ).toEqual(expected.map((row) => row.completion));
  });

  test("an empty prompt starts from the beginning-of-sequence token", async () => {
    const { records } = await generate(space.rows("prompts.jsonl", [{ prompt: "" }]), "--max-new-tokens", "3");
    expect(records).toHaveLength(1);
  });

  test("more tokens than the context has end at the context", async () => {
    const { records } = await generate(space.rows("prompts.jsonl", [{ prompt: "Tom" }]), "--max-new-tokens", "100000");
    expect(records[0]!["tokens"]).toBeLessThan(96);
  });
});

const LOADED = ["--scores", SIMPLE_SCORES.join(), ...CPU];

describe("train", () => {
  const train = (data: string, out: string, ...more: readonly string[]) =>
    run("train", "--student", STUDENT, "--data", data, "--out", out, ...CPU, ...more);
  const data = () => space.rows("data.jsonl", ROWS);

  const OPTIONS: TrainOptions = {
    steps: 4,
    batchSize: 3,
    gradAccum: 2,
    learningRate: 2e-3,
    scheduler: "cosine",
    warmupSteps: 1,
    weightDecay: 0.1,
    maxGradNorm: 0.5,
    shuffle: true,
    seed: 11,
  };
  const FLAGS =
    "--steps 4 --batch-size 3 --grad-accum 2 --lr 2e-3 --scheduler cosine --warmup-steps 1 --weight-decay 0.1 --max-grad-norm 0.5 --seed 11".split(
      " ",
    );

  /** Records without what depends on the clock, and the parameters at the end. */
  async function library(
    open: Omit<OpenStudentOptions, "source">,
    options: TrainOptions,
    rows: readonly ExampleRow[] = ROWS,
  ) {
    return withStudent(STUDENT, open, async (student) => {
      const records: object[] = [];
      for await (const { tokensPerSecond: _, ...record } of student.train(rows, options)) records.push(record);
      return { records, scores: await student.score(ROWS, SIMPLE_SCORES) };
    });
  }
  const withoutClock = (result: CliResult): object[] =>
    result.records.map(({ tokensPerSecond: _, ...record }) => record);

  test.each<[string, readonly string[], Partial<TrainOptions>, Omit<OpenStudentOptions, "source">]>([
    ["every option", [], {}, {}],
    ["--no-shuffle", ["--no-shuffle"], { shuffle: false }, {}],
    ["no clipping", ["--max-grad-norm", "0"], { maxGradNorm: 0 }, {}],
    ["linear", ["--scheduler", "linear"], { scheduler: "linear" }, {}],
    ["constant after a warm-up", ["--scheduler", "constant"], { scheduler: "constant" }, {}],
    ["a warm-up longer than the training", ["--warmup-steps", "9"], { warmupSteps: 9 }, {}],
    [
      "LoRA",
      ["--method", "lora", "--lora-r", "3", "--lora-alpha", "5", "--lora-targets", "q_proj, down_proj"],
      {},
      { method: { method: "lora", r: 3, loraAlpha: 5, targetModules: ["q_proj", "down_proj"] }, seed: 11 },
    ],
    [
      "LoRA on every layer",
      ["--method", "lora"],
      {},
      { method: { method: "lora", r: 8, loraAlpha: 16, targetModules: "all-linear" }, seed: 11 },
    ],
  ])("%s: takes the library's steps, and writes what loads back equal", async (_name, flags, over, open) => {
    const out = space.in("out");
    const result = await train(data(), out, ...FLAGS, ...flags);
    const expected = await library(open, { ...OPTIONS, ...over });
    expect(withoutClock(result)).toEqual(expected.records);
    for (const record of result.records) {
      expect(Object.keys(record)).toEqual(["step", "loss", "gradNorm", "lr", "tokens", "tokensPerSecond"]);
      expect(record["tokensPerSecond"]).toBeGreaterThan(0);
    }
    const loaded = flags.includes("lora") ? ["--student", STUDENT, "--adapter", out] : ["--student", out];
    expect((await run("score", ...loaded, "--data", data(), ...LOADED)).records).toEqual(expected.scores);
    expect(space.list("out")).toEqual(
      flags.includes("lora")
        ? ["adapter_config.json", "adapter_model.safetensors"]
        : ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
    );
    expect(space.list()).toEqual(["data.jsonl", "out"]);
  });

  test("defaults are those of the help", async () => {
    const result = await train(data(), space.in("out"));
    const expected = await library(
      {},
      {
        epochs: 3,
        batchSize: 8,
        gradAccum: 1,
        learningRate: 5e-5,
        scheduler: "linear",
        warmupSteps: 0,
        weightDecay: 0,
        maxGradNorm: 1,
        shuffle: true,
        seed: 0,
      },
    );
    expect(withoutClock(result)).toEqual(expected.records);
    expect(result.records).toHaveLength(6);
  });

  test.each<[string, readonly string[], number]>([
    ["half an epoch", ["--epochs", "0.5", "--batch-size", "2"], 3],
    ["a little of an epoch", ["--epochs", "0.01"], 1],
    ["one step", ["--steps", "1"], 1],
    ["a batch larger than the data", ["--epochs", "2", "--batch-size", "64"], 2],
    ["accumulation larger than the data", ["--epochs", "2", "--batch-size", "1", "--grad-accum", "64"], 2],
    ["steps beyond one epoch", ["--steps", "7", "--batch-size", "8"], 7],
    ["a rate of zero", ["--steps", "2", "--lr", "0"], 2],
  ])("%s", async (_name, flags, steps) => {
    const { records } = await train(data(), space.in("out"), ...flags);
    expect(records.map((record) => record["step"])).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
    for (const record of records) for (const value of Object.values(record)) expect(Number.isFinite(value)).toBe(true);
  });

  test("unusual and valid rows", async () => {
    const rows = [
      { id: 1, prompt: "Zoë 5½", completion: " 中文 😀" },
      { text: "Rain." },
      { prompt: "a", completion: "" },
      { prompt: "", completion: "b" },
    ];
    const file = space.write("odd.jsonl", `\ufeff${rows.map((row) => JSON.stringify(row)).join("\r\n\r\n")}`);
    const { records } = await train(file, space.in("out"), "--steps", "3", "--batch-size", "2");
    expect(records).toHaveLength(3);
  });

  test("an adapter goes on, and is merged for full training", async () => {
    await train(data(), space.in("first"), ...FLAGS, "--method", "lora", "--lora-targets", "v_proj");
    const adapter = ["--adapter", space.in("first")];
    await train(data(), space.in("second"), ...FLAGS, "--method", "lora", ...adapter);
    const config = JSON.parse(readFileSync(space.in("second", "adapter_config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(config).toMatchObject({
      target_modules: ["v_proj"],
      r: 8,
      lora_alpha: 16,
      base_model_name_or_path: STUDENT,
    });
    const losses = async (...more: readonly string[]) =>
      (await run("score", "--data", data(), ...CPU, ...more)).records.map((record) => record["loss"] as number);
    // A rate of zero: the full student is the merged adapter.
    await train(data(), space.in("merged"), "--steps", "1", "--lr", "0", ...adapter);
    const merged = await losses("--student", space.in("merged"));
    const beside = await losses("--student", STUDENT, ...adapter);
    merged.forEach((loss, i) => expect(Math.abs(loss - beside[i]!)).toBeLessThan(1e-5));
    expect(await losses("--student", STUDENT, "--adapter", space.in("second"))).not.toEqual(beside);
  });

  test("an output of the same kind is replaced whole", async () => {
    const out = space.in("out");
    await train(data(), out, "--steps", "1", "--lr", "0");
    const before = readFileSync(space.in("out", "model.safetensors"));
    await train(data(), out, "--steps", "1", "--lr", "1e-2");
    expect(readFileSync(space.in("out", "model.safetensors")).equals(before)).toBe(false);
    expect(space.list()).toEqual(["data.jsonl", "out"]);
  });

  test("a training that fails leaves nothing, and an older output as it was", async () => {
    const out = space.in("out");
    await train(data(), out, "--steps", "1");
    const before = readFileSync(space.in("out", "model.safetensors"));
    for (const directory of [out, space.in("new")]) {
      const failed = await runCli([
        "train",
        "--student",
        STUDENT,
        "--data",
        data(),
        "--out",
        directory,
        ...CPU,
        "--steps",
        "20",
        "--lr",
        "1e30",
        "--scheduler",
        "constant",
      ]);
      expect(failed.status).toBe(1);
      expect(failed.err).toMatch(
        /tutelage: training step \d+: expected a finite loss and gradient norm.*try a lower learning rate/,
      );
      expect(failed.records.length).toBeGreaterThan(0);
    }
    expect(readFileSync(space.in("out", "model.safetensors")).equals(before)).toBe(true);
    expect(space.list()).toEqual(["data.jsonl", "out"]);
  });

  test.each(fixtureNames())("%s: rows of the reference train on it", async (name) => {
    const golden = loadGolden(name);
    const result = await run(
      "train",
      "--student",
      studentDirectory(name),
      "--data",
      rowsPath(golden),
      "--out",
      space.in("out"),
      "--steps",
      "2",
      "--batch-size",
      "2",
      ...CPU,
    );
    expect(result.records).toHaveLength(2);
    expect((await run("score", "--student", space.in("out"), "--data", rowsPath(golden), ...CPU)).records).toHaveLength(
      goldenRows(golden).length,
    );
  });
});
