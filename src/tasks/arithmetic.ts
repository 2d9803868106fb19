/**
 * @file Exact arithmetic on expressions written as text: `12 + 7`, `8/(3-8/3)`,
 * `2.5 × 4`; with values for letters also `3x^2 - 2(x + 1)`. Rationals over BigInt, no
 * floats and no eval. Not here: solving for a letter.
 */

/** A fraction in lowest terms with a positive denominator. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** `numerator / denominator` in lowest terms, undefined for a zero denominator. */
export function rational(numerator: bigint, denominator = 1n): Rational | undefined {
  if (denominator === 0n) return undefined;
  let [a, b] = [numerator < 0n ? -numerator : numerator, denominator < 0n ? -denominator : denominator];
  while (b !== 0n) [a, b] = [b, a % b];
  const sign = denominator < 0n ? -1n : 1n;
  return { numerator: (sign * numerator) / (a || 1n), denominator: (sign * denominator) / (a || 1n) };
}

/** `7`, `-3/4`. */
export function rationalText({ numerator, denominator }: Rational): string {
  return denominator === 1n ? `${numerator}` : `${numerator}/${denominator}`;
}

/** Whether two rationals in lowest terms are the same number. */
export function equalRationals(a: Rational, b: Rational): boolean {
  return a.numerator === b.numerator && a.denominator === b.denominator;
}

/** An expression that was read: its exact value, the numbers it names in order, and how many operators it holds. */
export interface Expression {
  readonly value: Rational;
  readonly numbers: readonly Rational[];
  readonly operators: number;
}

/** Longer expressions are not read: numbers could grow without bound. */
const MAX_CHARACTERS = 400;
/** Larger exponents are not read. */
const MAX_EXPONENT = 12n;
const MAX_BASE = 10n ** 30n;
const TOKEN = /\s*(?:([0-9][0-9,]*(?:\.[0-9]+)?)|([-+*/()]))/y;
const TOKEN_WITH_LETTERS = /\s*(?:([0-9][0-9,]*(?:\.[0-9]+)?)|([-+*/()^]|[a-z]))/y;

/** Values of single small letters. */
export type Letters = ReadonlyMap<string, Rational>;

/**
 * The value of `text` under + − * / (also written × · x ÷ and −), parentheses and unary
 * signs; commas group digits. With `letters`, these have values, stand behind a number or before a
 * parenthesis as factors (`3x`, `2(x + 1)`), and `^` raises to a whole power up to 12; `x` is then no
 * multiplication sign. Undefined when it is no expression, or divides by zero.
 */
export function readExpression(text: string, letters?: Letters): Expression | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const tokens = tokenize(
    text
      .replace(letters === undefined ? /[×·x]/g : /[×·]/g, "*")
      .replace(/÷/g, "/")
      .replace(/−/g, "-"),
    letters === undefined ? TOKEN : TOKEN_WITH_LETTERS,
  );
  if (tokens === undefined) return undefined;
  const reader = new Reader(tokens, letters);
  const value = reader.sum();
  return value === undefined || !reader.done
    ? undefined
    : { value, numbers: reader.numbers, operators: reader.operators };
}

type Token = Rational | string;

function tokenize(text: string, pattern: RegExp): Token[] | undefined {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  pattern.lastIndex = 0;
  while (pattern.lastIndex < end) {
    const match = pattern.exec(text);
    if (match === null) return undefined;
    const number = match[1] === undefined ? undefined : decimal(match[1]);
    const token = match[2] ?? number;
    if (token === undefined) return undefined;
    tokens.push(token);
  }
  return tokens;
}

/** The exact value of a decimal numeral with optional digit-grouping commas. */
function decimal(text: string): Rational | undefined {
  const [whole = "", fraction = ""] = text.replaceAll(",", "").split(".");
  return rational(BigInt(whole + fraction), 10n ** BigInt(fraction.length));
}

/** Recursive descent: sum = product (± product)*, product = factor (×÷ factor)*, factor = ±factor | part [^ number], part = (sum) | number | letter. */
class Reader {
  readonly numbers: Rational[] = [];
  operators = 0;
  readonly #tokens: readonly Token[];
  readonly #letters: Letters | undefined;
  #at = 0;

  constructor(tokens: readonly Token[], letters: Letters | undefined) {
    this.#tokens = tokens;
    this.#letters = letters;
  }

  get done(): boolean {
    return this.#at === this.#tokens.length;
  }

  sum(): Rational | undefined {
    let left = this.#product();
    for (let sign = this.#take("+", "-"); sign !== undefined; sign = this.#take("+", "-")) {
      const right = this.#product();
      if (left === undefined || right === undefined) return undefined;
      this.operators++;
      const add = sign === "+" ? right.numerator : -right.numerator;
      left = rational(
        left.numerator * right.denominator + add * left.denominator,
        left.denominator * right.denominator,
      );
    }
    return left;
  }

  #product(): Rational | undefined {
    let left = this.#factor();
    for (let sign = this.#times(); sign !== undefined; sign = this.#times()) {
      const right = this.#factor();
      if (left === undefined || right === undefined) return undefined;
      this.operators++;
      left =
        sign === "*"
          ? rational(left.numerator * right.numerator, left.denominator * right.denominator)
          : rational(left.numerator * right.denominator, left.denominator * right.numerator);
    }
    return left;
  }

  #factor(): Rational | undefined {
    const sign = this.#take("+", "-");
    if (sign !== undefined) {
      const value = this.#factor();
      return value === undefined ? undefined : sign === "-" ? rational(-value.numerator, value.denominator) : value;
    }
    const base = this.#part();
    if (this.#take("^") === undefined) return base;
    const power = this.#tokens[this.#at++];
    return base === undefined || power === undefined || typeof power === "string" ? undefined : raise(base, power);
  }

  #part(): Rational | undefined {
    if (this.#take("(") !== undefined) {
      const value = this.sum();
      return this.#take(")") === undefined ? undefined : value;
    }
    const token = this.#tokens[this.#at];
    if (token === undefined) return undefined;
    this.#at++;
    if (typeof token === "string") return this.#letters?.get(token);
    this.numbers.push(token);
    return token;
  }

  /** The next multiplication or division sign; where letters have values, a product may also be written without one. */
  #times(): string | undefined {
    const sign = this.#take("*", "/");
    if (sign !== undefined || this.#letters === undefined) return sign;
    const next = this.#tokens[this.#at];
    return typeof next === "string" && (next === "(" || this.#letters.has(next)) ? "*" : undefined;
  }

  #take(...wanted: readonly string[]): string | undefined {
    const token = this.#tokens[this.#at];
    if (typeof token !== "string" || !wanted.includes(token)) return undefined;
    this.#at++;
    return token;
  }
}

function raise(base: Rational, power: Rational): Rational | undefined {
  if (power.denominator !== 1n || power.numerator > MAX_EXPONENT) return undefined;
  // A power of a power of a power could otherwise take for ever.
  if (base.numerator > MAX_BASE || base.numerator < -MAX_BASE || base.denominator > MAX_BASE) return undefined;
  return rational(base.numerator ** power.numerator, base.denominator ** power.numerator);
}
