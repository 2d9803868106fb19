/** @file Checks of what every task's options and split sizes have in common. */
import { badInput } from "../core/errors.ts";
import type { SplitSizes } from "./types.ts";

/** Relative weights by name; a name left out has weight 0. */
export type Weights = Readonly<Record<string, number | undefined>>;

/**
 * The weights of `known`, in that order.
 * @throws BadInputError for unknown names, weights below 0, or no weight above 0.
 */
export function checkWeights(where: string, weights: Weights, known: readonly string[]): number[] {
  for (const [name, weight] of Object.entries(weights)) {
    if (!known.includes(name)) badInput(where, `names among ${known.join(", ")}`, JSON.stringify(name));
    if (weight !== undefined && !(Number.isFinite(weight) && weight >= 0))
      badInput(where, `a weight >= 0 for "${name}"`, String(weight));
  }
  if (!Object.values(weights).some((weight) => (weight ?? 0) > 0))
    badInput(where, "at least one weight above 0", JSON.stringify(weights));
  return known.map((name) => weights[name] ?? 0);
}

/** `size` itself. @throws BadInputError unless it is a whole number of questions. */
export function checkSize(where: string, size: number): number {
  return Number.isInteger(size) && size >= 0 ? size : badInput(where, "a number of questions >= 0", String(size));
}

/** Each of three splits made by `draw`, which gets the name of the split and its checked size. */
export function drawSplits<T>(
  task: string,
  sizes: SplitSizes,
  draw: (split: "pool" | "validation" | "test", size: number) => T,
): { readonly pool: T; readonly validation: T; readonly test: T } {
  const one = (split: "pool" | "validation" | "test") => draw(split, checkSize(`${task}: ${split}`, sizes[split]));
  return { pool: one("pool"), validation: one("validation"), test: one("test") };
}
