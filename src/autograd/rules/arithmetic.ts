/** @file Gradient rules of elementwise arithmetic with broadcasting, and of type conversion. */
import { isDifferentiable, numbersOf } from "../nodeEmitter.ts";
import type { GradientRule, RuleContext } from "../rule.ts";
import { nth } from "../rule.ts";
import type { Value } from "../../onnx/types.ts";

/** `y = a + b`. */
export const add: GradientRule = (op) => [() => op.reduce(0, op.gradient()), () => op.reduce(1, op.gradient())];

/** `y = a − b`. */
export const sub: GradientRule = (op) => [
  () => op.reduce(0, op.gradient()),
  () => op.math.neg(op.reduce(1, op.gradient())),
];

/** `y = a · b`: `da = g·b`, `db = g·a`. */
export const mul: GradientRule = (op) => [
  () => op.reduce(0, op.math.mul(op.gradient(), op.input(1))),
  () => op.reduce(1, op.math.mul(op.gradient(), op.input(0))),
];

/** `y = a / b`: `da = g/b`, `db = −(g/b)·y`. */
export const div: GradientRule = (op) => {
  const quotient = (): Value => op.math.div(op.gradient(), op.input(1));
  return [() => op.reduce(0, quotient()), () => op.math.neg(op.reduce(1, op.math.mul(quotient(), op.output())))];
};

/** The one number that a constant exponent holds in all its elements. */
function constantExponent(op: RuleContext): number | undefined {
  const tensor = op.math.constantOf(op.input(1));
  if (tensor === undefined || tensor.type === "float16") return undefined;
  const [first, ...rest] = numbersOf(tensor);
  return first !== undefined && rest.every((value) => value === first) ? first : undefined;
}

/** `n · xⁿ⁻¹`, reusing `y = xⁿ` where that saves a Pow. */
function powerDerivative(op: RuleContext, exponent: number): Value {
  const { math } = op;
  const [x, y] = [op.input(0), op.output()];
  switch (exponent) {
    case 0:
      return math.scalar(0, x.type);
    case 1:
      return math.scalar(1, x.type);
    case 2:
      return math.scale(x, 2);
    case 3:
      return math.scale(math.mul(x, x), 3);
    case 0.5:
      return math.div(math.scalar(0.5, x.type), y);
    case -1:
      return math.neg(math.mul(y, y));
    default:
      return math.scale(math.emit("Pow", [x, math.scalar(exponent - 1, x.type)]), exponent);
  }
}

/** `y = a^b`: `da = g·b·a^(b−1)` (0 where b = 0), `db = g·y·ln a` (0 where a = 0). */
export const pow: GradientRule = (op) => {
  const { math } = op;
  return [
    () => {
      const exponent = constantExponent(op);
      if (exponent !== undefined) return op.reduce(0, math.mul(op.gradient(), powerDerivative(op, exponent)));
      const [a, b] = [op.input(0), math.cast(op.input(1), op.input(0).type)];
      const zero = math.compare("Equal", b, math.scalar(0, b.type));
      // With b = 0 the factor a^(b−1) may be infinite; 0 · ∞ must not become NaN.
      const safe = math.where(zero, math.scalar(1, b.type), b);
      const derivative = math.mul(b, math.emit("Pow", [a, math.shift(safe, -1)]));
      return op.reduce(0, math.mul(op.gradient(), derivative));
    },
    () => {
      const [a, y] = [op.input(0), op.output()];
      const zero = math.compare("Equal", a, math.scalar(0, a.type));
      const logarithm = math.unary("Log", math.where(zero, math.scalar(1, a.type), a));
      const gradient = op.reduce(1, math.mul(op.gradient(), math.mul(y, logarithm)));
      return math.cast(gradient, op.input(1).type);
    },
  ];
};

export const neg: GradientRule = (op) => [() => op.math.neg(op.gradient())];
export const identity: GradientRule = (op) => [() => op.gradient()];

/** Dropout in inference mode is the identity. */
export const dropout: GradientRule = (op) => {
  const training = op.optionalInput(2) === undefined ? 0 : numbersOf(op.constant(2, "training_mode"))[0];
  if (training !== 0) op.unsupported("training mode: its mask is random", "Multiply by a mask that is a graph input");
  return [() => op.gradient()];
};

/** Variadic sum; every input gets the output's gradient. */
export const sum: GradientRule = (op) =>
  Array.from({ length: op.inputCount }, (_, i) => () => op.reduce(i, op.gradient()));

/** Variadic mean. */
export const mean: GradientRule = (op) =>
  Array.from({ length: op.inputCount }, (_, i) => () => op.reduce(i, op.math.scale(op.gradient(), 1 / op.inputCount)));

/** The gradient in the input's type; integers carry none. */
export const cast: GradientRule = (op) => [
  isDifferentiable(op.input()) ? () => op.math.cast(op.gradient(), op.input().type) : undefined,
];

/** Largest (or smallest) of several: the gradient goes to the winners, in equal parts where several tie. */
export const extremum: GradientRule = (op) => {
  const { math } = op;
  if (op.inputCount === 1) return [() => op.gradient()];
  const wins = (i: number): Value => math.cast(math.compare("Equal", op.input(i), op.output()), op.output().type);
  const share = (): Value => {
    let ties = wins(0);
    for (let i = 1; i < op.inputCount; i++) ties = math.add(ties, wins(i));
    return math.div(op.gradient(), ties);
  };
  return Array.from({ length: op.inputCount }, (_, i) => () => op.reduce(i, math.mul(share(), wins(i))));
};

/** `y = where(c, a, b)`; the condition carries no gradient. */
export const where: GradientRule = (op) => {
  const { math } = op;
  const zero = (): Value => math.scalar(0, op.output().type);
  return [
    undefined,
    () => op.reduce(1, math.where(op.input(0), op.gradient(), zero())),
    () => op.reduce(2, math.where(op.input(0), zero(), op.gradient())),
  ];
};

/**
 * `y = min(max(x, low), high)`: x gets the gradient inside the closed interval, a bound
 * gets it where it cuts. With low > high every output is `high`.
 */
export const clip: GradientRule = (op) => {
  const { math } = op;
  const x = op.input();
  const bound = (i: number): Value | undefined => op.optionalInput(i) ?? attributeBound(op, i);
  const [low, high] = [bound(1), bound(2)];
  return [
    () => {
      let gradient = op.gradient();
      if (low !== undefined) gradient = math.keepWhere(math.compare("GreaterOrEqual", x, low), gradient);
      if (high !== undefined) gradient = math.keepWhere(math.compare("LessOrEqual", x, high), gradient);
      return gradient;
    },
    () => {
      const cut = math.keepWhere(math.compare("Less", x, op.input(1)), op.gradient());
      const gradient = op.reduce(1, cut);
      return high === undefined ? gradient : math.keepWhere(math.compare("LessOrEqual", op.input(1), high), gradient);
    },
    () => {
      const raised = low === undefined ? x : math.emit("Max", [x, low]);
      return op.reduce(2, math.keepWhere(math.compare("Greater", raised, op.input(2)), op.gradient()));
    },
  ];
};

/** Bounds were attributes before operator set 11. */
function attributeBound(op: RuleContext, i: number): Value | undefined {
  const found = op.node.attributes[nth(["", "min", "max"], i)];
  return found?.kind === "float" ? op.math.scalar(found.value, op.input().type) : undefined;
}
