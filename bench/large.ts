/**
 * @file One row of the bench for a student of real size: `npx tsx bench/large.ts --help`. Random
 * weights of a published shape, made tensor by tensor; a few optimizer steps; tokens per
 * second, time to the first step, and peak memory, estimated and measured. One process per
 * row, as WebAssembly memory and a process's peak never go back.
 */
import { parseArgs } from "node:util";
import { badInput } from "../src/core/errors.ts";
import { Rng } from "../src/core/rng.ts";
import { parseDecoder } from "../src/nn/families.ts";
import { initializeLora, NO_LORA, resolveLora } from "../src/nn/lora.ts";
import { elementCount } from "../src/onnx/shapes.ts";
import { createEngine } from "../src/runtime/createEngine.ts";
import type { BaseWeights } from "../src/student/baseWeights.ts";
import { measuredMemory } from "../src/student/measuredMemory.ts";
import { chooseMemory } from "../src/student/memoryPlan.ts";
import { layoutParameters } from "../src/student/parameterLayout.ts";
import { ParameterStore } from "../src/student/parameterStore.ts";
import { SessionCache } from "../src/student/sessionCache.ts";
import { Trainer } from "../src/student/trainer.ts";
import type { EncodedRow, TrainOptions } from "../src/student/types.ts";

/** Configs as on the Hugging Face hub, and the batch that is trained on. */
const SHAPES = {
  "smollm2-135m": {
    config: {
      model_type: "llama",
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      vocab_size: 49152,
      max_position_embeddings: 8192,
      rope_theta: 100000,
      tie_word_embeddings: true,
    },
    batch: 4,
    length: 256,
  },
  distilgpt2: {
    config: { model_type: "gpt2", n_embd: 768, n_layer: 6, n_head: 12, n_positions: 1024, vocab_size: 50257 },
    batch: 1,
    length: 128,
  },
} as const;

const HELP = `npx tsx bench/large.ts [options]

  --shape ${Object.keys(SHAPES).join("|")}   (default smollm2-135m)
  --method lora|full        (default lora: r 8 on all linear layers)
  --ep cpu|wasm|webgpu      (default wasm)
  --steps N                 (default 3; the first is not timed)
  --checkpointing auto|on|off
  --weights float32|float16 (frozen weights)
  --loss-share X            part of the tokens that carry loss (default 1)

Prints one JSON line.
`;

function pick<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  return allowed.find((word) => word === value) ?? badInput(`--${name}`, allowed.join(", "), value);
}

/** Normal weights of standard deviation 0.02, norms 1: the same for the same tensor name. */
function randomWeights(shapes: ReadonlyMap<string, readonly number[]>): BaseWeights {
  return {
    read: (body) =>
      body(async (name) => {
        const shape = shapes.get(name) ?? badInput("bench", "a parameter of the shape", name);
        const rng = new Rng(1).fork(name);
        const data = new Float32Array(elementCount(shape));
        // Uniform of the same deviation: a normal draw of 135 million numbers takes longer than a step.
        if (/norm|ln_/.test(name)) data.fill(/bias/.test(name) ? 0 : 1);
        else for (let i = 0; i < data.length; i++) data[i] = (rng.uniform() - 0.5) * 0.0693;
        return { type: "float32", shape, data };
      }),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      shape: { type: "string", default: "smollm2-135m" },
      method: { type: "string", default: "lora" },
      ep: { type: "string", default: "wasm" },
      steps: { type: "string", default: "3" },
      checkpointing: { type: "string", default: "auto" },
      weights: { type: "string", default: "float32" },
      "loss-share": { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const shape = pick("shape", values.shape, ["smollm2-135m", "distilgpt2"]);
  const { config, batch, length } = SHAPES[shape];
  const method = pick("method", values.method, ["lora", "full"]);
  const steps = Number(values.steps);
  const decoder = parseDecoder(config);
  const lora =
    method === "full"
      ? NO_LORA
      : resolveLora(decoder, (module) => (module === decoder.head.module ? undefined : { r: 8, scaling: 2 }));
  const layout = layoutParameters(
    decoder,
    lora,
    method,
    pick("weights", values.weights, ["float32", "float16"] as const),
  );
  const rng = new Rng(2);
  const rows: EncodedRow[] = Array.from({ length: batch }, (_, i) => ({
    id: String(i),
    ids: Int32Array.from({ length: length + 1 }, () => rng.integer(0, decoder.vocabSize - 1)),
    completionTokens: Math.ceil(length * Number(values["loss-share"])),
  }));
  const options: TrainOptions = {
    steps,
    batchSize: batch,
    gradAccum: 1,
    learningRate: 1e-4,
    scheduler: "constant",
    warmupSteps: 0,
    weightDecay: 0.1,
    maxGradNorm: 1,
    shuffle: false,
    seed: 0,
  };
  const engine = await createEngine(pick("ep", values.ep, ["cpu", "wasm", "webgpu"]));
  const blueprint = { decoder, lora, layout };
  const { estimate, gradientCheckpointing } = chooseMemory(blueprint, rows, options, engine.ep, {
    checkpointing: pick("checkpointing", values.checkpointing, ["auto", "on", "off"]),
  });
  const shapes = new Map(decoder.parameters.map((spec) => [spec.name, spec.shape]));
  const store = await ParameterStore.create(
    engine,
    layout,
    randomWeights(shapes),
    method === "full" ? undefined : initializeLora(lora, new Rng(3)),
  );
  const startedMs = performance.now();
  const sessions = new SessionCache(engine, blueprint);
  const trainer = new Trainer({ engine, store, sessions, maxPositions: decoder.maxPositionEmbeddings }, rows, {
    ...options,
    gradientCheckpointing,
  });
  const first = await trainer.next();
  const firstStepMs = performance.now() - startedMs;
  const rates: number[] = [];
  while (trainer.step < steps) rates.push((await trainer.next()).tokensPerSecond);
  rates.sort((a, b) => a - b);
  const row = {
    shape,
    method,
    engine: `${engine.info.ep} (${engine.info.version}, ${engine.info.adapter ?? `${engine.info.threads} threads`})`,
    batch,
    length,
    gradientCheckpointing,
    frozenWeights: values.weights,
    lossShare: Number(values["loss-share"]),
    firstLoss: first.loss,
    firstStepMs: Math.round(firstStepMs),
    tokensPerSecond: rates[Math.floor(rates.length / 2)],
    estimate,
    measured: measuredMemory(engine.memory),
  };
  process.stdout.write(`${JSON.stringify(row)}\n`);
  trainer.dispose();
  await sessions.dispose();
  store.dispose();
  await engine.dispose();
}

await main();
