/** @file Gradient rules of operators along a sequence: triangles, running sums, rotary positions. */
import { attr } from "../../onnx/attributes.ts";
import type { Value } from "../../onnx/types.ts";
import type { GradientRule } from "../rule.ts";

/** Trilu keeps the same triangle of the gradient. */
export const trilu: GradientRule = (op) => {
  const diagonal = op.optionalInput(1);
  return [
    () =>
      op.math.emit(
        "Trilu",
        diagonal === undefined ? [op.fullGradient()] : [op.fullGradient(), diagonal],
        op.node.attributes,
      ),
  ];
};

/** CumSum in the other direction. */
export const cumSum: GradientRule = (op) => [
  () =>
    op.math.emit("CumSum", [op.fullGradient(), op.input(1)], {
      exclusive: attr.int(op.int("exclusive", 0)),
      reverse: attr.int(1 - op.int("reverse", 0)),
    }),
];

/** A rotation by the opposite angles: the same operator with −sin. The caches carry no gradient. */
const rotation =
  (sinAt: number): GradientRule =>
  (op) => [
    () => {
      const { math } = op;
      const inputs: (Value | undefined)[] = Array.from({ length: op.inputCount }, (_, i) => op.optionalInput(i));
      inputs[0] = op.fullGradient();
      inputs[sinAt] = math.neg(op.input(sinAt));
      return math.emit(op.node.opType, inputs, op.node.attributes, op.node.domain);
    },
  ];

/** com.microsoft: input, position_ids, cos_cache, sin_cache. */
export const contribRotaryEmbedding = rotation(3);
/** Operator set 23: X, cos_cache, sin_cache, position_ids. */
export const rotaryEmbedding = rotation(2);
