/**
 * @file Arithmetic on dimensions that may be symbols. A symbolic dimension is text:
 * a polynomial with integer coefficients over names, in one canonical spelling
 * (`"past+1"`, `"2*B*T"`), so that equal sizes are equal strings. An *opaque* symbol
 * starts with `?`: inference knows that the dimension exists, not how large it is.
 * Not here: broadcasting of static shapes (`shapes.ts`).
 */
import { hashString } from "../core/rng.ts";
import type { Dim } from "./types.ts";

/** Monomial (atoms joined by `*`, `""` for the constant) to its coefficient; no zero coefficients. */
type Polynomial = ReadonlyMap<string, number>;

/** Longer sums and products are not spelled out: in a file made for it they would fill the memory. */
const MAX_TERMS = 16;
const MAX_TEXT = 256;
const MAX_NAME = 100;
const TOKEN = /\s*([+\-*]|[^+\-*()\s]+)/y;

function monomialOf(atoms: readonly string[]): string {
  return [...atoms].sort().join("*");
}

function accumulate(target: Map<string, number>, monomial: string, coefficient: number): void {
  const sum = (target.get(monomial) ?? 0) + coefficient;
  if (sum === 0) target.delete(monomial);
  else target.set(monomial, sum);
}

/** The polynomial that `text` spells; a text that spells none is one atom as a whole. */
function parse(text: string): Polynomial {
  // A dimension without a name is one of unknown size.
  if (text === "") return new Map([["?", 1]]);
  const terms = new Map<string, number>();
  const verbatim = new Map([[text, 1]]);
  let sign = 1;
  let coefficient = 1;
  let atoms: string[] = [];
  let expectsFactor = true;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) return verbatim;
    if (token === "+" || token === "-") {
      if (expectsFactor && (token === "+" || terms.size > 0 || atoms.length > 0)) return verbatim;
      if (!expectsFactor) accumulate(terms, monomialOf(atoms), sign * coefficient);
      [sign, coefficient, atoms, expectsFactor] = [token === "-" ? -1 : 1, 1, [], true];
    } else if (token === "*") {
      if (expectsFactor) return verbatim;
      expectsFactor = true;
    } else {
      if (!expectsFactor) return verbatim;
      if (/^\d{1,15}$/.test(token)) coefficient *= Number(token);
      else atoms.push(token);
      expectsFactor = false;
    }
  }
  if (expectsFactor) return verbatim;
  accumulate(terms, monomialOf(atoms), sign * coefficient);
  return terms;
}

function polynomialOf(dim: Dim): Polynomial {
  if (typeof dim === "string") return parse(dim);
  return dim === 0 ? new Map() : new Map([["", dim]]);
}

function format(polynomial: Polynomial): Dim {
  const constant = polynomial.get("") ?? 0;
  const names = [...polynomial.keys()].filter((name) => name !== "").sort();
  if (names.length === 0) return constant;
  let text = "";
  for (const name of names) {
    const coefficient = polynomial.get(name) ?? 0;
    const size = Math.abs(coefficient);
    text += `${coefficient < 0 ? "-" : text === "" ? "" : "+"}${size === 1 ? "" : `${size}*`}${name}`;
  }
  return constant === 0 ? text : `${text}${constant < 0 ? "-" : "+"}${Math.abs(constant)}`;
}

/** True for a symbol that stands for an unknown size. */
export function isOpaque(dim: Dim): boolean {
  return typeof dim === "string" && dim.includes("?");
}

/** The canonical spelling of a dimension: `"T + past"` and `"past+T"` become the same text, `"4"` the number. */
export function canonicalDim(dim: Dim): Dim {
  return typeof dim === "number" ? dim : format(parse(dim));
}

/** `a + factor · b`; opaque when the sum is too long to be worth writing. */
export function addDims(a: Dim, b: Dim, factor = 1): Dim {
  if (typeof a === "number" && typeof b === "number") return a + factor * b;
  const sum = new Map(polynomialOf(a));
  for (const [monomial, coefficient] of polynomialOf(b)) accumulate(sum, monomial, factor * coefficient);
  const dim = format(sum);
  return typeof dim === "number" || dim.length <= MAX_TEXT ? dim : opaqueDim(dim, "sum");
}

/** The symbol of an unknown size: `?name.part`, fit to occur in sums and products. */
export function opaqueDim(name: string, part: string | number): string {
  const text = name.length <= MAX_NAME ? name : hashString(name).toString(36);
  return `?${text.replace(/[+\-*()\s?]/g, "_")}.${part}`;
}

/** `a · b`; undefined when the product is too long to be worth writing. */
export function multiplyDims(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const left = polynomialOf(a);
  const right = polynomialOf(b);
  if (left.size * right.size > MAX_TERMS) return undefined;
  const product = new Map<string, number>();
  for (const [m, c] of left) {
    for (const [n, d] of right)
      accumulate(product, monomialOf([...m.split("*"), ...n.split("*")].filter((atom) => atom !== "")), c * d);
  }
  const dim = format(product);
  return typeof dim === "number" || dim.length <= MAX_TEXT ? dim : undefined;
}

/** `a / b` when it is exact for every value of the symbols and `b` is one term; otherwise undefined. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  if (b === 0) return undefined;
  if (a === b) return 1;
  if (typeof a === "number" && typeof b === "number") return a % b === 0 ? a / b : undefined;
  const divisor = [...polynomialOf(b)];
  const [first] = divisor;
  if (first === undefined || divisor.length !== 1) return undefined;
  const quotient = new Map<string, number>();
  for (const [monomial, coefficient] of polynomialOf(a)) {
    const atoms = monomial.split("*").filter((atom) => atom !== "");
    for (const atom of first[0].split("*").filter((name) => name !== "")) {
      const at = atoms.indexOf(atom);
      if (at < 0) return undefined;
      atoms.splice(at, 1);
    }
    if (coefficient % first[1] !== 0) return undefined;
    accumulate(quotient, monomialOf(atoms), coefficient / first[1]);
  }
  return format(quotient);
}

/** Product of dimensions; undefined when it has no short spelling. */
export function productOfDims(dims: readonly Dim[]): Dim | undefined {
  if (dims.includes(0)) return 0;
  let product: Dim | undefined = 1;
  for (const dim of dims) if (product !== undefined) product = multiplyDims(product, dim);
  return product;
}

/** `dim` with the symbols that `bindings` names replaced by numbers; a whole text is looked up before its parts. */
export function bindDim(dim: Dim, bindings: Readonly<Record<string, number>>): Dim {
  if (typeof dim === "number") return dim;
  const bound = (name: string): number | undefined => (Object.hasOwn(bindings, name) ? bindings[name] : undefined);
  const whole = bound(dim);
  if (whole !== undefined) return whole;
  const sum = new Map<string, number>();
  for (const [monomial, coefficient] of parse(dim)) {
    let value = coefficient;
    const rest: string[] = [];
    for (const atom of monomial.split("*").filter((name) => name !== "")) {
      const number = bound(atom);
      if (number === undefined) rest.push(atom);
      else value *= number;
    }
    if (value !== 0) accumulate(sum, monomialOf(rest), value);
  }
  return format(sum);
}
