/**
 * @file Attention with its projections, and the ways in which blocks add it and the
 * feed-forward part to their input. Shapes: B batch, T new tokens, D hidden, N heads,
 * K key-value heads, H head size.
 */
import { invariant } from "../core/errors.ts";
import type { Value } from "../onnx/types.ts";
import type { ModelContext } from "./context.ts";
import type { ParameterSpec } from "./family.ts";
import type { Layer } from "./layers.ts";
import { attention, timesDim, type Sequence } from "./modules.ts";
import type { Rotary } from "./rotary.ts";

/** A part of a model in which positions see others: attention, or a whole block. */
export interface SequenceLayer {
  readonly parameters: readonly ParameterSpec[];
  /** Output [B·T, D] for x [B·T, D]; with `rows` int32 [P] only of those rows, [P, D]. */
  apply(context: ModelContext, x: Value, sequence: Sequence, rows?: Value): Value;
}

/** The rows of x [B·T, D] that are wanted. */
function pickRows(context: ModelContext, x: Value, rows: Value | undefined): Value {
  return rows === undefined ? x : context.builder.gather(x, rows);
}

/** Queries [B·T, N·H], keys and values [B·T, K·H] of hidden states. */
export interface QueryKeyValue {
  readonly parameters: readonly ParameterSpec[];
  apply(context: ModelContext, x: Value): readonly [q: Value, k: Value, v: Value];
}

/** One linear layer each. */
export function separateProjections(q: Layer, k: Layer, v: Layer): QueryKeyValue {
  return {
    parameters: [q, k, v].flatMap((layer) => layer.parameters),
    apply: (context, x) => [q.apply(context, x), k.apply(context, x), v.apply(context, x)],
  };
}

/** One linear layer for all three, as many key-value heads as heads: all queries, all keys, all values or, `interleaved`, query, key and value head by head. */
export function fusedProjection(
  layer: Layer,
  sizes: { readonly heads: number; readonly headDim: number; readonly interleaved: boolean },
): QueryKeyValue {
  const { heads, headDim, interleaved } = sizes;
  const width = heads * headDim;
  return {
    parameters: layer.parameters,
    apply: (context, x) => {
      const g = context.builder;
      const fused = layer.apply(context, x);
      const rows = fused.shape[0];
      invariant(rows !== undefined, "a matrix");
      const parts = interleaved
        ? g
            .split(g.reshape(fused, [rows, heads, 3 * headDim]), [headDim, headDim, headDim], 2)
            .map((part) => g.reshape(part, [rows, width]))
        : g.split(fused, [width, width, width], 1);
      const [q, k, v] = parts;
      invariant(q !== undefined && k !== undefined && v !== undefined, "three parts");
      return [q, k, v];
    },
  };
}

export interface SelfAttentionOptions {
  /** Index of the layer. */
  readonly layer: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly projections: QueryKeyValue;
  /** Back from [B·T, N·H] to [B·T, D]. */
  readonly output: Layer;
  /** `1/sqrt(headDim)` when left out. */
  readonly scale?: number;
  readonly rotary?: Rotary;
  /** Norms over each head of queries and keys, before the rotation. */
  readonly queryNorm?: Layer | undefined;
  readonly keyNorm?: Layer | undefined;
  readonly slidingWindow?: number | undefined;
  readonly softCap?: number | undefined;
}

/** A norm over each head: x [M, heads·H] as [M·heads, H]. */
function perHead(context: ModelContext, norm: Layer | undefined, x: Value, headDim: number): Value {
  if (norm === undefined) return x;
  const g = context.builder;
  const [rows, width] = x.shape;
  invariant(rows !== undefined && typeof width === "number", "a matrix of heads");
  const heads = g.reshape(x, [timesDim(rows, width / headDim), headDim]);
  return g.reshape(norm.apply(context, heads), [rows, width]);
}

/** Multi-head self-attention with grouped queries. */
export function selfAttention(options: SelfAttentionOptions): SequenceLayer {
  const { layer, heads, kvHeads, headDim, projections, output, rotary, queryNorm, keyNorm } = options;
  return {
    parameters: [projections, output, queryNorm, keyNorm].flatMap((part) => part?.parameters ?? []),
    apply: (context, x, sequence, rows) => {
      const [q, k, v] = projections.apply(context, x);
      const place = (part: Value, norm: Layer | undefined): Value => {
        const normed = perHead(context, norm, part, headDim);
        return rotary === undefined ? normed : rotary.rotate(context, normed, sequence);
      };
      const mixed = attention(context, place(q, queryNorm), place(k, keyNorm), v, sequence, {
        layer,
        numAttentionHeads: heads,
        numKeyValueHeads: kvHeads,
        headDim,
        scale: options.scale ?? 1 / Math.sqrt(headDim),
        slidingWindow: options.slidingWindow,
        softCap: options.softCap,
      });
      return output.apply(context, pickRows(context, mixed, rows));
    },
  };
}

interface BlockParts {
  readonly attentionNorm: Layer;
  readonly attention: SequenceLayer;
  readonly mlp: Layer;
}

/** `h = x + attention(norm(x))`, then `h + mlp(norm(h))`; with further norms on what is added where given. */
export function sequentialBlock(
  parts: BlockParts & { readonly mlpNorm: Layer; readonly attentionOutNorm?: Layer; readonly mlpOutNorm?: Layer },
): SequenceLayer {
  const { attentionNorm, attention: mix, attentionOutNorm, mlpNorm, mlp, mlpOutNorm } = parts;
  return {
    parameters: [attentionNorm, mix, attentionOutNorm, mlpNorm, mlp, mlpOutNorm].flatMap(
      (part) => part?.parameters ?? [],
    ),
    apply: (context, x, sequence, rows) => {
      const g = context.builder;
      const normed = (y: Value, norm: Layer | undefined): Value => (norm === undefined ? y : norm.apply(context, y));
      const mixed = mix.apply(context, attentionNorm.apply(context, x), sequence, rows);
      const h = g.add(pickRows(context, x, rows), normed(mixed, attentionOutNorm));
      return g.add(h, normed(mlp.apply(context, mlpNorm.apply(context, h)), mlpOutNorm));
    },
  };
}

/** `x + attention(norm(x)) + mlp(norm(x))`; `mlpNorm` is the same norm when left out. */
export function parallelBlock(parts: BlockParts & { readonly mlpNorm?: Layer }): SequenceLayer {
  const { attentionNorm, attention: mix, mlpNorm, mlp } = parts;
  return {
    parameters: [attentionNorm, mix, mlpNorm, mlp].flatMap((part) => part?.parameters ?? []),
    apply: (context, x, sequence, rows) => {
      const g = context.builder;
      const normed = attentionNorm.apply(context, x);
      const mixed = mix.apply(context, normed, sequence, rows);
      const kept = pickRows(context, x, rows);
      const forward = mlp.apply(
        context,
        mlpNorm === undefined ? pickRows(context, normed, rows) : mlpNorm.apply(context, kept),
      );
      return g.add(kept, g.add(mixed, forward));
    },
  };
}
