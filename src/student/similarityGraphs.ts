/**
 * @file The graphs behind inner products of rows: what a student makes of each row's answer
 * (hidden states, and the error of its predictions), and all inner products of last-layer
 * gradients between two blocks of rows without forming a gradient. Not here: which blocks
 * (`similarity.ts`). B rows, T tokens, C counted positions of each row at most, V vocabulary, D hidden.
 */
import { invariant } from "../core/errors.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, Value } from "../onnx/types.ts";
import { contextFor, wholeSequence, type StudentBlueprint } from "./graphs.ts";

/** Static sizes of a block of rows. */
export interface BlockShape {
  readonly batch: number;
  readonly length: number;
  /** C */
  readonly positions: number;
}

/**
 * Inputs: parameters, `ids` int32 [B, T], `rows` int32 [B·C] (the counted positions in
 * [B·T], row after row; spare ones any), `targets` int32 [B·C, 1], `weights` float32 [B·C, 1] (0
 * for spare ones). Outputs, h the final hidden states (inputs of the output head) there:
 * - `hidden`: `meanHidden` [B, D], `Σ_t weight_t·h_t` (the divisor is the caller's);
 * - `badge`: `errors` [B·C, V], `weight·(softmax − onehot)`, and `states` [B·C, D], h.
 */
export function buildFeatureGraph(blueprint: StudentBlueprint, shape: BlockShape, kind: "hidden" | "badge"): Graph {
  const { batch, length, positions } = shape;
  const g = new GraphBuilder("features");
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const rows = g.input("rows", "int32", [batch * positions]);
  const weights = g.input("weights", "float32", [batch * positions, 1]);
  const all = blueprint.decoder.hiddenStates(context, ids, wholeSequence(g, batch, length));
  const states = g.gather(all, rows); // (B·C, D)
  if (kind === "hidden") {
    const weighted = g.reshape(g.mul(states, weights), [batch, positions, blueprint.decoder.hiddenSize]);
    g.output(g.reduceSum(weighted, [1], false), "meanHidden");
    return g.build();
  }
  const targets = g.input("targets", "int32", [batch * positions, 1]);
  const { vocabSize } = blueprint.decoder;
  const classes = g.int32(
    Int32Array.from({ length: vocabSize }, (_, i) => i),
    [1, vocabSize],
  );
  const p = g.softmax(context.logits(states));
  g.output(g.mul(g.sub(p, g.cast(g.equal(targets, classes), "float32")), weights), "errors");
  // Not the gathered value itself where a graph cannot give out what it also reads on.
  g.output(g.identity(states), "states");
  return g.build();
}

/**
 * `⟨g_i, g_j⟩` [B, B'] of the last-layer gradients `g = Σ_t a_t ⊗ h_t` (V × D each, never formed)
 * of two blocks: `Σ_{t,s} (a_t·a'_s)(h_t·h'_s)`. Inputs `errors.a` [B·C, V], `states.a` [B·C, D] and the same with `.b`.
 */
export function buildGradientProductGraph({ decoder }: StudentBlueprint, a: BlockShape, b: BlockShape): Graph {
  const g = new GraphBuilder("gradientProducts");
  const block = (name: string, shape: BlockShape): readonly [Value, Value] => [
    g.input(`errors.${name}`, "float32", [shape.batch * shape.positions, decoder.vocabSize]),
    g.input(`states.${name}`, "float32", [shape.batch * shape.positions, decoder.hiddenSize]),
  ];
  const [errorsA, statesA] = block("a", a);
  const [errorsB, statesB] = block("b", b);
  const products = g.mul(g.gemm(errorsA, errorsB, { transB: true }), g.gemm(statesA, statesB, { transB: true }));
  const [rows, columns] = products.shape;
  invariant(typeof rows === "number" && typeof columns === "number", "blocks have a static shape");
  // Sums over the positions of both rows, one axis at a time.
  const overA = g.reduceSum(g.reshape(products, [a.batch, a.positions, columns]), [1], false); // (B, B'·C')
  g.output(g.reduceSum(g.reshape(overA, [a.batch, b.batch, b.positions]), [2], false), "products");
  return g.build();
}
