/** @file Equations in one letter: linear ones in several dresses, and quadratics with whole solutions. */
import { rational, rationalText } from "../arithmetic.ts";
import type { Rational } from "../arithmetic.ts";
import { operand, signed, signedTimes, signedUpTo, times } from "./family.ts";
import type { Family, Work } from "./family.ts";
import { textTemplate } from "./textTemplate.ts";

const asked = (equation: string) =>
  [`Solve for {v}: ${equation}.`, `Find {v} if ${equation}.`, `What is {v} if ${equation}?`].map(textTemplate);

/** `a·v = c` worked to its end; the lines before it are given. */
function finish(lines: readonly string[], letter: string, a: number, c: number): Work | undefined {
  const answer = rational(BigInt(c), BigInt(a));
  if (answer === undefined) return undefined;
  const quotient = `${c} / ${operand(a)}`;
  const result = rationalText(answer);
  // 7 / 4 is 7/4 already.
  const last = `${letter} = ${quotient}${result === quotient.replaceAll(" ", "") ? "" : ` = ${result}`}`;
  return { lines: a === 1 ? lines : [...lines, last], answer, solutions: [new Map([[letter, answer]])] };
}

const isWhole = (c: number, a: number): boolean => a !== 0 && c % a === 0;

/** `ax + b = c`; level 1 with a whole solution, level 2 with a fraction. */
const LINEAR: Family = {
  name: "linear",
  topic: "equations",
  levels: [1, 2],
  templates: asked("{a*}{v} {+b} = {c}"),
  keyed: ["a", "b", "c"],
  level: ({ a = 0, b = 0, c = 0 }) => (isWhole(c - b, a) ? 1 : 2),
  draw(rng, { coefficient, constant, solution }, level) {
    const a = rng.integer(2, coefficient);
    const b = signedUpTo(rng, constant);
    const product = level === 1 ? a * rng.integer(-Math.floor(solution / 4), solution) : rng.integer(1, a * solution);
    return level === 2 && product % a === 0 ? undefined : { a, b, c: product + b };
  },
  work({ numbers: { a = 0, b = 0, c = 0 }, letters: { v = "x" } }) {
    return a === 0 || b === 0 ? undefined : finish([`${times(a, v)} = ${c} ${signed(-b)} = ${c - b}`], v, a, c - b);
  },
};

/** `x/a + b = c` */
const QUOTIENT: Family = {
  name: "quotient",
  topic: "equations",
  levels: [1],
  templates: asked("{v}/{a} {+b} = {c}"),
  keyed: ["a", "b", "c"],
  level: () => 1,
  draw(rng, { coefficient, constant, solution }) {
    const b = signedUpTo(rng, constant);
    return { a: rng.integer(2, coefficient), b, c: b + rng.integer(1, solution) };
  },
  work({ numbers: { a = 0, b = 0, c = 0 }, letters: { v = "x" } }) {
    if (a < 2 || b === 0) return undefined;
    return finish(
      [`${v}/${a} = ${c} ${signed(-b)} = ${c - b}`, `${v} = ${c - b} * ${a} = ${(c - b) * a}`],
      v,
      1,
      (c - b) * a,
    );
  },
};

/** `ax + b = dx + c` */
const BOTH_SIDES: Family = {
  name: "both sides",
  topic: "equations",
  levels: [2],
  templates: asked("{a*}{v} {+b} = {d*}{v} {+c}"),
  keyed: ["a", "b", "c", "d"],
  level: () => 2,
  draw(rng, { coefficient, constant, solution }) {
    const d = rng.integer(1, coefficient - 2);
    const a = rng.integer(d + 2, coefficient);
    const b = signedUpTo(rng, constant);
    const c = b + (a - d) * rng.integer(-Math.floor(solution / 4), solution);
    return c === 0 ? undefined : { a, b, c, d };
  },
  work({ numbers: { a = 0, b = 0, c = 0, d = 0 }, letters: { v = "x" } }) {
    if (a === d || a === 0 || d === 0 || b === 0 || c === 0) return undefined;
    return finish(
      [`${times(a, v)} ${signedTimes(-d, v)} = ${c} ${signed(-b)}`, `${times(a - d, v)} = ${c - b}`],
      v,
      a - d,
      c - b,
    );
  },
};

/** `a(x + b) = c` */
const BRACKET: Family = {
  name: "bracket",
  topic: "equations",
  levels: [2],
  templates: asked("{a}({v} {+b}) = {c}"),
  keyed: ["a", "b", "c"],
  level: () => 2,
  draw(rng, { coefficient, constant, solution }) {
    const a = rng.integer(2, coefficient);
    const b = signedUpTo(rng, constant);
    return { a, b, c: a * (b + rng.integer(-Math.floor(solution / 4), solution)) };
  },
  work({ numbers: { a = 0, b = 0, c = 0 }, letters: { v = "x" } }) {
    if (a < 2 || b === 0 || !isWhole(c, a)) return undefined;
    const inner = c / a;
    return finish(
      [`${v} ${signed(b)} = ${c} / ${a} = ${inner}`, `${v} = ${inner} ${signed(-b)} = ${inner - b}`],
      v,
      1,
      inner - b,
    );
  },
};

/** `(ax + b)/d = c` */
const FRACTION_EQUATION: Family = {
  name: "fraction equation",
  topic: "equations",
  levels: [3],
  templates: asked("({a*}{v} {+b})/{d} = {c}"),
  keyed: ["a", "b", "c", "d"],
  level: () => 3,
  draw(rng, { coefficient, constant, solution }) {
    const a = rng.integer(2, coefficient);
    const d = rng.integer(2, coefficient);
    const b = signedUpTo(rng, constant);
    const left = a * rng.integer(1, solution) + b;
    return left % d === 0 && left !== 0 ? { a, b, d, c: left / d } : undefined;
  },
  work({ numbers: { a = 0, b = 0, c = 0, d = 0 }, letters: { v = "x" } }) {
    if (a === 0 || b === 0 || d < 2) return undefined;
    const right = c * d;
    return finish(
      [
        `${times(a, v)} ${signed(b)} = ${c} * ${d} = ${right}`,
        `${times(a, v)} = ${right} ${signed(-b)} = ${right - b}`,
      ],
      v,
      a,
      right - b,
    );
  },
};

/** `x² + bx + c = 0` with whole solutions; the larger or the smaller one is asked for. */
const quadratic = (which: "larger" | "smaller"): Family => ({
  name: `${which} solution`,
  key: "quadratic",
  topic: "equations",
  levels: [3],
  templates: [
    `What is the ${which} solution of {v}^2 {+b*}{v} {+c} = 0?`,
    `Find the ${which} solution of {v}^2 {+b*}{v} {+c} = 0.`,
  ].map(textTemplate),
  keyed: ["b", "c"],
  level: () => 3,
  draw(rng, { solution }) {
    const most = Math.min(solution, 12);
    const [r, s] = [signedUpTo(rng, most), signedUpTo(rng, most)];
    return r === s || r === -s ? undefined : { b: -(r + s), c: r * s };
  },
  work({ numbers: { b = 0, c = 0 }, letters: { v = "x" } }) {
    const root = Math.round(Math.sqrt(b * b - 4 * c));
    if (b === 0 || c === 0 || root <= 0 || root * root !== b * b - 4 * c) return undefined;
    // Root and b are both even or both odd, so that both solutions are whole.
    const [low, high] = [(-b - root) / 2, (-b + root) / 2];
    const values = [low, high].map((value) => rational(BigInt(value)));
    const answer = values[which === "larger" ? 1 : 0];
    return answer === undefined
      ? undefined
      : {
          lines: [
            `${low} * ${operand(high)} = ${c} and ${low} ${signed(high)} = ${low + high}`,
            `(${v} ${signed(-low)})(${v} ${signed(-high)}) = 0`,
            `${v} = ${low} or ${v} = ${high}`,
          ],
          answer,
          solutions: values.flatMap((value) => (value === undefined ? [] : [new Map<string, Rational>([[v, value]])])),
        };
  },
});

export const EQUATIONS: readonly Family[] = [
  LINEAR,
  QUOTIENT,
  BOTH_SIDES,
  BRACKET,
  FRACTION_EQUATION,
  quadratic("larger"),
  quadratic("smaller"),
];
