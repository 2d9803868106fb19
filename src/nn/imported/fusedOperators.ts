/**
 * @file ONNX Runtime's fused operators that have no gradient rule, written out in
 * operators that have one. Not here: fused operators with a rule of their own
 * (normalisations, RotaryEmbedding, FastGelu). Source: ONNX Runtime's contrib operator
 * documentation and its CPU kernels.
 */
import { badInput, invariant, TutelageError } from "../../core/errors.ts";
import { attr, floatAttribute, intAttribute } from "../../onnx/attributes.ts";
import { CONTRIB_DOMAIN } from "../../onnx/builder.ts";
import { addDims, divideDims } from "../../onnx/dims.ts";
import type { Dim, Node, Shape, Value } from "../../onnx/types.ts";
import type { ModelContext } from "../context.ts";
import { attention, MASKED, rowCount, type Sequence } from "../modules.ts";

/** One fused node about to be written out. */
export interface FusedCall {
  readonly context: ModelContext;
  readonly sequence: Sequence;
  readonly node: Node;
  /** Value of an input; undefined when it is left out. */
  readonly input: (i: number) => Value | undefined;
  /** Index of the decoder layer whose cache the node reads (attention only). */
  readonly layer: number;
}

/** Emits the node's outputs; the caches of attention that `sequence` keeps are not among them. */
type Decomposition = (call: FusedCall) => readonly Value[];

function where({ node }: FusedCall): string {
  return `${node.opType} '${node.name}'`;
}

function required(call: FusedCall, i: number): Value {
  return call.input(i) ?? badInput(where(call), `input ${i}`, "none");
}

function refuse(call: FusedCall, what: string): never {
  throw new TutelageError(
    "unsupported",
    `${where(call)}: ${what} cannot be written out in operators with gradient rules`,
    {
      details: { node: call.node.name, opType: call.node.opType },
    },
  );
}

function only(values: readonly Value[]): Value {
  const [value] = values;
  invariant(value !== undefined, "an operator with an output");
  return value;
}

const sizeOf = (value: Value, axis: number): Dim => value.shape[axis] ?? 1;

const biasGelu: Decomposition = (call) => {
  const g = call.context.builder;
  return g.node("Gelu", [g.add(required(call, 0), required(call, 1))], { domain: CONTRIB_DOMAIN });
};

/**
 * Grouped-query attention with its own rotation and cache. Positions, padding and cache
 * come from the sequence, not from the node's `seqlens_k`: left-padded rows are right here,
 * where the fused kernel takes rows for padded on the right.
 */
const groupQueryAttention: Decomposition = (call) => {
  const { context, sequence, node } = call;
  const g = context.builder;
  const heads = intAttribute(node, "num_heads");
  const kvHeads = intAttribute(node, "kv_num_heads");
  if (call.input(10) !== undefined) refuse(call, "an attention bias");
  if (call.input(11) !== undefined || intAttribute(node, "smooth_softmax", 0) > 0) refuse(call, "a smooth softmax");
  let query = required(call, 0);
  let [key, value] = [call.input(1), call.input(2)];
  const packed = key === undefined || value === undefined;
  const headDim = divideDims(sizeOf(query, 2), packed ? heads + 2 * kvHeads : heads);
  if (typeof headDim !== "number") return refuse(call, "heads of unknown size");
  if (key === undefined || value === undefined)
    [query, key, value] = g.split(query, [heads * headDim, kvHeads * headDim, kvHeads * headDim], 2) as [
      Value,
      Value,
      Value,
    ];
  if (intAttribute(node, "do_rotary", 0) !== 0) {
    const tables = [required(call, 7), required(call, 8)].map((table) => {
      const rows = sizeOf(table, 0);
      return typeof rows === "number" && rows > sequence.positionLimit
        ? g.slice(table, [0], [sequence.positionLimit], [0])
        : table;
    });
    const half = tables[0] === undefined ? 0 : sizeOf(tables[0], 1);
    const rotate = (x: Value, count: number): Value =>
      only(
        g.node("RotaryEmbedding", [x, sequence.positions("int64"), ...tables], {
          domain: CONTRIB_DOMAIN,
          attributes: {
            interleaved: attr.int(intAttribute(node, "rotary_interleaved", 0)),
            ...(typeof half === "number" && 2 * half < headDim
              ? { rotary_embedding_dim: attr.int(2 * half), num_heads: attr.int(count) }
              : {}),
          },
        }),
      );
    query = rotate(query, heads);
    key = rotate(key, kvHeads);
  }
  const rows = (x: Value): Value => g.reshape(x, [rowCount(sequence), sizeOf(x, 2)]);
  const window = intAttribute(node, "local_window_size", -1);
  const softCap = floatAttribute(node, "softcap", 0);
  const mixed = attention(context, rows(query), rows(key), rows(value), sequence, {
    layer: call.layer,
    numAttentionHeads: heads,
    numKeyValueHeads: kvHeads,
    headDim,
    scale: Math.fround(floatAttribute(node, "scale", 0)) || 1 / Math.sqrt(headDim),
    slidingWindow: window > 0 ? window : undefined,
    softCap: softCap > 0 ? softCap : undefined,
  });
  return [g.reshape(mixed, [sequence.batch, sequence.length, heads * headDim])];
};

/** Attention over given keys and values, cached ones before them; the mask is the node's own. */
const multiHeadAttention: Decomposition = (call) => {
  const { node } = call;
  const g = call.context.builder;
  const heads = intAttribute(node, "num_heads");
  const bias = call.input(3);
  const widths = [0, 1, 2].map((i) => sizeOf(required(call, i), required(call, i).shape.length - 1));
  let start = 0;
  const parts = [0, 1, 2].map((i): Value => {
    const x = required(call, i);
    if (x.shape.length === 4) {
      if (bias !== undefined) refuse(call, "a bias beside keys split into heads");
      return x;
    }
    const width = widths[i];
    if (x.shape.length !== 3 || typeof width !== "number") return refuse(call, "packed queries, keys and values");
    const shifted = bias === undefined ? x : g.add(x, g.slice(bias, [start], [start + width], [0]));
    start += width;
    return g.transpose(g.reshape(shifted, [sizeOf(x, 0), sizeOf(x, 1), heads, width / heads]), [0, 2, 1, 3]);
  });
  const [q, freshK, freshV] = parts as [Value, Value, Value];
  const grow = (past: Value | undefined, fresh: Value): Value =>
    past === undefined || past.shape[2] === 0 ? fresh : g.concat([past, fresh], 2);
  const k = grow(call.input(6), freshK);
  const v = grow(call.input(7), freshV);
  const headDim = sizeOf(q, 3);
  if (typeof headDim !== "number") return refuse(call, "heads of unknown size");
  const scale = Math.fround(floatAttribute(node, "scale", 0)) || 1 / Math.sqrt(headDim);
  let scores = g.matmul(g.scale(q, scale), g.transpose(k, [0, 1, 3, 2])); // (B, N, T, S)
  const added = call.input(5);
  if (added !== undefined) scores = g.add(scores, added);
  const masked = g.float(Math.fround(floatAttribute(node, "mask_filter_value", -10000)), [1]);
  const padding = call.input(4);
  if (padding !== undefined) {
    if (padding.shape.length !== 2) refuse(call, "a key padding mask that is not [B, S]");
    const hidden = g.unsqueeze(g.equal(padding, g.cast(g.ints([0]), padding.type)), [1, 2]);
    scores = g.add(scores, g.where(hidden, masked, g.float(0, [1])));
  }
  if (intAttribute(node, "unidirectional", 0) !== 0) {
    const [tokens, keys] = [sizeOf(q, 2), sizeOf(k, 2)];
    if (typeof tokens !== "number" || typeof keys !== "number")
      return refuse(call, "a causal mask over a cache of unknown length");
    const past = Number(addDims(keys, tokens, -1));
    const range = (length: number, first: number): Int32Array => Int32Array.from({ length }, (_, i) => i + first);
    const future = g.greater(g.int32(range(keys, 0), [1, keys]), g.int32(range(tokens, past), [tokens, 1]));
    scores = g.add(scores, g.where(future, g.float(MASKED, [1]), g.float(0, [1])));
  }
  const mixed = g.transpose(g.matmul(g.softmax(scores), v), [0, 2, 1, 3]);
  const [batch = 1, length = 1] = mixed.shape;
  const width = sizeOf(mixed, 3);
  const out: Shape = [batch, length, typeof width === "number" ? heads * width : -1];
  return [g.reshape(mixed, out), k, v];
};

/** Writings-out by "domain:OpType". */
export const DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map<string, Decomposition>([
  ["com.microsoft:BiasGelu", biasGelu],
  ["com.microsoft:GroupQueryAttention", groupQueryAttention],
  ["com.microsoft:MultiHeadAttention", multiHeadAttention],
]);

/** The operator whose cache the sequence keeps: its mask is not the node's own. */
export const SEQUENCE_ATTENTION = "GroupQueryAttention";
