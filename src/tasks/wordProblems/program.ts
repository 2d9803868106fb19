/**
 * @file The arithmetic of a word problem, without its words: a chain of steps over
 * one running quantity, evaluated exactly in integers. Not here: how a step is
 * phrased (`phrases.ts`) or which steps may follow which (`operations.ts`).
 */

/**
 * Steps, by what happens to the running quantity x (previous value p):
 * gain, more, total `x + n`; lose, fewer, difference `x − n`; need `n − x`;
 * gainGroups `x + a·b`; loseGroups `x − a·b`; times, grow, cost `x · n`;
 * fraction, part, share, pack `x / n` (exact); together `p + x`.
 */
export const STEP_OPS = [
  "gain",
  "lose",
  "gainGroups",
  "loseGroups",
  "more",
  "fewer",
  "times",
  "fraction",
  "grow",
  "part",
  "share",
  "pack",
  "cost",
  "total",
  "difference",
  "need",
  "together",
] as const;
export type StepOp = (typeof STEP_OPS)[number];

export interface Step {
  readonly op: StepOp;
  /** Numbers in the order of the text: none for together, two for the groups, else one. */
  readonly operands: readonly number[];
}

/** Plain JSON. */
export interface Program {
  /** "end": `given` is the quantity at the start. "start": `given` is the quantity at the end, the start is asked, so the steps are undone. */
  readonly ask: "end" | "start";
  /** One number, or two factors ("4 bags of 6"). */
  readonly given: readonly number[];
  /** In the order of the text. */
  readonly steps: readonly Step[];
}

type ArithmeticSymbol = "+" | "-" | "*" | "/";

/** One line of the working, `left symbol right = result`. */
export interface Equation {
  readonly left: number;
  readonly symbol: ArithmeticSymbol;
  readonly right: number;
  readonly result: number;
}

export type Working =
  | { readonly ok: true; readonly equations: readonly Equation[]; readonly answer: number }
  | { readonly ok: false; readonly reason: string };

/** How each single-operand step acts on x; the others are spelled out in `equationsOf`. */
const SYMBOLS: Partial<Record<StepOp, ArithmeticSymbol>> = {
  gain: "+",
  gainGroups: "+",
  more: "+",
  total: "+",
  lose: "-",
  loseGroups: "-",
  fewer: "-",
  difference: "-",
  times: "*",
  grow: "*",
  cost: "*",
  fraction: "/",
  part: "/",
  share: "/",
  pack: "/",
};
const INVERSE = { "+": "-", "-": "+", "*": "/", "/": "*" } as const;

/** Steps that `ask: "start"` can undo. */
export const INVERTIBLE: readonly StepOp[] = ["gain", "lose", "gainGroups", "loseGroups", "grow", "part", "share"];

/** Lines of working a step takes: two where its number is itself a product. */
export function linesOf(op: StepOp): number {
  return op === "gainGroups" || op === "loseGroups" ? 2 : 1;
}

/** Lines of working of the whole program: its number of steps. */
export function programLines(program: Program): number {
  return program.given.length - 1 + program.steps.reduce((sum, step) => sum + linesOf(step.op), 0);
}

/**
 * The exact working of `program`, or why it has none (a share that does not come out
 * even, a quantity below zero). With `careless`, such steps are rounded instead, as a
 * solver would that does not notice.
 */
export function work(program: Program, options: { readonly careless?: boolean } = {}): Working {
  const bench = new Workbench(options.careless ?? false);
  let x = bench.product(program.given);
  let previous = x;
  const steps = program.ask === "end" ? program.steps : [...program.steps].reverse();
  for (const { op, operands } of steps) {
    const before = x;
    if (op === "together") x = bench.apply(previous, "+", x);
    else if (op === "need") x = bench.apply(bench.product(operands), "-", x);
    else {
      const symbol = SYMBOLS[op];
      if (symbol === undefined || (program.ask === "start" && !INVERTIBLE.includes(op)))
        return { ok: false, reason: `the step ${op} cannot be undone` };
      x = bench.apply(x, program.ask === "end" ? symbol : INVERSE[symbol], bench.product(operands));
    }
    previous = before;
  }
  if (bench.problem !== undefined) return { ok: false, reason: bench.problem };
  return { ok: true, equations: bench.equations, answer: x };
}

/** Every value the working may name: numbers given, and results of its lines. */
export function programNumbers(program: Program): number[] {
  return [...program.given, ...program.steps.flatMap((step) => step.operands)];
}

/**
 * Key under which two programs count as the same: steps and numbers in order, the
 * two factors of a product in either order. Names, objects and wording do not count.
 */
export function programKey(program: Program): string {
  const numbers = (list: readonly number[]) => [...list].sort((a, b) => a - b).join("x");
  return [
    `${program.ask} ${numbers(program.given)}`,
    ...program.steps.map((step) => `${step.op} ${numbers(step.operands)}`),
  ].join(", ");
}

class Workbench {
  readonly equations: Equation[] = [];
  problem: string | undefined;
  readonly #careless: boolean;

  constructor(careless: boolean) {
    this.#careless = careless;
  }

  product(factors: readonly number[]): number {
    const [first, ...rest] = factors;
    return rest.reduce((product, factor) => this.apply(product, "*", factor), first ?? 0);
  }

  apply(left: number, symbol: ArithmeticSymbol, right: number): number {
    let result = compute(left, symbol, right);
    if (!Number.isSafeInteger(result)) {
      this.#note(right === 0 ? `${left} cannot be divided by 0` : `${left} ${symbol} ${right} is not a whole number`);
      result = Number.isFinite(result) ? Math.trunc(result) : left;
    } else if (result < 0) {
      this.#note(`${left} - ${right} is below zero`);
    }
    this.equations.push({ left, symbol, right, result });
    return result;
  }

  #note(problem: string): void {
    if (!this.#careless) this.problem ??= problem;
  }
}

function compute(left: number, symbol: ArithmeticSymbol, right: number): number {
  switch (symbol) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
  }
}
