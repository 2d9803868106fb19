/**
 * @file What a student's logits say about given target tokens: negative
 * log-likelihood and the acquisition scores, token by token. Logits are made and
 * used in chunks of rows, so that no tensor outgrows a GPU binding however large
 * the vocabulary is. Shapes: M = B·T token positions, V vocabulary.
 */
import { badInput, invariant } from "../core/errors.ts";
import type { Value } from "../onnx/types.ts";
import type { ModelContext } from "./context.ts";

/** Token-level quantities; all in nats or probabilities. */
export const TOKEN_SCORES = ["loss", "entropy", "margin", "leastConfidence", "el2n"] as const;
export type TokenScore = (typeof TOKEN_SCORES)[number];

/**
 * Largest logits tensor of one chunk. A chunk has three or four tensors of its size at a time; from some hundred rows
 * on, a product with the output head gains nothing from more of them.
 */
const MAX_LOGITS_BYTES = 32 * 1024 * 1024;

function chunkScores(
  context: ModelContext,
  logits: Value,
  targets: Value,
  scores: readonly TokenScore[],
  fixed: Value[],
): Value[] {
  const g = context.builder;
  const vocabulary = logits.shape[1];
  invariant(typeof vocabulary === "number", "the vocabulary has a static size");
  // d/dmax of log-sum-exp cancels exactly, so the maximum is a constant for differentiation.
  const max = g.reduceMax(logits, [-1]); // (M, 1)
  fixed.push(max);
  const z = g.sub(logits, max); // (M, V)
  const exp = g.exp(z);
  const sum = g.reduceSum(exp, [-1]); // (M, 1)
  const lse = g.log(sum);
  const wanted = new Set(scores);
  const p = wanted.has("margin") || wanted.has("el2n") ? g.div(exp, sum) : undefined;
  return scores.map((score) => {
    switch (score) {
      case "loss":
        return g.sub(lse, g.gatherElements(z, targets, 1));
      case "entropy":
        // H = −Σ p log p = lse − Σ p z
        return g.sub(lse, g.div(g.reduceSum(g.mul(exp, z), [-1]), sum));
      case "leastConfidence":
        // The largest probability is exp(0)/sum.
        return g.sub(g.float(1, [1]), g.div(g.float(1, [1]), sum));
      case "margin": {
        invariant(p !== undefined, "margin needs probabilities");
        const isTop = g.equal(z, g.float(0, [1]));
        const ties = g.reduceSum(g.cast(isTop, "float32"), [-1]);
        const second = g.reduceMax(g.where(isTop, g.float(0, [1]), p), [-1]);
        const top = g.div(g.float(1, [1]), sum);
        return g.where(g.greater(ties, g.float(1.5, [1])), g.float(0, [1]), g.sub(top, second));
      }
      case "el2n": {
        invariant(p !== undefined, "el2n needs probabilities");
        const classes = g.int32(
          Int32Array.from({ length: vocabulary }, (_, i) => i),
          [1, vocabulary],
        );
        const error = g.sub(p, g.cast(g.equal(targets, classes), "float32"));
        return g.sqrt(g.reduceSum(g.mul(error, error), [-1]));
      }
      default:
        return badInput("token score", TOKEN_SCORES.join(", "), String(score satisfies never));
    }
  });
}

/** Rows whose logits fit into one chunk. */
export function rowsOfChunk(vocabSize: number, maxLogitsBytes = MAX_LOGITS_BYTES): number {
  return Math.max(1, Math.floor(maxLogitsBytes / (4 * vocabSize)));
}

/**
 * Rows of the given matrices in equal chunks (the last may be shorter) whose logits have at most `maxLogitsBytes` bytes, or one row.
 * A number of rows that is known only when the graph runs stays one chunk: the caller keeps it within `rowsOfChunk`.
 */
function inChunks(context: ModelContext, matrices: readonly Value[], maxLogitsBytes: number): Value[][] {
  const rows = matrices[0]?.shape[0];
  if (typeof rows !== "number") return [[...matrices]];
  const most = rowsOfChunk(context.decoder.vocabSize, maxLogitsBytes);
  const size = Math.ceil(rows / Math.ceil(rows / most));
  const sizes = Array.from({ length: Math.ceil(rows / size) }, (_, i) => Math.min(size, rows - i * size));
  if (sizes.length === 1) return [[...matrices]];
  const parts = matrices.map((matrix) => context.builder.split(matrix, sizes, 0));
  return sizes.map((_, i) => parts.flatMap((part) => part[i] ?? []));
}

/**
 * The loss to differentiate: the sum [] over positions of `weights` [M, 1] times the negative log-likelihood of
 * `targets` int32 [M, 1] under hidden states [M, D], in nats. `fixed` as for `tokenScores`.
 *
 * The weight of a chunk takes part in the chunk's loss (times 0, so a loss that is not finite stays so), which changes no
 * number but makes the backward pass of a chunk wait for its loss: no logits are kept until the sum is made at the end.
 */
export function weightedLoss(
  context: ModelContext,
  hidden: Value,
  targets: Value,
  weights: Value,
  maxLogitsBytes = MAX_LOGITS_BYTES,
): { readonly lossSum: Value; readonly fixed: readonly Value[] } {
  const g = context.builder;
  const fixed: Value[] = [];
  const sums = inChunks(context, [hidden, targets, weights], maxLogitsBytes).map(([h, t, w], i) =>
    g.scope(`loss.${i}`, () => {
      invariant(h !== undefined && t !== undefined && w !== undefined, "a chunk has targets and weights");
      const [nll] = chunkScores(context, context.logits(h), t, ["loss"], fixed);
      invariant(nll !== undefined, "one value per score");
      const held = g.add(w, g.scale(nll, 0));
      fixed.push(held);
      return g.reduceSum(g.mul(nll, held), [0, 1], false);
    }),
  );
  return { lossSum: sums.reduce((a, b) => g.add(a, b)), fixed };
}

/**
 * Token scores [M, 1] of hidden states [M, D] against `targets` int32 [M, 1]
 * (any valid id where the position is ignored). `fixed` lists values that
 * differentiation may treat as constants. The logits tensor of a chunk has at most
 * `maxLogitsBytes` bytes, or one row.
 */
export function tokenScores(
  context: ModelContext,
  hidden: Value,
  targets: Value,
  scores: readonly TokenScore[],
  maxLogitsBytes = MAX_LOGITS_BYTES,
): { readonly values: readonly Value[]; readonly fixed: readonly Value[] } {
  const g = context.builder;
  const fixed: Value[] = [];
  const chunks = inChunks(context, [hidden, targets], maxLogitsBytes).map(([h, t], i) => {
    invariant(h !== undefined && t !== undefined, "a chunk of hidden states has its targets");
    return g.scope(`loss.${i}`, () => chunkScores(context, context.logits(h), t, scores, fixed));
  });
  const values = scores.map((_, i) => {
    const parts = chunks.map((chunk) => {
      const part = chunk[i];
      invariant(part !== undefined, "one value per score");
      return part;
    });
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : g.concat(parts, 0);
  });
  return { values, fixed };
}
