/**
 * @file Bad input to the commands: exit status 2 (1 for what only shows while running),
 * a message that says where, what was expected, what was got; no stack trace, nothing on
 * stdout, nothing written.
 */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adapterDirectory, studentDirectory } from "../support/goldens.ts";
import { CPU, runCli, Workspace, type CliResult } from "../support/runCli.ts";
import { changeJson, changeTensors, studentFiles, type Files } from "../support/studentFiles.ts";

const STUDENT = studentDirectory("llama-gqa-tied");
const space = new Workspace();
let data: string;
let prompts: string;
beforeAll(() => {
  data = space.rows("data.jsonl", [
    { prompt: "Tom", completion: " has 3" },
    { id: "rain", text: "Rain." },
  ]);
  prompts = space.rows("prompts.jsonl", [{ prompt: "Tom" }]);
  mkdirSync(space.in("folder"));
  writeFileSync(space.in("folder", "notes.txt"), "mine");
  symlinkSync("circle", space.in("circle"));
});
afterAll(() => space.remove());

function expectBad(result: CliResult, message: RegExp, status = 2): void {
  expect(result.err).toMatch(message);
  expect(result.status).toBe(status);
  expect(result.out).toBe("");
  // One message, and no trace of where in the program it arose.
  expect(result.err.split("\n").filter((line) => line.startsWith("tutelage"))).toHaveLength(1);
  expect(result.err).not.toMatch(/\n\s+at |internal error/);
}

/** `{data}` and the like stand for paths that exist only while the test runs. */
const fill = (args: readonly string[]): string[] =>
  args.map((arg) =>
    arg
      .replace("{student}", STUDENT)
      .replace("{data}", data)
      .replace("{prompts}", prompts)
      .replace(/\{(.+)\}/, (_, name: string) => space.in(name)),
  );

const score = (...more: readonly string[]): string[] => [
  "score",
  "--student",
  "{student}",
  "--data",
  "{data}",
  ...CPU,
  ...more,
];
const train = (...more: readonly string[]): string[] => [
  "train",
  "--student",
  "{student}",
  "--data",
  "{data}",
  "--out",
  "{out}",
  ...CPU,
  ...more,
];
const generate = (...more: readonly string[]): string[] => [
  "generate",
  "--student",
  "{student}",
  "--prompts",
  "{prompts}",
  ...CPU,
  ...more,
];

describe("paths", () => {
  test.each<[string, string[], RegExp]>([
    [
      "a data file that is missing",
      score("--data", "{none.jsonl}"),
      /none\.jsonl: expected a readable file, got ENOENT/,
    ],
    ["a data file that is a directory", score("--data", "{folder}"), /folder: expected a readable file, got EISDIR/],
    ["a data file that cannot be opened", score("--data", "{circle}"), /circle: expected a readable file, got ELOOP/],
    ["a data file without a name", score("--data", ""), /--data: expected a value \(FILE\), got none/],
    [
      "a student that is missing",
      score("--student", "{none}"),
      /none: expected a file config\.json, got no such directory\. A student directory holds/,
    ],
    [
      "a student that is a file",
      score("--student", "{data}"),
      /expected a file config\.json, got a file instead of a directory/,
    ],
    [
      "a student that is another folder",
      score("--student", "{folder}"),
      /folder: expected a file config\.json, got no such file/,
    ],
    ["a student without a name", score("--student", ""), /--student: expected a value \(DIR\|ID\), got none/],
    ["an adapter that is missing", score("--adapter", "{none}"), /none: expected a file adapter_config\.json/],
    ["an adapter that is a student", score("--adapter", "{student}"), /expected a file adapter_config\.json/],
    ["an adapter without a name", score("--adapter", ""), /--adapter: expected a value \(DIR\|ID\), got none/],
    ["prompts that are missing", generate("--prompts", "{none.jsonl}"), /none\.jsonl: expected a readable file/],
    ["prompts that are a directory", generate("--prompts", "{folder}"), /folder: expected a readable file/],
    ["training data that is a directory", train("--data", "{folder}"), /folder: expected a readable file/],
    [
      "an output that is a file",
      train("--out", "{data}"),
      /data\.jsonl: expected a directory, or nothing yet, got a file of that name/,
    ],
    [
      "an output that holds other files",
      train("--out", "{folder}"),
      /folder: expected a new or empty directory.*got 1 other file\(s\), notes\.txt/,
    ],
    [
      "an output inside a file",
      train("--out", "{data.jsonl}/deeper"),
      /data\.jsonl\/deeper: expected a directory that can be made/,
    ],
    ["an output that is the student", train("--out", "{student}"), /--out: expected another directory than --student/],
    ["an output without a name", train("--out", ""), /--out: expected a value \(DIR\), got none/],
    ["an experiment that is missing", ["loop", "{none.json}", ...CPU], /none\.json: expected a readable file/],
    ["an experiment that is a directory", ["loop", "{folder}", ...CPU], /folder: expected a readable file/],
    ["an experiment that is not JSON", ["loop", "{data}", ...CPU], /data\.jsonl: expected valid JSON/],
    ["a run to resume that is missing", ["loop", "--resume", "{none}", ...CPU], /none: expected a run folder/],
    ["a run to resume that is a file", ["loop", "--resume", "{data}", ...CPU], /data\.jsonl.*ENOTDIR/],
    [
      "a loop's student that is missing",
      ["loop", "--student", "{none}", "--out", "{run}", ...CPU],
      /none: expected a file config\.json, got no such directory/,
    ],
    ["a state to resume that is missing", train("--resume-state", "{none}"), /none: expected a training state/],
    [
      "a state to save that is a file",
      train("--save-state", "{data}"),
      /data\.jsonl: expected a directory, or nothing yet/,
    ],
  ])("%s", async (_name, args, message) => {
    const before = space.list();
    expectBad(await runCli(fill(args)), message);
    expect(space.list()).toEqual(before);
  });
});

describe("options", () => {
  test.each<[string, string[], RegExp]>([
    ["another provider", score("--ep", "cuda"), /--ep: expected one of cpu, wasm, webgpu, got "cuda"/],
    ["no threads", score("--threads", "0"), /--threads: expected a whole number from 1 to 256, got "0"/],
    ["a seed that is no number", score("--seed", "lucky"), /--seed: expected a whole number, got "lucky"/],
    [
      "an unknown score",
      score("--scores", "loss,wit"),
      /--scores: expected names among loss, lossSum, entropy, margin, leastConfidence, el2n, ifd, gradNorm, got "wit"/,
    ],
    ["no scores", score("--scores", ""), /--scores: expected a value/],
    ["an empty score", score("--scores", "loss,"), /--scores: expected names among/],
    ["a batch of none", score("--batch-size", "0"), /--batch-size: expected a whole number ≥ 1, got "0"/],
    ["half a row", score("--batch-size", "1.5"), /--batch-size: expected a whole number ≥ 1, got "1.5"/],
    ["a file argument", [...score(), "extra"], /tutelage score: expected at most 0 file arguments, got extra/],
    ["an option of another command", score("--lr", "1"), /Unknown option '--lr'/],
    ["a batch of none to train on", train("--batch-size", "0"), /--batch-size: expected a whole number ≥ 1/],
    ["no accumulation", train("--grad-accum", "0"), /--grad-accum: expected a whole number ≥ 1/],
    ["a negative rate", train("--lr", "-1"), /--lr: expected a number ≥ 0, got "-1"/],
    [
      "an unknown schedule",
      train("--scheduler", "step"),
      /--scheduler: expected one of constant, constant_with_warmup, linear, cosine, got "step"/,
    ],
    ["a negative warm-up", train("--warmup-steps", "-1"), /--warmup-steps: expected a whole number ≥ 0/],
    ["a negative decay", train("--weight-decay", "-0.1"), /--weight-decay: expected a number ≥ 0/],
    ["a negative norm", train("--max-grad-norm", "-1"), /--max-grad-norm: expected a number ≥ 0/],
    ["no steps", train("--steps", "0"), /--steps: expected a whole number ≥ 1/],
    ["no epochs", train("--epochs", "0"), /training length: expected at least one step/],
    [
      "steps and epochs",
      train("--steps", "1", "--epochs", "1"),
      /--epochs and --steps: expected one of them, got both/,
    ],
    ["an unknown method", train("--method", "qlora"), /--method: expected one of full, lora, got "qlora"/],
    [
      "LoRA settings without LoRA",
      train("--lora-r", "4"),
      /--lora-r: expected --method lora beside it, got --method full/,
    ],
    [
      "LoRA settings beside an adapter",
      train("--method", "lora", "--adapter", adapterDirectory("llama-gqa-tied"), "--lora-alpha", "4"),
      /--lora-alpha: expected no LoRA setting beside --adapter/,
    ],
    ["a rank of zero", train("--method", "lora", "--lora-r", "0"), /--lora-r: expected a whole number from 1 to 65536/],
    ["a negative alpha", train("--method", "lora", "--lora-alpha", "-4"), /--lora-alpha: expected a number ≥ 0/],
    [
      "a target that no layer has",
      train("--method", "lora", "--lora-targets", "q_proj,c_attn"),
      /LoRA target modules: expected names of linear layers \(q_proj, .*\) or all-linear, got "c_attn"/,
    ],
    ["no target", train("--method", "lora", "--lora-targets", ""), /--lora-targets: expected a value/],
    [
      "saving often to nowhere",
      train("--save-every", "2"),
      /--save-every: expected --save-state DIR beside it, got none/,
    ],
    [
      "stopping without a state",
      train("--stop-after", "2"),
      /--stop-after: expected --save-state DIR beside it, got none/,
    ],
    [
      "a state in the place of the output",
      train("--save-state", "{out}"),
      /--save-state: expected another directory than --out/,
    ],
    ["no new tokens", generate("--max-new-tokens", "0"), /--max-new-tokens: expected a whole number ≥ 1/],
    ["a negative temperature", generate("--temperature", "-1"), /--temperature: expected a number ≥ 0/],
    ["a nucleus of nothing", generate("--top-p", "0"), /top-p: expected a number in \(0, 1\], got 0/],
    ["a nucleus of more than all", generate("--top-p", "1.5"), /--top-p: expected a number from 0 to 1, got "1.5"/],
  ])("%s", async (_name, args, message) => {
    const before = space.list();
    expectBad(await runCli(fill(args)), message);
    expect(space.list()).toEqual(before);
  });

  test.each([
    ["score", "--data"],
    ["score", "--student"],
    ["train", "--out"],
    ["generate", "--prompts"],
  ])("%s without %s", async (command, name) => {
    const args = fill(command === "score" ? score() : command === "train" ? train() : generate());
    const at = args.indexOf(name);
    expectBad(
      await runCli(args.toSpliced(at, 2)),
      new RegExp(
        `tutelage ${command}: expected option ${name} (DIR|DIR\\|ID|FILE), got none\\. See: tutelage ${command} --help`,
      ),
    );
  });
});

describe("rows", () => {
  const context = "The old farmer ".repeat(40);
  test.each<[string, string | Uint8Array, RegExp]>([
    ["nothing", "", /rows\.jsonl: expected at least one row, got no data/],
    ["blank lines", "\n  \r\n", /rows\.jsonl: expected at least one row/],
    [
      "half a line",
      '{"text":"a"}\n{"prompt":"a"',
      /rows\.jsonl:2: expected one JSON object on the line, got \{"prompt":"a"/,
    ],
    ["a list", "[1]", /rows\.jsonl:1: expected a JSON object, got a list of 1/],
    [
      "other fields",
      '{"question":"a"}',
      /rows\.jsonl:1: expected a row with "prompt" and "completion", with "messages", or with "text", got the fields question/,
    ],
    ["a prompt alone", '{"prompt":"a"}', /rows\.jsonl:1: completion: expected a string, got nothing/],
    ["a number as text", '{"text":5}', /rows\.jsonl:1: text: expected a string, got number 5/],
    ["no message", '{"messages":[]}', /rows\.jsonl:1: messages: expected at least one message, got an empty list/],
    [
      "a chat for a student without a template",
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}',
      /expected a chat template \(chat_template\.jinja, .*\) for rows with messages, got none/,
    ],
    [
      "an id twice",
      '{"id":"x","text":"a"}\n{"id":"x","text":"b"}',
      /rows\.jsonl:2: expected an id that no other row has, got "x", which line 1 has/,
    ],
    ["an id of another kind", '{"id":true,"text":"a"}', /rows\.jsonl:1: id: expected a string or a number/],
    ["bytes that are not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), /rows\.jsonl: expected UTF-8 text/],
    [
      "half a character",
      '{"text":"\\ud800"}',
      /rows\.jsonl:1: text: expected well-formed Unicode, got a lone surrogate/,
    ],
    [
      "a row over the context",
      `{"id":"long","prompt":${JSON.stringify(context)},"completion":" b"}`,
      /row "long": expected at most 96 tokens \(the student's context\), got \d+ .*--truncate/,
    ],
    [
      "a text over the context",
      `{"text":"a"}\n{"text":${JSON.stringify(context)}}`,
      /row "2": expected at most 96 tokens/,
    ],
  ])("%s", async (_name, rows, message) => {
    const file = space.write("rows.jsonl", rows);
    const before = space.list();
    expectBad(await runCli(fill(score("--data", file))), message);
    expectBad(await runCli(fill(train("--data", file))), message);
    expect(space.list()).toEqual(before);
  });

  test("train --excess-length drop leaves such rows out, says how many, and refuses when none is left", async () => {
    const long = { id: "long", prompt: context, completion: " b" };
    const file = space.rows("rows.jsonl", [{ text: "a b" }, long, { text: "b a" }]);
    const more = ["--estimate", "--excess-length", "drop"];
    const one = await runCli(fill(train("--data", file, ...more)));
    expect(one.status).toBe(0);
    expect(one.err).toContain("warning: dropped 1 of 3 rows, longer than the context; the first: long");
    const none = space.rows("rows.jsonl", [long]);
    expectBad(await runCli(fill(train("--data", none, ...more))), /--data: expected rows that fit/);
    // Another fault of a row is no reason to leave it out.
    const empty = space.rows("rows.jsonl", [{ text: "a" }, { messages: [{ role: "user", content: "a" }] }]);
    expect((await runCli(fill(train("--data", empty, ...more)))).status).toBe(2);
    expectBad(await runCli(fill(train("--data", file, ...more, "--truncate"))), /no drop with --truncate/);
  });

  test("a completion over the context, even when prompts may be cut", async () => {
    const file = space.rows("rows.jsonl", [{ id: "long", prompt: "", completion: context }]);
    expectBad(
      await runCli(fill(score("--data", file, "--truncate"))),
      /row "long": expected a completion of at most 96 tokens.*never cut/,
    );
  });

  test("a prompt that leaves no room", async () => {
    const file = space.rows("rows.jsonl", [{ prompt: "a" }, { prompt: context }]);
    expectBad(
      await runCli(fill(generate("--prompts", file))),
      /prompt 2: expected at most 95 tokens, got \d+ tokens\. Shorten the prompt/,
    );
  });
});

describe("students", () => {
  const write = (files: Files): string => {
    const directory = space.in("student");
    cpSync(STUDENT, directory, { recursive: true, force: true });
    for (const [name, content] of files) writeFileSync(`${directory}/${name}`, content);
    return directory;
  };
  const llama = (): Files => studentFiles("llama-gqa-tied");
  /** The weights file with another header, written as its author would lie. */
  const lying = (
    change: (header: Record<string, { data_offsets: number[]; shape: number[]; dtype: string }>) => void,
  ): Files => {
    const bytes = llama().get("model.safetensors") as Uint8Array;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Parameters<typeof change>[0];
    change(header);
    const text = new TextEncoder().encode(JSON.stringify(header));
    const out = new Uint8Array(8 + text.length + bytes.length - 8 - length);
    new DataView(out.buffer).setUint32(0, text.length, true);
    out.set(text, 8);
    out.set(bytes.subarray(8 + length), 8 + text.length);
    return llama().set("model.safetensors", out);
  };
  const withHeaderLength = (length: bigint): Files => {
    const bytes = (llama().get("model.safetensors") as Uint8Array).slice();
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    return llama().set("model.safetensors", bytes);
  };

  test.each<[string, () => Files, RegExp]>([
    ["a malformed config", () => llama().set("config.json", "{,}"), /config\.json: expected valid JSON/],
    ["a config that is a list", () => llama().set("config.json", "[]"), /config\.json: expected a JSON object/],
    [
      "an unknown architecture",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, model_type: "mamba" })),
      /'model_type': expected one of llama, mistral, qwen2, qwen3, gemma2, gemma3_text, phi, gpt2, gpt_neox, got "mamba"/,
    ],
    ["a malformed tokenizer", () => llama().set("tokenizer.json", "{"), /tokenizer\.json: expected valid JSON/],
    [
      "a vocabulary of another size",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, vocab_size: 60 })),
      /a tokenizer of at most 60 tokens .*got 85 tokens/,
    ],
    [
      "layers that are not there",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, num_hidden_layers: 3 })),
      /all 29 parameters of a llama model, got 9 missing: model\.layers\.2/,
    ],
    [
      "a billion layers",
      () => changeJson(llama(), "config.json", (json) => ({ ...json, num_hidden_layers: 1e9 })),
      /'num_hidden_layers': expected at most 1024/,
    ],
    [
      "weights of nothing",
      () => llama().set("model.safetensors", ""),
      /model\.safetensors: expected a safetensors file of at least 8 bytes, got 0 bytes/,
    ],
    [
      "a header longer than the file",
      () => withHeaderLength(60_000n),
      /model\.safetensors: expected a header within the file's \d+ bytes, got header length 60000/,
    ],
    ["a header of 2^60 bytes", () => withHeaderLength(2n ** 60n), /a safetensors header of at most 100000000 bytes/],
    ["tensors that overlap", () => lying((header) => (header["model.norm.weight"]!.data_offsets = [0, 96])), /overlap/],
    [
      "a tensor beyond the end",
      () => lying((header) => (header["model.norm.weight"]!.data_offsets = [10_000_000, 10_000_096])),
      /model\.norm\.weight.*(data within the file|hole)/,
    ],
    [
      "a shape that does not fit its bytes",
      () => lying((header) => (header["model.norm.weight"]!.shape = [23])),
      /model\.norm\.weight.*expected 92 bytes for F32 \[23\]/,
    ],
    [
      "a shape of 2^80 elements",
      () => lying((header) => (header["model.norm.weight"]!.shape = [2 ** 40, 2 ** 40])),
      /model\.norm\.weight.*below 2\^53/,
    ],
    [
      "another dtype",
      () => lying((header) => (header["model.norm.weight"]!.dtype = "F64")),
      /model\.norm\.weight.*192 bytes for F64/,
    ],
    [
      "an unknown dtype",
      () => lying((header) => (header["model.norm.weight"]!.dtype = "F4")),
      /model\.norm\.weight.*a dtype of/,
    ],
    [
      "integers",
      () =>
        changeTensors(llama(), "model.safetensors", (tensors) =>
          tensors.set("model.norm.weight", { type: "int32", shape: [24], data: new Int32Array(24) }),
        ),
      /'model\.norm\.weight'.*float32, float16 or bfloat16 values, got int32/,
    ],
  ])("%s", async (_name, files, message) => {
    const student = write(files());
    const before = space.list();
    expectBad(await runCli(fill(["score", "--student", student, "--data", "{data}", ...CPU])), message);
    expectBad(
      await runCli(fill(["train", "--student", student, "--data", "{data}", "--out", "{out}", ...CPU])),
      message,
    );
    expectBad(await runCli(fill(["generate", "--student", student, "--prompts", "{prompts}", ...CPU])), message);
    expect(space.list()).toEqual(before);
  });

  test("an adapter of another model", async () => {
    expectBad(
      await runCli(fill(score("--adapter", adapterDirectory("gpt2-prefixed")))),
      /target_modules: expected names of linear layers .*The adapter belongs to another model/,
    );
    expectBad(
      await runCli(fill(score("--adapter", adapterDirectory("llama-untied")))),
      /adapters\/llama-untied.*(shape|factors).*The adapter belongs to another model/,
    );
  });

  test("weights that are not numbers fail while running, with status 1", async () => {
    const student = write(
      changeTensors(llama(), "model.safetensors", (tensors) =>
        tensors.set("model.norm.weight", { type: "float32", shape: [24], data: new Float32Array(24).fill(NaN) }),
      ),
    );
    const before = space.list();
    expectBad(
      await runCli(fill(["score", "--student", student, "--data", "{data}", ...CPU])),
      /row "(1|rain)": expected a finite loss, got NaN/,
      1,
    );
    expectBad(
      await runCli(fill(["train", "--student", student, "--data", "{data}", "--out", "{out}", ...CPU])),
      /training step 1: expected a finite loss and gradient norm, got loss NaN/,
      1,
    );
    expectBad(
      await runCli(fill(["generate", "--student", student, "--prompts", "{prompts}", ...CPU])),
      /prompt 1: expected finite logits/,
      1,
    );
    expect(space.list()).toEqual(before);
  });
});
