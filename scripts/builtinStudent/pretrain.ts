/**
 * @file Pretraining of the built-in student with this project's own engine: a small
 * Llama learns the easy slice of the word problems (plain wording, 1 to 3 steps) from
 * random weights, then sees a taste of the other wordings among it, so that it knows
 * their words though not how to read them. Deterministic for one seed, engine and
 * thread count.
 */
import { Rng } from "../../src/core/rng.ts";
import { memorySource } from "../../src/formats/fileSource.ts";
import { float32ToFloat16 } from "../../src/formats/float16.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent, type LanguageModel } from "../../src/student/student.ts";
import type { EncodedRow, StepRecord } from "../../src/student/types.ts";
import type { Question, Task } from "../../src/tasks/types.ts";
import { startWithInduction } from "./inductionStart.ts";
import { SPECIAL_TOKENS, trainTokenizer } from "./trainTokenizer.ts";

/** One training from the weights the stage before wrote, with a cosine of its own. */
export interface Stage {
  readonly name: string;
  readonly steps: number;
  readonly learningRate: number;
  /** Rows of other wordings per hundred. */
  readonly tastePercent: number;
}

export interface PretrainOptions {
  readonly seed: number;
  readonly batchSize: number;
  readonly vocabSize: number;
  /** What the tokenizer's merges never cross, `PIECE_PATTERN` where it is left out. */
  readonly pieces?: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Whether the random weights have an induction head (`inductionStart.ts`). */
  readonly induction?: boolean;
}

export const STAGES: readonly Stage[] = [
  { name: "plain", steps: 5000, learningRate: 1.5e-3, tastePercent: 0 },
  { name: "taste", steps: 1500, learningRate: 1e-3, tastePercent: 5 },
];

export const PRETRAIN_DEFAULTS: PretrainOptions = {
  seed: 1,
  batchSize: 32,
  vocabSize: 768,
  hiddenSize: 128,
  intermediateSize: 352,
  layers: 4,
  heads: 4,
  kvHeads: 2,
};

/** Texts the tokenizer is trained on; more add nothing to so regular a language. */
const TOKENIZER_QUESTIONS = 4000;

const ROPE_THETA = 10_000;

export function studentConfig(options: PretrainOptions): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: options.vocabSize,
    hidden_size: options.hiddenSize,
    intermediate_size: options.intermediateSize,
    num_hidden_layers: options.layers,
    num_attention_heads: options.heads,
    num_key_value_heads: options.kvHeads,
    head_dim: options.hiddenSize / options.heads,
    hidden_act: "silu",
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
    rope_theta: ROPE_THETA,
    rope_scaling: null,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: true,
    bos_token_id: null,
    eos_token_id: 0,
    torch_dtype: "float16",
  };
}

/** Files of a student before its weights. `extra` are texts in the wordings that pretraining does not show, so that they do not cost more tokens. */
export function studentFiles(
  options: PretrainOptions,
  questions: readonly Question[],
  extra: readonly Question[],
): Map<string, string> {
  const texts = [...questions.slice(0, TOKENIZER_QUESTIONS), ...extra].flatMap((question) => [
    question.question,
    `\n${question.answer}`,
  ]);
  const [eos] = SPECIAL_TOKENS;
  return new Map([
    ["config.json", `${JSON.stringify(studentConfig(options), null, 2)}\n`],
    ["tokenizer.json", `${JSON.stringify(trainTokenizer(texts, options.vocabSize, options.pieces))}\n`],
    [
      "tokenizer_config.json",
      `${JSON.stringify({ tokenizer_class: "PreTrainedTokenizerFast", eos_token: eos, pad_token: eos, model_max_length: 256, clean_up_tokenization_spaces: false }, null, 2)}\n`,
    ],
    // Older readers' file of the same; a page that finds no such file would leave an error in the browser's console.
    ["special_tokens_map.json", `${JSON.stringify({ eos_token: eos, pad_token: eos }, null, 2)}\n`],
    ["generation_config.json", `${JSON.stringify({ eos_token_id: 0, pad_token_id: 0 }, null, 2)}\n`],
  ]);
}

/** Random weights: normal with deviation 0.02, smaller on the layers that write to the residual stream (GPT-2), norms 1; with an induction head where one is asked for. */
function initialWeights(config: unknown, options: PretrainOptions, vocabulary: readonly string[]): Map<string, Tensor> {
  const rng = new Rng(options.seed).fork("weights");
  const weights = new Map(
    parseDecoder(config).parameters.map(({ name, shape }) => {
      const own = rng.fork(name);
      const deviation = /(o_proj|down_proj)\.weight$/.test(name) ? 0.02 / Math.sqrt(2 * options.layers) : 0.02;
      const data = Float32Array.from({ length: elementCount(shape) }, () =>
        shape.length === 1 ? 1 : own.normal() * deviation,
      );
      return [name, { type: "float32" as const, shape, data }] as const;
    }),
  );
  if (options.induction === true)
    startWithInduction(weights, { ...options, vocabulary, ropeTheta: ROPE_THETA }, rng.fork("induction"));
  return weights;
}

/** Rows in the order of training: every epoch anew into batches of similar length, which come in random order; little is padding. */
function orderRows(rows: readonly EncodedRow[], batchSize: number, steps: number, rng: Rng): EncodedRow[] {
  const out: EncodedRow[] = [];
  for (let epoch = 0; out.length < steps * batchSize; epoch++) {
    const own = rng.fork(`epoch ${epoch}`);
    const byLength = own.shuffle(rows).sort((a, b) => a.ids.length - b.ids.length);
    const batches: EncodedRow[][] = [];
    for (let i = 0; i + batchSize <= byLength.length; i += batchSize) batches.push(byLength.slice(i, i + batchSize));
    out.push(...own.shuffle(batches).flat());
  }
  return out.slice(0, steps * batchSize);
}

/** Texts of a tokenizer's tokens, by id. */
function vocabularyOf(tokenizer: string): string[] {
  const { model } = JSON.parse(tokenizer) as { readonly model: { readonly vocab: Readonly<Record<string, number>> } };
  const texts: string[] = [];
  for (const [text, id] of Object.entries(model.vocab)) texts[id] = text;
  return texts;
}

/** All files of a student with random weights. `extra` as in `studentFiles`. */
export function newStudent(
  options: PretrainOptions,
  questions: readonly Question[],
  extra: readonly Question[],
): Map<string, string | Uint8Array> {
  const files = studentFiles(options, questions, extra);
  const vocabulary = vocabularyOf(files.get("tokenizer.json") ?? "{}");
  const weights = writeSafetensors(initialWeights(studentConfig(options), options, vocabulary));
  return new Map<string, string | Uint8Array>([...files, ["model.safetensors", weights]]);
}

/** Trains the student in `files` through one stage; returns its new weights and the mean loss of the last 100 steps. */
export async function runStage(
  engine: Engine,
  task: Task,
  files: ReadonlyMap<string, string | Uint8Array>,
  data: { readonly plain: readonly Question[]; readonly taste: readonly Question[] },
  stage: Stage,
  options: PretrainOptions,
  onStep?: (record: StepRecord) => void,
): Promise<TrainedWeights> {
  const { steps, learningRate, tastePercent } = stage;
  const { batchSize, seed } = options;
  const rng = new Rng(seed).fork(stage.name === "plain" ? "order" : `order ${stage.name}`);
  const tasteRows = Math.round((steps * batchSize * tastePercent) / 100);
  const questions =
    tasteRows === 0
      ? data.plain
      : [
          ...data.plain.slice(0, steps * batchSize - tasteRows),
          ...Array.from({ length: tasteRows }, (_, i) => data.taste[i % data.taste.length]).filter(
            (question) => question !== undefined,
          ),
        ];
  const warmupSteps = Math.min(200, Math.floor(steps / 10));
  return await trainOn(
    engine,
    task,
    files,
    questions,
    { steps, learningRate, batchSize, warmupSteps, seed, rng },
    onStep,
  );
}

export interface TrainedWeights {
  /** `model.safetensors`. */
  readonly weights: Uint8Array;
  /** Mean of the last 100 steps, nats per token. */
  readonly loss: number;
}

/** Trains the student in `files` on answers to `questions`, epoch after epoch, in an order drawn from `rng`. */
export async function trainOn(
  engine: Engine,
  task: Task,
  files: ReadonlyMap<string, string | Uint8Array>,
  questions: readonly Question[],
  options: {
    readonly steps: number;
    readonly learningRate: number;
    readonly batchSize: number;
    readonly warmupSteps: number;
    readonly seed: number;
    readonly rng: Rng;
  },
  onStep?: (record: StepRecord) => void,
): Promise<TrainedWeights> {
  const { rng, ...training } = options;
  const student = await openStudent(engine, { source: memorySource(files, "built-in student") });
  const rows = student.encodeAll(
    questions.map((question) => ({
      id: question.id,
      prompt: task.prompt(question.question),
      completion: task.completion(question),
    })),
  );
  const trainer = student.trainer(orderRows(rows, training.batchSize, training.steps, rng), {
    ...training,
    gradAccum: 1,
    scheduler: "cosine",
    weightDecay: 0.1,
    maxGradNorm: 1,
    shuffle: false,
  });
  const last: number[] = [];
  try {
    while (trainer.step < trainer.totalSteps) {
      const record = await trainer.next();
      if (record.step > training.steps - 100) last.push(record.loss);
      onStep?.(record);
    }
    return { weights: await float16Weights(student), loss: last.reduce((sum, loss) => sum + loss, 0) / last.length };
  } finally {
    trainer.dispose();
    await student.dispose();
  }
}

/** `model.safetensors` of the student's weights, rounded to float16. */
async function float16Weights(student: LanguageModel): Promise<Uint8Array> {
  const values = await student.snapshot();
  const tensors = new Map<string, Tensor>(
    student.model.decoder.parameters.map(({ name, shape }) => {
      const data = values.get(name);
      if (data === undefined) throw new Error(`no values for ${name}`);
      return [name, { type: "float16", shape, data: float32ToFloat16(data) }];
    }),
  );
  return writeSafetensors(tensors);
}
