/**
 * @file A second opinion on algebra exercises, which shares nothing with the task: an answer
 * is put into the question's equations with floats, values are computed directly, sequences
 * are written out, and the solutions of quadratics are searched for.
 */

/** Value of an expression in floats, by precedence climbing. Throws on anything that is not one. */
export function evaluate(text: string, letters: Readonly<Record<string, number>> = {}): number {
  const tokens = text.match(/\d+|[a-z]|[-+*/^()]/g) ?? [];
  if (tokens.join("") !== text.replaceAll(" ", "")) throw new Error(`strange characters in "${text}"`);
  let at = 0;
  const atom = (): number => {
    const token = tokens[at++];
    if (token === "-") return -power();
    if (token === "(") {
      const inner = sum();
      if (tokens[at++] !== ")") throw new Error(`open parenthesis in "${text}"`);
      return inner;
    }
    const value = token === undefined ? Number.NaN : /\d/.test(token) ? Number(token) : letters[token];
    if (value === undefined || Number.isNaN(value)) throw new Error(`no value for ${token} in "${text}"`);
    return value;
  };
  const power = (): number => {
    const base = atom();
    if (tokens[at] !== "^") return base;
    at++;
    return base ** atom();
  };
  const product = (): number => {
    let value = power();
    for (;;) {
      const next = tokens[at] ?? "";
      if (next === "*" || next === "/") at++;
      else if (!/[a-z(]/.test(next)) return value;
      const factor = power();
      value = next === "/" ? value / factor : value * factor;
    }
  };
  const sum = (): number => {
    let value = product();
    for (;;) {
      const next = tokens[at];
      if (next !== "+" && next !== "-") return value;
      at++;
      value += next === "+" ? product() : -product();
    }
  };
  const value = sum();
  if (at !== tokens.length) throw new Error(`"${text}" goes on after its end`);
  return value;
}

const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

function holds(equation: string, letters: Readonly<Record<string, number>>): boolean {
  const sides = equation.split("=").map((side) => evaluate(side, letters));
  return sides.length > 1 && sides.every((side) => near(side, sides[0]!));
}

/** What each letter is in every solution; the first entry is the one that is asked for. */
function solve(text: string, answer: number): { readonly right: boolean; readonly letters: Record<string, number>[] } {
  const body = text.replace(/[.?]$/, "");
  const fixed = (right: boolean, letters: Record<string, number> = {}) => ({ right, letters: [letters] });
  let m = /^(?:Solve for ([a-z]): |Find ([a-z]) if |What is ([a-z]) if )([^a-z]*[a-z][^=]*=[^=]+)$/.exec(body);
  if (m !== null && !/ and /.test(body)) {
    const letters = { [m[1] ?? m[2] ?? m[3]!]: answer };
    return fixed(holds(m[4]!, letters), letters);
  }
  m = /^(?:What is|Find) the (larger|smaller) solution of (.*) = 0$/.exec(body);
  if (m !== null) {
    const letter = /[a-z]/.exec(m[2]!)![0];
    const roots: number[] = [];
    for (let x = -60; x <= 60; x++) if (evaluate(m[2]!, { [letter]: x }) === 0) roots.push(x);
    const wanted = m[1] === "larger" ? Math.max(...roots) : Math.min(...roots);
    return { right: roots.length === 2 && wanted === answer, letters: roots.map((x) => ({ [letter]: x })) };
  }
  m = /^If ([a-z]) = (-?\d+), what is (.*)$/.exec(body) ?? undefined!;
  const value = /^Find the value of (.*) for ([a-z]) = (-?\d+)$/.exec(body);
  if (m || value) {
    const [letter, n, expression] = m ? [m[1]!, m[2]!, m[3]!] : [value![2]!, value![3]!, value![1]!];
    const letters = { [letter]: Number(n) };
    return fixed(near(evaluate(expression, letters), answer), letters);
  }
  m = /^(?:If (.*) and (.*), what is ([a-z])|Find ([a-z]) if (.*) and (.*))$/.exec(body) ?? undefined!;
  if (m) {
    const [one, two, letter] = m[3] === undefined ? [m[5]!, m[6]!, m[4]!] : [m[1]!, m[2]!, m[3]];
    const other = [...new Set(body.match(/\b[a-z]\b|(?<=\d)[a-z]\b/g))].find((name) => name !== letter)!;
    // The equations are linear: two points of one of them give the other letter.
    const gap = (x: number): number => {
      const [left, right] = one.split("=").map((side) => evaluate(side, { [letter]: answer, [other]: x }));
      return left! - right!;
    };
    const letters = { [letter]: answer, [other]: gap(0) / (gap(0) - gap(1)) };
    return fixed(holds(one, letters) && holds(two, letters), letters);
  }
  m = /([\d, -]+\d)(?:\.|, \.\.\.)/.exec(body) ?? undefined!;
  if (m && /sequence/.test(body)) {
    const [a, b, c] = m[1]!.split(",").map(Number) as [number, number, number];
    const n = Number((/term (\d+)/.exec(body) ?? /first (\d+) terms/.exec(body))![1]);
    const grow = /arithmetic/.test(body) ? (t: number) => t + (b - a) : (t: number) => t * (b / a);
    const terms = [a];
    while (terms.length < n) terms.push(grow(terms.at(-1)!));
    if (terms[1] !== b || terms[2] !== c) throw new Error(`no such sequence: "${text}"`);
    return fixed((/sum/.test(body) ? terms.reduce((x, y) => x + y, 0) : terms.at(-1)!) === answer);
  }
  m = /^(?:What is|Compute) (.*)$/.exec(body) ?? undefined!;
  if (m) return fixed(near(evaluate(m[1]!), answer));
  throw new Error(`the referee cannot read "${text}"`);
}

/** A question told in words as one told in symbols, products with a sign of their own. */
function withSigns(text: string): string {
  const signs: Readonly<Record<string, string>> = { times: "*", plus: "+", minus: "-", over: "/", equals: "=" };
  return text
    .split(" ")
    .map((word) => signs[word] ?? word)
    .join(" ")
    .replace(/ squared\b/g, "^2");
}

/** What is wrong with a worked answer, undefined when nothing is. */
export function wrongAlgebra(text: string, answer: string): string | undefined {
  const lines = answer.split("\n");
  const box = /^\\boxed\{(-?\d+(?:\/\d+)?)\}$/.exec(lines.pop() ?? "");
  if (box === null || lines.length === 0) return "no answer";
  const [n, d = "1"] = box[1]!.split("/");
  const { right, letters } = solve(withSigns(text), Number(n) / Number(d));
  if (!right) return `${box[1]} does not fit`;
  for (const line of lines)
    for (const values of letters)
      if (!line.split(" and ").every((part) => part.split(" or ").some((equation) => holds(equation, values))))
        return line;
  return undefined;
}
