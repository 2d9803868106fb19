/**
 * @file The graph behind the score `gradNorm` (GraNd, Paul et al. 2021, arXiv 2107.07075):
 * norms of single rows' gradients over the trainable parameters, from one forward and one
 * backward pass over the batch. Not here: how they are worked out (`autograd/perExampleNorms.ts`).
 */
import { addPerExampleSquaredNorms } from "../autograd/perExampleNorms.ts";
import { invariant } from "../core/errors.ts";
import type { Graph } from "../onnx/types.ts";
import { tokenScores } from "../nn/losses.ts";
import { builderFor, contextFor, wholeSequence, type StudentBlueprint } from "./graphs.ts";

/** Rows of a batch at most: their logits are one tensor, as large as the smallest storage-buffer binding that WebGPU guarantees. */
export function gradNormRows(blueprint: StudentBlueprint, length: number): number {
  return Math.max(1, Math.floor((128 * 1024 * 1024) / (4 * length * blueprint.decoder.vocabSize)));
}

/**
 * Inputs as the score graph's: parameters, `ids` int32 [B, T], `targets` int32 [B·T, 1],
 * `weights` float32 [B, T]. Output `gradNormSquared` [B]: `‖∂/∂w Σ_t weight·nll‖²` of each
 * row, the squared norm of the gradient of its *summed* loss. B is at most `gradNormRows`.
 */
export function buildGradNormGraph(blueprint: StudentBlueprint, batch: number, length: number): Graph {
  const g = builderFor("gradNorm", blueprint);
  const { context, bound } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const targets = g.input("targets", "int32", [batch * length, 1]);
  const weights = g.input("weights", "float32", [batch, length]);
  const hidden = blueprint.decoder.hiddenStates(context, ids, wholeSequence(g, batch, length));
  // A chunk of logits may cut a row in two, but never hold parts of several.
  const { values, fixed } = tokenScores(
    context,
    hidden,
    targets,
    ["loss"],
    batch > 1 ? Number.MAX_SAFE_INTEGER : undefined,
  );
  const [nll] = values;
  invariant(nll !== undefined, "loss was asked for");
  const loss = g.reduceSum(g.mul(g.reshape(nll, [batch, length]), weights), [0, 1], false);
  const parameters = blueprint.layout.groups.flatMap((group) =>
    group.entries.map((entry) => bound.get(entry.spec.name)),
  );
  const squared = g.scope("gradNorm", () => addPerExampleSquaredNorms(g, loss, parameters, batch, fixed));
  g.output(squared, "gradNormSquared");
  return g.build();
}
