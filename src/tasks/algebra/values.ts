/** @file Questions without an unknown: the value of an expression, sums of fractions, terms and sums of sequences. */
import { rational, rationalText } from "../arithmetic.ts";
import type { Rational } from "../arithmetic.ts";
import { operand, signed, signedUpTo } from "./family.ts";
import type { Family, Work } from "./family.ts";
import { textTemplate } from "./textTemplate.ts";

function result(lines: readonly string[], value: number, letters?: readonly [string, number]): Work | undefined {
  const answer = rational(BigInt(value));
  const known = letters === undefined ? undefined : rational(BigInt(letters[1]));
  if (answer === undefined) return undefined;
  const solution = letters === undefined || known === undefined ? [] : [[letters[0], known] as const];
  return { lines, answer, solutions: [new Map(solution)] };
}

const asked = (expression: string) =>
  [`If {v} = {n}, what is ${expression}?`, `Find the value of ${expression} for {v} = {n}.`].map(textTemplate);

/** `ax + b` at x = n */
const LINEAR_VALUE: Family = {
  name: "linear value",
  topic: "values",
  levels: [1],
  templates: asked("{a*}{v} {+b}"),
  keyed: ["a", "b", "n"],
  level: () => 1,
  draw: (rng, { coefficient, constant, solution }) => ({
    a: rng.integer(2, coefficient),
    b: signedUpTo(rng, constant),
    n: rng.integer(-Math.floor(solution / 4), solution),
  }),
  work({ numbers: { a = 0, b = 0, n = 0 }, letters: { v = "x" } }) {
    if (a === 0 || b === 0) return undefined;
    return result([`${a} * ${operand(n)} ${signed(b)} = ${a * n} ${signed(b)} = ${a * n + b}`], a * n + b, [v, n]);
  },
};

/** `ax² + bx + c` at x = n */
const QUADRATIC_VALUE: Family = {
  name: "quadratic value",
  topic: "values",
  levels: [2],
  templates: asked("{a*}{v}^2 {+b*}{v} {+c}"),
  keyed: ["a", "b", "c", "n"],
  level: () => 2,
  draw: (rng, { coefficient, constant }) => ({
    a: rng.integer(1, Math.min(5, coefficient)),
    b: signedUpTo(rng, coefficient),
    c: signedUpTo(rng, constant),
    n: rng.integer(1, 9),
  }),
  work({ numbers: { a = 0, b = 0, c = 0, n = 0 }, letters: { v = "x" } }) {
    if (a === 0 || b === 0 || c === 0) return undefined;
    const [square, ax, bx] = [n * n, a * n * n, b * n];
    return result(
      [
        `${operand(n)}^2 = ${square}`,
        `${a} * ${square} ${signed(b)} * ${operand(n)} ${signed(c)} = ${ax} ${signed(bx)} ${signed(c)} = ${ax + bx + c}`,
      ],
      ax + bx + c,
      [v, n],
    );
  },
};

/** `a/b + c/d`, or minus */
const FRACTION_SUM: Family = {
  name: "fraction sum",
  topic: "fractions",
  levels: [1],
  templates: ["What is {a}/{b} {+c}/{d}?", "Compute {a}/{b} {+c}/{d}."].map(textTemplate),
  keyed: ["a", "b", "c", "d"],
  level: () => 1,
  draw(rng, { coefficient }) {
    const [b, d] = [rng.integer(2, coefficient), rng.integer(2, coefficient)];
    const [a, c] = [rng.integer(1, b - 1), rng.integer(1, d - 1)];
    return { a, b, c: rng.uniform() < 0.5 ? c : -c, d };
  },
  work({ numbers: { a = 0, b = 0, c = 0, d = 0 } }) {
    if (a < 1 || b < 2 || c === 0 || d < 2) return undefined;
    const common = (b * d) / gcd(b, d);
    const [left, right] = [(a * common) / b, (c * common) / d];
    const answer = rational(BigInt(left + right), BigInt(common));
    if (answer === undefined) return undefined;
    const sum = `${left + right}/${common}`;
    const lowest = rationalText(answer);
    const steps = [
      ...(b === common && d === common ? [] : [`${left}/${common} ${signed(right)}/${common}`]),
      sum,
      ...(lowest === sum ? [] : [lowest]),
    ];
    return {
      lines: [`${a}/${b} ${signed(c)}/${d} = ${steps.join(" = ")}`],
      answer,
      solutions: [new Map<string, Rational>()],
    };
  },
};

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Term n of an arithmetic sequence; a, b and c are its first terms. */
const ARITHMETIC_TERM: Family = {
  name: "arithmetic term",
  topic: "sequences",
  levels: [2],
  templates: [
    "An arithmetic sequence begins {a}, {b}, {c}. What is term {n}?",
    "What is term {n} of the arithmetic sequence {a}, {b}, {c}, ...?",
  ].map(textTemplate),
  keyed: ["a", "b", "c", "n"],
  level: () => 2,
  draw(rng, { coefficient, constant }) {
    const [a, step] = [rng.integer(1, constant), signedUpTo(rng, coefficient)];
    return { a, b: a + step, c: a + 2 * step, n: rng.integer(5, 20) };
  },
  work({ numbers: { a = 0, b = 0, c = 0, n = 0 } }) {
    const step = b - a;
    if (step === 0 || c - b !== step || n < 4) return undefined;
    const value = a + (n - 1) * step;
    return result([difference(a, b), nthTerm(a, step, n)], value);
  },
};

function difference(a: number, b: number): string {
  return `${b} - ${operand(a)} = ${b - a}`;
}

function nthTerm(a: number, step: number, n: number): string {
  const grown = (n - 1) * step;
  return `${a} + ${n - 1} * ${operand(step)} = ${a} ${signed(grown)} = ${a + grown}`;
}

/** Sum of the first n terms of an arithmetic sequence. */
const ARITHMETIC_SUM: Family = {
  name: "arithmetic sum",
  topic: "sequences",
  levels: [3],
  templates: [
    "What is the sum of the first {n} terms of the arithmetic sequence {a}, {b}, {c}, ...?",
    "An arithmetic sequence begins {a}, {b}, {c}. What is the sum of its first {n} terms?",
  ].map(textTemplate),
  keyed: ["a", "b", "c", "n"],
  level: () => 3,
  draw(rng, { coefficient, constant }) {
    const [a, step] = [rng.integer(1, constant), rng.integer(1, coefficient)];
    return { a, b: a + step, c: a + 2 * step, n: rng.integer(5, 20) };
  },
  work({ numbers: { a = 0, b = 0, c = 0, n = 0 } }) {
    const step = b - a;
    if (step === 0 || c - b !== step || n < 4) return undefined;
    const last = a + (n - 1) * step;
    const both = a + last;
    return result(
      [
        difference(a, b),
        nthTerm(a, step, n),
        `(${a} ${signed(last)}) * ${n} / 2 = ${both} * ${n} / 2 = ${(both * n) / 2}`,
      ],
      (both * n) / 2,
    );
  },
};

/** Term n of a geometric sequence with a whole ratio. */
const GEOMETRIC_TERM: Family = {
  name: "geometric term",
  topic: "sequences",
  levels: [3],
  templates: [
    "A geometric sequence begins {a}, {b}, {c}. What is term {n}?",
    "What is term {n} of the geometric sequence {a}, {b}, {c}, ...?",
  ].map(textTemplate),
  keyed: ["a", "b", "c", "n"],
  level: () => 3,
  draw(rng, { constant }) {
    const ratio = rng.integer(2, 5);
    const a = rng.integer(1, Math.max(9, Math.floor(constant / 2)));
    const n = rng.integer(4, ratio > 3 ? 5 : 7);
    return a * ratio ** (n - 1) > 9999 ? undefined : { a, b: a * ratio, c: a * ratio * ratio, n };
  },
  work({ numbers: { a = 0, b = 0, c = 0, n = 0 } }) {
    const ratio = b / a;
    if (a === 0 || !Number.isInteger(ratio) || Math.abs(ratio) < 2 || c !== b * ratio || n < 4 || n > 8)
      return undefined;
    const power = ratio ** (n - 1);
    return result(
      [
        `${b} / ${operand(a)} = ${ratio}`,
        `${a} * ${operand(ratio)}^${n - 1} = ${a} * ${operand(power)} = ${a * power}`,
      ],
      a * power,
    );
  },
};

export const VALUES: readonly Family[] = [
  LINEAR_VALUE,
  QUADRATIC_VALUE,
  FRACTION_SUM,
  ARITHMETIC_TERM,
  ARITHMETIC_SUM,
  GEOMETRIC_TERM,
];
