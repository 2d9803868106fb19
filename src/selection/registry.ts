/** @file The query strategies by name. A new one is a new entry (and, where scores do not suffice, a new picker). */
import { badInput } from "../core/errors.ts";
import type { AcquisitionInput, Picker, QueryStrategy } from "./types.ts";

interface StrategyEntry {
  readonly description: string;
  readonly input: AcquisitionInput;
}

const STRATEGIES = {
  random: { description: "uniform over the pool, no scores", input: { kind: "none" } },
  "own-loss": {
    description: "mean loss of the student's own answer, L(x, ŷ): how unsure it is of what it says",
    input: { kind: "score", score: "loss", answer: "own" },
  },
  "true-loss": {
    description: "mean loss of the worked answer, L(x, y): how far the student is from it",
    input: { kind: "score", score: "loss", answer: "true" },
  },
} as const satisfies Record<string, StrategyEntry>;

export type StrategyName = keyof typeof STRATEGIES;

/** Names that `createStrategy` knows, in the order to show them. */
export const strategyNames = Object.keys(STRATEGIES) as readonly StrategyName[];

/** Whether `name` is a strategy. */
export function isStrategyName(name: string): name is StrategyName {
  return Object.hasOwn(STRATEGIES, name);
}

/**
 * The strategy `name` with `picker`. `random` has nothing to rank, so it always picks
 * uniformly: one experiment can switch strategies and keep its picker setting.
 * @throws BadInputError for an unknown name, listing the known ones.
 */
export function createStrategy(name: string, picker: Picker): QueryStrategy {
  if (!isStrategyName(name)) return badInput("strategy", `one of ${strategyNames.join(", ")}`, JSON.stringify(name));
  const entry = STRATEGIES[name];
  return {
    name,
    description: entry.description,
    input: entry.input,
    picker: entry.input.kind === "none" ? { kind: "uniform" } : picker,
  };
}
