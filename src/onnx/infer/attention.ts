/** @file Inference of ONNX Runtime's fused attention operators: GroupQueryAttention, MultiHeadAttention. */
import { addDims, divideDims, multiplyDims } from "../dims.ts";
import type { Dim, Shape, Value } from "../types.ts";
import { type Call, FLOATS, type OutputType, type RuleTable } from "./call.ts";

/** Sizes of keys once the new ones are behind the cached ones. */
function grown(call: Call, past: Value | undefined, fresh: Dim): Dim {
  if (past === undefined) return fresh;
  call.rank(past, 4, 4);
  return addDims(past.shape[2] ?? 0, fresh);
}

/**
 * Inputs query [B,T,N·H] (with keys and values behind the queries when `key` is left
 * out), key, value [B,T,K·H], past_key, past_value [B,K,P,H], seqlens_k, total length, …
 */
function inferGroupQueryAttention(call: Call): OutputType[] {
  const query = call.input(0, FLOATS);
  call.rank(query, 3, 3);
  const heads = call.int("num_heads");
  const kvHeads = call.int("kv_num_heads");
  if (heads < 1 || kvHeads < 1 || heads % kvHeads !== 0)
    call.fail("num_heads to be a multiple of kv_num_heads", `${heads} and ${kvHeads}`);
  const [batch = 0, length = 0, width = 0] = query.shape;
  const headDim = divideDims(width, call.has(1) ? heads : heads + 2 * kvHeads);
  if (headDim === undefined) return call.fail("a query of whole heads", String(width));
  const past = call.optionalTyped(3, query.type);
  const present: Shape = [batch, kvHeads, grown(call, past, length), headDim];
  return [
    { type: query.type, shape: [batch, length, multiplyDims(headDim, heads) ?? call.opaque(2)] },
    { type: query.type, shape: present },
    { type: query.type, shape: present },
  ];
}

/** Inputs query [B,T,D], key [B,S,D] or [B,N,S,H], value likewise, bias [3·D], key_padding_mask, attention_bias, past_key, past_value. */
function inferMultiHeadAttention(call: Call): OutputType[] {
  const query = call.input(0, FLOATS);
  if (query.shape.length !== 3)
    return call.fail("a query of rank 3 (packed forms are not handled)", String(query.shape.length));
  const heads = call.int("num_heads");
  const [batch = 0, length = 0, width = 0] = query.shape;
  const key = call.input(1, [query.type]);
  const value = call.input(2, [query.type]);
  const keyCount = key.shape.length === 4 ? key.shape[2] : key.shape[1];
  const valueWidth = value.shape.length === 4 ? multiplyDims(value.shape[3] ?? 0, heads) : value.shape[2];
  const present = (headWidth: Dim, past: Value | undefined): OutputType => ({
    type: query.type,
    shape: [batch, heads, grown(call, past, keyCount ?? 0), divideDims(headWidth, heads) ?? call.opaque(3, 1)],
  });
  return [
    { type: query.type, shape: [batch, length, valueWidth ?? call.opaque(2)] },
    present(width, call.optionalTyped(6, query.type)),
    present(valueWidth ?? width, call.optionalTyped(7, query.type)),
  ];
}

export const ATTENTION_CONTRIB: RuleTable = {
  GroupQueryAttention: { inputs: [1, 14], infer: inferGroupQueryAttention },
  MultiHeadAttention: { inputs: [3, 10], infer: inferMultiHeadAttention },
};
