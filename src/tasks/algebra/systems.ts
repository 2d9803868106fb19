/** @file Two equations in two letters. */
import { rational } from "../arithmetic.ts";
import type { Rational } from "../arithmetic.ts";
import { operand, signed, signedTimes, signedUpTo, times } from "./family.ts";
import type { Family, Work } from "./family.ts";
import { textTemplate } from "./textTemplate.ts";

/** The work of a system with solution (x, y) that asks for one of the two. */
function solved(
  lines: readonly string[],
  v: string,
  x: number,
  w: string,
  y: number,
  first: boolean,
): Work | undefined {
  const [one, other] = [rational(BigInt(x)), rational(BigInt(y))];
  if (one === undefined || other === undefined || v === w) return undefined;
  return {
    lines,
    answer: first ? one : other,
    solutions: [
      new Map<string, Rational>([
        [v, one],
        [w, other],
      ]),
    ],
  };
}

/** `x + y = s`, `x − y = d` */
const sumAndDifference = (first: boolean): Family => ({
  name: `sum and difference, ${first ? "first" : "second"}`,
  key: "sum and difference",
  topic: "systems",
  levels: [2],
  templates: [
    `If {v} + {w} = {s} and {v} - {w} = {d}, what is {${first ? "v" : "w"}}?`,
    `Find {${first ? "v" : "w"}} if {v} + {w} = {s} and {v} - {w} = {d}.`,
  ].map(textTemplate),
  keyed: ["s", "d"],
  level: () => 2,
  draw(rng, { solution, constant }) {
    const [x, y] = [rng.integer(1, solution + constant), rng.integer(1, solution)];
    return { s: x + y, d: x - y };
  },
  work({ numbers: { s = 0, d = 0 }, letters: { v = "x", w = "y" } }) {
    const [x, y] = [(s + d) / 2, (s - d) / 2];
    if (!Number.isInteger(x)) return undefined;
    const lines = first
      ? [`2${v} = ${s} ${signed(d)} = ${s + d}`, `${v} = ${s + d} / 2 = ${x}`]
      : [`2${w} = ${s} ${signed(-d)} = ${s - d}`, `${w} = ${s - d} / 2 = ${y}`];
    return solved(lines, v, x, w, y, first);
  },
});

/** `y = kx + m`, `ax + y = c` */
const substitution = (first: boolean): Family => ({
  name: `substitution, ${first ? "first" : "second"}`,
  key: "substitution",
  topic: "systems",
  levels: [3],
  templates: [
    `If {w} = {k*}{v} {+m} and {a*}{v} + {w} = {c}, what is {${first ? "v" : "w"}}?`,
    `Find {${first ? "v" : "w"}} if {w} = {k*}{v} {+m} and {a*}{v} + {w} = {c}.`,
  ].map(textTemplate),
  keyed: ["k", "m", "a", "c"],
  level: () => 3,
  draw(rng, { coefficient, constant, solution }) {
    const [k, a] = [rng.integer(1, Math.min(5, coefficient)), rng.integer(1, coefficient)];
    const m = signedUpTo(rng, constant);
    return { k, m, a, c: (a + k) * rng.integer(1, solution) + m };
  },
  work({ numbers: { k = 0, m = 0, a = 0, c = 0 }, letters: { v = "x", w = "y" } }) {
    const sum = a + k;
    const x = (c - m) / sum;
    if (k === 0 || m === 0 || a === 0 || !Number.isInteger(x)) return undefined;
    const y = k * x + m;
    const lines = [
      `${times(a, v)} ${signedTimes(k, v)} ${signed(m)} = ${c}`,
      `${times(sum, v)} = ${c} ${signed(-m)} = ${c - m}`,
      ...(sum === 1 ? [] : [`${v} = ${c - m} / ${operand(sum)} = ${x}`]),
      ...(first ? [] : [`${w} = ${k} * ${operand(x)} ${signed(m)} = ${y}`]),
    ];
    return solved(lines, v, x, w, y, first);
  },
});

export const SYSTEMS: readonly Family[] = [
  sumAndDifference(true),
  sumAndDifference(false),
  substitution(true),
  substitution(false),
];
