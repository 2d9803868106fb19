/**
 * @file Batched generation with a key-value cache. Prompts are padded on the left to
 * one length, so that every row writes the same cache column. Two ways of running:
 * `steps`, one graph run per token with the cache on the device, the token chosen there
 * too unless it is nucleus sampling (WebGPU, and large students, which can then be stopped between tokens), and
 * `whole`, one run per batch with the loop inside the graph (host providers, where
 * every run copies its inputs and outputs). Both choose the same tokens. Models from
 * files that cannot take a cache run over the whole text for every token (`recompute`).
 */
import { badInput, invariant, throwIfAborted, TutelageError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { Tensor } from "../onnx/types.ts";
import { MASKED } from "../nn/modules.ts";
import type { DeviceTensor, RunResult, Session } from "../runtime/types.ts";
import { batchesByLength, bucketLength, bucketRows, powerOfTwo } from "./batches.ts";
import { keyMaskInputs, type StepChoice } from "./generationGraphs.ts";
import type { ParameterStore } from "./parameterStore.ts";
import { checkSampling, probabilitiesOf, sampleToken, type LikelyToken } from "./sampling.ts";
import type { SessionCache } from "./sessionCache.ts";
import type { GenerateOptions } from "./types.ts";

/** Tokens generated for one prompt; `ids` holds them without the end-of-sequence token. */
export interface GeneratedTokens {
  readonly ids: Int32Array;
  /** Generated tokens, EOS included. */
  readonly tokens: number;
  readonly finishReason: "stop" | "length";
}

/** A row's token as it was chosen. `ids` are those of the row so far, this one included. */
export interface TracedToken extends LikelyToken {
  readonly row: number;
  readonly ids: readonly number[];
  readonly likeliest: readonly LikelyToken[];
}

interface Parts {
  readonly store: ParameterStore;
  readonly sessions: SessionCache;
  readonly numHiddenLayers: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly eosTokenIds: readonly number[];
  readonly mode: "steps" | "whole" | "recompute";
  /** Told every token and awaited; not in mode `whole`, which knows them at its end. */
  readonly trace?: ((token: TracedToken) => void | Promise<void>) | undefined;
}

interface Sampling {
  readonly temperature: number;
  readonly topP: number;
}

interface Row {
  readonly index: number;
  readonly prompt: Int32Array;
  readonly limit: number;
  readonly rng: Rng;
  readonly generated: number[];
  finished: "stop" | "length" | undefined;
}

/** Prompts that are continued at a time where nobody says. */
export const DEFAULT_GENERATION_BATCH = 32;
/** Likeliest tokens that a trace is told. */
const LIKELIEST = 5;
/** The largest float32 below 1: nearer draws would round to 1, which no cumulative weight exceeds. */
const LARGEST_UNIFORM = 1 - 2 ** -24;
/** Finite in float32: infinity times the distance 0 of the best token would be NaN. */
const MAX_INVERSE_TEMPERATURE = 1e38;

/** Position feeds in both integer types; a session takes the one it declares. */
function positionFeeds(session: Session, shape: readonly number[], positions: Int32Array): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  if (session.inputNames.includes("positions.int32"))
    feeds["positions.int32"] = { type: "int32", shape, data: positions };
  if (session.inputNames.includes("positions.int64"))
    feeds["positions.int64"] = { type: "int64", shape, data: BigInt64Array.from(positions, BigInt) };
  return feeds;
}

/**
 * Completions of token prompts, in their order. A prompt may use all positions but
 * one; generation stops at EOS, at `maxNewTokens` or at the last position. Sampled
 * rows draw from a stream named by their index, so a result does not depend on the
 * batch size.
 * @throws BadInputError naming the prompt that leaves no room, or wrong options.
 */
export async function generateTokens(
  parts: Parts,
  prompts: readonly Int32Array[],
  options: GenerateOptions,
): Promise<GeneratedTokens[]> {
  const sampling = { temperature: options.temperature ?? 0, topP: options.topP ?? 1 };
  checkSampling(sampling);
  if (!Number.isInteger(options.maxNewTokens) || options.maxNewTokens < 1)
    badInput("max-new-tokens", "a positive integer", String(options.maxNewTokens));
  if (sampling.temperature > 0 && options.rng === undefined)
    badInput("sampling", "a seeded random stream when temperature > 0", "none");
  const rng = options.rng ?? new Rng(0);
  const rows = prompts.map((prompt, index): Row => {
    if (prompt.length === 0)
      badInput(
        `prompt ${index + 1}`,
        "at least one token",
        "0 tokens",
        "The tokenizer adds no beginning-of-sequence token: give some text",
      );
    const room = parts.maxPositions - prompt.length;
    if (room < 1)
      badInput(
        `prompt ${index + 1}`,
        `at most ${parts.maxPositions - 1} tokens`,
        `${prompt.length} tokens`,
        "Shorten the prompt",
      );
    return {
      index,
      prompt,
      limit: Math.min(options.maxNewTokens, room),
      rng: rng.fork(`row ${index}`),
      generated: [],
      finished: undefined,
    };
  });
  const batchSize = options.batchSize ?? DEFAULT_GENERATION_BATCH;
  let done = 0;
  for (const indices of batchesByLength(
    prompts.map((prompt) => prompt.length),
    batchSize,
  )) {
    throwIfAborted(options.signal, "generation");
    const batch = indices.map((index) => {
      const row = rows[index];
      invariant(row !== undefined, "batches stay inside the prompts");
      return row;
    });
    const count = bucketRows(batch.length, batchSize);
    if (parts.mode === "recompute") await generateByRecomputing(parts, batch, count, sampling, options.signal);
    else {
      const prompt = layOut(batch, count, parts.maxPositions);
      await (parts.mode === "whole"
        ? generateWhole(parts, batch, prompt, sampling)
        : generateStepwise(parts, batch, prompt, sampling, options.signal));
    }
    done += batch.length;
    options.onProgress?.(done, prompts.length);
  }
  return rows.map((row) => ({
    ids: Int32Array.from(row.finished === "stop" ? row.generated.slice(0, -1) : row.generated),
    tokens: row.generated.length,
    finishReason: row.finished ?? "length",
  }));
}

/** Prompts of one batch, padded on the left to T; where the graph takes more rows than there are, the last one fills them. */
interface PromptBatch {
  readonly batch: number;
  /** The prompt in each row of the graph: those of the batch in order, then the last one again. */
  readonly slots: readonly Row[];
  readonly length: number;
  /** Positions of prompts and new tokens are below this power of two, or the student's whole context: tables of a long context are not built for short texts. */
  readonly positionLimit: number;
  readonly ids: Tensor;
  readonly positions: Int32Array;
  /** Additive mask over `keys` ≥ T keys, [B, 1, 1, keys]: padding is masked, later keys are not; of all the last `slidingWindow` are seen. */
  readonly keyMask: (keys: number, slidingWindow?: number) => Tensor;
}

function layOut(rows: readonly Row[], batch: number, maxPositions: number): PromptBatch {
  const length = bucketLength(Math.max(...rows.map((row) => row.prompt.length)), maxPositions);
  const ids = new Int32Array(batch * length);
  const positions = new Int32Array(batch * length);
  const slots = Array.from({ length: batch }, (_, b): Row => {
    const row = rows[Math.min(b, rows.length - 1)];
    invariant(row !== undefined, "a batch has rows");
    return row;
  });
  slots.forEach((row, b) => {
    const pad = length - row.prompt.length;
    ids.set(row.prompt, b * length + pad);
    for (let t = pad; t < length; t++) positions[b * length + t] = t - pad;
  });
  return {
    batch,
    slots,
    length,
    positionLimit: powerOfTwo(Math.max(length, ...rows.map((row) => row.prompt.length + row.limit)), maxPositions),
    ids: { type: "int32", shape: [batch, length], data: ids },
    positions,
    keyMask: (keys, slidingWindow = keys) => {
      const data = new Float32Array(batch * keys);
      slots.forEach((row, b) => {
        const hidden = Math.max(length - row.prompt.length, keys - slidingWindow);
        data.fill(MASKED, b * keys, b * keys + hidden);
      });
      return { type: "float32", shape: [batch, 1, 1, keys], data };
    },
  };
}

/** @throws TutelageError non-finite naming the prompt: `token` is negative where its logit was NaN or infinite. */
function append(row: Row, token: number, eosTokenIds: readonly number[]): void {
  if (row.finished !== undefined) return;
  if (token < 0) {
    throw new TutelageError(
      "non-finite",
      `prompt ${row.index + 1}: expected finite logits, got NaN or infinity. The student's weights hold NaN or values too large for float32`,
      { details: { prompt: row.index + 1 } },
    );
  }
  row.generated.push(token);
  if (eosTokenIds.includes(token)) row.finished = "stop";
  else if (row.generated.length >= row.limit) row.finished = "length";
}

/** Padding rows repeat a real one, so that the loop in the graph ends when the real rows have. */
async function generateWhole(
  parts: Parts,
  rows: readonly Row[],
  prompt: PromptBatch,
  sampling: Sampling,
): Promise<void> {
  const { batch, length, positionLimit, slots } = prompt;
  const choice = sampling.temperature === 0 ? "greedy" : sampling.topP < 1 ? "nucleus" : "sample";
  const session = await parts.sessions.generation(batch, length, positionLimit, choice, parts.eosTokenIds);
  const draws = Math.max(...rows.map((row) => row.limit));
  const start = new BigInt64Array(batch);
  slots.forEach((row, b) => (start[b] = BigInt(row.prompt.length)));
  const feeds: Record<string, Tensor | DeviceTensor> = {
    ...parts.store.feeds(session),
    ids: prompt.ids,
    keyMask: prompt.keyMask(length),
    start: { type: "int64", shape: [batch, 1], data: start },
    steps: { type: "int64", shape: [], data: BigInt64Array.of(BigInt(draws - 1)) },
    ...positionFeeds(session, [batch, length], prompt.positions),
  };
  if (choice !== "greedy") {
    const uniforms = new Float32Array(draws * batch);
    const own = rows.map((row) => Array.from({ length: draws }, () => Math.min(row.rng.uniform(), LARGEST_UNIFORM)));
    for (let i = 0; i < uniforms.length; i++)
      uniforms[i] = own[Math.min(i % batch, rows.length - 1)]?.[Math.floor(i / batch)] ?? 0;
    feeds["uniforms"] = { type: "float32", shape: [draws, batch], data: uniforms };
    feeds["inverseTemperature"] = {
      type: "float32",
      shape: [1],
      data: Float32Array.of(Math.min(1 / sampling.temperature, MAX_INVERSE_TEMPERATURE)),
    };
  }
  if (choice === "nucleus") feeds["topP"] = { type: "float32", shape: [1], data: Float32Array.of(sampling.topP) };
  const result = await session.run(feeds, { first: "host", rest: "host" });
  const tokens = [...Array.from(result.host("first").data, Number), ...Array.from(result.host("rest").data, Number)];
  rows.forEach((row, b) => {
    for (let at = b; at < tokens.length && row.finished === undefined; at += batch)
      append(row, tokens[at] ?? 0, parts.eosTokenIds);
  });
}

async function generateStepwise(
  parts: Parts,
  rows: readonly Row[],
  prompt: PromptBatch,
  sampling: Sampling,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { batch, length, positionLimit, keyMask } = prompt;
  const cacheNames = Array.from({ length: parts.numHiddenLayers }, (_, i) => [`k.${i}`, `v.${i}`]).flat();
  const choice: StepChoice =
    parts.trace !== undefined || (sampling.temperature > 0 && sampling.topP < 1)
      ? "logits"
      : sampling.temperature === 0
        ? "greedy"
        : "sample";
  const outputs: Record<string, "host" | "device"> = { [choice === "logits" ? "logits" : "token"]: "host" };
  for (const name of cacheNames) outputs[name] = "device";

  const prefill = await parts.sessions.prefill(batch, length, positionLimit, choice);
  let result = await prefill.run(
    {
      ...parts.store.feeds(prefill),
      ...(choice === "sample" ? drawFeeds(rows, batch, sampling) : {}),
      ids: prompt.ids,
      keyMask: keyMask(length),
      ...positionFeeds(prefill, [batch, length], prompt.positions),
    },
    outputs,
  );
  const cacheOf = (run: RunResult): DeviceTensor[] => cacheNames.map((name) => run.device(name));
  let cache = cacheOf(result);
  try {
    for (let past = length; ; past++) {
      if (choice === "logits") {
        await takeTokens(parts, rows, result.host("logits"), sampling); // GPU→CPU sync: logits
      } else {
        const { data } = result.host("token"); // GPU→CPU sync: one number a row
        rows.forEach((row, b) => append(row, Number(data[b]), parts.eosTokenIds));
      }
      if (rows.every((row) => row.finished !== undefined)) return;
      throwIfAborted(signal, "generation");
      const step = await parts.sessions.decode(batch, positionLimit, choice);
      const nextIds = new Int32Array(batch);
      const nextPositions = new Int32Array(batch);
      rows.forEach((row, b) => {
        nextIds[b] = row.generated.at(-1) ?? 0;
        // A finished row is carried along; its position must stay inside the tables.
        nextPositions[b] = Math.min(positionLimit - 1, row.prompt.length + row.generated.length - 1);
      });
      const feeds: Record<string, Tensor | DeviceTensor> = {
        ...parts.store.feeds(step),
        ...(choice === "sample" ? drawFeeds(rows, batch, sampling) : {}),
        ids: { type: "int32", shape: [batch, 1], data: nextIds },
        ...Object.fromEntries(
          keyMaskInputs(step.inputNames).map(({ name, slidingWindow }) => [name, keyMask(past + 1, slidingWindow)]),
        ),
        ...positionFeeds(step, [batch, 1], nextPositions),
      };
      cacheNames.forEach((name, i) => {
        const tensor = cache[i];
        invariant(tensor !== undefined, "one cache tensor per name");
        feeds[`past.${name}`] = tensor;
      });
      result = await step.run(feeds, outputs);
      const grown = cacheOf(result);
      for (const tensor of cache) tensor.dispose();
      cache = grown;
    }
  } finally {
    for (const tensor of cache) tensor.dispose();
  }
}

async function generateByRecomputing(
  parts: Parts,
  rows: readonly Row[],
  batch: number,
  sampling: Sampling,
  signal: AbortSignal | undefined,
): Promise<void> {
  while (rows.some((row) => row.finished === undefined)) {
    throwIfAborted(signal, "generation");
    const texts = rows.map((row) => [...row.prompt, ...row.generated]);
    const length = bucketLength(Math.max(...texts.map((text) => text.length)), parts.maxPositions);
    const ids = new Int32Array(batch * length);
    const last = new Int32Array(batch);
    texts.forEach((text, b) => {
      ids.set(text, b * length);
      last[b] = b * length + text.length - 1;
    });
    const session = await parts.sessions.recompute(batch, length);
    const result = await session.run(
      {
        ...parts.store.feeds(session),
        ids: { type: "int32", shape: [batch, length], data: ids },
        last: { type: "int32", shape: [batch], data: last },
      },
      { logits: "host" },
    );
    await takeTokens(parts, rows, result.host("logits"), sampling); // GPU→CPU sync: logits
  }
}

/** One draw for every unfinished row, from its own stream, and the temperature. */
function drawFeeds(rows: readonly Row[], batch: number, { temperature }: Sampling): Record<string, Tensor> {
  const uniform = new Float32Array(batch);
  rows.forEach((row, b) => {
    if (row.finished === undefined) uniform[b] = Math.min(row.rng.uniform(), LARGEST_UNIFORM);
  });
  return {
    uniform: { type: "float32", shape: [batch, 1], data: uniform },
    inverseTemperature: {
      type: "float32",
      shape: [1],
      data: Float32Array.of(Math.min(1 / temperature, MAX_INVERSE_TEMPERATURE)),
    },
  };
}

/** Appends the next token of every unfinished row, and tells it where that is wanted. */
async function takeTokens(parts: Parts, rows: readonly Row[], logits: Tensor, sampling: Sampling): Promise<void> {
  const { data } = logits;
  invariant(data instanceof Float32Array, "logits are float32");
  for (const [b, row] of rows.entries()) {
    if (row.finished !== undefined) continue;
    const own = data.subarray(b * parts.vocabSize, (b + 1) * parts.vocabSize);
    const token = sampleToken(own, sampling, row.rng);
    append(row, Number.isFinite(own[token]) ? token : -1, parts.eosTokenIds);
    if (parts.trace === undefined) continue;
    await parts.trace({ row: row.index, id: token, ids: row.generated, ...probabilitiesOf(own, token, LIKELIEST) });
  }
}
