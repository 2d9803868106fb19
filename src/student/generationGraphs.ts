/**
 * @file The graphs of generation: prefill and single decode steps with the cache as
 * inputs and outputs, and a whole generation in one graph (an ONNX Loop), for
 * providers where every input and output of a run is copied. Prompts are padded on
 * the left to T. B rows, H head size, K key-value heads, V vocabulary.
 */
import { invariant } from "../core/errors.ts";
import { attr } from "../onnx/attributes.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, Value } from "../onnx/types.ts";
import { ModelContext } from "../nn/context.ts";
import { MASKED, type Segment, type Sequence } from "../nn/modules.ts";
import { builderFor, causalMask, contextFor, maskByWindow, type StudentBlueprint, wholeSequence } from "./graphs.ts";

/** Hidden states of the last of T tokens of every row: [B·T, D] → [B, D]. */
function lastHidden(g: GraphBuilder, hidden: Value, batch: number, length: number): Value {
  const width = hidden.shape[1];
  invariant(typeof width === "number", "hidden size is static");
  if (length === 1) return hidden;
  return g.reshape(g.slice(g.reshape(hidden, [batch, length, width]), [length - 1], [length], [1]), [batch, width]);
}

function positionInput(g: GraphBuilder, batch: number, length: number): (type: "int32" | "int64") => Value {
  const memo = new Map<string, Value>();
  return (type) => {
    const value = memo.get(type) ?? g.input(`positions.${type}`, type, [batch, length]);
    memo.set(type, value);
    return value;
  };
}

/** int64 [B, S] for models that make their own masks: 1 where the additive `keyMask` [B, 1, 1, S] is 0. */
function attentionMaskOf(g: GraphBuilder, keyMask: Value, batch: number): Value {
  const keys = keyMask.shape[3];
  invariant(keys !== undefined, "a mask over keys");
  return g.cast(g.greater(g.reshape(keyMask, [batch, keys]), g.float(MASKED / 2, [1])), "int64");
}

/**
 * Prefill over prompts padded on the left to T. Inputs: parameters, `ids` int32
 * [B, T], `positions.int32` or `positions.int64` [B, T] (whichever the family reads),
 * `keyMask` float32 [B, 1, 1, T] (0, or MASKED at padding). Outputs: `logits` [B, V]
 * of the last token or what `choice` makes of it, `k.<i>`, `v.<i>` [B, K, T, H] of every layer.
 */
export function buildPrefillGraph(
  blueprint: StudentBlueprint,
  batch: number,
  length: number,
  positionLimit: number,
  choice: StepChoice = "logits",
): Graph {
  const g = builderFor("prefill", blueprint);
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const keyMask = g.input("keyMask", "float32", [batch, 1, 1, length]);
  const maskOf = maskByWindow(positionLimit, (window) => g.add(keyMask, causalMask(g, length, window))); // (B, 1, T, T)
  const sequence: Sequence = {
    batch,
    length,
    positionLimit,
    positions: positionInput(g, batch, length),
    attend: (layer, k, v, slidingWindow) => {
      g.output(k, `k.${layer}`);
      g.output(v, `v.${layer}`);
      return [{ k, v, mask: maskOf(slidingWindow) }];
    },
    modelInputs: {
      attentionMask: () => attentionMaskOf(g, keyMask, batch),
      past: () => undefined,
      present: (layer, k, v) => {
        g.output(k, `k.${layer}`);
        g.output(v, `v.${layer}`);
      },
    },
  };
  const hidden = blueprint.decoder.hiddenStates(context, ids, sequence);
  outputChoice(g, context.logits(lastHidden(g, hidden, batch, length)), choice);
  return g.build();
}

/** What a step gives of its logits: themselves, or the token that is chosen from them on the device. */
export type StepChoice = "logits" | "greedy" | "sample";

/**
 * Output `logits` [B, V], or `token` int32 [B, 1] as `chooseToken` has it; for `sample` there are the inputs `uniform`
 * float32 [B, 1] and `inverseTemperature` [1]. Not for nucleus sampling: WebGPU has no kernel that sorts.
 */
function outputChoice(g: GraphBuilder, logits: Value, choice: StepChoice): void {
  if (choice === "logits") {
    g.output(logits, "logits");
    return;
  }
  const batch = logits.shape[0];
  invariant(typeof batch === "number", "the batch size is static");
  const token =
    choice === "greedy"
      ? finiteOrNone(g, logits, firstMaximum(g, logits))
      : chooseToken(
          g,
          logits,
          choice,
          g.input("uniform", "float32", [batch, 1]),
          g.input("inverseTemperature", "float32", [1]),
          undefined,
        );
  g.output(token, "token");
}

/** First index [B, 1] of each row's maximum; without ArgMax, whose int64 results are not for WebGPU. */
function firstMaximum(g: GraphBuilder, logits: Value): Value {
  const vocabulary = logits.shape[1];
  invariant(typeof vocabulary === "number", "the vocabulary size is static");
  const isMaximum = g.cast(g.equal(logits, g.reduceMax(logits, [1])), "float32");
  // Counted from the end, so that the first of equal ones is the largest. Exact below 2²⁴.
  const fromEnd = g.constant(
    "float32",
    [1, vocabulary],
    Float32Array.from({ length: vocabulary }, (_, i) => vocabulary - 1 - i),
    "fromEnd",
  );
  return g.cast(g.sub(g.float(vocabulary - 1, [1]), g.reduceMax(g.mul(isMaximum, fromEnd), [1])), "int32");
}

const KEY_MASK = "keyMask";
/** End of a slice that may find fewer than it asks for. (Shape inference takes the largest integers for "to the end" of as many as asked for.) */
const BEYOND_ALL_TOKENS = 2 ** 30;

/** Name of the decode graph's mask input for layers with this sliding window. */
function keyMaskName(slidingWindow: number | undefined): string {
  return slidingWindow === undefined ? KEY_MASK : `${KEY_MASK}.${slidingWindow}`;
}

/** The mask inputs among a session's, each with the sliding window that it is for. */
export function keyMaskInputs(
  inputNames: readonly string[],
): { readonly name: string; readonly slidingWindow: number | undefined }[] {
  return inputNames
    .filter((name) => name === KEY_MASK || name.startsWith(`${KEY_MASK}.`))
    .map((name) => ({ name, slidingWindow: name === KEY_MASK ? undefined : Number(name.slice(KEY_MASK.length + 1)) }));
}

/**
 * One decoding step with a cache of symbolic length `past`. Inputs: parameters,
 * `ids` int32 [B, 1], `positions.*` [B, 1], `keyMask` float32 [B, 1, 1, past+1] and for
 * layers with a sliding window W `keyMask.<W>` of the same shape, as far as layers read them,
 * `past.k.<i>`, `past.v.<i>` [B, K, past, H]. Outputs: `logits` [B, V] and the grown
 * `k.<i>`, `v.<i>` [B, K, past+1, H].
 */
export function buildDecodeGraph(
  blueprint: StudentBlueprint,
  batch: number,
  positionLimit: number,
  choice: StepChoice = "logits",
): Graph {
  const g = builderFor("decode", blueprint);
  const { decoder } = blueprint;
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, 1]);
  const maskOf = maskByWindow(positionLimit, (window) =>
    g.input(keyMaskName(window), "float32", [batch, 1, 1, "past+1"]),
  );
  const pastInput = (name: string, layer: number): Value =>
    g.input(`past.${name}.${layer}`, "float32", [batch, decoder.numKeyValueHeads, "past", decoder.headDim]);
  const grow = (name: string, layer: number, fresh: Value): Value =>
    g.output(g.concat([pastInput(name, layer), fresh], 2), `${name}.${layer}`);
  const sequence: Sequence = {
    batch,
    length: 1,
    positionLimit,
    positions: positionInput(g, batch, 1),
    attend: (layer, k, v, slidingWindow): readonly Segment[] => [
      { k: grow("k", layer, k), v: grow("v", layer, v), mask: maskOf(slidingWindow) },
    ],
    modelInputs: {
      attentionMask: () => attentionMaskOf(g, maskOf(undefined), batch),
      past: (layer) => ({ k: pastInput("k", layer), v: pastInput("v", layer) }),
      present: (layer, k, v) => {
        g.output(k, `k.${layer}`);
        g.output(v, `v.${layer}`);
      },
    },
  };
  const hidden = decoder.hiddenStates(context, ids, sequence);
  outputChoice(g, context.logits(hidden), choice);
  return g.build();
}

/**
 * The next token's logits from the whole text, for models without a cache. Inputs:
 * parameters, `ids` int32 [B, T] padded on the right, `last` int32 [B]: b·T plus the
 * position of row b's last token. Output: `logits` [B, V].
 */
export function buildRecomputeGraph(blueprint: StudentBlueprint, batch: number, length: number): Graph {
  const g = builderFor("recompute", blueprint);
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const last = g.input("last", "int32", [batch]);
  const hidden = blueprint.decoder.hiddenStates(context, ids, wholeSequence(g, batch, length));
  g.output(context.logits(g.gather(hidden, last)), "logits");
  return g.build();
}

/** How the whole-generation graph chooses tokens: which inputs it has. */
export type TokenChoice = "greedy" | "sample" | "nucleus";

function one(values: readonly Value[]): Value {
  const [value] = values;
  invariant(value !== undefined, "an operator with one output");
  return value;
}

/**
 * The next token int32 [B, 1] from logits [B, V]; the same choice as `sampleToken` for
 * the same uniform number in [0, 1), `uniform` [B, 1]. −1 where the token's logit is
 * NaN or infinite.
 */
function chooseToken(
  g: GraphBuilder,
  logits: Value,
  choice: TokenChoice,
  uniform: Value | undefined,
  inverseTemperature: Value | undefined,
  topP: Value | undefined,
): Value {
  return finiteOrNone(g, logits, tokenOf(g, logits, choice, uniform, inverseTemperature, topP));
}

/** `token` [B, 1], or −1 where its logit is NaN or infinite. */
function finiteOrNone(g: GraphBuilder, logits: Value, token: Value): Value {
  const zero = g.mul(g.gatherElements(logits, token, 1), g.float(0, [1]));
  return g.where(g.equal(zero, g.float(0, [1])), token, g.int32([-1]));
}

function tokenOf(
  g: GraphBuilder,
  logits: Value,
  choice: TokenChoice,
  uniform: Value | undefined,
  inverseTemperature: Value | undefined,
  topP: Value | undefined,
): Value {
  const vocabulary = logits.shape[1];
  invariant(typeof vocabulary === "number", "the vocabulary size is static");
  if (choice === "greedy") return g.cast(g.argmax(logits, 1), "int32");
  invariant(uniform !== undefined && inverseTemperature !== undefined, "sampling has its inputs");
  // Below the maximum first: at low temperatures the products would overflow.
  let weights = g.softmax(g.mul(g.sub(logits, g.reduceMax(logits, [1])), inverseTemperature));
  const cumSum = (x: Value, exclusive: boolean): Value =>
    one(g.node("CumSum", [x, g.int32([1])], exclusive ? { attributes: { exclusive: attr.int(1) } } : {}));
  let order: Value | undefined;
  if (choice === "nucleus") {
    invariant(topP !== undefined, "nucleus sampling has its mass");
    const [sorted, indices] = g.node("TopK", [weights, g.ints([vocabulary])], {
      outputCount: 2,
      attributes: { axis: attr.int(1), largest: attr.int(1), sorted: attr.int(1) },
    });
    invariant(sorted !== undefined && indices !== undefined, "TopK has two outputs");
    weights = g.mul(sorted, g.cast(g.less(cumSum(sorted, true), topP), "float32"));
    order = indices;
  }
  const cumulative = cumSum(weights, false);
  // The last sum, not another one of the same numbers: a draw below 1 then always stays below it.
  const mass = g.slice(cumulative, [vocabulary - 1], [vocabulary], [1]);
  // The index of the first token whose cumulative weight exceeds the drawn mass is the number of those that do not.
  const passed = g.cast(g.not(g.greater(cumulative, g.mul(mass, uniform))), "float32");
  const last = g.float(vocabulary - 1, [1]);
  const count = g.reduceSum(passed, [1]);
  const index = g.where(g.less(count, last), count, last);
  if (order === undefined) return g.cast(index, "int32");
  return g.cast(g.gatherElements(order, g.cast(index, "int64"), 1), "int32");
}

/** Additive mask [1, T] of the T prompt tokens for the token `iteration` after the first new one: those that its window has left behind. */
function outOfWindow(b: GraphBuilder, iteration: Value, length: number, slidingWindow: number): Value {
  // The token stands in column T + iteration and sees the last W columns.
  const leaves = BigInt64Array.from({ length }, (_, i) => BigInt(i + slidingWindow - length));
  const left = b.not(b.greater(b.constant("int64", [1, length], leaves, "leaves"), iteration));
  return b.where(left, b.float(MASKED, [1]), b.float(0, [1]));
}

/**
 * A whole generation. Inputs: parameters, `ids`, `positions.*`, `keyMask` as for
 * prefill; `start` int64 [B, 1], the position of the first new token; `steps` int64
 * [], the number of tokens after the first; unless greedy `uniforms` float32
 * [draws, B], one row of numbers in [0, 1) per token, and `inverseTemperature` [1],
 * for nucleus `topP` [1]. Outputs `first` int32 [B, 1] and `rest` int32 [n, B, 1],
 * n ≤ steps: the loop ends when every row has given one of `eosTokenIds`. Tokens of
 * a row after its EOS mean nothing.
 */
export function buildGenerationGraph(
  blueprint: StudentBlueprint,
  batch: number,
  length: number,
  positionLimit: number,
  choice: TokenChoice,
  eosTokenIds: readonly number[],
): Graph {
  const { decoder } = blueprint;
  const g = new GraphBuilder("generate");
  const { context } = contextFor(g, blueprint);
  const ids = g.input("ids", "int32", [batch, length]);
  const keyMask = g.input("keyMask", "float32", [batch, 1, 1, length]);
  const start = g.input("start", "int64", [batch, 1]);
  const steps = g.input("steps", "int64", []);
  const uniforms = choice === "greedy" ? undefined : g.input("uniforms", "float32", ["draws", batch]);
  const inverseTemperature = choice === "greedy" ? undefined : g.input("inverseTemperature", "float32", [1]);
  const topP = choice === "nucleus" ? g.input("topP", "float32", [1]) : undefined;
  const draw = (b: GraphBuilder, index: Value): Value | undefined =>
    uniforms && b.reshape(b.gather(uniforms, index), [batch, 1]);
  const isEos = (b: GraphBuilder, token: Value): Value =>
    eosTokenIds
      .map((id) => b.equal(token, b.int32([id])))
      .reduce((x, y) => b.or(x, y), b.constant("bool", [batch, 1], new Uint8Array(batch), "false"));
  const notAll = (b: GraphBuilder, finished: Value): Value =>
    b.less(b.reduceSum(b.cast(finished, "float32"), [0, 1], false), b.float(batch - 0.5, []));

  const maskOf = maskByWindow(positionLimit, (window) => g.add(keyMask, causalMask(g, length, window)));
  const promptCache: { readonly k: Value; readonly v: Value }[] = [];
  const hidden = decoder.hiddenStates(context, ids, {
    batch,
    length,
    positionLimit,
    positions: positionInput(g, batch, length),
    attend: (_layer, k, v, slidingWindow) => {
      promptCache.push({ k, v });
      return [{ k, v, mask: maskOf(slidingWindow) }];
    },
  });
  const first = chooseToken(
    g,
    context.logits(lastHidden(g, hidden, batch, length)),
    choice,
    draw(g, g.int32([0])),
    inverseTemperature,
    topP,
  );
  const finished = isEos(g, first);
  g.output(first, "first");

  const b = new GraphBuilder("step", { outer: g });
  const iteration = b.input("iteration", "int64", []);
  b.input("continue", "bool", []);
  const token = b.input("token", "int32", [batch, 1]);
  const finishedBefore = b.input("finishedBefore", "bool", [batch, 1]);
  const cacheShape = [batch, decoder.numKeyValueHeads, "generated", decoder.headDim];
  const own = promptCache.map((_, i) => ({
    k: b.input(`own.k.${i}`, "float32", cacheShape),
    v: b.input(`own.v.${i}`, "float32", cacheShape),
  }));
  const grown: Value[] = [];
  const position = b.add(start, iteration);
  const limit = b.constant("int64", [1], BigInt64Array.of(BigInt(positionLimit - 1)), "limit");
  // Rows at the end of the context run on with a clipped position; the caller drops what they say.
  const clipped = b.where(b.less(position, limit), position, limit);
  const promptMaskOf = maskByWindow(positionLimit, (window) =>
    window === undefined ? keyMask : b.add(keyMask, outOfWindow(b, iteration, length, window)),
  );
  const bodyContext = new ModelContext({
    builder: b,
    decoder,
    lora: blueprint.lora.modules,
    parameter: (name) => context.parameter(name),
    fusedNorm: blueprint.fusedNorm ?? true,
  });
  const stepHidden = decoder.hiddenStates(bodyContext, token, {
    batch,
    length: 1,
    positionLimit,
    positions: (type) => b.cast(clipped, type),
    attend: (layer, k, v, slidingWindow): readonly Segment[] => {
      const prompt = promptCache[layer];
      const before = own[layer];
      invariant(prompt !== undefined && before !== undefined, "one cache per layer");
      // Of its own tokens a layer keeps those inside its window, so that they need no mask.
      const grow = (past: Value, fresh: Value): Value => {
        const all = b.concat([past, fresh], 2);
        return slidingWindow === undefined || slidingWindow >= positionLimit
          ? all
          : b.slice(all, [-slidingWindow], [BEYOND_ALL_TOKENS], [2]);
      };
      const after = { k: grow(before.k, k), v: grow(before.v, v) };
      grown.push(after.k, after.v);
      return [{ ...prompt, mask: promptMaskOf(slidingWindow) }, after];
    },
  });
  const nextDraw =
    uniforms && draw(b, b.reshape(b.add(iteration, b.constant("int64", [1], BigInt64Array.of(1n), "one")), [1]));
  const next = chooseToken(b, bodyContext.logits(stepHidden), choice, nextDraw, inverseTemperature, topP);
  const finishedNow = b.or(finishedBefore, isEos(b, next));
  b.output(notAll(b, finishedNow), "continueNext");
  b.output(next, "tokenNext");
  b.output(finishedNow, "finishedNow");
  grown.forEach((value, i) => b.output(value, `grown.${i}`));
  b.output(next, "emitted");

  const empty = g.constant(
    "float32",
    [batch, decoder.numKeyValueHeads, 0, decoder.headDim],
    new Float32Array(0),
    "empty",
  );
  const inputs = [steps, notAll(g, finished), first, finished, ...grown.map(() => empty)];
  const outputs = g.node("Loop", inputs, {
    attributes: { body: attr.graph(b.build()) },
    outputCount: grown.length + 3,
  });
  const rest = outputs.at(-1);
  invariant(rest !== undefined, "the loop emits tokens");
  g.output(rest, "rest");
  return g.build();
}
