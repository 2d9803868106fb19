/**
 * @file Rotary positions as the layers of a model share them: one pair of tables a graph,
 * and the rotation of queries or keys as one fused ONNX Runtime operator whose gradient
 * is itself with −sin. Frequencies and scalings are in `rope.ts`.
 */
import { invariant } from "../core/errors.ts";
import { attr } from "../onnx/attributes.ts";
import { CONTRIB_DOMAIN } from "../onnx/builder.ts";
import type { Value } from "../onnx/types.ts";
import type { ModelContext } from "./context.ts";
import { rowCount, type Sequence } from "./modules.ts";
import { ropeTables, rotaryDimOf, type RopeConfig } from "./rope.ts";

export class Rotary {
  /** Elements of a head that are rotated, from its first. */
  readonly dim: number;
  readonly #rope: RopeConfig;
  readonly #rotaryDim: number;
  readonly #headDim: number;
  /** Keys of the tables among the values that a graph's layers share. */
  readonly #cosine = {};
  readonly #sine = {};

  /** @throws BadInputError when the share of each head that is rotated does not fit. */
  constructor(rope: RopeConfig, headDim: number) {
    this.#rotaryDim = rotaryDimOf(rope, headDim);
    this.dim = 2 * Math.ceil(this.#rotaryDim / 2);
    this.#rope = rope;
    this.#headDim = headDim;
  }

  /** x [B·T, heads·H] with each head's first `dim` elements rotated (half-split layout) by the positions of the sequence. */
  rotate(context: ModelContext, x: Value, sequence: Sequence): Value {
    const g = context.builder;
    const width = x.shape[1];
    invariant(typeof width === "number", "heads have a static size");
    const { positionLimit } = sequence;
    const table = (name: "cos" | "sin"): Value => {
      const data = ropeTables(this.#rope, this.#rotaryDim, positionLimit)[name];
      return g.constant("float32", [positionLimit, this.dim / 2], data, `rope.${name}`);
    };
    const cos = context.shared(this.#cosine, () => table("cos"));
    const sin = context.shared(this.#sine, () => table("sin"));
    const rows = g.reshape(x, [sequence.batch, sequence.length, width]);
    const partial =
      this.dim === this.#headDim
        ? {}
        : { num_heads: attr.int(width / this.#headDim), rotary_embedding_dim: attr.int(this.dim) };
    const rotated = g.node("RotaryEmbedding", [rows, sequence.positions("int64"), cos, sin], {
      domain: CONTRIB_DOMAIN,
      attributes: { interleaved: attr.int(0), ...partial },
    })[0];
    invariant(rotated !== undefined, "RotaryEmbedding has an output");
    return g.reshape(rotated, [rowCount(sequence), width]);
  }
}
