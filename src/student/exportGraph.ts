/**
 * @file The graph of a student for other programs: one forward pass with a key-value
 * cache, weights inside, under the names and sizes of Hugging Face Optimum's decoder
 * models, which transformers.js and Optimum load. Rows may be padded on the left. Not
 * here: the graphs that we run ourselves (`graphs.ts`), and files (`exportOnnx.ts`).
 */
import { invariant } from "../core/errors.ts";
import { ModelContext } from "../nn/context.ts";
import type { Decoder } from "../nn/family.ts";
import { MASKED, type Sequence } from "../nn/modules.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, Tensor, Value } from "../onnx/types.ts";

const BATCH = "batch_size";
const TOKENS = "sequence_length";
const PAST = "past_sequence_length";
const KEYS = `${PAST}+${TOKENS}`;

export interface ExportGraphOptions {
  /** Additive value of hidden keys; what float16 can hold where the graph will be brought to it. */
  readonly masked?: number;
}

/** int64 [end − start] of the integers from `start` to `end`, both [1]. */
function range(g: GraphBuilder, start: Value, end: Value): Value {
  const scalar = (value: Value): Value => g.squeeze(value, [0]);
  const one = g.constant("int64", [], BigInt64Array.of(1n), "one");
  const [values] = g.node("Range", [scalar(start), scalar(end), one]);
  invariant(values !== undefined, "Range has an output");
  return values;
}

/**
 * Additive masks [B, 1, T, past+T] by sliding window: hidden are keys after the token
 * itself, those that its window has left behind and those where `attention_mask` is 0.
 */
function maskMaker(
  g: GraphBuilder,
  attentionMask: Value,
  masked: number,
): (slidingWindow: number | undefined) => Value {
  const keyCount = g.sizeOf(KEYS);
  const pastCount = g.sub(keyCount, g.sizeOf(TOKENS));
  const keys = g.unsqueeze(range(g, g.ints([0]), keyCount), [0]); // (1, S)
  const tokens = g.unsqueeze(range(g, pastCount, keyCount), [1]); // (T, 1)
  const padding = g.unsqueeze(g.equal(attentionMask, g.ints([0])), [1, 2]); // (B, 1, 1, S)
  const hidden = g.or(g.greater(keys, tokens), padding);
  const memo = new Map<number | undefined, Value>();
  return (slidingWindow) => {
    const known = memo.get(slidingWindow);
    if (known !== undefined) return known;
    const all =
      slidingWindow === undefined ? hidden : g.or(hidden, g.less(keys, g.sub(tokens, g.ints([slidingWindow - 1]))));
    const mask = g.where(all, g.float(masked, [1]), g.float(0, [1]));
    memo.set(slidingWindow, mask);
    return mask;
  };
}

/**
 * The forward pass of `decoder` with `weights` as initializers under their own names; without them they are
 * inputs, for the caller to bind.
 * Inputs: `input_ids` int64 [B, T], `attention_mask` int64 [B, past+T] (0 at padding),
 * `position_ids` int64 [B, T], `past_key_values.<i>.key` and `.value` float32
 * [B, K, past, H]. Outputs: `logits` float32 [B, T, V], `present.<i>.key` and `.value`
 * [B, K, past+T, H]. All of B, T and past are symbolic.
 */
export function buildExportGraph(
  decoder: Decoder,
  weights: ReadonlyMap<string, Tensor> | undefined,
  options: ExportGraphOptions = {},
): Graph {
  const g = new GraphBuilder("decoder");
  const ids = g.input("input_ids", "int64", [BATCH, TOKENS]);
  const attentionMask = g.input("attention_mask", "int64", [BATCH, KEYS]);
  const positionIds = g.input("position_ids", "int64", [BATCH, TOKENS]);
  const past = Array.from({ length: decoder.numHiddenLayers }, (_, layer) => {
    const input = (part: string): Value =>
      g.input(`past_key_values.${layer}.${part}`, "float32", [BATCH, decoder.numKeyValueHeads, PAST, decoder.headDim]);
    return { k: input("key"), v: input("value") };
  });
  const maskOf = maskMaker(g, attentionMask, options.masked ?? MASKED);
  const present: { readonly k: Value; readonly v: Value }[] = [];
  const sequence: Sequence = {
    batch: BATCH,
    length: TOKENS,
    positionLimit: decoder.maxPositionEmbeddings,
    positions: (type) => g.cast(positionIds, type),
    attend: (layer, k, v, slidingWindow) => {
      const before = past[layer];
      invariant(before !== undefined, "one cache per layer");
      const all = { k: g.concat([before.k, k], 2), v: g.concat([before.v, v], 2) };
      present[layer] = all;
      return [{ ...all, mask: maskOf(slidingWindow) }];
    },
  };
  const shapes = new Map(decoder.parameters.map(({ name, shape }) => [name, shape]));
  const context = new ModelContext({
    builder: g,
    decoder,
    lora: new Map(),
    parameter: (name) => {
      const known = g.find(name);
      if (known !== undefined) return known;
      if (weights === undefined) return g.input(name, "float32", shapes.get(name) ?? []);
      const tensor = weights.get(name);
      invariant(tensor !== undefined, `weights hold '${name}'`);
      return g.initializer(tensor, name);
    },
  });
  const logits = context.logits(decoder.hiddenStates(context, ids, sequence)); // (B·T, V)
  g.output(g.reshape(logits, [BATCH, TOKENS, decoder.vocabSize]), "logits");
  present.forEach(({ k, v }, layer) => {
    g.output(k, `present.${layer}.key`);
    g.output(v, `present.${layer}.value`);
  });
  return g.build();
}
