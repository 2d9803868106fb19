/** @file Draws the numbers of a word problem so that every step comes out even. */
import type { Rng } from "../../core/rng.ts";
import type { Phrase } from "./phrase.ts";
import { slotTakes } from "./plan.ts";
import { work } from "./program.ts";
import type { Program, Step, StepOp } from "./program.ts";
import type { Plan } from "./story.ts";
import type { NumberSlot } from "./template.ts";
import { writableNumbers } from "./words.ts";
import type { NumberStyle } from "./words.ts";

/** Largest numbers a problem may hold. */
export interface NumberLimits {
  /** Of a quantity told in the text. */
  readonly maxOperand: number;
  /** Of any line of the working. */
  readonly maxResult: number;
}

/** A sentence of which only the words are still missing. */
export interface Line {
  readonly phrase: Phrase;
  readonly style: NumberStyle;
}

const DRAWS = 12;
const SMALLEST = 2;

/** Values a slot may take, before the arithmetic has its say. Multipliers stay single digits, as in a times table. */
function slotRange(slot: NumberSlot, limits: NumberLimits): readonly [number, number] {
  switch (slot) {
    case "n":
      return [SMALLEST, limits.maxOperand];
    case "times":
    case "fraction":
      return [2, 5];
    default:
      return [2, 9];
  }
}

function drawNumber(slot: NumberSlot, style: NumberStyle, limits: NumberLimits, rng: Rng): number | undefined {
  const [low, high] = slotRange(slot, limits);
  // "Twice" is the only way to write 2 times; a spelled-out line needs a number to spell.
  const writable = slotTakes(slot, style)
    ? writableNumbers(style)?.filter((v) => v >= low && v <= high && !(slot === "times" && v === 2))
    : undefined;
  if (writable === undefined) return rng.integer(low, high);
  return writable.length === 0 ? undefined : rng.pick(writable);
}

/**
 * The numbers of each line of a story (opening, steps, and the ending where the start is unknown),
 * such that every result is whole and within `limits`; undefined when `DRAWS` draws of some line found none.
 */
export function chooseNumbers(
  plan: Plan,
  lines: readonly Line[],
  limits: NumberLimits,
  rng: Rng,
): number[][] | undefined {
  const out: number[][] = [];
  const steps: Step[] = [];
  let given: readonly number[] = [];
  let x = 0;
  for (const [i, line] of lines.entries()) {
    const op = i === 0 ? undefined : (plan.ops[i - 1] as StepOp);
    const numbers = firstOf(DRAWS, () => {
      const drawn = op === undefined ? drawOpening(plan, line, limits, rng) : drawLine(line, op, x, limits, rng);
      if (drawn === undefined) return undefined;
      const program: Program =
        op === undefined
          ? { ask: "end", given: drawn, steps: [] }
          : { ask: "end", given, steps: [...steps, { op, operands: drawn }] };
      return isSound(program, limits) ? drawn : undefined;
    });
    if (numbers === undefined) return undefined;
    out.push(numbers);
    if (op === undefined) given = numbers;
    else steps.push({ op, operands: numbers });
    x = answerOf({ ask: "end", given, steps });
  }
  return plan.opening === "unknown" ? [...out, [x]] : out;
}

/** What is shared out at once may be a larger number, as in a times table; so more of them come out even. */
const DIVIDED: readonly (StepOp | undefined)[] = ["share", "pack", "part", "fraction"];

function drawOpening(plan: Plan, line: Line, limits: NumberLimits, rng: Rng): number[] | undefined {
  if (line.phrase.op === "unknown") return [rng.integer(SMALLEST, limits.maxOperand)];
  if (plan.opening !== "count" || line.style !== "digits" || !DIVIDED.includes(plan.ops[0]))
    return drawLine(line, undefined, 0, limits, rng);
  const factor = rng.pick([2, 3, 4, 5, 6, 7, 8, 9, 12]);
  const most = Math.floor(Math.min(limits.maxResult, factor * limits.maxOperand) / factor);
  return most < SMALLEST ? undefined : [factor * rng.integer(SMALLEST, most)];
}

function drawLine(
  { phrase, style }: Line,
  op: StepOp | undefined,
  x: number,
  limits: NumberLimits,
  rng: Rng,
): number[] | undefined {
  const numbers: number[] = [];
  for (const slot of phrase.text?.numberSlots ?? []) {
    const value =
      op === "need" && style === "digits"
        ? x + rng.integer(SMALLEST, limits.maxOperand)
        : drawNumber(slot, style, limits, rng);
    if (value === undefined) return undefined;
    numbers.push(value);
  }
  return phrase.fixed === undefined ? numbers : [...numbers, phrase.fixed];
}

/** No result below 2 or above the limit, and none that a step leaves unchanged. */
function isSound(program: Program, limits: NumberLimits): boolean {
  const working = work(program);
  return (
    working.ok &&
    [working.answer, ...working.equations.map((e) => e.result)].every(
      (value) => value >= SMALLEST && value <= limits.maxResult,
    )
  );
}

function answerOf(program: Program): number {
  const working = work(program);
  return working.ok ? working.answer : 0;
}

function firstOf<T>(tries: number, draw: () => T | undefined): T | undefined {
  for (let i = 0; i < tries; i++) {
    const value = draw();
    if (value !== undefined) return value;
  }
  return undefined;
}
