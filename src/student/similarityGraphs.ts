/**
 * @file The graphs behind inner products of rows: what a student makes of each row's answer
 * (hidden states, and the error of its predictions), and all inner products of last-layer
 * gradients between two blocks of rows without forming a gradient. Not here: which blocks
 * (`similarity.ts`). B rows, T tokens, M counted positions of all rows of a block, V vocabulary, D hidden.
 */
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph } from "../onnx/types.ts";
import { builderFor, contextFor, wholeSequence, type StudentBlueprint } from "./graphs.ts";
import type { SimilarityKind } from "./types.ts";

/** Static sizes of a block of rows. */
export interface BlockShape {
  readonly batch: number;
  readonly length: number;
  /** M */
  readonly positions: number;
}

/**
 * Inputs: parameters, `ids` int32 [B, T], `rows` int32 [M] (the counted positions in [B·T]; spare
 * ones any). Outputs, h the final hidden states (inputs of the output head) there:
 * - `hidden`: from `members` float32 [B, M] (1 where a position is the row's), `sumHidden` [B, D], each row's `Σ_t h_t`;
 * - `badge`: from `targets` int32 [M, 1], `errors` [M, V], `softmax − onehot`, and `states` [M, D], h.
 */
export function buildFeatureGraph(blueprint: StudentBlueprint, shape: BlockShape, kind: SimilarityKind): Graph {
  const { batch, length, positions } = shape;
  const g = builderFor("features", blueprint);
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const rows = g.input("rows", "int32", [positions]);
  const all = blueprint.decoder.hiddenStates(context, ids, wholeSequence(g, batch, length));
  const states = g.gather(all, rows); // (M, D)
  if (kind === "hidden") {
    g.output(g.gemm(g.input("members", "float32", [batch, positions]), states), "sumHidden");
    return g.build();
  }
  const targets = g.input("targets", "int32", [positions, 1]);
  const { vocabSize } = blueprint.decoder;
  const classes = g.int32(
    Int32Array.from({ length: vocabSize }, (_, i) => i),
    [1, vocabSize],
  );
  const p = g.softmax(context.logits(states));
  g.output(g.sub(p, g.cast(g.equal(targets, classes), "float32")), "errors");
  g.output(g.identity(states), "states");
  return g.build();
}

/**
 * `⟨g_i, g_j⟩` [B, B'] of the last-layer gradients `g = Σ_t a_t ⊗ h_t` (V × D each, never formed)
 * of two blocks: `Σ_{t,s} (a_t·a'_s)(h_t·h'_s)`. Inputs `errors.a` [M, V], `states.a` [M, D], `members.a` [B, M] and the same with `.b`.
 */
export function buildGradientProductGraph({ decoder }: StudentBlueprint, a: BlockShape, b: BlockShape): Graph {
  const g = new GraphBuilder("gradientProducts");
  const block = (name: string, { batch, positions }: BlockShape) => ({
    errors: g.input(`errors.${name}`, "float32", [positions, decoder.vocabSize]),
    states: g.input(`states.${name}`, "float32", [positions, decoder.hiddenSize]),
    members: g.input(`members.${name}`, "float32", [batch, positions]),
  });
  const [x, y] = [block("a", a), block("b", b)];
  const products = g.mul(g.gemm(x.errors, y.errors, { transB: true }), g.gemm(x.states, y.states, { transB: true })); // (M, M')
  g.output(g.gemm(g.gemm(x.members, products), y.members, { transB: true }), "products");
  return g.build();
}
