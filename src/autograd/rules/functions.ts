/**
 * @file Gradient rules of elementwise functions of one variable. Each reuses the
 * forward output y where the derivative can be written with it.
 */
import { stringAttribute } from "../../onnx/attributes.ts";
import type { Value } from "../../onnx/types.ts";
import type { GradientRule, RuleContext } from "../rule.ts";

/** A rule `dx = g · derivative`. */
const times =
  (derivative: (op: RuleContext) => Value): GradientRule =>
  (op) => [() => op.math.mul(op.gradient(), derivative(op))];

/** `√x`: `g / 2y`. */
export const sqrt: GradientRule = (op) => [() => op.math.div(op.math.scale(op.gradient(), 0.5), op.output())];
/** `eˣ`: `g·y`. */
export const exp = times((op) => op.output());
/** `ln x`: `g / x`. */
export const log: GradientRule = (op) => [() => op.math.div(op.gradient(), op.input())];
/** `1/x`: `−g·y²`. */
export const reciprocal: GradientRule = (op) => [
  () => op.math.neg(op.math.mul(op.gradient(), op.math.mul(op.output(), op.output()))),
];
export const sin = times((op) => op.math.unary("Cos", op.input()));
export const cos: GradientRule = (op) => [
  () => op.math.neg(op.math.mul(op.gradient(), op.math.unary("Sin", op.input()))),
];
/** `1 − y²`. */
export const tanh = times((op) => op.math.oneMinus(op.math.mul(op.output(), op.output())));
/** `y·(1 − y)`. */
export const sigmoid = times((op) => op.math.mul(op.output(), op.math.oneMinus(op.output())));
/** `ln(1 + eˣ)`: `g·sigmoid(x)`. */
export const softplus = times((op) => op.math.unary("Sigmoid", op.input()));
/** `erf x`: `g · 2/√π · e^(−x²)`. */
export const erf = times((op) => {
  const { math } = op;
  return math.scale(math.unary("Exp", math.neg(math.mul(op.input(), op.input()))), 2 / Math.sqrt(Math.PI));
});

/** `max(x, 0)`, derivative 0 at 0. */
export const relu: GradientRule = (op) => {
  const { math } = op;
  const y = op.output();
  return [() => math.keepWhere(math.compare("Greater", y, math.scalar(0, y.type)), op.gradient())];
};

/** `x < 0 ? αx : x`. */
export const leakyRelu: GradientRule = (op) => {
  const { math } = op;
  const x = op.input();
  const negative = math.compare("Less", x, math.scalar(0, x.type));
  return [() => math.where(negative, math.scale(op.gradient(), op.float("alpha", 0.01)), op.gradient())];
};

/** `x < 0 ? α(eˣ − 1) : x`: below 0 the derivative is `y + α`. */
export const elu: GradientRule = (op) => {
  const { math } = op;
  const [x, y] = [op.input(), op.output()];
  const negative = math.compare("Less", x, math.scalar(0, x.type));
  const slope = math.where(negative, math.shift(y, op.float("alpha", 1)), math.scalar(1, x.type));
  return [() => math.mul(op.gradient(), slope)];
};

/** `|x|`: `g·sign(x)`, 0 at 0. Written with comparisons: Sign has no WebGPU kernel. */
export const abs: GradientRule = (op) => {
  const { math } = op;
  const x = op.input();
  const zero = math.scalar(0, x.type);
  return [
    () => {
      const g = op.gradient();
      return math.where(
        math.compare("Greater", x, zero),
        g,
        math.where(math.compare("Less", x, zero), math.neg(g), zero),
      );
    },
  ];
};

/** Derivative of `x·Φ(x)`: `Φ(x) + x·φ(x)`, with `u = x/√2`: `½ + ½ erf u + u e^(−u²)/√π`. */
function geluDerivative(op: RuleContext, x: Value): Value {
  const { math } = op;
  const u = math.scale(x, Math.SQRT1_2);
  const density = math.scale(math.mul(u, math.unary("Exp", math.neg(math.mul(u, u)))), 1 / Math.sqrt(Math.PI));
  return math.add(math.shift(math.scale(math.unary("Erf", u), 0.5), 0.5), density);
}

/**
 * Derivative of the tanh form, which is `y = x·s` with `s = sigmoid(2u)`,
 * `2u = x(c + k x²)`, `c = 2√(2/π)`, `k = 0.044715 c`: `s + y(1 − s)(c + 3k x²)`.
 */
function tanhGeluDerivative(op: RuleContext, x: Value, y: Value): Value {
  const { math } = op;
  const c = 2 * Math.sqrt(2 / Math.PI);
  const cubic = math.scale(math.mul(x, x), 0.044715 * c);
  const s = math.unary("Sigmoid", math.mul(x, math.shift(cubic, c)));
  return math.add(s, math.mul(math.mul(y, math.oneMinus(s)), math.shift(math.scale(cubic, 3), c)));
}

/** Gelu, exact or with tanh. */
export const gelu = times((op) => {
  const form = stringAttribute(op.node, "approximate", "none");
  if (form === "tanh") return tanhGeluDerivative(op, op.input(), op.output());
  return form === "none"
    ? geluDerivative(op, op.input())
    : op.unsupported(`approximate = "${form}"`, "Use none or tanh");
});

/** FastGelu: the tanh form of `x + bias`. */
export const fastGelu: GradientRule = (op) => {
  const { math } = op;
  const gradient = (): Value => {
    const bias = op.optionalInput(1);
    const x = bias === undefined ? op.input() : math.add(op.input(), bias);
    return math.mul(op.gradient(), tanhGeluDerivative(op, x, op.output()));
  };
  return [() => op.reduce(0, gradient()), () => op.reduce(1, gradient())];
};

/** QuickGelu `y = x·s`, `s = sigmoid(αx)` (SiLU with α = 1): `s + αy(1 − s)`. */
export const quickGelu = times((op) => {
  const { math } = op;
  const alpha = op.float("alpha", 1.702);
  const s = math.unary("Sigmoid", math.scale(op.input(), alpha));
  return math.add(s, math.scale(math.mul(op.output(), math.oneMinus(s)), alpha));
});
