/**
 * @file The folder that the page downloads, in transformers.js in Chromium: trained a little, packed as the page packs
 * it, unpacked, loaded, and greedy generation gives our own tokens, prompt by prompt and as one batch padded on the
 * left; untrained, those of the float64 PyTorch reference too. The same in Node, for every family: test/golden/exportOnnx.
 */
import glue from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import binary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import { AutoModelForCausalLM, AutoTokenizer, env, Tensor } from "@huggingface/transformers";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { urlSource } from "../../src/formats/fileSource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { packStudent } from "../../src/student/packStudent.ts";
import { openStudent } from "../../src/student/student.ts";
import type { TrainOptions } from "../../src/student/types.ts";

interface Greedy {
  readonly prompt: string;
  readonly ids: readonly number[];
}

const TRAINING: Omit<TrainOptions, "steps"> = {
  batchSize: 1,
  gradAccum: 1,
  learningRate: 0.02,
  scheduler: "constant",
  warmupSteps: 0,
  weightDecay: 0.01,
  maxGradNorm: 1,
  shuffle: true,
  seed: 3,
};
const STUDENTS = ["llama-gqa-tied", "gpt2-prefixed", "qwen2-tied-f16"];
const FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

/** What transformers.js asks for, by address; nothing else is there. */
const served = new Map<string, Uint8Array>();
let engine: Engine;

beforeAll(async () => {
  const absolute = (url: string): string => new URL(url, location.href).href;
  const { wasm } = env.backends.onnx;
  if (wasm !== undefined) wasm.wasmPaths = { mjs: absolute(glue), wasm: absolute(binary) };
  env.useWasmCache = false;
  env.allowLocalModels = false;
  env.useBrowserCache = false;
  env.useCustomCache = true;
  env.customCache = {
    match: async (address: string) => {
      const bytes = served.get(new URL(address, location.href).pathname.replace("/resolve/main/", "/").slice(1));
      return bytes === undefined ? undefined : new Response(bytes as Uint8Array<ArrayBuffer>);
    },
    put: async () => undefined,
  };
  engine = await createEngine("wasm");
});
afterAll(() => engine.dispose());

/** Greedy continuations by transformers.js of token prompts, one batch. */
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

describe.each(STUDENTS)("%s", (name) => {
  it.each([0, 2])("generates the same tokens in transformers.js, after %i steps of training", async (steps) => {
    const golden = (await (await fetch(`/test/golden/data/${name}.json`)).json()) as {
      readonly greedy: readonly Greedy[];
      readonly eosTokenId: number;
    };
    const source = urlSource(new URL(`/test/golden/fixtures/students/${name}/`, location.href), { files: FILES });
    const student = await openStudent(engine, { source });
    const prompts = golden.greedy.map(({ prompt }) => prompt);
    const maxNewTokens = 24;
    const rows = [{ prompt: "Tom has 3 apples.", completion: " He eats one." }];
    const training = { ...TRAINING, steps };
    if (steps > 0) for await (const _ of student.train(rows, training)) void _;
    const own = (await student.generate(prompts, { maxNewTokens })).map(({ ids }) => [...ids]);
    const untrained = golden.greedy.map(({ ids }) => ids.slice(0, maxNewTokens));
    if (steps === 0) expect(own).toEqual(untrained);
    else expect(own).not.toEqual(untrained);
    for (const [path, bytes] of Object.entries(unzipSync(await packStudent(student, "onnx"))))
      served.set(`test/${name}-${steps}/${path}`, bytes);
    await student.dispose();

    const folder = `test/${name}-${steps}`;
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const model = await AutoModelForCausalLM.from_pretrained(folder, { dtype: "fp32", device: "wasm" });
    try {
      const encoded = prompts.map((prompt) => tokenizer.encode(prompt));
      const ended = (ids: readonly number[]): readonly number[] => {
        const end = ids.indexOf(golden.eosTokenId);
        return end < 0 ? ids : ids.slice(0, end);
      };
      const together = await continuations(model, encoded, maxNewTokens, golden.eosTokenId);
      expect(together.map(ended)).toEqual(own.map(ended));
      const alone = await continuations(model, encoded.slice(0, 1), maxNewTokens, golden.eosTokenId);
      expect(alone.map(ended)).toEqual(own.slice(0, 1).map(ended));
    } finally {
      await model.dispose();
    }
  });
});
