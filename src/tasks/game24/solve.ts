/**
 * @file Every way to make 24 from a few whole numbers with + − × ÷, by exhaustive search in
 * exact fractions. Not here: how a solution is written (`workedAnswer.ts`).
 */

/** A fraction in lowest terms, `d > 0`. Plain numbers: four operands below 100 stay far within safe integers. */
export interface Fraction {
  readonly n: number;
  readonly d: number;
}

export type Operator = "+" | "-" | "*" | "/";
const OPERATORS: readonly Operator[] = ["+", "*", "-", "/"];

/** An expression over the puzzle's numbers with its value. */
export type Tree = Fraction &
  ({ readonly op?: undefined } | { readonly op: Operator; readonly left: Tree; readonly right: Tree });

/** What a game makes of its numbers. */
export const TARGET = 24;

/** `a op b`, undefined for a division by zero. */
export function combine(op: Operator, a: Fraction, b: Fraction): Fraction | undefined {
  switch (op) {
    case "+":
      return lowest(a.n * b.d + b.n * a.d, a.d * b.d);
    case "-":
      return lowest(a.n * b.d - b.n * a.d, a.d * b.d);
    case "*":
      return lowest(a.n * b.n, a.d * b.d);
    case "/":
      return b.n === 0 ? undefined : lowest(a.n * b.d, a.d * b.n);
  }
}

function lowest(n: number, d: number): Fraction {
  let [a, b] = [Math.abs(n), Math.abs(d)];
  while (b !== 0) [a, b] = [b, a % b];
  const sign = d < 0 ? -1 : 1;
  return { n: (sign * n) / a, d: (sign * d) / a };
}

const remembered = new Map<string, readonly Tree[]>();
/** Puzzles whose solutions are kept: a teacher asks for the same ones again and again. */
const MAX_REMEMBERED = 20_000;

/** All solutions that differ by more than the order of terms and factors, simplest first; none for an unsolvable puzzle. Depends on the numbers in their order. */
export function solutions(numbers: readonly number[]): readonly Tree[] {
  const key = numbers.join(" ");
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const found = findSolutions(numbers);
  if (remembered.size < MAX_REMEMBERED) remembered.set(key, found);
  return found;
}

function findSolutions(numbers: readonly number[]): readonly Tree[] {
  const found = new Map<string, Tree>();
  search(
    numbers.map((n): Tree => ({ n, d: 1 })),
    (tree) => {
      const key = sortedForm(tree);
      const known = found.get(key);
      if (known === undefined || compareCosts(tree, known) < 0) found.set(key, tree);
    },
  );
  return [...found.values()].sort(compareCosts);
}

function search(items: readonly Tree[], onSolution: (tree: Tree) => void): void {
  const [first, second] = items;
  if (first === undefined) return;
  if (second === undefined) {
    if (first.n === TARGET && first.d === 1) onSolution(first);
    return;
  }
  const last = items.length === 2;
  for (let i = 0; i < items.length; i++) {
    for (let j = i + 1; j < items.length; j++) {
      const [a, b] = [items[i] as Tree, items[j] as Tree];
      // The larger operand stands first where the order is free, so that solutions look alike.
      const [high, low] = a.n * b.d >= b.n * a.d ? [a, b] : [b, a];
      const sameValue = a.n * b.d === b.n * a.d;
      const rest = last ? [] : items.filter((_, k) => k !== i && k !== j);
      for (const op of OPERATORS) {
        // Negative numbers are never needed: what adds one subtracts its opposite, and two of them cancel in a product.
        extend(rest, op, high, low, last, onSolution);
        if (op === "/" && !sameValue) extend(rest, op, low, high, last, onSolution);
      }
    }
  }
}

function extend(
  rest: readonly Tree[],
  op: Operator,
  left: Tree,
  right: Tree,
  last: boolean,
  onSolution: (tree: Tree) => void,
): void {
  // Almost every branch ends here: whether it is the target is asked before anything is built.
  if (last && !reachesTarget(op, left, right)) return;
  const value = combine(op, left, right);
  if (value !== undefined) search([...rest, { n: value.n, d: value.d, op, left, right }], onSolution);
}

function reachesTarget(op: Operator, a: Fraction, b: Fraction): boolean {
  switch (op) {
    case "+":
      return a.n * b.d + b.n * a.d === TARGET * a.d * b.d;
    case "-":
      return a.n * b.d - b.n * a.d === TARGET * a.d * b.d;
    case "*":
      return a.n * b.n === TARGET * a.d * b.d;
    case "/":
      return b.n !== 0 && a.n * b.d === TARGET * a.d * b.n;
  }
}

/** One text for all orders of the same terms and factors: sums and products are flattened and sorted. */
function sortedForm(tree: Tree): string {
  if (tree.op === undefined) return String(tree.n);
  const parts: string[] = [];
  const additive = tree.op === "+" || tree.op === "-";
  const gather = (node: Tree, inverse: boolean): void => {
    const same = node.op !== undefined && (node.op === "+" || node.op === "-") === additive;
    if (node.op === undefined || !same) {
      parts.push(`${additive ? (inverse ? "-" : "+") : inverse ? "/" : "*"}${sortedForm(node)}`);
      return;
    }
    gather(node.left, inverse);
    gather(node.right, node.op === "-" || node.op === "/" ? !inverse : inverse);
  };
  gather(tree, false);
  return `(${parts.sort().join("")})`;
}

const OPERATOR_COST: Readonly<Record<Operator, number>> = { "+": 1, "-": 2, "*": 2, "/": 4 };

/** Fractions on the way weigh most, then the operators, then the largest number, then the text. */
function compareCosts(a: Tree, b: Tree): number {
  const [x, y] = [costOf(a), costOf(b)];
  return x.cost - y.cost || x.largest - y.largest || (expressionText(a) < expressionText(b) ? -1 : 1);
}

function costOf(tree: Tree): { readonly cost: number; readonly largest: number } {
  if (tree.op === undefined) return { cost: 0, largest: tree.n };
  const [left, right] = [costOf(tree.left), costOf(tree.right)];
  return {
    cost: left.cost + right.cost + OPERATOR_COST[tree.op] + (tree.d === 1 ? 0 : 1000),
    largest: Math.max(left.largest, right.largest, tree.n),
  };
}

/** `(13 - 9) * (10 - 4)`: every part in parentheses, the whole without. */
export function expressionText(tree: Tree): string {
  if (tree.op === undefined) return String(tree.n);
  const part = (node: Tree): string => (node.op === undefined ? String(node.n) : `(${expressionText(node)})`);
  return `${part(tree.left)} ${tree.op} ${part(tree.right)}`;
}
