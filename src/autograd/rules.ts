/**
 * @file The registry of gradient rules, by "domain:OpType". An operator that is not
 * here cannot be differentiated through; `test/gradcheck` checks every entry.
 */
import type { Node } from "../onnx/types.ts";
import type { GradientRule } from "./rule.ts";
import * as arithmetic from "./rules/arithmetic.ts";
import * as functions from "./rules/functions.ts";
import * as indexing from "./rules/indexing.ts";
import * as matrix from "./rules/matrix.ts";
import * as normalization from "./rules/normalization.ts";
import * as reductions from "./rules/reductions.ts";
import * as sequence from "./rules/sequence.ts";
import * as shape from "./rules/shape.ts";

/** Key of a node's operator in a rule table. */
export function ruleKey(node: Node): string {
  return `${node.domain === "ai.onnx" ? "" : node.domain}:${node.opType}`;
}

/** Every operator that gradients flow through. */
export const GRADIENT_RULES: ReadonlyMap<string, GradientRule> = new Map<string, GradientRule>([
  [":Add", arithmetic.add],
  [":Sub", arithmetic.sub],
  [":Mul", arithmetic.mul],
  [":Div", arithmetic.div],
  [":Pow", arithmetic.pow],
  [":Neg", arithmetic.neg],
  [":Sum", arithmetic.sum],
  [":Mean", arithmetic.mean],
  [":Min", arithmetic.extremum],
  [":Max", arithmetic.extremum],
  [":Clip", arithmetic.clip],
  [":Where", arithmetic.where],
  [":Cast", arithmetic.cast],
  [":Identity", arithmetic.identity],
  [":Dropout", arithmetic.dropout],

  [":Sqrt", functions.sqrt],
  [":Exp", functions.exp],
  [":Log", functions.log],
  [":Reciprocal", functions.reciprocal],
  [":Sin", functions.sin],
  [":Cos", functions.cos],
  [":Tanh", functions.tanh],
  [":Sigmoid", functions.sigmoid],
  [":Softplus", functions.softplus],
  [":Erf", functions.erf],
  [":Relu", functions.relu],
  [":LeakyRelu", functions.leakyRelu],
  [":Elu", functions.elu],
  [":Abs", functions.abs],
  [":Gelu", functions.gelu],
  ["com.microsoft:Gelu", functions.gelu],
  ["com.microsoft:FastGelu", functions.fastGelu],
  ["com.microsoft:QuickGelu", functions.quickGelu],

  [":MatMul", matrix.matMul],
  [":Gemm", matrix.gemm],
  ["com.microsoft:FusedMatMul", matrix.fusedMatMul],

  [":Reshape", shape.reshape],
  [":Flatten", shape.reshape],
  [":Squeeze", shape.reshape],
  [":Unsqueeze", shape.reshape],
  [":Transpose", shape.transpose],
  [":Expand", shape.expand],
  [":Tile", shape.tile],
  [":Concat", shape.concat],
  [":Split", shape.split],
  [":Slice", shape.slice],
  [":Pad", shape.pad],

  [":Gather", indexing.gather],
  [":GatherElements", indexing.gatherElements],
  [":GatherND", indexing.gatherND],
  [":ScatterElements", indexing.scatterElements],

  [":ReduceSum", reductions.reduceSum],
  [":ReduceMean", reductions.reduceMean],
  [":ReduceMax", reductions.reduceExtremum],
  [":ReduceMin", reductions.reduceExtremum],
  [":ReduceL1", reductions.reduceL1],
  [":ReduceL2", reductions.reduceL2],
  [":ReduceSumSquare", reductions.reduceSumSquare],
  [":ReduceLogSum", reductions.reduceLogSum],
  [":ReduceLogSumExp", reductions.reduceLogSumExp],
  [":Softmax", reductions.softmax],
  [":LogSoftmax", reductions.logSoftmax],

  [":LayerNormalization", normalization.layerNormalization],
  [":SimplifiedLayerNormalization", normalization.rmsNormalization],
  [":RMSNormalization", normalization.rmsNormalization],
  ["com.microsoft:SkipLayerNormalization", normalization.skipLayerNormalization],
  ["com.microsoft:SkipSimplifiedLayerNormalization", normalization.skipSimplifiedLayerNormalization],

  [":Trilu", sequence.trilu],
  [":CumSum", sequence.cumSum],
  [":RotaryEmbedding", sequence.rotaryEmbedding],
  ["com.microsoft:RotaryEmbedding", sequence.contribRotaryEmbedding],
]);
