/**
 * @file The layers that families are composed of. A layer is the parameters it owns,
 * under transformers' names, and what it computes with them: each is described once.
 * Not here: attention and whole blocks (`blocks.ts`). M = B·T rows, D hidden.
 */
import type { Value } from "../onnx/types.ts";
import type { ModelContext } from "./context.ts";
import type { ParameterSpec } from "./family.ts";
import { activation, type Activation } from "./modules.ts";

/** A part of a model that treats every position alike. */
export interface Layer {
  readonly parameters: readonly ParameterSpec[];
  /** Output [M, out] for x [M, in]. */
  apply(context: ModelContext, x: Value): Value;
}

interface BiasOptions {
  /** 0 where the bias changes nothing that follows, else 1: see `keyBiasMask`. */
  readonly biasMask?: Float32Array | undefined;
}

function vector(name: string, size: number): ParameterSpec {
  return { name, shape: [size], decay: false };
}

/**
 * Mask of a bias on keys, whose elements at `isKept` are 1. Where keys are not rotated
 * their bias adds the same number to all scores of a query, which softmax ignores. Left
 * out, its gradient is exactly 0; kept, it would be rounding noise, which Adam scales up
 * to whole steps.
 */
export function keyBiasMask(size: number, isKept: (i: number) => boolean): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => (isKept(i) ? 1 : 0));
}

function maskedBias(context: ModelContext, module: string, mask: Float32Array): Value {
  const g = context.builder;
  const kept = context.shared(mask, () => g.constant("float32", [mask.length], mask, "biasMask"));
  return g.mul(context.parameter(`${module}.bias`), kept);
}

/** `x W (+ b)`. `layout` is how the weight is stored: torch.nn.Linear's [out, in] or Conv1D's [in, out]. */
export function linear(
  module: string,
  inSize: number,
  outSize: number,
  options: BiasOptions & { readonly bias?: boolean; readonly layout?: "out-in" | "in-out" } = {},
): Layer {
  const { bias = false, layout = "out-in", biasMask } = options;
  const shape = layout === "out-in" ? [outSize, inSize] : [inSize, outSize];
  return {
    parameters: [
      { name: `${module}.weight`, shape, decay: true, linear: { module, layout } },
      ...(bias ? [vector(`${module}.bias`, outSize)] : []),
    ],
    apply: (context, x) =>
      context.linear(x, module, {
        bias: bias && biasMask !== undefined ? maskedBias(context, module, biasMask) : bias,
      }),
  };
}

/** `x / sqrt(mean(x²) + ε) · w`, or `· (1 + w)` with `unitOffset`, over the last axis. */
export function rmsNorm(
  module: string,
  size: number,
  epsilon: number,
  options: { readonly unitOffset?: boolean } = {},
): Layer {
  const weight = vector(`${module}.weight`, size);
  return {
    parameters: [weight],
    apply: (context, x) => {
      const g = context.builder;
      const stored = context.parameter(weight.name);
      const w = options.unitOffset === true ? g.add(stored, g.float(1, [1])) : stored;
      if (context.fusedNorm) return g.rmsNorm(x, w, epsilon);
      const meanSquare = g.reduceMean(g.mul(x, x), [-1]);
      return g.mul(g.div(x, g.sqrt(g.add(meanSquare, g.float(epsilon)))), w);
    },
  };
}

/** `(x − mean(x)) / sqrt(var(x) + ε) · w + b` over the last axis. */
export function layerNorm(module: string, size: number, epsilon: number, options: BiasOptions = {}): Layer {
  return {
    parameters: [vector(`${module}.weight`, size), vector(`${module}.bias`, size)],
    apply: (context, x) =>
      context.builder.layerNorm(
        x,
        context.parameter(`${module}.weight`),
        options.biasMask === undefined
          ? context.parameter(`${module}.bias`)
          : maskedBias(context, module, options.biasMask),
        epsilon,
      ),
  };
}

/** `down(act(up(x)))`. */
export function mlp(up: Layer, act: Activation, down: Layer): Layer {
  return {
    parameters: [...up.parameters, ...down.parameters],
    apply: (context, x) => down.apply(context, activation(context, up.apply(context, x), act)),
  };
}

/** `down(act(gate(x)) · up(x))`. */
export function gatedMlp(gate: Layer, up: Layer, act: Activation, down: Layer): Layer {
  return {
    parameters: [...gate.parameters, ...up.parameters, ...down.parameters],
    apply: (context, x) => {
      const gated = activation(context, gate.apply(context, x), act);
      return down.apply(context, context.builder.mul(gated, up.apply(context, x)));
    },
  };
}
