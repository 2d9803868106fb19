/**
 * @file Exported students in transformers.js itself: the folder loads, and greedy
 * generation gives the tokens of the float64 PyTorch reference, prompt by prompt and as
 * one batch padded on the left, in float32 and float16.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { AutoModelForCausalLM, AutoTokenizer, env, Tensor } from "@huggingface/transformers";
import { afterAll, describe, expect, test } from "vitest";
import { directorySink, directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { EXPORT_DTYPES, EXPORTED_FILES, exportOnnx, type ExportDtype } from "../../src/student/exportOnnx.ts";
import { readStudentFiles } from "../../src/student/student.ts";
import { checkScores } from "../support/goldenChecks.ts";
import { fixtureNames, loadGolden, SHARED_STUDENTS, studentDirectory, type Golden } from "../support/goldens.ts";
import { runCli } from "../support/runCli.ts";
import { describeWithShared } from "../support/shared.ts";

env.allowRemoteModels = false;
env.localModelPath = "/";

const folder = mkdtempSync(join(tmpdir(), "tutelage-export-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Greedy continuations of token prompts, one batch; prompts are padded on the left. */
async function continuations(
  model: Awaited<ReturnType<typeof AutoModelForCausalLM.from_pretrained>>,
  prompts: readonly (readonly number[])[],
  maxNewTokens: number,
  eosTokenId: number,
): Promise<number[][]> {
  const length = Math.max(...prompts.map((prompt) => prompt.length));
  const padded = (value: (prompt: readonly number[], at: number) => number): Tensor =>
    new Tensor(
      "int64",
      BigInt64Array.from(
        prompts.flatMap((prompt) =>
          Array.from({ length }, (_, t) => BigInt(value(prompt, t - (length - prompt.length)))),
        ),
      ),
      [prompts.length, length],
    );
  const output = (await model.generate({
    inputs: padded((prompt, at) => prompt[at] ?? eosTokenId),
    attention_mask: padded((_, at) => Number(at >= 0)),
    max_new_tokens: maxNewTokens,
    do_sample: false,
    eos_token_id: eosTokenId,
    pad_token_id: eosTokenId,
  })) as Tensor;
  return (output.tolist() as bigint[][]).map((row) => row.slice(length).map(Number));
}

function suite(name: string): void {
  const golden = loadGolden(name);
  const out = join(folder, name);

  test("exports", async () => {
    const student = studentDirectory(golden.student);
    const { status, err } = await runCli(
      ["export", "--student", student, "--out", out, "--format", "onnx"].concat("--dtype", EXPORT_DTYPES.join()),
    );
    // Files alone are read and written: no engine is opened.
    expect([status, err]).toEqual([0, expect.not.stringContaining("engine:")]);
  });

  generates(golden, out);
}

function generates(golden: Golden, out: string): void {
  test.each(EXPORT_DTYPES)("%s: transformers.js generates PyTorch's tokens", async (dtype) => {
    const tokenizer = await AutoTokenizer.from_pretrained(out);
    const model = await AutoModelForCausalLM.from_pretrained(out, { dtype, device: "cpu" });
    try {
      const prompts = golden.greedy.map(({ prompt }) => tokenizer.encode(prompt));
      const most = Math.max(...golden.greedy.map(({ ids }) => ids.length));
      const together = await continuations(model, prompts, most, golden.eosTokenId);
      compare(golden, dtype, together);
      const alone: number[][] = [];
      for (const prompt of prompts) alone.push(...(await continuations(model, [prompt], most, golden.eosTokenId)));
      compare(golden, dtype, alone);
    } finally {
      await model.dispose();
    }
  });
}

function compare(golden: Golden, dtype: ExportDtype, generated: readonly (readonly number[])[]): void {
  golden.greedy.forEach(({ id, ids }, i) => {
    expect(generated[i]?.slice(0, ids.length), `${golden.student} ${dtype} prompt ${id}`).toEqual([...ids]);
  });
}

// One of untied, tied and fused weights each, and weights that the graph adds one to.
describe.each(["llama-untied", "gpt2-prefixed", "gemma2"])("%s, its weights in files of 8 kB", (name) => {
  const golden = loadGolden(name);
  const out = join(folder, `${name}-data`);
  const LIMIT = 8000;

  test("exports", async () => {
    const source = directorySource(studentDirectory(golden.student));
    const student = await readStudentFiles({ source });
    const sink = await directorySink(out, EXPORTED_FILES);
    const written = await exportOnnx(student, sink, EXPORT_DTYPES, { maxFileBytes: LIMIT });
    await sink.commit();
    const largest = Math.max(...student.model.decoder.parameters.map(({ shape }) => shape.reduce((a, b) => a * b, 4)));
    for (const model of ["model.onnx", "model_fp16.onnx"]) {
      const data = readdirSync(join(out, "onnx")).filter((file) => file.startsWith(`${model}_data`));
      const names = data.map((_, i) => `${model}_data${i === 0 ? "" : `_${i}`}`);
      expect(data.sort()).toEqual([...names].sort());
      expect(written.filter((path) => path.startsWith(`onnx/${model}_`))).toEqual(names.map((file) => `onnx/${file}`));
      expect(names.length).toBeGreaterThan(1);
      for (const file of names)
        expect(statSync(join(out, "onnx", file)).size).toBeLessThanOrEqual(Math.max(LIMIT, largest));
    }
  });

  generates(golden, out);

  test("is a student here too", async () => {
    const engine = await createEngine("cpu", { threads: 1 });
    await checkScores(engine, name, directorySource(out));
    await engine.dispose();
  });
});

for (const name of fixtureNames()) describe(name, () => suite(name));
for (const name of SHARED_STUDENTS) describeWithShared(name, ["students", name], () => suite(name));
