/**
 * @file A second opinion on the Game of 24, which shares nothing with the task: what can be
 * made of numbers by sets of values per subset, and a calculator with a stack of its own.
 */

type Value = readonly [bigint, bigint];

function reduced(n: bigint, d: bigint): Value | undefined {
  if (d === 0n) return undefined;
  let [a, b] = [n < 0n ? -n : n, d < 0n ? -d : d];
  while (b > 0n) [a, b] = [b, a % b];
  const g = (a === 0n ? 1n : a) * (d < 0n ? -1n : 1n);
  return [n / g, d / g];
}

function apply(op: string, [a, b]: Value, [c, d]: Value): Value | undefined {
  if (op === "+") return reduced(a * d + c * b, b * d);
  if (op === "-") return reduced(a * d - c * b, b * d);
  return op === "*" ? reduced(a * c, b * d) : reduced(a * d, b * c);
}

/** Whether some expression over all the numbers (up to 13) makes 24: every value of every subset, bottom up. */
export function canMake24(numbers: readonly number[]): boolean {
  const full = (1 << numbers.length) - 1;
  // Numerator and denominator stay below 13^4, so that one number can hold both.
  const SHIFT = 2 ** 20;
  const values: Set<number>[] = Array.from({ length: full + 1 }, () => new Set());
  for (let mask = 1; mask <= full; mask++) {
    const mine = values[mask]!;
    const put = (n: number, d: number): void => {
      if (d === 0) return;
      let [a, b] = [Math.abs(n), Math.abs(d)];
      while (b > 0) [a, b] = [b, a % b];
      mine.add((Math.abs(n) / a) * SHIFT + Math.abs(d) / a);
    };
    numbers.forEach((n, i) => {
      if (mask === 1 << i) put(n, 1);
    });
    for (let left = (mask - 1) & mask; left > 0; left = (left - 1) & mask)
      for (const x of values[left]!)
        for (const y of values[mask ^ left]!) {
          const [a, b, c, d] = [Math.floor(x / SHIFT), x % SHIFT, Math.floor(y / SHIFT), y % SHIFT];
          // Only sizes are kept: a value and its opposite are made in the same ways.
          put(a * d + c * b, b * d);
          put(a * d - c * b, b * d);
          put(a * c, b * d);
          put(a * d, b * c);
        }
  }
  return values[full]!.has(24 * SHIFT + 1);
}

const PRECEDENCE: Readonly<Record<string, number>> = { "+": 1, "-": 1, "*": 2, "/": 2 };

/** Value and numbers of an expression with binary operators, by Dijkstra's shunting yard. Throws on anything else. */
export function calculate(text: string): { readonly value: string; readonly numbers: readonly number[] } {
  const tokens = text.match(/\d+|[-+*/()]/g) ?? [];
  if (tokens.join("") !== text.replaceAll(" ", "")) throw new Error(`strange characters in "${text}"`);
  const output: Value[] = [];
  const waiting: string[] = [];
  const numbers: number[] = [];
  const reduce = (): void => {
    const [right, left] = [output.pop(), output.pop()];
    const value = left && right && apply(waiting.pop()!, left, right);
    if (!value) throw new Error(`no value: "${text}"`);
    output.push(value);
  };
  for (const token of tokens) {
    if (/\d/.test(token)) {
      numbers.push(Number(token));
      output.push([BigInt(token), 1n]);
    } else if (token === "(") waiting.push(token);
    else if (token === ")") {
      while (waiting.at(-1) !== "(") reduce();
      waiting.pop();
    } else {
      while (PRECEDENCE[waiting.at(-1) ?? ""]! >= PRECEDENCE[token]!) reduce();
      waiting.push(token);
    }
  }
  while (waiting.length > 0) reduce();
  if (output.length !== 1) throw new Error(`no single value: "${text}"`);
  return { value: output[0]!.join("/"), numbers };
}

/** What is wrong with a worked answer to the puzzle of `numbers`, undefined when nothing is. */
export function wrongAnswer24(numbers: readonly number[], answer: string): string | undefined {
  const lines = answer.split("\n");
  const last = /^Answer: (.*) = 24$/.exec(lines.pop() ?? "");
  if (last === null) return "no answer";
  const { value, numbers: used } = calculate(last[1]!);
  const sorted = (list: readonly (number | string)[]): string => list.map(String).sort().join(" ");
  if (value !== "24/1") return `the expression is ${value}`;
  if (sorted(used) !== sorted(numbers)) return `uses ${used.join(" ")}`;
  let left = numbers.map((n) => `${n}`);
  for (const line of lines) {
    const match = /^(\S+) ([-+*/]) (\S+) = (\S+) \(left: (.*)\)$/.exec(line);
    if (match === null) return line;
    const [, a, op, b, c, rest] = match as unknown as string[];
    const parse = (text: string): Value => [BigInt(text.split("/")[0]!), BigInt(text.split("/")[1] ?? "1")];
    const result = apply(op!, parse(a!), parse(b!));
    if (result === undefined || result.join("/").replace(/\/1$/, "") !== c) return line;
    for (const operand of [a!, b!]) {
      if (!left.includes(operand)) return line;
      left.splice(left.indexOf(operand), 1);
    }
    left = [...left, c];
    if (sorted(left) !== sorted(rest!.split(" "))) return line;
  }
  return left.join(" ") === "24" ? undefined : `ends at ${left.join(" ")}`;
}
