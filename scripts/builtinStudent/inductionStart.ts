/**
 * @file Random weights in which one attention head of the first layer looks one token back and one of the second finds
 * where the present token stood before and takes over what came next there: an induction head (Olsson et al. 2022,
 * arXiv 2209.11895). Small models take many millions of tokens to find it by themselves. It knows no word,
 * no task and no answer; training changes it like all other weights. For Llamas with tied embeddings.
 */
import { invariant } from "../../src/core/errors.ts";
import type { Rng } from "../../src/core/rng.ts";

export interface InductionShape {
  /** Texts of all tokens, in the order of their ids. */
  readonly vocabulary: readonly string[];
  readonly hiddenSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly ropeTheta: number;
}

type Weights = ReadonlyMap<string, { readonly data: Float32Array }>;

const EMBEDDING = 0.08;
/** Of the coordinate that is the same for all tokens, by which the first head attends to a place and no content. */
const CONSTANT = 0.3;
/** Pairs of rotary coordinates that turn fast enough to tell one token back from two. */
const FAST_PAIRS = 4;
/** Pairs that turn slowly enough to compare tokens far apart. */
const SLOW_PAIRS = 8;
const LOOK_BACK = 1.5;
const MATCH = 1.7;
const NOTE = 0.12;
const COPY = 0.05;

/** Writes the two heads into `weights`, in place. */
export function startWithInduction(weights: Weights, shape: InductionShape, rng: Rng): void {
  const { vocabulary, hiddenSize, heads, kvHeads, ropeTheta } = shape;
  const size = hiddenSize / heads;
  const pairs = size / 2;
  // The residual stream: the token, a constant, and a note of the token before it.
  const noteSize = 2 * SLOW_PAIRS;
  const note = hiddenSize - noteSize;
  const constant = note - 1;
  const write = (name: string, row: number, column: number, value: number): void => {
    const data = weights.get(name)?.data;
    invariant(data !== undefined && heads >= kvHeads && pairs >= SLOW_PAIRS, `weights ${name}`);
    data[row * hiddenSize + column] = value;
  };
  const clearRow = (name: string, row: number): void => {
    for (let i = 0; i < hiddenSize; i++) write(name, row, i, 0);
  };
  const attention = (layer: number, part: string): string => `model.layers.${layer}.self_attn.${part}_proj.weight`;

  vocabulary.forEach((text, token) => {
    const content = embedToken(text, constant, rng.fork("tokens"));
    for (let i = 0; i < hiddenSize; i++)
      write("model.embed_tokens.weight", token, i, i < constant ? (content[i] ?? 0) : i === constant ? CONSTANT : 0);
  });

  const sketch = Array.from({ length: noteSize }, (_, row) => {
    const own = rng.fork(`sketch ${row}`);
    return Float32Array.from({ length: constant }, () => own.normal() / Math.sqrt(constant));
  });
  // First layer, first head: every token notes a sketch of the one before it.
  for (let row = 0; row < size; row++) {
    for (const part of ["q", "k", "v"]) clearRow(attention(0, part), row);
    for (let i = 0; i < hiddenSize; i++) write(attention(0, "o"), i, row, 0);
  }
  for (let pair = 0; pair < FAST_PAIRS; pair++) {
    const angle = ropeTheta ** (-pair / pairs);
    write(attention(0, "k"), pair, constant, LOOK_BACK);
    write(attention(0, "q"), pair, constant, LOOK_BACK * Math.cos(angle));
    write(attention(0, "q"), pair + pairs, constant, -LOOK_BACK * Math.sin(angle));
  }
  sketch.forEach((direction, row) => {
    direction.forEach((value, i) => write(attention(0, "v"), row, i, value));
    write(attention(0, "o"), note + row, row, NOTE);
  });

  // Second layer, first head: looks for a note of the present token and takes over the token that has it.
  for (let row = 0; row < size; row++) for (const part of ["q", "k"]) clearRow(attention(1, part), row);
  sketch.forEach((direction, row) => {
    const at = pairs - SLOW_PAIRS + (row < SLOW_PAIRS ? row : row - SLOW_PAIRS + pairs);
    direction.forEach((value, i) => write(attention(1, "q"), at, i, MATCH * value));
    write(attention(1, "k"), at, note + row, MATCH);
  });
  const copy = rng.fork("copy");
  for (let row = 0; row < size; row++)
    for (let i = 0; i < hiddenSize; i++) {
      const value = i < constant ? copy.normal() * COPY : 0;
      write(attention(1, "v"), row, i, value);
      write(attention(1, "o"), i, row, value);
    }
}

/**
 * The embedding [size] of a token: normal, and for one of several words the sum of its words' vectors and one of its
 * own, so that what " is sour" and " is not sour" share, and what sets them apart, is the same for all such pairs.
 */
function embedToken(text: string, size: number, rng: Rng): Float32Array {
  const words = text.split(/[ Ġ]/).filter((word) => word !== "");
  const parts = words.length > 1 ? [...words, text] : [text];
  const vectors = parts.map((part) => {
    const own = rng.fork(part);
    return Float32Array.from({ length: size }, () => own.normal());
  });
  return Float32Array.from(
    { length: size },
    (_, i) => (EMBEDDING * vectors.reduce((sum, vector) => sum + (vector[i] ?? 0), 0)) / Math.sqrt(parts.length),
  );
}
