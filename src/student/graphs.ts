/**
 * @file The graphs of a student, built from its decoder: score and train step
 * (generation is in `generationGraphs.ts`). B rows, T tokens, both static; P parameters per group.
 * All feeds and outputs are named here; the code that runs the graphs uses the
 * same names. Backward nodes come from `autograd`, never from here.
 */
import { addGradients } from "../autograd/gradient.ts";
import type { Recompute } from "../autograd/recompute.ts";
import { invariant } from "../core/errors.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import { float32ToFloat16 } from "../formats/float16.ts";
import { hoistUnpacking } from "../onnx/hoist.ts";
import { toMixedPrecision } from "../onnx/mixedPrecision.ts";
import type { Graph, Value } from "../onnx/types.ts";
import { ModelContext } from "../nn/context.ts";
import { layerScope, type Decoder } from "../nn/family.ts";
import type { Lora } from "../nn/lora.ts";
import { tokenScores, weightedLoss, type TokenScore } from "../nn/losses.ts";
import { MASKED, type Sequence } from "../nn/modules.ts";
import { BoundParameters, type ParameterLayout } from "./parameterLayout.ts";
import type { Precision } from "./types.ts";

/** Everything a graph of this student depends on besides its batch shape. */
export interface StudentBlueprint {
  readonly decoder: Decoder;
  readonly lora: Lora;
  readonly layout: ParameterLayout;
  /** Off: official ONNX operators only (norms decomposed). */
  readonly fusedNorm?: boolean;
}

/** An empty graph for this student: of the operator set that its nodes are written in. */
export function builderFor(name: string, { decoder }: StudentBlueprint): GraphBuilder {
  return decoder.imported === undefined
    ? new GraphBuilder(name)
    : new GraphBuilder(name, { opset: decoder.imported.opset, loose: true });
}

/** The parameters and the module context of a new graph. */
export function contextFor(
  builder: GraphBuilder,
  blueprint: StudentBlueprint,
): { readonly context: ModelContext; readonly bound: BoundParameters } {
  const bound = new BoundParameters(builder, blueprint.layout);
  const context = new ModelContext({
    builder,
    decoder: blueprint.decoder,
    lora: blueprint.lora.modules,
    parameter: (name) => bound.get(name),
    fusedNorm: blueprint.fusedNorm ?? true,
  });
  return { context, bound };
}

/** Additive causal mask [T, T], with a window the last `slidingWindow` positions only; built from ranges so that the model file stays small. */
export function causalMask(g: GraphBuilder, length: number, slidingWindow?: number): Value {
  const range = Int32Array.from({ length }, (_, i) => i);
  const key = g.int32(range, [1, length]);
  const future = g.greater(key, g.int32(range, [length, 1]));
  const hidden =
    slidingWindow === undefined || slidingWindow >= length
      ? future
      : g.or(
          future,
          g.less(
            key,
            g.int32(
              range.map((i) => i - slidingWindow + 1),
              [length, 1],
            ),
          ),
        );
  return g.where(hidden, g.float(MASKED, [1]), g.float(0, [1]));
}

/** `make` of a layer's window, once for each window of the model; one that no position reaches beyond is none. */
export function maskByWindow(
  positionLimit: number,
  make: (slidingWindow: number | undefined) => Value,
): (slidingWindow: number | undefined) => Value {
  const memo = new Map<number | undefined, Value>();
  return (slidingWindow) => {
    const key = slidingWindow !== undefined && slidingWindow < positionLimit ? slidingWindow : undefined;
    const mask = memo.get(key) ?? make(key);
    memo.set(key, mask);
    return mask;
  };
}

/** The symbols of graphs that take any number of rows of any length: B, T, and the positions that carry loss. */
const BATCH = "B";
const LENGTH = "T";
const LOSS_POSITIONS = "P";

/** Whole rows at positions 0…T−1, B and T ≤ `positionLimit` known when the graph runs; `range` int32 [T] is 0…T−1. */
function anySequence(g: GraphBuilder, ids: Value, positionLimit: number): Sequence {
  const range = g.input("range", "int32", [LENGTH]);
  const key = g.reshape(range, [1, LENGTH]);
  const query = g.reshape(range, [LENGTH, 1]);
  const future = g.greater(key, query);
  const maskOf = maskByWindow(positionLimit, (slidingWindow) => {
    const hidden =
      slidingWindow === undefined ? future : g.or(future, g.less(key, g.sub(query, g.int32([slidingWindow - 1]))));
    return g.where(hidden, g.float(MASKED, [1]), g.float(0, [1]));
  });
  const memo = new Map<string, Value>();
  return {
    batch: BATCH,
    length: LENGTH,
    positionLimit,
    positions: (type) => {
      const value = memo.get(type) ?? g.expandLike(g.cast(key, type), ids);
      memo.set(type, value);
      return value;
    },
    attend: (_layer, k, v, slidingWindow) => [{ k, v, mask: maskOf(slidingWindow) }],
  };
}

/** Whole rows at positions 0…T−1. Padding is at the end, where causality hides it from every real token. */
export function wholeSequence(g: GraphBuilder, batch: number, length: number): Sequence {
  const maskOf = maskByWindow(length, (slidingWindow) => causalMask(g, length, slidingWindow));
  const positions = (type: "int32" | "int64"): Value => {
    const values = Array.from({ length: batch * length }, (_, i) => i % length);
    const data = type === "int32" ? Int32Array.from(values) : BigInt64Array.from(values, BigInt);
    return g.constant(type, [batch, length], data, "positions");
  };
  const memo = new Map<string, Value>();
  return {
    batch,
    length,
    positionLimit: length,
    positions: (type) => {
      const value = memo.get(type) ?? positions(type);
      memo.set(type, value);
      return value;
    },
    attend: (_layer, k, v, slidingWindow) => [{ k, v, mask: maskOf(slidingWindow) }],
    modelInputs: {
      attentionMask: () => g.constant("int64", [batch, length], new BigInt64Array(batch * length).fill(1n), "mask"),
      past: () => undefined,
    },
  };
}

/**
 * Score graph. Inputs: parameters, `ids` int32 [B, T], `targets` int32 [B·T, 1],
 * `weights` float32 [B, T] (1 where the target counts). One output per score, its
 * name: the weighted sum over each row's tokens, [B]. With `batch` "any", B, T ≤ `length` and the number L of counted
 * targets are what a run gives, inputs are those of the train graph of any shape, and outputs are the scores of the L
 * positions, [L, 1], times their weights.
 */
export function buildScoreGraph(
  blueprint: StudentBlueprint,
  batch: number | "any",
  length: number,
  scores: readonly TokenScore[],
): Graph {
  const g = builderFor("score", blueprint);
  const { context } = contextFor(g, blueprint);
  const any = batch === "any";
  const size = any ? [BATCH, LENGTH] : [batch, length];
  const ids = g.input("ids", "int32", size);
  const targets = g.input("targets", "int32", [any ? LOSS_POSITIONS : batch * length, 1]);
  const weights = g.input("weights", "float32", any ? [LOSS_POSITIONS, 1] : size);
  const sequence = any
    ? { ...anySequence(g, ids, length), outputRows: g.input("lossRows", "int32", [LOSS_POSITIONS]) }
    : wholeSequence(g, batch, length);
  const { values } = tokenScores(context, blueprint.decoder.hiddenStates(context, ids, sequence), targets, scores);
  values.forEach((value, i) => {
    const name = scores[i];
    invariant(name !== undefined, "one name per score");
    const weighted = g.mul(any ? value : g.reshape(value, size), weights);
    g.output(any ? weighted : g.reduceSum(weighted, [1], false), name);
  });
  return g.build();
}

/** The score graph's loss before it is summed: `losses` float32 [B, T], 0 where `weights` are. The same inputs. */
export function buildTokenLossGraph(blueprint: StudentBlueprint, batch: number, length: number): Graph {
  const g = builderFor("tokenLosses", blueprint);
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const targets = g.input("targets", "int32", [batch * length, 1]);
  const weights = g.input("weights", "float32", [batch, length]);
  const hidden = blueprint.decoder.hiddenStates(context, ids, wholeSequence(g, batch, length));
  const [loss] = tokenScores(context, hidden, targets, ["loss"]).values;
  invariant(loss !== undefined, "one value per score");
  g.output(g.mul(g.reshape(loss, [batch, length]), weights), "losses");
  return g.build();
}

/** What a train graph of one student and batch shape may leave out or do twice. */
export interface TrainGraphOptions {
  /** Adds to a gradient that is given. */
  readonly accumulate: boolean;
  /** Positions that may carry loss, fewer than B·T: the last block and the output head see no others. */
  readonly lossPositions?: number | undefined;
  /** Activations of all layers but the last are computed again in the backward pass instead of being kept. */
  readonly recompute?: boolean;
  /** What products compute in; parameters, loss and gradients are float32 all the same. Default float32. */
  readonly precision?: Precision;
}

/** Suffix of an input that is fed the same tensor as the input before it. */
export const AGAIN = ".again";

/**
 * Forward + backward of one micro-batch. Inputs: parameters (some a second time under a
 * name that ends in `.again`), otherwise as the score graph. With `lossPositions` L,
 * `targets` int32 [L, 1] and `weights` float32 [L, 1] are of the L positions `lossRows`
 * int32 [L] in [B·T]; with `batch` "any" B, T ≤ `length` and L are what a run gives, and
 * `range` int32 [T] is 0…T−1; with `accumulate` there is the gradient so far, `grad.<group>`
 * [P]; in float16 `lossScale` [1], which all gradients are multiplied by.
 * Outputs: `lossSum` [1], the summed negative log-likelihood of the counted targets,
 * and `grad.<group>.out` [P], the (accumulated) gradient of that *sum*: the divisor
 * belongs to the optimizer, which knows the token count of the whole batch.
 */
export function buildTrainGraph(
  blueprint: StudentBlueprint,
  batch: number | "any",
  length: number,
  options: TrainGraphOptions,
): Graph {
  const g = builderFor("train", blueprint);
  const { context, bound } = contextFor(g, blueprint);
  const any = batch === "any";
  const picked = any ? LOSS_POSITIONS : options.lossPositions;
  const positions = picked ?? (any ? LOSS_POSITIONS : batch * length);
  const size = any ? [BATCH, LENGTH] : [batch, length];
  const ids = g.input("ids", "int32", size);
  const targets = g.input("targets", "int32", [positions, 1]);
  const weights = g.input("weights", "float32", picked === undefined ? size : [positions, 1]);
  const hidden = blueprint.decoder.hiddenStates(context, ids, {
    ...(any ? anySequence(g, ids, length) : wholeSequence(g, batch, length)),
    outputRows: picked === undefined ? undefined : g.input("lossRows", "int32", [picked]),
  });
  const { lossSum, fixed } = weightedLoss(context, hidden, targets, g.reshape(weights, [positions, 1]));
  const groups = blueprint.layout.groups;
  const parameters = groups.flatMap((group) => group.entries.map((entry) => bound.get(entry.spec.name)));
  const recompute = options.recompute ? { recompute: recomputeLayers(g, blueprint.decoder) } : {};
  const half = options.precision === "float16";
  const scaled = half ? g.mul(lossSum, g.reshape(g.input("lossScale", "float32", [1]), lossSum.shape)) : lossSum;
  const gradients = g.scope("backward", () => addGradients(g, scaled, parameters, { constants: fixed, ...recompute }));
  g.output(g.reshape(lossSum, [1]), "lossSum");
  let next = 0;
  for (const group of groups) {
    const flat = group.entries.map((entry) => {
      const gradient = gradients[next++];
      invariant(gradient !== undefined, `gradient of ${entry.spec.name}`);
      return g.reshape(gradient, [entry.size]);
    });
    const [only] = flat;
    const joined = flat.length === 1 && only !== undefined ? only : g.concat(flat, 0);
    const total = options.accumulate ? g.add(g.input(`grad.${group.name}`, "float32", [group.size]), joined) : joined;
    g.output(total, `grad.${group.name}.out`);
  }
  return hoistUnpacking(half ? toMixedPrecision(g.build(), float32ToFloat16) : g.build());
}

/** Layers by the scope that they are built in; the last one's activations are needed at once, so they are kept. */
function recomputeLayers(g: GraphBuilder, { numHiddenLayers, imported }: Decoder): Recompute {
  const last = layerScope((imported?.segments ?? numHiddenLayers) - 1);
  const again = new Map<string, Value>();
  return {
    segmentOf: ({ name }) => {
      const layer = /^layers\.\d+/.exec(name)?.[0];
      return layer === last ? undefined : layer;
    },
    again: (input) => {
      const value = again.get(input.name) ?? g.input(`${input.name}${AGAIN}`, input.type, input.shape);
      again.set(input.name, value);
      return value;
    },
  };
}
