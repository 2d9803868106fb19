/**
 * @file What layers compute without parameters of their own: activations and attention
 * over key-value segments. Not here: the layers (`layers.ts`, `blocks.ts`). Shapes: B batch, T new tokens, S keys,
 * D hidden, N heads, K key-value heads, G = N/K, H head size. S may be symbolic
 * (generation), B and T too (an exported model).
 */
import { invariant } from "../core/errors.ts";
import { attr } from "../onnx/attributes.ts";
import { CONTRIB_DOMAIN } from "../onnx/builder.ts";
import { multiplyDims } from "../onnx/dims.ts";
import type { Attributes, Dim, Value } from "../onnx/types.ts";
import type { ModelContext } from "./context.ts";

/** Additive mask value: finite, so that a fully masked row gives no NaN; exp() of it is exactly 0. */
export const MASKED = -1e9;

/** Keys and values a query attends to, k and v [B, K, S, H]; `mask` is additive and broadcasts to [B, N, T, S]. */
export interface Segment {
  readonly k: Value;
  readonly v: Value;
  readonly mask?: Value;
}

/** Mask and cache for models that bring their own attention (read from a file) and take both as inputs. */
export interface ModelInputs {
  /** int64 [B, S]: 0 at padding, else 1. */
  readonly attentionMask: () => Value;
  /** Keys and values [B, K, P, H] before the new tokens; none when undefined. */
  readonly past: (layer: number) => { readonly k: Value; readonly v: Value } | undefined;
  /** Takes the grown cache [B, K, S, H]; undefined where nobody asks for it. */
  readonly present?: (layer: number, k: Value, v: Value) => void;
}

/** Where the T new tokens stand and what they may attend to. */
export interface Sequence {
  /** B; a number but in graphs to be exported. */
  readonly batch: Dim;
  /** T; a number but in graphs to be exported. */
  readonly length: Dim;
  /** Positions are below this: the size of rotary tables. */
  readonly positionLimit: number;
  /** int32 [P]: the rows of hidden states [B·T] that are wanted in the end, so that the last block computes no others; all when undefined. */
  readonly outputRows?: Value | undefined;
  /** [B, T]: position of every new token, in the integer type that the reader takes. */
  readonly positions: (type: "int32" | "int64") => Value;
  /**
   * Segments for layer `layer`, given the new tokens' own keys and values [B, K, T, H].
   * With `slidingWindow` W a token at position p sees the positions p−W+1…p only.
   */
  readonly attend: (layer: number, k: Value, v: Value, slidingWindow: number | undefined) => readonly Segment[];
  /** The same as the inputs of a model file; absent where such models do not run. */
  readonly modelInputs?: ModelInputs;
}

/** A product of sizes that are known to have one. */
export function timesDim(a: Dim, b: Dim): Dim {
  const product = multiplyDims(a, b);
  invariant(product !== undefined, "sizes of a sequence have short names");
  return product;
}

/** `B·T`, the rows of hidden states. */
export function rowCount({ batch, length }: Sequence): Dim {
  return timesDim(batch, length);
}

/** The activations that configs name and that are computed here. */
export const ACTIVATIONS = [
  "silu",
  "swish",
  "gelu",
  "gelu_python",
  "gelu_new",
  "gelu_pytorch_tanh",
  "gelu_accurate",
  "gelu_fast",
  "quick_gelu",
  "relu",
  "relu2",
  "tanh",
] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** An activation of x, elementwise. */
export function activation(context: ModelContext, x: Value, name: Activation): Value {
  const g = context.builder;
  const one = (opType: string, domain = "", attributes: Attributes = {}): Value => {
    const y = g.node(opType, [x], { domain, attributes })[0];
    invariant(y !== undefined, `${opType} has an output`);
    return y;
  };
  switch (name) {
    case "silu":
    case "swish":
      // One node, and one tensor fewer to keep for the backward pass.
      return context.fusedNorm ? one("QuickGelu", CONTRIB_DOMAIN, { alpha: attr.float(1) }) : g.mul(x, g.sigmoid(x));
    case "gelu_new":
    case "gelu_pytorch_tanh":
    case "gelu_accurate":
    case "gelu_fast":
      return one("FastGelu", CONTRIB_DOMAIN);
    case "gelu":
    case "gelu_python":
      return one("Gelu", CONTRIB_DOMAIN);
    case "quick_gelu":
      return g.mul(x, g.sigmoid(g.scale(x, 1.702)));
    case "relu":
      return g.relu(x);
    case "relu2": {
      const positive = g.relu(x);
      return g.mul(positive, positive);
    }
    case "tanh":
      return g.tanh(x);
    default:
      return name satisfies never;
  }
}

export interface AttentionSizes {
  readonly layer: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  /** Usually `1/sqrt(headDim)`. */
  readonly scale: number;
  /** Positions that a token sees, itself included; all before it when undefined. */
  readonly slidingWindow?: number | undefined;
  /** Scores s become `c · tanh(s / c)`. */
  readonly softCap?: number | undefined;
}

/** x [B·T, heads·H] → [B, heads, T, H]. */
function splitHeads(
  context: ModelContext,
  x: Value,
  { batch, length }: Sequence,
  heads: number,
  headDim: number,
): Value {
  const g = context.builder;
  return g.transpose(g.reshape(x, [batch, length, heads, headDim]), [0, 2, 1, 3]);
}

function lastDim(x: Value): Dim {
  const dim = x.shape.at(-1);
  invariant(dim !== undefined, "a value with axes");
  return dim;
}

/**
 * Scaled dot-product attention with grouped queries; q [B·T, N·H], k and v
 * [B·T, K·H]; returns [B·T, N·H]. The G query heads that share a key head are
 * folded into the row axis, so that keys are never copied per head and their
 * gradient needs no reduction.
 */
export function attention(
  context: ModelContext,
  q: Value,
  k: Value,
  v: Value,
  sequence: Sequence,
  sizes: AttentionSizes,
): Value {
  const g = context.builder;
  const { batch, length } = sequence;
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = sizes;
  const group = heads / kvHeads;
  /** (B, N, T, X) → (B, K, G·T, X), the inverse of what `scores` are brought to for the mask. */
  const fold = (x: Value): Value =>
    group === 1 ? x : g.reshape(x, [batch, kvHeads, timesDim(group, length), lastDim(x)]);
  const queries = fold(g.scale(splitHeads(context, q, sequence, heads, headDim), sizes.scale)); // (B, K, G·T, H)
  const segments = sequence.attend(
    sizes.layer,
    splitHeads(context, k, sequence, kvHeads, headDim),
    splitHeads(context, v, sequence, kvHeads, headDim),
    sizes.slidingWindow,
  );
  const scores = segments.map((segment) => {
    const product = g.matmul(queries, g.transpose(segment.k, [0, 1, 3, 2])); // (B, K, G·T, S)
    const raw = sizes.softCap === undefined ? product : context.softCap(product, sizes.softCap);
    const byHead = group === 1 ? raw : g.reshape(raw, [batch, heads, length, lastDim(raw)]);
    return segment.mask ? g.add(byHead, segment.mask) : byHead;
  });
  const [first] = segments;
  const [onlyScores] = scores;
  invariant(first !== undefined && onlyScores !== undefined, "attention needs at least one segment");
  let mixed: Value;
  if (segments.length === 1) {
    mixed = g.matmul(fold(g.softmax(onlyScores)), first.v);
  } else {
    mixed = mixSegments(context, segments, scores, fold);
  }
  const byHead = group === 1 ? mixed : g.reshape(mixed, [batch, heads, length, headDim]);
  return g.reshape(g.transpose(byHead, [0, 2, 1, 3]), [rowCount(sequence), heads * headDim]);
}

/** Softmax over the concatenated segments, then the sum of each part's weighted values; the cached values are not copied. */
function mixSegments(
  context: ModelContext,
  segments: readonly Segment[],
  scores: readonly Value[],
  fold: (p: Value) => Value,
): Value {
  const g = context.builder;
  const max = scores.map((s) => g.reduceMax(s, [-1])).reduce((a, b) => g.where(g.greater(a, b), a, b));
  const exps = scores.map((s) => g.exp(g.sub(s, max)));
  const total = exps.map((e) => g.reduceSum(e, [-1])).reduce((a, b) => g.add(a, b));
  return exps
    .map((e, i) => {
      const segment = segments[i];
      invariant(segment !== undefined, "one score tensor per segment");
      return g.matmul(fold(g.div(e, total)), segment.v);
    })
    .reduce((a, b) => g.add(a, b));
}
