/** @file What the rest of Tutelage sees of a student: rows in, numbers, text and records out. */
import type { Rng } from "../core/rng.ts";
import type { EngineInfo } from "../runtime/types.ts";

/** Scores of one example, over its completion tokens (and EOS); see design: nats, means over tokens unless said. */
export const SIMPLE_SCORES = ["loss", "lossSum", "entropy", "margin", "leastConfidence", "el2n"] as const;
/** All scores: those and `ifd`, loss(answer | question) / loss(answer); `gradNorm`, the norm of the gradient of the row's mean loss over the trainable parameters. */
export const SCORE_NAMES = [...SIMPLE_SCORES, "ifd", "gradNorm"] as const;
export type ScoreName = (typeof SCORE_NAMES)[number];

export interface PromptCompletion {
  readonly id?: string;
  readonly prompt: string;
  readonly completion: string;
}

/** Plain text: every token but the first carries loss. */
export interface PlainText {
  readonly id?: string;
  readonly text: string;
}

/** One turn; further fields are handed to the chat template as they are. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** Messages for the student's chat template, to complete or to learn from. */
export interface Chat {
  readonly messages: readonly ChatMessage[];
  /** Further variables of the template (`chat_template_kwargs`). */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}

/** A conversation, written by the student's own chat template. All assistant turns carry loss, or, where `promptLength` is given, everything after so many messages. */
export interface Conversation extends Chat {
  readonly id?: string;
  readonly promptLength?: number;
}

/** A row to score or train on. */
export type ExampleRow = PromptCompletion | PlainText | Conversation;

/** What to complete: a text, or messages that the student's chat template turns into one. */
export type Prompt = string | Chat;

/** A tokenized row. `ids` is prompt + completion + EOS; the last `completionTokens` of them carry loss, or those that `lossMask` marks. */
export interface EncodedRow {
  readonly id: string;
  readonly ids: Int32Array;
  /** Number of tokens that carry loss (completion and EOS, or assistant turns). */
  readonly completionTokens: number;
  /** One entry a token, 1 where it carries loss; never for the first. Absent where the last `completionTokens` do. */
  readonly lossMask?: Uint8Array;
}

/** A token of an answer and what it costs the student: `−log p` in nats, given all before it. */
export interface TokenLoss {
  /** Empty inside a character of several tokens, whose last one has it. */
  readonly text: string;
  readonly lossNats: number;
  /** It ends the text. */
  readonly end: boolean;
}

/** What one training needs of a machine, from its graphs and before anything runs. */
export interface TrainingNeeds {
  readonly ep: EngineInfo["ep"];
  /** The largest micro-batch: rows, tokens a row. */
  readonly batch: number;
  readonly length: number;
  readonly gradientCheckpointing: boolean;
  /** ONNX nodes that one optimizer step runs: forward and backward of its micro-batches, and the optimizer. */
  readonly nodesPerStep: number;
  /** Estimated bytes by cause; `total` is their sum. */
  readonly bytes: Readonly<Record<string, number>>;
}

/** What rows are compared by: the student's hidden states over an answer, or the gradient embedding of BADGE. */
export type SimilarityKind = "hidden" | "badge";

export type ScoreRow = { readonly id: string; readonly tokens: number } & { readonly [K in ScoreName]?: number };

export interface GenerateOptions {
  readonly maxNewTokens: number;
  /** 0 is greedy (the default). */
  readonly temperature?: number;
  /** Nucleus sampling mass, 1 by default. */
  readonly topP?: number;
  /** Required when temperature > 0. */
  readonly rng?: Rng;
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  /** Told every token as it is chosen, and awaited: generation then goes token by token, with the logits read back. Changes no token. */
  readonly onToken?: (token: ChosenToken) => void | Promise<void>;
}

/** What a token says as text, and how probable it was: softmax of the student's logits, whatever the temperature. */
export interface TokenProbability {
  /** Empty inside a character of several tokens, whose last one has it. */
  readonly text: string;
  readonly probability: number;
  /** It ends the text. */
  readonly end: boolean;
}

/** One token of a generation. */
export interface ChosenToken extends TokenProbability {
  /** Index of its prompt. */
  readonly prompt: number;
  /** The most probable tokens in that place, most probable first; the chosen one among them where it is. */
  readonly alternatives: readonly TokenProbability[];
}

export interface Generation {
  readonly completion: string;
  readonly ids: Int32Array;
  /** Number of generated tokens, EOS included. */
  readonly tokens: number;
  readonly finishReason: "stop" | "length";
}

export type SchedulerName = "constant" | "constant_with_warmup" | "linear" | "cosine";

/** What matrix products of training compute in. */
export const PRECISIONS = ["float32", "float16"] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface TrainOptions {
  /** One of epochs and steps; steps wins. */
  readonly epochs?: number;
  readonly steps?: number;
  /** Rows per micro-batch. */
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly learningRate: number;
  readonly scheduler: SchedulerName;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  /** Clip to this global norm; 0 turns clipping off. */
  readonly maxGradNorm: number;
  readonly shuffle: boolean;
  /** Rows of similar length share a step (needs `shuffle`): less padding, transformers' `group_by_length`. Default off. */
  readonly groupByLength?: boolean;
  readonly seed: number;
  /** Rows over the context lose tokens from the left of the prompt; by default they are an error. */
  readonly truncate?: boolean;
  /** Computes activations of the layers a second time instead of keeping them: a third more work, far less memory. Default: where a large student's memory asks for it. */
  readonly gradientCheckpointing?: boolean;
  /** `float16` where the device's products agree with float32 on the first batch, or an error; `auto` goes on in float32 and says why. Default float32. */
  readonly precision?: Precision | "auto";
  readonly signal?: AbortSignal;
}

/** One optimizer step. `loss` is the mean over the step's tokens in nats, `gradNorm` is before clipping, `lr` the rate used in this step. */
export interface StepRecord {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly lr: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** On the first step of a training that was not asked for in float32. */
  readonly precision?: PrecisionChoice;
}

/** What a training computes in, and why. */
export interface PrecisionChoice {
  readonly precision: Precision;
  /** What the comparison on the device gave, or why there was none; absent where float32 was asked for. */
  readonly reason?: string;
}

/** Students as other programs load them: whole in safetensors for transformers or in ONNX for transformers.js, or the adapter alone for PEFT. */
export type StudentFormat = "safetensors" | "onnx" | "adapter";

/** Which parameters train. */
export type TrainMethod =
  | { readonly method: "full" }
  | {
      readonly method: "lora";
      readonly r: number;
      readonly loraAlpha: number;
      readonly targetModules: "all-linear" | readonly string[];
      /** How the device holds the weights that do not train; float32 by default. */
      readonly frozenWeights?: FrozenWeights;
    };

/** `float16` halves their size, and is exact for checkpoints in float16. */
export const FROZEN_WEIGHTS = ["float32", "float16"] as const;
export type FrozenWeights = (typeof FROZEN_WEIGHTS)[number];

/** A student on an engine, as the loop uses it. The implementation also saves, loads and exposes its model. */
export interface Student {
  readonly engine: EngineInfo;
  readonly parameters: { readonly total: number; readonly trainable: number };
  readonly maxPositions: number;
  encode(row: ExampleRow, options?: { readonly truncate?: boolean }): EncodedRow;
  /** Scores in the order of the rows. */
  score(
    rows: readonly ExampleRow[],
    scores: readonly ScoreName[],
    options?: {
      readonly batchSize?: number;
      readonly truncate?: boolean;
      readonly signal?: AbortSignal;
      readonly onProgress?: (done: number, total: number) => void;
    },
  ): Promise<ScoreRow[]>;
  /** The loss of every token of a row's completion and of its end, in nats; their mean is the score `loss`. */
  tokenLosses(row: PromptCompletion, options?: { readonly signal?: AbortSignal }): Promise<readonly TokenLoss[]>;
  /** Mean over each row's counted positions of the final hidden state there, row-major [n, D], D the student's hidden size. */
  meanStates(
    rows: readonly ExampleRow[],
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void },
  ): Promise<readonly Float64Array[]>;
  /** Inner products of all pairs of rows, row-major [n·n]: of their mean hidden states, or of their last-layer gradients. */
  innerProducts(
    rows: readonly ExampleRow[],
    kind: SimilarityKind,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void },
  ): Promise<Float64Array>;
  generate(prompts: readonly Prompt[], options: GenerateOptions): Promise<Generation[]>;
  /** Finetunes in place; pulls one optimizer step per iteration, so not pulling pauses. Moments start at zero. */
  train(rows: readonly ExampleRow[], options: TrainOptions): AsyncGenerator<StepRecord, void, void>;
  /** Back to the weights it was loaded with. */
  reset(): Promise<void>;
  /** Host copy of the trainable parameters, by name; `restore` is its inverse. */
  snapshot(): Promise<ReadonlyMap<string, Float32Array>>;
  restore(parameters: ReadonlyMap<string, Float32Array>): Promise<void>;
  dispose(): Promise<void>;
}
