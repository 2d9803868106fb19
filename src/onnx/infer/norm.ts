/** @file Inference of normalisations and of the fused RotaryEmbedding. */
import { divideDims, multiplyDims } from "../dims.ts";
import type { Dim, Value } from "../types.ts";
import { type Call, FLOATS, type OutputType, type RuleTable } from "./call.ts";

/** Normalised input, its first normalised axis, and the shape of the statistics. */
function normalized(call: Call): { readonly x: Value; readonly axis: number; readonly statistics: Dim[] } {
  const x = call.input(0, FLOATS);
  const axis = call.axis(call.int("axis", -1), call.rank(x, 1));
  return { x, axis, statistics: x.shape.map((dim, i) => (i < axis ? dim : 1)) };
}

function inferLayerNormalization(call: Call): OutputType[] {
  const { x, axis, statistics } = normalized(call);
  const tail = x.shape.slice(axis);
  call.broadcastsTo(call.input(1, [x.type]).shape, tail, "a scale");
  const bias = call.optionalTyped(2, x.type);
  if (bias !== undefined) call.broadcastsTo(bias.shape, tail, "a bias");
  return [
    { type: x.type, shape: x.shape },
    { type: "float32", shape: statistics },
    { type: "float32", shape: statistics },
  ];
}

function inferRmsNormalization(call: Call): OutputType[] {
  const { x, axis, statistics } = normalized(call);
  const scale = call.input(1, FLOATS);
  call.broadcastsTo(scale.shape, x.shape.slice(axis), "a scale");
  return [
    { type: x.type, shape: x.shape },
    { type: "float32", shape: statistics },
  ];
}

/** Inputs (input, skip, gamma, …); outputs (normalised, mean, inverse deviation, input + skip + bias). */
function inferSkipNormalization(call: Call): OutputType[] {
  const x = call.input(0, FLOATS);
  call.rank(x, 2, 3);
  call.broadcastsTo(call.input(1, [x.type]).shape, x.shape, "a skip input");
  for (let i = 2; i < call.inputs.length; i++) {
    const vector = i === 2 ? call.input(i, [x.type]) : call.optionalTyped(i, x.type);
    if (vector === undefined) continue;
    call.rank(vector, 1, 1);
    call.equalDims(vector.shape[0] ?? 0, x.shape.at(-1) ?? 0, `'${vector.name}' as long as the last axis`);
  }
  const statistics = x.shape.map((dim, i) => (i === x.shape.length - 1 ? 1 : dim));
  return [
    { type: x.type, shape: x.shape },
    { type: "float32", shape: statistics },
    { type: "float32", shape: statistics },
    { type: x.type, shape: x.shape },
  ];
}

/** Rotation of pairs: X [B,T,N·H] (with `num_heads`) or [B,N,T,H]; caches [·, rotated / 2]. */
function inferRotaryEmbedding(
  call: Call,
  order: { readonly positions: number; readonly caches: readonly [number, number] },
): OutputType[] {
  const x = call.input(0, FLOATS);
  const rank = call.rank(x, 3, 4);
  const [cos, sin] = [call.input(order.caches[0], [x.type]), call.input(order.caches[1], [x.type])];
  cos.shape.forEach((dim, i) => call.equalDims(dim, sin.shape[i] ?? 0, "cosine and sine caches of one shape"));
  const positions = call.optional(order.positions, ["int64"]);
  if (positions === undefined) call.rank(cos, 3, 3);
  else {
    call.rank(positions, 1, 2);
    call.rank(cos, 2, 2);
  }
  const heads = call.int("num_heads", 0);
  const headSize = rank === 4 ? x.shape[3] : heads > 0 ? divideDims(x.shape[2] ?? 0, heads) : undefined;
  const rotated = call.int("rotary_embedding_dim", 0) || headSize;
  const half = cos.shape.at(-1);
  if (rotated !== undefined && half !== undefined) {
    call.equalDims(multiplyDims(half, 2) ?? rotated, rotated, "caches half as wide as the rotated part of a head");
  }
  return [{ type: x.type, shape: x.shape }];
}

export const NORM: RuleTable = {
  LayerNormalization: { inputs: [2, 3], infer: inferLayerNormalization },
  SimplifiedLayerNormalization: { inputs: [2, 2], infer: inferRmsNormalization },
  RMSNormalization: { inputs: [2, 2], since: 23, infer: (call) => inferRmsNormalization(call).slice(0, 1) },
  RotaryEmbedding: {
    inputs: [3, 4],
    since: 23,
    infer: (call) => inferRotaryEmbedding(call, { positions: 3, caches: [1, 2] }),
  },
};

export const NORM_CONTRIB: RuleTable = {
  SkipLayerNormalization: { inputs: [3, 5], infer: inferSkipNormalization },
  SkipSimplifiedLayerNormalization: { inputs: [3, 4], infer: inferSkipNormalization },
  RotaryEmbedding: { inputs: [4, 4], infer: (call) => inferRotaryEmbedding(call, { positions: 1, caches: [2, 3] }) },
};
