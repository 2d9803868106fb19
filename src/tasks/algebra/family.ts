/** @file What a family of algebra questions is: how its numbers are drawn, told and worked. */
import type { Rational } from "../arithmetic.ts";
import type { Rng } from "../../core/rng.ts";
import { numberText } from "./textTemplate.ts";
import type { Filled, Numbers, TextTemplate } from "./textTemplate.ts";

export type Difficulty = 1 | 2 | 3;

/** Sizes of the numbers that are drawn: largest coefficient, constant and solution. */
export interface Sizes {
  readonly coefficient: number;
  readonly constant: number;
  readonly solution: number;
}

/** Worked lines before the box, the answer, and what each letter is worth: one entry per solution. */
export interface Work {
  readonly lines: readonly string[];
  readonly answer: Rational;
  readonly solutions: readonly ReadonlyMap<string, Rational>[];
}

export interface Family {
  readonly name: string;
  /** Name in canonical forms, the family's own by default; families that ask two things of the same equations share one. */
  readonly key?: string;
  /** What it is about; a teacher that simplifies or complicates stays with it where it can. */
  readonly topic: "equations" | "systems" | "values" | "sequences" | "fractions";
  readonly levels: readonly Difficulty[];
  /** Wordings, all with the same slots. */
  readonly templates: readonly TextTemplate[];
  /** The level of a question with these numbers. */
  level(numbers: Numbers): Difficulty;
  /** Numbers of a question of that level, undefined where a draw led nowhere. */
  draw(rng: Rng, sizes: Sizes, level: Difficulty): Numbers | undefined;
  /** The solution by hand, undefined for numbers that make no sound question. */
  work(filled: Filled): Work | undefined;
  /** Numbers that tell apart two questions of the family; those left out make no new question. */
  readonly keyed: readonly string[];
}

/** `+ 5`, `- 3`. */
export function signed(value: number): string {
  return numberText(value, true, false);
}

/** `3x`, `x`, `-2x`. */
export function times(coefficient: number, letter: string): string {
  return `${numberText(coefficient, false, true)}${letter}`;
}

/** `+ 3x`, `- x`. */
export function signedTimes(coefficient: number, letter: string): string {
  return `${numberText(coefficient, true, true)}${letter}`;
}

/** A number as an operand: negative ones in parentheses. */
export function operand(value: number): string {
  return value < 0 ? `(${value})` : String(value);
}

/** A whole number from `low` to `high` that is not 0. */
export function nonZero(rng: Rng, low: number, high: number): number {
  const value = rng.integer(low, high - 1);
  return value >= 0 ? value + 1 : value;
}

/** A random sign for a number from 1 to `most`, or 0 never. */
export function signedUpTo(rng: Rng, most: number): number {
  return nonZero(rng, -most, most);
}
