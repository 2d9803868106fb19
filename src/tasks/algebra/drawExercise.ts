/** @file Draws an algebra exercise of a family: numbers, letters, wording. */
import type { Rng } from "../../core/rng.ts";
import type { Difficulty, Family, Sizes } from "./family.ts";
import type { Cluster } from "./inWords.ts";
import { tellExercise } from "./question.ts";
import type { Exercise } from "./question.ts";

/** Letters an unknown may have; none looks like a digit. */
const LETTERS: readonly string[] = ["x", "y", "n", "t", "k", "m", "p", "z"];

export const SMALL: Sizes = { coefficient: 5, constant: 9, solution: 9 };
export const NORMAL: Sizes = { coefficient: 9, constant: 20, solution: 12 };
export const LARGE: Sizes = { coefficient: 12, constant: 50, solution: 25 };

/** A random exercise of that level, undefined where the draw led nowhere or there is nothing to tell otherwise than plainly. Its numbers need not make a sound question. */
export function drawExercise(
  family: Family,
  level: Difficulty,
  sizes: Sizes,
  rng: Rng,
  cluster: Cluster = "plain",
): Exercise | undefined {
  const numbers = family.draw(rng, sizes, level);
  if (numbers === undefined || family.level(numbers) !== level) return undefined;
  const [v = "x", w = "y"] = rng.shuffle(LETTERS);
  const template = rng.pick(family.templates);
  const plain = { family, template, filled: { numbers, letters: { v, w } }, cluster: "plain" } as const;
  const told = { ...plain, cluster };
  return cluster === "plain" || tellExercise(told) !== tellExercise(plain) ? told : undefined;
}
